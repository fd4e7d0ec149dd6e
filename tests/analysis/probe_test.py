"""The linear probe."""

import numpy as np
import pytest
from scipy import optimize

from tfae.analysis import probe


def examples(count, seed):
    random = np.random.RandomState(seed)
    labels = random.randint(0, 3, count)
    means = np.array([[0.0, 0], [2, 0], [0, 200]])  # numbers of unlike size
    return means[labels] + random.normal(size=[count, 2]) * [1, 100], labels


def test_the_error_is_that_of_logistic_regression():
    """Weights by another minimizer of the same cost, on numbers of mean 0 and variance 1."""
    (x, y), (q, w) = examples(200, 0), examples(300, 1)
    mean, spread = x.mean(0), x.std(0)
    z = (x - mean) / spread

    def cost(flat):
        kernel, bias = flat[:6].reshape(2, 3), flat[6:]
        logits = z @ kernel + bias
        nats = np.log(np.exp(logits).sum(1)) - logits[np.arange(200), y]
        return nats.mean() + 1e-4 / 2 * np.sum(kernel**2)

    found = optimize.minimize(cost, np.zeros(9), tol=1e-10).x
    logits = ((q - mean) / spread) @ found[:6].reshape(2, 3) + found[6:]
    want = np.mean(logits.argmax(1) != w)
    assert 0.1 < want < 0.5
    assert probe.linear_error(x, y, q, w) == pytest.approx(want, abs=0.004)


def test_a_number_that_says_nothing_does_no_harm():
    (x, y), (q, w) = examples(200, 0), examples(300, 1)
    dead = [np.column_stack([codes, np.full(len(codes), 3.0)]) for codes in (x, q)]
    want = probe.linear_error(x, y, q, w)
    assert probe.linear_error(dead[0], y, dead[1], w) == pytest.approx(want, abs=0.004)


def test_no_class_but_those_of_the_training_is_told():
    x, y = examples(100, 0)
    assert probe.linear_error(x, y, x, np.full(100, 7)) == 1


def test_a_probe_of_many_numbers_errs_as_one_in_full(monkeypatch):
    (x, y), (q, w) = examples(2000, 0), examples(2000, 1)
    full = probe.linear_error(x, y, q, w)
    monkeypatch.setattr(probe, '_LARGE', 100)
    deviation = np.sqrt(full * (1 - full) / len(w))
    assert probe.linear_error(x, y, q, w) == pytest.approx(full, abs=deviation / 4)
