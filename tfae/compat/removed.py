"""Names that Python, numpy, scipy, matplotlib and Pillow removed since TF1.

`install` supplies them, and one line on stderr at exit lists those that the program used.
"""

import atexit
import collections
import collections.abc
import functools
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import math
import operator
import os
import pathlib
import sys
import sysconfig
import types
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow.compat.v1 as tf

_TF = 'tensorflow'
_V1 = f'{_TF}.compat.v1'
_PRIVATE = f'{_TF}.python'  # of which programs used more than there is today
_LINEAR = 'tfae.compat.contrib.rnn:linear'
# Module -> removed name -> where the replacement is, 'module:name'.
NAMES: dict[str, dict[str, str]] = {
    'numpy': {
        'alen': 'builtins:len',
        'alltrue': 'numpy:all',
        'asfarray': f'{__name__}:asfarray',
        'asscalar': f'{__name__}:asscalar',
        'bool': 'builtins:bool',
        'bool8': 'numpy:bool_',
        'cast': f'{__name__}:CAST',
        'cfloat': 'numpy:complex128',
        'complex': 'builtins:complex',
        'complex_': 'numpy:complex128',
        'cumproduct': 'numpy:cumprod',
        'find_common_type': f'{__name__}:find_common_type',
        'float': 'builtins:float',
        'float_': 'numpy:float64',
        'in1d': 'numpy:isin',
        'Inf': 'numpy:inf',
        'Infinity': 'numpy:inf',
        'infty': 'numpy:inf',
        'int': 'builtins:int',
        'longfloat': 'numpy:longdouble',
        'mat': 'numpy:asmatrix',
        'math': 'math:',
        'msort': f'{__name__}:msort',
        'NaN': 'numpy:nan',
        'NAN': 'numpy:nan',
        'NINF': f'{__name__}:NINF',
        'object': 'builtins:object',
        'PINF': 'numpy:inf',
        'product': 'numpy:prod',
        'rank': 'numpy:ndim',
        'round_': 'numpy:round',
        'row_stack': 'numpy:vstack',
        'sctypes': f'{__name__}:SCTYPES',
        'sometrue': 'numpy:any',
        'str': 'builtins:str',
        'string_': 'numpy:bytes_',
        'trapz': 'numpy:trapezoid',
        'unicode': 'builtins:str',
        'unicode_': 'numpy:str_',
    },
    'numpy.lib': {'pad': 'numpy:pad'},
    'collections': {name: f'collections.abc:{name}' for name in collections.abc.__all__},
    'time': {'clock': 'time:perf_counter'},
    'inspect': {'getargspec': f'{__name__}:getargspec'},
    'fractions': {'gcd': 'math:gcd'},
    'itertools': {
        'izip': 'builtins:zip',
        'imap': 'builtins:map',
        'ifilter': 'builtins:filter',
        'izip_longest': 'itertools:zip_longest',
    },
    'string': {
        'letters': 'string:ascii_letters',
        'lowercase': 'string:ascii_lowercase',
        'uppercase': 'string:ascii_uppercase',
        'maketrans': 'builtins:str.maketrans',
    },
    'os': {'getcwdu': 'os:getcwd'},
    'sys': {'maxint': 'sys:maxsize', 'setdefaultencoding': f'{__name__}:no_op'},
    'urllib': {
        'urlopen': 'urllib.request:urlopen',
        'urlretrieve': 'urllib.request:urlretrieve',
        'urlencode': 'urllib.parse:urlencode',
        'quote': 'urllib.parse:quote',
        'unquote': 'urllib.parse:unquote',
    },
    'scipy': {'misc': 'tfae.compat.scipy_misc:'},
    'scipy.ndimage': {'imread': 'tfae.compat.scipy_misc:imread'},
    'scipy.integrate': {
        'cumtrapz': 'scipy.integrate:cumulative_trapezoid',
        'simps': 'scipy.integrate:simpson',
        'trapz': 'scipy.integrate:trapezoid',
    },
    'scipy.signal': {
        name: f'scipy.signal.windows:{name}' for name in ('gaussian', 'hamming', 'hann', 'blackman')
    },
    'PIL.Image': {
        'ANTIALIAS': 'PIL.Image:Resampling.LANCZOS',
        'CUBIC': 'PIL.Image:Resampling.BICUBIC',
        'LINEAR': 'PIL.Image:Resampling.BILINEAR',
    },
    'matplotlib.pyplot': {'hold': f'{__name__}:no_op', 'get_cmap': 'matplotlib:colormaps.get_cmap'},
    'matplotlib.cm': {'get_cmap': 'matplotlib:colormaps.get_cmap'},
    'skimage.measure': {
        'compare_mse': 'skimage.metrics:mean_squared_error',
        'compare_nrmse': 'skimage.metrics:normalized_root_mse',
        'compare_psnr': 'skimage.metrics:peak_signal_noise_ratio',
        'compare_ssim': f'{__name__}:compare_ssim',
    },
    'sklearn.datasets': {'load_boston': f'{__name__}:load_boston'},
    'sklearn.preprocessing': {'Imputer': 'sklearn.impute:SimpleImputer'},
    _PRIVATE: {
        name: f'{_PRIVATE}.ops.{name}:'
        for name in ('array_ops', 'control_flow_ops', 'init_ops', 'math_ops', 'nn_ops')
    },
    f'{_PRIVATE}.framework.graph_util': {
        'convert_variables_to_constants': f'{_V1}:graph_util.convert_variables_to_constants'
    },
    f'{_PRIVATE}.framework.ops': {'Tensor': f'{_V1}:Tensor'},
    f'{_PRIVATE}.ops.control_flow_ops': {
        name: f'{_V1}:{name}' for name in ('Assert', 'case', 'cond', 'while_loop')
    },
    f'{_PRIVATE}.ops.functional_ops': {'map_fn': f'{_V1}:map_fn'},
    f'{_PRIVATE}.ops.rnn': {'rnn': f'{_V1}:nn.static_rnn'},
    f'{_PRIVATE}.ops.rnn_cell': {'_linear': _LINEAR},
    f'{_PRIVATE}.ops.rnn_cell_impl': {
        '_linear': _LINEAR,
        '_RNNCell': f'{_V1}:nn.rnn_cell.RNNCell',
    },
    f'{_PRIVATE}.util.nest': {'is_sequence': f'{_V1}:nest.is_nested'},
}
# Removed module -> its successor. Those of Python 2 are served to the program alone: packages try
# them to find out which Python it is.
MODULES = {
    'scipy.misc': 'tfae.compat.scipy_misc',
    'scipy.misc.pilutil': 'tfae.compat.scipy_misc',
    'cPickle': 'tfae.compat.c_pickle',
    'ConfigParser': 'configparser',
    'HTMLParser': 'html.parser',
    'Queue': 'queue',
    'StringIO': 'tfae.compat.string_io',
    'cStringIO': 'tfae.compat.string_io',
    'Tkinter': 'tkinter',
    '__builtin__': 'builtins',
    'httplib': 'http.client',
    'imp': 'tfae.compat.imp',
    'scipy.sparse.linalg.eigen.arpack': 'scipy.sparse.linalg',
    'skimage.measure.simple_metrics': 'skimage.measure',
    'sklearn.cross_validation': 'sklearn.model_selection',
    'sklearn.datasets.samples_generator': 'sklearn.datasets',
    'sklearn.decomposition.pca': 'sklearn.decomposition',
    'sklearn.externals': 'sklearn',
    'sklearn.externals.joblib': 'joblib',
    'sklearn.grid_search': 'sklearn.model_selection',
    'sklearn.manifold.t_sne': 'sklearn.manifold',
    'sklearn.metrics.classification': 'sklearn.metrics',
    'sklearn.preprocessing.data': 'sklearn.preprocessing',
    'sklearn.preprocessing.label': 'sklearn.preprocessing',
    'sklearn.utils.linear_assignment_': 'tfae.compat.linear_assignment',
    'thread': '_thread',
    'urllib2': 'urllib.request',
    'urlparse': 'urllib.parse',
}
# Name before TensorFlow 1.0 -> its name since.
RENAMED = {
    'audio_summary': 'summary.audio',
    'batch_matmul': 'matmul',
    'complex_abs': 'abs',
    'concat_v2': 'concat',
    'histogram_summary': 'summary.histogram',
    'image.per_image_whitening': 'image.per_image_standardization',
    'image_summary': 'summary.image',
    'inv': 'reciprocal',
    'listdiff': 'setdiff1d',
    'merge_all_summaries': 'summary.merge_all',
    'merge_summary': 'summary.merge',
    'mul': 'multiply',
    'neg': 'negative',
    'nn.bidirectional_rnn': 'contrib.rnn.static_bidirectional_rnn',
    'nn.deconv2d': 'nn.conv2d_transpose',
    'nn.rnn': 'contrib.rnn.static_rnn',
    'nn.seq2seq': 'contrib.legacy_seq2seq',
    'pack': 'stack',
    'scalar_summary': 'summary.scalar',
    'select': 'where',
    'sub': 'subtract',
    'train.SummaryWriter': 'summary.FileWriter',
    'unpack': 'unstack',
}
# Name before TensorFlow 1.0 -> its parameters, in order -> those of the new name; all others have
# the same ones. The name of an operation is no longer a parameter of summaries.
PARAMETERS: dict[str, dict[str, str | None]] = {
    'audio_summary': {
        'tag': 'name',
        'tensor': 'tensor',
        'sample_rate': 'sample_rate',
        'max_outputs': 'max_outputs',
        'collections': 'collections',
        'name': None,
    },
    'batch_matmul': {
        'x': 'a',
        'y': 'b',
        'adj_x': 'adjoint_a',
        'adj_y': 'adjoint_b',
        'name': 'name',
    },
    'histogram_summary': {
        'tag': 'name',
        'values': 'values',
        'collections': 'collections',
        'name': None,
    },
    'image_summary': {
        'tag': 'name',
        'tensor': 'tensor',
        'max_images': 'max_outputs',
        'collections': 'collections',
        'name': None,
    },
    'scalar_summary': {
        'tags': 'name',
        'values': 'tensor',
        'collections': 'collections',
        'name': None,
    },
    'select': {'condition': 'condition', 't': 'x', 'e': 'y', 'name': 'name'},
}
# Built-in name of Python 2, or of a notebook saved as a script -> its replacement.
BUILTINS: dict[str, Any] = {
    'basestring': str,
    'cmp': lambda a, b: (a > b) - (a < b),
    'get_ipython': lambda: _Shell(),
    'long': int,
    'raw_input': input,
    'reduce': functools.reduce,
    'reload': importlib.reload,
    'unichr': chr,
    'unicode': str,
    'xrange': range,
}
# Parameter of tf.concat or tf.split before TensorFlow 1.0 -> its name since.
AXES = {'concat_dim': 'axis', 'split_dim': 'axis', 'num_split': 'num_or_size_splits'}
# Removed method -> its replacement, a function of the object.
METHODS: dict[str, Callable[..., Any]] = {
    'as_matrix': lambda frame, columns=None: (
        frame if columns is None else frame[columns]
    ).to_numpy(),
    'draggable': lambda legend, state=True, **options: legend.set_draggable(state, **options),
    'has_key': lambda mapping, key: key in mapping,
    'iteritems': lambda mapping: iter(mapping.items()),
    'iterkeys': lambda mapping: iter(mapping.keys()),
    'itervalues': lambda mapping: iter(mapping.values()),
    'itemset': lambda array, *at: operator.setitem(array, at[:-1] or ..., at[-1]),
    'next': next,
    'ptp': np.ptp,
    'set_window_title': lambda canvas, title: (
        canvas.manager and canvas.manager.set_window_title(title)
    ),
    'tostring': lambda array, *order: array.tobytes(*order),
    'tostring_rgb': lambda canvas: np.asarray(canvas.buffer_rgba())[..., :3].tobytes(),
}
_EMPTY = 'scipy.misc'  # which is still there
NINF = -np.inf
ArgSpec = collections.namedtuple('ArgSpec', ['args', 'varargs', 'keywords', 'defaults'])
# Folders of packages, whose modules are left as they are.
INSTALLED = (
    *(f'{sysconfig.get_path(kind)}/' for kind in ('stdlib', 'platstdlib', 'purelib', 'platlib')),
    f'{pathlib.Path(__file__).parents[1]}/',
    *(
        f'{place}/'
        for place in sys.path
        if place.endswith(('site-packages', 'dist-packages'))
        or (place and any(pathlib.Path(place).glob('*.dist-info')))  # by `pip install --target`
    ),
)

