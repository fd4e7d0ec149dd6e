"""Where a run goes on: its newest checkpoint of whose past everything is recorded."""

from collections.abc import Sequence
from typing import Any

import tensorflow.compat.v1 as tf

from tfae.core import errors
from tfae.runs import checkpoints
from tfae.runs.directory import METRICS, Folder
from tfae.training import phases as schedule


def restore(
    saver: tf.train.Saver,
    session: Any,
    folder: Folder,
    phases: Sequence[schedule.Phase],
    batch_size: int,
) -> int | None:
    """Restores the newest checkpoint that can be read, and says which cannot.

    Where metrics.jsonl lacks an epoch before it, an older one: a run is a function of its seed and
    its steps, so training makes the record again, bit for bit.

    Returns: its step, or None if there is no checkpoint at all.
    Raises: InputError if none can be read, or all are newer than a record that is lacking.
    """
    step = checkpoints.restore_newest(saver, session, folder.path, print)
    lacking = _first_lacking(folder, phases, batch_size, step or 0)
    if lacking is None:
        return step
    what = f'{folder.path / METRICS} is damaged: it lacks the record of step {lacking:,}'
    step = checkpoints.restore_newest(saver, session, folder.path, print, lacking - 1)
    if step is None:
        raise errors.InputError(
            f'{what}, and every checkpoint is newer; put the file back as it was, or name another '
            f'--logdir'
        )
    print(f'{what}; training goes back to step {step:,} to make it again')
    return step


def _first_lacking(
    folder: Folder, phases: Sequence[schedule.Phase], batch_size: int, step: int
) -> int | None:
    """The first end of an epoch up to `step` that is not recorded."""
    recorded = {record['step'] for record in folder.metrics()}
    for phase in phases:
        at = phase.start
        while at < min(step, phase.stop):
            at = phase.epoch_end(at, batch_size)
            if at <= step and at not in recorded:
                return at
    return None
