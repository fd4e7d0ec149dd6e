"""Runs on sequences and volumes: trained, resumed and opened from Python."""

import numpy as np
import pytest
import tfae_program

import tfae
from tfae.export import signatures

RANDOM = np.random.RandomState(0)
LABELS = np.arange(80) % 2
SEQUENCES = (3 * RANDOM.standard_normal((80, 12, 2)) + 5).astype(np.float32)
VOLUMES = RANDOM.standard_normal((80, 4, 6, 4, 1)).astype(np.float32)
GIVEN = {'sequences': SEQUENCES, 'volumes': VOLUMES}
SMALL = {'filters': 3, 'units': 4, 'batch_size': 20, 'normalize': 'standard'}
kinds = pytest.mark.parametrize('kind', GIVEN)


@kinds
def test_dense_layers_learn_from_examples_what_they_learn_from_their_flattened_rows(tmp_path, kind):
    words = {'units': 4, 'epochs': 2, 'batch_size': 20, 'corruption': 'masking:0.2'}
    values = GIVEN[kind]
    with (
        tfae.fit('dense', logdir=tmp_path / 'shaped', **{kind: values}, **words) as shaped,
        tfae.fit('dense', values.reshape(80, -1), logdir=tmp_path / 'rows', **words) as rows,
    ):
        np.testing.assert_array_equal(shaped.encode(values), rows.encode(values.reshape(80, -1)))
        made = shaped.reconstruct(values)
        assert made.shape == values.shape
        np.testing.assert_array_equal(
            made.reshape(80, -1), rows.reconstruct(values.reshape(80, -1))
        )
    assert tfae_program.metrics(tmp_path / 'shaped') == tfae_program.metrics(tmp_path / 'rows')


@kinds
def test_a_resumed_run_equals_one_that_was_not_stopped(tmp_path, kind):
    words = {kind: GIVEN[kind], **SMALL, 'pooling': 'max', 'batch_normalization': True}
    tfae.fit('convolutional', logdir=tmp_path / 'stopped', epochs=1, **words).close()
    with (
        tfae.fit('convolutional', logdir=tmp_path / 'stopped', epochs=2, **words) as resumed,
        tfae.fit('convolutional', logdir=tmp_path / 'whole', epochs=2, **words) as whole,
    ):
        assert resumed.step == whole.step
        wanted = whole.variables()
        for name, value in resumed.variables().items():
            np.testing.assert_array_equal(value, wanted[name], err_msg=name)


@kinds
def test_values_are_those_of_the_data_set_and_errors_are_normalized(tmp_path, kind):
    values = GIVEN[kind]
    with tfae.fit('convolutional', logdir=tmp_path, epochs=1, **{kind: values}, **SMALL) as run:
        offset, scale = (run.session.run(v) for v in run.built.normalization)
        assert offset.shape == scale.shape == values.shape[-1:]
        np.testing.assert_allclose(run.normalized(values), (values - offset) / scale, rtol=1e-5)
        made = run.reconstruct(values)
        np.testing.assert_allclose(made, run.decode(run.encode(values)), rtol=1e-4, atol=1e-5)
        with pytest.raises(tfae.InputError, match='images are .*; they must be'):
            run.encode(values[:, 1:])
        with pytest.raises(tfae.InputError, match='values are not finite'):
            run.encode(np.where(values == values.max(), np.nan, values))


@pytest.mark.parametrize(
    'model, more',
    [
        ('convolutional', {'pretraining': 'greedy', 'regularizer': 'l1:0.1'}),
        ('convolutional', {'accumulation_steps': 2}),
        ('convolutional', {'tied': True, 'upsampling': 'deconvolution', 'strides': 2}),
        ('variational', {'likelihood': 'gaussian', 'learn_variance': True}),
        pytest.param('gan', {'spectral_normalization': True}, marks=pytest.mark.slow),
        ('classifier', {}),
    ],
)
@kinds
def test_families_train(tmp_path, kind, model, more):
    words = {**SMALL, kind: GIVEN[kind], 'labels': LABELS, 'epochs': 1, **more}
    with tfae.fit(model, logdir=tmp_path, **words) as run:
        if model == 'gan':
            assert run.decode(run.sample(3)).shape == (3, *GIVEN[kind].shape[1:])
        else:
            assert np.isfinite(run.encode(GIVEN[kind])).all()


