"""Modules by name: built-in ones, those of installed packages, and those that Python can import."""

import sys
import types
import warnings

import pytest

from tfae.core import errors, registry

GROUP = 'tfae.tests'
BUILT_IN = {'dense': types.ModuleType('dense'), 'gan': types.ModuleType('gan')}


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A function that puts a package on the search path, with entry points and their modules."""

    def install(package, **points):
        site = tmp_path / 'site' / package
        info = site / f'{package}-1.0.dist-info'
        info.mkdir(parents=True)
        (info / 'METADATA').write_text(f'Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n')
        lines = [f'{name} = {value}' for name, value in points.items()]
        (info / 'entry_points.txt').write_text('\n'.join([f'[{GROUP}]', *lines, '']))
        for value in points.values():
            (site / f'{value}.py').write_text(f'ORIGIN = {package!r}\n')
        monkeypatch.syspath_prepend(str(site))
        return site

    monkeypatch.chdir(tmp_path)
    known = set(sys.modules)
    yield install
    for name in set(sys.modules) - known:
        del sys.modules[name]


def find(name):
    return registry.find('--model', name, BUILT_IN, GROUP)


def refusal(name):
    with pytest.raises(errors.UsageError) as caught:
        find(name)
    return str(caught.value)


def test_names_are_the_built_in_ones_and_those_of_installed_packages(installed):
    assert registry.names(BUILT_IN, GROUP) == ['dense', 'gan']
    installed('flows', flow='flows_flow')
    assert registry.names(BUILT_IN, GROUP) == ['dense', 'flow', 'gan']
    assert 'flows_flow' not in sys.modules


def test_an_entry_point_is_found_by_its_name_and_by_its_module(installed):
    installed('flows', flow='flows_flow')
    assert find('flow').ORIGIN == 'flows'
    assert find('flows_flow') is find('flow')


def test_a_module_of_the_working_directory_is_found(installed, tmp_path):
    (tmp_path / 'of_here').mkdir()
    (tmp_path / 'of_here' / 'inner.py').write_text('ORIGIN = 1')
    (tmp_path / 'single_of_here.py').write_text('ORIGIN = 2')
    assert find('of_here.inner').ORIGIN == 1
    assert find('single_of_here').ORIGIN == 2


def test_a_built_in_name_is_never_hidden(installed, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        assert find('dense') is BUILT_IN['dense']
    installed('flows', dense='flows_dense')
    (tmp_path / 'gan.py').write_text('')
    (tmp_path / 'gan').mkdir()
    (tmp_path / 'gan' / '__init__.py').write_text('')
    with pytest.warns(UserWarning) as caught:
        assert find('dense') is BUILT_IN['dense']
        assert find('gan') is BUILT_IN['gan']
    assert [str(warning.message) for warning in caught] == [
        '--model=dense is the built-in one; flows_dense of package flows must be renamed '
        'to be used',
        f'--model=gan is the built-in one; {tmp_path}/gan.py and '
        f'{tmp_path}/gan/__init__.py must be renamed to be used',
    ]
    assert registry.names(BUILT_IN, GROUP) == ['dense', 'gan']
    with warnings.catch_warnings():  # filters that change let Python warn again
        warnings.simplefilter('error')
        assert find('dense') is BUILT_IN['dense']


def test_a_name_that_two_packages_bring_is_refused(installed):
    installed('flows', flow='flows_flow')
    installed('rivers', flow='rivers_flow')
    assert refusal('flow') == (
        "--model is 'flow', which rivers_flow of package rivers and flows_flow of package flows "
        'provide; name the module, rivers_flow or flows_flow'
    )


def test_a_module_that_two_packages_bring_by_one_name_is_found(installed):
    installed('flows', flow='one_flow')
    installed('rivers', flow='one_flow')
    assert find('flow').ORIGIN == 'rivers'  # the first on the search path


def test_an_entry_point_whose_module_cannot_be_imported_is_named_with_its_package(installed):
    site = installed('flows', flow='flows_flow')
    (site / 'flows_flow.py').write_text('import no_such_module_anywhere')
    text = refusal('flow')
    assert text.startswith("--model is 'flows_flow'; importing it raised ModuleNotFoundError: ")
    assert text.endswith(' (flow of flows_flow of package flows)')


@pytest.mark.parametrize(
    'name, text',
    [
        (
            'dens',
            '; it must be one of dense, gan, or a module such as package.module; there is no '
            'module dens either, which must be installed or be in the working directory; did you '
            'mean dense?',
        ),
        ('', '; it must be one of dense, gan, or a module'),
        ('..', '; it must be one of dense, gan, or a module'),
        ('x y', '; it must be one of dense, gan, or a module'),
        ('no_such.module', '; there is no module no_such; it must be installed or be in the '),
        ('a..b', '; it must be package.module'),
    ],
)
def test_a_name_of_no_module_is_refused(installed, name, text):
    assert refusal(name).startswith(f'--model is {name!r}{text}')
