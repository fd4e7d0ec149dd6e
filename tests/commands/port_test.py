"""`tfae port`: what a program needs is listed by line, and added."""

import ast
import json
import stat
import subprocess
import sys

import nbformat
import pytest
import tfae_program

from tfae import compat
from tfae.compat import porting, removed

NAMES = '''#!/usr/bin/env python
"""Doc."""
from __future__ import division
import collections, tensorflow as tf
from tensorflow.python.framework import ops
from tensorflow.python.ops import no_such_module; from tensorflow.python.ops.rnn import rnn
import numpy as np
import scipy.misc
from tensorflow.examples.tutorials.mnist import input_data
x = tf.mul(tf.ones([2]), 3.) + tf.sub(1., 2.)
y = tf.concat(0, [x, x]), tf.concat([x, x], 0)
z = tf.nn.sigmoid_cross_entropy_with_logits(x, x)
w = np.int(3), np.float32(1), np.infty, collections.Iterable
for k, v in {}.iteritems(): pass
for i in xrange(3): x.tostring()
tf.contrib.no_such.name(1); tf.contrib.no_such
h = tf.layers.dense(x, 3); tf.app.flags.FLAGS.depth; ops.reset_default_graph()
d.has_key(3); tf.train.SummaryWriter('é'); tf.train.Saver().no_such
'''
FOUND = [
    (6, 'tensorflow.python.ops.no_such_module', 'private API that TensorFlow has removed'),
    (6, 'tensorflow.python.ops.rnn.rnn', 'private and removed; tfae.compat supplies it'),
    (8, 'scipy.misc', 'a removed module; replaced by tfae.compat.scipy_misc'),
    (9, 'tensorflow.examples.tutorials.mnist.input_data', 'supplied by tfae.compat'),
    (10, 'tf.mul', 'before 1.0; it becomes tf.multiply'),
    (10, 'tf.sub', 'before 1.0; it becomes tf.subtract'),
    (11, 'tf.concat', 'the arguments before 1.0: the axis of tf.concat comes first'),
    (12, 'tf.nn.sigmoid_cross_entropy_with_logits', 'before 1.0: logits and labels by position'),
    (13, 'np.int', 'removed from numpy; replaced by int'),
    (13, 'np.infty', 'removed from numpy; replaced by numpy.inf'),
    (13, 'collections.Iterable', 'replaced by collections.abc.Iterable'),
    (14, '.iteritems()', 'it becomes .items()'),
    (15, 'xrange', 'a built-in name of Python 2'),
    (15, '.tostring()', 'it becomes .tobytes()'),
    (16, 'tf.contrib.no_such.name', 'tf.contrib.no_such is not available'),
    (16, 'tf.contrib.no_such', 'tf.contrib.no_such is not available'),
    (17, 'tf.layers.dense', 'supplied by tfae.compat'),
    (18, '.has_key()', '`tfae run` supplies it'),
    (18, 'tf.train.SummaryWriter', 'it becomes tf.summary.FileWriter'),
]
LINE = 'import tfae.compat; tfae.compat.install(as_tensorflow=True, removed=True)'


@pytest.fixture(autouse=True, scope='module')
def installed():
    compat.install(v1_behavior=False)


def ported(folder, text, name='p.py'):
    path = folder / name
    path.write_text(text)
    return porting.port(path)


def text_of(found):
    return found.content.decode()


def test_each_name_is_found_in_its_line(tmp_path):
    found = ported(tmp_path, NAMES)
    assert [(one.line, one.name) for one in found.findings] == [one[:2] for one in FOUND]
    for one, (_, _, text) in zip(found.findings, FOUND, strict=True):
        assert text in one.remark, one
    assert found.line == LINE


def test_the_source_changes_where_a_name_has_a_successor(tmp_path):
    before, after = NAMES.splitlines(), text_of(ported(tmp_path, NAMES)).splitlines()
    assert after.pop(3) == LINE
    changed = {i + 1: text for i, text in enumerate(after) if text != before[i]}
    assert changed == {
        10: 'x = tf.multiply(tf.ones([2]), 3.) + tf.subtract(1., 2.)',
        14: 'for k, v in {}.items(): pass',
        15: 'for i in xrange(3): x.tobytes()',
        18: "d.has_key(3); tf.summary.FileWriter('é'); tf.train.Saver().no_such",
    }


