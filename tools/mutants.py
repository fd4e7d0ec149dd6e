"""Mutation testing: inserts small faults into tfae, one at a time, and runs the tests.

    python tools/mutants.py                         300 mutants; docs/evidence/mutants.md
    python tools/mutants.py --count=40 --seed=1     fewer, others

The operators are those of cosmic-ray listed in `_OPERATORS`: they replace an arithmetic operator,
comparison, number, Boolean, condition or loop. Each position is mutated once, by one of the
operators that apply. Excluded, because no result depends on them: texts, annotations, flags and
their help, arguments of raise, print and assert, `strict=True`, and decorators.

Positions are sorted by a hash of the seed, their function and their text, and the first `--count`
are taken. So a seed selects the same mutants on the same tree, and nearly the same after an edit.

Each mutant is tested in a process forked from this one, which has imported TensorFlow but nothing
of tfae and has opened no session; it works on a copy of the tree. The tests that reach a statement,
also through a program that they start, are found by running each test file once under coverage, on
first use. The mutants of a folder are run against the tests of their own file; survivors against
the other tests of that folder, and finally against all others. Fast tests come first, each time up
to `_BUDGET` seconds of the time that they take without a mutant. A mutant is killed by the first
failure, or by a run that takes `_SLOWER` times as long.

docs/evidence/mutants.jsonl keeps the results: killed mutants are not tested again, survivors only
by tests that they have not faced; remove it to test all again. build/mutants caches which tests
reach each statement, and measures that again when the test file or the tested file changes.
"""

import argparse
import ast
import compileall
import contextlib
import dataclasses
import functools
import gc
import hashlib
import json
import multiprocessing.util
import os
import pathlib
import py_compile
import resource
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator

ROOT = pathlib.Path(__file__).resolve().parents[1]
KEPT = ROOT / 'build' / 'mutants'
EVIDENCE = ROOT / 'docs' / 'evidence' / 'mutants.md'
VERDICTS = EVIDENCE.with_suffix('.jsonl')
EQUIVALENT = ROOT / 'tools' / 'equivalent_mutants.json'

MUTATED = ('losses', 'analysis', 'data', 'training', 'models', 'commands')
TESTS = (*MUTATED, 'contract', 'oracle')
WANTED = 0.9  # least fraction of killed mutants; the rest must be listed in EQUIVALENT

_BUDGET = 300  # seconds of tests at a time, as measured without a mutant
_SLOWER = 5
_START = 30  # seconds of processor time besides the tests
_BUSY = 20  # how many times longer the run may take on a busy machine
_PRELOADED = (
    *('tensorflow.compat.v1', 'tensorboard', 'sklearn.cluster', 'sklearn.datasets'),
    *('sklearn.decomposition', 'sklearn.mixture', 'sklearn.neighbors', 'sklearn.linear_model'),
    *('scipy.linalg', 'matplotlib.pyplot', 'PIL.Image', 'pytest', 'hypothesis', 'coverage'),
)

_ARITHMETIC = ('Add_Sub', 'Sub_Add', 'Mul_Div', 'Div_Mul', 'FloorDiv_Div', 'Mod_Div', 'Pow_Mul')
_ORDER = ('Eq', 'NotEq', 'Lt', 'LtE', 'Gt', 'GtE')
_OPERATORS = (
    *(f'ReplaceBinaryOperator_{pair}' for pair in _ARITHMETIC),
    *(f'ReplaceComparisonOperator_{a}_{b}' for a in _ORDER for b in _ORDER if a != b),
    *('ReplaceComparisonOperator_Is_IsNot', 'ReplaceComparisonOperator_IsNot_Is'),
    *('ReplaceUnaryOperator_Delete_USub', 'ReplaceUnaryOperator_Delete_Not'),
    *('ReplaceTrueWithFalse', 'ReplaceFalseWithTrue', 'ReplaceAndWithOr', 'ReplaceOrWithAnd'),
    *('AddNot', 'NumberReplacer', 'ZeroIterationForLoop'),
    *('ReplaceBreakWithContinue', 'ReplaceContinueWithBreak'),
)
# Node types that these operators mutate; asking each operator about every node takes minutes.
_MUTABLE = {
    *('operator', 'keyword', 'number', 'comparison', 'factor', 'not_test', 'test'),
    *('if_stmt', 'while_stmt', 'for_stmt'),
}
_PUNCTUATION = {*'()[]{},.:=@', '->'}
# Calls whose arguments are not mutated: flags and texts.
_WORDS = {'option', 'print', 'warn', 'warning', 'info', 'debug', 'one_of'}


