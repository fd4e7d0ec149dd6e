"""Scores of how unlike the training an image is."""

import dataclasses
import math

import numpy as np
import pytest
import scipy.stats
from scipy import ndimage

from tfae import data
from tfae.analysis import _subspace, anomaly
from tfae.core import errors
from tfae.data import splits

SETTINGS = {'blur': 1.0, 'components': 1, 'false_positive_rate': 0.1, 'seed': 0, 'step': 7}


def examples(count, seed, shift=0.0, off=0.1):
    """Images `[N, 8, 6, 1]`, codes `[N, 2]`, reconstructions that miss by about `off`."""
    random = np.random.RandomState(seed)
    images = random.uniform(0.2, 0.8, [count, 8, 6, 1]).astype(np.float32)
    codes = random.normal(size=[count, 2]) * [1, 3] + shift
    return images, codes, images + off * random.normal(size=images.shape).astype(np.float32)


@pytest.fixture(scope='module')
def detector():
    return anomaly.fit(examples(600, 0), examples(400, 1), **SETTINGS)


def residual(images, reconstructions, blur):
    error = (reconstructions - images)[..., 0]
    if blur:
        error = np.stack([ndimage.gaussian_filter(e, blur, mode='constant') for e in error])
    return np.mean(error.astype(np.float64) ** 2, axis=(1, 2))


def features(images, codes, reconstructions, spread):
    logs = [np.log(residual(images, reconstructions, s) + 1e-12) for s in (0, 1, 2)]
    return np.column_stack([codes / spread, *logs])


def cost(normal, images, reconstructions):
    cells = 8 * 6 / (4 * math.pi)
    mean = residual(normal[0], normal[2], 1).mean()
    return cells / 2 * residual(images, reconstructions, 1) / mean


def test_a_score_is_the_likelihood_of_code_and_residual(detector):
    """Of one Gaussian with the moments of the training, by scipy."""
    train, normal, asked = examples(600, 0), examples(400, 1), examples(50, 2)
    f = features(*train, train[1].std())
    covariance = np.cov(f.T, bias=True) + 1e-3 * f.var(0).mean() * np.eye(5)
    known = scipy.stats.multivariate_normal(f.mean(0), covariance)
    want = cost(normal, asked[0], asked[2]) - known.logpdf(features(*asked, train[1].std()))
    np.testing.assert_allclose(detector.scores(*asked), want, rtol=1e-4, atol=1e-3)


def test_a_mixture_is_the_sum_of_its_gaussians():
    images, codes, restored = examples(600, 0)
    codes = codes + np.array([[-9.0, 0], [9.0, 0]])[np.arange(600) % 2]
    normal, asked = examples(9, 1), examples(50, 2)
    found = anomaly.fit((images, codes, restored), normal, **SETTINGS | {'components': 2})
    f = features(*asked, codes.std())
    parts = [
        np.exp(log_weight) * scipy.stats.multivariate_normal(mean, factor @ factor.T).pdf(f)
        for log_weight, mean, factor in zip(
            found.log_weights, found.means, found.factors, strict=True
        )
    ]
    assert len(parts) == 2
    np.testing.assert_allclose(sorted(found.means[:, 0] * codes.std()), [-9, 9], atol=0.5)
    want = cost(normal, asked[0], asked[2]) - np.log(sum(parts))
    np.testing.assert_allclose(found.scores(*asked), want, rtol=1e-4, atol=1e-3)


def test_each_component_has_examples_enough_for_its_numbers():
    few = anomaly.fit(examples(25, 0), examples(25, 1), **SETTINGS | {'components': 10})
    assert len(few.means) == 2  # 25 // (2 * (2 + 3))
    one = anomaly.fit(examples(4, 0), examples(4, 1), **SETTINGS | {'components': 10})
    assert len(one.means) == 1


@pytest.mark.parametrize(
    'changed',
    [
        pytest.param({'shift': 30.0}, id='a code far from all'),
        pytest.param({'off': 0.4}, id='a residual that is too large'),
        pytest.param({'off': 0.001}, id='a residual that is too small'),
    ],
)
def test_what_is_anomalous_scores_above_the_threshold(detector, changed):
    assert (detector.scores(*examples(50, 3, **changed)) > detector.threshold).all()
    assert (detector.scores(*examples(200, 4)) > detector.threshold).mean() < 0.2


