"""Runs a TF1 program as `__main__`: a script or a notebook, of Python 2 or 3.

Only the program's own code is changed, while it is compiled: its files stay as they are, and the
line numbers of tracebacks are theirs.
"""

import ast
import dis
import importlib
import importlib.machinery
import importlib.util
import io
import json
import linecache
import logging
import pathlib
import re
import sys
import tokenize
import traceback
import types
import warnings
from typing import Any, NamedTuple, TypeGuard

from tfae.compat import removed
from tfae.core import errors

# Names in the program that stand for functions of `removed`; Python mangles none of them.
_SUPPORT = {
    f'__tfae_{function.__name__}__': function
    for function in (
        removed.call, removed.element, removed.formatted, removed.method, removed.quotient
    )
}  # fmt: skip
# Functions of numbers, as a program spells them.
_OF_NUMBERS = re.compile(r'((np|numpy)\.)?(int|float|complex|long)|math\.\w+')
_PYTHON_2 = 'syntax of Python 2'  # among the names that were supplied
# A line of a cell that is not Python: a magic, a shell command, or a question for help.
_LINE_MAGIC = re.compile(r'\s*[%!]|\s*\w+\s*=\s*[%!]|\s*\?+\s*[\w.]+\s*$|\s*[\w.]+\?+\s*$')
# Magics of a cell whose other lines are Python.
_PYTHON_MAGICS = ('%%time', '%%timeit', '%%capture', '%%prun', '%%python3')

_SHELL = 'get_ipython'
# Methods of it that nbconvert writes for magics and commands.
_MAGICS = ('getoutput', 'magic', 'run_cell_magic', 'run_line_magic', 'set_next_input', 'system')


class Source(NamedTuple):
    """Python 3, and whether it was Python 2."""

    text: str
    translated: bool


def run(path: pathlib.Path, arguments: list[str]) -> Any:
    """Executes a program.

    Args:
      path: the script or notebook.
      arguments: its `sys.argv[1:]`.
    Returns: its exit code, as `sys.exit` takes it.
    Raises: InputError if there is no such file or it is not Python.
    """
    skipped: list[str] = []
    program = source(path.read_bytes(), path, skipped)
    if skipped:
        shown = ', '.join(dict.fromkeys(skipped))
        print(f'tfae: skipped in {path.name}: {shown}', file=sys.stderr)
    if program.translated and not removed.is_installed():
        raise errors.InputError(f'{path}: it is Python 2, which --removed=true translates')
    code, names = compiled(program, str(path))
    main = types.ModuleType('__main__')
    main.__file__ = str(path)
    main.__builtins__ = __builtins__  # type: ignore[attr-defined]
    _give(vars(main), names)
    if path.suffix == '.ipynb':
        vars(main)['display'] = print
        lines = program.text.splitlines(keepends=True)
        linecache.cache[str(path)] = (len(program.text), None, lines, str(path))
    sys.modules['__main__'] = main
    sys.argv = [str(path), *arguments]
    sys.path[0] = str(path.resolve().parent)
    try:
        exec(code, vars(main))
    except SystemExit as end:
        return end.code
    except (KeyboardInterrupt, errors.InputError):
        raise
    except BaseException as error:
        trace = error.__traceback__
        while trace and trace.tb_frame.f_code.co_filename != str(path):
            trace = trace.tb_next
        if sys.excepthook is sys.__excepthook__:  # which shows no lines of a notebook
            traceback.print_exception(error.with_traceback(trace))
        else:
            sys.excepthook(type(error), error.with_traceback(trace), trace)
        return 1
    finally:
        removed.report()
    return 0