def test_a_file_of_the_same_arrays_has_the_examples_of_the_run(tmp_path):
    np.savez(tmp_path / 'set.npz', sequences=SEQUENCES, labels=LABELS)
    words = {**SMALL, 'sequences': SEQUENCES, 'labels': LABELS, 'epochs': 1}
    tfae.fit('convolutional', logdir=tmp_path / 'run', **words).close()
    done = tfae_program.run('evaluate', '--logdir=run', '--data_dir=set.npz', cwd=tmp_path)
    assert (done.code, done.err) == (0, '')
    assert 'pca_mse' in done.out


@kinds
def test_examples_without_channels_are_taken_by_fit_and_by_its_run(tmp_path, kind):
    values = GIVEN[kind][..., 0]
    with tfae.fit('dense', logdir=tmp_path, units=4, epochs=1, **{kind: values}) as run:
        np.testing.assert_array_equal(run.encode(values), run.encode(values[..., None]))
        assert run.reconstruct(values).shape == (*values.shape, 1)
        with pytest.raises(tfae.InputError, match='images are .*; they must be'):
            run.encode(values[:, 1:])


@pytest.mark.parametrize('kind', ['images', *GIVEN])
def test_bytes_are_bytes_whatever_their_type(tmp_path, kind):
    values = RANDOM.randint(0, 256, [60, 8] if kind == 'images' else GIVEN[kind].shape)
    values = values.astype(np.uint8)
    with tfae.fit('dense', logdir=tmp_path, units=4, epochs=1, **{kind: values}) as run:
        wanted = run.encode(values)
        for given in (values.astype(np.int16), values.astype(int), values.tolist()):
            np.testing.assert_array_equal(run.encode(given), wanted)
        with pytest.raises(tfae.InputError) as caught:
            run.encode(values.astype(int) - 3)
        low, high = int(values.min()) - 3, int(values.max()) - 3
        assert str(caught.value) == (
            f'images are int64 from {low} to {high}; the run was trained on bytes, so integers '
            'must lie in [0, 255]'
        )
        about = signatures.description(signatures.of_run(run), 'saved_model')
    assert about['preprocessing'] == 'divide bytes by 255; the graph normalizes the result'


def test_integers_of_a_run_on_floats_are_its_values(tmp_path):
    values = RANDOM.randint(0, 256, [60, 6, 2])
    with tfae.fit('dense', logdir=tmp_path, units=4, epochs=1, sequences=values) as run:
        np.testing.assert_array_equal(run.encode(values), run.encode(values.astype(np.float32)))
        assert 'preprocessing' not in signatures.of_run(run).about


def test_an_encoder_whose_normalization_does_not_fit_is_refused(tmp_path):
    words = {'units': 4, 'epochs': 1, 'normalize': 'standard'}
    tfae.fit('dense', sequences=SEQUENCES, logdir=tmp_path / 'old', **words).close()
    words['restore_from'] = str(tmp_path / 'old')
    for given, shape in (
        ({'images': SEQUENCES.reshape(80, 24)}, 'rows of 24'),
        ({'sequences': SEQUENCES.reshape(80, 24, 1)}, 'sequences of 24 x 1'),
    ):
        with pytest.raises(tfae.UsageError) as caught:
            tfae.fit('dense', logdir=tmp_path / 'new', **given, **words)
        assert str(caught.value) == (
            f'restore_from {tmp_path}/old is a run on sequences of 12 x 2, the examples are '
            f'{shape}; with normalize=standard both must have the same number of columns or '
            'channels'
        )
        assert not (tmp_path / 'new').exists()


def test_two_kinds_of_examples_are_refused(tmp_path):
    with pytest.raises(tfae.UsageError, match='images and sequences are given; one of them must'):
        tfae.fit('dense', SEQUENCES, sequences=SEQUENCES, logdir=tmp_path / 'run')
    assert not (tmp_path / 'run').exists()


def test_cross_entropy_of_unbounded_values_is_refused(tmp_path):
    text = 'likelihood is bernoulli, for values in .*, and the data set holds values from'
    with pytest.raises(tfae.UsageError, match=text):
        tfae.fit('dense', sequences=SEQUENCES, likelihood='bernoulli', logdir=tmp_path / 'run')


def test_augmentation_of_sequences_is_refused(tmp_path):
    text = 'augment is flip, which changes images; the examples are sequences of shape'
    with pytest.raises(tfae.UsageError, match=text):
        tfae.fit('dense', sequences=SEQUENCES, augment='flip', logdir=tmp_path / 'run')
