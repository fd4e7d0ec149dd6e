"""How a run is watched and kept, and which threads and devices it takes."""

import dataclasses

from tfae.core.config import Part, option


@dataclasses.dataclass(frozen=True)
class Config(Part):
    """How a run is watched and kept; changes no result but by rounding, and may change anew."""

    checkpoint_steps: int = option(1000, 'Steps between two checkpoints.', within='[1, inf) steps')
    checkpoint_secs: float = option(
        60.0, 'Seconds after which a checkpoint is due all the same.', within='[0, inf) seconds'
    )
    keep_checkpoints: int = option(3, 'Newest checkpoints that are kept.', within='[1, inf)')
    summary_steps: int = option(
        100, 'Steps between two scalars in TensorBoard.', within='[1, inf) steps'
    )
    towers: int = option(
        1,
        'Devices of this process that share each batch: GPUs, or parts of the CPU where there is '
        'none; 0 takes every GPU.',
        within='[0, inf)',
    )
    inter_op_threads: int = option(
        0, 'Operations run at once; 0 chooses for the model.', within='[0, inf) threads'
    )
    intra_op_threads: int = option(
        0, 'Threads an operation may take; 0 chooses for the model.', within='[0, inf) threads'
    )
