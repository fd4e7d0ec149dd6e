"""Every function of tfae that reads a file is fuzzed: a new one needs a target."""

import ast
import importlib.util
import pathlib
import sys

import pytest
from absl import flags

ROOT = pathlib.Path(__file__).parents[2]

# Calls that read a file, by their last name.
READING = {
    'ZipFile', 'File', 'fromfile', 'get_checkpoint_state', 'load_checkpoint', 'open',
    'open_regular', 'read_bytes', 'read_json', 'read_npz', 'read_text', 'restore',
}  # fmt: skip
# Calls that open no file themselves, but a run, a member of an open archive or a content.
OTHER = ('archive.open', 'flags.open', 'look.open', 'self._archive.open', 'self._open')
# Readers of trusted files: of the package, of the system, written by the same call, and of a TF1
# program, which is executed.
OWN = {
    ('__main__.py', '_summaries'),
    ('compat/program.py', 'exec_module'),
    ('compat/program.py', 'run'),
    ('compat/program.py', 'supply_removed'),
    ('compat/scipy_misc.py', 'imread'),
    ('core/terminal.py', '_try'),
    ('core/terminal.py', 'take_streams'),
    ('data/formats/shard_writer.py', '_add_offsets'),
    ('explorer/application.py', '__init__'),
    ('report/document.py', 'render'),
    ('sklearn.py', '__getstate__'),  # copies the files of its run
    ('training/memory.py', 'of_machine'),
    ('training/recipes.py', 'flags'),
    ('training/summaries.py', 'image'),
}
# TensorFlow's own reader in a session: the target `checkpoint` feeds it without one.
SESSION = {
    ('compat/estimator/estimator.py', 'export_saved_model'),
    ('runs/checkpoints.py', '_load_newest'),
}


def reads(call):
    """Returns whether a call reads a file."""
    function = ast.unparse(call.func)
    if function.rpartition('.')[2] not in READING or function in OTHER:
        return False
    given = [ast.unparse(argument) for argument in call.args]
    return not any(word in ("'w'", "'a'", "'wb'", "'ab'") or 'BytesIO' in word for word in given)


def readers():
    """Returns `(file, name)` of each function that reads a file."""
    found = set()
    for path in sorted((ROOT / 'tfae').rglob('*.py')):
        if path.name == 'atomic_files.py':  # which writes
            continue
        for function in ast.walk(ast.parse(path.read_text())):
            if isinstance(function, ast.FunctionDef):
                # Inner functions are checked separately.
                inner = {n for f in ast.walk(function) if isinstance(f, ast.FunctionDef)
                         and f is not function for n in ast.walk(f)}  # fmt: skip
                calls = [n for n in ast.walk(function) if isinstance(n, ast.Call)]
                if any(reads(call) for call in calls if call not in inner):
                    found.add((str(path.relative_to(ROOT / 'tfae')), function.name))
    return found


@pytest.fixture(scope='module')
def fed(tmp_path_factory):
    """Returns `(file, name)` of each function that runs while targets read valid files."""
    folder = ROOT / 'tests' / 'campaigns'
    sys.path.insert(0, str(folder))
    spec = importlib.util.spec_from_file_location('fuzz_targets', folder / 'fuzz_targets.py')
    targets = importlib.util.module_from_spec(spec)
    sys.modules['fuzz_targets'] = targets  # where its dataclass looks for its types
    spec.loader.exec_module(targets)
    sys.path.remove(str(folder))
    if not flags.FLAGS.is_parsed():
        flags.FLAGS.mark_as_parsed()
    seen, package = set(), f'{ROOT / "tfae"}/'

    def watch(frame, event, _):
        code = frame.f_code
        if event == 'call' and code.co_filename.startswith(package):
            seen.add((code.co_filename.removeprefix(package), code.co_name))

    for name, target in targets.TARGETS.items():
        place = tmp_path_factory.mktemp(name)
        for content in target.seeds():
            (place / target.file).write_bytes(content)
            sys.setprofile(watch)
            try:
                target.read(place / target.file)
            except ValueError:  # of the sound files some are refused
                pass
            finally:
                sys.setprofile(None)
    return seen


def test_every_reader_of_files_is_fed_by_the_fuzzer(fed):
    assert readers() - OWN - SESSION - fed == set()


def test_readers_that_need_no_target_are_there():
    assert readers() >= OWN | SESSION


def test_a_reader_is_told_from_what_reads_no_file():
    def told(text):
        return reads(ast.parse(text).body[0].value)

    assert all(map(told, ("path.open('rb')", 'path.read_text()', 'open_regular(path)', 'p.open()')))
    others = ("path.open('w')", 'flags.open()', 'Image.open(io.BytesIO(content))', 'path.unlink()')
    assert not any(map(told, others))
