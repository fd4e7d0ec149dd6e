"""Imputation against closed forms."""

import numpy as np
import pytest

from tfae.analysis import imputation

RANDOM = np.random.RandomState(0)
AXES = np.linalg.qr(RANDOM.standard_normal((8, 2)))[0]
ROWS = RANDOM.standard_normal((30, 2)) @ AXES.T
HIDDEN = imputation.hide(ROWS, 0.3, seed=1)


def projected(rows):
    return np.nan_to_num(rows) @ AXES @ AXES.T


def test_one_iteration_is_a_reconstruction_of_what_is_there():
    found = imputation.impute(projected, HIDDEN, 1)
    wanted = np.where(np.isnan(HIDDEN), projected(HIDDEN), HIDDEN)
    np.testing.assert_array_equal(found, wanted)


def test_projections_converge_to_the_least_squares_fit_of_what_is_there():
    rows = HIDDEN + 0.1 * RANDOM.standard_normal(HIDDEN.shape)
    found = imputation.impute(projected, rows, 2000)
    for row, made in zip(rows, found, strict=True):
        there = ~np.isnan(row)
        if there.sum() > 2:
            code = np.linalg.lstsq(AXES[there], row[there], rcond=None)[0]
            np.testing.assert_allclose(made[~there], AXES[~there] @ code, atol=1e-4)


def test_the_error_is_of_the_values_that_were_hidden():
    rows = np.where(np.arange(8) == 3, np.nan, ROWS)
    hidden = np.where(np.isnan(rows), np.nan, HIDDEN)
    judged = np.isnan(hidden) & ~np.isnan(rows)
    assert 0.2 < judged[:, :3].mean() < 0.4
    found = imputation.rmse(rows, hidden, np.zeros_like(rows))
    assert found == pytest.approx(np.sqrt(np.square(ROWS[judged]).mean()))
    np.testing.assert_array_equal(imputation.hide(ROWS, 0.3, 1), HIDDEN)
    assert not np.array_equal(np.isnan(imputation.hide(ROWS, 0.3, 2)), np.isnan(HIDDEN))
