"""A convolutional network for small images of digits, as programs for TensorFlow 1 were written.

It knows nothing of tfae. Arguments: a folder for checkpoints. Prints accuracies as JSON.
"""

import json
import sys

import numpy as np
import tensorflow as tf


def images(n, seed):
    """A bright bar in one of four directions, on noise."""
    random = np.random.RandomState(seed)
    labels = random.randint(4, size=n)
    images = 0.3 * random.rand(n, 12, 12, 1)
    for image, label in zip(images, labels):  # noqa: B905
        at = random.randint(3, 9)
        if label == 0:
            image[at] += 1
        elif label == 1:
            image[:, at] += 1
        elif label == 2:
            image[np.arange(12), np.arange(12)] += 1
        else:
            image[np.arange(12), 11 - np.arange(12)] += 1
    return images.astype(np.float32), labels


def network(images, is_training, reuse=False):
    with tf.variable_scope('net', reuse=reuse):
        net = tf.layers.conv2d(
            images,
            filters=8,
            kernel_size=[3, 3],
            padding='same',
            kernel_initializer=tf.truncated_normal_initializer(stddev=0.1),
            kernel_regularizer=lambda w: 1e-4 * tf.nn.l2_loss(w),
            name='conv1',
        )
        net = tf.nn.relu(tf.layers.batch_normalization(net, training=is_training))
        net = tf.layers.max_pooling2d(inputs=net, pool_size=[2, 2], strides=2)
        net = tf.layers.conv2d(net, 16, 3, activation=tf.nn.relu, name='conv2')
        net = tf.layers.flatten(net)
        net = tf.layers.dense(net, units=32, activation=tf.nn.relu)
        net = tf.layers.dropout(net, rate=0.2, training=is_training)
        return tf.layers.dense(net, units=4)


def main():
    tf.set_random_seed(1)
    x = tf.placeholder(tf.float32, [None, 12, 12, 1])
    y = tf.placeholder(tf.int64, [None])
    is_training = tf.placeholder_with_default(False, [])
    logits = network(x, is_training)
    again = network(x, False, reuse=True)
    loss = tf.losses.sparse_softmax_cross_entropy(labels=y, logits=logits)
    loss += tf.losses.get_regularization_loss()
    global_step = tf.train.get_or_create_global_step()
    with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
        train_op = tf.train.AdamOptimizer(1e-2).minimize(loss, global_step=global_step)
    accuracy = tf.reduce_mean(tf.to_float(tf.equal(tf.argmax(logits, 1), y)))
    saver = tf.train.Saver(max_to_keep=1)
    test_x, test_y = images(200, seed=2)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for step in range(60):
            batch_x, batch_y = images(32, seed=100 + step)
            sess.run(train_op, feed_dict={x: batch_x, y: batch_y, is_training: True})
        path = saver.save(sess, sys.argv[1] + '/model', global_step=global_step)
        trained = sess.run(accuracy, {x: test_x, y: test_y})
    with tf.Session() as sess:
        saver.restore(sess, path)
        restored, one, two = sess.run([accuracy, logits, again], {x: test_x, y: test_y})
    print(
        json.dumps(
            {
                'trained': float(trained),
                'restored': float(restored),
                'reused': bool(np.allclose(one, two, atol=1e-5)),
                'variables': [v.op.name for v in tf.trainable_variables()],
            }
        )
    )


if __name__ == '__main__':
    main()
