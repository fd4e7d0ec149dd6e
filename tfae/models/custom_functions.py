"""Autoencoder of two user-defined functions, with the loss of Hinton and Salakhutdinov (2006).

    code z = s(f(x)),   x' = g(z)                                             encoder, decoder
    loss = l(x, x') / D + regularizer(z), as in `tfae.models.base.autoencoder`

f maps images [B, H, W, C] to [B, Z], and g maps codes [B, Z] to [B, H, W, C]: logits if the output
activation is a sigmoid. Both may use any TensorFlow operations. Their variables come from
`tf.get_variable` or `tfae.layers`, in the current variable scope, `encoder` or `decoder`. An
argument `training`, if a function has one, is true in training.

    def encoder(images):
        x = layers.conv2d(images, 16, 3, 2, activation=tf.nn.relu)
        return layers.dense(layers.flatten(x), 10)

On the command line it is --model=custom --encoder=package.module:function --decoder=..., in Python
`tfae.fit(models.custom(encoder=f, decoder=g), images, logdir='runs/a')`.

B batch, H W C image, Z code.
"""

import dataclasses
import inspect
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import tensorflow.compat.v1 as tf

from tfae.core import errors, names, plugins
from tfae.core.config import field_types, from_python, option
from tfae.models.base import autoencoder
from tfae.models.base.encoder_decoder import Decoder, Dense, Encoder, Kernels, Layers, T
from tfae.ops import activations
from tfae.ops.activations import Activation
from tfae.ops.dependencies import ancestors

Outputs = autoencoder.Outputs


@dataclasses.dataclass(frozen=True)
class Config(autoencoder.Config):
    """The two functions."""

    encoder: str = option(
        '', 'Encoder package.module:function, from images [B, H, W, C] to codes [B, Z]. Required.'
    )
    decoder: str = option(
        '',
        'Decoder package.module:function, from codes [B, Z] to logits of images [B, H, W, C], or '
        'to pixels with --output_activation=linear. Required.',
    )
    code_activation: Activation = option(activations.LINEAR, 'Activation of the code.')


@errors.naming_arguments()
def custom(
    encoder: Callable[..., tf.Tensor], decoder: Callable[..., tf.Tensor], **options: Any
) -> Config:
    """Returns the configuration of an autoencoder of two functions, for `tfae.fit`.

    To open a run whose functions cannot be imported, such as lambdas or those of a notebook, use
    `tfae.open(logdir, model=custom(encoder=..., decoder=...))`.

    Args:
      encoder: function of images `[B, H, W, C]` that returns codes `[B, Z]`.
      decoder: function of codes `[B, Z]` that returns images or their logits `[B, H, W, C]`.
      **options: other fields of `Config`, such as `corruption` or `output_activation`; strings are
        parsed as on the command line.
    Returns: the configuration.
    Raises: UsageError if one of the two is not a function, or an option is unknown or invalid.
    """
    for name, function in (('encoder', encoder), ('decoder', decoder)):
        if not callable(function):
            raise errors.UsageError(
                f'{name} is of type {type(function).__name__}; it must be a function'
            )
    kinds = field_types(Config)
    for name in options:
        if name not in kinds:
            near = errors.nearest(name, kinds)
            raise errors.UsageError(f'{name} is not an argument of models.custom{near}')
    values = {name: from_python(name, kinds[name], value) for name, value in options.items()}
    return Config(encoder=plugins.Function(encoder), decoder=plugins.Function(decoder), **values)


class Model(autoencoder.Autoencoder):
    """See `tfae.models` for the contract."""

    def __init__(self, config: Config, image_shape: Sequence[int], classes: int = 0):
        encode, decode = (_Function(config, name) for name in (names.ENCODER, names.DECODER))
        size = _code_size(encode, decode, image_shape)
        super().__init__(
            config, _Encoder(encode, image_shape, size), _Decoder(decode, image_shape, size)
        )


class _Function:
    """A function with its variable scope."""

    def __init__(self, config: Config, name: str):
        """Imports the function.

        Args:
          config: the configuration.
          name: name of its field, and of the scope: `encoder` or `decoder`.
        Raises: UsageError if there is no such function.
        """
        spelling = getattr(config, name)
        if not spelling:
            raise errors.UsageError(
                f'--{name} is empty; --model=custom requires it, as package.module:function'
            )
        self.who = f'--{name}={spelling}'
        self.scope = name
        self.activation = activations.LINEAR
        if name == names.ENCODER:
            self.activation = config.code_activation
        self._function = _found(name, spelling)
        self._told = _takes_training(self._function)
        self._decay = config.weight_decay

    def __call__(self, x: tf.Tensor, training: bool) -> tf.Tensor:
        """Maps images to codes, or codes to images."""
        with tf.variable_scope(self.scope, reuse=tf.AUTO_REUSE, regularizer=self._regularizer()):
            y = self._function(x, training=training) if self._told else self._function(x)
        if not tf.is_tensor(y):
            raise errors.UsageError(
                f'{self.who} returns {type(y).__name__}; it must return a tensor'
            )
        return self.activation.function(y)

    def _regularizer(self) -> Callable[[tf.Tensor], tf.Tensor | None] | None:
        """Weight decay of matrices and kernels; biases have none."""
        decay = self._decay
        if not decay:
            return None
        return lambda w: decay * tf.nn.l2_loss(w) if w.shape.rank > 1 else None