def source(content: bytes, path: pathlib.Path, skipped: list[str] | None = None) -> Source:
    """Returns the Python 3 source in the content of a script or a notebook.

    Lines of a notebook that are not Python are added to `skipped`. A module of a Python 2 program
    is Python 2 if it can be.

    Raises: InputError if it is not a notebook, or neither Python 3 nor Python 2.
    """
    if path.suffix == '.ipynb':
        text = _cells(content, path, [] if skipped is None else skipped)
    else:
        try:
            text = importlib.util.decode_source(content)
        except (UnicodeDecodeError, SyntaxError):
            text = content.decode('latin1')
    fault: SyntaxError | None = None
    try:
        _check(text, str(path))
    except SyntaxError as error:
        fault = error
    except (ValueError, RecursionError, MemoryError) as error:
        raise errors.InputError(f'{path}: it is not Python ({error})') from error
    if not fault and not (_PYTHON_2 in removed.used() and removed.is_installed()):
        return Source(text, False)
    try:
        return Source(python3(text, fault or SyntaxError('invalid syntax')), True)
    except SyntaxError as reason:
        if not fault:
            return Source(text, False)
        raise errors.InputError(f'{path}: line {reason.lineno}: {reason.msg}') from reason


def python3(text: str, error: SyntaxError) -> str:
    """Translates a program from Python 2; its quotients stay as they are.

    Raises: SyntaxError if it is not Python 2, or nothing can translate it here.
    """
    if isinstance(error, TabError):
        text = re.sub(r'^[ \t]+', lambda match: match[0].expandtabs(8), text, flags=re.M)
    fixers = []
    for package in ('fissix', 'lib2to3'):  # Python 3.13 has no lib2to3
        try:
            with warnings.catch_warnings():
                warnings.simplefilter('ignore', DeprecationWarning)
                refactor = importlib.import_module('.'.join([package, 'refactor']))
        except ImportError:
            continue
        fixers = refactor.get_fixers_from_package(f'{package}.fixes')
        break
    if not fixers:
        error.msg += '; if it is Python 2, install its translator: pip install fissix'
        raise error
    # `xrange`, moved modules and removed methods are supplied when they are used; imports from
    # `__future__` tell what a quotient is.
    left = ('_import', '_imports', '_imports2', '_next', '_future')
    kept = [name for name in fixers if not name.endswith(left)]
    logging.getLogger('RefactoringTool').setLevel(logging.ERROR)
    tool = refactor.RefactoringTool(kept)
    try:
        text = str(tool.refactor_string(text.rstrip() + '\n', '<program>'))
        _check(text, error.filename or '')
    except SyntaxError:
        raise
    except Exception:  # of the tool's own classes
        raise error from None
    removed.use(_PYTHON_2)
    return text


def _check(text: str, filename: str) -> None:
    """Raises SyntaxError if text is not Python 3."""
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # they are shown when it is compiled to run
        compile(parsed(text, filename), filename, 'exec', dont_inherit=True)


def compiled(
    program: Source, filename: str, package: pathlib.Path | None = None
) -> tuple[types.CodeType, set[str]]:
    """Compiles source; if removed names are supplied, so are removed methods.

    Args:
      program: the source.
      filename: its name in tracebacks.
      package: the folder of the package that it is a module of, if it is.
    Returns: the code, and the built-in names of Python 2 that it needs.
    """
    tree = parsed(program.text, filename)
    if removed.is_installed():
        changes = _Changes(program.translated and not imports_division(tree), package)
        tree = ast.fix_missing_locations(changes.visit(tree))
    code = compile(tree, filename, 'exec', dont_inherit=True)
    return code, undefined(code) if removed.is_installed() else set()


def parsed(text: str, filename: str) -> ast.Module:
    """Parses source; imports from `__future__`, which any cell may have, come first."""
    tree = ast.parse(text, filename)
    start = ast.get_docstring(tree, clean=False) is not None
    tree.body[start:] = sorted(tree.body[start:], key=lambda node: not _is_future(node))
    return tree


def imports_division(tree: ast.Module) -> bool:
    """Returns whether a parsed module imports `division` from `__future__`."""
    futures = filter(_is_future, tree.body)
    return any(name.name == 'division' for node in futures for name in node.names)


