"""One contender of training.py, in a process of its own: thread pools and allocators meet nobody.

    python _peers.py '{"contender": "tfae", "units": [100, 30], "batch": 64, ...}'

Reads seconds a line from standard input, works for as long, and answers a line of JSON: what was
done (examples, or floating-point operations) and in which time. All of them train the same model
on the same pictures: ReLU, a linear code, Bernoulli pixels through logits, Adam at 1e-3.
"""

import functools
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')

import numpy as np

RATE = 1e-3
_STEPS = 8  # between two looks at the clock
_TRIAL = 0.3  # seconds for each way to run, where a contender has several


class Channel:
    """The driver's end: seconds come, work and seconds go."""

    def __init__(self):
        # Libraries print to standard output what they like; the answers get a copy of it.
        self._answers = os.fdopen(os.dup(1), 'w')
        os.dup2(2, 1)

    def wait(self) -> float | None:
        """Seconds to work for; None at the end."""
        line = sys.stdin.readline()
        return float(line) if line.strip() else None

    def tell(self, **answer: Any) -> None:
        """Answers a line."""
        print(json.dumps(answer), file=self._answers, flush=True)


class Job(NamedTuple):
    """What the driver asks of a process."""

    contender: str
    units: list[int] = []
    batch: int = 0
    count: int = 60_000
    side: int = 0  # of the matrices of a product
    threads: list[int] = [0, 0]  # inter-op and intra-op, of tfae; 0 is its own choice


def pictures(count: int) -> np.ndarray:
    """uint8 `[count, 28, 28, 1]`: MNIST where TFAE_DATA_DIR has it, else noise, always the same."""
    from tfae import data

    config = data.Config(dataset='mnist')
    if (data.folder('', 'mnist') / 'train-images-idx3-ubyte.gz').exists():
        return data.module('mnist').load(config)[0].images[:count]
    return np.random.RandomState(0).randint(0, 256, [count, 28, 28, 1], np.uint8)


def rows(count: int) -> np.ndarray:
    """The same as float32 `[count, 784]` in [0, 1], as the other libraries are fed."""
    return (pictures(count) / np.float32(255)).reshape(count, -1)


def timed(work: Callable[[], int], seconds: float) -> tuple[int, float]:
    """What `work` says it has done, called for at least so many seconds."""
    start, done = time.perf_counter(), 0
    while (elapsed := time.perf_counter() - start) < seconds:
        done += work()
    return done, elapsed


def serve(channel: Channel, work: Callable[[], int], about: str) -> None:
    """Answers rounds of `work` until the driver closes."""
    channel.tell(ready=about)
    while (seconds := channel.wait()) is not None:
        done, elapsed = timed(work, seconds)
        channel.tell(done=done, seconds=elapsed)


def fastest(ways: dict[str, Callable[[], int]], warm: int = 2) -> str:
    """Name of the way that does most a second, each tried twice in turn."""
    best = dict.fromkeys(ways, 0.0)
    for _ in range(2):
        for name, work in ways.items():
            for _ in range(warm):
                work()
            done, seconds = timed(work, _TRIAL)
            best[name] = max(best[name], done / seconds)
    return max(best, key=best.__getitem__)


def run_tfae(job: Job, channel: Channel) -> None:
    """The graph, the session and the step of `tfae train`."""
    import tensorflow as tf
    import tensorflow.compat.v1 as tf1

    from tfae import data, graph, models, running, schedule, training
    from tfae.experiment import Experiment

    images = pictures(job.count)
    experiment = Experiment(
        'dense',
        models.load('dense').Config(units=tuple(job.units), likelihood='bernoulli'),
        data.Config(),
        training.Config(batch_size=job.batch, learning_rate=RATE, epochs=1_000_000),
        schedule.Config(),
    )
    tf.config.experimental.enable_op_determinism()
    built = graph.build(experiment, data.Split(images, None), data.Split(images[:0], None))
    inter, intra = job.threads
    watch = running.Config(inter_op_threads=inter, intra_op_threads=intra)
    with running._session(built, watch) as session:
        with built.graph.as_default():
            session.run([tf1.global_variables_initializer(), tf1.local_variables_initializer()])
        program = built.programs[0]
        built.source.load(session.run)
        step = session.make_callable(program.train)

        def work() -> int:
            for _ in range(_STEPS):
                step()
            return _STEPS * job.batch

        work()
        serve(channel, work, f'TensorFlow {tf.__version__}')


