"""Names that other packages removed: their values, and that the program is told."""

import math
import os
import pathlib
import subprocess
import sys

import numpy as np

from tfae.compat import removed

# Each line is checked in a process of its own kind, after the line that `tfae port` adds.
PROGRAM = """
import sys
import tfae.compat; tfae.compat.install(as_tensorflow=True, removed=True)
import warnings; warnings.simplefilter('ignore')
import collections, fractions, inspect, itertools, string, time
import numpy as np
assert np.int is int and np.float is float and np.object is object and np.str is str
assert np.infty == np.inf == np.PINF == np.Inf and np.isnan(np.NaN) and np.NINF == -np.inf
assert np.float_ is np.float64 and np.string_ is np.bytes_
assert np.product([2, 3]) == 6 and np.alltrue([True]) and not np.sometrue([False])
assert np.asscalar(np.array([3])) == 3 and np.cast['uint8']([2.9])[0] == 2
assert np.mat([[1, 2]]).shape == (1, 2) and np.msort([2, 1]).tolist() == [1, 2]
assert np.asfarray([1]).dtype == np.float64 and np.trapz([1, 1]) == 1 and np.in1d([1], [1])[0]
assert np.lib.pad([1], 1, 'constant').tolist() == [0, 1, 0]
assert np.math.sqrt(4) == 2 and np.rank([[1]]) == 2 and np.bool8 is np.bool_
assert np.alen([[1], [2], [3]]) == 3
assert np.reshape(np.zeros(4), newshape=[2, 2]).shape == (2, 2)
assert np.array([[1], [1, 2]]).dtype == object
data = np.fromstring('\\x01\\xff', np.uint8); data[0] = 2
assert data.tolist() == [2, 255] and np.fromstring('1 2', sep=' ').tolist() == [1, 2]
assert np.find_common_type([np.float32], [np.int64, np.float64]) == np.float32
assert np.find_common_type([], ['i4']) == np.int32
assert np.find_common_type([np.int8, np.int16], [np.float32]) == np.float32
assert np.float16 in np.sctypes['float']
np.set_printoptions(threshold=np.nan); assert '...' not in str(np.arange(3000))
assert (np.histogram([0, 1], 2, normed=True)[0] == 1).all()
np.save('ragged.npy', [[1], [1, 2]])
assert np.load('ragged.npy')[1] == [1, 2]
np.save('objects.npy', np.array([{'a': 1}], object))
assert np.load('objects.npy')[0] == {'a': 1}
np.savez('objects.npz', a=np.array([{'a': 1}], object))
assert np.load('objects.npz')['a'][0] == {'a': 1}
with open('two.npy', 'wb') as file:
    file.write(b'head'); np.save(file, np.array([{'b': 2}], object))
with open('two.npy', 'rb') as file:
    assert file.read(4) == b'head' and np.load(file)[0] == {'b': 2}
import scipy.misc
from scipy.misc import imread, imsave as written
written('a.png', np.zeros([2, 2]))
assert imread('a.png').shape == scipy.misc.imread('a.png').shape == (2, 2)
assert scipy.misc.logsumexp([0.0, 0.0]) == np.log(2)
from scipy.ndimage import imread as other, rotate
assert other('a.png').shape == (2, 2)
assert rotate(np.eye(3), np.array([90]), reshape=False).shape == (3, 3)
import scipy.sparse
from scipy.sparse.linalg.eigen.arpack import eigsh
assert abs(eigsh(scipy.sparse.diags([1.0, 2.0, 3.0]), 1)[0][0] - 3) < 1e-6
from sklearn.utils.linear_assignment_ import linear_assignment
assert linear_assignment(np.array([[4, 1], [2, 8]])).tolist() == [[0, 1], [1, 0]]
from sklearn.datasets.samples_generator import make_blobs
assert make_blobs(6, 2, random_state=0)[0].shape == (6, 2)
from sklearn.manifold import TSNE
assert TSNE(n_iter=300, perplexity=2).get_params()['max_iter'] == 300
from sklearn.datasets import load_boston, load_iris
assert len(load_iris().data) == 150
try:
    load_boston(return_X_y=True)
except AttributeError as error:
    assert 'use fetch_california_housing' in str(error)
else:
    raise AssertionError
from sklearn.preprocessing import OneHotEncoder
assert OneHotEncoder(sparse=False).fit_transform([[1], [2]]).tolist() == [[1, 0], [0, 1]]
from skimage.measure import compare_ssim
floats, bytes_ = np.zeros([8, 8, 3]), np.zeros([8, 8], np.uint8)
assert compare_ssim(floats, floats, multichannel=True) == (3, 2, -1)
assert compare_ssim(bytes_, bytes_, 7, full=True) == (2, 255, None, 'full')
from PIL import Image
assert Image.ANTIALIAS == Image.LANCZOS
import installed
assert installed.PYTHON == 3
import targeted
assert targeted.PYTHON == 3
import cPickle, Queue, StringIO, cStringIO, urllib2
assert cPickle.loads(b"S'\\\\xe9'\\n.") == '\\xe9'
import io
assert cPickle.Unpickler(io.BytesIO(b"S'\\\\xe9'\\n.")).load() == '\\xe9'
assert Queue.Queue and urllib2.urlopen and StringIO.StringIO('x').read() == 'x'
buffer = cStringIO.StringIO(); scipy.misc.toimage(np.zeros([2, 3])).save(buffer, 'PNG')
assert Image.open(cStringIO.StringIO(buffer.getvalue())).size == (3, 2)
buffer = StringIO.StringIO(); buffer.write('1 2\\n'); buffer.write('3 4'); buffer.seek(0)
assert np.loadtxt(buffer).tolist() == [[1, 2], [3, 4]]
assert collections.Iterable and fractions.gcd(4, 6) == 2 and string.letters[0] == 'a'
assert list(itertools.izip([1], [2])) == [(1, 2)] and time.clock() > 0
assert inspect.getargspec(lambda a, b=1, *c: 0) == (['a', 'b'], 'c', None, (1,))
get_ipython().run_line_magic('matplotlib', 'inline')
assert [unicode(i) for i in xrange(2)] == ['0', '1'] and long is int and unichr(97) == 'a'
import matplotlib
matplotlib.use('TkAgg')
import matplotlib.pyplot as plt
plt.plot([1, 2]); plt.hold(True); plt.hist([1, 2], normed=1); plt.waitforbuttonpress()
plt.show(plt.gcf()); plt.yscale('log', nonposy='clip')
axis = plt.gca(); axis.set_xscale('log', nonposx='mask', basex=2)
assert axis.xaxis.get_transform().base == 2 and axis.xaxis.get_transform()._clip is False
assert axis.hist([1, 2, 4], normed=True)[0].sum() > 0 and axis.semilogx([1, 2], basex=3)
assert axis.xaxis.get_transform().base == 3
figure = plt.figure(figsize=(1, 1), dpi=10)
axes = figure.gca(projection='3d')
assert axes.name == '3d' and figure.axes == [axes] == [plt.gca(projection='3d')]
assert figure.gca(projection='polar').name == 'polar' and figure.gca() == figure.axes[1]
assert plt.get_cmap('gray') and plt.ginput() is None
import tensorflow.compat.v1, tensorflow as tf
assert not tf.test.is_built_with_cuda()
assert tensorflow.compat.v1 is tf and tf.get_variable('v', [6 / 2, 2]).shape == (3, 2)
x = tf.constant([[1.0, 2.0]])
joined = [
    tf.concat(concat_dim=1, values=[x, x]), tf.concat(1, values=[x, x], name='n'),
    tf.concat(1, [x, x], 'n'), tf.concat([x, x], 1), tf.concat(values=[x, x], axis=1),
    tf.concat(tf.split(split_dim=1, num_split=2, value=[[1, 1, 2, 2]]), 0)[:, 0][None],
    tf.concat(tf.split(1, 2, value=[[1, 1, 2, 2]], name='n'), 0)[:, 0][None],
]
joined = [v.tolist() for v in tf.Session().run(joined)]
assert joined == [[[1, 2, 1, 2]]] * 5 + [[[1, 2]]] * 2, joined
array = tf.TensorArray(tf.float32, 1).unpack(x)
values = [
    tf.mul(x, 2), tf.concat(1, [x, x]), tf.split(1, 2, x)[1], tf.listdiff([1, 2, 3], [2])[0],
    tf.nn.softmax_cross_entropy_with_logits(0 * x, [[1.0, 0.0]]), array.pack(),
]
values = [v.tolist() for v in tf.Session().run(values)]
assert values[:4] == [[[2, 4]], [[1, 2, 1, 2]], [[2]], [1, 3]], values
assert abs(values[4][0] - np.log(2)) < 1e-6 and values[5] == [[1, 2]]
assert tf.audio_summary('sound', tf.zeros([1, 4]), 8.0).op.type == 'AudioSummaryV2'
from tensorflow.python import control_flow_ops, pywrap_tensorflow
from tensorflow.python.ops import rnn_cell_impl
from tensorflow.python.framework import ops
from tensorflow.python.layers.normalization import BatchNormalization
from tensorflow.contrib.rnn.python.ops.core_rnn_cell import _linear
assert ops.Tensor is tf.Tensor and BatchNormalization is tf.layers.BatchNormalization
ones = tf.ones_initializer()
with tf.variable_scope('linear'):
    y = rnn_cell_impl._linear([x, x], 3, True, bias_initializer=ones, kernel_initializer=ones)
z = control_flow_ops.cond(tf.constant(True), lambda: y, lambda: 0 * y)
with tf.Session() as session:
    session.run(tf.global_variables_initializer())
    assert session.run(z).tolist() == [[7, 7, 7]]
    path = tf.train.Saver().save(session, './model')
reader = pywrap_tensorflow.NewCheckpointReader(path)
assert reader.get_variable_to_shape_map() == {
    'v': [3, 2], 'linear/kernel': [4, 3], 'linear/bias': [3]
}
assert tf.pywrap_tensorflow is pywrap_tensorflow
flags = tf.app.flags
flags.DEFINE_integer('size', np.int_(5), ''); flags.DEFINE_boolean('whole', 128, '')
flags.DEFINE_integer(name='steps', default=1e6, help=''); flags.DEFINE_float('rate', 0.5, '')
sys.argv += ['--rate=0.25', 'rest']
assert flags.FLAGS._parse_flags() == ['rest']
assert [flags.FLAGS[k].value for k in ('size', 'whole', 'steps', 'rate')] == [5, 128, 1e6, 0.25]
flags.DEFINE_string('log_dir', './logs', ''); flags.DEFINE_integer('v', 0.5, 'of absl too')
assert flags.FLAGS.log_dir == './logs' and flags.FLAGS.v == 0.5
for name in ('steps', 'log_dir'):
    try:
        flags.DEFINE_integer(name, 3, '')
    except flags.DuplicateFlagError:
        pass
    else:
        raise AssertionError(name)
try:
    tf.placeholder(tf.float32, [2.5])
except TypeError:
    pass
else:
    raise AssertionError
import part
assert part.f() == 'ok'
part.numbers()
assert list(part.Two()) == [0, 1]
assert len(part.pixels(figure.canvas)) == 10 * 10 * 3
from package.inner import a
assert a.VALUE == (1, 2, 3)
assert not hasattr(np, 'no_such_name')
"""
PART = """
def f():
    return unicode('ok') if {1: 2}.has_key(1) and 2 in list({1: 2}.itervalues()) else ''
import math
import numpy as np
def numbers():
    one, two = np.array([1.5]), np.array([1.5, 2])
    assert (int(one), float(one), long(one), np.int(one), int('f', 16)) == (1, 1.5, 1, 1, 15)
    assert complex(one) == 1.5 and math.floor(one) == 1 and math.pow(one, np.array([[2]])) == 2.25
    assert '%d %.2f %s' % (one, one, one) == '1 1.50 [1.5]' and '%.1f' % one == '1.5'
    assert '%(a)s' % {'a': 1} == '1' and '%s' % two == '[1.5 2. ]'
    a, i = np.zeros([2, 2], np.float32), [0, 1]
    a[i[0], 1] = one
    a[1, 0] += np.array([[2.5]])
    a[1][1:] = one
    a[0][0] = a[0][1]
    assert a.tolist() == [[1.5, 1.5], [2.5, 1.5]]
    kept = {'a': one, 'b': [0]}
    kept['b'][0] = kept['c'] = kept['a'] = one
    assert kept['a'] is kept['b'][0] is one
    def late():
        kept['d'] = np.zeros(1)
        return one
    kept['d'][0] = late()  # which makes what it is stored in
    assert kept['d'] == 1.5
    for fails in (lambda: int(two), lambda: '%d' % two, lambda: '%d' % (one, one)):
        try:
            fails()
        except TypeError:
            continue
        raise AssertionError
class Two:
    i = -1
    def __iter__(self):
        return self
    def next(self):
        self.i += 1
        if self.i == 2:
            raise StopIteration
        return self.i
def pixels(canvas):
    canvas.draw()
    canvas.set_window_title('of no window')
    legend = canvas.figure.legend(['a'])
    legend.draggable(True)
    assert legend.get_draggable()
    return canvas.tostring_rgb()
"""
# A package of Python 2: its modules import each other without a dot.
PACKAGE = {
    '__init__.py': '',
    'inner/__init__.py': '',
    'inner/a.py': 'import b, json\nfrom b import two\nfrom c.d import three\n'
    'VALUE = b.one, two, three',
    'inner/b.py': 'one, two = 1, 2',
    'inner/c/__init__.py': '',
    'inner/c/d.py': 'three = 3',
}
# A newer scikit-image, whose functions are in `metrics`.
METRICS = """
def structural_similarity(x, y, *, win_size, gradient, data_range, channel_axis, full=False):
    return (x.ndim, data_range, channel_axis) + ('full',) * full
"""
# A package that tells the versions of Python apart, as many do.
INSTALLED = """
try:
    import cPickle, StringIO, __builtin__
    PYTHON = 2
except ImportError:
    PYTHON = 3
"""