_used: dict[str, None] = {}  # in order


def is_installed() -> bool:
    """Returns whether the names are supplied in this process."""
    return any(isinstance(finder, _Finder) for finder in sys.meta_path)


def install() -> None:
    """Supplies the names in this process, and prints those that were used when it ends."""
    if is_installed():
        return
    sys.meta_path.insert(0, _Finder())
    for name in _PATCHES:
        if name in sys.modules:
            _supply(sys.modules[name], NAMES.get(name, {}), _ARGUMENTS.get(name, {}))
    for parent in {name.rpartition('.')[0] for name in RENAMED}:
        module = operator.attrgetter(parent)(tf) if parent else tf
        _supply(module, _renamed(parent), _ORDERS[parent])
    tf.Dimension.__init__ = _whole(tf.Dimension.__init__)
    for old, new in (('pack', 'stack'), ('unpack', 'unstack')):
        setattr(tf.TensorArray, old, _former_method(old, new))
    for kind in ('boolean', 'bool', 'float', 'integer', 'string'):
        define = f'DEFINE_{kind}'
        setattr(tf.flags, define, _any_default(getattr(tf.flags, define)))
    vars(vars(tf.flags.FLAGS)['__wrapped'])['_parse_flags'] = _parse_flags
    tf.test.is_built_with_cuda = _has_gpu
    atexit.register(report)