@dataclasses.dataclass(frozen=True)
class Mutant:
    """One fault: a file of tfae with one change."""

    file: str  # relative to the root of the tree
    function: str  # dotted; `<module>` at the top level
    line: int
    operator: str
    occurrence: int
    old: str  # the changed lines
    new: str

    @property
    def key(self) -> str:
        """Identifies the mutant, also in a tree with other edits."""
        return json.dumps([self.file, self.function, self.operator, self.old, self.new])


# Selection of mutants.


def sample(tree: pathlib.Path, count: int, seed: int) -> list[Mutant]:
    """Returns the first `count` mutants of a seed, by folder, file and line."""
    found = [place for file in sources(tree) for place in places(tree, file, seed)]
    if len(found) < count:
        raise SystemExit(f'--count={count}: there are only {len(found)} positions')
    chosen = [make() for _, make in sorted(found, key=lambda pair: pair[0])[:count]]
    order = {file: k for k, file in enumerate(sources(tree))}
    return sorted(chosen, key=lambda mutant: (order[mutant.file], mutant.line, mutant.operator))


def sources(tree: pathlib.Path) -> list[str]:
    """Returns the files that are mutated."""
    folders = (tree / 'tfae' / folder for folder in MUTATED)
    return [str(p.relative_to(tree)) for folder in folders for p in sorted(folder.rglob('*.py'))]


def places(tree: pathlib.Path, file: str, seed: int) -> Iterator[tuple[str, Callable[[], Mutant]]]:
    """Yields `(hash, function that makes the mutant)` of each position that can be mutated."""
    source = (tree / file).read_text()
    lines = source.splitlines()
    functions, left_out = functions_of(source), left_out_of(source)
    ways: dict[tuple[int, int], list[tuple[str, int]]] = {}
    for operator, occurrence, position in positions(source):
        if not any(first <= position < last for first, last in left_out):
            ways.setdefault(position, []).append((operator, occurrence))
    seen: dict[str, int] = {}
    for (line, _), fitting in sorted(ways.items()):
        words = f'{seed} {file} {functions[line]} {lines[line - 1].strip()}'
        seen[words] = seen.get(words, -1) + 1
        word = f'{words} {seen[words]}'
        operator, occurrence = min(fitting, key=lambda way: hashed(f'{word} {way[0]} {way[1]}'))

        def make(line=line, operator=operator, occurrence=occurrence):
            new = mutated(source, operator, occurrence).splitlines()
            changed = [
                k for k, pair in enumerate(zip(lines, new, strict=False)) if len({*pair}) > 1
            ]
            first, last = changed[0], changed[-1] + 1
            old, new = ('\n'.join(text[first:last]) for text in (lines, new))
            return Mutant(file, functions[line], first + 1, operator, occurrence, old, new)

        yield hashed(word), make


def hashed(text: str) -> str:
    """Returns hexadecimal digits that are the same on every machine."""
    return hashlib.sha256(text.encode()).hexdigest()


def positions(source: str) -> Iterator[tuple[str, int, tuple[int, int]]]:
    """Yields `(operator, its occurrence, (line, column))` of each mutation of a text."""
    from cosmic_ray import ast as trees
    from cosmic_ray import plugins

    operators = {name: plugins.get_operator(f'core/{name}')() for name in _OPERATORS}
    found = {name: [] for name in _OPERATORS}

    class Collect(trees.Visitor):
        def visit(self, node):
            if node.type not in _MUTABLE or getattr(node, 'value', '') in _PUNCTUATION:
                return node
            for name, operator in operators.items():
                sites = [start for start, _ in operator.mutation_positions(node)]
                # The `*` of f(a, *, b) is not an operator.
                found[name] += [() if node.parent.type == 'parameters' else at for at in sites]
            return node

    Collect().walk(trees.get_ast(source))
    for name, starts in found.items():
        for occurrence, start in enumerate(starts):
            if start:
                yield name, occurrence, start


def mutated(source: str, operator: str, occurrence: int) -> str:
    """Returns a text with one mutation."""
    from cosmic_ray import mutating, plugins

    return mutating.mutate_code(source, plugins.get_operator(f'core/{operator}')(), occurrence)


