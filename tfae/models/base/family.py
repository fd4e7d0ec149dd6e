"""The contract of a family as types: the required members, and a protocol per optional ability.

`tfae.models` documents each member; `tfae.models.base.contract` checks a module against the
contract. A model has an ability if it is an instance of its protocol.

B batch, H W C image, Z code.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
import tensorflow.compat.v1 as tf

from tfae.models.base.baseline import Constants
from tfae.models.base.objective import Batch, Layer, Objective


class Outputs(Protocol):
    """A NamedTuple of tensors `[B, ...]`."""

    @property
    def _fields(self) -> tuple[str, ...]: ...

    def _asdict(self) -> dict[str, tf.Tensor]: ...

    def __iter__(self) -> Iterator[tf.Tensor]: ...

    def __getattr__(self, name: str) -> tf.Tensor: ...


class Model(Protocol):
    """A model of one family, configured for images of one shape."""

    code_size: int  # Z; only of a model with an encoder or a decoder

    @property
    def objectives(self) -> Sequence[Callable[[Batch], Objective]]:
        """Functions Batch -> Objective, run in turn at every step."""

    def __call__(self, images: tf.Tensor, seed: tf.Tensor | None = None) -> Any:
        """Returns the family's `Outputs` for images `[B, H, W, C]`."""


class Family(Protocol):
    """The module of a family, or an object with the same members."""

    @property
    def Config(self) -> type[Any]:
        """A frozen dataclass, whose fields become flags."""

    @property
    def Outputs(self) -> type[Any]:
        """A NamedTuple of tensors."""

    @property
    def Model(self) -> Callable[[Any, Sequence[int], int], Model]:
        """Constructs a model from a `Config`, an image shape `(H, W, C)` and a class count."""


@runtime_checkable
class Encoder(Protocol):
    """A model that has an encoder."""

    code_size: int

    def encode(self, images: tf.Tensor) -> tf.Tensor:
        """Returns the code `[B, Z]` of images `[B, H, W, C]`."""


@runtime_checkable
class Decoder(Protocol):
    """A model that has a decoder."""

    code_size: int

    def decode(self, code: tf.Tensor) -> tf.Tensor:
        """Returns the mean images `[B, H, W, C]` of codes `[B, Z]`."""


@runtime_checkable
class Generator(Decoder, Protocol):
    """A model whose codes have a prior."""

    def prior(self, count: tf.Tensor | int, seed: tf.Tensor) -> tf.Tensor:
        """Returns codes `[count, Z]` sampled from the prior."""


@runtime_checkable
class ClassConditional(Generator, Protocol):
    """A model that generates images of a given class."""

    classes: int  # 0 if this model was configured to generate any images

    def of_classes(self, codes: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Returns codes `[N, Z]` with the classes `[N]`."""


@runtime_checkable
class Corrupting(Protocol):
    """A model that corrupts its input in training."""

    def corrupt(self, images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Returns images `[B, H, W, C]` as the encoder receives them in training."""


@runtime_checkable
class Layered(Protocol):
    """A model that can be trained layer by layer."""

    def layerwise(self) -> Sequence[Layer]:
        """Returns the layers, input side first."""


@runtime_checkable
class Headed(Encoder, Protocol):
    """A model with layers on top of its code that can be trained alone."""

    def head(self, batch: Batch) -> Objective:
        """Returns the objective of these layers; `batch.images` are codes `[B, Z]`."""


@runtime_checkable
class Masking(Protocol):
    """A model whose losses and measures leave out missing values, those where `present` is 0."""

    MASKING: bool


@runtime_checkable
class Measuring(Protocol):
    """A model with measures per image."""

    def measures(self, batch: Batch) -> dict[str, tf.Tensor]:
        """Returns name -> `[B]` or `[B, K]`."""


@runtime_checkable
class Baselined(Protocol):
    """A model whose losses can be compared with those of a constant prediction."""

    def learned_nothing(self, means: Mapping[str, float], constants: Constants) -> str:
        """Returns why the means of an epoch are no better than a constant prediction, or ''."""


@runtime_checkable
class Troubled(Protocol):
    """A model that detects failures of training from the means of an epoch."""

    def trouble(self, means: Mapping[str, float]) -> str:
        """Returns a warning, or ''."""
