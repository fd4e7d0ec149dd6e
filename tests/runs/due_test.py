"""When something is due between two steps."""

import types

import pytest

from tfae.runs import due
from tfae.training.phases import Phase


def phase(start=0, count=10):
    source = types.SimpleNamespace(count=count)
    return Phase('training', (), source, source, 3, 0.1, start, start + 1000)


def steps(when, found, until):
    """The steps at which it is due, as a run that stops at each of them finds them."""
    step, made = found.start, []
    while (after := when.next(found, step)) <= until:
        assert not any(when.due(due.Moment(found, step, at, 0)) for at in range(step + 1, after))
        assert when.due(due.Moment(found, step, after, 0))
        made.append(after)
        step = after
    return made


def test_scalars_are_due_at_the_first_step_of_a_phase_and_every_so_many_after():
    when = due.Scalars(4)
    assert when.due(due.Moment(phase(start=7), 7, 7, 0))
    assert steps(when, phase(start=7), 20) == [11, 15, 19]


@pytest.mark.parametrize('batch, wanted', [(5, [9, 11, 13]), (4, [10, 12, 15]), (10, [8, 9, 10])])
def test_an_epoch_ends_with_the_step_that_sees_its_last_example(batch, wanted):
    assert steps(due.EpochEnd(batch), phase(start=7), wanted[-1]) == wanted


def test_an_epoch_does_not_end_where_no_step_was_made():
    assert not due.EpochEnd(5).due(due.Moment(phase(), 2, 2, 15))


def test_checkpoints_are_due_at_multiples_of_the_global_step():
    assert steps(due.Checkpoint(6, 60.0), phase(start=7), 20) == [12, 18]


def test_a_checkpoint_is_due_when_the_last_is_too_old_or_a_signal_came():
    now = [100.0]
    when = due.Checkpoint(1000, 60.0, lambda: now[0])
    assert not when.due(due.Moment(phase(), 2, 3, 0))
    assert when.due(due.Moment(phase(), 2, 3, 15))
    now[0] += 60
    assert when.due(due.Moment(phase(), 2, 3, 0))
    when.restart()
    assert not when.due(due.Moment(phase(), 2, 3, 0))
