"""A package from outside, installed: its family, data set and functions in every command."""

import functools
import json
import pathlib
import shutil
import signal
import site
import subprocess
import sys
import venv

import numpy as np
import pytest
import tfae_program
from PIL import Image

HERE = pathlib.Path(__file__).parent
TRAINED = ('--model=judging', '--dataset=rings', '--synthetic_examples=300', '--epochs=3')
FUNCTIONS = (
    '--model=custom',
    '--encoder=example_plugin.functions:encoder',
    '--decoder=example_plugin.functions:decoder',
)
# Command -> its arguments for a run in `run`; whatever a run is good for is here.
COMMANDS = {
    'anomaly': ('--logdir=run', '--components=2'),
    'classify': ('--logdir=run', 'image.png'),
    'cluster': ('--logdir=run',),
    'compare': ('run', 'by_module'),
    'embed': ('--logdir=run',),
    'evaluate': ('--logdir=run',),
    'explain': ('--logdir=run', '--method=saliency'),
    'export': ('--logdir=run', '--output=exported'),
    'graph': ('--logdir=run',),
    'interpolate': ('--logdir=run', '--indices=0,1,2,3'),
    'latent': ('--logdir=run',),
    'morph': ('--logdir=run', '--attribute=class=large'),
    'probe': ('--logdir=run', '--labels=2', '--repeats=1'),
    'reconstruct': ('--logdir=run',),
    'report': ('--logdir=run',),
    'sample': ('--logdir=run', '--count=50'),
    'study': ('--vary=seed=0,1', *TRAINED, '--logdir=study'),
    'sweep': ('--vary=batch_size=16|32', '--search=grid', *TRAINED, '--logdir=sweep'),
    'variables': ('--logdir=run', '--export=variables.npz'),
}
OTHERS = {'train', 'explore'}  # have a test of their own
NOT_OF_RUNS = {
    *('build_op', 'checkpoint', 'completion', 'convert', 'doctor', 'fetch', 'port', 'run'),
    *('impute', 'score', 'tensorboard', 'verify'),  # impute and score are of tables
}


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A folder with a virtual environment in which the package is installed, and two runs."""
    folder = tmp_path_factory.mktemp('installed')
    # pip builds in the folder itself.
    shutil.copytree(HERE / 'package', folder / 'package')
    venv.create(folder / 'venv', with_pip=False)
    python = folder / 'venv' / 'bin' / 'python'
    import tensorflow

    packages = pathlib.Path(tensorflow.__file__).parents[1]
    (site_of(folder) / 'of_the_tests.pth').write_text(f'{tfae_program.ROOT}\n{packages}\n')
    pip = [sys.executable, '-m', 'pip', '--python', python, 'install', '--quiet', '--no-index']
    pip += ['--no-deps', '--no-build-isolation', '--disable-pip-version-check', folder / 'package']
    subprocess.run(pip, check=True)
    cold(folder, 'train', *TRAINED, '--logdir=run')
    by_module = [word.replace('=', '=example_plugin.') for word in TRAINED[:2]]
    program(folder, 'train', *by_module, *TRAINED[2:], '--logdir=by_module')
    Image.fromarray(np.zeros([12, 12], np.uint8)).save(folder / 'image.png')
    return folder


def site_of(folder):
    (found,) = (folder / 'venv' / 'lib').glob('python*/site-packages')
    return found


def cold(folder, *words):
    """What the program prints, run by the Python of the virtual environment."""
    done = subprocess.run(
        [folder / 'venv' / 'bin' / 'python', '-m', 'tfae', *words],
        cwd=folder,
        env=tfae_program.environment(folder),
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, ''), done
    return done.stdout


def started(folder, *words):
    """The program in a forked process that sees the packages of the virtual environment."""
    before = functools.partial(site.addsitedir, str(site_of(folder)))
    return tfae_program.start(*words, cwd=folder, before=before)


def program(folder, *words):
    """What the program prints."""
    done = started(folder, *words).wait()
    assert (done.code, done.err) == (0, ''), done
    return done.out


def test_every_command_of_runs_is_tried_here():
    folder = tfae_program.ROOT / 'tfae' / 'commands'
    commands = {path.stem for path in folder.glob('[!_]*.py')}
    assert commands == {*COMMANDS, *OTHERS, *NOT_OF_RUNS}


def test_names_and_flags_of_the_package_stand_in_help(folder):
    # In a new process: names are listed when the command is imported.
    text = ' '.join(cold(folder, 'train', '--help').split())
    assert (
        'Family: classifier, convolutional, custom, dense, gan, judging, regressor, siamese' in text
    )
    assert 'npz, records, rings, synthetic' in text
    assert '--label_weight' not in text
    for model in ('judging', 'example_plugin.judging'):
        text = program(folder, 'train', f'--model={model}', '--help')
        assert 'example_plugin.judging:\n  --code_size=4\n      Latent dimensions.\n' in text


def test_the_run_keeps_the_spelling_and_trains_the_family(folder):
    for run, prefix in (('run', ''), ('by_module', 'example_plugin.')):
        config = json.loads((folder / run / 'config.json').read_text())
        assert config['model'] == f'{prefix}judging'
        assert config['data']['dataset'] == f'{prefix}rings'
        assert config['family'] == {'code_size': 4, 'noise': 0.1, 'label_weight': 0.1}
        assert config['signature']['class_names'] == ['small', 'large']
    one, other = (tfae_program.checkpoint(folder / run) for run in ('run', 'by_module'))
    assert tfae_program.same_bytes(one, other)
    assert one['into/kernel'].shape == (144, 4)
    losses = [record['validation_loss'] for record in tfae_program.metrics(folder / 'run')]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize('command', COMMANDS)
def test_a_command_works_on_the_run(folder, command):
    assert program(folder, command, *COMMANDS[command])


def test_a_command_works_in_the_environment_itself(folder):
    out = cold(folder, 'evaluate', '--logdir=by_module')
    assert 'worst_pixel' in out


def test_the_explorer_serves_the_run(folder):
    running = started(folder, 'explore', '--logdir=run')
    assert tfae_program.wait_for(lambda: '/\n' in running.out(), running)
    running.send(signal.SIGTERM)
    done = running.wait()
    assert (done.code, done.err) == (0, ''), done


def test_a_head_of_the_family_is_trained_before_the_rest(folder):
    program(folder, 'train', *TRAINED, '--head_epochs=1', '--logdir=head')
    phases = {record['phase'] for record in tfae_program.metrics(folder / 'head')}
    assert phases == {'pretraining/head', 'fine_tuning'}


def test_a_stopped_run_goes_on_without_its_flags(folder):
    program(folder, 'train', *TRAINED[:3], '--epochs=3', '--logdir=again', '--checkpoint_steps=2')
    newest = max((folder / 'again').glob('model-*.index'), key=lambda path: path.stat().st_mtime)
    for path in (folder / 'again').glob(f'{newest.stem}.*'):
        path.unlink()
    program(folder, 'train', '--logdir=again')
    one, other = (tfae_program.checkpoint(folder / run) for run in ('run', 'again'))
    assert tfae_program.same_bytes(one, other)


def test_functions_of_the_package_are_an_autoencoder(folder):
    words = (
        '--dataset=rings',
        '--synthetic_examples=300',
        '--epochs=2',
        '--corruption=masking:0.2',
    )
    program(folder, 'train', *FUNCTIONS, *words, '--logdir=functions')
    variables = tfae_program.checkpoint(folder / 'functions')
    assert variables['encoder/conv2d/kernel'].shape == (3, 3, 1, 3)
    assert variables['encoder/dense/kernel'].shape == (75, 5)
    for command in ('evaluate', 'reconstruct', 'latent', 'report', 'export'):
        more = ('--output=functions_exported',) if command == 'export' else ()
        assert program(folder, command, '--logdir=functions', *more)


def test_a_run_whose_family_is_gone_is_refused_in_one_line(folder):
    for command in ('evaluate', 'variables', 'train'):
        done = tfae_program.run(command, '--logdir=run', cwd=folder)
        assert done.refusal(1).startswith(
            "run/config.json: --model is 'judging'; it must be one of classifier, "
        )
        done = tfae_program.run(command, '--logdir=by_module', cwd=folder)
        assert done.refusal(1) == (
            "by_module/config.json: --model is 'example_plugin.judging'; there is no module "
            'example_plugin; it must be installed or be in the working directory'
        )


def test_a_run_whose_data_set_alone_is_gone_serves_what_needs_no_data(folder):
    words = ('--dataset=example_plugin.rings', '--units=4', '--epochs=1', '--logdir=dense')
    program(folder, 'train', *words)
    done = tfae_program.run('variables', '--logdir=dense', cwd=folder)
    assert (done.code, done.err) == (0, '')
    for command in ('evaluate', 'train'):
        done = tfae_program.run(command, '--logdir=dense', cwd=folder)
        assert done.refusal(1) == (
            "dense/config.json: --dataset is 'example_plugin.rings'; there is no module "
            'example_plugin; it must be installed or be in the working directory'
        )
