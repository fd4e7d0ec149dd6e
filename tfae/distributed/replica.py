"""The slice of a batch that a worker and its towers train on."""

import dataclasses
import math
from collections.abc import Sequence

from tfae.core import errors
from tfae.ops import stateless_random


@dataclasses.dataclass(frozen=True)
class Replica:
    """One worker of a run, and the devices that it splits its batch over."""

    index: int = 0  # of this worker; 0 is the chief
    workers: int = 1
    towers: Sequence[str] = ('',)  # names of this worker's devices

    def slice(self, tower: int) -> stateless_random.Slice:
        """Returns the slice of a batch that a tower of this worker trains on."""
        count = len(self.towers)
        return stateless_random.Slice(self.index * count + tower, self.workers * count)

    def refuse_uneven(self, batch_size: int, micro_batches: int) -> None:
        """Refuses a batch that cannot be divided equally.

        Args:
          batch_size: examples of a batch, over all workers.
          micro_batches: of each tower.
        Raises: UsageError that names the factors.
        """
        factors = {
            'workers': self.workers,
            'towers': len(self.towers),
            '--accumulation_steps': micro_batches,
        }
        if batch_size % math.prod(factors.values()):
            by = ' times '.join(f'{count} {what}' for what, count in factors.items() if count > 1)
            raise errors.UsageError(
                f'a batch has {batch_size} examples; the number must be a multiple of {by}'
            )


SINGLE = Replica()  # without distribution, on the device that TensorFlow chooses
