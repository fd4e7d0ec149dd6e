"""The smaller subjects of `tf.contrib`, each against numpy."""

import itertools
import pickle

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import tfae.compat

tfae.compat.install(v1_behavior=False)
contrib = tf.contrib
RANDOM = np.random.default_rng(0)


@pytest.fixture
def session():
    with tf.Graph().as_default() as graph, tf.Session(graph=graph) as session:
        tf.set_random_seed(1)
        yield session


def normal(*shape):
    return RANDOM.normal(size=shape).astype(np.float32)


def entropies(logits, targets):
    logs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    return -np.take_along_axis(logs, targets[..., None], -1)[..., 0]


def test_sequence_loss(session):
    logits, targets = normal(2, 3, 4), RANDOM.integers(4, size=(2, 3))
    weights = np.array([[1, 1, 0], [2, 1, 1]], np.float32)
    losses = entropies(logits, targets) * weights
    wanted = {
        (True, True): losses.sum() / weights.sum(),
        (True, False): losses.sum(1) / weights.sum(1),
        (False, True): losses.sum(0) / weights.sum(0),
        (False, False): losses,
    }
    used = (weights != 0).astype(int)
    wanted |= {
        (False, False, True, True): losses.sum() / used.sum(),
        (False, False, True, False): losses.sum(1) / used.sum(1),
        (False, False, False, True): losses.sum(0) / used.sum(0),
        (True, False, False, True): losses.sum(1) / weights.sum(1),
    }
    given = tf.constant(logits), tf.constant(targets), tf.constant(weights)
    for reductions, value in wanted.items():
        got = contrib.seq2seq.sequence_loss(*given, *reductions)
        np.testing.assert_allclose(session.run(got), value, rtol=1e-4, atol=1e-5)
    none = contrib.seq2seq.sequence_loss(*given[:2], tf.zeros([2, 3]))
    assert session.run(none) == 0
    with pytest.raises(ValueError, match='average_across_batch and sum_over_batch are both set'):
        contrib.seq2seq.sequence_loss(*given, sum_over_batch=True)
    with pytest.raises(ValueError, match=r'sequence_loss: targets is \(3,\)'):
        contrib.seq2seq.sequence_loss(tf.constant(logits), tf.zeros([3]), tf.constant(weights))


def test_legacy_losses(session):
    legacy = contrib.legacy_seq2seq
    logits, targets = normal(3, 2, 4), RANDOM.integers(4, size=(3, 2))
    weights = np.array([[1, 1], [0, 2], [1, 1]], np.float32)
    lists = [list(map(tf.constant, each)) for each in (logits, targets, weights)]
    losses = (entropies(logits, targets) * weights).sum(0)
    by_example = legacy.sequence_loss_by_example(*lists)
    np.testing.assert_allclose(
        session.run(by_example), losses / weights.sum(0), rtol=1e-4, atol=1e-5
    )
    summed = legacy.sequence_loss_by_example(*lists, average_across_timesteps=False)
    np.testing.assert_allclose(session.run(summed), losses, rtol=1e-4, atol=1e-5)
    mean = session.run(legacy.sequence_loss(*lists))
    assert mean == pytest.approx((losses / weights.sum(0)).mean(), rel=1e-4)
    with pytest.raises(ValueError, match='3 logits, 2 targets and 3 weights'):
        legacy.sequence_loss(lists[0], lists[1][:2], lists[2])