def use(name: str) -> None:
    """Records that the program used a removed name."""
    _used[name] = None


def used() -> tuple[str, ...]:
    """Returns the removed names that the program used, in order."""
    return tuple(_used)


def method(owner: Any, name: str) -> Any:
    """Returns the attribute `name` of an object, or the replacement of a removed method."""
    try:
        return getattr(owner, name)
    except AttributeError:
        if isinstance(owner, types.ModuleType):
            raise
        use(f'.{name}()')
        return functools.partial(METHODS[name], owner)


def quotient(a: Any, b: Any, in_place: bool = False) -> Any:
    """Returns `a / b` as Python 2 computes it: that of integers is an integer.

    This includes arrays and tensors of integers, and dimensions. `in_place` computes `a /= b`.
    """
    whole = _is_whole(a) and _is_whole(b)
    if in_place:
        return operator.ifloordiv(a, b) if whole else operator.itruediv(a, b)
    return a // b if whole else a / b


_OF_ITERABLES = (math.dist, math.fsum, math.prod)


def call(function: Callable[..., Any], *given: Any) -> Any:
    """Returns what a function returns; one of numbers takes arrays of one value, as numpy did.

    Numbers are what `int`, `float`, `complex` and the functions of `math` take.
    """
    of_numbers = getattr(function, '__module__', '') == 'math' and function not in _OF_ITERABLES
    if function in (int, float, complex) or of_numbers:
        given = tuple(map(_number, given))
    return function(*given)


