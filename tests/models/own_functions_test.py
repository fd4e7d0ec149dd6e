"""Functions of the user's own by `package.module:function`, trained through the program.

One that computes what a built-in one computes gives the very bytes of that one; the built-in one is
tested by itself.
"""

import json
import random
import signal
import time

import pytest
import tensorflow.compat.v1 as tf
import tfae_program

from tfae.core import errors
from tfae.ops.activations import Activation

OWN = """
import tensorflow.compat.v1 as tf

number = 3

def rectified(x):
    return tf.nn.relu(x)

def masked(images, seed):
    kept = tf.random.stateless_uniform(tf.shape(images), seed) >= 0.3
    return images * tf.cast(kept, images.dtype)

def absolute(code):
    return tf.reduce_sum(tf.abs(code), 1)

def mean_square(code):
    return tf.reduce_mean(tf.square(code))

def squares(targets, outputs):
    squared = tf.math.squared_difference(targets, outputs)
    return tf.reduce_sum(squared, list(range(1, targets.shape.rank)))

def cross_entropy(targets, outputs):
    nats = -targets * tf.math.log(outputs + 1e-6) - (1 - targets) * tf.math.log1p(1e-6 - outputs)
    return tf.reduce_sum(nats, [1, 2, 3])

def half_sine(x):
    return (1 + tf.sin(x)) / 2

def flat(x, *_):
    return tf.reshape(x, [-1])

def square(x, *_):
    return tf.tile(tf.reshape(x, [tf.shape(x)[0], -1]), [1, 2])

def doubles(x, *_):
    return tf.cast(x, tf.float64)

def leaving(x):
    raise SystemExit(5)

def raising(x, *_):
    raise KeyError('a key')

def nothing(x, *_):
    pass

relu = tf.nn.relu
l1 = absolute
gaussian = masked
bernoulli = squares
weight_decay = absolute
"""
DENSE = ('train', '--model=dense', '--units=8,4', '--epochs=1', '--batch_size=128')
GREEDY = ('--pretraining=greedy', '--pretraining_epochs=1')


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp('own')
    (made / 'own.py').write_text(OWN)
    return made


def trained(folder, name, *words):
    """The checkpoint of a run of these words."""
    done = tfae_program.run(*words, f'--logdir={name}', cwd=folder)
    assert (done.code, done.err) == (0, ''), done
    return tfae_program.checkpoint(folder / name)


@pytest.mark.parametrize(
    'own, built_in, without, phases',
    [
        ('--activation=own:rectified', '--activation=relu', '--activation=linear', GREEDY),
        ('--code_activation=own:rectified', '--code_activation=relu', '', ()),
        pytest.param(
            *('--corruption=own:masked', '--corruption=masking:0.3', '', GREEDY),
            marks=pytest.mark.slow,
        ),
        pytest.param(
            *('--regularizer=own:absolute:0.01', '--regularizer=l1:0.01', '', GREEDY),
            marks=pytest.mark.slow,
        ),
        ('--regularizer=own:absolute', '--regularizer=l1:1', '', ()),
        ('--likelihood=own:squares', '--likelihood=squared_error', '--likelihood=bernoulli', ()),
    ],
)
def test_a_function_that_equals_a_built_in_one_trains_to_its_bytes(
    folder, own, built_in, without, phases
):
    name = own.replace(':', '_').removeprefix('--')
    ours = trained(folder, f'{name}_own', *DENSE, own, *phases)
    theirs = trained(folder, f'{name}_built_in', *DENSE, built_in, *phases)
    other = trained(folder, f'{name}_without', *DENSE, *([without] if without else []), *phases)
    assert tfae_program.same_bytes(ours, theirs)
    kernels = [key for key in ours if key.endswith('kernel')]
    assert len(kernels) == 4
    assert all((ours[key] != other[key]).any() for key in kernels)
    spelling = own.partition('=')[2]
    assert spelling in json.dumps(json.loads((folder / f'{name}_own/config.json').read_text()))


