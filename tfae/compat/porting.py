"""Finds what a TF1 program uses that newer versions removed, and moves the program.

A finding is a name in a line, with its replacement: a name that `tfae.compat` supplies, a
change of the source, or nothing.
"""

import ast
import enum
import importlib
import inspect
import io
import operator
import pathlib
import re
import tokenize
import types
import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

import tensorflow.compat.v1 as tf

from tfae.compat import importer, program, removed
from tfae.core import errors

# Removed method -> its successor of the same arguments; None if there is none.
_METHODS = {
    'as_matrix': None,
    'draggable': None,
    'has_key': None,
    'itemset': None,
    'iteritems': 'items',
    'iterkeys': 'keys',
    'itervalues': 'values',
    'next': None,
    'ptp': None,
    'set_window_title': None,
    'tostring': 'tobytes',
    'tostring_rgb': None,
}
# A line before which the encoding may be declared, and its declaration (PEP 263).
_EMPTY = re.compile(r'[ \t\f]*(#.*)?')
_ENCODING = re.compile(r'[ \t\f]*#.*?coding[:=]')
_BY_KEYWORD = re.compile(r'nn\.(sigmoid|softmax|sparse_softmax)_cross_entropy_with_logits')


class Kind(enum.Enum):
    """The result of a port for a name."""

    SUPPLIED = 'supplied by `install`'
    REMOVED = 'supplied by `install(removed=True)`'
    CHANGED = 'changed in the source'
    IMPOSSIBLE = 'not portable'


class Finding(NamedTuple):
    """A name that today's packages lack."""

    line: int
    column: int
    name: str  # as the program spells it
    kind: Kind
    remark: str
    replacement: str = ''  # of the name in the source
    end: tuple[int, int] = (0, 0)  # line and column of the end of the name


class _Module(NamedTuple):
    """A file of a program."""

    tree: ast.Module
    translated: bool  # from Python 2


class Port(NamedTuple):
    """The findings of a program, and what it becomes."""

    findings: list[Finding]
    content: bytes  # of its file; b'' for a notebook that needs changes other than the line
    line: str  # which is added; '' if there is nothing to supply


def port(path: pathlib.Path) -> Port:
    """Returns what becomes of a script or a notebook.

    Raises: InputError as `program.source` does.
    """
    content = path.read_bytes()
    text, translated = program.source(content, path)
    tree = program.parsed(text, str(path))
    modules = _modules(path, _Module(tree, translated))
    results: dict[pathlib.Path, dict[str, str]] = {}
    aliases = {place: _aliases(place, modules, results) for place in modules}
    own = _methods(modules)
    found, *others = [
        set(_findings(module.tree, aliases[place], own)) for place, module in modules.items()
    ]
    if translated and not program.imports_division(tree):
        found |= set(_quotients(tree))
    lines = text.split('\n')
    findings = sorted((_checked(one, lines) for one in found), key=lambda one: one[:3])
    if translated:
        remark = 'Python 2; it becomes Python 3'
        findings.insert(0, Finding(1, 0, 'syntax', Kind.CHANGED, remark))
    kinds = {finding.kind for finding in findings}
    # Modules stay as they are: what the program changes in its source is supplied to them.
    needed = {one.kind for other in others for one in other}
    kinds |= {kind if kind is Kind.SUPPLIED else Kind.REMOVED for kind in needed}
    if any(module.translated for module in list(modules.values())[1:]):
        kinds.add(Kind.REMOVED)
    line = _line([module.tree for module in modules.values()], kinds)
    if path.suffix == '.ipynb':
        changes = any(finding.kind is Kind.CHANGED for finding in findings)
        after = '' if changes else program.with_cell(content, line)
        return Port(findings, after.encode(errors='backslashreplace'), line)  # as JSON escapes
    text = _with_line(_changed(lines, findings), line)
    if b'\r\n' in content:
        text = text.replace('\n', '\r\n')
    return Port(findings, text.encode(_encoding(content)), line)


