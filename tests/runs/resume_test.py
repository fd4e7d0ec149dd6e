"""A run that is killed anywhere, any number of times, and resumed ends as if it had not been."""

import collections
import random
import signal
import time

import pytest
import tfae_program

LAYERS = 2
PRETRAINING = 5  # epochs a layer
FINE_TUNING = 16  # more than any kill waits for, so that each comes in time
STEPS_BEFORE_FINE_TUNING = LAYERS * 102  # ceil(5 * 1293 / 64) steps a layer

GREEDY = (
    'train',
    '--units=12,4',
    '--pretraining=greedy',
    f'--pretraining_epochs={PRETRAINING}',
    f'--epochs={FINE_TUNING}',
    '--corruption=masking:0.3,gaussian:0.1',
    '--code_activation=sigmoid',
)
OFTEN = ('--checkpoint_steps=7', '--summary_steps=10')


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
    """A function: the run of these flags that was never stopped."""
    folder = tmp_path_factory.mktemp('whole')
    made = {}

    def get(*argv):
        if argv not in made:
            done = tfae_program.run(*argv, f'--logdir={len(made)}', cwd=folder)
            assert done.code == 0, done
            made[argv] = folder / str(len(made))
        return made[argv]

    return get


def assert_same(logdir, whole):
    """Every variable, and every line of metrics but its times."""
    assert tfae_program.steps(logdir)[-1] == tfae_program.steps(whole)[-1]
    wanted = tfae_program.checkpoint(whole)
    assert any('Adam' in name or 'Momentum' in name for name in wanted)  # slots are among them
    assert tfae_program.same_bytes(tfae_program.checkpoint(logdir), wanted)
    assert tfae_program.metrics(logdir) == tfae_program.metrics(whole)
    best = tfae_program.checkpoint(logdir / 'best')
    assert tfae_program.same_bytes(best, tfae_program.checkpoint(whole / 'best'))


def kill_after(argv, logdir, records, delay):
    """Runs until there are so many records and a while longer, then kills it; False if too late."""
    program = tfae_program.start(*argv, f'--logdir={logdir}', cwd=logdir.parent)
    if tfae_program.wait_for(lambda: len(tfae_program.metrics(logdir)) >= records, program):
        time.sleep(delay)
    done = program.kill()
    assert done.code in (0, -signal.SIGKILL), done
    return done.code != 0


def kill_many_times(argv, logdir, targets, seed):
    """Kills it once behind each target, a number of records; returns the steps it was left at."""
    chance = random.Random(seed)
    left = []
    for target in targets:
        if kill_after(argv, logdir, target, chance.uniform(0, 0.25)):
            left.append((tfae_program.steps(logdir) or [0])[-1])
    return left


@pytest.mark.slow
def test_a_run_killed_in_pretraining_and_in_fine_tuning_ends_byte_identical(tmp_path, whole):
    argv = (*GREEDY, *OFTEN)
    logdir = tmp_path / 'run'
    left = kill_many_times(argv, logdir, [0, 2, 5, 8, 11, 13, 16], seed=time.time_ns())
    phases = collections.Counter(step >= STEPS_BEFORE_FINE_TUNING for step in left)
    assert phases[False] >= 2, left
    assert phases[True] >= 2, left
    at = tfae_program.steps(logdir)[-1]
    done = tfae_program.run(*argv, f'--logdir={logdir}', cwd=tmp_path)
    assert done.code == 0
    assert f'{logdir}: at step {at:,} of ' in done.out
    assert_same(logdir, whole(*argv))


@pytest.mark.slow
def test_a_run_killed_while_it_writes_checkpoints_ends_byte_identical(tmp_path, whole):
    argv = (*GREEDY, '--optimizer=momentum', '--learning_rate=0.05', '--accumulation_steps=2')
    logdir = tmp_path / 'run'
    always = (*argv, '--checkpoint_steps=1')  # how often may change from one turn to the next
    left = kill_many_times(always, logdir, [1, 2, 4, 6, 10, 12, 13], seed=time.time_ns())
    assert len(left) >= 5, left
    assert tfae_program.run(*argv, f'--logdir={logdir}', cwd=tmp_path).code == 0
    assert_same(logdir, whole(*argv))


@pytest.mark.parametrize(
    'order', ['sequential', pytest.param('with_replacement', marks=pytest.mark.slow)]
)
def test_a_killed_run_of_another_order_ends_byte_identical(tmp_path, whole, order):
    argv = ('train', '--units=8,4', f'--order={order}', '--epochs=9', *OFTEN)
    logdir = tmp_path / 'run'
    assert kill_many_times(argv, logdir, [2, 5], seed=0)
    assert tfae_program.run(*argv, f'--logdir={logdir}', cwd=tmp_path).code == 0
    assert_same(logdir, whole(*argv))