def test_the_threshold_and_ranks_are_those_of_the_normal_images(detector):
    scores = detector.scores(*examples(400, 1))
    assert (scores > detector.threshold).mean() == pytest.approx(0.1, abs=0.005)
    np.testing.assert_allclose(detector.ranks(np.sort(scores)), np.linspace(0, 1, 400), atol=2e-3)
    assert list(detector.ranks(np.array([-1e9, 1e9]))) == [0, 1]


def test_a_map_shows_where_and_its_scale_is_fixed(detector):
    images = np.full([2, 8, 6, 1], 0.5, np.float32)
    restored = images.copy()
    restored[1, 2, 4] = 1
    maps = detector.maps(images, restored)
    assert maps.shape == (2, 8, 6)
    assert not maps[0].any()
    assert np.unravel_index(maps[1].argmax(), (8, 6)) == (2, 4)
    twice = detector.maps(images, images + 2 * (restored - images))
    np.testing.assert_allclose(twice, 2 * maps, rtol=1e-5)
    normal = examples(400, 1)
    assert np.mean(detector.maps(normal[0], normal[2]) > 1) == pytest.approx(1e-3, abs=2e-4)


def test_channels_count_together():
    images, codes, restored = examples(60, 0)
    gray = anomaly.fit((images, codes, restored), (images, codes, restored), **SETTINGS)
    images, restored = (np.repeat(x, 3, axis=3) for x in (images, restored))
    color = anomaly.fit((images, codes, restored), (images, codes, restored), **SETTINGS)
    want = gray.scores(images[..., :1], codes, restored[..., :1])
    np.testing.assert_allclose(color.scores(images, codes, restored), want, rtol=1e-4)


def test_bytes_count_as_their_part_of_255(detector):
    images, codes, restored = examples(20, 5)
    coarse = np.rint(255 * images).astype(np.uint8)
    exact = (coarse / np.float32(255)).astype(np.float32)
    np.testing.assert_allclose(
        detector.scores(coarse, codes, restored), detector.scores(exact, codes, restored), rtol=1e-4
    )


def test_a_detector_comes_back_from_its_file(detector, tmp_path):
    detector.save(tmp_path / 'a.npz')
    again = anomaly.load(tmp_path / 'a.npz')
    asked = examples(5, 6)
    assert np.array_equal(again.scores(*asked), detector.scores(*asked))
    assert (int(again.step), float(again.threshold)) == (7, float(detector.threshold))


def test_a_file_that_is_no_detector_is_refused(tmp_path):
    np.savez(tmp_path / 'a.npz', means=np.zeros(3))
    (tmp_path / 'b.npz').write_text('nonsense')
    np.savez(tmp_path / 'c.npz', blur=np.array([print], object))
    for name in 'abc':
        with pytest.raises(
            errors.InputError, match=f'{name}.npz is not an anomaly detector of tfae'
        ):
            anomaly.load(tmp_path / f'{name}.npz')


@pytest.mark.parametrize(
    'name, value, text',
    [
        ('means', np.zeros(3), r'log_weights has shape \(\d+,\); it must be \(3,\)'),
        ('factors', np.zeros([1, 2, 2]), r'factors has shape \(1, 2, 2\); it must be'),
        ('blur', np.array(np.nan), 'blur is not finite'),
        ('threshold', np.zeros(0), r'threshold has shape \(0,\); it must be \(\)'),
        ('blur', np.array(1e308), r'blur is 1e\+308; it must lie in \[0, 100\]'),
        ('spread', np.array(0.0), 'spread is 0; it must lie in'),
        ('residual', np.array(1e-301), r'residual is 1e-301; it must lie in \[1e-300, 1e\+300\]'),
        ('spread', np.array(1e301), r'spread is 1e\+301; it must lie in'),
        ('error', np.array(0.0), 'error is 0; it must lie in'),
        ('step', np.array(-1), 'step is -1; it must lie in'),
        ('quantiles', np.linspace(1, 0, 1001), 'the quantiles are not in ascending order'),
        ('quantiles', np.zeros(5), r'quantiles has shape \(5,\); it must be \(1001,\)'),
    ],
)
def test_a_detector_with_arrays_that_do_not_fit_together_is_refused(
    detector, tmp_path, name, value, text
):
    path = tmp_path / 'a.npz'
    dataclasses.replace(detector, **{name: value}).save(path)
    with pytest.raises(
        errors.InputError, match=f'a.npz is not an anomaly detector of tfae: {text}'
    ):
        anomaly.load(path)


