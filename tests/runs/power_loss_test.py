"""A loss of power takes what was not flushed to the disk; the run goes on to the same end."""

import functools
import random

import power_loss
import pytest
import tfae_program

TRAIN = (
    *('train', '--dataset=digits', '--units=12,4', '--epochs=3', '--corruption=masking:0.3'),
    *('--checkpoint_steps=13', '--keep_checkpoints=2', '--summary_steps=5', '--logdir=run'),
)
STATES = 3  # of each kind that are gone on from


def points(logdir):
    """(writer, tag, step) of each scalar in the event files, repetitions included."""
    from tensorboard.backend.event_processing import event_file_loader

    return sorted(
        (path.parent.name, value.tag, event.step)
        for path in logdir.rglob('events.*')
        for event in event_file_loader.EventFileLoader(str(path)).Load()
        for value in event.summary.value
        if value.metadata.plugin_data.plugin_name == 'scalars'
    )


@pytest.mark.parametrize('names_kept', [False, True], ids=['names_lost', 'names_kept'])
def test_what_was_not_flushed_is_made_again(tmp_path, names_kept):
    whole, states = tmp_path / 'whole', tmp_path / 'states'
    whole.mkdir()
    watch = functools.partial(power_loss.watch, whole, states, 3, names_kept)
    done = tfae_program.start(*TRAIN, cwd=whole, before=watch).wait()
    assert done.code == 0, done
    wanted = points(whole / 'run')
    assert len(set(wanted)) == len(wanted) > 20
    left = sorted(states.iterdir())
    assert len(left) > 10
    begun = [state for state in left if list(state.glob('run/model-*.index'))]
    assert len(begun) > len(left) / 2
    lost = [f'{x}' for x in begun if not (x / 'run' / 'config.json').read_bytes()]
    assert not lost  # a run that has checkpoints says what it is
    for state in random.Random(0).sample(begun, STATES):
        done = tfae_program.run(*TRAIN, cwd=state)
        assert (done.code, done.err) == (0, ''), (state, done)
        logdir = state / 'run'
        assert tfae_program.steps(logdir)[-1] == 61
        for place in ('', 'best'):
            assert tfae_program.same_bytes(
                tfae_program.checkpoint(logdir / place),
                tfae_program.checkpoint(whole / 'run' / place),
            ), state
        assert tfae_program.metrics(logdir) == tfae_program.metrics(whole / 'run'), state
        assert points(logdir) == wanted, state