@pytest.mark.parametrize(
    ('text', 'line'),
    [
        ('import tensorflow as tf\n', 'install(as_tensorflow=True)'),
        ('import tensorflow.compat.v1 as tf\ntf.layers.dense\n', 'install()'),
        (
            'import tensorflow.compat.v1 as tf\nimport numpy as np\nnp.int\n',
            'install(removed=True)',
        ),
        ('import tensorflow.compat.v1 as tf\ntf.ones([2])\n', ''),
        ('import numpy as np\nnp.float\n', 'install(removed=True)'),
        ('import numpy as np\nnp.float32\n', ''),
        ('import tfae.compat; tfae.compat.install()\nimport tensorflow as tf\n', ''),
        ('xrange = range\nimport tensorflow as tf\nxrange(3)\n', 'install(as_tensorflow=True)'),
    ],
)
def test_the_line_installs_what_the_program_needs(tmp_path, text, line):
    assert ported(tmp_path, text).line == (line and f'import tfae.compat; tfae.compat.{line}')


@pytest.mark.parametrize(
    ('module', 'lacks'),
    [('import numpy as np\nnp.int', True), ('print 1', True), ('{}.iteritems()', True),
     ('import numpy as np\nnp.ones', False), ('= no Python', False)],
)  # fmt: skip
def test_the_line_supplies_what_modules_beside_the_program_need(tmp_path, module, lacks):
    (tmp_path / 'package').mkdir()
    (tmp_path / 'package' / '__init__.py').touch()
    (tmp_path / 'package' / 'part.py').write_text(module)
    (tmp_path / 'helper.py').write_text('import helper\nfrom package.part import f')
    options = ', removed=True' * lacks
    found = ported(tmp_path, 'import tensorflow as tf\nimport helper\n')
    assert found.line.endswith(f'install(as_tensorflow=True{options})')


@pytest.mark.parametrize(
    ('module', 'line'),
    [
        ('import tensorflow as tf\ntf.contrib.layers', 'as_tensorflow=True'),
        ('import tensorflow as tf\ntf.pack([1])', 'as_tensorflow=True, removed=True'),
        ('import tensorflow.compat.v1 as tf\ntf.layers', ''),
        ('import tensorflow.compat.v1 as tf\ntf.ones', None),
        ('import tfae.compat; tfae.compat.install()\nimport tensorflow', None),
    ],
)
def test_the_line_is_for_a_program_whose_modules_import_tensorflow(tmp_path, module, line):
    (tmp_path / 'nets' / 'inner').mkdir(parents=True)
    for name in ('', 'inner/'):
        (tmp_path / 'nets' / name / '__init__.py').touch()
    (tmp_path / 'nets' / 'a.py').write_text('from .inner import b\nfrom ... import none')
    (tmp_path / 'nets' / 'inner' / 'b.py').write_text('from ..c import f')
    (tmp_path / 'nets' / 'c.py').write_text('import d')  # of Python 2, in the same folder
    (tmp_path / 'nets' / 'd.py').write_text(module)
    wanted = '' if line is None else f'import tfae.compat; tfae.compat.install({line})'
    assert ported(tmp_path, 'from nets.a import train\n').line == wanted


def test_names_that_come_from_the_modules_of_the_program_are_found(tmp_path):
    (tmp_path / 'base.py').write_text('import tensorflow as tf\nimport numpy\nfrom rest import *')
    (tmp_path / 'rest.py').write_text('from base import *\nimport scipy')
    (tmp_path / 'hyper.py').write_text('from base import *\nclass D:\n    def itemset(self): 0\n')
    text = (
        'from hyper import *\nfrom base import numpy as np, tf as t\n'
        'from tensorflow.contrib.layers import *\nfrom scipy.misc import *\n'
        'tf.pack([1]); np.int; scipy.misc; t.mul(1, 2); D().itemset()\n'
    )
    found = ported(tmp_path, text)
    assert [(one.line, one.name) for one in found.findings] == [
        (3, 'tensorflow.contrib.layers'), (4, 'scipy.misc'),
        (5, 'tf.pack'), (5, 'np.int'), (5, 'scipy.misc'), (5, 't.mul'),
    ]  # fmt: skip
    assert text_of(found).splitlines()[-1].startswith('tf.stack([1]); np.int; scipy.misc; t.multi')


