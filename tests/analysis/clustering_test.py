"""Clusters, and how well they fit classes."""

import itertools

import numpy as np
import pytest

from tfae.analysis import clustering

MEANS = np.array([[-6.0, 0], [6, 0], [0, 9]])
KINDS = [
    clustering.KMeansClusters,
    clustering.SphericalClusters,
    clustering.MixtureClusters,
]


def groups(count=300, seed=0):
    labels = np.arange(count) % 3
    noise = np.random.RandomState(seed).normal(size=[count, 2])
    return MEANS[labels] + noise, labels


@pytest.mark.parametrize('kind', KINDS)
def test_groups_that_lie_apart_are_found_in_other_examples_too(kind):
    fitted = kind(groups(seed=0)[0], 3, seed=0)
    examples, labels = groups(seed=1)
    found = fitted.predict(examples)
    counts = clustering.table(labels, found, 3, 3)
    want = {'accuracy': 1.0, 'nmi': 1.0, 'ari': 1.0}
    assert clustering.agreement(labels, found, counts) == pytest.approx(want)
    closeness = fitted.closeness(examples)
    assert closeness.shape == (300, 3)
    assert np.array_equal(closeness.argmax(1), found)


def test_a_mixture_sees_groups_of_unlike_shape():
    """A small group within a wide one, which k-means cuts in halves."""
    random = np.random.RandomState(0)
    labels = np.arange(400) % 2
    scale, mean = np.array([[5.0], [0.3]])[labels], np.array([[0.0, 0], [6, 0]])[labels]
    examples = mean + scale * random.normal(size=[400, 2])
    accuracy = []
    for kind in (clustering.KMeansClusters, clustering.MixtureClusters):
        found = kind(examples, 2, seed=0).predict(examples)
        counts = clustering.table(labels, found, 2, 2)
        accuracy.append(clustering.agreement(labels, found, counts)['accuracy'])
    assert accuracy[0] < 0.9 < 0.97 < accuracy[1], accuracy


def test_spherical_groups_are_directions_whatever_the_length():
    """Three rays from the origin, which k-means cuts across."""
    random = np.random.RandomState(0)
    labels = np.arange(300) % 3
    angles = 2 * labels + 0.1 * random.normal(size=300)
    lengths = 10 ** random.uniform(-1, 2, 300)
    examples = lengths[:, None] * np.column_stack([np.cos(angles), np.sin(angles)])
    found = clustering.SphericalClusters(examples, 3, seed=0).predict(examples)
    assert clustering.table(labels, found, 3, 3).max(1).sum() == 300
    found = clustering.KMeansClusters(examples, 3, seed=0).predict(examples)
    assert clustering.table(labels, found, 3, 3).max(1).sum() < 250


@pytest.mark.parametrize('kind', KINDS)
def test_the_seed_decides_and_a_dead_number_does_no_harm(kind):
    examples = np.column_stack([groups()[0], np.full(300, 4.0)]).astype(np.float32)
    found = [kind(examples, 3, seed=5).predict(examples) for _ in range(2)]
    assert np.array_equal(*found)
    assert len(np.unique(found[0])) == 3


@pytest.mark.parametrize('clusters', [3, 5])
def test_the_matching_is_the_best_of_all(clusters):
    counts = np.random.RandomState(clusters).randint(0, 50, [clusters, 3])
    found = clustering.matching(counts)
    assert len(set(found.values())) == len(found) == 3
    best = max(
        sum(counts[row, column] for column, row in enumerate(rows))
        for rows in itertools.permutations(range(clusters), 3)
    )
    assert sum(counts[row, column] for row, column in found.items()) == best


def test_agreement_by_hand():
    labels, found = np.array([0, 0, 1, 1]), np.array([1, 1, 1, 0])
    counts = clustering.table(labels, found, 2, 2)
    assert counts.tolist() == [[0, 1], [2, 1]]
    measured = clustering.agreement(labels, found, counts)
    assert measured['accuracy'] == 0.75
    # Pairs: 1 together in both; expected 3 * 2 / 6 of them, at most 2.5.
    assert measured['ari'] == pytest.approx((1 - 1) / (2.5 - 1))
    h = {p: -p * np.log(p) for p in (0.25, 0.5, 0.75)}
    mutual = 2 * h[0.5] + h[0.25] + h[0.75] - (2 * h[0.25] + h[0.5])
    assert measured['nmi'] == pytest.approx(mutual / ((2 * h[0.5] + h[0.25] + h[0.75]) / 2))


def test_spherical_clusters_do_not_depend_on_length():
    random = np.random.RandomState(0)
    fitted = clustering.SphericalClusters(random.normal(size=[300, 4]), 5, seed=0)
    asked = random.normal(size=[200, 4])
    chosen = fitted.predict(asked)
    for scale in (1e-3, 1e3):
        assert np.array_equal(fitted.predict(scale * asked), chosen)
        np.testing.assert_allclose(fitted.closeness(scale * asked), fitted.closeness(asked))


@pytest.mark.parametrize('clusters, classes', [(4, 4), (6, 4), (3, 5)])
def test_clusters_are_ordered_by_the_classes_that_fit_best(clusters, classes):
    counts = np.random.RandomState(0).randint(0, 50, [clusters, classes])
    order = clustering.order(counts)
    assert sorted(order) == list(range(clusters))
    if clusters >= classes:
        best = max(
            sum(counts[k, i] for i, k in enumerate(chosen))
            for chosen in itertools.permutations(range(clusters), classes)
        )
        assert np.trace(counts[order]) == best
    else:
        matched = clustering.matching(counts)
        assert [matched[k] for k in order] == sorted(matched.values())


@pytest.mark.parametrize('kind', [clustering.KMeansClusters, clustering.MixtureClusters])
def test_many_examples_are_clustered_as_in_full(monkeypatch, kind):
    """A start on a sample, refined on all, ends where starts on all end."""
    random = np.random.RandomState(0)
    centers = random.normal(size=[8, 6]) * 4
    examples = centers[np.arange(4000) % 8] + random.normal(size=[4000, 6])
    monkeypatch.setattr(clustering, '_MAX_START', 4000)
    full = kind(examples, 8, seed=0)
    monkeypatch.setattr(clustering, '_MAX_START', 400)
    sampled = kind(examples, 8, seed=0)
    counts = clustering.table(full.predict(examples), sampled.predict(examples), 8, 8)
    assert clustering.agreement(full.predict(examples), sampled.predict(examples), counts)[
        'accuracy'
    ] == pytest.approx(1, abs=0.002)
    if kind is clustering.KMeansClusters:  # a sample alone has other means
        found = sampled._fitted
        assert found.inertia_ == pytest.approx(full._fitted.inertia_, rel=1e-4)
