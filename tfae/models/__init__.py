"""Model families: modules that follow the contract below.

`--model` takes the name of a built-in family, a name registered by an installed package under the
entry point group `tfae.models`, or the path of an importable module: `package.module`.
`tfae.testing.check_family` checks a module against the contract. A family defines

    Config    a frozen dataclass; its fields become flags
    Outputs   a NamedTuple of tensors [B, ...], each field with its shape
    Model     configured with numbers, connected with tensors:

        Model(config, image_shape, classes=0)   adds nothing to the graph; raises UsageError for
                                                settings that cannot be built; `classes` is 0 for
                                                a data set without labels. `image_shape` is
                                                `(H, W, C)`, or `(D,)` for rows of a table, which
                                                then take the place of images: [B, D]
        model(images, seed=None)    -> Outputs; without a seed: inference, no noise
        model.objectives            functions Batch -> Objective, run in turn at every step

and any of these optional methods:

        model.encode(images)        [B, H, W, C] -> code [B, Z], the first field of its Outputs
        model.decode(code)          [B, Z] -> mean images [B, H, W, C]
        model.code_size             Z, required with either of the two
        model.prior(count, seed)    codes [count, Z] sampled from the prior
        model.corrupt(images, seed) the images as the encoder receives them in training
        model.layerwise()           Layers, input side first, for greedy pretraining
        model.head(batch)           the Objective of the layers on top of the code; `batch.images`
                                    are frozen codes [B, Z]: a phase of its own (--head_epochs)
        model.measures(batch)       name -> [B] or [B, K], whose means `evaluate` prints
        model.MASKING               True if losses and measures leave out the values of a batch
                                    where `batch.present` is 0, for --missing=mask
        model.trouble(means)        a warning about the means of an epoch, or ''; training prints it
        model.learned_nothing(means, constants)
                                    why the last epoch is no better than a constant prediction, with
                                    both figures, or ''; training prints it at its end

Outputs have a field `code` with an encoder, `reconstruction` [B, H, W, C] in [0, 1] with an encoder
and a decoder, `logits` [B, H, W, C] of Bernoulli pixels, `probabilities` [B, classes] of a
classifier, and `prediction` [B] of a quantity.

Every call shares the variables of the first, by name, under the current variable scope: two models
can live in one graph under two outer scopes. Every field of `Config` has a help text and a default,
and no field has the name of a flag of training or data. A built-in family is one file that opens
with its paper and its equations; families do not import each other.
"""

import contextlib
import dataclasses
from collections.abc import Collection, Sequence
from typing import Any, cast

from tfae.core import errors, registry
from tfae.models import (
    classifier,
    convolutional,
    custom_functions,
    dense,
    gan,
    regressor,
    siamese,
    variational,
)
from tfae.models.base import contract
from tfae.models.base.contract import problem
from tfae.models.base.family import Family, Model
from tfae.models.base.objective import Batch, Layer, Objective, trainable
from tfae.models.custom_functions import custom

__all__ = [
    'ENTRY_POINTS',
    'FAMILIES',
    'Batch',
    'Family',
    'Layer',
    'Model',
    'Objective',
    'build',
    'building',
    'custom',
    'load',
    'name_of',
    'names',
    'problem',
    'trainable',
]

ENTRY_POINTS = 'tfae.models'  # entry point group of packages that provide families

FAMILIES: dict[str, Family] = {
    'classifier': classifier,
    'convolutional': convolutional,
    'custom': custom_functions,
    'dense': dense,
    'gan': gan,
    'regressor': regressor,
    'siamese': siamese,
    'variational': variational,
}


def names() -> list[str]:
    """Returns the sorted names of the families, built in or of installed packages."""
    return registry.names(FAMILIES, ENTRY_POINTS)


def load(name: str) -> Family:
    """Returns the module of a family, given its name or the path of an importable module.

    Raises: UsageError with the nearest names if there is none, if importing it raises, or if it
      does not satisfy the contract.
    """
    family = registry.find('--model', name, FAMILIES, ENTRY_POINTS)
    if fault := problem(family):
        raise errors.UsageError(f'--model is {name!r}, a module that is not a family: {fault}')
    return cast(Family, family)


def name_of(config: Any) -> str:
    """Returns the name of the family that a configuration belongs to.

    Raises: UsageError if it is not the `Config` of a family.
    """
    for name, family in FAMILIES.items():
        if type(config) is family.Config:
            return name
    name = type(config).__module__
    made = dataclasses.is_dataclass(config) and not isinstance(config, type)
    if made and load(name).Config is type(config):
        return name
    raise errors.UsageError(
        f'--model is of type {type(config).__name__}; it must be the name of a family, an '
        f'experiment or a Config of a family'
    )


def build(
    name: str,
    config: Any,
    image_shape: Sequence[int],
    classes: int,
    taken: Collection[str] = (),
) -> Model:
    """Returns a model of a family.

    Args:
      name: name of the family.
      config: its `Config`.
      image_shape: `(H, W, C)`, or `(D,)` of a table.
      classes: K, number of classes; 0 without labels.
      taken: flag names that the `Config` of a plug-in family must not use.
    Returns: the model; the graph is unchanged.
    Raises: UsageError as `load` does, and for settings that cannot be built; for a plug-in family
      also if its code raises or violates the contract.
    """
    family, who = load(name), f'--model={name}'
    if name in FAMILIES:
        return contract.model(who, family, config, image_shape, classes)
    if fault := problem(family, taken):
        raise errors.UsageError(f'{who}: {fault}')
    return contract.model_from_outside(who, family, config, image_shape, classes)


def building(name: str) -> contextlib.AbstractContextManager[None]:
    """Returns a context that turns exceptions of a plug-in family's code into UsageErrors.

    Exceptions of a built-in family pass unchanged: they are errors of tfae itself.
    """
    if name in FAMILIES:
        return contextlib.nullcontext()
    return contract.building(f'--model={name}', load(name))