def functions_of(source: str) -> dict[int, str]:
    """Returns line -> dotted name of the enclosing function or class."""
    found = dict.fromkeys(range(1, source.count('\n') + 2), '<module>')

    def look(node, name):
        for child in ast.iter_child_nodes(node):
            inner = name
            if isinstance(child, ast.FunctionDef | ast.ClassDef):
                inner = f'{name}.{child.name}'.removeprefix('.')
                found.update(dict.fromkeys(range(child.lineno, child.end_lineno + 1), inner))
            look(child, inner)

    look(ast.parse(source), '')
    return found


def left_out_of(source: str) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Returns the spans `(line, column)` to `(line, column)` that are not mutated."""
    spans = []
    for node in ast.walk(ast.parse(source)):
        found = [getattr(node, 'annotation', None), getattr(node, 'returns', None)]
        found += getattr(node, 'decorator_list', [])
        if isinstance(node, ast.Raise | ast.Assert | ast.JoinedStr | ast.Import | ast.ImportFrom):
            found.append(node)
        if isinstance(node, ast.Call) and ast.unparse(node.func).split('.')[-1] in _WORDS:
            found.append(node)
        if isinstance(node, ast.keyword) and node.arg == 'strict':
            found.append(node)
        spans += [((n.lineno, n.col_offset), (n.end_lineno, n.end_col_offset)) for n in found if n]
    return spans


def statements(source: str) -> dict[int, str]:
    """Returns line -> function and first line of its statement.

    These identify the statement, also in a tree with other edits.
    """
    lines, functions, found = source.splitlines(), functions_of(source), {}
    every = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.stmt))
    for node in every:  # outer ones first
        word = f'{functions[node.lineno]} {lines[node.lineno - 1].strip()}'
        found.update(dict.fromkeys(range(node.lineno, node.end_lineno + 1), word))
    return found


def within(statement: str, function: str) -> bool:
    """Returns whether a statement of `statements` is in a function, class or `<module>`."""
    return function == '<module>' or f'{statement.split()[0]}.'.startswith(f'{function}.')


def imported(source: str) -> set[int]:
    """Returns the lines that run at import: all except the bodies of functions."""
    bodies = [
        range(node.body[0].lineno, node.end_lineno + 1)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef)
    ]
    return {*range(1, source.count('\n') + 2)}.difference(*bodies)


# Coverage: the tests that reach a mutant.


class Covering:
    """Plugin of pytest: records the statements that each test reaches, and its time."""

    def __init__(self, folder: pathlib.Path):
        self._folder = folder
        self._coverage = covering(folder)
        self.seconds: dict[str, float] = {}
        self.failed: set[str] = set()

    def pytest_sessionstart(self):
        """Starts coverage, also in programs that tests start."""
        import tfae_program

        begin, folder = tfae_program.Program.__init__, self._folder

        def started(self, argv, cwd, environment, before=None):
            begin(self, argv, cwd, environment, CoveredProgram(str(folder), before))

        tfae_program.Program.__init__ = started
        self._coverage.start()

    def pytest_runtest_logstart(self, nodeid):
        """Attributes fixtures to all tests of the file, since they may share them."""
        self._coverage.switch_context(f'{nodeid} (setup)')

    def pytest_runtest_call(self, item):
        """Attributes the call to its own test."""
        self._coverage.switch_context(f'{item.nodeid} (call)')

    def pytest_runtest_logreport(self, report):
        """Adds up the times of set-up, call and tear-down."""
        self.seconds[report.nodeid] = self.seconds.get(report.nodeid, 0.0) + report.duration
        if not report.passed:
            self.failed.add(report.nodeid)

    def pytest_sessionfinish(self):
        """Writes found.json."""
        self._coverage.stop()
        self._coverage.save()
        tests = sorted(self.seconds.keys() - self.failed)
        number = {test: k for k, test in enumerate(tests)}
        reached: dict[str, dict[str, set[int]]] = {}
        for path in self._folder.glob('covered*'):
            for file, statement, context in contexts(path):
                test, _, part = context.rpartition(' ')
                every = number.values() if part == '(setup)' else [number.get(test)]
                of_file = reached.setdefault(file, {})
                of_file.setdefault(statement, set()).update(k for k in every if k is not None)
        found = {
            'tests': {test: self.seconds[test] for test in tests},
            'failed': sorted(self.failed),
            'reached': {
                file: {statement: sorted(found) for statement, found in of_file.items()}
                for file, of_file in reached.items()
            },
        }
        (self._folder / 'found.json').write_text(json.dumps(found))


@dataclasses.dataclass
class CoveredProgram:
    """Callable that a program runs at its start: coverage, then the function of the test."""

    folder: str
    before: Callable[[], None] | None

    def __call__(self):
        """Starts coverage for the test that started the program."""
        measured = covering(pathlib.Path(self.folder))
        measured.start()
        measured.switch_context(os.environ['PYTEST_CURRENT_TEST'])

        def save():
            measured.stop()
            measured.save()

        multiprocessing.util.Finalize(None, save, exitpriority=100)
        if self.before:
            self.before()


def covering(folder: pathlib.Path):
    """Returns a coverage object for the mutated files, in any copy of the tree."""
    import coverage

    return coverage.Coverage(
        data_file=str(folder / 'covered'),
        data_suffix=True,
        config_file=False,
        include=[f'*/tfae/{name}/*' for name in MUTATED],
        messages=False,
    )


def contexts(path: pathlib.Path) -> Iterator[tuple[str, str, str]]:
    """Yields `(file of tfae, statement, context)` from a coverage file."""
    import coverage

    data = coverage.CoverageData(str(path))
    data.read()
    for name in data.measured_files():
        file = name[name.rindex('/tfae/') + 1 :]
        known = statements(pathlib.Path(name).read_text())
        for line, names in data.contexts_by_lineno(name).items():
            yield from ((file, known[line], context) for context in names if line in known)


class Reach:
    """The tests that reach each statement; cached in build/mutants."""

    def __init__(self, bench: 'Bench'):
        self.bench = bench
        self._known: dict[str, dict] = {}
        folders = (bench.tree / 'tests' / folder for folder in TESTS)
        paths = [path for folder in folders for path in sorted(folder.rglob('*_test.py'))]
        self._files = [str(path.relative_to(bench.tree)) for path in paths]

    def facing(self, mutant: Mutant, distance: int) -> dict[str, float]:
        """Returns the tests at this distance that reach a mutant, in order -> seconds."""
        files = [file for file in self._files if apart(mutant.file, file) == distance]
        source = (self.bench.tree / mutant.file).read_text()
        at_import = mutant.line in imported(source)
        statement = statements(source)[mutant.line]
        chosen = []
        for file in files:
            found = self.of(file)
            tests = list(found['tests'])
            reached = found['reached'].get(mutant.file, {})
            # Statements that run at import affect everything after it.
            names = [name for name in reached if at_import and within(name, mutant.function)]
            indices = {k for name in (statement, *names) for k in reached.get(name, ())}
            # Cached results are covered only in the first test that needs them.
            seconds = {tests[k]: found['tests'][tests[k]] for k in indices}
            if not distance:
                seconds |= {test: found['tests'][test] for test in tests if test not in seconds}
            chosen.append(dict(sorted(seconds.items(), key=lambda pair: pair[1])))
        budget, faced = float(_BUDGET), {}
        for seconds in sorted(chosen, key=lambda some: sum(some.values())):
            for test, spent in seconds.items():
                if not faced or spent <= budget:
                    faced[test] = spent
                    budget -= spent
        return faced

    def mark(self, tests: dict[str, float]) -> str:
        """Returns a hash that changes with the set of tests and with their files."""
        files = {test.partition('::')[0] for test in tests}
        return hashed(' '.join([*sorted(tests), *sorted(self.of(file)['mark'] for file in files)]))

    def of(self, file: str) -> dict:
        """Returns the result of `Covering` for a test file."""
        if file in self._known:
            return self._known[file]
        kept = KEPT / f'{file.replace("/", "-")}.json'
        tree = self.bench.tree
        source = tree / file.replace('tests/', 'tfae/', 1).replace('_test.py', '.py')
        texts = [path.read_text() for path in (tree / file, source) if path.is_file()]
        mark = hashed('\n'.join(texts))
        if not kept.is_file() or json.loads(kept.read_text())['mark'] != mark:
            began = time.monotonic()
            found = self.bench.cover(file)
            kept.write_text(json.dumps(found | {'mark': mark}))
            failed = ''.join(f'\n    not passed: {name}' for name in found['failed'])
            print(f'{time.monotonic() - began:6.1f} s  {file}{failed}', flush=True)
        self._known[file] = json.loads(kept.read_text())
        return self._known[file]


def apart(source: str, test: str) -> int:
    """Returns 0 for a file's own tests, 1 for its folder, 2 for its top folder, 3 elsewhere."""
    _, *folders, name = source.removesuffix('.py').split('/')
    _, *those, other = test.removesuffix('_test.py').split('/')
    if folders != those:
        return 2 if folders[0] == those[0] else 3
    return int(name != other)


