"""Which share of a batch a process trains on: a value, without a graph and without a session."""

import dataclasses
import math
from collections.abc import Sequence

from tfae.core import errors
from tfae.ops import stateless_random


@dataclasses.dataclass(frozen=True)
class Replica:
    """One worker of those that train a run together, and the devices it divides its batch over."""

    index: int = 0  # of this worker; 0 is the chief
    workers: int = 1
    towers: Sequence[str] = ('',)  # names of this worker's devices

    def share(self, tower: int) -> stateless_random.Share:
        """Returns the share of a batch that a tower of this worker trains on."""
        count = len(self.towers)
        return stateless_random.Share(self.index * count + tower, self.workers * count)

    def refuse_uneven(self, batch_size: int, micro_batches: int) -> None:
        """Refuses a batch that cannot be divided equally.

        Args:
          batch_size: examples of a batch, over all workers.
          micro_batches: in which each tower takes its share.
        Raises: UsageError that names the factors.
        """
        shared = {
            'workers': self.workers,
            'towers': len(self.towers),
            '--accumulation_steps': micro_batches,
        }
        if batch_size % math.prod(shared.values()):
            by = ' times '.join(f'{count} {what}' for what, count in shared.items() if count > 1)
            raise errors.UsageError(
                f'a batch has {batch_size} examples; their number must be a multiple of {by}'
            )


SINGLE = Replica()  # the only worker, on the device that TensorFlow chooses