def test_all_that_only_a_run_supplies_is_listed(tmp_path):
    assert porting._METHODS.keys() == removed.METHODS.keys()
    text = (
        'import tensorflow as tf\nb = batches.next(); b.ptp()\n'
        'class I:\n    def __iter__(self): return self\n    def next(self): return 1\n'
        'tf.concat(concat_dim=1, values=[b]); tf.split(value=b, num_split=2, axis=0)\n'
    )
    found = ported(tmp_path, text).findings
    assert [(one.line, one.name) for one in found] == [
        (2, '.ptp()'), (3, 'I'), (6, 'tf.concat'), (6, 'tf.split'),
    ]  # fmt: skip
    found = ported(tmp_path, text.replace('def next', 'def other')).findings
    assert [(one.line, one.name) for one in found][:2] == [(2, '.next()'), (2, '.ptp()')]


def test_arguments_of_other_names_are_found(tmp_path):
    text = (
        'import numpy as np\nfrom sklearn.manifold import TSNE\nimport sklearn.preprocessing as p\n'
        'TSNE(2, n_iter=5); TSNE(max_iter=5); p.OneHotEncoder(sparse=False); np.hist(normed=1)\n'
        'np.fromstring(b, np.uint8); np.fromstring(b, sep=" "); np.histogram(b, normed=True)\n'
    )
    found = ported(tmp_path, text)
    assert [(one.line, one.name) for one in found.findings] == [
        (4, 'TSNE(n_iter=)'), (4, 'p.OneHotEncoder(sparse=)'),
        (5, 'np.fromstring'), (5, 'np.histogram(normed=)'),
    ]  # fmt: skip
    assert found.line.endswith('install(removed=True)') and text_of(found).endswith(text)


def test_python_2_becomes_python_3(tmp_path):
    found = ported(tmp_path, 'import tensorflow as tf\nprint tf.VERSION, 3\n')
    assert found.findings[0].remark == 'Python 2; it becomes Python 3'
    assert text_of(found).splitlines()[1:] == ['import tensorflow as tf', 'print(tf.VERSION, 3)']


def test_quotients_of_python_2_are_listed(tmp_path):
    text = 'print 7 / 2, 7 / 2., float(n) * 3 / n\nx /= 2; y /= 2.; z = 7 // 2\n'
    found = ported(tmp_path, text)
    assert [(one.line, one.name, one.kind) for one in found.findings[1:]] == [
        (1, '/', porting.Kind.IMPOSSIBLE),
        (2, '/=', porting.Kind.IMPOSSIBLE),
    ]
    assert [one.remark.rpartition(' ')[2] for one in found.findings[1:]] == ['//', '//=']
    future = 'from __future__ import absolute_import, division\n'
    assert len(ported(tmp_path, future + text).findings) == 1
    assert len(ported(tmp_path, 'print(7 / 2)\n').findings) == 0
    (tmp_path / 'p.py').write_text(text)
    done = tfae_program.run('port', 'p.py', '--write', cwd=tmp_path)
    remark = 'of two integers it was an integer in Python 2: write //'
    assert done.code == 3 and f'p.py:1: /: {remark}\n' in done.out
    assert done.out.endswith('p.py: 2 names cannot be ported\n')


@pytest.mark.parametrize(
    ('encoding', 'head', 'newline'),
    [('gbk', '# -*- coding: gbk -*-', '\n'), ('utf-8-sig', '# 首', '\r\n'), ('utf-8', '#', '\n')],
)
def test_encodings_and_ends_of_lines_stay(tmp_path, encoding, head, newline):
    lines = [head, 'import tensorflow as tf', '\f', 's = "編碼\u2028"; tf.mul(1, 2)', '']
    if encoding == 'gbk':
        lines[3] = lines[3].replace('\u2028', '')
    (tmp_path / 'p.py').write_bytes(newline.join(lines).encode(encoding))
    done = tfae_program.run('port', 'p.py', '--write', cwd=tmp_path)
    assert done.code == 0, done.err
    lines[3] = lines[3].replace('mul', 'multiply')
    lines.insert(1, LINE.replace(', removed=True', ''))
    assert (tmp_path / 'p.py').read_bytes() == newline.join(lines).encode(encoding)


