"""Options of training change no result but what a run stores, and the threads and devices it takes.

`tests/repository/oracle_test.py` asks for every option in `WALKED`.
"""

import pathlib

import pytest
import tfae_program
from runs import Runs

STEPS = ('--epochs=2', '--units=8,4')  # 13 steps, the seventh ends an epoch
KEPT = ('--checkpoint_steps=4', '--keep_checkpoints=2')
AGED = ('--checkpoint_secs=0',)
EPOCHS = ('--keep_epochs=1,3,4',)
TOWERS = ('--towers=2',)
THREADS = [(3, 5), (7, 9)]  # operations at a time, threads of each


def threads(inter, intra):
    return (f'--inter_op_threads={inter}', f'--intra_op_threads={intra}')


# Scalars are walked in training_test: test_scalars_of_tensorboard_change_no_step.
WALKED = [KEPT, AGED, EPOCHS, TOWERS, threads(*THREADS[0]), ('--summary_steps',)]


@pytest.fixture(scope='module')
def digits(tmp_path_factory):
    return Runs(tmp_path_factory.mktemp('options'))


def test_checkpoints_come_at_these_steps_and_the_newest_stay(digits):
    assert tfae_program.steps(digits.train('plain', *STEPS)) == [0, 13]
    assert tfae_program.steps(digits.train('kept', *STEPS, *KEPT)) == [12, 13]


def test_a_checkpoint_comes_when_the_last_one_is_older(digits):
    assert tfae_program.steps(digits.train('aged', *STEPS, *AGED)) == [0, 7, 13]


def test_models_of_the_epochs_named_stay_and_change_nothing_else(digits):
    words = ('--epochs=4', '--units=8,4', '--checkpoint_steps=1', '--keep_checkpoints=99')
    plain, kept = digits.train('every', *words), digits.train('epochs', *words, *EPOCHS)
    steps = [tfae_program.metrics(kept)[epoch - 1]['step'] for epoch in (1, 3, 4)]
    assert tfae_program.steps(kept / 'epochs') == steps
    for step in steps:
        model, whole = (tfae_program.checkpoint(f, step) for f in (kept / 'epochs', plain))
        assert model.keys() == {
            k for k in whole if k.endswith(('layer_1/kernel', 'bias', 'kernel'))
        }
        assert tfae_program.same_bytes(model, {k: whole[k] for k in model})
    assert tfae_program.same_bytes(*map(tfae_program.checkpoint, (plain, kept)))
    assert not (plain / 'epochs').exists()


def events(logdir):
    (path,) = (logdir / 'train').glob('events.*')
    return path.read_bytes()


def test_a_batch_is_divided_among_devices(digits):
    """The event file holds the graph, in which each operation names its device."""
    assert b'CPU:1' not in events(digits.train('plain', *STEPS))
    assert b'CPU:1' in events(digits.train('towers', *STEPS, *TOWERS))


def pools(digits, inter, intra):
    """Threads of a training program: those that choose operations, and those without a name."""
    words = ('--dataset=npz', '--data_dir=set.npz', '--units=8,4', '--epochs=1000000')
    logdir = digits.folder / f'threads_{inter}_{intra}'
    words = (*words, *threads(inter, intra), f'--logdir={logdir}')
    program = tfae_program.start('train', *words, cwd=digits.folder)
    try:
        assert tfae_program.wait_for(lambda: tfae_program.metrics(logdir), program), program.wait()
        tasks = pathlib.Path(f'/proc/{program.pid}/task').glob('*/comm')
        found = [path.read_text().strip() for path in tasks]
    finally:
        program.kill()
    return found.count('tf_Compute'), found.count('python')


@pytest.mark.skipif(not pathlib.Path('/proc/self/task').is_dir(), reason='needs Linux')
def test_the_pools_have_so_many_threads(digits):
    (few, few_each), (more, more_each) = (pools(digits, *asked) for asked in THREADS)
    assert (few, more) == (3, 7)
    assert more_each - few_each == 9 - 5
