"""Files of graphs that any TF1 program wrote: meta graphs and GraphDefs."""

import pathlib
import warnings

import tensorflow.compat.v1 as tf
from google.protobuf import text_format

from tfae.core import bounded_files, errors
from tfae.ops import op_library

_MAX_BYTES = 2**31 - 1  # of a protocol buffer
_META = '.meta'
_TEXT = '.pbtxt'


def read(path: pathlib.Path) -> tf.Graph:
    """Returns the graph in a file, imported without its devices; no operation is run.

    Args:
      path: a meta graph, .meta, or a GraphDef, .pb or as text .pbtxt.
    Raises: InputError that names the file if it holds no graph that this TensorFlow can import.
    """
    try:
        content = bounded_files.read_bytes(path, _MAX_BYTES)
    except FileNotFoundError:
        raise errors.InputError(f'--meta_graph {path} does not exist') from None
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # graphs without the compiled ops need none
        op_library.load()
    graph = tf.Graph()
    try:
        with graph.as_default():
            if path.suffix == _META:
                meta = tf.MetaGraphDef.FromString(content)
                tf.train.import_meta_graph(meta, clear_devices=True)
            else:
                tf.import_graph_def(_graph_def(path, content), name='')
    except Exception as error:  # of many types: protobuf's, and those of C++ and Python imports
        reason = ' '.join(str(error).split())
        raise errors.InputError(f'--meta_graph {path} cannot be imported: {reason}') from None
    return graph


def _graph_def(path: pathlib.Path, content: bytes) -> tf.GraphDef:
    """Returns the graph without its devices."""
    if path.suffix == _TEXT:
        found = text_format.Parse(content.decode(), tf.GraphDef())
    else:
        found = tf.GraphDef.FromString(content)
    for node in found.node:
        node.device = ''
    return found
