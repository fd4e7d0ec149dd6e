"""Loads tf-slim: as it is from version 1.2 on, and changed in memory before.

The version on the package index, 1.1.0 of May 2020, takes names from modules of TensorFlow that no
longer have them. The sources of 1.2 take them from TF1's interface, and so do these substitutions,
which find nothing to replace in 1.2. The installed files remain as they are.
"""

import importlib.machinery
import importlib.util
import re
import types
from collections.abc import Sequence

_LAYERS = (
    r'(?:convolutional_layers|core_layers|normalization_layers|pooling_layers|base|input_spec)'
)
_SUBSTITUTIONS = [
    # TF1's layers.
    (rf'from tensorflow\.python\.\S+ import (?:\w+ as )?{_LAYERS}\n', ''),
    (rf'\b{_LAYERS}\.(Separable)?Convolution(\w+)', r'tfae_v1.layers.\1Conv\2'),
    (rf'(?<![.\w]){_LAYERS}\.([A-Za-z])', r'tfae_v1.layers.\1'),
    # Names that moved to other modules.
    (r'\bvariable_scope\.variable\(', 'tfae_v1.Variable('),
    (r'\b(?:framework_)?ops\.(Tensor|IndexedSlices)\b', r'tfae_v1.\1'),
    (r'\barray_ops\.(stack|unstack)\b', r'tfae_v1.\1'),
    (r'\bcontrol_flow_ops\.(Assert|case|cond|while_loop)\b', r'tfae_v1.\1'),
    # An index of NumPy is a tuple.
    (r'slice_dims = \[(slice\(\*x\) for x in slice_dims)\]', r'slice_dims = tuple(\1)'),
    # A covariance of no examples divides zero by zero.
    (r'\(prev_count \* batch_count / update_count\)',
     'math_ops.div_no_nan(prev_count * batch_count, update_count)'),
]  # fmt: skip
_IMPORT = 'import tensorflow.compat.v1 as tfae_v1\n'


def adapt(source: str) -> str:
    """Returns the source of a module of tf-slim for today's TensorFlow."""
    adapted = source
    for pattern, replacement in _SUBSTITUTIONS:
        adapted = re.sub(pattern, replacement, adapted)
    if adapted == source:
        return source
    place = adapted.rindex('\n', 0, adapted.index('\nfrom tensorflow'))
    return f'{adapted[:place]}\n{_IMPORT}{adapted[place:]}'


class _Loader(importlib.machinery.SourceFileLoader):
    """Loads a module, changed where it must be; only unchanged code goes into Python's cache."""

    def get_source(self, fullname: str) -> str:
        """Returns the source that runs, which AutoGraph and tracebacks read."""
        return adapt(importlib.util.decode_source(self.get_data(self.get_filename(fullname))))

    def get_code(self, fullname: str) -> types.CodeType | None:
        """Returns the code to run."""
        original = super().get_source(fullname)
        if (adapted := self.get_source(fullname)) == original:
            return super().get_code(fullname)
        # Under a name that is not a file, Python asks this loader for the lines of the source.
        return compile(adapted, f'{self.get_filename(fullname)} (changed by tfae)', 'exec')


def find_spec(
    fullname: str, path: Sequence[str] | None, target: types.ModuleType | None
) -> importlib.machinery.ModuleSpec | None:
    """Returns how to import a module of tf-slim; None where it is not installed."""
    spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
    if spec and isinstance(spec.loader, importlib.machinery.SourceFileLoader):
        spec.loader = _Loader(spec.loader.name, spec.loader.path)
    return spec
