"""An autoencoder of two functions: as the family dense where they are its layers, and in a run."""

import dataclasses
import json

import numpy as np
import own_functions
import pytest
import tensorflow.compat.v1 as tf
import tfae_program

import tfae
from tfae import layers, models, testing
from tfae.core import errors
from tfae.models import Batch, custom_functions, dense

SHAPE = (4, 3, 1)
IMAGES = np.random.RandomState(0).uniform(size=[120, 8, 8, 1]).astype(np.float32)


def dense_encoder(images):
    x = layers.dense(layers.flatten(images), 6, tf.nn.relu, name='layer_1')
    return layers.dense(x, 2, name='layer_2')


def dense_decoder(code):
    x = layers.dense(code, 6, tf.nn.relu, name='layer_2')
    return tf.reshape(layers.dense(x, 12, name='layer_1'), [-1, *SHAPE])


def results(model):
    """Loss, terms and outputs of a model whose variables have values that their names decide."""
    images = np.random.RandomState(0).uniform(size=[5, *SHAPE]).astype(np.float32)
    with tf.Graph().as_default():
        batch = Batch(tf.constant(images), None, tf.constant([1, 2], tf.int64))
        objective = model.objectives[0](batch)
        fetched = objective.loss, objective.terms, model(batch.images)._asdict()
        with tf.Session() as session:
            for variable in sorted(tf.global_variables(), key=lambda v: v.op.name):
                random = np.random.RandomState(len(variable.op.name) + variable.op.name.count('e'))
                variable.load(random.normal(size=variable.shape.as_list()), session)
            names = sorted(v.op.name for v in objective.variables)
            return names, session.run(fetched)


@pytest.mark.parametrize(
    'options',
    [
        {},
        {'corruption': ('masking:0.5',), 'emphasis': (2.0, 1.0)},
        {'likelihood': 'bernoulli', 'regularizer': ('l1:0.1', 'orthogonality:0.2')},
        {'output_activation': 'linear', 'k_sparse': 1, 'weight_decay': 0.3},
        {
            'code_activation': 'sigmoid',
            'regularizer': ('kl_sparsity:0.1:0.3:0.9', 'contractive:0.1'),
        },
    ],
    ids=lambda options: ', '.join(options) or 'defaults',
)
def test_the_layers_of_dense_as_functions_have_the_loss_of_dense(options):
    given = dense.Model(dense.Config(units=(6, 2), **options), SHAPE)
    config = models.custom(encoder=dense_encoder, decoder=dense_decoder, **options)
    names, (loss, terms, outputs) = results(custom_functions.Model(config, SHAPE))
    wanted_names, (wanted, wanted_terms, wanted_outputs) = results(given)
    assert names == wanted_names
    np.testing.assert_allclose(loss, wanted, rtol=1e-5)
    assert terms.keys() == wanted_terms.keys()
    for found, other in ((terms, wanted_terms), (outputs, wanted_outputs)):
        for key, value in other.items():
            np.testing.assert_allclose(found[key], value, rtol=1e-4, atol=1e-6, err_msg=key)


def test_a_function_with_an_argument_training_is_told():
    config = models.custom(
        encoder=own_functions.normalized_encoder,
        decoder=own_functions.decoder,
        corruption=('masking:0.5',),
    )
    testing.check_family('custom', config, shapes=[(8, 8, 1)])


def test_the_decoder_restores_as_at_inference_unless_told_otherwise():
    config = models.custom(encoder=own_functions.encoder, decoder=own_functions.normalized_decoder)
    with tf.Graph().as_default():
        model = custom_functions.Model(config, (8, 8, 1))
        model.decoder(tf.ones([3, 5]))
        assert not tf.get_collection(tf.GraphKeys.UPDATE_OPS)
        model.decoder(tf.ones([3, 5]), True)
        assert len(tf.get_collection(tf.GraphKeys.UPDATE_OPS)) == 2


