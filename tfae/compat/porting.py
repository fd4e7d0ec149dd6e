"""Finds what a TF1 program uses that newer versions removed, and moves the program.

A finding is a name in a line, with what stands in for it: a name that `tfae.compat` supplies, a
change of the source, or nothing.
"""

import ast
import enum
import importlib
import pathlib
import re
import types
from collections.abc import Iterator
from typing import Any, NamedTuple

import tensorflow.compat.v1 as tf

from tfae.compat import importer, program, removed

# Removed method -> its successor of the same arguments.
_METHODS = {
    'iteritems': 'items',
    'iterkeys': 'keys',
    'itervalues': 'values',
    'tostring': 'tobytes',
}
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


class Port(NamedTuple):
    """The findings of a program, and what it becomes."""

    findings: list[Finding]
    text: str  # '' for a notebook that needs changes other than the line
    line: str  # which is added; '' if there is nothing to supply


def port(path: pathlib.Path) -> Port:
    """Returns what becomes of a script or a notebook.

    Raises: InputError as `program.source` does.
    """
    content = path.read_bytes()
    text = program.source(content, path)
    tree = ast.parse(text)
    findings = sorted(set(_findings(tree)))
    notebook = path.suffix == '.ipynb'
    if not notebook and _translated(content):
        remark = 'Python 2; it becomes Python 3'
        findings.insert(0, Finding(1, 0, 'syntax', Kind.CHANGED, remark))
    line = _line(tree, findings)
    if not notebook:
        return Port(findings, _with_line(_changed(text, findings), line), line)
    changes = any(finding.kind is Kind.CHANGED for finding in findings)
    return Port(findings, '' if changes else program.with_cell(content, line), line)


def _translated(content: bytes) -> bool:
    try:
        ast.parse(content)
    except (SyntaxError, ValueError):
        return True
    return False


def _findings(tree: ast.Module) -> Iterator[Finding]:
    aliases: dict[str, str] = {}  # local name -> dotted name
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                first = name.name if name.asname else name.name.partition('.')[0]
                aliases[name.asname or first] = first
                yield from _import(node, name.name)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for name in node.names:
                aliases[name.asname or name.name] = f'{node.module}.{name.name}'
                if name.name != '*':
                    yield from _import(node, f'{node.module}.{name.name}')
    builtins = program.undefined(tree)
    inner = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Attribute)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and id(node) not in inner:
            spelled = ast.unparse(node)
            first, _, rest = spelled.partition('.')
            if first in aliases and re.fullmatch(r'[\w.]+', spelled):
                yield from _name(node, spelled, f'{aliases[first]}.{rest}')
        elif isinstance(node, ast.Name) and node.id in builtins:
            yield _finding(node, node.id, Kind.REMOVED, 'a built-in name of Python 2')
        if isinstance(node, ast.Call):
            yield from _call(node, aliases)


def _finding(node: Any, name: str, kind: Kind, remark: str, new: str = '') -> Finding:
    return Finding(node.lineno, node.col_offset, name, kind, remark, new)


def _import(node: ast.AST, dotted: str) -> Iterator[Finding]:
    if dotted.partition('.')[0] == 'tensorflow':
        yield from _tensorflow(node, dotted, dotted)
        return
    modules = {dotted, dotted.rpartition('.')[0]} & removed.MODULES.keys()
    if any(map(removed.is_lost, modules)):
        new = removed.MODULES[min(modules)]
        yield _finding(node, dotted, Kind.REMOVED, f'a removed module; {new} stands in for it')
    else:
        yield from _name(node, dotted, dotted)


def _name(node: ast.AST, spelled: str, dotted: str) -> Iterator[Finding]:
    """Yields the finding of a name that is read, if there is one."""
    if dotted.startswith('tensorflow.'):
        yield from _tensorflow(node, spelled, dotted)
        return
    module, _, name = dotted.rpartition('.')
    place = removed.NAMES.get(module, {}).get(name)
    if place and removed.lacks(module, name):
        new = place.removeprefix('builtins:').replace(':', '.')
        remark = f'removed from {module}; {new} stands in for it'
        yield _finding(node, spelled, Kind.REMOVED, remark)


