"""`tfae sample`: images from a prior or from what is fitted to codes, and their judge."""

import json
import types

import numpy as np
import pytest
import tfae_program
from PIL import Image

from tfae.analysis import frechet
from tfae.commands import sample
from tfae.core import errors
from tfae.data import Config, Form, load
from tfae.report import captions
from tfae.runs import variable_files
from tfae.runs.saved_run import open_run
from tfae.training.experiment import Signature

TRAINED = {
    'gan': ('--model=gan', '--units=8', '--code_size=3'),
    'vae': ('--model=variational', '--units=8', '--code_size=3', '--evaluation_samples=2'),
    'dense': ('--units=8,4',),
    'judge': ('--model=classifier', '--units=16', '--epochs=20'),
    'bars': ('--model=classifier', '--units=4', '--dataset=synthetic'),
}


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """A function: trains the run of that name, and returns the folder that holds the runs."""
    folder = tmp_path_factory.mktemp('sample')

    def get(*runs):
        for name in runs:
            if not (folder / name).exists():
                words = ('train', '--epochs=1', *TRAINED[name], f'--logdir={name}')
                done = tfae_program.run(*words, cwd=folder)
                assert done.code == 0, done
        return folder

    return get


def sampled(folder, run, *words):
    """What `samples.json` and `samples.npz` hold, and what was printed."""
    done = tfae_program.run('sample', f'--logdir={run}', *words, cwd=folder)
    assert (done.code, done.err) == (0, ''), done
    figures = [folder / line for line in done.out.splitlines()[-3:]]
    assert [path.name for path in figures] == ['samples.png', 'samples.npz', 'samples.json']
    assert np.asarray(Image.open(figures[0]).convert('L')).std() > 10
    return json.loads(figures[2].read_text()), np.load(figures[1])['images'], done.out


@pytest.mark.parametrize('run', ['gan', 'vae'])
def test_a_prior_gives_the_images_of_its_codes_as_the_seed_decides(trained, run):
    folder = trained(run)
    found, images, _ = sampled(folder, run, '--count=20', '--seed=4')
    assert found == {'kind': 'prior', 'count': 20, 'seed': 4}
    with open_run(folder / run) as opened:
        want = opened.decode(opened.sample(20, 4))
    assert (images.shape, images.dtype) == ((20, 8, 8, 1), np.uint8)
    assert np.array_equal(images, np.rint(255 * want))
    _, other, _ = sampled(folder, run, '--count=20', '--seed=5', '--output=elsewhere')
    assert not np.array_equal(images, other)
    assert (folder / 'elsewhere' / 'samples.png').exists()


@pytest.mark.parametrize('kind', ['--kind=gaussian', '--kind=mixture'])
def test_an_autoencoder_without_a_prior_samples_what_is_fitted_to_its_codes(trained, kind):
    folder = trained('dense')
    found, images, _ = sampled(folder, 'dense', kind, '--count=2000')
    assert found['kind'] == kind.removeprefix('--kind=')
    with open_run(folder / 'dense') as opened:
        codes = opened.encode(load(Config()).train.images)
        random = np.random.RandomState(0)
        drawn = random.multivariate_normal(codes.mean(0), np.cov(codes.T), 2000)
        want = opened.decode(drawn).mean(0)
    np.testing.assert_allclose(images.mean(0) / 255, want, atol=0.03)


def test_without_a_kind_a_family_without_a_prior_has_a_mixture(trained):
    folder = trained('dense')
    bare, mixture = (sampled(folder, 'dense', '--count=20', *w) for w in ((), ('--kind=mixture',)))
    assert bare[0] == mixture[0] == {'kind': 'mixture', 'count': 20, 'seed': 0}
    assert np.array_equal(bare[1], mixture[1])


def test_a_mixture_has_as_many_components_as_are_asked_for(trained):
    folder = trained('dense')
    made = [
        sampled(folder, 'dense', '--count=50', *words)[1]
        for words in (
            ('--kind=gaussian',),
            ('--kind=mixture', '--components=1'),
            ('--kind=mixture', '--components=2'),
            ('--components=2',),
        )
    ]
    assert np.array_equal(made[0], made[1])
    assert not np.array_equal(made[0], made[2])
    assert np.array_equal(made[2], made[3])


