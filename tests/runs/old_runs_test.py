"""Runs that tfae 0.1.0 wrote, one of each family: today's program opens them and goes on with them.

`fixtures/runs_of_0.1.0.tar.xz` holds them as they stood after `tfae train` and `tfae evaluate` of
the last version with one flat package (commit 66b72a2), on TensorFlow 2.21 and one CPU. Each was
trained with `COMMON` and its line of `RUNS`; events (but of `dense`), projector and lock files were
removed to keep the archive small. Never write it again: no later version can.
"""

import json
import shutil
import tarfile

import numpy as np
import pytest
import tfae_program

import tfae
from tfae import data, models
from tfae.core import config
from tfae.report import measures

ARCHIVE = tfae_program.ROOT / 'tests' / 'runs' / 'fixtures' / 'runs_of_0.1.0.tar.xz'
COMMON = (
    '--dataset=synthetic',
    '--synthetic_shape=8x8x1',
    '--synthetic_examples=150',
    '--synthetic_kind=bars',
    '--batch_size=20',
    '--epochs=6',
    '--seed=3',
    '--learning_rate=0.01',
    '--checkpoint_steps=10',
    '--keep_checkpoints=2',
    '--summary_steps=1000',
)
RUNS = {
    'dense': '--units=10,4 --tied --penalty=l1:0.001 --corruption=masking:0.3 '
    '--pretraining=greedy --pretraining_epochs=2 --augment=crop:1',
    'convolutional': '--filters=4,2 --enlarging=deconvolution --weight_decay=0.0001 --k_sparse=3',
    'variational': '--units=12 --code_size=2 --kl_warmup_steps=10',
    'gan': '--filters=2 --units=8 --code_size=3 --enlarging=nearest',
    'classifier': '--units=8 --filters=2 --pool_sizes=2 --kernel_sizes=3 --labelled_examples=60 '
    '--labelled_seed=2',
    'siamese': '--units=8 --code_size=2',
}

pytestmark = pytest.mark.parametrize('family', RUNS)


@pytest.fixture(scope='module')
def old(tmp_path_factory):
    """The folder with all of them, which no test changes."""
    folder = tmp_path_factory.mktemp('old')
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, filter='data')
    return folder / 'runs'


@pytest.fixture
def run(old, tmp_path, family):
    """A copy of one."""
    return shutil.copytree(old / family, tmp_path / 'run')


def trained(run, *argv):
    """What the program said; it must end well."""
    done = tfae_program.run('train', *argv, '--logdir=run', cwd=run.parent)
    assert done.code == 0, done
    return done


def test_it_opens_with_the_variables_of_its_checkpoint(run, family):
    best = run / 'best'
    kept = tfae_program.checkpoint(best if best.exists() else run)
    with tfae.open(run) as opened:
        variables = opened.variables()
        codes = np.zeros([3, opened.built.model.code_size], np.float32)
        if family == 'gan':
            assert opened.decode(codes).shape == (3, 8, 8, 1)
        else:
            assert opened.encode(np.zeros([3, 8, 8, 1], np.uint8)).shape == codes.shape
    assert kept.keys() <= variables.keys()
    assert all(np.array_equal(variables[name], kept[name]) for name in kept)


def test_it_measures_what_it_measured(run, family):
    path = run / 'evaluation.json'
    before = json.loads(path.read_text())
    path.unlink()
    done = tfae_program.run('evaluate', '--logdir=run', cwd=run.parent)
    assert done.code == 0, done
    assert_renamed(done)
    before, after = measures.renamed(before), json.loads(path.read_text())
    before.pop('pca_denoised_psnr', None)  # linear_denoised_psnr replaces it
    assert before.keys() <= after.keys()
    # Images of PCA were not clipped.
    assert after.get('pca_mse', 0) <= before.pop('pca_mse', 0)
    for name, value in before.items():
        if isinstance(value, str):
            assert after[name] == value
        else:
            np.testing.assert_allclose(after[name], value, rtol=1e-4, atol=1e-5, err_msg=name)