def test_a_scalar_regularizer_is_a_term_of_the_loss_and_makes_codes_smaller(folder):
    words = (*DENSE, '--epochs=3', '--optimizer=sgd', '--learning_rate=0.05')
    trained(folder, 'regularized', *words, '--regularizer=own:mean_square:10')
    records = tfae_program.metrics(folder / 'regularized')
    for record in records:
        parts = record['reconstruction'] + record['mean_square']
        assert record['loss'] == pytest.approx(parts, rel=1e-5)
    assert records[-1]['validation_mean_square'] < 0.5 * records[0]['mean_square']


def test_an_activation_of_the_output_is_seen_by_the_loss_and_in_reconstructions(folder):
    trained(folder, 'output', *DENSE, '--output_activation=own:half_sine')
    done = tfae_program.run('evaluate', '--logdir=output', cwd=folder)
    assert (done.code, done.err) == (0, ''), done
    measured = json.loads((folder / 'output/evaluation.json').read_text())
    (record,) = tfae_program.metrics(folder / 'output')
    # A half of one plus a sine lies in [0, 1]: nothing is clipped, and both are means of pixels.
    assert measured['mse'] == pytest.approx(record['validation_loss'], rel=0.2)


def test_a_variational_autoencoder_takes_a_negative_log_likelihood(folder):
    words = ('train', '--model=variational', '--units=16', '--code_size=3', '--epochs=1')
    trained(folder, 'own_vae', *words, '--likelihood=own:cross_entropy')
    trained(folder, 'vae', *words, '--likelihood=bernoulli')
    own, built_in = (tfae_program.metrics(folder / name)[0] for name in ('own_vae', 'vae'))
    assert own['reconstruction_nats'] == pytest.approx(built_in['reconstruction_nats'], rel=1e-3)
    assert own['elbo'] == pytest.approx(built_in['elbo'], rel=1e-3)


def test_convolutions_take_an_activation(folder):
    words = (
        'train',
        '--model=convolutional',
        '--filters=3,4',
        '--upsampling=nearest',
        '--epochs=1',
    )
    ours = trained(folder, 'own_convolutions', *words, '--activation=own:rectified')
    theirs = trained(folder, 'convolutions', *words, '--activation=relu')
    assert tfae_program.same_bytes(ours, theirs)


def test_a_killed_run_with_functions_of_its_own_ends_byte_identical(folder):
    argv = (
        *DENSE,
        '--epochs=3',
        '--batch_size=64',
        '--checkpoint_steps=5',
        '--activation=own:rectified',
        '--corruption=own:masked',
        '--regularizer=own:mean_square:0.1',
    )
    whole = trained(folder, 'whole', *argv)
    program = tfae_program.start(*argv, '--logdir=killed', cwd=folder)
    if tfae_program.wait_for((folder / 'killed/metrics.jsonl').exists, program):
        time.sleep(random.Random(time.time_ns()).uniform(0, 0.1))
    assert program.kill().code in (0, -signal.SIGKILL)
    done = tfae_program.run('train', '--logdir=killed', cwd=folder)  # the run's own flags
    assert (done.code, done.err) == (0, ''), done
    assert tfae_program.same_bytes(tfae_program.checkpoint(folder / 'killed'), whole)


def test_every_command_finds_a_function_again_and_says_when_it_is_gone(tmp_path):
    (tmp_path / 'mine.py').write_text(
        'import tensorflow as tf\n\ndef sine(x):\n    return tf.sin(x)\n'
    )
    trained(tmp_path, 'run', *DENSE, '--activation=mine:sine')
    for words in (('evaluate',), ('reconstruct',), ('embed',), ('report',)):
        argv = words if words != ('report',) else (*words, '--format=html')
        done = tfae_program.run(*argv[:1], '--logdir=run', cwd=tmp_path)
        assert (done.code, done.err) == (0, ''), done
    (tmp_path / 'mine.py').write_text('def cosine(x):\n    return x\n')
    want = "--activation is 'mine:sine'; module mine has no sine; did you mean cosine?"
    assert want in tfae_program.run('evaluate', '--logdir=run', cwd=tmp_path).refusal(1)
    (tmp_path / 'mine.py').unlink()
    for words in (('evaluate', '--logdir=run'), ('train', '--logdir=run')):
        text = tfae_program.run(*words, cwd=tmp_path).refusal(1)
        assert text.startswith('run/config.json: ')
        assert "--activation is 'mine:sine'; there is no module mine; it must be installed" in text


