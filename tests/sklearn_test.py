"""scikit-learn estimators, against runs of `tfae.fit`, numpy and scikit-learn's own checks."""

import gc
import pickle
import shutil
import sys
import threading
import warnings

import numpy as np
import pytest
from sklearn import datasets
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils import estimator_checks

import tfae
from tfae.analysis import table_anomaly
from tfae.runs import checkpoints, python_api
from tfae.sklearn import AnomalyDetector, Autoencoder, VariationalAutoencoder

pytestmark = pytest.mark.filterwarnings('ignore:the run learned nothing')

WINE, CULTIVARS = datasets.load_wine(return_X_y=True)
SMALL = {
    Autoencoder: {'units': (4, 2), 'epochs': 2},
    VariationalAutoencoder: {
        'code_size': 2, 'units': 4, 'epochs': 2, 'evaluation_samples': 3,
    },
    AnomalyDetector: {'units': (4, 2), 'epochs': 2},
}  # fmt: skip


def small(kind, **more):
    return kind(**{**SMALL[kind], **more})


@pytest.fixture(scope='module')
def detector():
    return AnomalyDetector(units=(8, 4), epochs=20).fit(WINE)


@pytest.mark.parametrize('kind', [Autoencoder, VariationalAutoencoder])
def test_a_run_is_that_of_the_engine_with_the_same_flags(tmp_path, kind):
    rows = WINE.astype(np.float32)
    estimator = small(kind, logdir=tmp_path / 'estimator', random_state=3).fit(rows)
    arguments = {**SMALL[kind], 'normalize': 'standard', 'validation_fraction': 0, 'seed': 3}
    if kind is VariationalAutoencoder:
        arguments |= {'likelihood': 'gaussian', 'learn_variance': True}
    model = estimator.run_.experiment.model
    with tfae.fit(model, rows, logdir=tmp_path / 'run', test_data=rows[:1], **arguments) as run:
        wanted = run.variables('trainable_variables')
        found = estimator.run_.variables('trainable_variables')
        assert found.keys() == wanted.keys()
        for name, value in found.items():
            np.testing.assert_array_equal(value, wanted[name], name)
        np.testing.assert_allclose(estimator.transform(WINE), run.encode(rows), atol=1e-6)
        codes = estimator.transform(WINE)
        np.testing.assert_allclose(estimator.inverse_transform(codes), run.reconstruct(rows), 1e-5)
        made = run.normalized(run.reconstruct(rows))
        score = -np.square(made - run.normalized(rows)).mean()
        if kind is VariationalAutoencoder:
            score = run.measure(rows, None)['elbo'].mean()
        assert estimator.score(WINE) == pytest.approx(score, rel=1e-4)
    with tfae.open(tmp_path / 'estimator') as opened:
        np.testing.assert_allclose(opened.encode(rows), codes, atol=1e-6)


def test_contributions_are_squared_errors_of_columns_and_sum_to_the_score(detector):
    run = detector.run_
    held = run.variables()
    h = (WINE - held['normalization/offset']) / held['normalization/scale']
    seen = h
    for scope in ('encoder/layer_1', 'encoder/layer_2', 'decoder/layer_2', 'decoder/layer_1'):
        h = h @ held[f'{scope}/kernel'] + held[f'{scope}/bias']
        if scope in ('encoder/layer_1', 'decoder/layer_2'):
            h = np.where(h > 0, h, np.expm1(np.minimum(h, 0)))
    squares = np.square(h - seen)
    found = detector.feature_scores(WINE)
    np.testing.assert_allclose(found, squares / (2 * squares.mean(0)), rtol=1e-2, atol=1e-3)
    np.testing.assert_allclose(-detector.score_samples(WINE), found.sum(1))
    assert found.sum(1).mean() == pytest.approx(WINE.shape[1] / 2)


def test_the_threshold_is_the_quantile_of_the_contamination(detector):
    scores = -detector.score_samples(WINE)
    assert detector.threshold_ == pytest.approx(np.quantile(scores, 0.9))
    assert detector.offset_ == -detector.threshold_
    np.testing.assert_array_equal(
        detector.predict(WINE), np.where(scores > detector.threshold_, -1, 1)
    )
    assert np.mean(detector.predict(WINE) == -1) == pytest.approx(0.1, abs=0.01)


def test_a_detector_names_the_column_that_was_changed(detector):
    rows = WINE[:20].copy()
    rows[:, 4] += 10 * WINE[:, 4].std()
    assert np.all(detector.predict(rows) == -1)
    assert np.mean(detector.feature_scores(rows).argmax(1) == 4) > 0.9


def test_pipelines_and_searches_over_arguments(tmp_path):
    model = make_pipeline(small(Autoencoder, epochs=30), LogisticRegression())
    grid = {'autoencoder__units': [(8, 1), (8, 4)]}
    search = GridSearchCV(model, grid, cv=2, error_score='raise').fit(WINE, CULTIVARS)
    assert search.best_params_ == {'autoencoder__units': (8, 4)}
    assert search.score(WINE, CULTIVARS) > 0.8
    names = search.best_estimator_[:-1].get_feature_names_out()
    assert list(names) == [f'autoencoder{k}' for k in range(4)]


def test_an_estimator_is_not_pickled_with_the_run_of_another_fit(tmp_path):
    first = small(Autoencoder, logdir=tmp_path / 'run').fit(WINE)
    small(Autoencoder, logdir=tmp_path / 'run', epochs=first.epochs + 1).fit(WINE)
    with pytest.raises(
        ValueError, match=r'run holds a run at step \d+; the estimator was fitted to'
    ):
        pickle.dumps(first)
    shutil.rmtree(tmp_path / 'run')
    with pytest.raises(ValueError, match='run holds a run at step 0; the estimator was fitted to'):
        pickle.dumps(first)


