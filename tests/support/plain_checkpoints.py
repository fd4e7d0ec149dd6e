"""Checkpoints of two small variables, written by TensorFlow's own saver."""

import numpy as np
import tensorflow.compat.v1 as tf

KERNEL = 'encoder/layer_1/kernel'
BIAS = 'encoder/layer_1/bias'


def declare(*names, shape=(2, 3), scope=''):
    with tf.variable_scope(scope or tf.get_variable_scope()):
        return [
            tf.get_variable(name, shape, initializer=tf.zeros_initializer(), use_resource=True)
            for name in names
        ]


def value(i):
    return np.full([2, 3], float(i), np.float32)


def save(folder, *steps, names=(KERNEL, BIAS)):
    """Checkpoints of these steps, each variable full of its step plus its place."""
    folder.mkdir(exist_ok=True)
    with tf.Graph().as_default(), tf.Session() as session:
        variables = declare(*names)
        saver = tf.train.Saver(max_to_keep=None)
        for step in steps:
            for i, variable in enumerate(variables):
                variable.load(value(step + i), session)
            saver.save(session, str(folder / 'model'), step, write_meta_graph=False)
    return folder


def initialized(session, variables):
    session.run(tf.global_variables_initializer())
    return variables


def break_(path, how):
    content = path.read_bytes()
    path.write_bytes({'cut': content[: len(content) // 2], 'empty': b'', 'noise': b'x' * 99}[how])


def without_configuration(run):
    """Writes the run's checkpoints again as a plain saver does, without the configuration."""
    for index in run.rglob('model-*.index'):
        path = str(index.with_suffix(''))
        reader = tf.train.load_checkpoint(path)
        held = reader.get_variable_to_shape_map().keys() - {'_TFAE_CONFIGURATION'}
        with tf.Graph().as_default(), tf.Session() as session:
            for name in held:
                tf.get_variable(name, initializer=reader.get_tensor(name), use_resource=True)
            session.run(tf.global_variables_initializer())
            tf.train.Saver().save(session, path, write_meta_graph=False, write_state=False)
