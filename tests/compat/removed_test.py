"""Names that other packages removed: their values, and that the program is told."""

import os
import pathlib
import subprocess
import sys

# Each line is checked in a process of its own kind: after `install(removed=True)`.
PROGRAM = """
import sys
import tfae.compat; tfae.compat.install(removed=True)
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
assert np.reshape(np.zeros(4), newshape=[2, 2]).shape == (2, 2)
assert np.array([[1], [1, 2]]).dtype == object
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
from PIL import Image
assert Image.ANTIALIAS == Image.LANCZOS
import installed
assert installed.PYTHON == 3
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
assert [unicode(i) for i in xrange(2)] == ['0', '1'] and long is int and unichr(97) == 'a'
import matplotlib
matplotlib.use('TkAgg')
import matplotlib.pyplot as plt
plt.plot([1, 2]); plt.hold(True); plt.hist([1, 2], normed=1); plt.waitforbuttonpress()
plt.show(plt.gcf()); plt.yscale('log', nonposy='clip')
assert plt.get_cmap('gray') and plt.ginput() is None
import tensorflow.compat.v1 as tf
assert tf.get_variable('v', [6 / 2, 2]).shape == (3, 2)
try:
    tf.placeholder(tf.float32, [2.5])
except TypeError:
    pass
else:
    raise AssertionError
import part
assert part.f() == 'ok'
assert not hasattr(np, 'no_such_name')
"""
PART = """
def f():
    return unicode('ok') if {1: 2}.has_key(1) and 2 in list({1: 2}.itervalues()) else ''
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
    environment = {k: v for k, v in os.environ.items() if k not in ('DISPLAY', 'WAYLAND_DISPLAY')}
    root = str(pathlib.Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, 'program.py'],
        cwd=tmp_path,
        env=environment | {'PYTHONPATH': f'{root}:{packages}', 'CUDA_VISIBLE_DEVICES': ''},
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
        'hist(normed=)', 'yscale(nonposy=)', 'plt.show(figure)', 'sizes of shapes as floats',
    ):  # fmt: skip
        assert f' {name},' in last + ',', name
    assert 'np.nan' not in last and 'no_such_name' not in last
