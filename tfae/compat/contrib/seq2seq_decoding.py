"""TF1's `tf.contrib.seq2seq`: decoders that run until every sequence has ended.

B batch, T time, K classes.
"""

import abc
from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow.compat.v1 as tf

from tfae.core import names

__all__ = [
    'BasicDecoder',
    'BasicDecoderOutput',
    'CustomHelper',
    'Decoder',
    'GreedyEmbeddingHelper',
    'Helper',
    'SampleEmbeddingHelper',
    'TrainingHelper',
    'dynamic_decode',
]


class Helper(abc.ABC):
    """Gives a decoder its inputs."""

    # The samples of an example have this shape and type.
    sample_ids_shape = tf.TensorShape([])
    sample_ids_dtype = tf.int32

    @property
    @abc.abstractmethod
    def batch_size(self) -> tf.Tensor:
        """Scalar B."""

    @abc.abstractmethod
    def initialize(self, name: str | None = None) -> tuple:
        """Returns `(finished [B], inputs)` of the first step."""

    @abc.abstractmethod
    def sample(self, time: tf.Tensor, outputs: Any, state: Any, name: str | None = None) -> Any:
        """Returns the symbols of a step's outputs."""

    @abc.abstractmethod
    def next_inputs(
        self, time: tf.Tensor, outputs: Any, state: Any, sample_ids: Any, name: str | None = None
    ) -> tuple:
        """Returns `(finished [B], inputs, state)` of the next step."""


class CustomHelper(Helper):
    """A helper of three functions."""

    def __init__(
        self,
        initialize_fn: Callable,
        sample_fn: Callable,
        next_inputs_fn: Callable,
        sample_ids_shape: Any = None,
        sample_ids_dtype: Any = None,
    ):
        self._initialize, self._sample, self._next = initialize_fn, sample_fn, next_inputs_fn
        self.sample_ids_shape = tf.TensorShape(sample_ids_shape or [])
        self.sample_ids_dtype = sample_ids_dtype or tf.int32
        self._batch: tf.Tensor | None = None

    @property
    def batch_size(self) -> tf.Tensor:
        """Scalar B, once `initialize` has run."""
        return self._batch

    def initialize(self, name: str | None = None) -> tuple:
        """Returns `(finished [B], inputs)` of the first step."""
        finished, inputs = self._initialize()
        self._batch = tf.size(finished)
        return finished, inputs

    def sample(self, time: tf.Tensor, outputs: Any, state: Any, name: str | None = None) -> Any:
        """Returns the symbols of a step's outputs."""
        return self._sample(time=time, outputs=outputs, state=state)

    def next_inputs(
        self, time: tf.Tensor, outputs: Any, state: Any, sample_ids: Any, name: str | None = None
    ) -> tuple:
        """Returns `(finished [B], inputs, state)` of the next step."""
        return self._next(time=time, outputs=outputs, state=state, sample_ids=sample_ids)


class TrainingHelper(Helper):
    """Gives the inputs of a batch of sequences; samples the symbol of the highest score."""

    def __init__(
        self,
        inputs: Any,
        sequence_length: Any,
        time_major: bool = False,
        name: str | None = None,
    ):
        """Stores the inputs.

        Args:
          inputs: `[B, T, ...]`, or a structure of such tensors.
          sequence_length: integers `[B]`.
          time_major: whether inputs are `[T, B, ...]`.
          name: not used.
        """
        inputs = tf.nest.map_structure(tf.convert_to_tensor, inputs)
        if not time_major:
            inputs = tf.nest.map_structure(_swapped, inputs)
        self._inputs = inputs
        self._zeros = tf.nest.map_structure(lambda x: tf.zeros_like(x[0]), inputs)
        self.sequence_length = tf.convert_to_tensor(sequence_length)

    @property
    def batch_size(self) -> tf.Tensor:
        """Scalar B."""
        return tf.size(self.sequence_length)

    def _at(self, time: Any) -> tuple:
        finished = time >= self.sequence_length
        step = tf.minimum(time, tf.shape(tf.nest.flatten(self._inputs)[0])[0] - 1)
        inputs = tf.cond(
            tf.reduce_all(finished),
            lambda: self._zeros,
            lambda: tf.nest.map_structure(lambda x: x[step], self._inputs),
        )
        return finished, inputs

    def initialize(self, name: str | None = None) -> tuple:
        """Returns `(finished [B], inputs)` of the first step."""
        return self._at(0)

    def sample(self, time: tf.Tensor, outputs: Any, state: Any, name: str | None = None) -> Any:
        """Returns the symbols `[B]` of the highest score."""
        return tf.argmax(outputs, -1, output_type=tf.int32)

    def next_inputs(
        self, time: tf.Tensor, outputs: Any, state: Any, sample_ids: Any, name: str | None = None
    ) -> tuple:
        """Returns `(finished [B], inputs, state)` of the next step."""
        return (*self._at(time + 1), state)


