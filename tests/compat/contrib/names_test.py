"""Every name that tfae itself adds to `tf.contrib` is used by a test of this folder that checks."""

import ast
import importlib
import pathlib

import pytest

from tfae.compat import importer

OURS = sorted(
    {
        module
        for modules in importer.SERVED.values()
        for module in modules.split()
        if module.startswith('tfae.compat.contrib.')
    }
)


def names(node):
    """Returns the names and attributes in code."""
    parts = list(ast.walk(node))
    return {part.attr for part in parts if isinstance(part, ast.Attribute)} | {
        part.id for part in parts if isinstance(part, ast.Name)
    }


def checked():
    """Returns the names in tests that check something, and in what these use of their file."""
    found = set()
    for path in pathlib.Path(__file__).parent.glob('*_test.py'):
        body = ast.parse(path.read_text()).body
        defined = {node.name: node for node in body if isinstance(node, ast.FunctionDef)}
        for node in body:
            for target in node.targets if isinstance(node, ast.Assign) else ():
                defined |= dict.fromkeys(names(target), node)
        for test, node in defined.items():
            checks = any(isinstance(part, ast.Assert) for part in ast.walk(node))
            checks |= any(name.startswith(('assert_', 'raises')) for name in names(node))
            wanted = [test] if test.startswith('test_') and checks else []
            for name in wanted:  # which grows
                if name not in found:
                    found.add(name)
                    wanted += names(defined[name]) if name in defined else ()
    return found


CHECKED = checked()


@pytest.mark.parametrize('module', OURS)
def test_every_name_of_a_subject_is_tested(module):
    assert set(importlib.import_module(module).__all__) <= CHECKED
