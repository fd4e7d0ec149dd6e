"""What workers tell each other inside the graph, by TensorFlow's own collective operations.

Every worker builds the same graph, so the n-th collective of one is the n-th of all. Sums go round
a ring, in which each of n workers sends 2 (n - 1) / n of the numbers (Patarasuk and Yuan, Journal
of Parallel and Distributed Computing 69, 2009): all end with the same bits.
"""

import contextlib
import json
import math
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow.compat.v1 as tf

from tfae.core import errors, names
from tfae.core.signals import Interrupt
from tfae.ops import stateless_random

_GONE = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
)
FAILED = -1  # the end of a run that the chief could not go on with
_GROUP = 1
_SHORT, _LONG = 0.25, 1.0  # seconds between which a turn is to lie
_MOST = 64  # steps of a turn
# Numbers of a tensor, for each worker, from which on it goes alone: at 1.25 GB/s it takes as long
# as the ring's messages, of 0.1 ms each.
ALONE = 2**15


class Turn(NamedTuple):
    """What all do before they meet again; the chief says, save for the wish."""

    wish: int = 0  # number of the signal by which someone wishes to stop
    phase: int = 0
    look: int = 0  # whether the scalars of the step to come are wanted
    steps: int = 0
    over: int = 0  # whether there is no further turn
    failed: int = 0
    code: int = 0  # exit code


def lost(error: Exception) -> bool:
    """Whether an error of a session says that another worker does not answer."""
    # The state of a group that a worker has left is told as a failed precondition.
    stale = isinstance(error, tf.errors.OpError) and 'ollective' in error.message
    return isinstance(error, _GONE) or stale


def _alone(tensor: tf.Tensor, workers: int) -> bool:
    return tensor.shape.num_elements() >= ALONE * workers