# Running the tests on a mutant.

UNTRIED = {'killed': False, 'by': '', 'seconds': 0.0, 'lived': ()}


class Bench:
    """A copy of the tree, and this process, with TensorFlow imported and tfae not."""

    def __init__(self, folder: pathlib.Path):
        self.tree = folder / 'tree'
        copy_tree(self.tree)
        asked = ['git', 'rev-parse', '--short', 'HEAD']
        self.commit = subprocess.check_output(asked, cwd=ROOT, text=True).strip()
        # Checked by hash: size and time of a mutant may equal those of its source.
        by_hash = py_compile.PycInvalidationMode.CHECKED_HASH
        compileall.compile_dir(self.tree / 'tfae', quiet=1, invalidation_mode=by_hash)
        os.environ['PYTHONPATH'] = str(self.tree)
        os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
        os.environ['PYTEST_DISABLE_PLUGIN_AUTOLOAD'] = '1'
        os.chdir(self.tree)
        sys.path[:0] = [str(self.tree), str(self.tree / 'tests' / 'support')]
        for name in _PRELOADED:
            __import__(name)
        import tfae_program

        tfae_program.COMMANDS = ()  # the server must not import modules that are mutated later
        tfae_program.warm()
        # After `warm`, whose temporary files live until the end of this process.
        os.environ['TMPDIR'], tempfile.tempdir = str(folder), None
        server = multiprocessing.forkserver._forkserver
        self._server = server._forkserver_pid
        server.ensure_running = lambda: None  # only the parent may ask
        assert 'tfae' not in sys.modules
        gc.freeze()  # forks need not traverse objects that they will not free

    def cover(self, file: str) -> dict:
        """Runs a test file once under coverage and returns the result of `Covering`."""
        folder = pathlib.Path(tempfile.mkdtemp())
        out = folder / 'found.json'
        self._fork(lambda: run_pytest([file], Covering(folder), folder), folder, 3600)
        if not out.is_file():
            raise SystemExit(f'{file} does not run:\n{(folder / "printed").read_text()}')
        found = json.loads(out.read_text())
        shutil.rmtree(folder)
        return found

    def judge(self, mutant: Mutant, tests: dict[str, float]) -> dict:
        """Runs tests on a mutant and returns `killed`, `by` which test, and `seconds`."""
        path, folder = self.tree / mutant.file, pathlib.Path(tempfile.mkdtemp())
        source, began = path.read_text(), time.monotonic()
        path.write_text(mutated(source, mutant.operator, mutant.occurrence))
        files = list(dict.fromkeys(test.partition('::')[0] for test in tests))
        patience = _START + _SLOWER * sum(tests.values())

        def work():
            resource.setrlimit(resource.RLIMIT_CPU, (int(patience), int(patience)))
            return run_pytest(files, Chosen(tests, folder), folder)

        try:
            code = self._fork(work, folder, _BUSY * patience)
        finally:
            path.write_text(source)
        failed = folder / 'failed'
        by = failed.read_text() if failed.is_file() else ''
        ended = {None: 'time', -signal.SIGKILL: 'time', -signal.SIGXCPU: 'time', 0: ''}
        by = ended.get(code, by or f'pytest ended with {code}')
        shutil.rmtree(folder)
        return {'killed': code != 0, 'by': by, 'seconds': round(time.monotonic() - began, 1)}

    def _fork(self, work: Callable[[], int], folder: pathlib.Path, patience: float) -> int | None:
        """Runs `work` in a fork; returns its exit code, or None if it timed out."""
        child = os.fork()
        if not child:
            code = 70
            try:
                os.setsid()
                printed = os.open(folder / 'printed', os.O_WRONLY | os.O_CREAT, 0o600)
                os.dup2(printed, 1)
                os.dup2(printed, 2)
                code = work()
            finally:
                os._exit(code)
        ended = False
        try:
            with os.fdopen(os.pidfd_open(child)) as process:
                ended = bool(select.select([process], [], [], patience)[0])
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
            left = pathlib.Path(f'/proc/{self._server}/task/{self._server}/children').read_text()
            for program in map(int, left.split()):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(program, signal.SIGKILL)
        return os.waitstatus_to_exitcode(status) if ended else None