class _Unknown(NamedTuple):
    """A layer with a known activation and unknown contents."""

    activation: Activation


class _Side(Layers):
    """A function as the only layer of an encoder or decoder."""

    def __init__(self, function: _Function, image_shape: Sequence[int], code_size: int):
        super().__init__(
            image_shape, [Dense(code_size, activations.LINEAR)], Kernels(), function.scope
        )
        self.layers = (_Unknown(function.activation),)  # type: ignore[assignment]
        self._function = function

    def only(self: T, i: int) -> T:
        """Returns itself: the only layer has all variables."""
        return self

    def kernels(self) -> list[tf.Variable]:
        """Returns the kernels among `variables`.

        Raises: UsageError if there is none.
        """
        found = super().kernels()
        if not found:
            raise errors.UsageError(
                f'--regularizer=orthogonality requires variables named {names.KERNEL}, as in '
                f'tfae.layers; {self._function.who} has none'
            )
        return found


class _Encoder(_Side, Encoder):
    """`[B, H, W, C]` -> `[B, Z]`."""

    def __call__(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Encodes images."""
        code = self._function(tf.reshape(x, [-1, *self.shapes[0]]), training)
        tf.add_to_collection(tf.GraphKeys.ACTIVATIONS, code)
        return code


class _Decoder(_Side, Decoder):
    """`[B, Z]` -> `[B, H, W, C]`."""

    def __call__(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Decodes codes."""
        return self._function(tf.reshape(x, [-1, *self.shapes[1]]), training)


def _found(name: str, spelling: str) -> Callable[..., tf.Tensor]:
    """Returns the function that a field names.

    Raises: UsageError if it cannot be imported; for a function of a program or notebook, or a
      lambda, the text says how to open its run.
    """
    try:
        return plugins.function(f'--{name}', spelling)
    except errors.UsageError:
        module, _, qualified = spelling.partition(':')
        if module != '__main__' and (qualified.isidentifier() or not qualified):
            raise
        raise errors.UsageError(
            f'--{name} is {spelling!r}, a function that cannot be imported; to open its run, call '
            f'tfae.open(logdir, model=models.custom(encoder=..., decoder=...)) in Python'
        ) from None


def _takes_training(function: Callable[..., tf.Tensor]) -> bool:
    try:
        return 'training' in inspect.signature(function).parameters
    except (TypeError, ValueError):  # written in C
        return False


def _code_size(encode: _Function, decode: _Function, image_shape: Sequence[int]) -> int:
    """Returns Z, found by building both functions in a separate graph.

    Raises: UsageError if a function raises, if its result has the wrong shape or depends on
      anything but its argument, if a second call creates new variables, or if there are none.
    """
    with tf.Graph().as_default():
        tf.set_random_seed(0)  # op determinism requires a seed, though nothing is run here
        images = tf.placeholder(tf.float32, [None, *image_shape])
        code = _built(encode, images, 'codes [B, Z]')
        if code.shape.rank != 2 or code.shape[0] is not None or code.shape[1] is None:
            raise errors.UsageError(
                f'{encode.who} maps images {images.shape} to {code.shape}; it must map them to '
                f'codes [B, Z] with B unknown and Z known'
            )
        made = _built(decode, code, 'images')
        if made.shape.rank is None or made.shape.as_list() != images.shape.as_list():
            raise errors.UsageError(
                f'{decode.who} maps codes {code.shape} to {made.shape}; it must map them to '
                f'images {images.shape}'
            )
        if not tf.trainable_variables():
            raise errors.UsageError(
                f'{encode.who} and {decode.who} create no variables; there must be some to train'
            )
        return int(code.shape[1])


def _built(function: _Function, x: tf.Tensor, wanted: str) -> tf.Tensor:
    """Returns the output of a function; a second call must not create variables.

    Raises: UsageError as `_code_size` does.
    """
    try:
        y = function(x, True)
        before = len(tf.global_variables())
        function(x, False)
    except errors.UsageError:
        raise
    except (Exception, SystemExit) as error:
        text = ' '.join(str(error).split())
        raise errors.UsageError(f'{function.who} raises {type(error).__name__}: {text}') from error
    if y.dtype != tf.float32:
        raise errors.UsageError(
            f'{function.who} returns {y.dtype.name}; it must return {wanted}, float32'
        )
    below = ancestors([y.op])
    if x.op not in below:
        raise errors.UsageError(
            f'{function.who} returns {wanted} that do not depend on its argument; they must'
        )
    if own := [op.name for op in below - ancestors([x.op]) if op.type == 'Placeholder']:
        raise errors.UsageError(
            f'{function.who} reads placeholder {own[0]}; it must depend on its argument alone'
        )
    if len(tf.global_variables()) > before:
        raise errors.UsageError(
            f'{function.who} creates new variables when it is called again; create them with '
            f'tf.get_variable or tfae.layers'
        )
    return y