@pytest.mark.slow
def test_a_killed_run_of_full_batches_ends_byte_identical(tmp_path, whole):
    argv = ('train', '--units=8,4', '--batch_size=0', '--epochs=60', '--corruption=masking:0.3')
    argv = (*argv, '--accumulation_steps=3', *OFTEN)
    logdir = tmp_path / 'run'
    assert kill_many_times(argv, logdir, [5, 30], seed=0)
    assert tfae_program.run(*argv, f'--logdir={logdir}', cwd=tmp_path).code == 0
    assert_same(logdir, whole(*argv))
    records = tfae_program.metrics(logdir)
    assert [record['step'] for record in records] == list(range(1, 61))  # a step is an epoch
    assert [record['epoch'] for record in records] == list(range(1, 61))


@pytest.mark.slow
def test_a_killed_run_shows_in_tensorboard_what_the_whole_one_shows(tmp_path, whole):
    argv = (*GREEDY, *OFTEN)
    logdir = tmp_path / 'run'
    assert kill_many_times(argv, logdir, [2, 6, 12], seed=time.time_ns())
    assert tfae_program.run(*argv, f'--logdir={logdir}', cwd=tmp_path).code == 0
    assert tfae_program.scalars(logdir) == tfae_program.scalars(whole(*argv))


def test_what_a_run_showed_before_its_checkpoint_outlives_a_kill(tmp_path):
    argv = ('--units=8,4', '--epochs=2', '--summary_steps=1', '--batch_size=1')
    # Steps of one example: the kill comes long before the end of an epoch, which would flush.
    argv = ('train', *argv, f'--logdir={tmp_path / "run"}')
    program = tfae_program.start(*argv, '--checkpoint_steps=10', cwd=tmp_path)
    tfae_program.wait_for(lambda: len(tfae_program.steps(tmp_path / 'run')) >= 3, program)
    program.kill()
    assert not tfae_program.metrics(tmp_path / 'run')
    newest = tfae_program.steps(tmp_path / 'run')[-1]
    shown = tfae_program.scalars(tmp_path / 'run')['train/batch/loss']
    assert {step for step, _ in shown} >= set(range(newest))


def test_a_run_resumed_at_the_end_of_an_epoch_still_shows_that_epoch(tmp_path):
    # 720 examples: ten steps an epoch, a checkpoint at the end of each and nowhere else.
    argv = ('train', '--units=8,4', '--dataset=synthetic', '--batch_size=72', '--epochs=30')
    argv = (*argv, '--checkpoint_steps=10', '--summary_steps=5')
    logdir = tmp_path / 'run'
    assert kill_many_times(argv, logdir, [2, 9], seed=0)
    assert tfae_program.run(*argv, f'--logdir={logdir}', cwd=tmp_path).code == 0
    assert tfae_program.run(*argv, '--logdir=whole', cwd=tmp_path).code == 0
    assert tfae_program.scalars(logdir) == tfae_program.scalars(tmp_path / 'whole')


def test_the_real_program_is_killed_and_resumed(tmp_path, whole):
    argv = (*GREEDY, *OFTEN)
    logdir = tmp_path / 'run'
    process = tfae_program.cold(*argv, f'--logdir={logdir}', cwd=tmp_path)
    while len(tfae_program.metrics(logdir)) < 2 and process.poll() is None:
        time.sleep(0.01)
    process.kill()
    assert tfae_program.finish(process).code == -signal.SIGKILL
    done = tfae_program.finish(tfae_program.cold(*argv, f'--logdir={logdir}', cwd=tmp_path))
    assert (done.code, done.err) == (0, '')
    assert_same(logdir, whole(*argv))