def _encoding(content: bytes) -> str:
    """Returns the encoding of a program; UTF-8 where it is not the one that it declares."""
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
        content.decode(encoding)
    except (SyntaxError, UnicodeDecodeError):
        return 'utf-8'
    return encoding


def _quotients(tree: ast.Module) -> Iterator[Finding]:
    """Yields the divisions of a translated program that may have been of integers."""
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp):
            operands, name = [node.left, node.right], '/'
        elif isinstance(node, ast.AugAssign):
            operands, name = [node.value], '/='
        else:
            continue
        if isinstance(node.op, ast.Div) and not any(map(_is_float, operands)):
            remark = f'of two integers it was an integer in Python 2: write /{name}'
            yield _finding(node, name, Kind.IMPOSSIBLE, remark)


def _is_float(node: ast.AST) -> bool:
    """Returns whether the source of an expression shows that it is not an integer."""
    if isinstance(node, ast.BinOp):
        return _is_float(node.left) or _is_float(node.right)
    if isinstance(node, ast.Call):
        return ast.unparse(node.func) == 'float'
    return isinstance(node, ast.Constant) and isinstance(node.value, float)


def _modules(path: pathlib.Path, main: _Module) -> dict[pathlib.Path, _Module]:
    """Returns the files of a program: itself, and those in its folder that it imports."""
    modules = {path.resolve(): main}
    rest = list(modules)
    for one in rest:  # which grows
        nodes = ast.walk(modules[one].tree)
        for place in [p for node in nodes for p in _files(node, one, rest[0].parent)]:
            if place in modules:
                continue
            try:
                text, translated = program.source(place.read_bytes(), place)
            except errors.InputError:  # the program fails there with its own message
                continue
            modules[place] = _Module(program.parsed(text, str(place)), translated)
            rest.append(place)
    return modules


def _files(node: ast.AST, place: pathlib.Path, root: pathlib.Path) -> list[pathlib.Path]:
    """Returns the files below `root` that a statement in the file `place` may import."""
    if isinstance(node, ast.Import):
        names = [name.name for name in node.names]
    elif isinstance(node, ast.ImportFrom):
        names = [f'{node.module}.{name.name}' if node.module else name.name for name in node.names]
    else:
        return []
    level = min(getattr(node, 'level', 0), len(place.parents))
    folders = [place.parents[level - 1]] if level else [root, place.parent]
    parts = [name.split('.') for name in names]
    bases = [f.joinpath(*p[:n]) for f in folders for p in parts for n in range(1, len(p) + 1)]
    places = [p for base in bases for p in (base.with_suffix('.py'), base / '__init__.py')]
    return [place for place in places if place.is_file()]


def _methods(modules: dict[pathlib.Path, _Module]) -> set[str]:
    """Returns the names of the methods of a program's classes."""
    nodes = [node for module in modules.values() for node in ast.walk(module.tree)]
    classes = [node for node in nodes if isinstance(node, ast.ClassDef)]
    return {node.name for one in classes for node in one.body if isinstance(node, ast.FunctionDef)}


