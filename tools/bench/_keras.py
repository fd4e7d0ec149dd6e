"""Keras 3 as a contender of training.py."""

import math
import time

import _cases
import _channel
import _keras_models
import keras

_PARTS = 140  # maximum number of batches between two readings of the clock


class Rounds(keras.callbacks.Callback):
    """Works in rounds of one or more short epochs."""

    def __init__(self, channel: _channel.Channel, examples: int):
        super().__init__()
        self._channel = channel
        self._examples = examples  # of a short epoch

    def on_train_begin(self, logs=None):
        """Reports that training is ready to start."""
        found = parameters(self.model)
        self._channel.tell(ready=f'Keras {keras.__version__}', parameters=found)

    def on_epoch_begin(self, epoch, logs=None):
        """Waits for the first round."""
        if epoch == 0:
            self._begin()

    def on_epoch_end(self, epoch, logs=None):
        """Ends the round if it is long enough."""
        self._done += self._examples
        elapsed = time.perf_counter() - self._start
        if elapsed >= self._seconds:
            self._channel.tell(done=self._done, seconds=elapsed)
            self._begin()

    def _begin(self):
        seconds = self._channel.wait()
        self.model.stop_training = seconds is None
        self._seconds = math.inf if seconds is None else seconds
        self._start, self._done = time.perf_counter(), 0


def parameters(model: keras.Model) -> int:
    """Returns the number of trained parameters."""
    return sum(math.prod(v.shape) for v in model.trainable_variables)


def run(job: _channel.Job, channel: _channel.Channel) -> None:
    """Runs one endless `fit`, which pauses between rounds.

    Each pass over the data is split into equal short epochs. The callback reads the clock at their
    ends; no callback runs in between.
    """
    case = job.trained
    x = _cases.inputs(case, job.count)
    batches = -(-job.count // case.batch)
    part = max(n for n in range(1, min(batches, _PARTS) + 1) if batches % n == 0)
    # Families with their own `train_step` take no targets.
    targets = None if case.family in ('variational', 'gan') else x
    _keras_models.compiled(case).fit(
        x,
        targets,
        batch_size=case.batch,
        epochs=10**9,
        steps_per_epoch=part,
        shuffle=True,
        verbose=0,
        callbacks=[Rounds(channel, part * case.batch)],
    )