class GreedyEmbeddingHelper(Helper):
    """Gives the embedding of the symbol with the highest previous score."""

    def __init__(self, embedding: Any, start_tokens: Any, end_token: Any):
        """Stores the embedding.

        Args:
          embedding: table `[K, D]`, or a function of symbols.
          start_tokens: integers `[B]`.
          end_token: the symbol that ends a sequence.
        """
        if callable(embedding):
            self._embed = embedding
        else:
            self._embed = lambda symbols: tf.nn.embedding_lookup(embedding, symbols)
        self._start = tf.convert_to_tensor(start_tokens, tf.int32)
        self._end = tf.convert_to_tensor(end_token, tf.int32)

    @property
    def batch_size(self) -> tf.Tensor:
        """Scalar B."""
        return tf.size(self._start)

    def initialize(self, name: str | None = None) -> tuple:
        """Returns `(finished [B], inputs)` of the first step."""
        return tf.zeros_like(self._start, tf.bool), self._embed(self._start)

    def sample(self, time: tf.Tensor, outputs: Any, state: Any, name: str | None = None) -> Any:
        """Returns the symbols `[B]` of the highest score."""
        return tf.argmax(outputs, -1, output_type=tf.int32)

    def next_inputs(
        self, time: tf.Tensor, outputs: Any, state: Any, sample_ids: Any, name: str | None = None
    ) -> tuple:
        """Returns `(finished [B], inputs, state)` of the next step."""
        return tf.equal(sample_ids, self._end), self._embed(sample_ids), state


class SampleEmbeddingHelper(GreedyEmbeddingHelper):
    """Gives the embedding of a symbol sampled from the previous scores."""

    def __init__(
        self,
        embedding: Any,
        start_tokens: Any,
        end_token: Any,
        softmax_temperature: Any = None,
        seed: int | None = None,
    ):
        super().__init__(embedding, start_tokens, end_token)
        self._temperature = softmax_temperature
        self._seed = seed

    def sample(self, time: tf.Tensor, outputs: Any, state: Any, name: str | None = None) -> Any:
        """Returns symbols `[B]` sampled from the softmax of the scores."""
        logits = outputs if self._temperature is None else outputs / self._temperature
        return tf.random.categorical(logits, 1, seed=self._seed, dtype=tf.int32)[:, 0]


class Decoder(abc.ABC):
    """A decoder that `dynamic_decode` runs."""

    # Whether the finished sequences of a step include those before.
    tracks_own_finished = False

    @property
    @abc.abstractmethod
    def batch_size(self) -> tf.Tensor:
        """Scalar B."""

    @property
    @abc.abstractmethod
    def output_size(self) -> Any:
        """Shapes of the outputs of an example, in their structure."""

    @property
    @abc.abstractmethod
    def output_dtype(self) -> Any:
        """Types of the outputs, in their structure."""

    @abc.abstractmethod
    def initialize(self, name: str | None = None) -> tuple:
        """Returns `(finished [B], inputs, state)` of the first step."""

    @abc.abstractmethod
    def step(self, time: tf.Tensor, inputs: Any, state: Any, name: str | None = None) -> tuple:
        """Returns `(outputs, state, inputs, finished)` after a step."""

    def finalize(self, outputs: Any, final_state: Any, sequence_lengths: tf.Tensor) -> tuple:
        """Returns `(outputs, state)` of the whole, from those of all steps."""
        return outputs, final_state


class BasicDecoderOutput(NamedTuple):
    """Outputs of a step, or `[B, T, ...]` of all."""

    rnn_output: Any  # [B, K]
    sample_id: Any  # [B]


