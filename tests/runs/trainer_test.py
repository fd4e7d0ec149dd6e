"""Decisions of the trainer by its records, and errors of its steps."""

import types

import pytest
import tensorflow.compat.v1 as tf

from tfae.core import errors
from tfae.core.signals import Interrupt
from tfae.runs import checkpoints, fit, options
from tfae.runs.trainer import Trainer
from tfae.training.config import TrainingConfig

NAN = float('nan')


@pytest.mark.parametrize(
    'losses, stops, best',
    [
        ([NAN, 3.0, 2.0, 1.0], False, True),
        ([3.0, NAN, 2.0, 2.0], False, True),
        ([3.0, NAN, NAN], True, False),
        ([1.0, 2.0, 3.0], True, False),
        ([NAN], False, False),
    ],
)
def test_a_validation_loss_that_is_nan_is_the_largest(losses, stops, best):
    kept = []
    records = [{'step': k, 'validation_loss': loss} for k, loss in enumerate(losses, 1)]
    settings = TrainingConfig(early_stopping_epochs=2)
    trainer = types.SimpleNamespace(
        _experiment=types.SimpleNamespace(training=settings),
        _validated=lambda: records,
        _keep=lambda *given: kept.append(given),
    )
    assert Trainer._stopped_early(trainer) == stops
    Trainer._keep_if_best(trainer)
    assert kept == [('best', 1)] * best


@pytest.mark.parametrize(
    'saved, more', [(-1, ''), (1200, '; the last complete one is from step 1,200')]
)
def test_a_checkpoint_that_cannot_be_written_names_the_last_one(monkeypatch, saved, more):
    def full(*_):
        raise errors.InputError('no space')

    monkeypatch.setattr(checkpoints, 'write', full)
    trainer = types.SimpleNamespace(_saved_step=saved, _session=None, _step=0)
    with pytest.raises(errors.InputError, match=f'^no space{more}$'):
        Trainer._write(trainer, None, None, 1, None)


def test_exhausted_memory_is_refused_in_one_line():
    workers = types.SimpleNamespace(replica=types.SimpleNamespace(workers=1))
    wanted = r'^out of memory \(OOM when allocating\); --accumulation_steps splits a batch'
    with pytest.raises(errors.InputError, match=wanted), fit._losing(workers, Interrupt()):
        raise tf.errors.ResourceExhaustedError(None, None, 'OOM when allocating\n\t [[node]]')


def test_more_towers_than_any_machine_has_are_refused():
    with pytest.raises(errors.UsageError, match='--towers is 2147483647; it must lie in'):
        options.Config(towers=2**31 - 1)