@pytest.mark.parametrize(
    'encoder, decoder, text',
    [
        ('', 'decoder', '--encoder is empty; --model=custom requires it, as package.'),
        ('encoder', '', '--decoder is empty; '),
        ('missing', 'decoder', "--encoder is 'own_functions:missing'; module own_functions has no"),
        (
            'encoder',
            'stray_decoder',
            '--decoder=own_functions:stray_decoder maps codes (None, 5) to (None, 10); it must map '
            'them to images (None, 8, 8, 1)',
        ),
        (
            'forgetful_encoder',
            'decoder',
            '--encoder=own_functions:forgetful_encoder creates new variables when it is called ',
        ),
        ('failing_encoder', 'decoder', '--encoder=own_functions:failing_encoder raises KeyError: '),
        (
            'none',
            'decoder',
            '--encoder=own_functions:none returns NoneType; it must return a tensor',
        ),
        (
            'array',
            'decoder',
            '--encoder=own_functions:array returns ndarray; it must return a tens',
        ),
        (
            'encoder',
            'array',
            '--decoder=own_functions:array returns ndarray; it must return a tens',
        ),
        ('mean_encoder', 'decoder', '--encoder=own_functions:mean_encoder maps images (None, 8, 8'),
        (
            'placeholder_encoder',
            'decoder',
            '--encoder=own_functions:placeholder_encoder returns codes [B, Z] that do not depend',
        ),
        (
            'feeding_encoder',
            'decoder',
            '--encoder=own_functions:feeding_encoder reads placeholder encoder/noise; it must dep',
        ),
        (
            'rows',
            'columns',
            '--encoder=own_functions:rows and --decoder=own_functions:columns create no variables',
        ),
        (
            'integer_encoder',
            'decoder',
            '--encoder=own_functions:integer_encoder returns int32; it ',
        ),
    ],
)
def test_a_function_that_is_none_or_gives_no_codes_or_images_is_refused(encoder, decoder, text):
    names = {'encoder': encoder, 'decoder': decoder}
    spelled = {key: name and f'own_functions:{name}' for key, name in names.items()}
    with pytest.raises(errors.UsageError) as caught:
        models.build('custom', custom_functions.Config(**spelled), (8, 8, 1), 0)
    assert str(caught.value).startswith(text)


def test_orthogonality_without_kernels_is_refused():
    def encoder(images):
        return tf.get_variable('scale', [64]) * layers.flatten(images)

    def decoder(code):
        return tf.reshape(code, [-1, 8, 8, 1])

    config = models.custom(encoder=encoder, decoder=decoder, regularizer=('orthogonality:1',))
    model = models.build('custom', config, (8, 8, 1), 0)
    with pytest.raises(
        errors.UsageError, match='--regularizer=orthogonality requires variables named k'
    ):
        model.objectives[0](Batch(tf.constant(IMAGES), None, None))


def test_what_is_no_function_is_refused():
    with pytest.raises(errors.UsageError, match='decoder is of type str; it must be a function'):
        models.custom(encoder=dense_encoder, decoder='decoder')


def test_options_are_read_as_fit_reads_them():
    config = models.custom(
        encoder=dense_encoder,
        decoder=dense_decoder,
        corruption='masking:0.3',
        regularizer='l1:0.1,orthogonality:0.2',
        emphasis=[2, 1],
    )
    wanted = dense.Config(
        corruption=('masking:0.3',),
        regularizer=('l1:0.1', 'orthogonality:0.2'),
        emphasis=(2.0, 1.0),
    )
    assert config.corruption == wanted.corruption
    assert config.regularizer == wanted.regularizer
    assert config.emphasis == wanted.emphasis


@pytest.mark.parametrize(
    'options, text',
    [
        (
            {'coruption': 'x'},
            'coruption is not an argument of models.custom; did you mean corruption?',
        ),
        ({'epochs': 3}, 'epochs is not an argument of models.custom'),
        ({'k_sparse': 'x'}, "k_sparse is 'x'; it must be an integer"),
        ({'likelihood': 'no'}, "likelihood is 'no'; it must be one of "),
    ],
)
def test_a_wrong_option_is_refused(options, text):
    with pytest.raises(errors.UsageError) as caught:
        models.custom(encoder=dense_encoder, decoder=dense_decoder, **options)
    assert str(caught.value).startswith(text)


