"""The configuration of a training step: optimizer, learning rate, batch and order of examples."""

import dataclasses
from typing import Literal

from tfae.core import errors
from tfae.core.config import Part, option
from tfae.data.pipeline import Order
from tfae.ops import augmentation

Optimizer = Literal['sgd', 'momentum', 'nesterov', 'adagrad', 'rmsprop', 'adam']
Decay = Literal['constant', 'linear', 'exponential', 'cosine']


@dataclasses.dataclass(frozen=True)
class TrainingConfig(Part):
    """How a loss is made small."""

    optimizer: Optimizer = option('adam', 'Rule of the update.')
    learning_rate: float = option(1e-3, 'Learning rate at the start of a phase.', within='[0, inf)')
    learning_rate_decay: Decay = option('constant', 'Course of the learning rate over a phase.')
    learning_rate_end: float = option(
        0.01,
        'Learning rate at the end of a phase, as a part of that at its start.',
        within='[0, inf)',
        needs=('--learning_rate_decay=linear,exponential,cosine',),
    )
    warmup_epochs: float = option(
        0.0, 'Epochs in which the learning rate rises from 0.', within='[0, 1000000000] epochs'
    )
    momentum: float = option(
        0.9,
        'Momentum of momentum, nesterov and rmsprop.',
        within='[0, inf)',
        needs=('--optimizer=momentum,nesterov,rmsprop',),
    )
    adam_beta1: float = option(
        0.9,
        "Decay of adam's mean of the gradients; GANs take 0.5.",
        within='[0, 1)',
        needs=('--optimizer=adam',),
    )
    adam_beta2: float = option(
        0.999,
        "Decay of adam's mean of their squares.",
        within='[0, 1)',
        needs=('--optimizer=adam',),
    )
    adam_epsilon: float = option(
        1e-8,
        'Added to the root that adam divides by.',
        within='[0, inf)',
        needs=('--optimizer=adam',),
    )
    rmsprop_decay: float = option(
        0.9,
        "Decay of rmsprop's mean of the squared gradients.",
        within='[0, 1)',
        needs=('--optimizer=rmsprop',),
    )
    rmsprop_epsilon: float = option(
        1e-10,
        'Added below the root that rmsprop divides by.',
        within='[0, inf)',
        needs=('--optimizer=rmsprop',),
    )
    order: Order = option(
        'shuffled',
        'Order of the examples: shuffled anew every epoch, sequential as the set has them, or '
        'drawn with_replacement.',
    )
    batch_size: int = option(
        64, 'Examples an update; 0 takes the whole training set.', within='[0, inf) examples'
    )
    accumulation_steps: int = option(
        1,
        'Equal parts in which a batch goes through the graph, one after another, to save memory.',
        within='[1, inf)',
    )
    augment: tuple[augmentation.Augmentation, ...] = option(
        (),
        'Changes to the images of a step, of flip (left to right), crop:pixels (moves them) and '
        'jitter:part (brightness and contrast); phases on codes do without.',
    )
    clip_norm: float = option(
        0.0, 'Largest global norm of the gradients; 0 does not clip.', within='[0, inf)'
    )
    epochs: int = option(
        10,
        'Times that the joint or fine-tuning phase sees the training set.',
        within='[0, 1000000000] epochs',
    )
    early_stopping_epochs: int = option(
        0,
        'Epochs without a lower validation loss after which the last phase ends; 0 never.',
        within='[0, 1000000000] epochs',
    )
    restore_from: str = option(
        '', 'Checkpoint, run or .npz whose variables replace the initial ones of the same name.'
    )
    restore_map: tuple[str, ...] = option(
        (),
        'old_scope:new_scope pairs by which --restore_from renames what it reads.',
        needs=('--restore_from',),
    )
    seed: int = option(
        0,
        'Of the initial variables, the order of the examples and all noise.',
        within='[0, 18446744073709551615]',
    )

    def __post_init__(self):
        super().__post_init__()
        self._refuse_unequal_parts(self.batch_size)

    def batch(self, count: int) -> int:
        """Examples an update where the training set has `count`.

        Raises: UsageError if the set is smaller than a batch or cannot be cut into equal parts.
        """
        if self.batch_size > count:
            raise errors.UsageError(
                f'--batch_size is {self.batch_size}; the training set has only {count} examples'
            )
        self._refuse_unequal_parts(self.batch_size or count)
        return self.batch_size or count

    def _refuse_unequal_parts(self, size: int) -> None:
        if size % self.accumulation_steps:
            whole = '' if self.batch_size else ', which is the whole training set'
            raise errors.UsageError(
                f'--accumulation_steps is {self.accumulation_steps}; it must divide '
                f'--batch_size, {size}{whole}'
            )
