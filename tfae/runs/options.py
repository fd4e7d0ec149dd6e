"""Options of training that change results by rounding at most: logging, checkpoints, devices."""

import dataclasses

from tfae.core.config import Part, option


@dataclasses.dataclass(frozen=True)
class Config(Part):
    """Logging, checkpoints, threads and devices; they may differ each time a run is resumed."""

    checkpoint_steps: int = option(
        1000,
        'Writes a checkpoint at every multiple of this number of steps.',
        within='[1, inf) steps',
    )
    checkpoint_secs: float = option(
        60.0, 'Also writes a checkpoint when the last one is this old.', within='[0, inf) seconds'
    )
    keep_checkpoints: int = option(
        3,
        'Keeps this number of the newest checkpoints; the one in best/ comes in addition.',
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
        'Logs losses, gradient norms and learning rate to TensorBoard once per this number of '
        'steps.',
        within='[1, inf) steps',
    )
    towers: int = option(
        1,
        'Splits each batch among this number of devices of the process: GPUs, or virtual CPUs on a '
        'machine without any; 0 takes every GPU.',
        within='[0, 1024]',
    )
    inter_op_threads: int = option(
        0,
        'Runs at most this number of operations at a time; 0 chooses by the model.',
        within='[0, 1024] threads',
    )
    intra_op_threads: int = option(
        0,
        'Runs an operation on at most this number of threads; 0 chooses by the model.',
        within='[0, 1024] threads',
    )