def _is_future(node: ast.AST) -> TypeGuard[ast.ImportFrom]:
    return isinstance(node, ast.ImportFrom) and node.module == '__future__'


def undefined(code: types.CodeType) -> set[str]:
    """Returns the built-in names of Python 2 that a module reads as globals and never defines."""
    read: set[str] = set()
    defined: set[str] = set()
    codes = [code]
    for one in codes:  # which grows
        codes += [value for value in one.co_consts if isinstance(value, types.CodeType)]
        for step in dis.get_instructions(one):
            if step.opname in ('LOAD_NAME', 'LOAD_GLOBAL'):
                read.add(step.argval)
            elif step.opname == 'STORE_GLOBAL' or (step.opname == 'STORE_NAME' and one is code):
                defined.add(step.argval)
    if _SHELL in read and not all(map(_is_magic, codes)):
        defined.add(_SHELL)  # it asks whether it runs in a notebook, and it does not
    return (read & removed.BUILTINS.keys()) - defined


def _is_magic(code: types.CodeType) -> bool:
    """Returns whether each `get_ipython()` of a code is a magic as notebooks save it."""
    steps = list(dis.get_instructions(code))
    return all(
        next(
            (of.argval for of in steps[k + 1 : k + 4] if of.opname in ('LOAD_ATTR', 'LOAD_METHOD')),
            '',
        )
        in _MAGICS
        for k, step in enumerate(steps)
        if step.opname.startswith('LOAD') and step.argval == _SHELL
    )


def supply_removed() -> None:
    """Supplies removed names in this process, those of Python 2 in the program's modules alone.

    They are the script that runs as `__main__`, and what it imports later.
    """
    removed.install()
    if not any(finder is _Modules for finder in sys.meta_path):
        # Before those that find files, and behind those that find a module of their own.
        at = sys.meta_path.index(importlib.machinery.PathFinder)
        sys.meta_path.insert(at, _Modules)
    main = sys.modules['__main__']
    path = pathlib.Path(getattr(main, '__file__', None) or '')
    if path.suffix == '.py':
        code = compile(path.read_bytes(), str(path), 'exec', dont_inherit=True)
        _give(vars(main), undefined(code))


def with_cell(content: bytes, line: str) -> str:
    """Returns a notebook with a first cell that holds `line`.

    Raises: InputError as `source` does.
    """
    notebook = json.loads(content)
    sheet = (notebook.get('worksheets') or [notebook])[0]
    cell: dict[str, Any] = {'cell_type': 'code', 'metadata': {}, 'outputs': []}
    if 'worksheets' in notebook:  # before version 4
        cell |= {'input': [line], 'language': 'python', 'collapsed': False}
    else:
        cell |= {'source': [line], 'execution_count': None}
    if any('id' in other for other in sheet['cells']):  # since version 4.5
        cell['id'] = 'tfae-compat'
    sheet['cells'].insert(0, cell)
    return json.dumps(notebook, indent=1, ensure_ascii=False) + '\n'


def _give(names: dict[str, Any], wanted: set[str]) -> None:
    """Gives a module the functions that its compiled code calls."""
    names.update(_SUPPORT)
    for name in sorted(wanted):
        removed.use(name)
        names[name] = removed.BUILTINS[name]


