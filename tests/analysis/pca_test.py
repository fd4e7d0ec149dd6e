import numpy as np
import pytest
import sklearn.datasets
import sklearn.decomposition

from tfae.analysis import _subspace, pca, reconstruction
from tfae.data import splits


def digits():
    return (sklearn.datasets.load_digits().images / 16).astype(np.float32)[..., None]


@pytest.mark.parametrize('components', [1, 5, 30])
def test_images_are_the_projections_on_the_leading_singular_vectors_clipped(components):
    images = digits()
    flat, projections = projected(images, components)
    want = np.clip(projections, 0, 1)
    got = pca.Baseline(images, components).reconstruct(images).reshape(flat.shape)
    np.testing.assert_allclose(got, want, atol=1e-5)


def projected(images, components):
    """Returns images and their projections, both `[N, pixels]` float64, by a full SVD."""
    flat = images.reshape(len(images), -1).astype(np.float64)
    centered = flat - flat.mean(0)
    leading = np.linalg.svd(centered, full_matrices=False)[2][:components]
    return flat, flat.mean(0) + centered @ leading.T @ leading


def test_new_images_are_projected_as_scikit_learn_projects_them():
    train, test = digits()[:1000], digits()[1000:]
    baseline = pca.Baseline(train, 7)
    flat = train.reshape(1000, -1).astype(np.float64)
    theirs = sklearn.decomposition.PCA(7, svd_solver='full').fit(flat)
    rest = test.reshape(len(test), -1).astype(np.float64)
    want = np.clip(theirs.inverse_transform(theirs.transform(rest)), 0, 1).reshape(test.shape)
    np.testing.assert_allclose(baseline.reconstruct(test), want, atol=1e-4)
    np.testing.assert_allclose(
        np.abs(baseline.encode(test)), np.abs(theirs.transform(rest)), atol=1e-3
    )


def test_bytes_count_as_their_pixels():
    images = np.random.RandomState(0).randint(0, 256, [50, 4, 3, 2]).astype(np.uint8)
    as_bytes = pca.Baseline(images, 3).reconstruct(images)
    as_floats = pca.Baseline(images / np.float32(255), 3).reconstruct(images / np.float32(255))
    assert as_bytes.shape == images.shape
    np.testing.assert_allclose(as_bytes, as_floats, atol=1e-5)


@pytest.mark.parametrize('count, kept', [(5, 5), (40, 24)])
def test_more_components_than_there_can_be_are_not_kept(count, kept):
    images = np.random.RandomState(0).uniform(size=[count, 4, 3, 2]).astype(np.float32)
    baseline = pca.Baseline(images, 1000)
    assert baseline.components == kept
    np.testing.assert_allclose(baseline.reconstruct(images), images, atol=1e-5)


def test_the_same_images_give_the_same_baseline():
    images = digits()[:300]
    a, b = (pca.Baseline(images, 5).reconstruct(images).tobytes() for _ in range(2))
    assert a == b


def test_components_of_large_images_are_exact_too():
    images = np.random.RandomState(0).random_sample([40, 70, 60, 1]).astype(np.float32)
    flat, projections = projected(images, 5)
    got = reconstruction.mse(images, pca.Baseline(images, 5).reconstruct(images))
    want = np.square(flat - np.clip(projections, 0, 1)).mean()
    np.testing.assert_allclose(got, want, rtol=1e-5)


def test_of_few_large_images_all_components_are_kept():
    images = np.random.RandomState(0).random_sample([3, 70, 60, 1]).astype(np.float32)
    found = pca.Baseline(images, 3).reconstruct(images)
    np.testing.assert_allclose(found, images, atol=1e-5)


def test_few_large_images_need_no_covariance_matrix(monkeypatch):
    images = np.random.RandomState(0).random_sample([20, 70, 60, 1]).astype(np.float32)
    solvers, given = [], _subspace.PCA

    def recorded(components, svd_solver, **settings):
        solvers.append(svd_solver)
        return given(components, svd_solver=svd_solver, **settings)

    monkeypatch.setattr(_subspace, 'PCA', recorded)
    baseline = pca.Baseline(images, 32)
    assert (baseline.components, solvers) == (20, ['full'])
    np.testing.assert_allclose(baseline.reconstruct(images), images, atol=1e-5)


def test_images_of_low_contrast_are_not_lost_in_rounding():
    images = 0.9 + 1e-3 * (digits() - 0.5)
    baseline = pca.Baseline(images.astype(np.float32), 5)
    flat = images.astype(np.float32).reshape(len(images), -1).astype(np.float64)
    spectrum = np.linalg.svd(flat - flat.mean(0), compute_uv=False)
    got = reconstruction.mse(images, baseline.reconstruct(images.astype(np.float32)))
    np.testing.assert_allclose(got, np.sum(spectrum[5:] ** 2) / images.size, rtol=1e-3)


def test_equal_images_are_projected_to_themselves():
    images = np.full([7, 3, 2, 1], 0.3, np.float32)
    assert np.array_equal(pca.Baseline(images, 2).reconstruct(images), images)


def test_of_more_numbers_than_are_fitted_evenly_spaced_images_are_taken(monkeypatch):
    images = digits()
    monkeypatch.setattr(splits, '_MAX_VALUES', images.size // 3)
    thinned = pca.Baseline(images, 5).reconstruct(images)
    np.testing.assert_array_equal(thinned, pca.Baseline(images[::3], 5).reconstruct(images))


def test_of_one_image_everything_is_projected_to_it():
    images = np.random.RandomState(0).uniform(size=[4, 3, 2, 1]).astype(np.float32)
    baseline = pca.Baseline(images[:1], 5)
    made = baseline.reconstruct(images[:4])
    np.testing.assert_allclose(made, np.repeat(images[:1], 4, 0), atol=1e-6)
    assert not baseline.encode(images[:4]).any()