class Team:
    """The workers of a run, as one of them sees them, and the devices of this one."""

    def __init__(self, index: int = 0, size: int = 1, towers: Sequence[str] = ('',)):
        self.index = index
        self.size = size
        self.towers = towers
        self._instances = 0
        self._steps, self._met = 1, 0.0
        self.begun = False

    def share(self, tower: int) -> stateless_random.Share:
        """Which of a batch a tower of this worker works on."""
        count = len(self.towers)
        return stateless_random.Share(self.index * count + tower, self.size * count)

    def mean(self, tensors: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        """Mean of each tensor, all of one type, over the workers.

        The large ones go by themselves, the last one first: gradients come from a network's end, so
        these are on their way while others are still computed. The small ones go together.
        """
        if self.size == 1 or not tensors:
            return list(tensors)
        with tf.name_scope(names.TEAM):
            whole = [tf.convert_to_tensor(tensor) for tensor in tensors]
            large = [i for i, tensor in enumerate(whole) if _alone(tensor, self.size)]
            small = [i for i in range(len(whole)) if i not in large]
            found: dict[int, tf.Tensor] = {}
            before: list[tf.Tensor] = []
            for i in reversed(large):
                # One after another, in an order that is the same for all.
                with tf.control_dependencies(before):
                    found[i] = self._reduce(whole[i], 'Add', 'Div')
                before = [found[i]]
            if small:
                flat = tf.concat([tf.reshape(whole[i], [-1]) for i in small], 0)
                with tf.control_dependencies(before):
                    reduced = self._reduce(flat, 'Add', 'Div')
                parts = tf.split(reduced, [whole[i].shape.num_elements() for i in small])
                shaped = [tf.reshape(p, whole[i].shape) for p, i in zip(parts, small, strict=True)]
                found |= dict(zip(small, shaped, strict=True))
            return [found[i] for i in range(len(whole))]

    def connect(self, variables: Sequence[tf.Variable]) -> None:
        """Builds what `begin` and `turn` run."""
        if self.size == 1:
            return
        with tf.name_scope(f'{names.TEAM}/'), tf.device('/cpu:0'):
            self._text = tf.placeholder(tf.int32, [None])
            length = self._from_chief(tf.shape(self._text), [1])
            with tf.control_dependencies([length]):
                self._told = self._from_chief(self._text, length)
            self._shared = self._told.op
            for variable in variables:
                # One after another: those that wait hold a thread, and all must hold the same.
                with tf.control_dependencies([self._shared]):
                    told = self._from_chief(variable.read_value(), variable.shape)
                    self._shared = variable.assign(told).op
            self._said = tf.placeholder(tf.int32, [len(Turn._fields)])
            self._agreed = self._reduce(self._said, 'Max', 'Id')

    def begin(self, run: Callable[..., Any], content: dict[str, Any]) -> dict[str, Any]:
        """Gives all the chief's variables and its content of config.json, which it returns."""
        if self.size == 1:
            return content
        coded = np.frombuffer(json.dumps(content).encode(), np.uint8)
        told, _ = run([self._told, self._shared], {self._text: coded})
        self.begun = True
        return json.loads(bytes(told.astype(np.uint8)))

    def turn(self, run: Callable[..., Any], said: Turn) -> Turn:
        """What all have said, the largest of each number."""
        return Turn(*map(int, run(self._agreed, {self._said: list(said)})))

    def lead(
        self, run: Callable[..., Any], interrupt: Interrupt, phase: int, look: bool, steps: int
    ) -> int:
        """As the chief: how many steps all make now, at most `steps`, so that no signal waits long.

        It is 0 where a signal came to one of them, which `interrupt` then knows too.
        """
        if self.size == 1:
            return steps
        passed = time.monotonic() - self._met
        if passed < _SHORT:
            self._steps = min(self._steps * 2, _MOST)
        elif passed > _LONG:
            self._steps = max(self._steps // 2, 1)
        turn = self.turn(run, Turn(interrupt.number, phase, int(look), min(steps, self._steps)))
        self._met = time.monotonic()
        interrupt.number = interrupt.number or turn.wish
        return 0 if turn.wish else turn.steps

    def patient(self, run: Callable[..., Any]) -> Callable[..., Any]:
        """As the chief: `run`, which also keeps those from giving up who wait for the next turn.

        For what is many runs and no steps, as validation is.
        """

        def patiently(*given: Any) -> Any:
            if self.begun and time.monotonic() - self._met > _SHORT:
                self.turn(run, Turn())  # a wish to stop is uttered again
                self._met = time.monotonic()
            return run(*given)

        return patiently

    def end(self, run: Callable[..., Any], code: int) -> None:
        """As the chief: tells all that the run is over, with this exit code or `FAILED`."""
        if self.begun:
            failed = code == FAILED
            with contextlib.suppress(*(_GONE if failed else ())):  # there is another error to tell
                self.turn(run, Turn(over=1, failed=int(failed), code=max(code, 0)))
            self.leave(run)

    def leave(self, run: Callable[..., Any]) -> None:
        """Waits until all know that the run is over: a process that ends takes its words along."""
        with contextlib.suppress(*_GONE):
            self.turn(run, Turn())

    def refuse_uneven(self, batch_size: int, parts: int) -> None:
        """Raises UsageError if a batch in `parts` has no equal shares."""
        shared = {'workers': self.size, 'towers': len(self.towers), '--accumulation_steps': parts}
        if batch_size % math.prod(shared.values()):
            by = ' times '.join(f'{count} {what}' for what, count in shared.items() if count > 1)
            raise errors.UsageError(
                f'a batch has {batch_size} examples; their number must be a multiple of {by}'
            )

    def _reduce(self, value: tf.Tensor, merge: str, final: str) -> tf.Tensor:
        with tf.device('/cpu:0'):
            reduced = tf.raw_ops.CollectiveReduceV2(
                input=value,
                **self._group(),
                ordering_token=[],
                merge_op=merge,
                final_op=final,
            )
        reduced.set_shape(value.shape)
        return reduced

    def _from_chief(self, value: tf.Tensor, shape: Any) -> tf.Tensor:
        """The chief's `value`."""
        if self.index == 0:
            return tf.raw_ops.CollectiveBcastSendV2(input=value, **self._group())
        return tf.raw_ops.CollectiveBcastRecvV2(T=value.dtype, shape=shape, **self._group())

    def _group(self) -> dict[str, Any]:
        self._instances += 1
        return {
            'group_size': self.size,
            'group_key': _GROUP,
            'instance_key': self._instances,
            'communication_hint': 'ring',
        }