def test_a_detector_of_other_codes_is_refused(detector, tmp_path):
    detector.save(tmp_path / 'a.npz')
    size = detector.means.shape[1] - 3
    assert anomaly.load(tmp_path / 'a.npz', size)
    with pytest.raises(errors.InputError, match=f'a.npz is for {size} latent dimensions; .* has 9'):
        anomaly.load(tmp_path / 'a.npz', 9)


def test_means_that_are_no_points_are_refused(detector, tmp_path):
    dataclasses.replace(detector, means=np.zeros(detector.log_weights.shape)).save(tmp_path / 'a')
    with pytest.raises(errors.InputError, match=r'means has shape \(\d+,\); it must be \(\d+, 0\)'):
        anomaly.load(tmp_path / 'a')


def test_images_that_come_back_exactly_have_scores():
    images, codes, _ = examples(30, 0)
    found = anomaly.fit((images, codes, images), (images, codes, images), **SETTINGS)
    assert np.isfinite(found.scores(images, codes, images)).all()


def test_baselines_are_their_definitions():
    random = np.random.RandomState(0)
    train, asked = (random.uniform(size=[n, 3, 2, 1]).astype(np.float32) for n in (40, 9))
    found = anomaly.baselines(train, asked, 2)
    a, b = train.reshape(40, 6), asked.reshape(9, 6)
    np.testing.assert_allclose(found['mean'], np.linalg.norm(b - a.mean(0), axis=1), rtol=1e-5)
    nearest = np.linalg.norm(b[:, None] - a, axis=2).min(1)
    np.testing.assert_allclose(found['neighbor'], nearest, rtol=1e-4)
    axes = np.linalg.svd(a - a.mean(0), full_matrices=False)[2][:2]
    off = (b - a.mean(0)) - (b - a.mean(0)) @ axes.T @ axes
    np.testing.assert_allclose(found['pca'], np.mean(off**2, 1), rtol=1e-3)


def test_baselines_of_large_images_take_no_more_memory_than_the_images(monkeypatch):
    monkeypatch.setattr(splits, '_MAX_VALUES', 30 * 4200)
    random, solvers, given = np.random.RandomState(0), [], _subspace.PCA

    def recorded(components, svd_solver, **settings):
        solvers.append(svd_solver)
        return given(components, svd_solver=svd_solver, **settings)

    monkeypatch.setattr(_subspace, 'PCA', recorded)
    train = random.uniform(size=[60, 70, 60, 1]).astype(np.float32)
    found = anomaly.baselines(train, train[1:4], 40)
    assert solvers == ['full']
    # Evenly spaced images are known: the first and the third of these are not.
    assert found['neighbor'][[0, 2]].min() > 1 > found['neighbor'][1]
    np.testing.assert_allclose(found['pca'][1], 0, atol=1e-8)
    anomaly.baselines(train, train[1:4], 4)
    assert solvers == ['full', 'arpack']


def test_the_area_is_how_often_a_anomalous_image_scores_higher():
    scores = np.array([1.0, 2, 3, 3, 5])
    anomalous = np.array([False, True, False, True, True])
    pairs = [(s > n) + 0.5 * (s == n) for s in scores[anomalous] for n in scores[~anomalous]]
    assert anomaly.auroc(scores, anomalous) == pytest.approx(np.mean(pairs))
    alarms, hits = anomaly.curve(scores, anomalous)
    assert np.trapezoid(hits, alarms) == pytest.approx(np.mean(pairs))


def test_each_anomalous_class_is_held_against_what_is_normal():
    labels = np.array([3, 3, 5, 5, 8])
    scores = np.array([1.0, 4, 2, 3, 0])
    assert anomaly.by_class(scores, labels, {3}) == {5: 0.5, 8: 0.0}


def test_a_detector_of_one_image_is_refused():
    with pytest.raises(errors.InputError, match='has 1 example; fitting an anomaly detector'):
        anomaly.fit(examples(1, 0), examples(40, 1), **SETTINGS)


def test_a_sample_of_many_examples_keeps_their_order():
    images = np.arange(1_200)
    assert np.array_equal(data.sample(images[:1000], 1000, 0), images[:1000])
    some, other = data.sample(images, 1000, 0), data.sample(images, 1000, 1)
    assert len(np.unique(some)) == 1000
    assert (np.diff(some) > 0).all()
    assert not np.array_equal(some, other)
