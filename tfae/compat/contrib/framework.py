"""TF1's `tf.contrib.framework`: the part that tf-slim does not provide."""

from collections.abc import Callable
from typing import Any

import tensorflow.compat.v1 as tf
from tf_slim.layers import utils
from tf_slim.ops import variables

__all__ = [
    'CriticalSection',
    'TensorSpec',
    'argsort',
    'assert_scalar',
    'init_from_checkpoint',
    'is_tensor',
    'list_variables',
    'load_checkpoint',
    'load_variable',
    'py_func',
    'smart_cond',
    'smart_constant_value',
    'sort',
    'variables',
]

CriticalSection = tf.CriticalSection
TensorSpec = tf.TensorSpec
argsort = tf.argsort
assert_scalar = tf.debugging.assert_scalar
init_from_checkpoint = tf.train.init_from_checkpoint
is_tensor = tf.is_tensor
list_variables = tf.train.list_variables
load_checkpoint = tf.train.load_checkpoint
load_variable = tf.train.load_variable
py_func = tf.py_func
smart_constant_value = utils.constant_value
sort = tf.sort


def smart_cond(
    pred: Any, true_fn: Callable | None = None, false_fn: Callable | None = None, name: Any = None
) -> Any:
    """Returns what one of the functions returns; builds both only where `pred` is a tensor."""
    return utils.smart_cond(pred, true_fn, false_fn, name)