@pytest.mark.parametrize(
    ('before', 'after'),
    [
        ('"""D"""; from __future__ import division; import tensorflow as tf  # é', 1),
        ('"""é"""; import tensorflow as tf', 1),
        ('from __future__ import division  # exact\nimport tensorflow', 1),
        ('\n# coding: latin-1\nimport tensorflow; "é"', 2),
        ('# one\n # coding=latin-1\nimport tensorflow; "é"', 2),
        ('import tensorflow\n# coding: none', 0),
    ],
)
def test_the_line_is_before_all_imports_and_after_what_must_come_first(tmp_path, before, after):
    path = tmp_path / 'p.py'
    path.write_bytes(before.encode('latin-1' if 'latin' in before else 'utf-8'))
    text = porting.port(path).content.decode('latin-1' if 'latin' in before else 'utf-8')
    line = LINE.replace(', removed=True', '')
    assert text.split('\n')[after] == line
    assert ast.unparse(ast.parse(text)) == ast.unparse(
        ast.parse(before.replace('import tensorflow', f'{line}; import tensorflow', 1))
    )


def test_only_what_the_source_spells_out_is_changed(tmp_path):
    before = [
        'import tensorflow as tf',
        'from tensorflow import pack',
        'a = tf . mul(1, 2); b = (tf',
        '     .sub(1, 2)); c = (tf).neg(1); d = tf.sub(1, 2)',
        'tf.select(t=1, e=2, condition=c); tf.select(c, 1, 2); tf.batch_matmul(a, b, True)',
        'tf.scalar_summary(tags="a", values=b); tf.scalar_summary("a", b); tf.batch_matmul(a, b)',
        'from sklearn.externals import joblib',
        'def f(long): return long',
    ]
    found = ported(tmp_path, '\n'.join(before))
    after = text_of(found).split('\n')
    assert after.pop(0) == LINE
    assert {i + 1: text for i, text in enumerate(after) if text != before[i]} == {
        4: '     .sub(1, 2)); c = (tf).neg(1); d = tf.subtract(1, 2)',
        5: 'tf.select(t=1, e=2, condition=c); tf.where(c, 1, 2); tf.batch_matmul(a, b, True)',
        6: 'tf.scalar_summary(tags="a", values=b); tf.summary.scalar("a", b); tf.matmul(a, b)',
    }
    supplied = [(one.line, one.name) for one in found.findings if one.kind is porting.Kind.REMOVED]
    assert supplied == [
        (2, 'tensorflow.pack'), (3, 'tf.mul'), (3, 'tf.sub'), (4, 'tf.neg'), (5, 'tf.select'),
        (5, 'tf.batch_matmul'), (6, 'tf.scalar_summary'), (7, 'sklearn.externals.joblib'),
    ]  # fmt: skip
    assert found.findings[-1].remark == 'a removed module; replaced by joblib'


def test_methods_of_the_program_are_its_own(tmp_path):
    text = (
        'class D:\n    def iteritems(self): return 1\nfor k in D().iteritems(): {}.itervalues()\n'
    )
    found = ported(tmp_path, text)
    assert text_of(found) == text.replace('itervalues', 'values')
    assert [(one.line, one.name, one.kind) for one in found.findings] == [
        (3, '.iteritems()', porting.Kind.IMPOSSIBLE),
        (3, '.itervalues()', porting.Kind.CHANGED),
    ]
    assert 'the program has its own .iteritems(): change the others' in found.findings[0].remark


