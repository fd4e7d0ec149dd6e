"""Autoencoders of tables as scikit-learn estimators.

    from tfae.sklearn import AnomalyDetector, Autoencoder

    model = make_pipeline(Autoencoder(units=(32, 8)), LogisticRegression())
    GridSearchCV(model, {'autoencoder__units': [(32, 8), (32, 4)]}).fit(X, y)

`fit` trains a run by the engine of `tfae.fit`, with the flags of `tfae train` as arguments of the
constructor; equal arguments, rows and versions give equal bytes. The run is in the folder `logdir`,
or in a temporary folder that exists as long as the estimator. A pickle contains the files of the
run, so that it can be loaded elsewhere. Trainings in the threads of one process take turns.

Integers are trained on as they are, 0 to 255 for uint8. The open run `run_`, like every run, scales
uint8 to [0, 1], so give it the rows as floats.

N rows, D columns, Z latent dimensions.
"""

import contextlib
import numbers
import os
import pathlib
import shutil
import sys
import tempfile
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TextIO, TypeVar, cast

import numpy as np
import numpy.typing as npt
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    OutlierMixin,
    TransformerMixin,
)
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from tfae.analysis import table_anomaly
from tfae.core import terminal
from tfae.runs import checkpoints, python_api
from tfae.runs.directory import DETECTOR, PROJECTOR, TRAIN, VALIDATION
from tfae.runs.saved_run import Run

__all__ = ['AnomalyDetector', 'Autoencoder', 'VariationalAutoencoder']

T = TypeVar('T', bound='_Estimator')

_OF_ESTIMATOR = ('contamination', 'logdir', 'random_state', 'verbose')  # arguments, not flags
_HIDDEN_UNITS = 64
_BLOCK = 40  # rows; divides the batches outside training
_LOGS = (TRAIN, VALIDATION, PROJECTOR)  # folders that a pickle leaves out
_ONE_AT_A_TIME = threading.Lock()


class _TrainedRun:
    """A run and its folder. It is pickled as the files of the folder, and opened on first use."""

    def __init__(self, folder: Any = None):
        """Takes the folder of a run to train; None makes one that exists as long as this object."""
        self.folder = _temporary(self) if folder is None else folder
        self._opened: Run | None = None
        self._step = 0  # of the newest checkpoint after training; 0 if trained elsewhere

    @property
    def run(self) -> Run:
        """The open run."""
        if self._opened is None:
            with _turn(silent=True):
                if self._opened is None:  # another thread may have opened it
                    self._opened = python_api.open_run(self.folder)
        return self._opened

    @run.setter
    def run(self, opened: Run) -> None:
        self._opened = opened
        self._step = checkpoints.newest_step(pathlib.Path(self.folder))

    def __getstate__(self) -> dict[str, bytes]:
        folder = pathlib.Path(self.folder)
        step = checkpoints.newest_step(folder)
        if self._step and step != self._step:
            raise ValueError(
                f'{folder} holds a run at step {step}; the estimator was fitted to step '
                f'{self._step}, and cannot be pickled without its run'
            )
        files = [path for path in sorted(folder.rglob('*')) if path.is_file()]
        names = [path.relative_to(folder) for path in files]
        return {
            name.as_posix(): path.read_bytes()
            for name, path in zip(names, files, strict=True)
            if name.parts[0] not in _LOGS
        }

    def __setstate__(self, files: dict[str, bytes]) -> None:
        self.__init__()  # type: ignore[misc]
        for name, content in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


