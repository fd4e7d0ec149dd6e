"""TF1's `tf.contrib.metrics`: the part that tf-slim does not provide."""

import tensorflow.compat.v1 as tf

__all__ = ['confusion_matrix', 'set_difference', 'set_intersection', 'set_size', 'set_union']

confusion_matrix = tf.math.confusion_matrix
set_difference = tf.sets.set_difference
set_intersection = tf.sets.set_intersection
set_size = tf.sets.set_size
set_union = tf.sets.set_union