class Chosen:
    """Plugin of pytest: runs the given tests in order and records the first failure."""

    def __init__(self, tests: dict[str, float], folder: pathlib.Path):
        self._place = {test: k for k, test in enumerate(tests)}
        self._failed = folder / 'failed'

    def pytest_collection_modifyitems(self, items):
        """Deselects the other tests of these files."""
        known = [item for item in items if item.nodeid in self._place]
        items[:] = sorted(known, key=lambda item: self._place[item.nodeid])

    def pytest_collectreport(self, report):
        """Records a file that cannot be imported as a failure."""
        if report.failed:
            self._failed.write_text(f'{report.nodeid} cannot be imported')

    def pytest_runtest_logreport(self, report):
        """Records a failed test."""
        if report.failed:
            self._failed.write_text(report.nodeid)


def run_pytest(files: list[str], plugin: object, folder: pathlib.Path) -> int:
    """Runs test files, to the first failure with `Chosen`, else to their end."""
    import pytest

    words = ['-q', '-p', 'no:cacheprovider', f'--basetemp={folder}/pytest']
    words += ['-x'] if isinstance(plugin, Chosen) else []
    return int(pytest.main([*words, *files], [plugin]))


def copy_tree(to: pathlib.Path) -> None:
    """Copies the tracked and the untracked, not ignored files, and the compiled op."""
    asked = ['git', 'ls-files', '--cached', '--others', '--exclude-standard', '-z']
    names = subprocess.run(asked, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    library = [str(p.relative_to(ROOT)) for p in (ROOT / 'tfae' / 'ops').glob('*.so')]
    for name in [*names.strip('\0').split('\0'), *library]:
        if (ROOT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, to / name)


# Report.

KILLED, EXPLAINED, LIVES, OPEN = 'killed', 'equivalent', 'not noticed', 'not judged'


def fates(mutants: list[Mutant], verdicts: dict[str, dict], ended: bool) -> dict[str, str]:
    """Returns key -> fate; `ended` if all mutants were run against all tests that reach them."""
    found = {}
    for mutant in mutants:
        verdict = verdicts.get(mutant.key, UNTRIED)
        fate = LIVES if verdict['lived'] or ended else OPEN
        named = EXPLAINED if mutant.key in equivalents() else fate
        found[mutant.key] = KILLED if verdict['killed'] else named
    return found


@functools.cache
def equivalents() -> dict[str, str]:
    """Returns key of an equivalent mutant -> reason why no test can detect it."""
    fields = ('file', 'function', 'operator', 'old', 'new')
    entries = json.loads(EQUIVALENT.read_text())
    return {json.dumps([entry[name] for name in fields]): entry['reason'] for entry in entries}


def page(mutants: list[Mutant], verdicts: dict[str, dict], ended: bool, how: str) -> str:
    """Returns docs/evidence/mutants.md; `how` is the command and the commit."""
    fate = fates(mutants, verdicts, ended)
    lines = [
        '# Mutants',
        '',
        f'Written by {how}; `make mutants` runs it. The docstring of',
        '`tools/mutants.py` describes the mutations; `tools/equivalent_mutants.json` explains the '
        'equivalent mutants.',
        '',
        f'**{summary(fate)}**',
        '',
        *(
            []
            if ended
            else ['Stopped early: surviving mutants have not been run against all tests.', '']
        ),
        f'| folder | mutants | {KILLED} | {EXPLAINED} | {LIVES} | {OPEN} |',
        '| --- | --- | --- | --- | --- | --- |',
    ]
    for folder in MUTATED:
        of = [fate[m.key] for m in mutants if m.file.split('/')[1] == folder]
        counts = [len(of), *(of.count(kind) for kind in (KILLED, EXPLAINED, LIVES, OPEN))]
        lines.append(f'| {folder} | {" | ".join(map(str, counts))} |')
    lines += ['', '## Surviving mutants', '']
    for mutant in (m for m in mutants if fate[m.key] in (EXPLAINED, LIVES)):
        why = f': {equivalents()[mutant.key]}' if fate[mutant.key] == EXPLAINED else ''
        head = f'`{mutant.file}:{mutant.line}` `{mutant.function}` {fate[mutant.key]}{why}'
        old, new = (text.split('\n') for text in (mutant.old, mutant.new))
        lines += [head, '', '```diff', *(f'-{t}' for t in old), *(f'+{t}' for t in new), '```', '']
    lines += ['## All', '', '| place | function | change | | seconds |']
    lines += ['| --- | --- | --- | --- | --- |']
    for mutant in mutants:
        verdict = verdicts.get(mutant.key, UNTRIED)
        by = f'by {verdict["by"]}' if verdict['killed'] else ''
        change = f'`{mutant.old.strip()}` to `{mutant.new.strip()}`'.replace('\n', ' ')
        cells = [f'{mutant.file}:{mutant.line}', mutant.function, change]
        cells += [f'{fate[mutant.key]} {by}'.strip(), f'{verdict["seconds"]:.1f}']
        lines.append(f'| {" | ".join(cell.replace("|", "&#124;") for cell in cells)} |')
    return '\n'.join(lines) + '\n'


def summary(fate: dict[str, str]) -> str:
    """Returns the counts of each fate in a line."""
    count = list(fate.values()).count
    rest = ', '.join(f'{count(kind)} {kind}' for kind in (EXPLAINED, LIVES, OPEN))
    return f'{count(KILLED)} of {len(fate)} killed ({count(KILLED) / len(fate):.1%}); {rest}.'


def judge_all(reach: Reach, mutants: list[Mutant], verdicts: dict[str, dict]) -> None:
    """Tests all mutants, folder by folder; adds to `verdicts` and to their file."""
    near = [(folder, distance) for folder in MUTATED for distance in range(3)]
    for folder, distance in [*near, *((folder, 3) for folder in MUTATED)]:
        for mutant in (m for m in mutants if m.file.split('/')[1] == folder):
            verdict = verdicts.setdefault(mutant.key, dict(UNTRIED))
            tests = {} if verdict['killed'] else reach.facing(mutant, distance)
            if not tests or (mark := reach.mark(tests)) in verdict['lived']:
                continue
            verdict |= reach.bench.judge(mutant, tests)
            verdict['lived'] = [*verdict['lived'], *([] if verdict['killed'] else [mark])]
            with VERDICTS.open('a') as file:
                file.write(json.dumps([mutant.key, verdict]) + '\n')
            how = f'killed by {verdict["by"]}' if verdict['killed'] else 'survives'
            place = f'{mutant.file}:{mutant.line}'
            print(f'{distance} {verdict["seconds"]:6.1f} s  {place}  {how}', flush=True)


def main(argv: list[str]) -> int:
    """Tests the mutants of a seed; returns 1 if too many survive or one is not explained.

    If it is interrupted, it reports the results so far.
    """
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--count', type=int, default=300, help='number of mutants')
    parser.add_argument('--seed', type=int, default=0, help='selects the mutants')
    flags = parser.parse_args(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # ends the forks too
    KEPT.mkdir(parents=True, exist_ok=True)
    lines = VERDICTS.read_text().splitlines() if VERDICTS.is_file() else []
    verdicts = dict(map(json.loads, lines))
    with tempfile.TemporaryDirectory(None, 'tfae_mutants_', ignore_cleanup_errors=True) as folder:
        bench = Bench(pathlib.Path(folder))
        mutants, ended = sample(bench.tree, flags.count, flags.seed), False
        try:
            judge_all(Reach(bench), mutants, verdicts)
            ended = True
        finally:
            how = f'`python tools/mutants.py --count={flags.count} --seed={flags.seed}`'
            how += f' at commit {bench.commit}'
            EVIDENCE.write_text(page(mutants, verdicts, ended, how))
            fate = fates(mutants, verdicts, ended)
            print(summary(fate))
    alive = [kind for kind in fate.values() if kind != KILLED]
    wrong = [m for m in mutants if fate[m.key] == KILLED and m.key in equivalents()]
    few = len(alive) > (1 - WANTED) * len(mutants)
    return int(few or bool(wrong) or any(kind != EXPLAINED for kind in alive))


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