class _Changes(ast.NodeTransformer):
    """Replaces what newer versions refuse, as far as the syntax shows where it may be.

    These are calls of removed methods, arrays of one value where numbers are wanted, classes of
    iterators of Python 2, and imports from the package without a dot.
    With `quotients`, also those of Python 2.
    """

    def __init__(self, quotients: bool, package: pathlib.Path | None):
        self._quotients = quotients
        self._package = package

    def visit_Import(self, node: ast.Import) -> ast.AST | list[ast.AST]:
        """Replaces `import a` by `from . import a` if only the package has it, as in Python 2."""
        inside = [name for name in node.names if self._is_beside(name.name)]
        if not inside:
            return node
        others = [name for name in node.names if name not in inside]
        new: list[ast.AST] = [ast.ImportFrom(None, inside, 1)]
        new += [ast.Import(others)] if others else []
        return [ast.copy_location(one, node) for one in new]

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST:
        """Replaces `from a import b` by `from .a import b` if only the package has `a`."""
        if node.level == 0 and node.module and self._is_beside(node.module.partition('.')[0]):
            node.level = 1
        return node

    def _is_beside(self, name: str) -> bool:
        if self._package is None or '.' in name:
            return False
        place = self._package / name
        there = place.with_suffix('.py').is_file() or (place / '__init__.py').is_file()
        if not there or name in sys.modules or importlib.util.find_spec(name):
            return False
        removed.use('imports of Python 2 inside a package')
        return True

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Replaces `x.tostring()` by `method(x, 'tostring')()`, `int(x)` by `call(int, x)`."""
        self.generic_visit(node)
        function = node.func
        if isinstance(function, ast.Attribute) and function.attr in removed.METHODS:
            node.func = _call('method', function, function.value, ast.Constant(function.attr))
        elif _is_of_numbers(function) and not node.keywords:
            return _call('call', node, function, *node.args)
        return node

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        """Replaces `'%d' % x` by `formatted('%d', x)`; in Python 2, `a / b` by `quotient(a, b)`."""
        self.generic_visit(node)
        text = isinstance(node.left, ast.Constant) and isinstance(node.left.value, str)
        if text and isinstance(node.op, ast.Mod):
            return _call('formatted', node, node.left, node.right)
        if self._quotients and isinstance(node.op, ast.Div):
            return _call('quotient', node, node.left, node.right)
        return node

    def visit_Assign(self, node: ast.Assign) -> ast.AST:
        """Replaces `a[i] = b` by `a[i] = element(b, a, i)`, unless calls would run twice."""
        self.generic_visit(node)
        if len(node.targets) == 1:
            node.value = _stored(node.targets[0], node.value)
        return node

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        """Replaces `a /= b` by `a = quotient(a, b, True)`, unless calls in `a` would run twice."""
        calls = _has_call(node.target)
        self.generic_visit(node)
        node.value = _stored(node.target, node.value)
        if calls or not (self._quotients and isinstance(node.op, ast.Div)):
            return node
        target = ast.parse(ast.unparse(node.target), mode='eval').body  # as an expression
        for part in ast.walk(target):
            ast.copy_location(part, node)
        call = _call('quotient', node, target, node.value, ast.Constant(True))
        return ast.copy_location(ast.Assign([node.target], call), node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        """Adds `__next__ = next` to a class of iterators that has only the latter."""
        self.generic_visit(node)
        if is_old_iterator(node):
            removed.use('iterators of Python 2')
            new = ast.Assign([ast.Name('__next__', ast.Store())], ast.Name('next', ast.Load()))
            node.body.append(ast.copy_location(new, node.body[-1]))
        return node


def is_old_iterator(node: ast.ClassDef) -> bool:
    """Returns whether a class is an iterator in Python 2 alone."""
    methods = {one.name for one in node.body if isinstance(one, ast.FunctionDef)}
    return {'__iter__', 'next'} <= methods and '__next__' not in methods


def _call(function: str, node: ast.AST, *given: ast.expr) -> ast.Call:
    """Returns a call of a function of `removed` in the place of `node`."""
    called = ast.Name(f'__tfae_{function}__', ast.Load())
    return ast.copy_location(ast.Call(called, list(given), []), node)


def _is_of_numbers(node: ast.expr) -> bool:
    owner = node.value if isinstance(node, ast.Attribute) else node
    return isinstance(owner, ast.Name) and bool(_OF_NUMBERS.fullmatch(ast.unparse(node)))


def _has_call(node: ast.AST) -> bool:
    return any(isinstance(part, ast.Call | ast.NamedExpr) for part in ast.walk(node))


def _stored(target: ast.expr, value: ast.expr) -> ast.expr:
    """Returns the expression of a value that is stored in `target`, perhaps an element."""
    if not isinstance(target, ast.Subscript) or isinstance(value, ast.Constant):
        return value
    if _has_call(target) or any(isinstance(part, ast.Slice) for part in ast.walk(target.slice)):
        return value
    return _call('element', value, value, target.value, target.slice)


class _Modules(importlib.machinery.PathFinder):
    """Compiles the modules of the program as the program itself."""

    @classmethod
    def find_spec(cls, fullname, path=None, target=None):
        """Returns the specification of a module outside the installed packages, else None."""
        spec = super().find_spec(fullname, path, target)
        if spec is None or not isinstance(spec.loader, importlib.machinery.SourceFileLoader):
            return None
        if spec.origin.startswith(removed.INSTALLED):
            return None
        spec.loader = _Loader(fullname, spec.origin)
        return spec


class _Loader(importlib.machinery.SourceFileLoader):
    """Compiles and executes a module of the program."""

    def exec_module(self, module):
        """Executes the module."""
        path = pathlib.Path(self.path)
        package = path.parent if module.__package__ else None
        code, names = compiled(source(path.read_bytes(), path), self.path, package)
        _give(vars(module), names)
        exec(code, vars(module))


def _cells(content: bytes, path: pathlib.Path, skipped: list[str]) -> str:
    """Returns the code of a notebook; lines that are not Python are skipped.

    Raises: InputError if it is not a notebook.
    """
    try:
        notebook = json.loads(content)
        sheets = notebook.get('worksheets') or [notebook]
        cells = [cell for sheet in sheets for cell in sheet['cells']]
        codes = [cell.get('source', cell.get('input', '')) for cell in cells if _is_code(cell)]
        texts = [''.join(code) for code in codes]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise errors.InputError(f'{path}: it is not a Jupyter notebook ({error})') from error
    return '\n'.join(_python(text, path, skipped) for text in texts) + '\n'


def _is_code(cell: dict[str, Any]) -> bool:
    return cell['cell_type'] == 'code'


def _python(text: str, path: pathlib.Path, skipped: list[str]) -> str:
    """Returns a cell without its magics, whose lines become empty; adds them to `skipped`.

    As in IPython, the indentation of the first line is removed from all.
    """
    indentation = re.match(r'[ \t]*', text)
    if indentation and indentation[0]:
        text = re.sub(f'^{indentation[0]}', '', text, flags=re.M)
    try:
        ast.parse(text, str(path))
    except (SyntaxError, ValueError):  # the latter for characters that no source has
        pass
    else:
        return text
    lines = text.splitlines()
    first = next((line.split()[0] for line in lines if line.strip()), '')
    if first.startswith('%%') and first not in _PYTHON_MAGICS:
        skipped.append(first)
        return '\n' * (len(lines) - 1)
    for i, line in enumerate(lines):
        if not _LINE_MAGIC.match(line) or _is_continued(lines[:i]):
            continue
        space = line[: len(line) - len(line.lstrip())]
        timed = line.lstrip().removeprefix('%time ')
        if timed == line.lstrip():
            skipped.append(line.strip())
            timed = 'pass'
        lines[i] = space + timed.lstrip()
    return '\n'.join(lines)


def _is_continued(lines: list[str]) -> bool:
    """Returns whether the last statement of lines, of any version of Python, goes on."""
    if lines and lines[-1].endswith('\\'):
        return True
    try:
        for _ in tokenize.generate_tokens(io.StringIO('\n'.join(lines)).readline):
            pass
    except tokenize.TokenError as error:
        return re.search('multi-line|triple-quoted', str(error)) is not None
    except SyntaxError:  # of the indentation
        pass
    return False