def test_an_estimator_that_stopped_early_is_pickled_with_its_best_epoch():
    arguments = {'validation_fraction': 0.2, 'early_stopping_epochs': 1, 'learning_rate': 0.5}
    estimator = small(Autoencoder, **arguments, epochs=50).fit(WINE)
    newest = checkpoints.newest_step(estimator.run_.folder.path)
    loaded = pickle.loads(pickle.dumps(estimator))
    assert loaded.run_.step == estimator.run_.step < newest
    np.testing.assert_array_equal(loaded.transform(WINE), estimator.transform(WINE))


def test_a_pickle_carries_the_run():
    estimator = small(AnomalyDetector).fit(WINE)
    pickled = pickle.dumps(estimator)
    folder, scores = estimator.run_.folder.path, estimator.score_samples(WINE)
    del estimator
    gc.collect()
    assert not folder.exists()
    loaded = pickle.loads(pickled)
    np.testing.assert_array_equal(loaded.score_samples(WINE), scores)
    assert (loaded.run_.folder.path / 'anomaly.npz').is_file()


def test_a_clone_has_the_arguments_and_no_run():
    estimator = small(AnomalyDetector, contamination=0.2)
    assert clone(estimator.fit(WINE)).get_params() == estimator.get_params()
    assert not hasattr(clone(estimator), 'threshold_')


def test_output_only_if_verbose(capfd):
    small(Autoencoder).fit(WINE).transform(WINE)
    assert capfd.readouterr().out == ''
    small(Autoencoder, verbose=True).fit(WINE)
    assert '178 training' in capfd.readouterr().out


@pytest.mark.parametrize('kind', [Autoencoder, AnomalyDetector])
def test_training_that_is_interrupted_leaves_no_run_of_another_table(monkeypatch, kind):
    estimator = small(kind).fit(WINE)
    module = python_api if kind is Autoencoder else table_anomaly

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, 'fit_table' if kind is Autoencoder else 'fit', interrupt)
    with pytest.raises(KeyboardInterrupt):
        estimator.fit(WINE[:, ::-1])
    with pytest.raises(NotFittedError):
        (estimator.transform if kind is Autoencoder else estimator.predict)(WINE)


def test_only_the_output_of_the_engine_is_discarded(monkeypatch, capsys):
    begun, printed, outer = threading.Event(), threading.Event(), sys.stdout
    open_run = python_api.open_run

    def wait(folder):
        print('of the engine')
        begun.set()
        assert printed.wait(30)
        return open_run(folder)

    monkeypatch.setattr(python_api, 'open_run', wait)
    pickled = pickle.dumps(small(Autoencoder).fit(WINE))
    one, other = pickle.loads(pickled), pickle.loads(pickled)
    threads = [threading.Thread(target=each.transform, args=[WINE]) for each in (one, other)]
    for thread in threads:
        thread.start()
    assert begun.wait(30)
    print('of another thread')
    printed.set()
    for thread in threads:
        thread.join()
    assert sys.stdout is outer
    assert capsys.readouterr().out == 'of another thread\n'


def test_arguments_of_numpy_types():
    detector = small(AnomalyDetector, contamination=np.float32(0.25), units=np.array([4, 2]))
    found = detector.fit(WINE)
    assert found.run_.experiment.family.units == (4, 2)
    assert np.mean(found.predict(WINE) == -1) == pytest.approx(0.25, abs=0.01)


def test_seeds():
    one, other = (small(Autoencoder).fit(WINE).transform(WINE) for _ in range(2))
    np.testing.assert_array_equal(one, other)
    random = small(Autoencoder, random_state=np.random.RandomState(7)).fit(WINE)
    assert random.run_.experiment.training.seed == np.random.RandomState(7).randint(2**31)


@pytest.mark.parametrize(
    'kind, more, text',
    [
        (Autoencoder, {'units': 0}, 'units is 0; each must lie'),
        (Autoencoder, {'activation': 'rely'}, 'activation.*did you mean relu'),
        (VariationalAutoencoder, {'beta': -1.0}, 'beta is -1.0; it must lie in'),
        (AnomalyDetector, {'contamination': 0.7}, 'contamination is 0.7; it must lie in'),
        (AnomalyDetector, {'logdir': ''}, 'logdir is .* it must be the path of a folder'),
    ],
)
def test_wrong_arguments_are_refused_at_fit(kind, more, text):
    with pytest.raises(ValueError, match=text):
        small(kind, **more).fit(WINE)


def test_values_beyond_float32_are_refused():
    rows = WINE.copy()
    rows[3, 2] = 1e39
    with pytest.raises(ValueError, match='too large for float32'):
        small(Autoencoder).fit(rows)


# The noise of the ELBO is a function of the place of a row among the others.
NOISE = 'score_samples, the ELBO, has noise that depends on the index of the row'
NOISY = ('check_methods_sample_order_invariance', 'check_methods_subset_invariance')
FAILS = {VariationalAutoencoder: dict.fromkeys(NOISY, NOISE)}


@pytest.mark.slow
@pytest.mark.parametrize('kind', SMALL)
def test_the_checks_of_scikit_learn(kind):
    with warnings.catch_warnings():
        warnings.filterwarnings('ignore', message='the run learned nothing')
        results = estimator_checks.check_estimator(
            small(kind), expected_failed_checks=FAILS.get(kind), on_skip=None
        )
    failed = {result['check_name'] for result in results if result['status'] == 'xfail'}
    assert failed == set(FAILS.get(kind, {}))
    assert sum(result['status'] == 'passed' for result in results) >= 40