def test_a_function_in_place_of_its_name_points_to_custom(tmp_path):
    with pytest.raises(errors.UsageError) as caught:
        tfae.fit('custom', IMAGES, logdir=tmp_path / 'run', encoder=dense_encoder)
    assert str(caught.value) == (
        'encoder is of type function; it must be a string, for a function its name '
        'package.module:function; models.custom(encoder=..., decoder=...) takes functions'
    )


def test_a_run_of_functions_that_cannot_be_imported_opens_with_them(tmp_path):
    def decoder(code):
        return own_functions.decoder(code)

    config = models.custom(encoder=own_functions.encoder, decoder=decoder)
    assert dataclasses.asdict(config)['encoder'] == 'own_functions:encoder'
    with tfae.fit(config, IMAGES, logdir=tmp_path / 'run', epochs=2) as run:
        codes, images = run.encode(IMAGES), run.reconstruct(IMAGES)
    assert (codes.shape, images.shape) == ((120, 5), IMAGES.shape)
    known = json.loads((tmp_path / 'run' / 'config.json').read_text())
    assert known['model'] == 'custom'
    assert known['family']['decoder'].endswith('<locals>.decoder')

    with pytest.raises(errors.InputError) as caught:
        tfae.open(tmp_path / 'run')
    text = str(caught.value)
    assert text.startswith(f'{tmp_path}/run/config.json: decoder is ')
    assert text.endswith(
        'call tfae.open(logdir, model=models.custom(encoder=..., decoder=...)) in Python'
    )
    done = tfae_program.run('variables', '--logdir=run', cwd=tmp_path)
    assert 'a function that cannot be imported' in done.refusal(1)

    with tfae.open(tmp_path / 'run', model=config) as run:
        np.testing.assert_array_equal(run.encode(IMAGES), codes)
    other = dataclasses.replace(config, code_activation='tanh')
    with pytest.raises(errors.UsageError, match='code_activation was linear, is tanh'):
        tfae.open(tmp_path / 'run', model=other)
    with pytest.raises(errors.UsageError, match='model is of type int; it must be the name of a f'):
        tfae.open(tmp_path / 'run', model=3)
    # The same call goes on with the run, and finds it finished.
    with tfae.fit(config, IMAGES, logdir=tmp_path / 'run', epochs=2) as run:
        np.testing.assert_array_equal(run.encode(IMAGES), codes)


def recurrent_encoder(images):
    """Rows one after the other: the first kernel has rows of an image and of the state."""
    state = tf.zeros([tf.shape(images)[0], 4])
    for row in tf.unstack(images[..., 0], axis=1):
        state = layers.dense(tf.concat([row, state], 1), 4, tf.nn.tanh, name='cell')
    return state


def constant_encoder(images):
    """Means of rows, of no variable."""
    return tf.reduce_mean(images, [2, 3])


@pytest.mark.parametrize('encoder, size', [(recurrent_encoder, 4), (constant_encoder, 8)])
def test_an_encoder_whose_kernels_are_no_images_is_trained(tmp_path, encoder, size):
    config = models.custom(encoder=encoder, decoder=own_functions.decoder)
    with tfae.fit(config, IMAGES, logdir=tmp_path / 'run', epochs=1) as run:
        assert run.encode(IMAGES).shape == (120, size)
        assert run.reconstruct(IMAGES).shape == IMAGES.shape


def test_the_config_of_any_family_may_be_fitted(tmp_path):
    with tfae.fit(dense.Config(units=(3,)), IMAGES, logdir=tmp_path / 'run', epochs=1) as run:
        assert run.encode(IMAGES).shape == (120, 3)
        assert run.experiment.model == 'dense'