def _aliases(
    place: pathlib.Path,
    modules: dict[pathlib.Path, _Module],
    found: dict[pathlib.Path, dict[str, str]],
) -> dict[str, str]:
    """Returns what a file imports, local name -> dotted name, also from other files of a program.

    Args:
      place: the file.
      modules: the files of the program.
      found: the results for files so far; this one is added.
    """
    if place in found:
        return found[place]
    aliases = found[place] = {}
    for node in ast.walk(modules[place].tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                first = name.name if name.asname else name.name.partition('.')[0]
                aliases[name.asname or first] = first
        elif isinstance(node, ast.ImportFrom):
            inner: dict[str, str] = {}
            for other in _files(node, place, next(iter(modules)).parent):
                if other in modules:
                    inner |= _aliases(other, modules, found)
            for name in node.names:
                if name.name == '*':
                    aliases |= inner
                elif name.name in inner:
                    aliases[name.asname or name.name] = inner[name.name]
                elif node.module and not node.level:
                    aliases[name.asname or name.name] = f'{node.module}.{name.name}'
    return aliases


def _findings(tree: ast.Module, aliases: dict[str, str], own: set[str]) -> Iterator[Finding]:
    """Yields the findings of a file, given what it imports and the methods of the program."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield from _import(node, name.name)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for name in node.names:
                yield from _import(node, f'{node.module}.{name.name}'.removesuffix('.*'))
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # of the program, when it runs
        builtins = program.undefined(compile(tree, '<program>', 'exec', dont_inherit=True))
    calls = {id(node.func): node for node in ast.walk(tree) if isinstance(node, ast.Call)}
    inner = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Attribute)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and id(node) not in inner:
            spelled = ast.unparse(node)
            first, _, rest = spelled.partition('.')
            if first in aliases and re.fullmatch(r'[\w.]+', spelled):
                yield from _name(node, spelled, f'{aliases[first]}.{rest}', calls.get(id(node)))
        elif isinstance(node, ast.ClassDef) and program.is_old_iterator(node):
            remark = 'an iterator of Python 2: add `__next__ = next`; `tfae run` supplies it'
            yield _finding(node, node.name, Kind.IMPOSSIBLE, remark)
        elif isinstance(node, ast.Name) and node.id in builtins:
            yield _finding(node, node.id, Kind.REMOVED, 'a built-in name of Python 2')
        if isinstance(node, ast.Call):
            yield from _call(node, aliases, own)


def _finding(node: Any, name: str, kind: Kind, remark: str, new: str = '') -> Finding:
    end = (node.end_lineno, node.end_col_offset)
    return Finding(node.lineno, node.col_offset, name, kind, remark, new, end)


def _import(node: ast.AST, dotted: str) -> Iterator[Finding]:
    if dotted.partition('.')[0] == 'tensorflow':
        yield from _tensorflow(node, dotted, dotted)
        return
    modules = {dotted, dotted.rpartition('.')[0]} & removed.MODULES.keys()
    if any(map(removed.is_lost, modules)):
        new = removed.MODULES[max(modules, key=len)]
        yield _finding(node, dotted, Kind.REMOVED, f'a removed module; replaced by {new}')
    else:
        yield from _name(node, dotted, dotted)


def _name(
    node: ast.AST, spelled: str, dotted: str, call: ast.Call | None = None
) -> Iterator[Finding]:
    """Yields the finding of a name that is read, and called by `call`, if there is one."""
    if dotted.startswith('tensorflow.'):
        yield from _tensorflow(node, spelled, dotted, call)
        return
    module, _, name = dotted.rpartition('.')
    place = removed.NAMES.get(module, {}).get(name)
    if place and removed.lacks(module, name):
        new = place.removeprefix('builtins:').replace(':', '.')
        remark = f'removed from {module}; replaced by {new}'
        yield _finding(node, spelled, Kind.REMOVED, remark)


def _tensorflow(
    node: ast.AST, spelled: str, dotted: str, call: ast.Call | None = None
) -> Iterator[Finding]:
    old = dotted.removeprefix('tensorflow').removeprefix('.compat.v1').removeprefix('.')
    new = removed.RENAMED.get(old)
    problem, supplied = _looked_up(old)
    if new and problem and spelled.endswith(old):
        text = spelled.removesuffix(old) + new
        if call is None or _has_same_arguments(call, old, new):
            yield _finding(node, spelled, Kind.CHANGED, f'before 1.0; it becomes {text}', text)
        else:
            remark = f'before 1.0; the arguments of {text} have other names'
            yield _finding(node, spelled, Kind.REMOVED, remark)
    elif problem and _is_supplied_private(dotted):
        yield _finding(node, spelled, Kind.REMOVED, 'private and removed; tfae.compat supplies it')
    elif problem:
        yield _finding(node, spelled, Kind.IMPOSSIBLE, problem)
    elif supplied:
        yield _finding(node, spelled, Kind.SUPPLIED, 'supplied by tfae.compat')


def _is_supplied_private(dotted: str) -> bool:
    """Returns whether `install(removed=True)` supplies a private name or the module it is in."""
    parts = dotted.split('.')
    return any(parts[n] in removed.NAMES.get('.'.join(parts[:n]), {}) for n in range(1, len(parts)))


def _has_same_arguments(call: ast.Call, old: str, new: str) -> bool:
    """Returns whether the arguments of a name before 1.0 are those of its successor."""
    if old not in removed.PARAMETERS:
        return True
    parameters = removed.PARAMETERS[old]
    after = list(inspect.signature(operator.attrgetter(new)(tf)).parameters)
    places = len(call.args)
    return list(parameters.values())[:places] == after[:places] and all(
        keyword.arg and parameters.get(keyword.arg, keyword.arg) == keyword.arg
        for keyword in call.keywords
    )


def _looked_up(old: str) -> tuple[str, bool]:
    """Looks up a name below `tensorflow` after `install`.

    Returns: why it is missing, or '', and whether it is supplied by `tfae.compat`.
    """
    found: Any = tf
    supplied = False
    parts = old.split('.') if old else []
    for k, part in enumerate(parts, 1):
        if not isinstance(found, types.ModuleType):
            break  # an attribute of an object
        try:
            found = getattr(found, part)
        except (AttributeError, ImportError) as error:
            try:
                found = importlib.import_module('.'.join(['tensorflow', *parts[:k]]))
            except ImportError:
                if parts[0] in ('python', 'core'):
                    return 'private API that TensorFlow has removed', False
                text = str(error)
                return text if 'tfae.compat' in text else 'TF1 has no such name', False
        supplied = supplied or isinstance(found, importer.OldModule)
    return '', supplied


def _call(node: ast.Call, aliases: dict[str, str], own: set[str]) -> Iterator[Finding]:
    """Yields the findings of a call that depend on its arguments, or on methods of the program."""
    function = node.func
    if not isinstance(function, ast.Attribute | ast.Name):
        return
    spelled = ast.unparse(function)
    first, _, rest = spelled.partition('.')
    dotted = f'{aliases[first]}.{rest}'.rstrip('.') if first in aliases else ''
    given = {keyword.arg for keyword in node.keywords}
    for name in sorted(removed.former_arguments(dotted) & given):
        yield _finding(
            node, f'{spelled}({name}=)', Kind.REMOVED, 'an argument of another name today'
        )
    if dotted == 'numpy.fromstring' and len(node.args) < 4 and 'sep' not in given:
        yield _finding(node, spelled, Kind.REMOVED, 'of bytes; np.frombuffer replaces it')
    if dotted.startswith('tensorflow.'):
        old = dotted.removeprefix('tensorflow.').removeprefix('compat.v1.')
        first_argument = node.args[0] if node.args else None
        number = isinstance(first_argument, ast.Constant) and isinstance(first_argument.value, int)
        if old in ('concat', 'split') and (number or removed.AXES.keys() & given):
            remark = f'the arguments before 1.0: the axis of tf.{old} comes first'
            yield _finding(node, spelled, Kind.REMOVED, remark)
        elif _BY_KEYWORD.fullmatch(old) and node.args:
            remark = 'before 1.0: logits and labels by position'
            yield _finding(node, spelled, Kind.REMOVED, remark)
    elif isinstance(function, ast.Attribute) and function.attr in _METHODS and not dotted:
        name, new = f'.{function.attr}()', _METHODS[function.attr]
        if function.attr in own and not new:
            return
        line, end = function.end_lineno, function.end_col_offset or 0
        at = types.SimpleNamespace(
            lineno=line, col_offset=end - len(function.attr), end_lineno=line, end_col_offset=end
        )
        if function.attr in own:
            remark = f'a removed method; the program has its own {name}: change the others'
            yield _finding(at, name, Kind.IMPOSSIBLE, remark)
        elif new:
            yield _finding(at, name, Kind.CHANGED, f'a removed method; it becomes .{new}()', new)
        else:
            remark = 'a removed method; `tfae run` supplies it'
            yield _finding(at, name, Kind.IMPOSSIBLE, remark)


def _line(trees: list[ast.Module], kinds: set[Kind]) -> str:
    """Returns the line that supplies names of these kinds to files; '' if none is needed."""
    names = [name for tree in trees for node in ast.walk(tree) for name in _imported(node)]
    packages = [name.partition('.')[0] for name in names]
    if 'tfae' in packages:
        return ''
    ours = [name for name, package in zip(names, packages, strict=True) if package == 'tensorflow']
    moved = all(name.split('.')[1:2] in (['compat'], ['python']) for name in ours)
    if moved and not kinds & {Kind.SUPPLIED, Kind.REMOVED}:
        return ''
    options = [] if moved else ['as_tensorflow=True']
    options += ['removed=True'] if Kind.REMOVED in kinds else []
    return f'import tfae.compat; tfae.compat.install({", ".join(options)})'


def _imported(node: ast.AST) -> list[str]:
    """Returns the dotted names that a statement imports."""
    if isinstance(node, ast.Import):
        return [name.name for name in node.names]
    if isinstance(node, ast.ImportFrom) and node.module and not node.level:
        return [f'{node.module}.{name.name}' for name in node.names]
    return []


def _checked(finding: Finding, lines: list[str]) -> Finding:
    """Returns a finding that changes nothing if the source spells the name in another way."""
    spelled = lines[finding.line - 1].encode()[finding.column : finding.end[1]]
    name = finding.name.strip('.()').encode()
    if not finding.replacement or (finding.end[0] == finding.line and spelled == name):
        return finding
    if finding.name.startswith('.'):
        kind, remark = Kind.IMPOSSIBLE, f'a removed method; write .{finding.replacement}()'
    else:
        kind, remark = Kind.REMOVED, f'before 1.0; replaced by {finding.replacement}'
    return finding._replace(kind=kind, remark=remark, replacement='')


def _changed(lines: list[str], findings: list[Finding]) -> str:
    """Returns the source with the replacements of names."""
    for finding in reversed([one for one in findings if one.replacement]):
        line = lines[finding.line - 1].encode()
        new = line[: finding.column] + finding.replacement.encode() + line[finding.end[1] :]
        lines[finding.line - 1] = new.decode()
    return '\n'.join(lines)


def _with_line(text: str, line: str) -> str:
    """Returns the source with a line before its first import, but after `__future__`."""
    if not line:
        return text
    body = ast.parse(text).body
    future = [n for n in body if isinstance(n, ast.ImportFrom) and n.module == '__future__']
    documented = [body[0]] if ast.get_docstring(ast.parse(text), clean=False) else []
    heads = [*documented, *future]
    lines = text.split('\n')
    if heads:
        at = heads[-1].end_lineno or 0
        last = lines[at - 1].encode()
        rest = last[heads[-1].end_col_offset :].lstrip(b'; \t')
        if rest and not rest.startswith(b'#'):  # other statements, which come after the line
            lines[at - 1 : at] = [last[: heads[-1].end_col_offset].decode(), rest.decode()]
    else:
        at = next((i for i, one in enumerate(lines) if not one.startswith('#')), 0)
        if _EMPTY.fullmatch(lines[0]) and _ENCODING.match(''.join(lines[1:2])):
            at = max(at, 2)
    return '\n'.join([*lines[:at], line, *lines[at:]])