def formatted(text: str, values: Any) -> str:
    """Returns `text % values`; arrays of one value are numbers where the text asks for numbers."""
    try:
        return text % values
    except TypeError:
        several = values if isinstance(values, tuple) else (values,)
        if not any(map(_is_one, several)):
            raise
    use(_NUMBERS)
    return text % tuple(value.view(_Number) if _is_one(value) else value for value in several)


def element(value: Any, array: Any, index: Any) -> Any:
    """Returns `value`, or the number in an array of one value if `array[index]` is a number."""
    if not (isinstance(array, np.ndarray) and _is_one(value)) or array.dtype.hasobject:
        return value
    if np.ndim(array[index]):
        return value
    use(_NUMBERS)
    return np.asarray(value).reshape(())


def _number(value: Any) -> Any:
    """Returns the number in an array of one value; any other value itself."""
    if not _is_one(value):
        return value
    use(_NUMBERS)
    return value.item()


def _is_one(value: Any) -> bool:
    """Returns whether a value is an array of one value, which numpy took for a number until 2.4."""
    return isinstance(value, np.ndarray) and value.size == 1 and value.ndim > 0


class _Number(np.ndarray):
    """An array of one value that can be formatted as a number."""

    def __int__(self):
        return int(self.item())

    def __float__(self):
        return float(self.item())


_NUMBERS = 'numbers from arrays of one value'


def _is_whole(value: Any) -> bool:
    if isinstance(value, np.ndarray):
        return np.issubdtype(value.dtype, np.integer)
    dtype = getattr(value, 'dtype', None)
    whole_tensor = isinstance(dtype, tf.DType) and dtype.is_integer
    return whole_tensor or isinstance(value, int | np.integer | tf.Dimension)