def test_a_written_program_runs_and_needs_nothing_more(tmp_path):
    path = tmp_path / 'p.py'
    path.write_text(
        'import tensorflow as tf, numpy as np\nprint(tf.layers.__name__, np.int(2))\n'
        'if 1 is 2: pass\n'
    )
    path.chmod(0o755)
    listed = tfae_program.run('port', 'p.py', cwd=tmp_path)
    assert (listed.code, listed.err) == (1, '')
    assert listed.out.splitlines() == [
        'p.py:2: tf.layers.__name__: supplied by tfae.compat',
        'p.py:2: np.int: removed from numpy; replaced by int',
        f'p.py: to add: {LINE}',
    ]
    written = tfae_program.run('port', '--write', 'p.py', cwd=tmp_path)
    assert written.code == 0 and f'p.py: added: {LINE}' in written.out
    assert stat.S_IMODE(path.stat().st_mode) == 0o755
    again = tfae_program.run('port', 'p.py', cwd=tmp_path)
    assert again.code == 0 and again.out.endswith('p.py: nothing to change\n')
    done = subprocess.run(
        [sys.executable, 'p.py'],
        cwd=tmp_path,
        env=tfae_program.environment(tmp_path, PYTHONPATH=str(tfae_program.ROOT)),
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (0, 'tensorflow.layers 2\n'), done.stderr


def test_the_exit_code_is_that_of_the_worst_program(tmp_path):
    (tmp_path / 'good.py').write_text('x = 1\n')
    (tmp_path / 'old.py').write_text('import tensorflow as tf\n')
    (tmp_path / 'gone.py').write_text('import tensorflow as tf\ntf.no_such\n')
    run = tfae_program.run
    assert run('port', 'good.py', cwd=tmp_path).code == 0
    assert run('port', 'good.py', 'old.py', cwd=tmp_path).code == 1
    done = run('port', 'gone.py', 'old.py', '--write', cwd=tmp_path)
    assert done.code == 3 and 'gone.py: 1 names cannot be ported\n' in done.out
    assert (tmp_path / 'gone.py').read_text().startswith('import tfae.compat')
    assert run('port', 'none.py', cwd=tmp_path).refusal(2) == 'none.py: no such file'
    (tmp_path / 'bad.py').write_text('= 2\n')
    assert run('port', 'bad.py', cwd=tmp_path).refusal(2).startswith('bad.py: line 1: ')


def test_a_notebook_gets_a_cell(tmp_path):
    cell = {'cell_type': 'code', 'source': ['import tensorflow as tf\n', 'tf.layers.dense']}
    text = {'cell_type': 'markdown', 'source': ['\ud800 é']}
    (tmp_path / 'n.ipynb').write_text(json.dumps({'cells': [cell, text], 'nbformat': 4}))
    done = tfae_program.run('port', 'n.ipynb', '--write', cwd=tmp_path)
    assert done.code == 0, done.err
    notebook = json.loads((tmp_path / 'n.ipynb').read_text())
    assert notebook['cells'][0]['source'] == [LINE.replace(', removed=True', '')]
    assert notebook['cells'][1:] == [cell, text] and notebook['nbformat'] == 4
    for name in ('v3', 'v4', 'v5'):
        old = nbformat.versions[min(int(name[1]), 4)]
        code = old.new_code_cell(cell['source'][0])
        book = old.new_notebook()
        if name == 'v3':
            book.worksheets = [old.new_worksheet(cells=[code])]
        else:
            book.cells = [code]
        if name == 'v4':
            book.nbformat_minor = 4
            del code['id']
        path = tmp_path / f'{name}.ipynb'
        path.write_text(json.dumps(book))
        assert tfae_program.run('port', path.name, '--write', cwd=tmp_path).code == 0
        book = json.loads(path.read_text())
        nbformat.validate(book)
        (first, _) = (book.get('worksheets') or [book])[0]['cells']
        assert 'tfae.compat.install' in ''.join(first.get('source') or first['input'])
    cell['source'] = ['import tensorflow as tf\n', 'print 3']
    (tmp_path / 'n.ipynb').write_text(json.dumps({'cells': [cell]}))
    refusal = tfae_program.run('port', 'n.ipynb', '--write', cwd=tmp_path)
    assert refusal.code == 2 and 'n.ipynb:1: syntax: Python 2; it becomes' in refusal.out
    cell['source'] = ['import tensorflow as tf\n', 'tf.mul(1, 2)']
    (tmp_path / 'n.ipynb').write_text(json.dumps({'cells': [cell]}))
    refusal = tfae_program.run('port', 'n.ipynb', '--write', cwd=tmp_path)
    assert refusal.code == 2 and 'does not change the code of a notebook' in refusal.err