def test_removed_names_are_supplied_and_listed(tmp_path):
    (tmp_path / 'program.py').write_text(PROGRAM)
    (tmp_path / 'part.py').write_text(PART)
    packages = tmp_path / 'lib' / 'site-packages'
    packages.mkdir(parents=True)
    (packages / 'installed.py').write_text(INSTALLED)
    target = tmp_path / 'target'
    (target / 'a-1.0.dist-info').mkdir(parents=True)
    (target / 'targeted.py').write_text(INSTALLED)
    files = {f'package/{name}': text for name, text in PACKAGE.items()}
    installed = {'measure/__init__.py': '', '__init__.py': '', 'metrics.py': METRICS}
    for folder, texts in ((tmp_path, files), (packages / 'skimage', installed)):
        for name, text in texts.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
    environment = {k: v for k, v in os.environ.items() if k not in ('DISPLAY', 'WAYLAND_DISPLAY')}
    root = str(pathlib.Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, 'program.py'],
        cwd=tmp_path,
        env=environment | {'PYTHONPATH': f'{root}:{packages}:{target}', 'CUDA_VISIBLE_DEVICES': ''},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    last = done.stderr.splitlines()[-1]
    for name in (
        'np.int', 'reshape(newshape=)', 'np.array of unequal lengths', 'scipy.misc', 'cPickle',
        'np.load(allow_pickle=True)', 'collections.Iterable', 'xrange', 'plt.hold', '.has_key()',
        'plt.waitforbuttonpress() without a display', 'matplotlib backend TkAgg', 'time.clock',
        'hist(normed=)', 'yscale(nonposy=)', 'set_xscale(nonposx=)',
        'plt.show(figure)', 'sizes of shapes as floats',
        'imports of Python 2 inside a package', 'tf.mul', 'tf.concat with the axis first',
        'tf.nn.softmax_cross_entropy_with_logits by position', 'TensorArray.pack',
        'FLAGS._parse_flags()',
        'tf.flags.DEFINE_integer with a default of another type', 'skimage.measure.compare_ssim',
        'np.fromstring of bytes', 'TSNE(n_iter=)', 'OneHotEncoder(sparse=)', 'gca(projection=)',
        'numbers from arrays of one value', 'the name of a flag of absl: log_dir',
        'iterators of Python 2', 'np.find_common_type', '.tostring_rgb()', '.set_window_title()',
        '.draggable()', 'get_ipython',
        'scipy.sparse.linalg.eigen.arpack', 'tensorflow.python.control_flow_ops', 'np.math',
    ):  # fmt: skip
        assert f' {name},' in last + ',', name
    assert 'np.nan' not in last and 'no_such_name' not in last


def test_functions_of_iterables_take_arrays_of_one_value():
    one = np.array([2.0])
    assert removed.call(math.fsum, one) == removed.call(math.prod, one) == 2
    assert removed.call(math.sqrt, np.array([4.0])) == 2
