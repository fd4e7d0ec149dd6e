"""Options of training that change results by rounding at most: logging, checkpoints, devices."""

import dataclasses

from tfae.core.config import Part, option


@dataclasses.dataclass(frozen=True)
class Config(Part):
    """Logging, checkpoints, threads and devices; they may differ each time a run is resumed."""

    checkpoint_steps: int = option(
        1000,
        'Number of training steps from one checkpoint to the next.',
        within='[1, inf) steps',
    )
    checkpoint_secs: float = option(
        60.0,
        'Also writes a checkpoint if the last one is older than this.',
        within='[0, inf) seconds',
    )
    keep_checkpoints: int = option(
        3,
        'Number of newest checkpoints to keep, in addition to the one in best/.',
        within='[1, inf)',
    )
    keep_epochs: tuple[int, ...] = option(
        (),
        'Keeps the model after these epochs of the last phase, in epochs/ of the run, for '
        '`tfae sample --over_epochs`. Not recorded: a resumed run needs it again.',
        within='[1, 1000000000] epochs',
    )
    summary_steps: int = option(
        100,
        'Number of training steps from one TensorBoard log of losses, gradient norms and '
        'learning rate to the next.',
        within='[1, inf) steps',
    )
    towers: int = option(
        1,
        'Number of devices of this process among which each batch is split: GPUs, or virtual '
        'CPUs on a machine without GPUs; 0: all GPUs.',
        within='[0, 1024]',
    )
    inter_op_threads: int = option(
        0,
        'Maximum number of operations that run in parallel; 0: chosen for the model.',
        within='[0, 1024] threads',
    )
    intra_op_threads: int = option(
        0,
        'Maximum number of threads for one operation; 0: chosen for the model.',
        within='[0, 1024] threads',
    )
