"""TF1's `tf.contrib.framework.nest`: the functions that `tf.nest` lacks."""

from typing import Any

import tensorflow.compat.v1 as tf
import tensorflow.compat.v2 as tf2

__all__ = ['assert_shallow_structure', 'flatten_dict_items', 'is_sequence']

is_sequence = tf.nest.is_nested


def assert_shallow_structure(
    shallow_tree: Any, input_tree: Any, check_types: bool = True, expand_composites: bool = False
) -> None:
    """Checks that the upper levels of `input_tree` are nested as `shallow_tree` is.

    Raises: TypeError or ValueError if they are not.
    """
    tf2.__internal__.nest.flatten_up_to(shallow_tree, input_tree, check_types, expand_composites)


def flatten_dict_items(dictionary: dict[Any, Any]) -> dict[Any, Any]:
    """Returns a dictionary whose nested keys and values are split up.

    Raises: TypeError for anything but a dictionary; ValueError if the key and the value of an item
      are nested in different ways, or a key occurs twice.
    """
    if not isinstance(dictionary, dict):
        raise TypeError(f'flatten_dict_items takes a dictionary, not {dictionary!r}')
    flat: dict[Any, Any] = {}
    for keys, values in dictionary.items():
        pairs = [(keys, values)]
        if is_sequence(keys):
            tf.nest.assert_same_structure(keys, values)
            pairs = list(zip(tf.nest.flatten(keys), tf.nest.flatten(values), strict=True))
        for key, value in pairs:
            if key in flat:
                raise ValueError(f'flatten_dict_items: the key {key!r} occurs twice')
            flat[key] = value
    return flat