def test_legacy_models(session):
    legacy, cell = contrib.legacy_seq2seq, tf.nn.rnn_cell.BasicRNNCell
    x = [tf.constant(normal(2, 3)) for _ in range(3)]
    outputs, _ = legacy.rnn_decoder(x, tf.zeros([2, 4]), cell(4))
    fed, _ = legacy.rnn_decoder(
        x, tf.zeros([2, 4]), cell(4), lambda output, i: output[:, :3] * i, scope='fed'
    )
    legacy.basic_rnn_seq2seq(x[:2], x, cell(4))
    tied, _ = legacy.tied_rnn_seq2seq(x[:2], x, cell(4))
    ids = [tf.constant([0, 1]), tf.constant([2, 1])]
    named = {v.op.name: v for v in tf.global_variables()}
    assert list(named) == [
        f'{scope}/basic_rnn_cell/{w}'
        for scope in (
            'rnn_decoder',
            'fed',
            'basic_rnn_seq2seq/rnn',
            'basic_rnn_seq2seq/rnn_decoder',
            'combined_tied_rnn_seq2seq/tied_rnn_seq2seq',
        )
        for w in ('kernel', 'bias')
    ]
    embedded, _ = legacy.embedding_rnn_seq2seq(ids, ids, cell(4), 3, 5, 2)
    of_symbols = {v.op.name: v for v in tf.global_variables()[len(named) :]}
    assert list(of_symbols) == [
        f'embedding_rnn_seq2seq/{name}'
        for name in (
            'rnn/embedding_wrapper/embedding',
            'rnn/embedding_wrapper/basic_rnn_cell/kernel',
            'rnn/embedding_wrapper/basic_rnn_cell/bias',
            'embedding_rnn_decoder/embedding',
            'embedding_rnn_decoder/rnn_decoder/output_projection_wrapper/basic_rnn_cell/kernel',
            'embedding_rnn_decoder/rnn_decoder/output_projection_wrapper/basic_rnn_cell/bias',
            'embedding_rnn_decoder/rnn_decoder/output_projection_wrapper/kernel',
            'embedding_rnn_decoder/rnn_decoder/output_projection_wrapper/bias',
        )
    ]
    session.run(tf.global_variables_initializer())
    made = {'x': x, 'outputs': outputs, 'fed': fed, 'tied': tied, 'embedded': embedded}
    values = session.run({**named, **of_symbols, **made})

    def run(scope, h, inputs):
        for given in inputs:
            joined = np.concatenate([given, h], 1)
            kernel, bias = (values[f'{scope}/basic_rnn_cell/{w}'] for w in ('kernel', 'bias'))
            h = np.tanh(joined @ kernel + bias)
        return h

    zeros, inputs = np.zeros((2, 4), np.float32), values['x']
    np.testing.assert_allclose(
        values['outputs'][2], run('rnn_decoder', zeros, inputs), rtol=1e-4, atol=1e-5
    )
    first = run('fed', zeros, inputs[:1])
    np.testing.assert_allclose(
        values['fed'][1], run('fed', first, [first[:, :3]]), rtol=1e-4, atol=1e-5
    )
    scope = 'combined_tied_rnn_seq2seq/tied_rnn_seq2seq'
    wanted = run(scope, zeros, inputs[:2] + inputs)
    np.testing.assert_allclose(values['tied'][2], wanted, rtol=1e-4, atol=1e-5)
    encoder, decoder = 'embedding_rnn_seq2seq/rnn', 'embedding_rnn_seq2seq/embedding_rnn_decoder'
    symbols = np.array([[0, 1], [2, 1]])
    encoded = values[f'{encoder}/embedding_wrapper/embedding'][symbols]
    h = run(f'{encoder}/embedding_wrapper', zeros, encoded)
    projected = f'{decoder}/rnn_decoder/output_projection_wrapper'
    h = run(projected, h, values[f'{decoder}/embedding'][symbols])
    wanted = h @ values[f'{projected}/kernel'] + values[f'{projected}/bias']
    np.testing.assert_allclose(values['embedded'][1], wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('kind', ['rnn', 'attention'])
def test_decoders_feed_their_own_symbols(session, kind):
    cell = tf.nn.rnn_cell.BasicRNNCell
    seq2seq = {
        'rnn': contrib.legacy_seq2seq.embedding_rnn_seq2seq,
        'attention': contrib.legacy_seq2seq.embedding_attention_seq2seq,
    }[kind]
    ids = [tf.constant([0, 1]), tf.constant([2, 1])]
    feed = tf.placeholder_with_default(False, [])

    def model(feed_previous):
        with tf.variable_scope('model', reuse=tf.AUTO_REUSE):
            outputs, _ = seq2seq(ids, ids, cell(4), 3, 5, 2, feed_previous=feed_previous)
        return outputs

    given, own, either = model(False), model(True), model(feed)
    if kind == 'attention':
        names = {v.op.name.removeprefix('model/embedding_attention_seq2seq/') for v in
                 tf.global_variables()}  # fmt: skip
        decoder = 'embedding_attention_decoder'
        assert 'rnn/embedding_wrapper/embedding' in names and f'{decoder}/embedding' in names
        scope = f'{decoder}/attention_decoder/output_projection_wrapper'
        assert {f'{scope}/kernel', f'{scope}/basic_rnn_cell/kernel'} <= names
    session.run(tf.global_variables_initializer())
    given, own, off, on = *session.run([given, own, either]), session.run(either, {feed: True})
    np.testing.assert_allclose(given[0], own[0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(given, off, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(own, on, rtol=1e-5, atol=1e-6)


def test_decoders_embed_their_symbols(session):
    legacy, cell = contrib.legacy_seq2seq, tf.nn.rnn_cell.BasicRNNCell
    ids, zeros = [tf.constant([0, 1]), tf.constant([2, 1])], tf.zeros([2, 4])
    states = tf.constant(normal(2, 3, 4))
    plain, _ = legacy.embedding_rnn_decoder(ids, zeros, cell(4), 3, 5)
    attended, _ = legacy.embedding_attention_decoder(ids, zeros, states, cell(4), 3, 5)
    with tf.variable_scope('', reuse=True):
        embedding = tf.get_variable('embedding_rnn_decoder/embedding')
        kernel, bias = (
            tf.get_variable(f'embedding_rnn_decoder/rnn_decoder/basic_rnn_cell/{w}')
            for w in ('kernel', 'bias')
        )
    with tf.variable_scope('embedding_attention_decoder', reuse=True):
        vectors = [tf.nn.embedding_lookup(tf.get_variable('embedding'), one) for one in ids]
        wanted, _ = legacy.attention_decoder(vectors, zeros, states, cell(4))
    session.run(tf.global_variables_initializer())
    found, table, kernel, bias = session.run([plain, embedding, kernel, bias])
    h = np.zeros((2, 4), np.float32)
    for symbols, output in zip(([0, 1], [2, 1]), found, strict=True):
        h = np.tanh(np.concatenate([table[symbols], h], 1) @ kernel + bias)
        np.testing.assert_allclose(output, h, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(*session.run([attended, wanted]), rtol=1e-5)


def test_a_loop_function_maps_the_previous_output(session):
    legacy = contrib.legacy_seq2seq
    x = normal(2, 3)
    cell = tf.nn.rnn_cell.BasicRNNCell(3)
    outputs, _ = legacy.rnn_decoder(
        [tf.constant(x)] * 3, tf.zeros([2, 3]), cell, lambda output, i: output * i
    )
    session.run(tf.global_variables_initializer())
    found, (kernel, bias) = session.run([outputs, tf.global_variables()])
    h, given = np.zeros((2, 3), np.float32), x
    for i, output in enumerate(found):
        h = np.tanh(np.concatenate([given, h], 1) @ kernel + bias)
        np.testing.assert_allclose(output, h, rtol=1e-4, atol=1e-6)
        given = h * (i + 1)


@pytest.mark.parametrize('update', [True, False])
def test_gradients_reach_the_embeddings_of_fed_symbols_if_asked(session, update):
    cell = tf.nn.rnn_cell.BasicRNNCell(3)
    ids, zeros = [tf.constant([0])] * 3, tf.zeros([1, 3])
    # The scores favor symbol 2, which is never given.
    projection = tf.zeros([3, 3]), tf.constant([0.0, 0.0, 1.0])
    outputs, _ = contrib.legacy_seq2seq.embedding_rnn_decoder(
        ids, zeros, cell, 3, 4, projection, True, update_embedding_for_previous=update
    )
    table = tf.global_variables('embedding_rnn_decoder/embedding')[0]
    gradient = tf.convert_to_tensor(tf.gradients(tf.reduce_sum(outputs[-1]), table)[0])
    session.run(tf.global_variables_initializer())
    reached = np.abs(session.run(gradient)).sum(1) > 0
    assert reached.tolist() == [True, False, update]


@pytest.mark.parametrize('initial', [False, True])
def test_attention_decoder(session, initial):
    legacy = contrib.legacy_seq2seq
    x, memory, start = normal(2, 2, 3), normal(2, 5, 4), normal(2, 3)
    outputs, state = legacy.attention_decoder(
        list(map(tf.constant, x)),
        tf.constant(start),
        tf.constant(memory),
        tf.nn.rnn_cell.BasicRNNCell(3),
        output_size=6,
        num_heads=2,
        initial_state_attention=initial,
    )
    v = {}
    for variable in tf.global_variables():
        name = variable.op.name.removeprefix('attention_decoder/')
        v[name] = normal(*variable.shape)
        session.run(variable.assign(v[name]))
    scopes = ('', 'basic_rnn_cell/', 'Attention_0/', 'Attention_1/', 'AttnOutputProjection/')
    linears = {f'{scope}{w}' for scope in scopes for w in ('kernel', 'bias')}
    assert set(v) == linears | {'AttnW_0', 'AttnV_0', 'AttnW_1', 'AttnV_1'}

    def linear(scope, *inputs):
        return np.concatenate(inputs, 1) @ v[f'{scope}kernel'] + v[f'{scope}bias']

    def attend(h):
        found = []
        for i in range(2):
            keys = memory @ v[f'AttnW_{i}'][0, 0]
            scores = v[f'AttnV_{i}'] * np.tanh(keys + linear(f'Attention_{i}/', h)[:, None])
            weights = np.exp(scores.sum(2))[:, :, None]
            found.append((weights * memory).sum(1) / weights.sum(1))
        return found

    outputs, state = session.run([outputs, state])
    h, attended = start, attend(start) if initial else [np.zeros((2, 4), np.float32)] * 2
    for given, output in zip(x, outputs, strict=True):
        h = np.tanh(linear('basic_rnn_cell/', linear('', given, *attended), h))
        attended = attend(h)
        wanted = linear('AttnOutputProjection/', h, *attended)
        np.testing.assert_allclose(output, wanted, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(state, h, rtol=1e-3, atol=1e-4)


def test_buckets_share_their_variables(session):
    legacy, cell = contrib.legacy_seq2seq, tf.nn.rnn_cell.BasicRNNCell
    x = [tf.constant(normal(2, 3)) for _ in range(3)]
    targets = [tf.constant([0, 1]) for _ in range(3)]
    weights = [tf.ones([2]) for _ in range(3)]

    def seq2seq(encoded, decoded):
        return legacy.basic_rnn_seq2seq(encoded, decoded, cell(4))

    given = x, x, targets, weights, [(1, 2), (3, 3)]
    outputs, losses = legacy.model_with_buckets(*given, seq2seq)
    assert [len(each) for each in outputs] == [2, 3] and len(tf.global_variables()) == 4
    by_example = legacy.model_with_buckets(*given, lambda *a: (outputs[len(a[1]) - 2], None),
                                           per_example_loss=True)[1]  # fmt: skip
    session.run(tf.global_variables_initializer())
    for logits, loss, each in zip(*session.run([outputs, losses, by_example]), strict=True):
        wanted = entropies(np.stack(logits), np.array([[0, 1]] * len(logits))).mean(0)
        np.testing.assert_allclose(each, wanted, rtol=1e-4, atol=1e-5)
        assert loss == pytest.approx(wanted.mean(), rel=1e-4)
    with pytest.raises(ValueError, match=r'takes \[4, 3\] inputs and targets; there are \[3, 3\]'):
        legacy.model_with_buckets(*given[:4], [(4, 3)], seq2seq)


def crf_case():
    scores, lengths = normal(3, 4, 3), np.array([4, 2, 1], np.int32)
    transitions = normal(3, 3)

    def score(i, tags):
        steps = sum(scores[i, t, tag] for t, tag in enumerate(tags))
        return steps + sum(transitions[a, b] for a, b in itertools.pairwise(tags))

    every = [
        {tags: score(i, tags) for tags in itertools.product(range(3), repeat=n)}
        for i, n in enumerate(lengths)
    ]
    return scores, lengths, transitions, every


def test_crf(session):
    scores, lengths, transitions, every = crf_case()
    crf = contrib.crf
    tags = RANDOM.integers(3, size=(3, 4)).astype(np.int32)
    given = tf.constant(scores), tf.constant(tags), tf.constant(lengths), tf.constant(transitions)
    likelihood, same = crf.crf_log_likelihood(*given)
    assert same is given[3]
    chosen = [table[tuple(row[:n])] for table, row, n in zip(every, tags, lengths, strict=True)]
    norms = [np.log(np.exp(list(table.values())).sum()) for table in every]
    total = crf.crf_unary_score(given[1], given[2], given[0]) + crf.crf_binary_score(
        given[1], given[2], given[3]
    )
    got = session.run(
        [
            crf.crf_sequence_score(given[0], given[1], given[2], given[3]),
            total,
            crf.crf_log_norm(given[0], given[2], given[3]),
            likelihood,
        ]
    )
    wanted = [chosen, chosen, norms, np.subtract(chosen, norms)]
    np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5)
    one_step = crf.crf_log_norm(given[0][:, :1], tf.constant([1, 1, 0]), given[3])
    logs = np.log(np.exp(scores[:, 0]).sum(1))
    np.testing.assert_allclose(session.run(one_step), [*logs[:2], 0], rtol=1e-4, atol=1e-5)
    decoded, best = session.run(crf.crf_decode(given[0], given[3], given[2]))
    for i, (table, n) in enumerate(zip(every, lengths, strict=True)):
        winner = max(table, key=table.get)
        assert decoded[i].tolist() == [*winner, *[0] * (4 - n)]
        assert best[i] == pytest.approx(table[winner], rel=1e-4)
        path, value = crf.viterbi_decode(scores[i, :n], transitions)
        assert path == list(winner) and value == pytest.approx(table[winner], rel=1e-4)
    _, variable = crf.crf_log_likelihood(*given[:3])
    assert variable.op.name == 'transitions' and variable.shape == (3, 3)


def test_image_transforms(session):
    image = contrib.image
    x = normal(2, 4, 4, 3)
    turned = image.rotate(tf.constant(x), np.pi / 2)
    np.testing.assert_allclose(session.run(turned), np.rot90(x, axes=(1, 2)))
    np.testing.assert_allclose(session.run(image.rotate(x[0], np.pi)), np.rot90(x[0], 2))
    np.testing.assert_allclose(session.run(image.rotate(x[0, :, :, 0], [0.0])), x[0, :, :, 0])
    moved = session.run(image.translate(x, [1, -2]))
    np.testing.assert_array_equal(moved[:, :2, 1:], x[:, 2:, :3])
    assert not moved[:, 2:].any() and not moved[:, :, 0].any()
    half = session.run(image.transform(x, [1, 0, 0.5, 0, 1, 0, 0, 0], 'BILINEAR'))
    np.testing.assert_allclose(
        half[:, :, :3], (x[:, :, :3] + x[:, :, 1:]) / 2, rtol=1e-4, atol=1e-5
    )
    small = session.run(image.transform(x, [1, 0, 1, 0, 1, 0, 0, 0], output_shape=[2, 3]))
    np.testing.assert_array_equal(small, x[:, :2, 1:])
    rows = session.run(image.angles_to_projective_transforms([0.0, np.pi], 4, 4))
    np.testing.assert_allclose(rows[1, :6], [-1, 0, 3, 0, -1, 3], atol=1e-5)
    row = session.run(image.translations_to_projective_transforms([1, 2]))
    np.testing.assert_array_equal(row, [[1, 0, -1, 0, 1, -2, 0, 0]])


FACTORIZATION = contrib.factorization
STARTS = [FACTORIZATION.RANDOM_INIT, FACTORIZATION.KMEANS_PLUS_PLUS_INIT, 'array', 'function']


@pytest.mark.parametrize('first', STARTS)
@pytest.mark.parametrize('mini_batch', [False, True])
def test_kmeans_finds_clusters(session, first, mini_batch):
    centers = np.array([[0, 0], [10, 0], [0, 10]], np.float32)
    points = (centers[:, None] + 0.1 * normal(3, 20, 2)).reshape(-1, 2)
    start = {'array': points[::20], 'function': lambda x, k: x[0][::20][:k]}.get(first, first)
    kmeans = contrib.factorization.KMeans(
        points,
        3,
        start,
        FACTORIZATION.SQUARED_EUCLIDEAN_DISTANCE,
        use_mini_batch=mini_batch,
        random_seed=4,
    )
    distances, index, scores, initialized, init, step = kmeans.training_graph()
    session.run(tf.global_variables_initializer())
    assert not session.run(initialized)
    session.run(init)
    assert session.run(initialized)
    for _ in range(30):
        session.run(step)
    found, nearest, distance, score = session.run(
        [tf.global_variables('clusters')[0], index[0], distances[0], scores[0]]
    )
    np.testing.assert_array_equal(distance.argmin(1), nearest)
    np.testing.assert_allclose(score, distance.min(1))
    np.testing.assert_allclose(
        distance, ((points[:, None] - found) ** 2).sum(2), rtol=1e-3, atol=1e-3
    )
    if first != 'random':  # which may begin with two points of one cluster
        order = np.argsort(found @ [1, 2])
        np.testing.assert_allclose(found[order], centers, atol=0.1)
        assert len(set(nearest)) == 3


def test_two_graphs_of_kmeans_have_their_own_centers(session):
    points = np.array([[0], [2], [10]], np.float32)
    steps = []
    with tf.variable_scope('scope'):
        for start in ([[0]], [[1], [9]]):
            kmeans = FACTORIZATION.KMeans(points, 9, np.array(start, np.float32),
                                          use_mini_batch=True)  # fmt: skip
            *_, init, step = kmeans.training_graph()
            steps.append((init, step))
    named = {v.op.name.removeprefix('scope/'): v for v in tf.trainable_variables()}
    kinds = 'clusters', 'initialized', 'Variable'
    assert list(named) == [f'{name}{suffix}' for suffix in ('', '_1') for name in kinds]
    session.run(tf.global_variables_initializer())
    for kind in zip(*steps, strict=True):
        session.run(kind)
    # The first centers count as one point each.
    wanted = {
        'clusters': [[(0 + 0 + 2 + 10) / 4]], 'Variable': [4],
        'clusters_1': [[(1 + 0 + 2) / 3], [(9 + 10) / 2]], 'Variable_1': [3, 2],
    }  # fmt: skip
    for name, value in wanted.items():
        np.testing.assert_allclose(session.run(named[name]), value, rtol=1e-5)


def test_kmeans_by_angle_and_its_refusals(session):
    kind = contrib.factorization.KMeans
    points = np.array([[1, 0.1], [9, 0.1], [0.1, 1], [0.1, 7]], np.float32)
    kmeans = kind([tf.constant(points)], 2, points[[0, 2]], kind.COSINE_DISTANCE)
    _, index, scores, _, init, step = kmeans.training_graph()
    session.run(tf.global_variables_initializer())
    session.run(init)
    session.run(step)
    nearest, score = session.run([index[0], scores[0]])
    assert nearest.tolist() == [0, 0, 1, 1] and score.max() < 0.01
    for options in ({'distance_metric': 'l1'}, {'initial_clusters': 'x'},
                    {'mini_batch_steps_per_iteration': 2}):  # fmt: skip
        with pytest.raises(ValueError, match=next(iter(options))):
            kind(points, 2, **options)
    few = kind(tf.placeholder_with_default(points[:1], [None, 2]), 2).training_graph()
    session.run(tf.global_variables_initializer())
    with pytest.raises(tf.errors.InvalidArgumentError, match=r'Expected \[2,2\] got \[1,2\]'):
        session.run(few[4])


def test_lookup(session):
    lookup = contrib.lookup
    words = tf.constant(['b', 'x', 'a'])
    tables = [
        lookup.index_table_from_tensor(['a', 'b']),
        lookup.index_table_from_tensor(['a', 'b'], num_oov_buckets=1),
        lookup.HashTable(lookup.KeyValueTensorInitializer(['a', 'b'], [5, 6]), -1),
    ]
    found = [tables[0].lookup(words), tables[1].lookup(words), tables[2].lookup(words)]
    back = lookup.index_to_string_table_from_tensor(['a', 'b']).lookup(
        tf.constant([1, 7], tf.int64)
    )
    session.run(tf.tables_initializer())
    found, back = session.run([found, back])
    assert [row.tolist() for row in found] == [[1, -1, 0], [1, 2, 0], [6, -1, 5]]
    assert back.tolist() == [b'b', b'UNK']


def test_lookup_takes_tf1s_arguments(session, tmp_path):
    lookup = contrib.lookup
    letters, numbers = tf.constant(['b', 'x']), tf.constant([3, 9], tf.int64)
    path = tmp_path / 'pairs'
    path.write_text('a\t5\nb\t7\n')
    columns = {'key_column_index': 0, 'value_column_index': 1}
    tables = [
        (lookup.index_table_from_tensor(['a', 'b'], 0, 4, lookup.FastHashSpec), letters, [1, 4]),
        (lookup.index_table_from_tensor(mapping=['a', 'b'], num_oov_buckets=1), letters, [1, 2]),
        (lookup.index_table_from_tensor([2, 3], dtype=tf.int64), numbers, [1, -1]),
        (lookup.index_table_from_tensor([2, 3], 1, dtype=tf.int32), tf.cast(numbers, tf.int32),
         [1, 2]),
        (lookup.index_to_string_table_from_tensor(mapping=list('abcd')), numbers, [b'd', b'UNK']),
        (lookup.index_table_from_file(str(path), 0, 2, 4, lookup.FastHashSpec, tf.string,
                                      **columns), letters, [7, 4]),
        (lookup.HashTable(lookup.KeyValueTensorInitializer(['b'], [6]), 0, 'shared', 'own'),
         letters, [6, 0]),
    ]  # fmt: skip
    for table, keys, wanted in tables:
        session.run(table.init)
        assert session.run(table.lookup(keys)).tolist() == wanted
    with pytest.raises(ValueError, match='it must be FastHashSpec'):
        other = lookup.HasherSpec('stronghash', [1, 2])
        lookup.index_table_from_tensor(['a'], 1, hasher_spec=other)


def test_tables_that_change(session, tmp_path):
    lookup = contrib.lookup
    assert lookup.TextFileIndex is tf.lookup.TextFileIndex
    tables = [
        lookup.MutableHashTable(tf.string, tf.int64, -1),
        lookup.MutableDenseHashTable(tf.string, tf.int64, -1, empty_key='', deleted_key='#'),
    ]
    keys = tf.constant(['a', 'b'])
    session.run([table.insert(keys, tf.constant([5, 6], tf.int64)) for table in tables])
    saver = tf.train.Saver()
    path = saver.save(session, str(tmp_path / 'tables'))
    session.run([table.remove(keys) for table in tables])
    found = [table.lookup(tf.constant(['b', 'x'])) for table in tables]
    np.testing.assert_array_equal(session.run(found), [[-1, -1]] * 2)
    saver.restore(session, path)
    np.testing.assert_array_equal(session.run(found), [[6, -1]] * 2)


def test_lookup_from_files(session, tmp_path):
    path = tmp_path / 'words'
    path.write_text('a\nb\n')
    number = contrib.lookup.index_table_from_file(str(path)).lookup(tf.constant(['b', 'x']))
    word = contrib.lookup.index_to_string_table_from_file(str(path)).lookup(
        tf.constant([0, 9], tf.int64)
    )
    session.run(tf.tables_initializer())
    whole_line, line_number = (
        tf.lookup.TextFileIndex.WHOLE_LINE,
        tf.lookup.TextFileIndex.LINE_NUMBER,
    )
    pairs = contrib.lookup.TextFileInitializer(
        str(path), tf.string, whole_line, tf.int64, line_number
    )
    own = contrib.lookup.HashTable(pairs, 7).lookup(tf.constant(['b', 'x']))
    session.run(tf.tables_initializer())
    assert session.run(own).tolist() == [1, 7]
    assert session.run(number).tolist() == [1, -1]
    assert session.run(word).tolist() == [b'a', b'UNK']


def test_data(session, tmp_path):
    data = contrib.data

    def all_of(dataset):
        get = tf.data.make_one_shot_iterator(dataset).get_next()
        found = []
        while True:
            try:
                found.append(session.run(get).tolist())
            except tf.errors.OutOfRangeError:
                return found

    numbers = data.Dataset.range(5)
    assert all_of(numbers.apply(data.batch_and_drop_remainder(2))) == [[0, 1], [2, 3]]
    padded = numbers.map(lambda n: tf.fill([n], n)).apply(
        data.padded_batch_and_drop_remainder(2, [4])
    )
    assert all_of(padded)[1] == [[2, 2, 0, 0], [3, 3, 3, 0]]
    doubled = numbers.apply(data.map_and_batch(lambda n: 2 * n, 2))
    assert all_of(doubled) == [[0, 2], [4, 6], [8]]
    assert all_of(doubled.apply(data.unbatch())) == [0, 2, 4, 6, 8]
    path = tmp_path / 'lines'
    path.write_text('ab\ncd\n')
    assert all_of(data.TextLineDataset(str(path)).map(tf.strings.length)) == [2, 2]
    assert all_of(data.FixedLengthRecordDataset(str(path), 3).map(tf.strings.length)) == [3, 3]
    with tf.python_io.TFRecordWriter(str(path)) as writer:
        writer.write(b'abcd')
    assert all_of(data.TFRecordDataset(str(path)).map(tf.strings.length)) == [4]
    numbers_iterator = data.Iterator.from_structure(tf.int64, [])
    session.run(numbers_iterator.make_initializer(numbers))
    assert session.run(numbers_iterator.get_next()) == 0
    repeated = all_of(numbers.apply(data.shuffle_and_repeat(5, 2, seed=3)))
    assert sorted(repeated[:5]) == sorted(repeated[5:]) == [0, 1, 2, 3, 4]


def test_hparams():
    params = contrib.training.HParams(rate=0.1, layers=[4, 5], name='a', flag=False, steps=3)
    assert params.values() == {
        'rate': 0.1, 'layers': [4, 5], 'name': 'a', 'flag': False, 'steps': 3
    }  # fmt: skip
    params.parse('rate=1e-3,layers=[1,2,3],name=b c,flag=True')
    assert (params.rate, params.layers, params.name, params.flag) == (1e-3, [1, 2, 3], 'b c', True)
    params.parse('layers[1]=7, steps=8')
    assert params.layers == [1, 7, 3] and params.steps == 8
    params.override_from_dict({'rate': 2}).set_hparam('name', 'z')
    assert (params.rate, type(params.rate), params.name) == (2.0, float, 'z')
    again = contrib.training.HParams(rate=0.0, layers=[0], name='', flag=False, steps=0)
    assert again.parse_json(params.to_json()).values() == params.values()
    assert 'rate' in params and params.get('rate') == 2 and params.get('other', 5) == 5
    params.add_hparam('more', 1)
    params.del_hparam('more')
    assert 'more' not in params and not hasattr(params, 'more')
    params.set_model_structure(3)
    assert params.get_model_structure() == 3
    wrong = ['rate', 'rate=x', 'other=1', 'rate=1,rate=2', 'layers=1', 'steps=1.5', 'rate=[1]']
    for text in wrong:
        with pytest.raises(ValueError):
            params.parse(text)
    for name, value in (('flag', 1), ('name', 2), ('steps', 1.5), ('rate', 'x'), ('layers', 1)):
        with pytest.raises(ValueError, match=name):
            params.set_hparam(name, value)
    with pytest.raises(ValueError, match='rate is taken'):
        params.add_hparam('rate', 1)
    parsed = contrib.training.parse_values('a[1]=2,a[0]=1', {'a': int})
    assert parsed == {'a': {1: 2, 0: 1}}
    assert contrib.training.create_train_op.__module__ == 'tf_slim.training.training'


def test_weight_decay_is_decoupled(session):
    start = normal(3)
    a, b = (tf.get_variable(name, initializer=start) for name in 'ab')
    loss = tf.reduce_sum(a**2 + b**2)
    opt = contrib.opt
    step = opt.MomentumWOptimizer(0.1, 0.01, 0.9).minimize(loss, decay_var_list=[a])
    session.run(tf.global_variables_initializer())
    session.run(step)
    np.testing.assert_allclose(session.run(b), start - 0.02 * start, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(session.run(a), start * 0.9 - 0.02 * start, rtol=1e-5, atol=1e-6)
    step = opt.AdamWOptimizer(0.1, 0.01).minimize(loss)
    session.run(tf.global_variables_initializer())
    session.run(step)
    np.testing.assert_allclose(
        session.run(a), 0.9 * start - 0.01 * np.sign(start), rtol=1e-3, atol=1e-5
    )


def test_weight_decay_reduces_the_rows_of_a_sparse_gradient(session):
    table = tf.get_variable('table', initializer=tf.ones([4, 2]))
    resource = tf.get_variable('resource', initializer=tf.ones([4, 2]), use_resource=True)
    ids = tf.constant([3, 1, 3])
    loss = sum(tf.reduce_sum(tf.gather(v, ids)) for v in (table, resource))
    kind = contrib.opt.extend_with_decoupled_weight_decay(tf.train.GradientDescentOptimizer)
    assert issubclass(kind, contrib.opt.DecoupledWeightDecayExtension)
    step = kind(lambda: 0.25, learning_rate=0.1).minimize(loss)
    session.run(tf.global_variables_initializer())
    session.run(step)
    wanted = [[1, 1], [0.65, 0.65], [1, 1], [0.55, 0.55]]
    np.testing.assert_allclose(session.run([table, resource]), [wanted] * 2, rtol=1e-5)


def test_weight_decay_has_tf1s_arguments_and_slots(session):
    w = tf.get_variable('w', initializer=1.0)
    opt = contrib.opt
    opt.AdamWOptimizer(0.1).minimize(w**2)
    opt.MomentumWOptimizer(0.1, 0.01, 0.9, False, 'MomentumW', True).minimize(w**2)
    names = [v.op.name for v in tf.global_variables()]
    assert names == ['w', 'beta1_power', 'beta2_power', 'w/AdamW', 'w/AdamW_1', 'w/MomentumW']


def test_adamw_without_decay_is_adam(session):
    """Also its defaults: three steps, of gradients that change."""
    start = np.array([1.0, -2.0, 3.0], np.float32)
    a, b = (tf.get_variable(name, initializer=start) for name in 'ab')
    steps = [
        contrib.opt.AdamWOptimizer(0.0).minimize(tf.reduce_sum(a**4), var_list=[a]),
        tf.train.AdamOptimizer().minimize(tf.reduce_sum(b**4), var_list=[b]),
    ]
    session.run(tf.global_variables_initializer())
    for scale in (1.0, 0.1, 3.0):
        session.run(steps)
        session.run([v.assign(v * scale) for v in (a, b)])
    np.testing.assert_allclose(*session.run([a, b]), rtol=1e-6)


def test_scipy_leaves_variables_without_bounds_free(session):
    x, y = (tf.get_variable(name, initializer=1.0) for name in 'xy')
    loss = (x + 2) ** 2 + (y + 3) ** 2
    session.run(tf.global_variables_initializer())
    kind = contrib.opt.ScipyOptimizerInterface
    kind(loss, var_to_bounds={x: (-1, 1)}).minimize(session)
    np.testing.assert_allclose(session.run([x, y]), [-1, -3], atol=1e-4)


def test_scipy_optimizers(session):
    x = tf.get_variable('x', initializer=np.array([3.0, 4.0], np.float32))
    target = tf.constant([1.0, -2.0])
    kind, seen = contrib.opt.ScipyOptimizerInterface, []
    loss = tf.reduce_sum((x - target) ** 2)
    session.run(tf.global_variables_initializer())
    kind(loss).minimize(session, fetches=[loss], loss_callback=seen.append)
    np.testing.assert_allclose(session.run(x), [1, -2], atol=1e-4)
    assert seen[0] == pytest.approx(40) and seen[-1] == pytest.approx(0, abs=1e-6)
    kind(loss, var_to_bounds={x.ref(): (0, [0.5, 9])}).minimize(session)
    np.testing.assert_allclose(session.run(x), [0.5, 0], atol=1e-5)
    kind(loss, equalities=[x[0] - x[1]], inequalities=[x[0]]).minimize(session)
    np.testing.assert_allclose(session.run(x), [0, 0], atol=1e-4)


def test_distributions(session):
    distributions = contrib.distributions
    loc, scale = normal(2, 3), np.exp(normal(2, 3))
    p = distributions.MultivariateNormalDiag(loc, scale)
    q = distributions.MultivariateNormalDiag(tf.zeros([2, 3]), tf.ones([2, 3]))
    x = normal(2, 3)
    logs = -0.5 * ((x - loc) / scale) ** 2 - np.log(scale) - 0.5 * np.log(2 * np.pi)
    divergence = 0.5 * (scale**2 + loc**2 - 1) - np.log(scale)
    sample, log, entropy, kl, covariance = session.run(
        [p.sample(4000, seed=1), p.log_prob(x), p.entropy(),
         distributions.kl_divergence(p, q), p.covariance()]
    )  # fmt: skip
    np.testing.assert_allclose(sample.mean(0), loc, atol=0.2)
    np.testing.assert_allclose(log, logs.sum(1), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        entropy, (np.log(scale) + 0.5 * np.log(2 * np.pi * np.e)).sum(1), rtol=1e-4
    )
    np.testing.assert_allclose(kl, divergence.sum(1), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(covariance[0], np.diag(scale[0] ** 2), rtol=1e-4, atol=1e-5)
    assert p.batch_shape == (2,) and p.event_shape == (3,)
    moments = [p.mean(), p.mode(), p.stddev(), p.variance(), p.loc]
    for got, wanted in zip(session.run(moments), [loc, loc, scale, scale**2, loc], strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-6)
    signs = np.array([1, -1, 1], np.float32)
    others = [
        distributions.MultivariateNormalDiag(loc),
        distributions.MultivariateNormalDiag(None, scale[0] * signs),
        distributions.MultivariateNormalDiag(loc, None, [2.0, 3.0]),
        distributions.MultivariateNormalDiag(loc, scale, scale_identity_multiplier=2.0),
    ]
    scales = [np.ones((2, 3)), scale[0], [[2] * 3, [3] * 3], scale + 2]
    for other, wanted in zip(others, scales, strict=True):
        means = np.zeros(3) if other is others[1] else loc
        logs = -0.5 * ((x - means) / wanted) ** 2 - np.log(wanted) - 0.5 * np.log(2 * np.pi)
        log, mean, stddev = session.run([other.log_prob(x), other.mean(), other.stddev()])
        np.testing.assert_allclose(log, logs.sum(1), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(mean, means, rtol=1e-5)
        np.testing.assert_allclose(stddev, wanted, rtol=1e-5)
    with pytest.raises(ValueError, match='MultivariateNormalDiag: loc or scale_diag must be given'):
        distributions.MultivariateNormalDiag(scale_identity_multiplier=1.0)
    standard = distributions.Normal(0.0, 1.0)
    assert session.run(standard.log_prob(0.0)) == pytest.approx(-0.5 * np.log(2 * np.pi))


def test_losses_and_metrics(session):
    predictions, labels = tf.constant([1.0, 2.0, 4.0]), tf.constant([1.0, 0.0, 4.0])
    loss = contrib.losses.mean_squared_error(predictions, labels)
    assert session.run(loss) == pytest.approx(4 / 3)
    assert contrib.losses.get_losses() == [loss]
    assert session.run(contrib.losses.get_total_loss()) == pytest.approx(4 / 3)
    value, update = contrib.metrics.streaming_accuracy(
        tf.constant([1, 0, 1]), tf.constant([1, 1, 1])
    )
    error, update_error = contrib.metrics.streaming_mean_squared_error(predictions, labels)
    names, updates = contrib.metrics.aggregate_metric_map({'a': (value, update)})
    assert (names, updates) == ({'a': value}, {'a': update})
    session.run(tf.local_variables_initializer())
    session.run([update, update_error])
    assert session.run([value, error]) == pytest.approx([2 / 3, 4 / 3])
    matrix = contrib.metrics.confusion_matrix([0, 1, 1], [0, 1, 0])
    np.testing.assert_array_equal(session.run(matrix), [[1, 0], [1, 1]])
    accuracy = contrib.metrics.accuracy(tf.constant([1, 0]), tf.constant([1, 1]))
    assert session.run(accuracy) == 0.5
    a, b = tf.constant([[1, 2]]), tf.constant([[2, 3]])
    of = contrib.metrics
    for function, wanted in (
        (of.set_union, [1, 2, 3]),
        (of.set_intersection, [2]),
        (of.set_difference, [1]),
    ):
        assert session.run(function(a, b)).values.tolist() == wanted
    assert session.run(of.set_size(of.set_union(a, b))).tolist() == [3]


def test_signal_util_and_keras(session):
    wave = normal(16)
    spectrum = session.run(contrib.signal.stft(wave, 8, 4, window_fn=None))
    wanted = np.fft.rfft(np.stack([wave[i : i + 8] for i in (0, 4, 8)]))
    np.testing.assert_allclose(spectrum, wanted, rtol=1e-3, atol=1e-5)
    proto = contrib.util.make_tensor_proto([1, 2])
    assert contrib.util.make_ndarray(proto).tolist() == [1, 2]
    assert contrib.util.constant_value(tf.constant(3)) == 3
    dense = contrib.keras.layers.Dense(2, kernel_initializer='ones')
    y = dense(tf.ones([1, 3]))
    session.run(tf.global_variables_initializer())
    np.testing.assert_array_equal(session.run(y), [[3, 3]])
    assert contrib.autograph.to_graph is tf.autograph.to_graph
    assert contrib.distribute.Strategy is tf.distribute.Strategy
    assert contrib.tpu.CrossShardOptimizer is tf.tpu.CrossShardOptimizer
    resolver = contrib.cluster_resolver.SimpleClusterResolver(tf.train.ClusterSpec({'a': ['b:1']}))
    assert resolver.cluster_spec().as_dict() == {'a': ['b:1']}


def test_vocabulary_processor(tmp_path):
    preprocessing = contrib.learn.preprocessing
    texts = ["I'm here, you're there", 'here and there', 'nowhere']
    assert list(preprocessing.tokenizer(['a b-c, d']))[0] == ['a', 'b-c', 'd']
    processor = preprocessing.VocabularyProcessor(3)
    vectors = np.array(list(processor.fit_transform(texts)))
    assert vectors.tolist() == [[1, 2, 3], [2, 5, 4], [6, 0, 0]]
    assert len(processor.vocabulary_) == 7
    assert processor.vocabulary_._mapping['here'] == 2
    assert list(processor.transform(['here is there']))[0].tolist() == [2, 0, 4]
    assert list(processor.reverse([[2, 0, 4]])) == ['here <UNK> there']
    known = preprocessing.CategoricalVocabulary('?')
    known.add('b')
    known.add('a', 2)
    known.trim(0)
    assert [known.get('a'), known.get('b'), known.reverse(0)] == [1, 2, '?']
    processor.save(str(tmp_path / 'vocabulary'))
    again = preprocessing.VocabularyProcessor.restore(str(tmp_path / 'vocabulary'))
    assert np.array(list(again.transform(texts))).tolist() == vectors.tolist()
    # A file of TF1: its modules, and the attributes of its classes.
    ours = b'tfae.compat.contrib.learn_preprocessing'
    theirs = b'tensorflow.contrib.learn.python.learn.preprocessing.'
    old = pickle.dumps(processor, 2)
    for name, file in ((b'VocabularyProcessor', b'text'), (b'tokenizer', b'text'),
                       (b'CategoricalVocabulary', b'categorical_vocabulary')):  # fmt: skip
        assert old.count(ours + b'\n' + name) == 1
        old = old.replace(ours + b'\n' + name, theirs + file + b'\n' + name)
    attributes = {'_unknown_token', '_mapping', '_reverse_mapping', '_freq', '_freeze'}
    assert set(vars(processor.vocabulary_)) == attributes
    (tmp_path / 'old').write_bytes(old)
    again = preprocessing.VocabularyProcessor.restore(str(tmp_path / 'old'))
    assert np.array(list(again.transform(texts))).tolist() == vectors.tolist()
    frequent = preprocessing.VocabularyProcessor(3, min_frequency=1).fit(texts)
    assert list(frequent.transform(['there and here']))[0].tolist() == [2, 0, 1]
    assert len(frequent.vocabulary_) == 3
    bytewise = preprocessing.ByteProcessor(4)
    assert [v.tolist() for v in bytewise.fit_transform(['ab', 'é'])] == [
        [97, 98, 0, 0], [195, 169, 0, 0]
    ]  # fmt: skip
    assert list(bytewise.reverse(np.array([[97, 98, 0, 0], [255, 0, 0, 0]]))) == ['ab', '']


def test_learn_datasets(tmp_path):
    datasets = contrib.learn.datasets
    iris = datasets.load_dataset('iris')
    assert iris.data.shape == (150, 4) and set(iris.target) == {0, 1, 2}
    path = tmp_path / 'x.csv'
    path.write_text('2,2,names\n1,2,0\n3,4,1\n')
    found = datasets.base.load_csv_with_header(str(path), np.int64, np.float32)
    assert found.data.tolist() == [[1, 2], [3, 4]] and found.target.tolist() == [0, 1]
    path.write_text('0,1,2\n')
    found = datasets.load_csv_without_header(str(path), int, float, target_column=0)
    assert found.data.tolist() == [[1, 2]] and found.target.tolist() == [0]
    assert datasets.load_iris(str(tmp_path / 'x.csv')).data.shape == (0,)
    with pytest.raises(ValueError, match="'boston' is not a known data set"):
        datasets.load_dataset('boston')
    assert contrib.learn.ModeKeys.TRAIN == 'train'