class _Estimator(BaseEstimator):
    """Trains a run of one family on a table."""

    _MODEL = 'dense'

    # Arguments that each estimator has.
    random_state: Any
    logdir: Any
    verbose: bool

    _trained: _TrainedRun  # of a fitted estimator

    def fit(self: T, X: npt.ArrayLike, y: object = None) -> T:
        """Trains on rows.

        Args:
          X: `[N, D]`, finite numbers; N is at least 2.
          y: ignored.
        Returns: the estimator.
        Raises:
          ValueError: `X` is not a table, or an argument of the constructor is invalid.
          KeyboardInterrupt: SIGINT stopped training.
        """
        self._trained = self._train(X)[0]
        return self

    def _train(self, X: npt.ArrayLike) -> tuple[_TrainedRun, np.ndarray]:
        """Trains on rows `[N, D]`; returns the run, and the rows as the run takes them.

        The estimator is not fitted until `fit` sets `_trained`, which it does last: training that
        fails or is interrupted must not leave the run of another table.
        """
        if hasattr(self, '_trained'):
            del self._trained
        rows = validate_data(self, X, dtype=[np.float32, np.float64], ensure_min_samples=2)
        rows = _float32(rows)
        trained = _TrainedRun(self.logdir)
        with _turn(silent=not self.verbose):
            trained.run = python_api.fit_table(
                self._MODEL,
                rows,
                [*map(str, getattr(self, 'feature_names_in_', ()))],
                logdir=trained.folder,
                seed=_seed(self.random_state),
                **self._flags(rows.shape[1]),
            )
        return trained, rows

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, '_trained')

    def _flags(self, columns: int) -> dict[str, Any]:
        """Returns the flags of `tfae train` for a table of so many columns."""
        return {k: v for k, v in self.get_params().items() if k not in _OF_ESTIMATOR}

    @property
    def run_(self) -> Run:
        """The open run, as `tfae.open` returns it."""
        check_is_fitted(self)
        return self._trained.run

    @property
    def _n_features_out(self) -> int:
        return int(self.run_.built.model.code_size)

    def _rows(self, X: npt.ArrayLike) -> np.ndarray:
        """Returns rows `[N, D]` as the run takes them."""
        check_is_fitted(self)
        return _float32(validate_data(self, X, dtype=[np.float32, np.float64], reset=False))


class _Transformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, _Estimator):
    """Encodes and decodes rows."""

    def transform(self, X: npt.ArrayLike) -> np.ndarray:
        """Returns the codes `[N, Z]` of rows `[N, D]`, float32."""
        rows = self._rows(X)
        return _in_whole_blocks(self.run_.encode, rows)

    def inverse_transform(self, X: npt.ArrayLike) -> np.ndarray:
        """Returns the rows `[N, D]` of codes `[N, Z]`, float32, in the units of the table."""
        check_is_fitted(self)
        return self.run_.decode(check_array(X, dtype=[np.float32, np.float64]))

    def score(self, X: npt.ArrayLike, y: object = None) -> float:
        """Returns the mean of `score_samples`; larger is better."""
        return float(self.score_samples(X).mean())

    def score_samples(self, X: npt.ArrayLike) -> np.ndarray:
        """Returns the negative mean squared error `[N]` of each row, in normalized units."""
        rows = self._rows(X)
        seen, made = _seen(self.run_, rows)
        return -np.square(made.astype(np.float64) - seen).mean(1)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ['float32']
        return tags


class Autoencoder(_Transformer):
    """Stacked dense autoencoder, the family `dense`.

    The arguments are flags of `tfae train`, which describes them; `random_state` is its `--seed`,
    or None for a random one. The defaults are those of the flags, but `normalize` is 'standard',
    and no rows are held out for validation.

    Attributes:
      run_: the open run.
      n_features_in_, feature_names_in_: number and names of the columns.
    """

    def __init__(
        self,
        units: Sequence[int] = (100, 30),
        *,
        activation: str = 'relu',
        code_activation: str = 'linear',
        tied: bool = False,
        corruption: str = 'none',
        regularizer: str | Sequence[str] = (),
        weight_decay: float = 0.0,
        likelihood: str = 'squared_error',
        normalize: str = 'standard',
        epochs: int = -1,
        batch_size: int = 64,
        optimizer: str = 'adam',
        learning_rate: float = 1e-3,
        learning_rate_decay: str = 'constant',
        validation_fraction: float = 0.0,
        early_stopping_epochs: int = 0,
        random_state: Any = 0,
        logdir: str | os.PathLike[str] | None = None,
        verbose: bool = False,
    ):
        self.units = units
        self.activation = activation
        self.code_activation = code_activation
        self.tied = tied
        self.corruption = corruption
        self.regularizer = regularizer
        self.weight_decay = weight_decay
        self.likelihood = likelihood
        self.normalize = normalize
        self.epochs = epochs
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.learning_rate_decay = learning_rate_decay
        self.validation_fraction = validation_fraction
        self.early_stopping_epochs = early_stopping_epochs
        self.random_state = random_state
        self.logdir = logdir
        self.verbose = verbose


