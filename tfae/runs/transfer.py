"""Transfer of variables by name: from a file or a run into the graph of another run.

`--restore_from` names the file, `--restore_map` renames scopes. The configurations may differ:
variables of the same name and shape are loaded, whatever they were trained for.
"""

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow.compat.v1 as tf

from tfae.core import errors
from tfae.runs import variable_files
from tfae.runs.checkpoints import Content


class Transferred(NamedTuple):
    """Names of the variables of a graph and of a file, by what happened to them."""

    loaded: list[str]
    new: list[str]  # only in the graph: they keep their initial values
    ignored: list[str]  # only in the file, or of another shape


def transfer(
    session: tf.Session | None,
    variables: Sequence[tf.Variable],
    path: str,
    scope_map: Sequence[str],
) -> Transferred:
    """Loads the variables of the same name and shape that a file holds.

    Args:
      session: that holds the variables; None loads nothing.
      variables: of the graph.
      path: a run, or a file of variables in any format of `variable_files`.
      scope_map: `old_scope:new_scope` pairs; an empty scope is the root.
    Returns: the names of the variables that are loaded, new and ignored.
    Raises: UsageError for a malformed pair; InputError if the file cannot be read, two of its
      variables get one name, or none fits.
    """
    pairs = variable_files.scope_pairs('--restore_map', scope_map)
    loaded, new = [], []
    with variable_files.opened(path, '--restore_from') as held:
        renamed = variable_files.renamed('--restore_map', pairs, held.shapes)
        found = {new: old for old, new in renamed.items()}
        for variable in variables:
            name = found.get(variable.op.name)
            # Values of another shape, which may be of any size, are not read.
            if name is not None and _fits(variable, held, name):
                value = held.read(name).astype(variable.dtype.base_dtype.as_numpy_dtype)
                if session:
                    variable.load(value, session)
                loaded.append(variable.op.name)
            else:
                new.append(variable.op.name)
    if not loaded:
        raise errors.InputError(
            f'--restore_from {path} has no variable of the name and shape of any of this model; '
            f'it holds {", ".join(sorted(found)[:8])}'
        )
    return Transferred(loaded, new, sorted(set(found) - set(loaded)))


def _fits(variable: tf.Variable, held: Content, name: str) -> bool:
    """Returns whether a value has the shape of a variable, and numbers that it can take."""
    kind = held.types[name]
    numeric = kind != tf.string and kind.is_complex <= variable.dtype.is_complex
    return numeric and variable.shape.is_compatible_with(held.shapes[name])
