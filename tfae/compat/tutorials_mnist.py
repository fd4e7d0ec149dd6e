"""TF1's `tensorflow.examples.tutorials.mnist.mnist`: a network with two hidden layers.

B examples of a batch.
"""

import tensorflow.compat.v1 as tf

NUM_CLASSES = 10
IMAGE_SIZE = 28
IMAGE_PIXELS = IMAGE_SIZE * IMAGE_SIZE


def inference(images: tf.Tensor, hidden1_units: int, hidden2_units: int) -> tf.Tensor:
    """Builds the network.

    Args:
      images: float tensor `[B, IMAGE_PIXELS]`.
      hidden1_units: units of the first hidden layer.
      hidden2_units: units of the second hidden layer.
    Returns: logits `[B, NUM_CLASSES]`.
    """
    net, size = images, IMAGE_PIXELS
    scopes = {'hidden1': hidden1_units, 'hidden2': hidden2_units, 'softmax_linear': NUM_CLASSES}
    for scope, units in scopes.items():
        with tf.name_scope(scope):
            start = tf.truncated_normal([size, units], stddev=size**-0.5)
            weights = tf.Variable(start, name='weights')
            biases = tf.Variable(tf.zeros([units]), name='biases')
            net = tf.matmul(net, weights) + biases
            net, size = (net if scope == 'softmax_linear' else tf.nn.relu(net)), units
    return net


def loss(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Returns the mean cross-entropy of logits `[B, NUM_CLASSES]` and labels `[B]`."""
    return tf.losses.sparse_softmax_cross_entropy(tf.cast(labels, tf.int64), logits)


def training(loss: tf.Tensor, learning_rate: float) -> tf.Operation:
    """Returns the operation of a step of gradient descent, and adds a summary of the loss."""
    tf.summary.scalar('loss', loss)
    global_step = tf.Variable(0, name='global_step', trainable=False)
    return tf.train.GradientDescentOptimizer(learning_rate).minimize(loss, global_step)


def evaluation(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Returns the number of correct predictions, int32, of logits and labels `[B]`."""
    return tf.reduce_sum(tf.cast(tf.nn.in_top_k(logits, labels, 1), tf.int32))