@pytest.mark.parametrize(
    'number, code, records',
    [
        pytest.param(signal.SIGTERM, 143, 2, id='pretraining-15'),
        pytest.param(signal.SIGINT, 130, 11, id='fine_tuning-2'),
        pytest.param(signal.SIGINT, 130, 2, id='pretraining-2', marks=pytest.mark.slow),
        pytest.param(signal.SIGTERM, 143, 11, id='fine_tuning-15', marks=pytest.mark.slow),
    ],
)
def test_a_signal_saves_and_the_resumed_run_ends_byte_identical(
    tmp_path, whole, number, code, records
):
    argv = (*GREEDY, *OFTEN)
    logdir = tmp_path / 'run'
    # So rarely, that only the signal saves.
    rarely = (*GREEDY, '--checkpoint_steps=1000000', '--checkpoint_secs=1000000')
    program = tfae_program.start(*rarely, f'--logdir={logdir}', cwd=tmp_path)
    tfae_program.wait_for(lambda: len(tfae_program.metrics(logdir)) >= records, program)
    program.send(number)
    done = program.wait()
    assert (done.code, done.err) == (code, '')
    (_, step) = tfae_program.steps(logdir)  # beside that of step 0
    assert done.out.splitlines()[-1] == f'stopped by signal {number} at step {step:,}; saved'
    assert (step >= STEPS_BEFORE_FINE_TUNING) == (records > LAYERS * PRETRAINING)
    resumed = tfae_program.run(*argv, f'--logdir={logdir}', cwd=tmp_path)
    assert f'{logdir}: at step {step:,} of ' in resumed.out
    assert_same(logdir, whole(*argv))


def test_the_real_program_ends_with_143_on_sigterm(tmp_path):
    argv = ('train', '--units=8,4', '--epochs=100000', f'--logdir={tmp_path / "run"}')
    process = tfae_program.cold(*argv, cwd=tmp_path)
    while not tfae_program.metrics(tmp_path / 'run') and process.poll() is None:
        time.sleep(0.01)
    process.terminate()
    done = tfae_program.finish(process)
    assert (done.code, done.err) == (143, '')
    assert tfae_program.steps(tmp_path / 'run')[-1] > 0


def test_early_stopping_decides_after_kills_as_it_would_have(tmp_path, whole):
    argv = (
        'train',
        '--units=12,4',
        '--optimizer=momentum',
        '--learning_rate=2',
        '--corruption=dropout:0.5',
        '--epochs=200',
        '--early_stopping_epochs=4',
        '--checkpoint_steps=13',
    )
    unbroken = tfae_program.metrics(whole(*argv))
    losses = [record['validation_loss'] for record in unbroken]
    assert 8 < len(losses) < 200
    assert len(losses) - 1 - losses.index(min(losses)) == 4  # epochs without a lower one
    logdir = tmp_path / 'run'
    assert kill_many_times(argv, logdir, [len(losses) - 5, len(losses) - 2], seed=0)
    done = tfae_program.run(*argv, f'--logdir={logdir}', cwd=tmp_path)
    assert done.out.splitlines()[-1].startswith('finished at step')
    assert ', early: validation_loss did not improve' in done.out.splitlines()[-1]
    assert_same(logdir, whole(*argv))


@pytest.mark.parametrize(
    'broken', ['index', pytest.param('data-00000-of-00001', marks=pytest.mark.slow)]
)
def test_a_truncated_checkpoint_gives_way_to_the_one_before(tmp_path, whole, broken):
    argv = (*GREEDY, *OFTEN)
    logdir = tmp_path / 'run'
    assert kill_after(argv, logdir, 12, 0.05)
    *_, before, newest = tfae_program.steps(logdir)
    path = logdir / f'model-{newest}.{broken}'
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    done = tfae_program.run(*argv, f'--logdir={logdir}', cwd=tmp_path)
    assert (done.code, done.err) == (0, '')
    said, at = [line for line in done.out.splitlines() if not line.startswith('data set ')][:2]
    assert said.startswith(f'checkpoint {logdir}/model-{newest} cannot be read (')
    assert said.endswith('); trying the previous one')
    assert at.startswith(f'{logdir}: at step {before:,} of ')
    assert_same(logdir, whole(*argv))


def test_without_a_checkpoint_that_can_be_read_the_program_says_so(tmp_path):
    argv = ('train', '--units=8,4', '--epochs=3', '--checkpoint_steps=20', '--logdir=run')
    assert tfae_program.run(*argv, cwd=tmp_path).code == 0
    logdir = tmp_path / 'run'
    (logdir / 'metrics.jsonl').write_text('')  # so that the run does not look finished
    for path in logdir.glob('model-*'):
        path.write_bytes(path.read_bytes()[:20])
    kept = tfae_program.contents(logdir)
    done = tfae_program.run(*argv, cwd=tmp_path)
    assert done.refusal(1) == 'none of the 3 checkpoints in run can be read'
    assert tfae_program.contents(logdir) == kept
    for command in ('evaluate', 'variables'):
        done = tfae_program.run(command, '--logdir=run', '--checkpoint=last', cwd=tmp_path)
        assert done.refusal(1) == 'none of the 3 checkpoints in run can be read'