class BasicDecoder(Decoder):
    """A cell, with the inputs and samples of a helper."""

    def __init__(self, cell: Any, helper: Any, initial_state: Any, output_layer: Any = None):
        """Stores the parts.

        Args:
          cell: an RNN cell.
          helper: a `Helper`.
          initial_state: of the cell.
          output_layer: layer between the cell's output and the scores.
        """
        self._cell = cell
        self._helper = helper
        self._state = initial_state
        self._layer = output_layer

    @property
    def batch_size(self) -> tf.Tensor:
        """Scalar B."""
        return self._helper.batch_size

    @property
    def output_size(self) -> BasicDecoderOutput:
        """Shapes of the outputs of an example."""
        shape = tf.TensorShape(self._cell.output_size)
        if self._layer:
            given = tf.TensorShape([None]).concatenate(shape)
            shape = tf.TensorShape(self._layer.compute_output_shape(given))[1:]
        return BasicDecoderOutput(shape, self._helper.sample_ids_shape)

    @property
    def output_dtype(self) -> BasicDecoderOutput:
        """Types of the outputs."""
        dtype = tf.nest.flatten(self._state)[0].dtype
        return BasicDecoderOutput(dtype, self._helper.sample_ids_dtype)

    def initialize(self, name: str | None = None) -> tuple:
        """Returns `(finished [B], inputs, state)` of the first step."""
        return (*self._helper.initialize(), self._state)

    def step(self, time: tf.Tensor, inputs: Any, state: Any, name: str | None = None) -> tuple:
        """Returns `(outputs, state, inputs, finished)` after a step."""
        scores, state = self._cell(inputs, state)
        if self._layer:
            scores = self._layer(scores)
        given = {'time': time, 'outputs': scores, 'state': state}
        sample = self._helper.sample(**given)
        finished, inputs, state = self._helper.next_inputs(**given, sample_ids=sample)
        return BasicDecoderOutput(scores, sample), state, inputs, finished


def _swapped(x: tf.Tensor) -> tf.Tensor:
    """Returns a tensor with its first two axes swapped."""
    return tf.transpose(x, [1, 0, *range(2, x.shape.rank)])


def dynamic_decode(
    decoder: Decoder,
    output_time_major: bool = False,
    impute_finished: bool = False,
    maximum_iterations: Any = None,
    parallel_iterations: int = 32,
    swap_memory: bool = False,
    scope: Any = None,
) -> tuple:
    """Returns `(outputs, state, lengths [B])` of a decoder run until every sequence has ended.

    Args:
      decoder: a `Decoder`.
      output_time_major: whether outputs are `[T, B, ...]`, instead of `[B, T, ...]`.
      impute_finished: whether sequences that have ended keep their state and output zeros.
      maximum_iterations: largest number of steps.
      parallel_iterations: of `tf.while_loop`.
      swap_memory: of `tf.while_loop`.
      scope: replaces the scope `decoder`.
    """
    with tf.variable_scope(scope, names.DECODER):
        finished, inputs, state = decoder.initialize()
        limited = maximum_iterations is not None
        if limited:
            finished = tf.logical_or(finished, maximum_iterations <= 0)
        flat_types = tf.nest.flatten(decoder.output_dtype)
        flat_shapes = tf.nest.flatten(
            tf.nest.map_structure(
                lambda _, s: tf.TensorShape(s), decoder.output_dtype, decoder.output_size
            )
        )
        batch = tf.get_static_value(decoder.batch_size)
        arrays = [
            tf.TensorArray(dtype, 0, True, element_shape=tf.TensorShape([batch]).concatenate(shape))
            for dtype, shape in zip(flat_types, flat_shapes, strict=True)
        ]

        def held(new: Any, old: Any, ended: tf.Tensor) -> Any:
            """Returns the old value where a sequence has ended."""
            if isinstance(new, tf.TensorArray) or new.shape.rank == 0:
                return new
            new.set_shape(old.shape)
            return tf.where(ended, old, new)

        def step(
            time: Any, arrays: Any, state: Any, inputs: Any, ended: Any, lengths: Any
        ) -> tuple:
            outputs, new_state, new_inputs, now_ended = decoder.step(time, inputs, state)
            if not decoder.tracks_own_finished:
                now_ended = tf.logical_or(now_ended, ended)
            if limited:
                now_ended = tf.logical_or(now_ended, time + 1 >= maximum_iterations)
            lengths = tf.where(ended, lengths, tf.fill(tf.shape(lengths), time + 1))
            flat = tf.nest.flatten(outputs)
            if impute_finished:
                flat = [held(value, tf.zeros_like(value), ended) for value in flat]
                new_state = tf.nest.map_structure(
                    lambda new, old: held(new, old, ended), new_state, state
                )
            arrays = [a.write(time, value) for a, value in zip(arrays, flat, strict=True)]
            return time + 1, arrays, new_state, new_inputs, now_ended, lengths

        lengths = tf.zeros_like(finished, tf.int32)
        _, arrays, state, _, _, lengths = tf.while_loop(
            lambda *loop: tf.logical_not(tf.reduce_all(loop[4])),
            step,
            (tf.constant(0), arrays, state, inputs, finished, lengths),
            parallel_iterations=parallel_iterations,
            swap_memory=swap_memory,
        )
        stacked = [array.stack() for array in arrays]
        outputs = tf.nest.pack_sequence_as(decoder.output_dtype, stacked)
        outputs, state = decoder.finalize(outputs, state, lengths)
        if not output_time_major:
            outputs = tf.nest.map_structure(_swapped, outputs)
        return outputs, state, lengths
