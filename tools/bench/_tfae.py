"""tfae as a contender of training.py."""

import _cases
import _channel
import numpy as np
import tensorflow as tf
import tensorflow.compat.v1 as tf1

from tfae import data, models
from tfae.runs import options, sessions
from tfae.training import graph, phases
from tfae.training.config import TrainingConfig
from tfae.training.experiment import Experiment


def build(case: _cases.Case, images: np.ndarray) -> graph.Graph:
    """Builds the graph of `tfae train` for images `[N, 28, 28, 1]`."""
    beta1, beta2 = case.betas
    settings = TrainingConfig(
        batch_size=case.batch,
        learning_rate=case.rate,
        adam_beta1=beta1,
        adam_beta2=beta2,
        epochs=1_000_000,
    )
    family = models.load(case.family).Config(**case.config)
    experiment = Experiment(case.family, family, data.Config(), settings, phases.Config())
    return graph.build(experiment, data.Split(images, None), data.Split(images[:0], None))


def parameters(built: graph.Graph) -> int:
    """Returns the number of trained parameters."""
    with built.graph.as_default():
        return sum(v.shape.num_elements() for v in tf1.trainable_variables())


def run(job: _channel.Job, channel: _channel.Channel) -> None:
    """Runs rounds of the training step in the graph and session of `tfae train`."""
    tf.config.experimental.enable_op_determinism()
    case = job.trained
    built = build(case, _cases.images(job.count))
    inter, intra = job.threads
    watch = options.Config(inter_op_threads=inter, intra_op_threads=intra)
    with sessions.open_session(built.graph, watch) as session:
        with built.graph.as_default():
            session.run([tf1.global_variables_initializer(), tf1.local_variables_initializer()])
        built.source.load(session.run)
        step = session.make_callable(built.programs[0].train)

        def work() -> int:
            for _ in range(_channel.STEPS):
                step()
            return _channel.STEPS * case.batch

        work()
        _channel.serve(channel, work, f'TensorFlow {tf.__version__}', parameters(built))
