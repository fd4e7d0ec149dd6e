"""Graphs without the compiled library."""

import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf2
import tensorflow.compat.v1 as tf

from tfae.export import graph_def as export
from tfae.ops import subpixel, subpixel_fused

X = np.random.RandomState(0).normal(size=(2, 3, 4, 8)).astype(np.float32)
BIAS = np.random.RandomState(1).normal(size=8).astype(np.float32)


@pytest.fixture(autouse=True)
def _compiled():
    if not subpixel.status().compiled:
        pytest.skip(subpixel.status().why)


def every_op(x, bias):
    """Values through each op of the library and its gradient."""
    y = subpixel.shuffle(x, [1, 2], 'CRD')
    z = subpixel.unshuffle(y, [3, 1], name='deep/inside')
    fused = subpixel_fused.shuffle_bias_activation(x, bias, 2, 'elu', 'CRD')
    nchw = subpixel.shuffle(tf.transpose(x, [0, 3, 1, 2]), 2, 'DCR', 'NCHW')
    return [y, z, fused, nchw, *tf.gradients([y**2, fused**2], [x, bias])]


def kinds(graph_def):
    nodes = [*graph_def.node, *(n for f in graph_def.library.function for n in f.node_def)]
    return {node.op for node in nodes if node.op.startswith('Subpixel')}


def run_both(fetches, feed):
    """The fetches of the default graph, and those of its portable form in a graph of its own."""
    graph_def = tf.get_default_graph().as_graph_def()
    assert kinds(graph_def)
    plain = export.portable(graph_def)
    assert not kinds(plain)
    with tf.Session() as session:
        want = session.run(fetches, feed)
    with tf.Graph().as_default(), tf.Session() as session:
        tf.import_graph_def(plain, name='')
        got = session.run(
            [t.name for t in fetches], {name.name: value for name, value in feed.items()}
        )
    for a, b in zip(got, want, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    return plain


def test_the_portable_graph_gives_the_same_values_under_the_same_names():
    x, bias = tf.placeholder(tf.float32, [None] * 4), tf.placeholder(tf.float32, [None])
    plain = run_both(every_op(x, bias), {x: X, bias: BIAS})
    assert 'deep/inside' in [node.name for node in plain.node]


def test_nodes_inside_functions_are_replaced_too():
    x, bias = tf.placeholder(tf.float32, X.shape), tf.placeholder(tf.float32, BIAS.shape)

    @tf2.function
    def body(x, bias):
        return every_op(x, bias)

    run_both([tf.identity(t) for t in body(x, bias)], {x: X, bias: BIAS})


def test_control_inputs_and_devices_are_kept():
    x = tf.placeholder(tf.float32, X.shape)
    count = tf.get_variable('count', initializer=0, use_resource=True)
    with tf.control_dependencies([count.assign_add(1)]), tf.device('/cpu:0'):
        y = subpixel.shuffle(x, 2)
    plain = export.portable(tf.get_default_graph().as_graph_def())
    assert {node.device for node in plain.node if node.name.startswith(y.op.name)} == {
        '/device:CPU:0'
    }
    with tf.Graph().as_default(), tf.Session() as session:
        tf.import_graph_def(plain, name='')
        session.run('count/Assign')
        session.run(y.name, {x.name: X})
        assert session.run('count/Read/ReadVariableOp:0') == 1


def test_other_nodes_are_left_alone():
    tf.add(tf.placeholder(tf.float32, name='a'), 1.0, name='b')
    graph_def = tf.get_default_graph().as_graph_def()
    assert export.portable(graph_def) == graph_def


def test_the_portable_graph_loads_where_there_is_no_library(monkeypatch, tmp_path):
    x, bias = tf.placeholder(tf.float32, [None] * 4, 'x'), tf.placeholder(tf.float32, [8], 'b')
    fetched = every_op(x, bias)[2].name
    path = tmp_path / 'graph.pb'
    path.write_bytes(export.portable(tf.get_default_graph().as_graph_def()).SerializeToString())
    code = (
        'import sys, numpy as np, tensorflow.compat.v1 as tf\n'
        'graph_def = tf.GraphDef.FromString(open(sys.argv[1], "rb").read())\n'
        'with tf.Graph().as_default(), tf.Session() as session:\n'
        '    tf.import_graph_def(graph_def, name="")\n'
        '    feed = {"x:0": np.zeros((1, 2, 2, 8)), "b:0": np.zeros(8)}\n'
        '    print(session.run(sys.argv[2], feed).shape)\n'
    )
    done = subprocess.run(
        [sys.executable, '-c', code, path, fetched], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.stdout.strip() == '(1, 4, 4, 2)', done.stderr
