"""`tfae run`: a TF1 program runs as it is, and as if Python ran it."""

import json

import idx_files
import pytest
import tfae_program

# A program of 2016, in Python 2: it trains on MNIST, and uses what is gone since.
PROGRAM = """
import sys
import cPickle
import numpy as np
import scipy.misc
import tensorflow as tf
from tensorflow.examples.tutorials.mnist import input_data
import helper

mnist = input_data.read_data_sets('MNIST_data', one_hot=True, validation_size=2)
x = tf.placeholder(tf.float32, [None, 16])
y = tf.placeholder(tf.float32, [None, 10])
logits = tf.layers.dense(tf.layers.dense(x, 8, tf.nn.relu), 10)
loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(logits=logits, labels=y))
step = tf.train.AdamOptimizer(0.05).minimize(loss)
with tf.Session() as sess:
    sess.run(tf.initialize_all_variables())
    losses = []
    for i in xrange(mnist.train.num_examples / 4 * 10):
        images, labels = mnist.train.next_batch(6)
        losses.append(sess.run([step, loss], feed_dict={x: images, y: labels})[1])
scipy.misc.imsave('digit.png', mnist.train.images[0].reshape(4, 4))
print 'ends lower:', np.bool(losses[-1] < losses[0]), 7 / 2, helper.words({'b': 'a'})
cPickle.dump(losses, open('losses.pkl', 'wb'))
sys.exit(len(sys.argv))
"""
HELPER = """
from functools import reduce
class Counts:
    def words(self, counts):
        pairs, places = counts.iteritems(), range(2)
        places[1] = 7 / 2
        return [unicode(reduce(max, pairs.next())[0]), places] if counts.has_key('b') else 0
def words(counts):
    return Counts().words(counts)
"""
AS_PYTHON = """
import json, os, sys
import tensorflow as tf
print(json.dumps([sys.argv, __name__, __file__, sys.path[0], tf.VERSION, os.getcwd()]))
sys.stderr.write("50%\\r100% \\x1b[1mbold\\n")
def fails():
    raise KeyError('of the program')
fails()
"""
# The text of each line that Python 2 prints, after the line.
QUOTIENTS = """
import numpy as np, tensorflow as tf
import exact, later
class C: pass
c, i = C(), 1
x = 7; x /= 2; print x  # 3
y = 7; y /= 2.; print y  # 3.5
c.x = [7, 9]; c.x[i / 2] /= 2; print c.x  # [3, 9]
whole = np.array([7, 8]); alias = whole; whole /= 2; print alias, (whole / 2).dtype.kind  # [3 4] i
parts = np.array([7., 8.]); alias = parts; parts /= 2; print alias  # [3.5 4. ]
def half():
    z = np.int32(7); z /= 2
    return z
print int(half()), np.array([7]) / 2., True / 2  # 3 [3.5] 0
t = tf.constant([7, -7]); v = tf.Variable(7); n = tf.zeros([2, 7]).shape[1]
v2 = v; v2 /= 2
with tf.Session() as s:
    s.run(tf.global_variables_initializer())
    print [a.tolist() for a in s.run([t / 2, 8 / t, v / t])]  # [[3, -4], [1, -2], [1, -1]]
    print map(float, s.run([tf.constant(7.) / 2, v2]))  # [3.5, 3.0]
print int(n / 2), int(15 / n), exact.half, exact.f(3), later.half  # 3 2 0.5 (0.75, 1) 0.5
"""
# Future imports keep true division in a module, however they are written.
EXACT = """
from __future__ import (print_function,
                        division)
half = 1 / 2
def f(x):
    x /= 4
    try:
        raise ValueError(1)
    except ValueError, e:
        return x, e.args[0]
"""
LATER = """
match 1:  # of Python 3.10
    case 1:
        half = 1 / 2
"""


def test_quotients_are_those_of_python_2(tmp_path):
    for name, text in (('p', QUOTIENTS), ('exact', EXACT), ('later', LATER)):
        (tmp_path / f'{name}.py').write_text(text)
    done = tfae_program.run('run', 'p.py', cwd=tmp_path)
    wanted = [line.partition('  # ')[2] for line in QUOTIENTS.splitlines() if 'print ' in line]
    assert done.out.splitlines() == wanted, done.err
    cells = ['print 1 / 2', 'from __future__ import division', 'print 1 / 2']
    notebook = {'cells': [{'cell_type': 'code', 'source': text} for text in cells]}
    (tmp_path / 'n.ipynb').write_text(json.dumps(notebook))
    done = tfae_program.run('run', 'n.ipynb', cwd=tmp_path)
    assert done.out == '0.5\n0.5\n', done.err