class VariationalAutoencoder(_Transformer):
    """Variational autoencoder, the family `variational`.

    `transform` returns the means of q(z | x). The arguments are flags of `tfae train`, see
    `Autoencoder`; by default the likelihood is a Gaussian whose variance is learned.

    Attributes:
      run_: the open run.
      n_features_in_, feature_names_in_: number and names of the columns.
    """

    _MODEL = 'variational'

    def __init__(
        self,
        code_size: int = 20,
        *,
        units: Sequence[int] = (400,),
        activation: str = 'relu',
        batch_normalization: bool = False,
        corruption: str = 'none',
        likelihood: str = 'gaussian',
        variance: float = 1.0,
        learn_variance: bool = True,
        beta: float = 1.0,
        kl_warmup_steps: int = 0,
        free_bits: float = 0.0,
        samples: int = 1,
        evaluation_samples: int = 100,
        normalize: str = 'standard',
        epochs: int = -1,
        batch_size: int = 64,
        optimizer: str = 'adam',
        learning_rate: float = 1e-3,
        learning_rate_decay: str = 'constant',
        validation_fraction: float = 0.0,
        early_stopping_epochs: int = 0,
        random_state: Any = 0,
        logdir: str | os.PathLike[str] | None = None,
        verbose: bool = False,
    ):
        self.code_size = code_size
        self.units = units
        self.activation = activation
        self.batch_normalization = batch_normalization
        self.corruption = corruption
        self.likelihood = likelihood
        self.variance = variance
        self.learn_variance = learn_variance
        self.beta = beta
        self.kl_warmup_steps = kl_warmup_steps
        self.free_bits = free_bits
        self.samples = samples
        self.evaluation_samples = evaluation_samples
        self.normalize = normalize
        self.epochs = epochs
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.learning_rate_decay = learning_rate_decay
        self.validation_fraction = validation_fraction
        self.early_stopping_epochs = early_stopping_epochs
        self.random_state = random_state
        self.logdir = logdir
        self.verbose = verbose

    def score_samples(self, X: npt.ArrayLike) -> np.ndarray:
        """Returns the ELBO `[N]` of each row, in nats of normalized units.

        Its noise is a function of the index of the row.
        """
        rows = self._rows(X)
        return self.run_.measure(rows, None)['elbo'].astype(np.float64)


class AnomalyDetector(OutlierMixin, _Estimator):
    """Anomaly detector by the reconstruction errors of a stacked dense autoencoder.

    The anomaly score of a row is a sum over its columns, of squared errors divided by twice their
    mean over the training rows; see `tfae.analysis.table_anomaly`. The arguments are flags of
    `tfae train`, see `Autoencoder`, besides `contamination`: the fraction of the training rows
    that are anomalous. `units=None` is one hidden layer, of 64 units or as many as there are
    columns, and a code of half as many dimensions as columns.

    Attributes:
      threshold_: anomaly score above which a row is anomalous, in nats.
      offset_: the threshold, negated.
      run_: the open run.
      n_features_in_, feature_names_in_: number and names of the columns.
    """

    def __init__(
        self,
        units: Sequence[int] | None = None,
        *,
        contamination: float = 0.1,
        activation: str = 'elu',
        code_activation: str = 'linear',
        tied: bool = False,
        corruption: str = 'none',
        regularizer: str | Sequence[str] = (),
        weight_decay: float = 0.0,
        normalize: str = 'standard',
        epochs: int = -1,
        batch_size: int = 64,
        optimizer: str = 'adam',
        learning_rate: float = 3e-3,
        learning_rate_decay: str = 'constant',
        validation_fraction: float = 0.0,
        early_stopping_epochs: int = 0,
        random_state: Any = 0,
        logdir: str | os.PathLike[str] | None = None,
        verbose: bool = False,
    ):
        self.units = units
        self.contamination = contamination
        self.activation = activation
        self.code_activation = code_activation
        self.tied = tied
        self.corruption = corruption
        self.regularizer = regularizer
        self.weight_decay = weight_decay
        self.normalize = normalize
        self.epochs = epochs
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.learning_rate_decay = learning_rate_decay
        self.validation_fraction = validation_fraction
        self.early_stopping_epochs = early_stopping_epochs
        self.random_state = random_state
        self.logdir = logdir
        self.verbose = verbose

    def fit(self, X: npt.ArrayLike, y: object = None) -> 'AnomalyDetector':
        """Trains on rows, and sets the threshold by their scores; see `_Estimator.fit`."""
        contamination = self.contamination
        number = isinstance(contamination, numbers.Real) and not isinstance(contamination, bool)
        if not number or not 0 < contamination <= 0.5:
            raise ValueError(f'contamination is {contamination!r}; it must lie in (0, 0.5]')
        trained, rows = self._train(X)
        run, quantile = trained.run, 1 - float(contamination)
        self._detector = table_anomaly.fit(*_seen(run, rows), quantile=quantile, step=run.step)
        self._detector.save(run.folder.place(DETECTOR))
        self.threshold_ = float(self._detector.threshold)
        self.offset_ = -self.threshold_
        self._trained = trained
        return self

    def feature_scores(self, X: npt.ArrayLike) -> np.ndarray:
        """Returns the contribution `[N, D]` of each column to the anomaly score, in nats.

        Their sum over the columns is the anomaly score, `-score_samples(X)`.
        """
        rows = self._rows(X)
        return self._detector.contributions(*_seen(self.run_, rows))

    def score_samples(self, X: npt.ArrayLike) -> np.ndarray:
        """Returns the negative anomaly scores `[N]`: lower means more anomalous."""
        return -self.feature_scores(X).sum(1)

    def decision_function(self, X: npt.ArrayLike) -> np.ndarray:
        """Returns `score_samples(X) - offset_` `[N]`, negative for anomalies."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: npt.ArrayLike) -> np.ndarray:
        """Returns -1 for anomalies and 1 for other rows, `[N]`."""
        return np.where(self.decision_function(X) < 0, -1, 1)

    def _flags(self, columns: int) -> dict[str, Any]:
        flags = super()._flags(columns)
        if self.units is None:
            flags['units'] = (max(_HIDDEN_UNITS, columns), max(1, columns // 2))
        return flags


def _seen(run: Run, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns rows and their reconstructions, `[N, D]` both, in normalized units."""
    made = _in_whole_blocks(run.reconstruct, rows)
    return run.normalized(rows), run.normalized(made)


