"""Architecture rules of the source tree, without exceptions."""

import ast
import importlib
import pathlib
import re

import pytest

from tfae import models
from tfae.core import config, names
from tfae.training.config import TrainingConfig

ROOT = pathlib.Path(__file__).parents[2]
TREES = {path: ast.parse(path.read_text()) for path in sorted((ROOT / 'tfae').rglob('*.py'))}

# A file imports only from its own folder and from lower layers.
FLOORS = """
    commands __init__
    export report explorer sklearn testing
    runs
    training pretrained
    models compat
    layers losses distributed analysis
    ops data plots
    core
"""
FLOOR = {
    folder: floor
    for floor, line in enumerate(reversed(FLOORS.strip().splitlines()), 1)
    for folder in line.split()
}
# The program dispatches to the commands; nothing imports it.
FLOOR['__main__'] = FLOOR['commands'] + 1

# Calls whose string arguments are names of scopes, variables or collections.
NAMING = {
    'variable_scope',
    'name_scope',
    'make_template',
    'get_variable',
    'add_weight',
    'weight',
    'get_collection',
    'get_collection_ref',
    'add_to_collection',
    'add_to_collections',
    'trainable',
}

# Calls that import a module by its name.
IMPORTING = {'import_module', '__import__', 'LazyLoader'}

# Calls that compare or match strings.
ASKING = {'startswith', 'endswith', 'match', 'fullmatch', 'search'}


def module_of(path):
    parts = path.relative_to(ROOT).with_suffix('').parts
    return '.'.join(parts).removesuffix('.__init__')


MODULES = {module_of(path) for path in TREES}


def folder(module):
    """Returns the entry of `FLOORS` that a module belongs to."""
    return (module.split('.') + ['__init__'])[1]


def place(path, node=None):
    return f'{path.relative_to(ROOT)}:{getattr(node, "lineno", 1)}'


def nodes(*kinds):
    """Yields `(path, node)` for each node of these kinds in the package."""
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, kinds):
                yield path, node


def imports():
    """Yields `(path, node, dotted name)` for each imported name, also in functions."""
    for path, node in nodes(ast.Import, ast.ImportFrom):
        prefix = f'{node.module}.' if isinstance(node, ast.ImportFrom) else ''
        for name in node.names:
            yield path, node, prefix + name.name


def own_imports():
    """Yields `(path, node, module)` for each import of tfae, in functions and by name too."""
    for path, node, name in imports():
        if name.split('.')[0] == 'tfae':
            yield path, node, name if name in MODULES else name.rpartition('.')[0] or name
    for path, node in nodes(ast.Call):
        if called(node) in IMPORTING:
            for text in words(node):
                if text in MODULES:
                    yield path, node, text


def attributes():
    """Yields `(path, node, dotted expression)`, such as `tf.train.Saver`."""
    for path, node in nodes(ast.Attribute):
        yield path, node, ast.unparse(node)


def called(node):
    """Returns the last name of the called expression."""
    function = node.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, 'id', '')


def words(node):
    """Yields string literals with a letter inside an expression, those of f-strings included."""
    texts = [n.value for n in ast.walk(node) if isinstance(n, ast.Constant)]
    return [text for text in texts if isinstance(text, str) and re.search('[A-Za-z]', text)]


def functions(tree):
    return [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]


def literals():
    """Yields `(path, node, text)` for each string literal that is not a docstring."""
    for path, tree in TREES.items():
        owners = [
            tree,
            *functions(tree),
            *(n for n in ast.walk(tree) if isinstance(n, ast.ClassDef)),
        ]
        docstrings = {id(n.body[0].value) for n in owners if ast.get_docstring(n, clean=False)}
        for node in ast.walk(tree):
            text = getattr(node, 'value', None) if isinstance(node, ast.Constant) else None
            if isinstance(text, str) and id(node) not in docstrings:
                yield path, node, text


def test_every_folder_stands_on_a_floor():
    assert {folder(module) for module in MODULES} == FLOOR.keys()


def test_imports_point_down_the_floors():
    upward = [
        f'{place(path, node)} imports {module}'
        for path, node, module in own_imports()
        if folder(module) != folder(module_of(path))
        and FLOOR[folder(module)] >= FLOOR[folder(module_of(path))]
    ]
    assert not upward


def test_a_module_is_imported_by_a_name_that_these_rules_see():
    """A name built at run time begins with the `__name__` of a package."""
    hidden = [
        place(path, node)
        for path, node in nodes(ast.Call)
        if called(node) in IMPORTING
        for text in ast.walk(node)
        if isinstance(text, ast.JoinedStr) and '__name__' not in ast.unparse(text.values[0])
    ]
    assert not hidden


def test_imports_are_absolute():
    assert not [place(path, node) for path, node in nodes(ast.ImportFrom) if node.level]


def test_no_import_goes_round():
    wanted = {module_of(path): set() for path in TREES}
    for path, _, module in own_imports():
        wanted[module_of(path)] |= {module} - {module_of(path)}
    while leaves := [name for name, of in wanted.items() if not of & wanted.keys()]:
        for name in leaves:
            del wanted[name]
    assert not wanted


