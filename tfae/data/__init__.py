"""Data sets as numpy arrays or files, and the input pipeline of a graph.

Only the input pipeline (`pipeline`, `streaming`) and the writer of shards need TensorFlow.
"""

from tfae.data.dataset import (
    Config,
    DataSet,
    Loaded,
    Source,
    axes,
    flat,
    folder,
    is_image,
    noun,
    pixels,
    tabular,
    values,
)
from tfae.data.description import counted, described, ranged, refuse_gaps
from tfae.data.lazy_images import Form, LazyImages, sides
from tfae.data.outside import problem
from tfae.data.registry import COMMON_FIELDS, SETS, load, module, names, of_classes
from tfae.data.splits import (
    Split,
    class_number,
    class_words,
    cut,
    few,
    sample,
    select,
    thinned,
    with_test,
)

__all__ = [
    'COMMON_FIELDS',
    'SETS',
    'Config',
    'DataSet',
    'Form',
    'Loaded',
    'LazyImages',
    'Source',
    'Split',
    'axes',
    'class_number',
    'class_words',
    'counted',
    'cut',
    'described',
    'few',
    'flat',
    'folder',
    'load',
    'module',
    'names',
    'noun',
    'of_classes',
    'is_image',
    'pixels',
    'problem',
    'ranged',
    'refuse_gaps',
    'sample',
    'select',
    'sides',
    'tabular',
    'thinned',
    'values',
    'with_test',
]