def test_names_of_the_program_are_its_own(tmp_path):
    (tmp_path / 'p.py').write_text(
        'import warnings\n'
        'def f(long, unicode=3):\n'
        '    reduce = 4\n'
        '    return long + unicode + reduce\n'
        'def g(xrange): return xrange\n'
        'print(f(1), list(xrange(2)))\n'
        'warnings.warn("odd")\n'
    )
    done = tfae_program.run('run', 'p.py', cwd=tmp_path)
    assert done.out == '8 [0, 1]\n'
    assert done.err.splitlines() == [
        'p.py:7: UserWarning: odd',
        '  warnings.warn("odd")',
        'tfae: supplied what newer versions removed: xrange',
    ]


def test_a_program_of_python_2_trains(tmp_path):
    idx_files.write(tmp_path / 'code' / 'MNIST_data')
    (tmp_path / 'code' / 'train.py').write_text(PROGRAM)
    (tmp_path / 'code' / 'helper.py').write_text(HELPER)
    done = tfae_program.run('run', 'train.py', '--epochs=3', '-v', cwd=tmp_path / 'code')
    assert done.code == 3, done.err
    assert done.out == "ends lower: True 3 ['b', [0, 3]]\n"
    (line,) = [line for line in done.err.splitlines() if line.startswith('tfae: ')]
    names = line.removeprefix('tfae: supplied what newer versions removed: ').split(', ')
    assert set(names) == {'syntax of Python 2', 'cPickle', 'scipy.misc', '.next()'}
    assert (tmp_path / 'code' / 'digit.png').stat().st_size
    assert not list((tmp_path / 'code').rglob('*.pyc'))


def test_a_program_sees_what_python_shows_it(tmp_path):
    (tmp_path / 'code').mkdir()
    (tmp_path / 'code' / 'p.py').write_text(AS_PYTHON)
    done = tfae_program.run(
        'run', '--removed=true', 'code/p.py', '--help', '--removed', cwd=tmp_path
    )
    assert done.code == 1
    argv, name, file, first, version, cwd = json.loads(done.out)
    assert argv == ['code/p.py', '--help', '--removed']
    assert (name, file, first) == ('__main__', 'code/p.py', str(tmp_path / 'code'))
    assert cwd == str(tmp_path) and version
    assert '100% \x1b[1mbold\n' in done.err
    trace = done.err[done.err.index('Traceback') :].splitlines()
    assert trace[-1] == "KeyError: 'of the program'"
    assert [line for line in trace if line.startswith('  File ')] == [
        '  File "code/p.py", line 8, in <module>',
        '  File "code/p.py", line 7, in fails',
    ]


def test_a_notebook_runs_without_its_magics(tmp_path):
    cells = [
        ('markdown', ['# no code']),
        ('code', ['%matplotlib inline\n', 'import tensorflow as tf\n', '!pip install x']),
        ('code', '%%bash\nls $HOME\n'),
        ('code', ['if True:\n', '    %time x = 3\n', 'print(tf.layers.dense.__name__, x)']),
        ('code', ['%%time\n', 'display("100 % sure")']),
        ('code', ['  # indented\n', '  1 / 0']),
    ]
    notebook = {'cells': [{'cell_type': kind, 'source': text} for kind, text in cells]}
    (tmp_path / 'n.ipynb').write_text(json.dumps(notebook))
    done = tfae_program.run('run', 'n.ipynb', cwd=tmp_path)
    assert done.code == 1
    assert done.out == 'dense 3\n100 % sure\n'
    skipped = '%matplotlib inline, !pip install x, %%bash, %%time'
    assert f'tfae: skipped in n.ipynb: {skipped}\n' in done.err
    assert done.err.endswith('    1 / 0\n    ~~^~~\nZeroDivisionError: division by zero\n')


def test_without_removed_names_they_are_missing(tmp_path):
    for text in ('xrange(3)', '{}.iteritems()'):
        (tmp_path / 'p.py').write_text(text)
        done = tfae_program.run('run', '--removed=false', 'p.py', cwd=tmp_path)
        assert done.code == 1 and done.err.splitlines()[-1].startswith(('NameError', 'Attrib'))
    (tmp_path / 'p.py').write_text('print 3')
    done = tfae_program.run('run', '--removed=false', 'p.py', cwd=tmp_path)
    assert done.refusal(1) == 'p.py: it is Python 2, which --removed=true translates'
    (tmp_path / 'p.py').write_text('import numpy as np\nprint(np.int)\n')
    done = tfae_program.run('run', '--removed=false', 'p.py', cwd=tmp_path)
    assert done.code == 1
    assert "AttributeError: module 'numpy' has no attribute 'int'" in done.err
    done = tfae_program.run('run', 'p.py', cwd=tmp_path)
    assert (done.code, done.out) == (0, "<class 'int'>\n")
    assert done.err.endswith('tfae: supplied what newer versions removed: np.int\n')