def test_samples_over_epochs_have_the_same_codes(trained):
    folder = trained('gan')
    words = ('--model=gan', '--units=8', '--code_size=3', '--batch_size=100', '--logdir=kept')
    words = ('train', *words, '--epochs=5', '--keep_epochs=1,3,5')
    assert tfae_program.run(*words, cwd=folder).code == 0
    words = ('sample', '--logdir=kept', '--seed=3', '--shown=9')
    done = tfae_program.run(*words, '--over_epochs=1,5,3', cwd=folder)
    assert (done.code, done.err) == (0, ''), done
    png, npz, found = (folder / line for line in done.out.splitlines()[-3:])
    assert np.asarray(Image.open(png).convert('L')).std() > 10
    steps = [record['step'] for record in tfae_program.metrics(folder / 'kept')]
    assert json.loads(found.read_text()) == {
        'kind': 'prior',
        'seed': 3,
        'over_epochs': [1, 5, 3],
        'steps': [steps[0], steps[4], steps[2]],
    }
    images = np.load(npz)['images']
    assert images.shape == (3, 9, 8, 8, 1)
    caption = captions.caption(png, 'kept')
    assert caption.text.startswith('decoded images of the same random codes after')
    assert caption.command == 'tfae sample --logdir=kept --kind=prior --seed=3 --over_epochs=1,5,3'
    with open_run(folder / 'kept') as opened:
        codes = opened.sample(9, 3)
        for epoch, sheet in zip((1, 5, 3), images, strict=True):
            opened.load_epoch(epoch)
            value = opened.variables(scope='generator/layer_1/bias')['generator/layer_1/bias']
            held = tfae_program.checkpoint(folder / 'kept' / 'epochs', steps[epoch - 1])
            assert np.array_equal(value, held['generator/layer_1/bias'])
            assert np.array_equal(sheet, np.rint(255 * opened.decode(codes)))
    assert not np.array_equal(images[0], images[1])
    with open_run(folder / 'kept') as opened:
        for epoch in (0, 'a'):
            with pytest.raises(errors.UsageError, match='^epoch is .*; it must be an integer'):
                opened.load_epoch(epoch)
        place = folder / 'kept' / 'epochs' / f'model-{steps[0]}'
        held = tfae_program.checkpoint(place.parent, steps[0])
        del held['generator/layer_1/bias']
        for path in place.parent.glob(f'{place.name}.*'):
            path.unlink()
        variable_files.write(place, held)
        with pytest.raises(errors.InputError, match='generator/layer_1/bias is missing in'):
            opened.load_epoch(1)


def test_an_epoch_that_was_not_kept_is_refused(trained):
    folder = trained('gan')
    done = tfae_program.run('sample', '--logdir=gan', '--over_epochs=1', cwd=folder)
    assert done.code == 0  # the last epoch is that of the newest checkpoint
    line = tfae_program.run('sample', '--logdir=gan', '--over_epochs=1,2', cwd=folder).refusal(1)
    assert line == (
        '--logdir gan has no checkpoint of epoch 2, step 41; tfae train keeps those of '
        '--keep_epochs while it makes them'
    )
    words = ('sample', '--logdir=gan', '--over_epochs=1', '--count=7')
    line = tfae_program.run(*words, cwd=folder).refusal(2)
    assert line == '--over_epochs and --count exclude each other'


