"""Recurrent cells compute what their papers say, under TF1's names of variables."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import tfae.compat

tfae.compat.install(v1_behavior=False)
rnn, rnn_cell = tf.contrib.rnn, tf.nn.rnn_cell
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(2, 3)).astype(np.float32)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


@pytest.fixture
def session():
    with tf.Graph().as_default() as graph, tf.Session(graph=graph) as session:
        yield session


def run(build, inputs=X):
    """Returns what `build` returns and the variables by name, all random."""
    with tf.Graph().as_default(), tf.Session() as session:
        tf.set_random_seed(1)
        built = build(tf.constant(inputs))
        values = {}
        for variable in tf.global_variables():
            values[variable.op.name] = RANDOM.normal(size=variable.shape).astype(np.float32)
            session.run(variable.assign(values[variable.op.name]))
        return session.run(built), values


def step(cell, inputs=X, state=None):
    """Runs a cell for one step from a random state; returns (c, h), (output, state), variables."""
    sizes = cell().state_size
    state = [RANDOM.normal(size=(len(inputs), size)).astype(np.float32) for size in sizes]
    given = rnn.LSTMStateTuple(*state)
    (output, after), values = run(lambda x: cell()(x, given), inputs)
    return state, output, after, values


def lstm(x, c, h, kernel, bias, forget_bias=1.0):
    i, j, f, o = np.split(np.concatenate([x, h], 1) @ kernel + bias, 4, 1)
    c = sigmoid(f + forget_bias) * c + sigmoid(i) * np.tanh(j)
    return c, sigmoid(o) * np.tanh(c)


@pytest.mark.parametrize('forget_bias', [0.0, 1.0])
def test_basic_lstm_cell(forget_bias):
    (c, h), output, after, v = step(lambda: rnn_cell.BasicLSTMCell(4, forget_bias=forget_bias))
    assert list(v) == ['basic_lstm_cell/kernel', 'basic_lstm_cell/bias']
    wanted = lstm(X, c, h, *v.values(), forget_bias)
    np.testing.assert_allclose([after.c, after.h], wanted, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(output, after.h)


def test_lstm_cell_with_peepholes_projection_and_clips():
    (c, h), output, after, v = step(
        lambda: rnn_cell.LSTMCell(4, use_peepholes=True, cell_clip=0.9, num_proj=2, proj_clip=0.7)
    )
    assert list(v) == [
        'lstm_cell/kernel',
        'lstm_cell/bias',
        'lstm_cell/w_f_diag',
        'lstm_cell/w_i_diag',
        'lstm_cell/w_o_diag',
        'lstm_cell/projection/kernel',
    ]
    kernel, bias, of_f, of_i, of_o, projection = v.values()
    i, j, f, o = np.split(np.concatenate([X, h], 1) @ kernel + bias, 4, 1)
    new = sigmoid(f + 1 + of_f * c) * c + sigmoid(i + of_i * c) * np.tanh(j)
    new = np.clip(new, -0.9, 0.9)
    projected = sigmoid(o + of_o * new) * np.tanh(new) @ projection
    np.testing.assert_allclose(after.c, new, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(output, np.clip(projected, -0.7, 0.7), rtol=1e-4, atol=1e-5)


def test_gru_cell():
    state = RANDOM.normal(size=(2, 4)).astype(np.float32)
    long = ['gates/kernel', 'gates/bias', 'candidate/kernel', 'candidate/bias']
    short = ['w_ru', 'b_ru', 'w_c', 'b_c']
    cells = [(rnn_cell.GRUCell, long), (rnn.GRUBlockCellV2, long), (rnn.GRUBlockCell, short)]
    for cell, variables in cells:
        (output, after), v = run(lambda x, cell=cell: cell(4)(x, state))
        assert list(v) == [f'gru_cell/{name}' for name in variables]
        gates, gate_bias, kernel, bias = v.values()
        reset, update = np.split(sigmoid(np.concatenate([X, state], 1) @ gates + gate_bias), 2, 1)
        new = np.tanh(np.concatenate([X, reset * state], 1) @ kernel + bias)
        np.testing.assert_allclose(
            output, update * state + (1 - update) * new, rtol=1e-4, atol=1e-5
        )
        np.testing.assert_array_equal(output, after)


def test_gru_block_cells_begin_with_open_gates(session):
    cell = rnn.GRUBlockCell(cell_size=2)
    cell(tf.constant(X), cell.zero_state(2, tf.float32))
    session.run(tf.global_variables_initializer())
    biases = {v.op.name[-4:]: session.run(v).tolist() for v in tf.global_variables('.*/b_')}
    assert biases == {'b_ru': [1] * 4, '/b_c': [0] * 2}
    for sizes in ((None, None), (2, 2)):
        with pytest.raises(ValueError, match='GRUBlockCell: num_units is'):
            rnn.GRUBlockCell(*sizes)


def test_lstm_block_cell_is_an_lstm():
    (c, h), output, after, v = step(lambda: rnn.LSTMBlockCell(4))
    assert list(v) == ['lstm_cell/kernel', 'lstm_cell/bias']
    np.testing.assert_allclose([after.c, output], lstm(X, c, h, *v.values()), rtol=1e-4, atol=1e-5)
    options = {'forget_bias': 0.5, 'cell_clip': 0.3, 'use_peephole': True}
    (c, h), output, after, v = step(lambda: rnn.LSTMBlockCell(4, **options))
    kernel, bias, of_f, of_i, of_o = v.values()
    i, j, f, o = np.split(np.concatenate([X, h], 1) @ kernel + bias, 4, 1)
    new = np.clip(sigmoid(f + 0.5 + of_f * c) * c + sigmoid(i + of_i * c) * np.tanh(j), -0.3, 0.3)
    np.testing.assert_allclose(after.c, new, rtol=1e-4, atol=1e-5)
    expected = sigmoid(o + of_o * new) * np.tanh(new)
    np.testing.assert_allclose(output, expected, rtol=1e-4, atol=1e-5)


def normalized(x, scale):
    gamma, beta = scale
    return (x - x.mean(1, keepdims=True)) / x.std(1, keepdims=True) * gamma + beta


@pytest.mark.parametrize('layer_norm', [True, False])
def test_layer_norm_basic_lstm_cell(layer_norm):
    (c, h), output, after, v = step(lambda: rnn.LayerNormBasicLSTMCell(4, layer_norm=layer_norm))
    prefix = 'layer_norm_basic_lstm_cell'
    if not layer_norm:
        assert list(v) == [f'{prefix}/kernel', f'{prefix}/bias']
        np.testing.assert_allclose(
            [after.c, output], lstm(X, c, h, *v.values()), rtol=1e-4, atol=1e-5
        )
        return
    scales = [f'{prefix}/{gate}' for gate in ('input', 'transform', 'forget', 'output', 'state')]
    assert list(v) == [f'{prefix}/kernel'] + [f'{s}/{w}' for s in scales for w in ('gamma', 'beta')]
    *gates, of_state = [(v[f'{scale}/gamma'], v[f'{scale}/beta']) for scale in scales]
    kernel = v[f'{prefix}/kernel']
    parts = np.split(np.concatenate([X, h], 1) @ kernel, 4, 1)
    i, j, f, o = (normalized(part, gate) for part, gate in zip(parts, gates, strict=True))
    c = normalized(sigmoid(f + 1) * c + sigmoid(i) * np.tanh(j), of_state)
    np.testing.assert_allclose(after.c, c, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(output, sigmoid(o) * np.tanh(c), rtol=1e-3, atol=1e-5)


def test_layer_norm_basic_lstm_cell_has_the_bias_of_its_scope(session):
    ones = tf.ones_initializer()
    with tf.variable_scope('scope', initializer=ones):
        cell = rnn.LayerNormBasicLSTMCell(1, layer_norm=False)
        cell(tf.constant(X), cell.zero_state(2, tf.float32))
    session.run(tf.global_variables_initializer())
    assert session.run(tf.global_variables('scope.*/bias')[0]).tolist() == [1] * 4


def test_layer_norm_basic_lstm_cell_drops_candidates_alone():
    def build(x):
        cell = rnn.LayerNormBasicLSTMCell(64, layer_norm=False, dropout_keep_prob=0.5)
        return cell(x, rnn.LSTMStateTuple(tf.zeros([2, 64]), tf.zeros([2, 64])))[1].c

    c, _ = run(build)
    assert 0.3 < (c == 0).mean() < 0.7


@pytest.mark.parametrize(('projected', 'bias'), [(None, 'use_biases'), (2, 'use_bias')])
def test_nas_cell(projected, bias):
    (c, m), output, after, v = step(lambda: rnn.NASCell(4, projected, **{bias: True}))
    recurrent, kernel, bias = (
        v[f'nas_cell/{name}'] for name in ('recurrent_kernel', 'kernel', 'bias')
    )
    a, b = np.split(X @ kernel, 8, 1), np.split(m @ recurrent + bias, 8, 1)
    relu = lambda x: np.maximum(x, 0)  # noqa: E731
    first = [
        sigmoid(a[0] + b[0]), relu(a[1] + b[1]), sigmoid(a[2] + b[2]), relu(a[3] * b[3]),
        np.tanh(a[4] + b[4]), sigmoid(a[5] + b[5]), np.tanh(a[6] + b[6]), sigmoid(a[7] + b[7]),
    ]  # fmt: skip
    left, right = np.tanh(first[0] * first[1]), np.tanh(first[2] + first[3])
    late = np.tanh(np.tanh(first[4] * first[5]) + sigmoid(first[6] + first[7]))
    new = np.tanh(left + c) * right
    new_m = np.tanh(new * late)
    if projected:
        new_m = new_m @ v['nas_cell/projection_weights']
    np.testing.assert_allclose(after.c, new, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(output, new_m, rtol=1e-3, atol=1e-5)


def test_wrappers_project_embed_and_mix():
    state = RANDOM.normal(size=(2, 3)).astype(np.float32)

    def basic(x, kernel, bias):
        return np.tanh(np.concatenate([x, state], 1) @ kernel + bias)

    inner = lambda: rnn_cell.BasicRNNCell(3)  # noqa: E731
    (output, after), v = run(lambda x: rnn.OutputProjectionWrapper(inner(), 5)(x, state))
    scope = 'output_projection_wrapper'
    names = [f'{scope}/basic_rnn_cell', scope]
    assert list(v) == [f'{name}/{w}' for name in names for w in ('kernel', 'bias')]
    h = basic(X, *list(v.values())[:2])
    np.testing.assert_allclose(after, h, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        output, h @ v[f'{scope}/kernel'] + v[f'{scope}/bias'], rtol=1e-4, atol=1e-5
    )

    (output, _), v = run(lambda x: rnn.InputProjectionWrapper(inner(), 5, tf.nn.relu)(x, state))
    scope = 'input_projection_wrapper'
    assert list(v) == [
        f'{name}/{w}' for name in (scope, f'{scope}/basic_rnn_cell') for w in ('kernel', 'bias')
    ]
    x = np.maximum(X @ v[f'{scope}/kernel'] + v[f'{scope}/bias'], 0)
    np.testing.assert_allclose(output, basic(x, *list(v.values())[2:]), rtol=1e-4, atol=1e-5)

    ids = np.array([2, 0], np.int32)
    (output, _), v = run(lambda x: rnn.EmbeddingWrapper(inner(), 4, 3)(x, state), ids)
    table, *rest = v.values()
    assert next(iter(v)) == 'embedding_wrapper/embedding' and table.shape == (4, 3)
    np.testing.assert_allclose(output, basic(table[ids], *rest), rtol=1e-4, atol=1e-5)

    for coupled in (True, False):
        options = {} if coupled else {'couple_carry_transform_gates': False}
        (output, _), v = run(lambda x, o=options: rnn.HighwayWrapper(inner(), **o)(x, state))
        h = basic(X, v['basic_rnn_cell/kernel'], v['basic_rnn_cell/bias'])
        carry = sigmoid(X @ v['carry_w'] + v['carry_b'])
        mix = 1 - carry if coupled else sigmoid(X @ v['transform_w'] + v['transform_b'])
        np.testing.assert_allclose(output, X * carry + h * mix, rtol=1e-3, atol=1e-5)

    (output, _), v = run(lambda x: rnn.ResidualWrapper(inner())(x, state))
    np.testing.assert_allclose(output, X + basic(X, *v.values()), rtol=1e-4, atol=1e-5)
    (output, _), v = run(lambda x: rnn.DeviceWrapper(inner(), '/cpu:0')(x, state))
    np.testing.assert_allclose(output, basic(X, *v.values()), rtol=1e-4, atol=1e-5)
    (output, _), v = run(lambda x: rnn.DropoutWrapper(inner(), output_keep_prob=0.5)(x, state))
    kept = output != 0
    np.testing.assert_allclose(output[kept], 2 * basic(X, *v.values())[kept], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('vector_size', [None, 5])
def test_attention_cell_wrapper_attends_to_its_last_outputs(vector_size):
    h = RANDOM.normal(size=(2, 3)).astype(np.float32)
    attended = RANDOM.normal(size=(2, 3)).astype(np.float32)
    window = RANDOM.normal(size=(2, 6)).astype(np.float32)

    def build(x, as_tuple):
        cell = rnn.AttentionCellWrapper(
            rnn_cell.BasicRNNCell(3), 2, attn_vec_size=vector_size, state_is_tuple=as_tuple
        )
        states = (h, attended, window)
        return cell(x, states if as_tuple else tf.concat(states, 1))

    (output, (state, attention, after)), v = run(lambda x: build(x, True))
    scope = 'attention_cell_wrapper'
    assert set(v) == {
        f'{scope}/{name}'
        for name in (
            'kernel', 'bias', 'basic_rnn_cell/kernel', 'basic_rnn_cell/bias', 'attention/attn_w',
            'attention/attn_v', 'attention/kernel', 'attention/bias',
            'attn_output_projection/kernel', 'attn_output_projection/bias',
        )
    }  # fmt: skip

    assert v[f'{scope}/attention/attn_v'].shape == (vector_size or 3,)

    def linear(name, *inputs):
        joined = np.concatenate(inputs, 1)
        return joined @ v[f'{scope}/{name}kernel'] + v[f'{scope}/{name}bias']

    new = np.tanh(linear('basic_rnn_cell/', linear('', X, attended), h))
    memory = window.reshape(2, 2, 3)
    keys = memory @ v[f'{scope}/attention/attn_w'][0, 0]
    hidden = np.tanh(keys + linear('attention/', new)[:, None])
    scores = (v[f'{scope}/attention/attn_v'] * hidden).sum(2)
    weights = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    mean = (weights[:, :, None] * memory).sum(1)
    wanted = linear('attn_output_projection/', new, mean)
    np.testing.assert_allclose(state, new, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(attention, mean, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(output, wanted, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(
        after, np.concatenate([window[:, 3:], wanted], 1), rtol=1e-3, atol=1e-5
    )
    (_, joined), _ = run(lambda x: build(x, False))
    assert joined.shape == (2, 3 + 3 + 6)


@pytest.mark.parametrize('rank', [1, 2, 3])
def test_conv_lstm_cell(rank):
    space = [4, 3, 2][:rank]
    kind = [rnn.Conv1DLSTMCell, rnn.Conv2DLSTMCell, rnn.Conv3DLSTMCell][rank - 1]
    x = RANDOM.normal(size=(2, *space, 2)).astype(np.float32)
    c, h = (RANDOM.normal(size=(2, *space, 3)).astype(np.float32) for _ in range(2))

    def build(x):
        cell = kind(
            input_shape=[*space, 2],
            output_channels=3,
            kernel_shape=[1] * rank,
            skip_connection=True,
        )
        assert cell.output_size.as_list() == [*space, 5]
        return cell(x, rnn.LSTMStateTuple(c, h))

    (output, after), v = run(build, x)
    assert list(v) == [f'conv_{rank}d_lstm_cell/{name}' for name in ('kernel', 'biases')]
    kernel, bias = v.values()
    flat = [part.reshape(-1, part.shape[-1]) for part in (x, c, h)]
    new_c, new_h = lstm(*flat, kernel.reshape(5, 12), bias)
    np.testing.assert_allclose(after.c.reshape(-1, 3), new_c, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(output.reshape(-1, 5)[:, :3], new_h, rtol=1e-3, atol=1e-5)
    np.testing.assert_array_equal(output[..., 3:], x)
    with pytest.raises(ValueError, match='ConvLSTMCell: input_shape is'):
        rnn.ConvLSTMCell(2, [4, 3], 2, [1, 1])


def test_layers_of_cells_over_time_have_tf1s_names():
    sequence = RANDOM.normal(size=(2, 5, 3)).astype(np.float32)
    cells = lambda: rnn.MultiRNNCell([rnn.BasicLSTMCell(4), rnn.BasicLSTMCell(2)])  # noqa: E731

    def build(x):
        steps = tf.unstack(x, axis=1)
        static, _ = rnn.static_rnn(cells(), steps, dtype=tf.float32)
        with tf.variable_scope(tf.get_variable_scope(), reuse=True):
            dynamic, _ = tf.nn.dynamic_rnn(cells(), x, dtype=tf.float32)
        return tf.stack(static, 1), dynamic

    (static, dynamic), v = run(build, sequence)
    assert list(v) == [
        f'rnn/multi_rnn_cell/cell_{i}/basic_lstm_cell/{name}'
        for i in range(2)
        for name in ('kernel', 'bias')
    ]
    np.testing.assert_allclose(static, dynamic, rtol=1e-5, atol=1e-6)
    h1 = c1 = np.zeros((2, 4), np.float32)
    h2 = c2 = np.zeros((2, 2), np.float32)
    for t in range(5):
        c1, h1 = lstm(sequence[:, t], c1, h1, *list(v.values())[:2])
        c2, h2 = lstm(h1, c2, h2, *list(v.values())[2:])
        np.testing.assert_allclose(static[:, t], h2, rtol=1e-3, atol=1e-5)


def test_own_cells_and_saved_states():
    assert rnn.core_rnn_cell.BasicLSTMCell is rnn.BasicLSTMCell

    class Sum(rnn.RNNCell):
        state_size = output_size = 3

        def call(self, inputs, state):
            return inputs + state, inputs + state

    class Saver:
        def state(self, name):
            return tf.ones([2, 3])

        def save_state(self, name, value):
            return tf.identity(value, name='saved')

    def build(x):
        steps, cell = [x, 2 * x], Sum()
        static, _ = rnn.static_rnn(cell, steps, dtype=tf.float32)
        kept, _ = rnn.static_state_saving_rnn(Sum(), steps, Saver(), 'state')
        return static, kept

    (static, kept), variables = run(build)
    assert not variables
    np.testing.assert_allclose(static, [X, 3 * X], rtol=1e-6)
    np.testing.assert_allclose(kept, [X + 1, 3 * X + 1], rtol=1e-6)


def test_bidirectional_layers_see_both_ends():
    sequence = RANDOM.normal(size=(2, 4, 3)).astype(np.float32)

    def both(x, kernels):
        sides = []
        for (kernel, bias), order in zip(kernels, (1, -1), strict=True):
            h, hs = np.zeros((2, 3), np.float32), []
            for t in range(4)[::order]:
                h = np.tanh(np.concatenate([x[:, t], h], 1) @ kernel + bias)
                hs.append(h)
            sides.append(np.stack(hs[::order], 1))
        return np.concatenate(sides, 2)

    cell = lambda: rnn.BasicRNNCell(3)  # noqa: E731

    def build(x):
        steps = tf.unstack(x, axis=1)
        outputs, _, _ = rnn.static_bidirectional_rnn(cell(), cell(), steps, dtype=tf.float32)
        pairs = [cell(), cell()], [cell(), cell()]
        static, _, _ = rnn.stack_bidirectional_rnn(*pairs, steps, dtype=tf.float32)
        pairs = [cell(), cell()], [cell(), cell()]
        with tf.variable_scope('dynamic'):
            dynamic, _, _ = rnn.stack_bidirectional_dynamic_rnn(*pairs, x, dtype=tf.float32)
        return [tf.stack(outputs, 1), tf.stack(static, 1), dynamic]

    (one, static, dynamic), v = run(build, sequence)
    names = [
        f'{scope}/{side}/basic_rnn_cell'
        for scope in (
            'bidirectional_rnn',
            'stack_bidirectional_rnn/cell_0/bidirectional_rnn',
            'stack_bidirectional_rnn/cell_1/bidirectional_rnn',
            'dynamic/stack_bidirectional_rnn/cell_0/bidirectional_rnn',
            'dynamic/stack_bidirectional_rnn/cell_1/bidirectional_rnn',
        )
        for side in ('fw', 'bw')
    ]
    assert list(v) == [f'{name}/{w}' for name in names for w in ('kernel', 'bias')]
    weights = [(v[f'{name}/kernel'], v[f'{name}/bias']) for name in names]
    np.testing.assert_allclose(one, both(sequence, weights[:2]), rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(
        static, both(both(sequence, weights[2:4]), weights[4:6]), rtol=1e-3, atol=1e-6
    )
    np.testing.assert_allclose(
        dynamic, both(both(sequence, weights[6:8]), weights[8:]), rtol=1e-3, atol=1e-6
    )
    with tf.Graph().as_default(), pytest.raises(ValueError, match='1 forward and 0 backward'):
        rnn.stack_bidirectional_dynamic_rnn([cell()], [], tf.zeros([2, 4, 3]))


def test_linear_of_one_tensor_or_several():
    other = np.ones((2, 1), np.float32)
    found, values = run(lambda x: rnn.core_rnn_cell._linear([x, tf.constant(other)], 4, True))
    product = np.concatenate([X, other], 1) @ values['kernel']
    np.testing.assert_allclose(found, product + values['bias'], rtol=1e-5)
    found, values = run(lambda x: rnn.core_rnn_cell._linear(x, 4, False))
    np.testing.assert_allclose(found, X @ values['kernel'], rtol=1e-5)
    assert list(values) == ['kernel']


def test_wrappers_begin_with_tf1s_values():
    """Gates of a highway carry at first, and embeddings are uniform with variance one."""
    with tf.Graph().as_default(), tf.Session() as session:
        tf.set_random_seed(1)
        zeros = tf.zeros([2, 3])
        rnn.HighwayWrapper(rnn_cell.BasicRNNCell(3), False)(tf.constant(X), zeros)
        rnn.EmbeddingWrapper(rnn_cell.BasicRNNCell(3), 2000, 3)(tf.zeros([2], tf.int32), zeros)
        session.run(tf.global_variables_initializer())
        v = {v.op.name: session.run(v) for v in tf.global_variables()}
    assert set(v['carry_b']) == {1.0} and set(v['transform_b']) == {-1.0}
    assert np.max(np.abs(v['embedding_wrapper/embedding'])) < np.sqrt(3)
    np.testing.assert_allclose(v['embedding_wrapper/embedding'].var(), 1, rtol=0.03)


@pytest.mark.parametrize('kind', ['static', 'dynamic', 'by time'])
def test_stacked_bidirectional_layers_start_from_their_own_states(kind):
    sequence = RANDOM.normal(size=(2, 1, 3)).astype(np.float32)
    forward, backward = RANDOM.normal(size=(2, 2, 3)).astype(np.float32)

    def build(x):
        cells = [rnn.BasicRNNCell(3)], [rnn.BasicRNNCell(3)]
        states = [tf.constant(forward)], [tf.constant(backward)]
        if kind == 'static':
            outputs, fw, bw = rnn.stack_bidirectional_rnn(*cells, [x[:, 0]], *states)
            return outputs[0], fw[0], bw[0]
        by_time = kind == 'by time'
        outputs, fw, bw = rnn.stack_bidirectional_dynamic_rnn(
            *cells, tf.transpose(x, [1, 0, 2]) if by_time else x, *states, time_major=by_time
        )
        return outputs[0] if by_time else outputs[:, 0], fw[0], bw[0]

    (output, *last), v = run(build, sequence)
    of_fw, of_bw = list(v.values())[:2], list(v.values())[2:]
    sides = [
        np.tanh(np.concatenate([sequence[:, 0], state], 1) @ kernel + bias)
        for state, (kernel, bias) in ((forward, of_fw), (backward, of_bw))
    ]
    np.testing.assert_allclose(output, np.concatenate(sides, 1), rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(last, sides, rtol=1e-3, atol=1e-5)