def _tensorflow(node: ast.AST, spelled: str, dotted: str) -> Iterator[Finding]:
    old = dotted.removeprefix('tensorflow').removeprefix('.compat.v1').removeprefix('.')
    new = removed.RENAMED.get(old)
    problem, supplied = _looked_up(old)
    if new and problem and spelled.endswith(old):
        text = spelled.removesuffix(old) + new
        yield _finding(node, spelled, Kind.CHANGED, f'before 1.0; it becomes {text}', text)
    elif problem:
        yield _finding(node, spelled, Kind.IMPOSSIBLE, problem)
    elif supplied:
        yield _finding(node, spelled, Kind.SUPPLIED, 'supplied by tfae.compat')


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
                    return 'private API of TensorFlow, which no longer has it', False
                text = str(error)
                return text if 'tfae.compat' in text else 'TF1 has no such name', False
        supplied = supplied or isinstance(found, importer.OldModule)
    return '', supplied


def _call(node: ast.Call, aliases: dict[str, str]) -> Iterator[Finding]:
    """Yields the findings that depend on the arguments of a call."""
    function = node.func
    if not isinstance(function, ast.Attribute):
        return
    spelled = ast.unparse(function)
    first, _, rest = spelled.partition('.')
    dotted = f'{aliases[first]}.{rest}' if first in aliases else ''
    if dotted.startswith('tensorflow.'):
        old = dotted.removeprefix('tensorflow.').removeprefix('compat.v1.')
        first_argument = node.args[0] if node.args else None
        number = isinstance(first_argument, ast.Constant) and isinstance(first_argument.value, int)
        if old in ('concat', 'split') and number:
            remark = f'the order of arguments before 1.0: the axis of tf.{old} comes first'
            yield _finding(node, spelled, Kind.REMOVED, remark)
        elif _BY_KEYWORD.fullmatch(old) and node.args:
            remark = 'before 1.0: logits and labels by position'
            yield _finding(node, spelled, Kind.REMOVED, remark)
    elif function.attr in removed.METHODS and not dotted:
        new = _METHODS.get(function.attr)
        if function.attr == 'next' and node.args or function.attr == 'ptp':
            return
        end = function.end_col_offset or 0
        at = types.SimpleNamespace(lineno=function.end_lineno, col_offset=end - len(function.attr))
        if new:
            remark = f'a removed method; it becomes .{new}()'
            yield _finding(at, f'.{function.attr}()', Kind.CHANGED, remark, new)
        elif function.attr in ('has_key', 'itemset'):
            remark = 'a removed method; `tfae run` supplies it'
            yield _finding(at, f'.{function.attr}()', Kind.IMPOSSIBLE, remark)


def _line(tree: ast.Module, findings: list[Finding]) -> str:
    """Returns the line that supplies the names; '' if none is needed."""
    names = [name for node in ast.walk(tree) for name in _imported(node)]
    packages = {name.partition('.')[0] for name in names}
    if 'tfae' in packages or 'tensorflow' not in packages:
        return ''
    kinds = {finding.kind for finding in findings}
    ours = [name for name in names if name.startswith('tensorflow')]
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


def _changed(text: str, findings: list[Finding]) -> str:
    """Returns the source with the replacements of names."""
    lines = text.splitlines(keepends=True)
    for finding in reversed([one for one in findings if one.replacement]):
        line = lines[finding.line - 1].encode()
        length = len(finding.name.strip('.()').encode())
        end = finding.column + length
        new = line[: finding.column] + finding.replacement.encode() + line[end:]
        lines[finding.line - 1] = new.decode()
    return ''.join(lines)


def _with_line(text: str, line: str) -> str:
    """Returns the source with a line before its first import, but after `__future__`."""
    if not line:
        return text
    body = ast.parse(text).body
    future = [n for n in body if isinstance(n, ast.ImportFrom) and n.module == '__future__']
    documented = [body[0]] if ast.get_docstring(ast.parse(text), clean=False) else []
    heads = [*documented, *future]
    lines = text.splitlines(keepends=True)
    if heads:
        at = heads[-1].end_lineno
    else:
        at = next((i for i, one in enumerate(lines) if not one.startswith('#')), 0)
    return ''.join([*lines[:at], f'{line}\n', *lines[at:]])
