"""Model families: a family's name is its file's name in this folder.

A family is one readable file that opens with its paper and its equations and defines

    Config    a frozen dataclass; its fields become flags
    Outputs   a NamedTuple of tensors, the code first, each field with its shape
    Model     configured with numbers, connected with tensors:

        Model(config, image_shape)      touches no graph; refuses what cannot be built
        model(images, seed=None)        -> Outputs; `seed` None means inference: no noise
        model.encode(images)            [B, H, W, C] -> code [B, Z]
        model.decode(code)              [B, Z] -> mean pictures [B, H, W, C]
        model.code_size                 Z
        model.objectives                functions Batch -> Objective, run in turn at every step
        model.layerwise()               optional: Layers, input side first, for greedy pretraining

Every call shares the variables of the first, by name, under the variable scope that is current:
two models live in one graph under two outer scopes. A family imports no other.
"""

import importlib
import pkgutil
from collections.abc import Callable
from types import ModuleType
from typing import NamedTuple

import tensorflow.compat.v1 as tf

from tfae import checks


class Batch(NamedTuple):
    """What an objective is computed on."""

    images: tf.Tensor  # [B, H, W, C] float in [0, 1]; in a greedy phase codes [B, D]
    labels: tf.Tensor | None  # [B] int64
    seed: tf.Tensor | None  # [2] int64, a function of (run seed, step); None at inference


class Objective(NamedTuple):
    """One scalar and the variables that it moves."""

    name: str
    loss: tf.Tensor  # scalar
    variables: list[tf.Variable]
    terms: dict[str, tf.Tensor]  # scalars to watch beside the loss


class Layer(NamedTuple):
    """One layer of a stack, trained as an autoencoder of the codes of the layer below."""

    objective: Callable[[Batch], Objective]
    encode: Callable[[tf.Tensor], tf.Tensor]  # codes of the layer below -> [B, size]
    size: int


def names() -> list[str]:
    """Names of the families, sorted."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def load(name: str) -> ModuleType:
    """The module of family `name`.

    Raises: UsageError with the nearest names if there is none.
    """
    return importlib.import_module(f'{__name__}.{checks.one_of("--model", name, names())}')


def trainable(*scopes: str) -> list[tf.Variable]:
    """Trainable variables under these scopes of the current variable scope."""
    outer = tf.get_variable_scope().name
    prefixes = [f'{outer}/{scope}/' if outer else f'{scope}/' for scope in scopes]
    return [
        variable
        for prefix in prefixes
        for variable in tf.get_collection(tf.GraphKeys.TRAINABLE_VARIABLES, prefix)
    ]
