"""Modules and functions from outside, and each way in which they are not there."""

import math
import sys

import pytest

from tfae.core import errors, plugins


@pytest.fixture(autouse=True)
def _own_search_path(monkeypatch, tmp_path):
    """The working directory is not on the search path, as under the program `tfae`."""
    monkeypatch.setattr(sys, 'path', [path for path in sys.path if path])
    monkeypatch.chdir(tmp_path)
    known = set(sys.modules)
    yield
    for name in set(sys.modules) - known:
        del sys.modules[name]


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_an_installed_function_is_found():
    assert plugins.function('--f', 'math:sqrt') is math.sqrt


def test_a_module_in_the_working_directory_is_found(tmp_path):
    write(tmp_path / 'own_package/__init__.py', '')
    write(tmp_path / 'own_package/inner.py', 'VALUE = 3\ndef twice(x):\n    return 2 * x\n')
    assert plugins.module('--m', 'own_package.inner').VALUE == 3
    assert plugins.function('--f', 'own_package.inner:twice')(4) == 8


def test_an_installed_module_comes_before_one_in_the_working_directory(tmp_path):
    write(tmp_path / 'wave.py', 'OWN = True\n')
    sys.modules.pop('wave', None)
    assert not hasattr(plugins.module('--m', 'wave'), 'OWN')


def test_a_working_directory_that_was_removed_hides_no_installed_module(tmp_path):
    (tmp_path / 'gone').mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path / 'gone')
        (tmp_path / 'gone').rmdir()
        assert plugins.module('--m', 'math') is math


@pytest.mark.parametrize('spelling', ['', 'a b', '3d', 'a..b', '.a', 'a.', '../a', 'a:b'])
def test_a_spelling_that_names_no_module_is_refused(spelling):
    with pytest.raises(errors.UsageError) as caught:
        plugins.module('--model', spelling)
    assert str(caught.value) == f'--model is {spelling!r}; it must be package.module'


@pytest.mark.parametrize('spelling', ['', 'math', 'math:', ':sqrt', 'math:sqrt:2', 'math:a.b'])
def test_a_spelling_that_names_no_function_is_refused(spelling):
    assert not plugins.names_function(spelling)
    with pytest.raises(errors.UsageError) as caught:
        plugins.function('--f', spelling)
    assert str(caught.value) == f'--f is {spelling!r}; it must be package.module:function'


@pytest.mark.parametrize(
    'spelling, want',
    [
        ('no_such_module', 'there is no module no_such_module; it must be installed or be in '),
        ('no_such_package.inner', 'there is no module no_such_package; it must be '),
        ('math.inner', 'there is no module math.inner; it must be '),
        ('raising', 'importing it raised ZeroDivisionError: division by zero'),
        ('leaving', 'importing it raised SystemExit: 7'),
        ('wrong', 'importing it raised SyntaxError: '),
        ('lacking', "importing it raised ModuleNotFoundError: No module named 'no_such_helper'"),
        ('many_lines', 'importing it raised RuntimeError: one two'),
        ('nothing_more', "importing it raised ModuleNotFoundError: No module named 'nothing'"),
    ],
)
def test_a_module_that_cannot_be_imported_is_refused_in_one_line(tmp_path, spelling, want):
    write(tmp_path / 'raising.py', '1 / 0\n')
    write(tmp_path / 'leaving.py', 'raise SystemExit(7)\n')
    write(tmp_path / 'wrong.py', 'def\n')
    write(tmp_path / 'lacking.py', 'import no_such_helper\n')
    write(tmp_path / 'nothing_more.py', 'import nothing\n')
    write(tmp_path / 'many_lines.py', 'raise RuntimeError("one\\n\\n   two")\n')
    with pytest.raises(errors.UsageError) as caught:
        plugins.module('--model', spelling)
    assert str(caught.value).startswith(f'--model is {spelling!r}; {want}')
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize(
    'spelling, want',
    [
        (
            'no_such_module:f',
            'there is no module no_such_module; it must be installed or be in the working '
            'directory',
        ),
        ('math:sqr', 'module math has no sqr; did you mean sqrt, isqrt?'),
        ('math:pi', 'pi is of type float, it must be a function'),
    ],
)
def test_what_is_no_function_of_a_module_is_refused(spelling, want):
    with pytest.raises(errors.UsageError) as caught:
        plugins.function('--f', spelling)
    assert str(caught.value) == f'--f is {spelling!r}; {want}'


@pytest.mark.parametrize('spelling, name', [('relu:f', 'relu'), ('own:relu', 'relu')])
def test_a_function_or_module_of_a_built_in_name_is_refused(spelling, name):
    with pytest.raises(errors.UsageError) as caught:
        plugins.choice('--activation', spelling, ['linear', 'relu'])
    assert str(caught.value) == (
        f'--activation is {spelling!r}; {name} is a built-in name, choose another'
    )


def test_a_choice_is_a_built_in_name_or_a_function():
    assert plugins.choice('--activation', 'relu', ['linear', 'relu']) is None
    assert plugins.choice('--activation', 'math:tanh', ['linear', 'relu']) is math.tanh
    with pytest.raises(errors.UsageError, match='one of linear, relu, package.module:function; d'):
        plugins.choice('--activation', 'rely', ['linear', 'relu'])
