"""Attention of `contrib.seq2seq` against numpy, under TF1's names of variables."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import tfae.compat

tfae.compat.install(v1_behavior=False)
seq2seq = tf.contrib.seq2seq
RANDOM = np.random.default_rng(0)
MEMORY = RANDOM.normal(size=(2, 4, 5)).astype(np.float32)
LENGTHS = np.array([4, 2], np.int32)
INPUTS = RANDOM.normal(size=(2, 3, 2)).astype(np.float32)
WITHIN = np.arange(4) < LENGTHS[:, None]


@pytest.fixture
def session():
    with tf.Graph().as_default() as graph, tf.Session(graph=graph) as session:
        tf.set_random_seed(1)
        yield session


def values_of(session):
    values = {}
    for variable in tf.global_variables():
        values[variable.op.name] = RANDOM.normal(size=variable.shape).astype(np.float32)
        session.run(variable.assign(values[variable.op.name]))
    return values


def softmax(scores):
    weights = np.exp(scores) * WITHIN
    return weights / weights.sum(1, keepdims=True)


@pytest.mark.parametrize('dtype', ['float16', 'float64'])
def test_attention_of_other_types(session, dtype):
    query = tf.constant(INPUTS[:, 0, :1].repeat(5, 1), dtype)
    mechanism = seq2seq.LuongAttention(5, MEMORY.astype(dtype), LENGTHS)
    aligned, _ = mechanism(query, None)
    keys = tf.cast(mechanism.keys, tf.float32)
    session.run(tf.global_variables_initializer())
    aligned, keys, query = session.run([aligned, keys, query])
    assert aligned.dtype == dtype
    wanted = softmax((keys * query[:, None].astype(float)).sum(2))
    np.testing.assert_allclose(aligned, wanted, rtol=2e-2, atol=2e-3)


CASES = [('LuongAttention', False), ('LuongAttention', True),
         ('BahdanauAttention', False), ('BahdanauAttention', True)]  # fmt: skip


@pytest.mark.parametrize(('kind', 'option'), CASES)
@pytest.mark.parametrize('size', [None, 6])
def test_a_decoder_with_attention(session, kind, option, size):
    """Decodes three steps, keeps their alignments, and has TF1's variables."""
    mechanism = getattr(seq2seq, kind)(3, MEMORY, LENGTHS, option)
    cell = seq2seq.AttentionWrapper(tf.nn.rnn_cell.BasicRNNCell(3), mechanism, size, True)
    start = cell.zero_state(2, tf.float32).clone(cell_state=tf.ones([2, 3]))
    helper = seq2seq.TrainingHelper(INPUTS, [3, 3])
    outputs, state, _ = seq2seq.dynamic_decode(seq2seq.BasicDecoder(cell, helper, start))
    history = state.alignment_history.stack()
    v = values_of(session)
    outputs, history, time = session.run([outputs.rnn_output, history, state.time])
    scope = 'decoder/attention_wrapper'
    luong, own = kind == 'LuongAttention', f'{scope}/{kind[:-9].lower()}_attention'
    extra = [f'{own}/attention_g'] * (luong and option) + [
        f'{scope}/attention_layer/kernel'
    ] * bool(size)
    if not luong:
        extra += [f'{own}/query_layer/kernel', f'{own}/attention_v']
        extra += [f'{own}/attention_g', f'{own}/attention_b'] * option
    cells = [f'{scope}/basic_rnn_cell/{w}' for w in ('kernel', 'bias')]
    assert set(v) == {'memory_layer/kernel', *cells, *extra}
    values = MEMORY * WITHIN[:, :, None]
    keys = values @ v['memory_layer/kernel']
    h, attention = np.ones((2, 3), np.float32), np.zeros((2, size or 5), np.float32)
    for t in range(3):
        joined = np.concatenate([INPUTS[:, t], attention, h], 1)
        h = np.tanh(joined @ v[cells[0]] + v[cells[1]])
        if luong:
            scores = (keys * h[:, None]).sum(2) * (v[f'{own}/attention_g'] if option else 1)
        else:
            vector = v[f'{own}/attention_v']
            hidden = keys + (h @ v[f'{own}/query_layer/kernel'])[:, None]
            if option:
                hidden += v[f'{own}/attention_b']
                vector = v[f'{own}/attention_g'] * vector / np.linalg.norm(vector)
            scores = (vector * np.tanh(hidden)).sum(2)
        aligned = softmax(scores)
        context = (aligned[:, :, None] * values).sum(1)
        attention = context
        if size:
            kernel = v[f'{scope}/attention_layer/kernel']
            attention = np.concatenate([h, context], 1) @ kernel
        np.testing.assert_allclose(history[t], aligned, rtol=1e-3, atol=1e-6)
        np.testing.assert_allclose(outputs[:, t], attention, rtol=1e-3, atol=1e-5)
    assert time == 3


def test_normalized_weights_begin_as_in_tf1(session):
    seq2seq.BahdanauAttention(4, MEMORY, normalize=True)(tf.constant(INPUTS[:, 0]), None)
    session.run(tf.global_variables_initializer())
    v = {v.op.name.rpartition('/')[2]: session.run(v) for v in tf.global_variables()}
    assert v['attention_g'] == pytest.approx(np.sqrt(1 / 4))
    assert v['attention_b'].tolist() == [0] * 4


def test_several_mechanisms_and_the_cells_own_output(session):
    pair = [seq2seq.LuongAttention(3, MEMORY), seq2seq.BahdanauAttention(2, MEMORY)]
    inner = tf.nn.rnn_cell.BasicLSTMCell(3)
    join = lambda x, attention: x + attention[:, :2]  # noqa: E731
    cell = seq2seq.AttentionWrapper(inner, pair, [4, 2], cell_input_fn=join, output_attention=False)
    assert cell.output_size == 3 and cell.state_size.attention == 6
    state = cell.zero_state(2, tf.float32)
    assert isinstance(state, seq2seq.AttentionWrapperState)
    assert [each.shape.as_list() for each in state.alignments] == [[2, 4], [2, 4]]
    output, after = cell(tf.constant(INPUTS[:, 0]), state)
    values_of(session)
    output, after = session.run([output, (after.cell_state, after.attention, after.alignments)])
    np.testing.assert_array_equal(output, after[0].h)
    assert after[1].shape == (2, 6)
    np.testing.assert_allclose(
        [each.sum(1) for each in after[2]], np.ones((2, 2)), rtol=1e-5, atol=1e-6
    )
    with pytest.raises(ValueError, match='AttentionWrapper: 1 attention_layer_size and 2'):
        seq2seq.AttentionWrapper(inner, pair, [4])
    with pytest.raises(ValueError, match='queries have 4 dimensions and num_units is 3'):
        pair[0](tf.zeros([2, 4]), None)
    tiled = session.run(seq2seq.tile_batch((tf.constant([1, 2]), tf.constant([[3], [4]])), 2))
    assert [each.tolist() for each in tiled] == [[1, 1, 2, 2], [[3], [3], [4], [4]]]
