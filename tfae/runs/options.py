"""How a run is watched and kept, and which threads and devices it takes."""

import dataclasses
import math

from tfae.core import errors
from tfae.core.config import option


@dataclasses.dataclass(frozen=True)
class Config:
    """How a run is watched and kept; changes no result but by rounding, and may change anew."""

    checkpoint_steps: int = option(1000, 'Steps between two checkpoints.')
    checkpoint_secs: float = option(60.0, 'Seconds after which a checkpoint is due all the same.')
    keep_checkpoints: int = option(3, 'Newest checkpoints that are kept.')
    summary_steps: int = option(100, 'Steps between two scalars in TensorBoard.')
    towers: int = option(
        1,
        'Devices of this process that share each batch: GPUs, or parts of the CPU where there is '
        'none; 0 takes every GPU.',
    )
    inter_op_threads: int = option(0, 'Operations run at once; 0 chooses for the model.')
    intra_op_threads: int = option(0, 'Threads an operation may take; 0 chooses for the model.')

    def __post_init__(self):
        for name in ('checkpoint_steps', 'keep_checkpoints', 'summary_steps'):
            errors.in_range(f'--{name}', getattr(self, name), 1, math.inf)
        for name in ('checkpoint_secs', 'towers', 'inter_op_threads', 'intra_op_threads'):
            errors.in_range(f'--{name}', getattr(self, name), 0, math.inf)
