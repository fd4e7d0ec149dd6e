"""Model families: a family's name is its file's name in this folder.

A family is one readable file that opens with its paper and its equations and defines

    Config    a frozen dataclass; its fields become flags
    Outputs   a NamedTuple of tensors [B, ...], each field with its shape: what one picture becomes
    Model     configured with numbers, connected with tensors:

        Model(config, image_shape, classes=0)   touches no graph; refuses what cannot be built;
                                                `classes` is 0 where the set has no labels
        model(images, seed=None)    -> Outputs; `seed` None means inference: no noise
        model.objectives            functions Batch -> Objective, run in turn at every step

and what of the following it can do:

        model.encode(images)        [B, H, W, C] -> code [B, Z], the first field of its Outputs
        model.decode(code)          [B, Z] -> mean pictures [B, H, W, C]
        model.code_size             Z, with either of the two
        model.prior(count, seed)    codes [count, Z] from the distribution that codes should have
        model.corrupt(images, seed) the pictures as the encoder sees them in training
        model.layerwise()           Layers, input side first, for greedy pretraining
        model.head(batch)           the Objective of what lies on top of the code; `batch.images`
                                    are codes [B, Z], frozen: a phase of its own (--head_epochs)
        model.measures(batch)       name -> [B] or [B, K], whose means `evaluate` prints; `batch`
                                    has a seed of its own where the set's pictures are measured
        model.trouble(means)        what is wrong by the means of an epoch, or '': the run says so

Outputs have the fields `code` if there is an encoder, `reconstruction` [B, H, W, C] in [0, 1] if
there are both sides, `logits` of the pixels if they are Bernoulli's, and `probabilities`
[B, classes] if it classifies.

Every call shares the variables of the first, by name, under the variable scope that is current:
two models live in one graph under two outer scopes. A family imports no other.
"""

from types import ModuleType

from tfae.core import errors
from tfae.models import classifier, convolutional, dense, gan, siamese, variational
from tfae.models.base.contract import problem
from tfae.models.base.objective import Batch, Layer, Objective, trainable

__all__ = ['FAMILIES', 'Batch', 'Layer', 'Objective', 'load', 'names', 'problem', 'trainable']

FAMILIES: dict[str, ModuleType] = {
    'classifier': classifier,
    'convolutional': convolutional,
    'dense': dense,
    'gan': gan,
    'siamese': siamese,
    'variational': variational,
}


def names() -> list[str]:
    """Names of the families, sorted."""
    return sorted(FAMILIES)


def load(name: str) -> ModuleType:
    """The module of family `name`.

    Raises: UsageError with the nearest names if there is none.
    """
    return FAMILIES[errors.one_of('--model', name, FAMILIES)]