def test_it_has_a_report(run, family):
    done = tfae_program.run('report', '--logdir=run', cwd=run.parent)
    assert done.code == 0, done
    assert_renamed(done)
    page = (run / 'report.html').read_text()
    assert family in page
    assert 'synthetic' in page


def assert_renamed(done):
    """One line says which names in config.json are no longer those of today."""
    (line,) = done.err.splitlines()
    assert line.startswith('tfae: run/config.json: '), line
    assert 'colour is now color' in line
    assert 'labelled_examples is now labeled_examples' in line


def without_newest(run):
    """Removes the newest checkpoint; returns the steps of the older one and of that."""
    older, newest = tfae_program.steps(run)
    for path in run.rglob(f'model-{newest}.*'):
        path.unlink()
    (run / 'checkpoint').unlink()
    if (run / 'best').exists() and not tfae_program.steps(run / 'best'):
        shutil.rmtree(run / 'best')
    return older, newest


def test_it_goes_on_from_its_older_checkpoint_to_the_same_variables(run, family):
    want, records = tfae_program.checkpoint(run), tfae_program.metrics(run)
    older, newest = without_newest(run)
    content = json.loads((run / 'config.json').read_text())
    if 'weight_decay' in content['family']:
        content['family']['weight_decay'] = 0.0  # which in 0.1.0 had no effect
        (run / 'config.json').write_text(json.dumps(content))
    done = trained(run)
    assert f'step {older}' in done.out
    assert tfae_program.steps(run) == [older, newest]
    found = tfae_program.checkpoint(run)
    assert found.keys() == want.keys()
    for name, value in want.items():
        # No distance depends on it: its gradient is rounding, which is another one since 0.2.0.
        if not (family == 'siamese' and name.startswith('encoder/layer_2/bias')):
            np.testing.assert_allclose(found[name], value, rtol=1e-3, atol=1e-4, err_msg=name)
    again = tfae_program.metrics(run)
    assert [record['step'] for record in again] == [record['step'] for record in records]


def test_weight_decay_has_its_effect_from_where_training_goes_on(run, family):
    if '--weight_decay' not in RUNS[family]:
        pytest.skip('it has no weight decay')
    want = tfae_program.checkpoint(run)
    older, newest = without_newest(run)
    done = trained(run)
    assert '--weight_decay had no effect); training continues with them' in done.out
    assert 'tfae: warning: --weight_decay=0.0001 had no effect in version 0.1.0' in done.out
    found = tfae_program.checkpoint(run)
    assert not tfae_program.same_bytes(found, want)
    kernels = [name for name in want if name.endswith('kernel')]
    far = max(np.abs(found[name] - want[name]).max() for name in kernels)
    assert 0 < far < 0.01 * (newest - older)  # a step of Adam is hardly longer than its rate


def test_the_command_line_of_its_day_goes_on_with_it(run, family):
    before = tfae_program.checkpoint(run)
    flags = RUNS[family].split()
    done = trained(run, f'--model={family}', *COMMON, *flags)
    assert tfae_program.same_bytes(tfae_program.checkpoint(run), before)
    renamed = config.former_names(data.Config) | config.former_names(models.load(family).Config)
    given = {flag.lstrip('-').partition('=')[0] for flag in flags} & renamed.keys()
    assert given or family != 'classifier'
    assert all(f'--{name} is now --' in done.err for name in given)
    assert len(done.err.splitlines()) == 1 + bool(given), done.err


def test_another_value_of_a_renamed_flag_is_another_configuration(run, family):
    other = {
        'dense': '--penalty=l1:0.002',
        'convolutional': '--enlarging=nearest',
        'gan': '--enlarging=subpixel',
        'classifier': '--labelled_seed=3',
    }
    if family not in other:
        pytest.skip('none of its flags was renamed')
    flags = f'{RUNS[family]} {other[family]}'.split()
    argv = ('train', f'--model={family}', *COMMON, *flags, '--logdir=run')
    done = tfae_program.run(*argv, cwd=run.parent)
    assert done.code == 2
    assert 'holds a run with a different configuration: --' in done.err.splitlines()[-1]
