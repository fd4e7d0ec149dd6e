"""Old names of TensorFlow lead to what serves them, by attribute and by import, both ways."""

import os
import pathlib
import subprocess
import sys

import pytest

EITHER = """
    import tensorflow.layers; import tensorflow as tf; tf.layers.dense is tensorflow.layers.dense
    import tensorflow.compat.v1 as tf; tf.layers.dense and tf.placeholder and tf.contrib
    from tensorflow.compat.v1 import layers; layers.dense is tf.layers.dense
    from tensorflow.compat.v1.layers import dense; dense is tf.layers.dense
    import tensorflow.compat.v1.nn as nn; nn.rnn_cell is tf.nn.rnn_cell and nn.relu
    import tensorflow.keras; tensorflow.keras.layers.Dense
    from tensorflow.keras.datasets import mnist; mnist.load_data
    import tensorflow.keras.datasets.mnist as m; m.load_data
    from tensorflow.keras import layers; layers.Dense is tensorflow.contrib.keras.layers.Dense
    tensorflow.keras.__version__ < '3' and tf.keras.layers is layers is tensorflow.keras.layers
    import tensorflow.compat.v1.keras.backend as k; k is tf.keras.backend
    m = tf.keras.Sequential([layers.Dense(1, input_shape=[1])]); m.compile('sgd', 'mse'); m.fit([[1.]], [[2.]], verbose=0).history['loss']
    [v.name for v in tf.global_variables()][:2] == ['dense/kernel:0', 'dense/bias:0']
    from tensorflow.python.framework import ops; ops.Graph
    import tensorflow.python.framework.ops as ops; ops.Graph
    import tensorflow.python.ops.ragged.ragged_tensor as r; r.RaggedTensor
    import tensorflow.core.framework.summary_pb2 as s; s.Summary
    from tensorflow.tools import compatibility; compatibility
    import tensorflow.contrib.tensorboard.plugins.projector as p; p.ProjectorConfig
    from tensorflow.contrib.tensorboard.plugins import projector; projector.ProjectorConfig is p.ProjectorConfig
    import tensorflow as tf; tf.contrib.tensorboard.plugins.projector.ProjectorConfig is p.ProjectorConfig
    from tensorflow.contrib.tensorboard.plugins.projector import *; ProjectorConfig is p.ProjectorConfig
    import tensorflow.compat.v1.contrib.tensorboard.plugins.projector as q; q is p
    'layers' in dir(tf.contrib) and 'ProjectorConfig' in dir(p)
    from tensorflow.python.ops import rnn_cell_impl as r; isinstance(tf.nn.rnn_cell.LSTMCell(1), r.RNNCell)
    r.LSTMStateTuple is tf.nn.rnn_cell.LSTMStateTuple and r.assert_like_rnncell and r.LayerRNNCell
    from tensorflow.python.ops.rnn_cell import *; RNNCell is r.RNNCell is tf.nn.rnn_cell.RNNCell
    from tensorflow.python.layers import base; isinstance(tf.layers.Flatten(), base.Layer)
    from tensorflow.python.layers.core import Dense, fully_connected; Dense is tf.layers.Dense and fully_connected
    from tensorflow.python.layers import convolutional as c, pooling as p; c.Conv2D is tf.layers.Conv2D
    p.MaxPooling2D is tf.layers.MaxPooling2D and not hasattr(p, 'nonsense')
    from tensorflow.contrib.rnn.python.ops import rnn_cell as o; o._linear is tf.contrib.rnn._linear
    from tensorflow.contrib.seq2seq.python.ops import helper as h; h.TrainingHelper is tf.contrib.seq2seq.TrainingHelper
"""  # noqa: E501
AS_TENSORFLOW = """
    import tensorflow as tf; tf.placeholder and tf.python.framework.ops and tf.contrib
    import tensorflow.nn as nn; nn.rnn_cell is tf.nn.rnn_cell and nn is tf.nn
    import tensorflow.compat.v2.experimental as e; e.numpy
    import tf_keras; tf_keras.layers.Dense
    tf.nn.rnn_cell.BasicLSTMCell is tf.contrib.rnn.BasicLSTMCell
    tf.contrib.layers.flatten and tf.contrib.slim.conv2d
    from tensorflow.train import AdamOptimizer; AdamOptimizer is tf.train.AdamOptimizer
    tf.VERSION == tf.__version__ >= '1.0' and int(tf.__version__.split('.')[0]) >= 1
"""
MISSING = {
    'import tensorflow as tf; tf.contrib.lite': 'AttributeError',
    'import tensorflow as tf; tf.contrib.nonsense': 'AttributeError',
    'import tensorflow as tf; tf.contrib.seq2seq.BeamSearchDecoder': 'AttributeError',
    'import tensorflow as tf; tf.contrib.learn.datasets.load_boston': 'AttributeError',
    'import tensorflow.contrib.gan as tfgan': 'ModuleNotFoundError',
    'import tensorflow.contrib.eager as tfe': 'ModuleNotFoundError',
    'import tensorflow.contrib.nonsense': 'ModuleNotFoundError',
    'from tensorflow.contrib import nonsense': 'ModuleNotFoundError',
    'from tensorflow.contrib.nonsense.python.ops import names': 'ModuleNotFoundError',
}
PROGRAM = """
import sys
import tensorflow
import tfae.compat
tfae.compat.install(as_tensorflow={as_tensorflow})
heavy = [name for name in ('tf_keras', 'tf_slim') if name in sys.modules]
assert not heavy, heavy
space = {{}}
for line in {lines!r}:
    *statements, value = line.split('; ')
    exec('; '.join(statements), space)
    assert eval(value, space), line
for line, kind in {missing!r}.items():
    try:
        exec(line, space)
    except (AttributeError, ImportError) as error:
        assert type(error).__name__ == kind, line
        told = str(error)
        assert 'is not available' in told and chr(10) not in told and 'docs/' not in told, told
    else:
        raise AssertionError(line)
"""


@pytest.mark.parametrize('as_tensorflow', [pytest.param(False, marks=pytest.mark.slow), True])
def test_old_names_lead_to_what_serves_them(as_tensorflow, tmp_path):
    text = EITHER + AS_TENSORFLOW * as_tensorflow
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    done = subprocess.run(
        [
            sys.executable,
            '-c',
            PROGRAM.format(as_tensorflow=as_tensorflow, lines=lines, missing=MISSING),
        ],
        env=os.environ
        | {'PYTHONPATH': str(pathlib.Path(__file__).parents[2]), 'CUDA_VISIBLE_DEVICES': ''},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
