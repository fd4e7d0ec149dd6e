"""What `import tfae` shows, and what it does not import."""

import pathlib
import subprocess
import sys

import pytest

import tfae

MEMBERS = {'Experiment', 'InputError', 'Run', 'UsageError', 'fit', 'load_data', 'open', 'recipe'}
MODULES = {'analysis', 'compat', 'data', 'layers', 'losses', 'models', 'ops', 'pretrained'}
MODULES |= {'sklearn', 'testing'}
PACKAGE = pathlib.Path(tfae.__file__).parent


def test_dir_shows_members_and_modules_and_nothing_else():
    shown = {name for name in dir(tfae) if not name.startswith('_')}
    assert shown >= MEMBERS | MODULES
    assert shown == set(tfae.__all__)


def test_every_name_is_found_and_documented():
    for name in tfae.__all__:
        assert getattr(tfae, name).__doc__, name
        assert name in tfae.__doc__


def test_an_unknown_name_is_refused_with_those_there_are():
    with pytest.raises(AttributeError, match='tfae has no attribute .fits.; it has Experiment, '):
        tfae.fits  # noqa: B018


def test_import_alone_imports_no_tensorflow_and_names_only_what_is_asked_for():
    code = (
        'import sys, tfae; dir(tfae); tfae.UsageError; tfae.data\n'
        'sys.exit("tensorflow" in sys.modules)'
    )
    assert subprocess.run([sys.executable, '-c', code], check=False).returncode == 0


@pytest.mark.parametrize('name', ['analysis', 'losses', 'ops', 'pretrained'])
def test_a_module_shows_all_it_has(name):
    module = getattr(tfae, name)
    assert set(dir(module)) - {'__doc__'} == set(module.__all__)
    for member in module.__all__:
        assert getattr(module, member) is not None
        assert member in module.__doc__ or name == 'pretrained' or member == 'Likelihood', member


@pytest.mark.parametrize('name', ['analysis', 'losses', 'ops'])
def test_a_module_shows_every_file_of_its_folder(name):
    files = {path.stem for path in (PACKAGE / name).glob('[!_]*.py')}
    assert files <= set(getattr(tfae, name).__all__)


def test_losses_show_every_public_function_of_tensors():
    """All but the parsing of flags, and what only a family of the tree calls."""
    modules = [getattr(tfae.losses, n) for n in ('reconstruction', 'variational', 'supervised')]
    functions = {
        name
        for module in modules
        for name, value in vars(module).items()
        if callable(value) and getattr(value, '__module__', '') == module.__name__
    }
    assert {name for name in functions if not name.startswith('_')} <= set(tfae.losses.__all__)


def test_the_package_is_typed():
    assert (PACKAGE / 'py.typed').is_file()


CALLER = """
import numpy as np
import tfae
from tfae import losses, ops

run: tfae.Run = tfae.fit('dense', np.zeros([8, 4, 4]), logdir='runs/a', epochs=1)
experiment: tfae.Experiment = tfae.recipe('vae_dense_mnist', epochs=1)
loaded = tfae.load_data('digits')
codes: np.ndarray = run.encode(loaded.test.images)
tfae.analysis.pca
tfae.open('runs/a').close()
tfae.opne('runs/a')
tfae.fit('dense', logdir=3)
losses.bernouli
"""


def test_a_type_checker_sees_the_face(tmp_path):
    pytest.importorskip('mypy')
    (tmp_path / 'caller.py').write_text(CALLER)
    done = subprocess.run(
        [sys.executable, '-m', 'mypy', '--ignore-missing-imports', '--follow-imports=silent']
        + ['--cache-dir', str(tmp_path / 'cache'), 'caller.py'],
        cwd=tmp_path,
        env={'MYPYPATH': str(PACKAGE.parent), 'PATH': ''},
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [line.split(':', 2)[1:] for line in done.stdout.splitlines() if 'error:' in line]
    assert [int(number) for number, _ in lines] == [12, 13, 14], done.stdout + done.stderr
    assert 'has no attribute "opne"' in lines[0][1]
    assert 'incompatible type "int"' in lines[1][1]