@pytest.mark.parametrize(
    ('argv', 'text', 'code'),
    [
        ([], 'tfae run needs script.py [arguments] after its flags', 2),
        (['--remove=1', 'p.py'], 'tfae run has no flag --remove; did you mean removed?', 2),
        (['none.py'], 'none.py: no such file', 1),
        (['bad.py'], 'bad.py: line 2: invalid syntax', 1),
        (['end.py'], "end.py: line 1: 'return' outside function", 1),
        (['bad.ipynb'], "bad.ipynb: it is not a Jupyter notebook ('cells')", 1),
        (['odd.ipynb'], 'odd.ipynb: it is not Python (', 1),
        (['data.py'], 'has no train-images-idx3-ubyte, gzipped or not; `tfae fetch mnist`', 1),
    ],
)
def test_what_cannot_run_is_refused_in_a_line(tmp_path, argv, text, code):
    (tmp_path / 'bad.py').write_text('x = 1\ny = = 2\n')
    (tmp_path / 'end.py').write_text('return\n')
    (tmp_path / 'bad.ipynb').write_text('{}')
    cell = {'cell_type': 'code', 'source': '\ud800'}
    (tmp_path / 'odd.ipynb').write_text(json.dumps({'cells': [cell]}))
    (tmp_path / 'data.py').write_text(
        'from tensorflow.examples.tutorials.mnist.input_data import read_data_sets\n'
        'read_data_sets("none")\n'
    )
    done = tfae_program.run('run', *argv, cwd=tmp_path)
    assert 'Traceback' not in done.err
    assert text in done.err.splitlines()[-1]
    assert done.code == code


def test_a_gpu_that_is_not_there_is_the_cpu(tmp_path):
    (tmp_path / 'p.py').write_text(
        'import tensorflow as tf\n'
        'with tf.device("/gpu:3"):\n'
        '    x = tf.Variable(2.0) * 2\n'
        'with tf.Session() as session:\n'
        '    session.run(tf.global_variables_initializer())\n'
        '    print(session.run(x))\n'
    )
    done = tfae_program.run('run', 'p.py', cwd=tmp_path)
    assert (done.code, done.out) == (0, '4.0\n'), done.err


def test_a_program_from_before_1_0_runs(tmp_path):
    (tmp_path / 'p.py').write_text(
        'import numpy as np, tensorflow as tf\n'
        'x = tf.constant([[1.0, 2.0, 5.0]])\n'
        'labels = tf.constant([[0.0, 1.0, 0.0]])\n'
        'values = [tf.mul(x, 2), tf.concat(1, [x, x]), tf.concat([x, x], 0),\n'
        '          tf.split(1, 3, x)[2], tf.split(x, 3, 1)[0], tf.pack([x, x]),\n'
        '          tf.nn.softmax_cross_entropy_with_logits(x, labels),\n'
        '          tf.nn.softmax_cross_entropy_with_logits(logits=x, labels=labels),\n'
        '          tf.batch_matmul([[[1.]], [[2.]]], y=[[[3.]], [[4.]]], adj_x=True),\n'
        '          tf.batch_matmul([x], [x], False, True), tf.select(x > 1, e=x, t=-x)]\n'
        'summaries = [tf.scalar_summary(tags="a", values=1, name="n"), tf.scalar_summary("b", 2),\n'
        '             tf.histogram_summary(tag="c", values=x),\n'
        '             tf.image_summary("d", tf.zeros([3, 2, 2, 1]), max_images=1)]\n'
        'try: tf.select(x > 1, x, x, "n", 5)\n'
        'except TypeError as error: print(error)\n'
        'with tf.Session() as sess:\n'
        '    tf.train.SummaryWriter("logs", sess.graph)\n'
        '    for v in sess.run(values): print(v.shape, "%.3f" % v.sum())\n'
        '    for s in sess.run(summaries): print([v.tag for v in tf.Summary.FromString(s).value])\n'
    )
    done = tfae_program.run('run', 'p.py', cwd=tmp_path)
    loss = '(1,) 3.066'  # log(e + e^2 + e^5) - 2
    assert done.out.splitlines() == [
        'tf.select takes 4 arguments; 5 are given',
        '(1, 3) 16.000', '(1, 6) 16.000', '(2, 3) 16.000', '(1, 1) 5.000', '(1, 1) 1.000',
        '(2, 1, 3) 16.000', loss, loss,
        '(2, 1, 1) 11.000', '(1, 1, 1) 30.000', '(1, 3) -6.000',
        "['a']", "['b']", "['c']", "['d/image']",
    ]  # fmt: skip
    assert done.code == 0
    assert done.err.splitlines()[-1] == (
        'tfae: supplied what newer versions removed: tf.mul, tf.concat with the axis first, '
        'tf.split with the axis first, tf.pack, '
        'tf.nn.softmax_cross_entropy_with_logits by position, tf.batch_matmul, tf.select, '
        'tf.scalar_summary, tf.histogram_summary, tf.image_summary, tf.train.SummaryWriter'
    )
