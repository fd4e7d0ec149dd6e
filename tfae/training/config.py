"""The configuration of a training step: optimizer, learning rate, batch and order of examples."""

import dataclasses
import math
from typing import Literal

from tfae.core import errors
from tfae.core.config import Part, option
from tfae.data.pipeline import Order
from tfae.ops import augmentation
from tfae.training import freezing

Optimizer = Literal['sgd', 'momentum', 'nesterov', 'adagrad', 'rmsprop', 'adam']
Decay = Literal['constant', 'linear', 'exponential', 'cosine']

# Epochs of the last phase by default: as many as make these updates, within these bounds.
_UPDATES = 2_000
_MIN_EPOCHS, _MAX_EPOCHS = 10, 100


@dataclasses.dataclass(frozen=True)
class TrainingConfig(Part):
    """How a loss is minimized."""

    optimizer: Optimizer = option('adam', 'Optimizer.')
    learning_rate: float = option(
        1e-3, 'Learning rate at the start of each phase.', within='[0, inf)'
    )
    learning_rate_decay: Decay = option(
        'constant',
        'Learning-rate schedule of each phase.',
    )
    learning_rate_end: float = option(
        0.01,
        'Learning rate at the end of each phase, as a fraction of --learning_rate.',
        within='[0, inf)',
        needs=('--learning_rate_decay=linear,exponential,cosine',),
    )
    warmup_epochs: float = option(
        0.0,
        'Epochs of linear learning-rate warm-up; 0: no warm-up.',
        within='[0, 1000000000] epochs',
    )
    momentum: float = option(
        0.9,
        'Momentum coefficient of momentum, nesterov and rmsprop.',
        within='[0, inf)',
        needs=('--optimizer=momentum,nesterov,rmsprop',),
    )
    adam_beta1: float = option(
        0.9,
        "Decay of adam's moving mean of gradients; often 0.5 for GANs.",
        within='[0, 1)',
        needs=('--optimizer=adam',),
    )
    adam_beta2: float = option(
        0.999,
        "Decay of adam's moving mean of squared gradients.",
        within='[0, 1)',
        needs=('--optimizer=adam',),
    )
    adam_epsilon: float = option(
        1e-8,
        'Added to the denominator of adam for numerical stability.',
        within='[0, inf)',
        needs=('--optimizer=adam',),
    )
    rmsprop_decay: float = option(
        0.9,
        "Decay of rmsprop's moving mean of squared gradients.",
        within='[0, 1)',
        needs=('--optimizer=rmsprop',),
    )
    rmsprop_epsilon: float = option(
        1e-10,
        'Added to the squared denominator of rmsprop for numerical stability.',
        within='[0, inf)',
        needs=('--optimizer=rmsprop',),
    )
    order: Order = option(
        'shuffled',
        'Order of the examples: shuffled again in every epoch, sequential as in the data set, or '
        'sampled with_replacement.',
    )
    batch_size: int = option(
        64,
        'Examples per update; 0: the whole training set. The default is reduced to the size of a '
        'smaller training set.',
        within='[0, inf) examples',
    )
    accumulation_steps: int = option(
        1,
        'Number of micro-batches per batch, whose gradients are averaged to save memory; 1: no '
        'splitting.',
        within='[1, inf)',
    )
    augment: tuple[augmentation.Augmentation, ...] = option(
        (),
        'Random augmentation of training images: flip (left to right), crop:pixels (translation) '
        'and jitter:fraction (brightness and contrast). Not applied in phases that train on codes.',
    )
    clip_norm: float = option(
        0.0, 'Clips gradients to this global norm; 0: no clipping.', within='[0, inf)'
    )
    epochs: int = option(
        -1,
        'Epochs of joint training, or of fine-tuning after pretraining; -1: 10, or up to 100 for '
        'training sets so small that 10 epochs would make fewer than 2,000 updates.',
        within='[-1, 1000000000] epochs',
    )
    early_stopping_epochs: int = option(
        0,
        'Early stopping: ends the last phase after this many epochs without a lower validation '
        'loss; 0: no early stopping.',
        within='[0, 1000000000] epochs',
    )
    restore_from: str = option(
        '',
        'Initializes variables from those of the same name in a checkpoint, a run or a file: .npz, '
        '.safetensors, .pth, .h5.',
    )
    restore_map: tuple[str, ...] = option(
        (),
        'Pairs old_scope:new_scope that rename variables read by --restore_from.',
        needs=('--restore_from',),
    )
    freeze: tuple[freezing.Frozen, ...] = option(
        (),
        'Scopes whose variables are not trained, such as encoder. scope:steps freezes them only '
        'for this number of steps from the start of the run.',
    )
    seed: int = option(
        0,
        'Random seed of the initial variables, the order of the examples and all noise.',
        within='[0, 18446744073709551615]',
    )

    def __post_init__(self):
        super().__post_init__()
        self._refuse_unequal_micro_batches(self.batch_size)

    def batch(self, count: int) -> int:
        """Returns the batch size for a training set of `count` examples.

        Raises: UsageError if the set is smaller than a batch other than the default, or a batch
          cannot be divided into equal micro-batches.
        """
        if self.batch_size > count and self.batch_size != TrainingConfig.batch_size:
            raise errors.UsageError(
                f'--batch_size is {self.batch_size}; the training set has only {count} examples'
            )
        size = min(self.batch_size or count, count)
        self._refuse_unequal_micro_batches(size)
        return size

    def last_epochs(self, count: int) -> int:
        """Returns the epochs of the last phase for a training set of `count` examples."""
        if self.epochs >= 0:
            return self.epochs
        wanted = math.ceil(_UPDATES * self.batch(count) / count)
        return min(max(wanted, _MIN_EPOCHS), _MAX_EPOCHS)

    def _refuse_unequal_micro_batches(self, size: int) -> None:
        if size % self.accumulation_steps:
            whole = '' if size == self.batch_size else ', which is the whole training set'
            raise errors.UsageError(
                f'--accumulation_steps is {self.accumulation_steps}; it must divide '
                f'--batch_size, {size}{whole}'
            )