@pytest.mark.parametrize(
    'flag, want',
    [
        ('--activation=gone:f', "--activation is 'gone:f'; there is no module gone"),
        ('--activation=own:missing', 'module own has no missing'),
        ('--activation=own:number', 'number is of type int, it must be a function'),
        ('--activation=rectified', 'it must be one of linear, relu, '),
        ('--activation=own:relu', 'relu is a built-in name, choose another'),
        ('--activation=own:flat', 'it returned float32 (None,), it must return float32 (None, 8)'),
        ('--code_activation=own:doubles', 'it returned float64 (None, 4), it must return float32'),
        ('--activation=own:raising', "--activation is 'own:raising'; it raised KeyError: 'a key'"),
        ('--activation=own:leaving', "--activation is 'own:leaving'; it raised SystemExit: 5"),
        ('--activation=own:nothing', "--activation is 'own:nothing'; it raised ValueError: None"),
        ('--output_activation=own:doubles', "--output_activation is 'own:doubles'; it returned"),
        (
            '--output_activation=tanh',
            'it must be one of auto, sigmoid, linear, package.module:function',
        ),
        ('--corruption=own:flat', "--corruption is 'own:flat'; it returned float32 (None,)"),
        ('--corruption=own:doubles', 'it returned float64 (None, 8, 8, 1), it must return float32'),
        ('--corruption=own:gaussian', 'gaussian is a built-in name, choose another'),
        ('--corruption=own:missing', 'module own has no missing'),
        ('--regularizer=own:square', "--regularizer is 'own:square'; it returned float32 ("),
        (
            '--regularizer=own:absolute:x:y',
            "--regularizer is 'own'; it must be one of l1, kl_sparsity",
        ),
        ('--regularizer=own:absolute:-1', 'the weight must lie in [0, inf)'),
        ('--regularizer=own:l1', 'l1 is a built-in name, choose another'),
        ('--regularizer=own:weight_decay', 'weight_decay is a built-in name, choose another'),
        ('--regularizer=own:absolute,own:absolute:2', '--regularizer names a kind twice'),
        ('--likelihood=own:bernoulli', 'bernoulli is a built-in name, choose another'),
        ('--likelihood=own:mean_square', 'it raised TypeError: mean_square() takes 1 positional'),
        ('--likelihood=own:square', "--likelihood is 'own:square'; it returned float32 ("),
    ],
)
def test_what_is_no_such_function_is_refused_in_one_line_and_leaves_no_run(folder, flag, want):
    text = tfae_program.run(*DENSE, flag, '--logdir=refused', cwd=folder).refusal(2)
    assert text.startswith(flag.partition('=')[0])
    assert want in text
    assert not (folder / 'refused').exists()


def test_emphasis_needs_a_built_in_loss(folder):
    words = ('--likelihood=own:squares', '--corruption=masking:0.3', '--emphasis=2,1')
    text = tfae_program.run(*DENSE, *words, '--logdir=refused', cwd=folder).refusal(2)
    assert text == '--emphasis requires a built-in loss; --likelihood is own:squares'


def test_a_result_of_unknown_shape_is_checked_where_it_is_computed(tmp_path, monkeypatch):
    (tmp_path / 'unknown_shape.py').write_text(
        'import tensorflow.compat.v1 as tf\n\n'
        'def same(x):\n    return tf.placeholder_with_default(x, None)\n\n'
        'def shorter(x):\n    return tf.placeholder_with_default(x[:, :1], None)\n'
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    x = tf.ones([2, 3])
    same, shorter = (
        Activation.from_text(f'unknown_shape:{name}').function(x) for name in ('same', 'shorter')
    )
    assert same.shape.as_list() == [2, 3]
    with tf.Session() as session:
        assert session.run(same).tolist() == [[1, 1, 1], [1, 1, 1]]
        with pytest.raises(tf.errors.InvalidArgumentError):
            session.run(shorter)


def test_a_name_that_is_nearly_right_is_corrected():
    with pytest.raises(errors.UsageError, match='did you mean sigmoid'):
        Activation.from_text('sigmod')