def run_keras(job: Job, channel: Channel) -> None:
    """One endless `fit`, which stands still between two rounds.

    Its epochs are cut into equal parts, at whose ends the callback looks at the clock; no callback
    runs in between.
    """
    import keras

    class Rounds(keras.callbacks.Callback):
        """Works in rounds of one or more parts of an epoch."""

        def on_train_begin(self, logs=None):
            channel.tell(ready=f'Keras {keras.__version__}')

        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 0:
                self._begin()

        def on_epoch_end(self, epoch, logs=None):
            self.done += part * job.batch
            elapsed = time.perf_counter() - self.start
            if elapsed >= self.seconds:
                channel.tell(done=self.done, seconds=elapsed)
                self._begin()

        def _begin(self):
            self.seconds = channel.wait()
            if self.seconds is None:
                self.model.stop_training = True
                self.seconds = 1e9
            self.start, self.done = time.perf_counter(), 0

    x = rows(job.count)
    sizes = [*job.units, *reversed(job.units[:-1]), x.shape[1]]
    linear = (len(job.units) - 1, len(sizes) - 1)
    model = keras.Sequential(
        [keras.layers.Dense(n, None if i in linear else 'relu') for i, n in enumerate(sizes)]
    )
    model.compile(keras.optimizers.Adam(RATE), keras.losses.BinaryCrossentropy(from_logits=True))
    batches = -(-job.count // job.batch)
    part = max(n for n in range(1, min(batches, 140) + 1) if batches % n == 0)
    settings = {'batch_size': job.batch, 'epochs': 10**9, 'steps_per_epoch': part}
    model.fit(x, x, **settings, shuffle=True, verbose=0, callbacks=[Rounds()])


def run_torch(job: Job, channel: Channel, compiled: bool = False) -> None:
    """The quick loop: data in one tensor, a permutation an epoch, Adam in one call.

    The number of threads is whichever ran fastest here; fused Adam always was.
    """
    import torch

    x = torch.from_numpy(rows(job.count))
    ways = {
        f'{threads} threads': _torch_steps(torch, x, job, threads, compiled)
        for threads in sorted({1, os.cpu_count() or 1})
    }
    best = fastest(ways)
    serve(channel, ways[best], f'PyTorch {torch.__version__}, {best}')


def _torch_steps(torch: Any, x: Any, job: Job, threads: int, compiled: bool) -> Callable[[], int]:
    """A function that trains some steps and says how many examples that were."""
    sizes = [x.shape[1], *job.units, *reversed(job.units[:-1]), x.shape[1]]
    layers = []
    for i, (a, b) in enumerate(zip(sizes[:-1], sizes[1:], strict=True), 1):
        layers.append(torch.nn.Linear(a, b))
        if i not in (len(job.units), len(sizes) - 1):
            layers.append(torch.nn.ReLU())
    model = torch.nn.Sequential(*layers)
    optimizer = torch.optim.Adam(model.parameters(), RATE, fused=True)

    def loss(batch: Any) -> Any:
        return torch.nn.functional.binary_cross_entropy_with_logits(model(batch), batch)

    if compiled:
        loss = torch.compile(loss)

    def batches() -> Any:
        while True:
            for indices in torch.randperm(len(x)).split(job.batch):
                if len(indices) == job.batch:
                    yield x[indices]

    feed = batches()

    def work() -> int:
        torch.set_num_threads(threads)
        for _ in range(_STEPS):
            optimizer.zero_grad(set_to_none=True)
            loss(next(feed)).backward()
            optimizer.step()
        return _STEPS * job.batch

    return work


def run_product(job: Job, channel: Channel, library: str) -> None:
    """Products of two square float32 matrices, in floating-point operations."""
    random = np.random.RandomState(0)
    a, b = (random.standard_normal([job.side, job.side]).astype(np.float32) for _ in range(2))
    if library == 'tensorflow':
        import tensorflow as tf

        a, b = tf.constant(a), tf.constant(b)
        multiply = lambda: tf.matmul(a, b).numpy()  # noqa: E731
    elif library == 'torch':
        import torch

        a, b = torch.from_numpy(a), torch.from_numpy(b)
        multiply = lambda: a @ b  # noqa: E731
    else:
        multiply = lambda: a @ b  # noqa: E731

    def work() -> int:
        multiply()
        return 2 * job.side**3

    work()
    serve(channel, work, library)


CONTENDERS: dict[str, Callable[[Job, Channel], None]] = {
    'tfae': run_tfae,
    'keras': run_keras,
    'torch': run_torch,
    'torch.compile': functools.partial(run_torch, compiled=True),
    'product/numpy': functools.partial(run_product, library='numpy'),
    'product/tensorflow': functools.partial(run_product, library='tensorflow'),
    'product/torch': functools.partial(run_product, library='torch'),
}


if __name__ == '__main__':
    job = Job(**json.loads(sys.argv[1]))
    CONTENDERS[job.contender](job, Channel())
