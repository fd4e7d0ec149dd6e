"""Parts of graphs that leave the package, the score in a graph, and folders that appear whole."""

import numpy as np
import pytest
import tensorflow as tf2
import tensorflow.compat.v1 as tf

from tfae.analysis import anomaly
from tfae.core import atomic_files
from tfae.export import anomaly_score, graph_def


def test_what_is_extracted_is_what_is_needed_and_what_must_come_before():
    x = tf.placeholder(tf.float32, [None], 'x')
    with tf.control_dependencies([tf.debugging.assert_non_negative(x, name='checked')]):
        y = tf.identity(x * 2, 'y')
    tf.identity(x * 3, 'z')
    kept = graph_def.extracted(tf.get_default_graph(), [y])
    names = [node.name for node in kept.node]
    assert {'x', 'y'} <= set(names)
    assert 'z' not in names
    with tf.Graph().as_default(), tf.Session() as session:
        tf.import_graph_def(kept, name='')
        assert np.array_equal(session.run('y:0', {'x:0': [1, 2]}), [2, 4])
        with pytest.raises(tf.errors.InvalidArgumentError):
            session.run('y:0', {'x:0': [-1]})


def test_functions_are_kept_where_one_is_called_and_only_there():
    x = tf.placeholder(tf.float32, [None], 'x')
    called = tf.identity(tf2.function(lambda t: t + 1)(x), 'called')
    plain = tf.identity(x, 'plain')
    graph = tf.get_default_graph()
    assert not graph_def.extracted(graph, [plain]).library.function
    kept = graph_def.extracted(graph, [called])
    with tf.Graph().as_default(), tf.Session() as session:
        tf.import_graph_def(kept, name='')
        assert session.run('called:0', {'x:0': [1]}) == [2]


def test_variables_become_constants_or_new_variables_of_the_same_names_and_values():
    x = tf.placeholder(tf.float32, [None, 2], 'x')
    kernel = tf.get_variable('a/kernel', [2, 3], use_resource=True)
    count = tf.get_variable('count', initializer=np.int64(5), use_resource=True)
    y = tf.identity(x @ kernel + tf.cast(count, tf.float32), 'y')
    kept = graph_def.extracted(tf.get_default_graph(), [y])
    assert sorted(graph_def.variables(kept)) == ['a/kernel', 'count']
    values = {'a/kernel': np.arange(6, dtype=np.float32).reshape(2, 3), 'count': np.int64(7)}
    wanted = np.array([[1, 2]]) @ values['a/kernel'] + 7
    before = kept.SerializeToString(deterministic=True)
    with tf.Graph().as_default(), tf.Session() as session:
        tf.import_graph_def(graph_def.frozen(kept, values), name='')
        assert np.array_equal(session.run('y:0', {'x:0': [[1, 2]]}), wanted)
        assert not tf.get_default_graph().get_operation_by_name('a/kernel').inputs
    graph = graph_def.with_variables(kept, values)
    with graph.as_default(), tf.Session() as session:
        found = {v.op.name: v for v in tf.global_variables()}
        assert {k: (v.shape.as_list(), v.dtype.name) for k, v in found.items()} == {
            'a/kernel': ([2, 3], 'float32'),
            'count': ([], 'int64'),
        }
        for name, variable in found.items():
            variable.load(values[name], session)
        assert np.array_equal(session.run('y:0', {'x:0': [[1, 2]]}), wanted)
    assert kept.SerializeToString(deterministic=True) == before


@pytest.mark.parametrize('blur', [0.3, 1.0, 5.0])  # the last reaches beyond the image
def test_the_score_of_a_graph_is_that_of_the_detector(blur):
    random = np.random.RandomState(0)
    images = random.uniform(size=[300, 9, 6, 3]).astype(np.float32)
    noise = random.normal(size=images.shape).astype(np.float32)
    rebuilt = np.clip(images + 0.1 * noise, 0, 1)
    codes = random.normal(size=[300, 4]).astype(np.float32)
    seen = (images, codes, rebuilt)
    detector = anomaly.fit(
        seen, seen, blur=blur, components=3, false_positive_rate=0.05, seed=0, step=1
    )
    assert len(detector.means) == 3
    asked = (images[:20], 3 * codes[:20], rebuilt[20:40])  # many of them anomalous
    x, z, y = (tf.placeholder(tf.float32, [None, *a.shape[1:]]) for a in asked)
    score = anomaly_score.score(detector, x, z, y)
    assert (score.dtype, score.shape.as_list()) == (tf.float32, [None])
    with tf.Session() as session:
        for count in (1, 20):
            part = [a[:count] for a in asked]
            got = session.run(score, dict(zip((x, z, y), part, strict=True)))
            np.testing.assert_allclose(got, detector.scores(*part), rtol=1e-5, atol=1e-4)


def test_a_folder_appears_whole_or_not_at_all(tmp_path):
    path = tmp_path / 'deep' / 'a'

    def write(fails):
        with atomic_files.new_folder(path) as folder:
            (folder / 'b').write_text('b')
            assert not path.exists() or not any(path.iterdir())
            if fails:
                raise RuntimeError

    with pytest.raises(RuntimeError):
        write(fails=True)
    assert list(path.parent.iterdir()) == []
    path.mkdir()
    write(fails=False)
    assert (path / 'b').read_text() == 'b'
    assert list(path.parent.iterdir()) == [path]


def test_a_folder_that_was_filled_meanwhile_is_left_alone(tmp_path):
    path = tmp_path / 'a'
    with pytest.raises(OSError, match='not empty'), atomic_files.new_folder(path) as folder:
        (folder / 'mine').write_text('mine')
        path.mkdir()
        (path / 'precious').write_text('precious')
    assert [found.name for found in tmp_path.rglob('*')] == ['a', 'precious']