def test_a_classifier_counts_classes_and_measures_the_distance_in_its_code(trained):
    folder = trained('gan', 'judge')
    found, images, out = sampled(folder, 'gan', '--count=1400', '--classifier=judge')
    loaded = load(Config())
    with open_run(folder / 'judge') as judge:
        real = frechet.moments(judge.encode(loaded.test.images))
        count = len(loaded.train.images)  # fewer than samples
        want = frechet.distance(frechet.moments(judge.encode(images[:count])), real)
        chosen = np.random.RandomState(0).permutation(count)
        floor = frechet.moments(judge.encode(loaded.train.images[chosen]))
        outputs = judge.built.inference.outputs
        predicted = judge.fetch(outputs.probabilities, images).argmax(1)
    assert found['frechet_count'] == count < len(images)
    assert found['frechet'] == pytest.approx(want)
    assert found['real_frechet'] == pytest.approx(frechet.distance(floor, real))
    assert found['real_frechet'] < found['frechet']
    counts = np.bincount(predicted, minlength=10)
    assert found['classes'] == {str(k): n for k, n in enumerate(counts)}
    assert sum(found['classes'].values()) == 1400
    assert found['classes_seen'] == np.count_nonzero(counts)
    assert f'frechet          {want:.4f}' in out


@pytest.mark.parametrize(
    'run, words, code, want',
    [
        (
            'dense',
            ('--kind=prior',),
            1,
            'dense, a run of the family dense, has no prior; it must be a run of gan '
            'or variational, or --kind=mixture',
        ),
        (
            'dense',
            ('--over_epochs=1',),
            1,
            'dense, a run of the family dense, has no prior; it must be a run of gan or ',
        ),
        ('gan', ('--components=3',), 2, '--components needs --kind=auto or mixture; it is prior'),
        ('gan', ('--kind=gaussian',), 1, 'gan, a run of the family gan, has no code; it must be'),
        ('judge', (), 1, 'judge, a run of the family classifier, has no decoder; it must be a'),
        ('gan', ('--classifier=dense',), 1, '--classifier dense is a run of the family dense; '),
        (
            'gan',
            ('--classifier=bars',),
            1,
            '--classifier bars was trained on 16 x 16 x 1 images of synthetic; the samples are '
            '8 x 8 x 1 images of digits',
        ),
        ('gan', ('--classifier=none',), 1, 'none is not a run'),
    ],
)
def test_what_cannot_be_sampled_is_refused(trained, run, words, code, want):
    folder = trained(run, *(w.partition('=')[2] for w in words if w[-4:] in ('ense', 'bars')))
    before = tfae_program.contents(folder)
    done = tfae_program.run('sample', f'--logdir={run}', *words, cwd=folder)
    assert done.refusal(code).startswith(want)
    assert tfae_program.contents(folder) == before


def test_a_classifier_of_another_crop_is_refused(monkeypatch):
    def run(crop):
        form = Form(64, 64, 3, crop)
        outputs = types.SimpleNamespace(probabilities=None)
        return types.SimpleNamespace(
            experiment=types.SimpleNamespace(
                data=Config('celeba'),
                crop=lambda: form.crop,
                model='classifier',
                signature=Signature(image_shape=(64, 64, 3)),
            ),
            built=types.SimpleNamespace(inference=types.SimpleNamespace(outputs=outputs)),
        )

    monkeypatch.setattr(sample, 'open_run', lambda path: run((178, 178)))
    flags = sample.Config(classifier='judge')
    assert sample._opened_classifier(flags, run((178, 178)))
    with pytest.raises(errors.InputError, match='celeba, cropped to 178 x 178; the samples are'):
        sample._opened_classifier(flags, run((140, 140)))


@pytest.mark.parametrize(
    'fields, want',
    [
        ({'count': 1}, r'--count is 1; it must lie in \[2, 100000\]'),
        ({'shown': 0}, '--shown is 0'),
        ({'seed': -1}, '--seed is -1'),
        ({'kind': 'gaussian', 'components': 3}, '--components needs --kind=auto or mixture'),
        ({'kind': 'mixture', 'over_epochs': (1,)}, '--over_epochs needs --kind=auto or prior'),
        ({'kind': 'mixture', 'components': 0}, '--components is 0'),
        ({'logdir': 'run', 'split': 'train'}, '^--split needs --classifier$'),
    ],
)
def test_numbers_out_of_range_are_refused(fields, want):
    with pytest.raises(errors.UsageError, match=want):
        sample.Config(**fields)
