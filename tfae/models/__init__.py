"""Model families: a module that follows the contract below is one.

`--model` takes the name of a built-in family, a name that an installed package brings by an entry
point of the group `tfae.models`, or any module that Python can import: `package.module`.
`tfae.testing.check_family` runs the laws of the contract over a module. A family defines

    Config    a frozen dataclass; its fields become flags
    Outputs   a NamedTuple of tensors [B, ...], each field with its shape: what an image becomes
    Model     configured with numbers, connected with tensors:

        Model(config, image_shape, classes=0)   touches no graph; refuses what cannot be built;
                                                `classes` is 0 where the set has no labels
        model(images, seed=None)    -> Outputs; `seed` None means inference: no noise
        model.objectives            functions Batch -> Objective, run in turn at every step

and what of the following it can do:

        model.encode(images)        [B, H, W, C] -> code [B, Z], the first field of its Outputs
        model.decode(code)          [B, Z] -> mean images [B, H, W, C]
        model.code_size             Z, with either of the two
        model.prior(count, seed)    codes [count, Z] from the distribution that codes should have
        model.corrupt(images, seed) the images as the encoder sees them in training
        model.layerwise()           Layers, input side first, for greedy pretraining
        model.head(batch)           the Objective of what lies on top of the code; `batch.images`
                                    are codes [B, Z], frozen: a phase of its own (--head_epochs)
        model.measures(batch)       name -> [B] or [B, K], whose means `evaluate` prints; `batch`
                                    has a seed of its own where the set's images are measured
        model.trouble(means)        what is wrong by the means of an epoch, or '': the run says so

Outputs have the fields `code` if there is an encoder, `reconstruction` [B, H, W, C] in [0, 1] if
there are both sides, `logits` of the pixels if they are Bernoulli's, and `probabilities`
[B, classes] if it classifies.

Every call shares the variables of the first, by name, under the variable scope that is current:
two models live in one graph under two outer scopes. `Config` has a help text and a default for
every field, and no field that training or the data set has. A built-in family is one readable file
that opens with its paper and its equations; a family imports no other.
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

ENTRY_POINTS = 'tfae.models'  # group of the entry points of packages that bring families

FAMILIES: dict[str, Family] = {
    'classifier': classifier,
    'convolutional': convolutional,
    'custom': custom_functions,
    'dense': dense,
    'gan': gan,
    'siamese': siamese,
    'variational': variational,
}


def names() -> list[str]:
    """Returns the names of the built-in families and of those of installed packages, sorted."""
    return registry.names(FAMILIES, ENTRY_POINTS)


def load(name: str) -> Family:
    """Returns the module of a family: a name, or the spelling of a module that can be imported.

    Raises: UsageError with the nearest names if there is none, if its module raises while it is
      imported, or if it lacks a part of the contract.
    """
    family = registry.find('--model', name, FAMILIES, ENTRY_POINTS)
    if fault := problem(family):
        raise errors.UsageError(f'--model is {name!r}, a module that is no family: {fault}')
    return cast(Family, family)


def name_of(config: Any) -> str:
    """Returns the name of the family that a configuration belongs to.

    Raises: UsageError if it is no `Config` of a family.
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
      name: of the family.
      config: its `Config`.
      image_shape: `(H, W, C)`.
      classes: K that the labels name, 0 without labels.
      taken: names of flags that no field of a `Config` from outside may have.
    Raises: UsageError as `load` does, and for settings that cannot be built; of a family from
      outside also where its code raises or returns what the contract does not say.
    """
    family, who = load(name), f'--model={name}'
    if name in FAMILIES:
        return contract.model(who, family, config, image_shape, classes)
    if fault := problem(family, taken):
        raise errors.UsageError(f'{who}: {fault}')
    return contract.model_from_outside(who, family, config, image_shape, classes)


def building(name: str) -> contextlib.AbstractContextManager[None]:
    """Returns a context in which exceptions of the code of a family from outside are UsageErrors.

    Those of a built-in family pass: they are mistakes of tfae.
    """
    if name in FAMILIES:
        return contextlib.nullcontext()
    return contract.building(f'--model={name}', load(name))
