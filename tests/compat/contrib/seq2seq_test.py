"""Decoders of `contrib.seq2seq` against numpy."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import tfae.compat

tfae.compat.install(v1_behavior=False)
seq2seq = tf.contrib.seq2seq
RANDOM = np.random.default_rng(0)
LENGTHS = np.array([4, 2, 0], np.int32)
INPUTS = RANDOM.normal(size=(3, 5, 2)).astype(np.float32)


@pytest.fixture
def session():
    with tf.Graph().as_default() as graph, tf.Session(graph=graph) as session:
        tf.set_random_seed(1)
        yield session


def decoder(helper, classes=4):
    cell = tf.nn.rnn_cell.BasicRNNCell(3)
    layer = tf.layers.Dense(classes, name='projection')
    return seq2seq.BasicDecoder(cell, helper, cell.zero_state(3, tf.float32), layer)


def weights(session):
    session.run(tf.global_variables_initializer())
    values = {v.op.name: session.run(v) for v in tf.global_variables()}
    assert list(values) == [
        f'decoder/{layer}/{name}'
        for layer in ('basic_rnn_cell', 'projection')
        for name in ('kernel', 'bias')
    ]
    kernel, bias, projection, _ = values.values()
    return lambda x, h: np.tanh(np.concatenate([x, h], 1) @ kernel + bias), projection


@pytest.mark.parametrize('impute', [False, True])
@pytest.mark.parametrize('time_major', [False, True])
def test_training_decodes_given_inputs(session, impute, time_major):
    given = INPUTS.swapaxes(0, 1) if time_major else INPUTS
    helper = seq2seq.TrainingHelper(given, LENGTHS, time_major)
    outputs, state, lengths = seq2seq.dynamic_decode(decoder(helper), time_major, impute)
    assert isinstance(outputs, seq2seq.BasicDecoderOutput)
    step, projection = weights(session)
    outputs, state, lengths = session.run([outputs, state, lengths])
    scores, symbols = (x.swapaxes(0, 1) if time_major else x for x in outputs)
    assert lengths.tolist() == LENGTHS.tolist() and scores.shape == (3, 4, 4)
    h = np.zeros((3, 3), np.float32)
    for t in range(4):
        ended = (t >= LENGTHS)[:, None]
        new = step(INPUTS[:, t], h)
        wanted = new @ projection * (~ended if impute else 1)
        np.testing.assert_allclose(scores[:, t], wanted, rtol=1e-4, atol=1e-6)
        best = (new @ projection).argmax(1) * (~ended[:, 0] if impute else 1)
        np.testing.assert_array_equal(symbols[:, t], best)
        h = np.where(ended, h, new) if impute else new
    np.testing.assert_allclose(state, h, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize('embedded_by', ['table', 'function'])
def test_greedy_decoding_feeds_the_best_symbol_until_the_end(session, embedded_by):
    table = RANDOM.normal(size=(4, 2)).astype(np.float32)
    embedding = table if embedded_by == 'table' else lambda i: tf.gather(table, i)
    helper = seq2seq.GreedyEmbeddingHelper(embedding, [0, 1, 2], 3)
    outputs, _, lengths = seq2seq.dynamic_decode(decoder(helper), maximum_iterations=6)
    step, projection = weights(session)
    symbols, lengths = session.run([outputs.sample_id, lengths])
    h, symbol, ends = np.zeros((3, 3), np.float32), np.array([0, 1, 2]), np.full(3, 6)
    for t in range(symbols.shape[1]):
        h = step(table[symbol], h)
        symbol = (h @ projection).argmax(1)
        np.testing.assert_array_equal(symbols[:, t], symbol)
        ends = np.where((symbol == 3) & (ends == 6), t + 1, ends)
    assert lengths.tolist() == ends.tolist() and symbols.shape[1] == ends.max()


def test_sampling_follows_the_softmax(session):
    scores = np.log(np.array([[1, 2, 7]] * 3000, np.float32))
    helper = seq2seq.SampleEmbeddingHelper(np.zeros((3, 1), np.float32), [0], 2, seed=3)
    cold = seq2seq.SampleEmbeddingHelper(np.zeros((3, 1), np.float32), [0], 2, 0.01)
    drawn, sure = session.run([each.sample(0, tf.constant(scores), ()) for each in (helper, cold)])
    np.testing.assert_allclose(np.bincount(drawn) / 3000, [0.1, 0.2, 0.7], atol=0.03)
    assert set(sure) == {2}


def test_custom_helpers_and_decoders(session):
    def next_inputs(time, outputs, state, sample_ids):
        return tf.fill([3], time >= 1), outputs[:, :2], state

    helper = seq2seq.CustomHelper(
        lambda: (tf.zeros([3], tf.bool), tf.constant(INPUTS[:, 0])),
        lambda time, outputs, state: tf.fill([3], time),
        next_inputs,
    )
    assert isinstance(helper, seq2seq.Helper)
    outputs, _, lengths = seq2seq.dynamic_decode(decoder(helper))
    step, projection = weights(session)
    scores, symbols, lengths = session.run([*outputs, lengths])
    assert lengths.tolist() == [2, 2, 2] and symbols.tolist() == [[0, 1]] * 3
    h = step(INPUTS[:, 0], np.zeros((3, 3), np.float32))
    h = step((h @ projection)[:, :2], h)
    np.testing.assert_allclose(scores[:, 1], h @ projection, rtol=1e-4, atol=1e-5)

    class Counter(seq2seq.Decoder):
        batch_size, output_size, output_dtype = 2, tf.TensorShape([]), tf.int32
        tracks_own_finished = True

        def initialize(self, name=None):
            return tf.constant([False, False]), tf.zeros([2]), tf.constant([0, 5])

        def step(self, time, inputs, state, name=None):
            state += 1
            return state, state, inputs, state > 7

        def finalize(self, outputs, final_state, sequence_lengths):
            return -outputs, final_state

    counted, last, lengths = session.run(seq2seq.dynamic_decode(Counter(), maximum_iterations=4))
    assert counted.tolist() == [[-1, -2, -3, -4], [-6, -7, -8, -9]]
    assert last.tolist() == [4, 9] and lengths.tolist() == [4, 3]