@pytest.mark.parametrize('folder', ['models', 'commands', 'analysis'])
def test_no_family_command_or_question_imports_another(folder):
    across = [
        f'{place(path, node)} imports {module}'
        for path, node, module in own_imports()
        if re.fullmatch(rf'tfae\.{folder}\.[^_.]+', module)
        and path.parent == ROOT / 'tfae' / folder
        and path.stem != '__init__'
    ]
    assert not across


def test_flags_are_read_in_commands_alone():
    elsewhere = [
        place(path, node)
        for path, node, name in imports()
        if re.match(r'absl\b', name) and path.relative_to(ROOT).parts[1] != 'commands'
    ]
    assert not elsewhere


def test_sessions_open_in_runs_and_pretrained_alone():
    """And in TF1's estimator."""
    named = [*imports(), *attributes()]
    elsewhere = [
        place(path, node)
        for path, node, name in named
        if name.endswith('Session')
        and path.relative_to(ROOT).parts[1] not in {'runs', 'pretrained'}
        and path.parent.name != 'estimator'
    ]
    assert not elsewhere


def test_only_the_public_api_of_tensorflow_is_used():
    private = re.compile(r'(tensorflow|tf2?)\.(compat\.v1\.)?(python|core|contrib|_[a-z]\w*)\b')
    assert not [place(p, node) for p, node, name in imports() if private.match(name)]
    assert not [place(p, node) for p, node, name in attributes() if private.match(name)]
    assert not [place(p, node) for p, node, text in literals() if 'tensorflow.python' in text]


def test_scopes_variables_and_collections_are_named_in_names_alone():
    spelt = []
    for path, node in nodes(ast.Call):
        if called(node) in NAMING:
            given = [*node.args, *(k.value for k in node.keywords if k.arg != 'values')]
            found = [word for argument in given for word in words(argument)]
            spelt += [f'{place(path, node)} spells {found}'] if found else []
    assert not spelt


def test_no_path_of_scopes_is_spelt_outside_names():
    """A literal `'encoder/layer_1'` would define the names a second time."""
    known = {value for key, value in vars(names).items() if key.isupper()}
    for path, node, text in literals():
        if path.name == 'names.py' or ' ' in text:  # a help text may speak of a path
            continue
        parts = set(text.split('/')) if '/' in text.strip('/') else set()
        assert not parts & known, f'{place(path, node)} spells {text!r}'
        assert not re.search(r'\blayer_\d*$', text), f'{place(path, node)} spells {text!r}'


def test_variables_are_not_chosen_by_literal_names():
    """No `v.op.name == 'kernel'`, no `v.op.name.startswith('encoder')`, no match of a pattern."""
    for path, node in nodes(ast.Compare, ast.Call):
        asked = isinstance(node, ast.Compare) or called(node) in ASKING
        if asked and '.op.name' in ast.unparse(node):
            assert not words(node), place(path, node)


def undocumented(node):
    """Yields public functions, classes and methods below `node` without a docstring."""
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    for child in (n for n in node.body if isinstance(n, kinds) and not n.name.startswith('_')):
        if not ast.get_docstring(child):
            yield child
        if isinstance(child, ast.ClassDef):
            yield from undocumented(child)


def test_every_public_name_is_documented():
    assert all(ast.get_docstring(tree) for tree in TREES.values())
    assert not [place(path, node) for path, tree in TREES.items() for node in undocumented(tree)]


def configurations():
    """Returns all dataclasses whose fields become flags, as pytest parameters."""
    found = [
        'training.phases',
        'runs.options',
        'distributed.cluster',
        'data',
    ]
    commands = sorted(path.stem for path in (ROOT / 'tfae' / 'commands').glob('[!_]*.py'))
    kinds = {
        name: getattr(importlib.import_module(f'tfae.{name}'), 'Config', None)
        for name in [*found, *(f'commands.{command}' for command in commands)]
    }
    kinds['training.config'] = TrainingConfig
    kinds |= {f'models, {name}': family.Config for name, family in models.FAMILIES.items()}
    return [pytest.param(kind, id=name) for name, kind in kinds.items() if kind]


@pytest.mark.parametrize('kind', configurations())
def test_every_field_of_a_configuration_has_a_help_text(kind):
    assert kind.__dataclass_params__.frozen
    for name, option in config.declarations(kind).items():
        assert option.help.endswith('.'), name


@pytest.mark.parametrize('kind', configurations())
def test_every_number_has_bounds_and_what_a_flag_needs_is_there(kind):
    declared, kinds = config.declarations(kind), config.field_types(kind)
    assert issubclass(kind, config.Part)
    for name, option in declared.items():
        numeric = kinds[name] in (int, float, tuple[int, ...], tuple[float, ...])
        assert numeric == bool(option.within), name
        for other, _, values in (flag[2:].partition('=') for flag in option.needs):
            if (other, kind.__module__) == ('logdir', 'tfae.commands.compare'):
                continue  # which takes runs behind its flags
            assert other in declared, (name, other)
            known = config.choices(kinds[other])
            assert not known or set(filter(None, values.split(','))) <= set(known), name
        assert {flag[2:] for flag in option.excludes} <= declared.keys(), name


def test_names_are_unlike_each_other():
    constants = {key: value for key, value in vars(names).items() if key.isupper()}
    assert len(set(constants.values())) == len(constants)
    assert [names.layer(i) for i in (1, 2, 12)] == ['layer_1', 'layer_2', 'layer_12']