def lacks(module: str, name: str) -> bool:
    """Returns whether a module that can be imported has no such name."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            return not hasattr(importlib.import_module(module), name)
    except ImportError:
        return False


def former_arguments(dotted: str) -> set[str]:
    """Returns the removed names of arguments of a function or a class that are supplied."""
    module, _, name = dotted.rpartition('.')
    changes = _ARGUMENTS.get(module, {})
    found = [changes.get(key) for key in (name, f'{name}.__init__')]
    return {argument for change in found for argument in getattr(change, 'renamed', ())}


def is_lost(module: str) -> bool:
    """Returns whether a module of `MODULES` is gone, or empty."""
    if module.startswith(_EMPTY):
        return True
    try:
        return importlib.util.find_spec(module) is None
    except ImportError:  # of the package it was in
        return True


def _renamed(parent: str) -> dict[str, str]:
    """Returns the names before TensorFlow 1.0 in a module, each with where it is now."""
    inside = {old: new for old, new in RENAMED.items() if old.rpartition('.')[0] == parent}
    return {
        old.rpartition('.')[2]: f'{__name__}:_FORMER.{old}'
        if old in PARAMETERS
        else f'{tf.__name__}:{new}'
        for old, new in inside.items()
    }


def _former(old: str) -> Callable[..., Any]:
    """Returns a function before TensorFlow 1.0, with its own parameters."""

    def function(*args, **kwargs):
        parameters = PARAMETERS[old]
        if len(args) > len(parameters):
            raise TypeError(f'tf.{old} takes {len(parameters)} arguments; {len(args)} are given')
        given = dict(zip(parameters, args, strict=False)) | kwargs
        new = operator.attrgetter(RENAMED[old])(tf)
        renamed = {parameters.get(name, name): value for name, value in given.items()}
        return new(**{name: value for name, value in renamed.items() if name})

    return function


_FORMER = types.SimpleNamespace(**{old: _former(old) for old in PARAMETERS})


def report() -> None:
    """Prints the names that the program used since the last report, if there are any."""
    if _used:
        print(f'tfae: supplied what newer versions removed: {", ".join(_used)}', file=sys.stderr)
    _used.clear()


def _found(place: str) -> Any:
    module, _, names = place.partition(':')
    found = importlib.import_module(module)
    return operator.attrgetter(names)(found) if names else found


class _Finder(importlib.abc.MetaPathFinder):
    """Finds successors of removed modules, and completes modules that lost names."""

    def find_spec(self, fullname, path=None, target=None):
        """Returns the specification of a module that is in the tables, else None."""
        if fullname not in _PATCHES and fullname not in MODULES:
            return None
        if fullname in MODULES and '.' not in fullname and _is_for_package():
            return None
        spec = None
        if not fullname.startswith(_EMPTY):
            rest = [finder for finder in sys.meta_path if finder is not self]
            specs = (f.find_spec(fullname, path, target) for f in rest if hasattr(f, 'find_spec'))
            spec = next(filter(None, specs), None)
        if spec is not None and spec.loader is not None and fullname in _PATCHES:
            spec.loader = _Completing(spec.loader)
        elif spec is None and fullname in MODULES:
            loader = _Successor(fullname)
            spec = importlib.util.spec_from_loader(fullname, loader, is_package='.' in fullname)
        return spec


def _is_for_package() -> bool:
    """Returns whether an installed package imports a module now."""
    frame = sys._getframe(1)
    while frame.f_back and frame.f_globals.get('__name__', '').startswith(_IMPORTING):
        frame = frame.f_back
    return frame.f_code.co_filename.startswith(INSTALLED)


class _Completing(importlib.abc.Loader):
    """Loads a module, then supplies its removed names."""

    def __init__(self, loader):
        self._loader = loader

    def __getattr__(self, name):
        return getattr(self._loader, name)

    def create_module(self, spec):
        """Returns the module of the loader that this one wraps."""
        return self._loader.create_module(spec)

    def exec_module(self, module):
        """Executes the module and completes it."""
        module.__loader__ = module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        name = module.__name__
        _supply(module, NAMES.get(name, {}), _ARGUMENTS.get(name, {}))


class _Successor(importlib.abc.Loader):
    """Loads a removed module as its successor."""

    def __init__(self, name):
        self._name = name

    def create_module(self, spec):
        """Returns None: a new module, which `exec_module` fills."""
        return

    def exec_module(self, module):
        """Fills the module with the names of its successor."""
        use(self._name)
        found = importlib.import_module(MODULES[self._name])
        names = {k: v for k, v in vars(found).items() if not k.startswith('__')}
        vars(module).update(names)


def _supply(
    module: types.ModuleType, places: dict[str, str], changes: dict[str, Callable[..., Any]]
) -> None:
    """Supplies the removed names of a module, and changes its functions for removed arguments."""
    name = module.__name__
    former = getattr(module, '__getattr__', None)

    def attribute(wanted: str) -> Any:
        if wanted in places:
            use(f'{_short(name)}.{wanted}')
            return _found(places[wanted])
        if former is not None:
            return former(wanted)
        raise AttributeError(f'module {name!r} has no attribute {wanted!r}')

    if name in _PARENTS and not hasattr(module, '__path__'):
        module.__path__ = []  # it was a package
    if places:
        module.__getattr__ = attribute  # type: ignore[method-assign]
    for function, change in changes.items():
        kind, _, function = function.rpartition('.')
        owner = getattr(module, kind) if kind else module
        if hasattr(owner, function):
            setattr(owner, function, change(getattr(owner, function)))


def _short(module: str) -> str:
    before, _, after = module.rpartition('compat.v1')
    return _SHORT.get(module, f'tf{after}' if before.startswith(_TF) else module)


_IMPORTING = ('importlib', 'tfae.compat.')
_SHORT = {'numpy': 'np', 'matplotlib.pyplot': 'plt'}


def _keywords(**renamed):
    """Takes arguments by their former names."""

    def change(original):
        called = original.__qualname__.removesuffix('.__init__').rpartition('.')[2]

        @functools.wraps(original)
        def function(*args, **kwargs):
            for old in renamed.keys() & kwargs.keys():
                use(f'{called}({old}=)')
                kwargs[renamed[old]] = kwargs.pop(old)
            return original(*args, **kwargs)

        return function

    change.renamed = renamed
    return change


def _ragged(original):
    """Makes arrays of lists of unequal lengths, as numpy did before 1.24."""

    @functools.wraps(original)
    def array(*args, **kwargs):
        try:
            return original(*args, **kwargs)
        except ValueError as error:
            if 'inhomogeneous' not in str(error) or len(args) > 1 or 'dtype' in kwargs:
                raise
            use(f'np.{original.__name__} of unequal lengths')
            return original(*args, **kwargs, dtype=object)

    return array


def _save(original):
    """Saves lists of unequal lengths, as numpy did before 1.24."""

    @functools.wraps(original)
    def save(file, arr, *args, **kwargs):
        try:
            original(file, arr, *args, **kwargs)
        except ValueError as error:
            if 'inhomogeneous' not in str(error):
                raise
            use('np.save of unequal lengths')
            original(file, np.array(arr, dtype=object), *args, **kwargs)

    return save


def _load(original):
    """Loads objects, as numpy did before 1.16.3."""

    @functools.wraps(original)
    def load(*args, **kwargs):
        if len(args) > 2 or 'allow_pickle' in kwargs:
            return original(*args, **kwargs)
        found = original(*args, **kwargs, allow_pickle=True)
        dtype = getattr(found, 'dtype', None)
        if dtype is None or dtype.hasobject:  # also an archive, which is read later
            use('np.load(allow_pickle=True)')
        return found

    return load


def _one_value(original):
    """Takes an array of one value for a number, as numpy did before 2.4."""

    @functools.wraps(original)
    def function(array, *args, **kwargs):
        return original(array, *map(_number, args), **kwargs)

    return function


def _from_bytes(original):
    """Reads binary data, as numpy did before 2.3."""

    @functools.wraps(original)
    def fromstring(string, dtype=float, count=-1, sep='', **kwargs):
        if sep:
            return original(string, dtype, count, sep=sep, **kwargs)
        use('np.fromstring of bytes')
        content = string.encode('latin1') if isinstance(string, str) else string
        return np.frombuffer(content, dtype, count, **kwargs).copy()

    return fromstring


def _unlimited(original):
    """Takes the threshold NaN for no limit, as numpy did before 1.18."""

    @functools.wraps(original)
    def set_printoptions(precision=None, threshold=None, *args, **kwargs):
        if str(threshold) == 'nan':
            use('np.set_printoptions(threshold=nan)')
            threshold = sys.maxsize
        return original(precision, threshold, *args, **kwargs)

    return set_printoptions


def _of_projection(original):
    """Returns axes of the projection that is given, as matplotlib did before 3.6."""

    @functools.wraps(original)
    def gca(*figure, **kwargs):
        if not kwargs:
            return original(*figure)
        use('gca(projection=)')
        (found,) = figure or [importlib.import_module('matplotlib.pyplot').gcf()]
        axes = found.axes and original(*figure)
        return (
            axes if axes and axes.name == kwargs.get('projection') else found.add_subplot(**kwargs)
        )

    return gca


def _use_backend(original):
    """Replaces a backend that needs a display, or is gone, where there is no display."""

    @functools.wraps(original)
    def use_backend(backend, *args, **kwargs):
        if _has_display():
            return original(backend, *args, **kwargs)
        try:
            return original(backend, *args, **kwargs)
        except (ImportError, ValueError):
            use(f'matplotlib backend {backend}')
            return original('agg', *args, **kwargs)

    return use_backend


def _show(original):
    """Shows the figures, whatever is given, as matplotlib did before 3.0."""

    @functools.wraps(original)
    def show(*args, **kwargs):
        if args and not isinstance(args[0], bool):
            use('plt.show(figure)')
            args = ()
        return original(*args, **kwargs)

    return show


def _waiting(original):
    """Returns at once from a wait for the mouse or a key where there is no display."""

    @functools.wraps(original)
    def wait(*args, **kwargs):
        if _has_display():
            return original(*args, **kwargs)
        use(f'plt.{original.__name__}() without a display')
        return None

    return wait


def _has_display() -> bool:
    there = os.environ.get('DISPLAY') or os.environ.get('WAYLAND_DISPLAY')
    return bool(there) or sys.platform in ('darwin', 'win32')


# Arguments of logarithmic scales, which were named by the axis.
_SCALES = {
    old + axis: new
    for old, new in (('nonpos', 'nonpositive'), ('base', 'base'), ('subs', 'subs'))
    for axis in 'xy'
}
# Module -> function or method -> what makes it take the arguments of former versions.
_ARGUMENTS: dict[str, dict[str, Callable[..., Any]]] = {
    'numpy': {
        'reshape': _keywords(newshape='shape'),
        'array': _ragged,
        'asarray': _ragged,
        'load': _load,
        'save': _save,
        'fromstring': _from_bytes,
        'histogram': _keywords(normed='density'),
        'set_printoptions': _unlimited,
    },
    'scipy.ndimage': {'rotate': _one_value},
    'sklearn.manifold': {'TSNE.__init__': _keywords(n_iter='max_iter')},
    'sklearn.preprocessing': {'OneHotEncoder.__init__': _keywords(sparse='sparse_output')},
    'matplotlib': {'use': _use_backend},
    'matplotlib.figure': {'Figure.gca': _of_projection},
    'matplotlib.axes': {
        f'Axes.{name}': _keywords(**arguments)
        for name, arguments in {
            'hist': {'normed': 'density'},
            'loglog': _SCALES,
            'semilogx': _SCALES,
            'semilogy': _SCALES,
            'set_xscale': _SCALES,
            'set_yscale': _SCALES,
        }.items()
    },
    'matplotlib.pyplot': {
        'gca': _of_projection,
        'hist': _keywords(normed='density'),
        'xscale': _keywords(**_SCALES),
        'yscale': _keywords(**_SCALES),
        'show': _show,
        'switch_backend': _use_backend,
        'waitforbuttonpress': _waiting,
        'ginput': _waiting,
    },
}


def _axis_first(original):
    """Takes the axis first where TF1 takes it last, or by its former name, as before 1.0."""
    others = {'concat': ['values'], 'split': ['num_or_size_splits', 'value']}
    order = ['axis', *others[original.__name__], 'name']

    @functools.wraps(original)
    def function(*args, **kwargs):
        if AXES.keys() & kwargs.keys() or (args and isinstance(args[0], int)):
            use(f'tf.{original.__name__} with the axis first')
            kwargs = {AXES.get(name, name): value for name, value in kwargs.items()}
            kwargs |= dict(zip(order, args, strict=False))
            args = ()
        return original(*args, **kwargs)

    return function


def _logits_first(original):
    """Takes logits and labels by position, as before 1.0; TF1 took them by name alone."""

    @functools.wraps(original)
    def function(*args, **kwargs):
        if len(args) == 2 and sys.modules[_TF] is tf:
            use(f'tf.nn.{original.__name__} by position')
            kwargs |= {'logits': args[0], 'labels': args[1]}
            args = ()
        return original(*args, **kwargs)

    return function


def _former_method(old, new):
    """Returns a method of TensorArray under its name before 1.0."""

    def method(self, *args, **kwargs):
        use(f'TensorArray.{old}')
        return getattr(self, new)(*args, **kwargs)

    return method


def _whole(original):
    """Takes whole floats such as 50.0 for sizes in shapes, as TF1 did."""

    @functools.wraps(original)
    def __init__(self, value):  # noqa: N807
        if isinstance(value, float) and value.is_integer():
            use('sizes of shapes as floats')
            value = int(value)
        original(self, value)

    return __init__


def _any_default(original):
    """Takes defaults of other types than the flag's, and names of absl's own flags.

    TensorFlow did the first before 1.5, the second before 1.14.
    """

    @functools.wraps(original)
    def define(*args, **kwargs):
        flags = tf.flags.FLAGS
        given = dict(zip(('name', 'default', 'help'), args, strict=False))
        renamed = {'flag_name': 'name', 'default_value': 'default', 'docstring': 'help'}
        given |= {renamed.get(name, name): value for name, value in kwargs.items()}
        of_absl = (flags.find_module_defining_flag(given.get('name')) or '').startswith('absl.')
        if of_absl:
            use(f'the name of a flag of absl: {given["name"]}')
            kwargs['allow_override'] = given['allow_override'] = True
        try:
            original(*args, **kwargs)
        except tf.flags.IllegalFlagValueError:
            use(f'tf.flags.{original.__name__} with a default of another type')
            original(**(given | {'default': None}))
            flag = flags[given['name']]
            flag.value = flag.default = given['default']
        if of_absl:  # a second definition by the program is an error
            flags[given['name']].allow_override = False

    return define


def _parse_flags(args=None):
    """Parses the flags of the program, as TF before 1.5; returns the other arguments."""
    use('FLAGS._parse_flags()')
    argv = sys.argv if args is None else [sys.argv[0], *args]
    return tf.flags.FLAGS(argv, known_only=True)[1:]


# Module of TF1 -> function -> what makes it take the order of arguments before 1.0.
_ORDERS: dict[str, dict[str, Callable[..., Any]]] = {
    '': {'concat': _axis_first, 'split': _axis_first},
    'nn': {
        f'{kind}_cross_entropy_with_logits': _logits_first
        for kind in ('sigmoid', 'softmax', 'sparse_softmax')
    },
    'image': {},
    'train': {},
}
_PARENTS = {name.rpartition('.')[0] for name in MODULES if '.' in name}
_PATCHES = NAMES.keys() | _ARGUMENTS.keys() | _PARENTS


class _Cast(dict):
    """`np.cast[dtype](values)`."""

    def __missing__(self, dtype):
        return lambda values: np.asarray(values).astype(dtype)


CAST = _Cast()
SCTYPES = {
    'int': [np.int8, np.int16, np.int32, np.int64],
    'uint': [np.uint8, np.uint16, np.uint32, np.uint64],
    'float': [np.float16, np.float32, np.float64, np.longdouble],
    'complex': [np.complex64, np.complex128, np.clongdouble],
    'others': [bool, object, bytes, str, np.void],
}


def asfarray(a: Any, dtype: Any = np.float64) -> np.ndarray:
    """Returns an array of floating-point numbers."""
    return np.asarray(a, dtype if np.issubdtype(dtype, np.inexact) else np.float64)


def asscalar(a: np.ndarray) -> Any:
    """Returns the only value of an array as a Python number."""
    return a.item()


def find_common_type(array_types: Any, scalar_types: Any) -> np.dtype:
    """Returns the type of a result; scalars count where their kind is above that of the arrays."""
    found = [np.result_type(*types) for types in (array_types, scalar_types) if types]
    kinds = ['buifc'.find(dtype.kind) for dtype in found]
    return found[kinds.index(max(kinds))]


def msort(a: Any) -> np.ndarray:
    """Returns an array sorted along its first axis."""
    return np.sort(a, axis=0)


def compare_ssim(
    X: np.ndarray,  # noqa: N803
    Y: np.ndarray,  # noqa: N803
    win_size: int | None = None,
    gradient: bool = False,
    data_range: float | None = None,
    multichannel: bool = False,
    **kwargs: Any,
) -> Any:
    """Returns the structural similarity of images; their range is that of their type."""
    metrics = importlib.import_module('skimage.metrics')
    if data_range is None:
        whole = np.issubdtype(X.dtype, np.integer)
        data_range = np.iinfo(X.dtype).max - np.iinfo(X.dtype).min if whole else 2  # -1 to 1
    given = {'win_size': win_size, 'gradient': gradient, 'data_range': data_range}
    return metrics.structural_similarity(
        X, Y, **given, channel_axis=-1 if multichannel else None, **kwargs
    )


def getargspec(function: Callable[..., Any]) -> 'ArgSpec':
    """Returns the arguments of a function and their defaults."""
    import inspect

    return ArgSpec(*inspect.getfullargspec(function)[:4])


def _has_gpu() -> bool:
    """Returns whether there is a GPU: TF1's package for machines without one had no CUDA.

    Programs choose `channels_first` by it, whose pooling has no kernel for CPUs.
    """
    return bool(tf.config.list_physical_devices('GPU'))


def load_boston(*_: Any, **__: Any) -> None:
    """Raises AttributeError, in one line: scikit-learn removed the data for good."""
    raise AttributeError(
        'sklearn.datasets.load_boston is gone for good; use fetch_california_housing of the same '
        'module, or pandas.read_csv of a copy of the data'
    )


class _Shell:
    """The shell of a notebook, whose magics and commands do nothing in a script."""

    def __getattr__(self, name):
        return no_op


def no_op(*_: Any, **__: Any) -> None:
    """Does nothing."""