def _in_whole_blocks(function: Callable[[np.ndarray], np.ndarray], rows: np.ndarray) -> np.ndarray:
    """Returns `function(rows)` `[N, ...]`, evaluated on a multiple of `_BLOCK` rows.

    Matrix products treat the rows of an incomplete block in another order of summation, so a result
    would depend on the place of its row, in the last bit.
    """
    padding = -len(rows) % _BLOCK
    return function(np.pad(rows, [(0, padding), (0, 0)]))[: len(rows)]


def _temporary(owner: object) -> pathlib.Path:
    """Makes a folder that is removed when its owner is freed, by this process alone."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix='tfae_'))
    weakref.finalize(owner, _remove, folder, os.getpid())
    return folder


def _remove(folder: pathlib.Path, process: int) -> None:
    if os.getpid() == process:  # not in a fork, which has a copy of the owner
        shutil.rmtree(folder, ignore_errors=True)


def _seed(random_state: Any) -> int:
    """Returns the seed of a run: an integer as it is, else one of the random state."""
    if isinstance(random_state, int | np.integer):
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31))


def _float32(rows: np.ndarray) -> np.ndarray:
    """Returns rows as the run takes them; refuses values beyond float32."""
    with np.errstate(over='ignore'):
        found = rows.astype(np.float32, copy=False)
    if not np.isfinite(found).all():
        raise ValueError('X contains infinity or a value too large for float32')
    return found


@contextlib.contextmanager
def _turn(silent: bool) -> Iterator[None]:
    """Waits for other threads that train or open runs; if silent, the engine prints nothing."""
    with _ONE_AT_A_TIME:
        if not silent:
            yield
            return
        before = sys.stdout
        muted = _Muted(before)
        sys.stdout = cast(TextIO, muted)
        try:
            with terminal.without_bars():
                yield
        finally:
            muted.thread = None
            if sys.stdout is cast(TextIO, muted):  # unless another thread has redirected it
                sys.stdout = before


class _Muted:
    """A stream that discards what this thread writes, and passes on what others write.

    `contextlib.redirect_stdout` would also discard the prints of other threads.
    """

    def __init__(self, stream: TextIO | None):
        self.thread: int | None = threading.get_ident()
        self._stream = stream  # None in programs without a console

    def write(self, text: str) -> int:
        if self._stream is None or threading.get_ident() == self.thread:
            return len(text)
        return self._stream.write(text)

    def flush(self) -> None:
        if self._stream is not None:
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
