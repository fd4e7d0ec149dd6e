"""No two draws of a step have one seed, nor those of two steps: noises would go together."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tfae.core import names
from tfae.data import pipeline
from tfae.models import classifier, dense, gan, variational
from tfae.ops import stateless_random
from tfae.training import phases
from tfae.training.config import TrainingConfig

SHAPE = (6, 6, 1)
AUGMENT = ('flip', 'crop:2', 'jitter:0.2')
# Family, its configuration, and how many draws a micro-batch makes.
CASES = {
    'dense': (
        dense,
        dense.Config(units=(4, 3), corruption=('gaussian:0.1',), regularizer=('contractive:1',)),
        2,
    ),
    'variational': (variational, variational.Config(units=(4,), corruption=('masking:0.5',)), 2),
    'classifier': (classifier, classifier.Config(units=(4,), dropout=0.5), 1),
    'gan': (gan, gan.Config(units=(4,), loss='wasserstein'), 3),
}


@pytest.mark.parametrize('parts', [1, 2])
@pytest.mark.parametrize('family', CASES)
def test_every_draw_has_a_seed_of_its_own(monkeypatch, family, parts):
    module, config, draws = CASES[family]
    seeds = []

    def recording(function):
        def recorded(shape, seed, *args, **kwargs):
            seeds.append(tf.cast(seed, tf.int64))
            return function(shape, seed, *args, **kwargs)

        return recorded

    model = module.Model(config, SHAPE, 2)
    images = np.zeros([8, *SHAPE], np.uint8)
    examples = [
        pipeline.Examples(images, np.arange(8) % 2, name)
        for name in (names.TRAINING, names.VALIDATION)
    ]
    settings = TrainingConfig(batch_size=4, accumulation_steps=parts, augment=AUGMENT)
    (phase,) = phases.phases(model, phases.Config(), settings, *examples)
    for name in ('uniform', 'normal'):
        monkeypatch.setattr(stateless_random, name, recording(getattr(stateless_random, name)))
    step = tf.train.get_or_create_global_step()
    phases.program(phase._replace(validation=examples[0]), 0, settings)
    of_training = seeds[: len(AUGMENT) + draws * parts]
    with tf.Session() as session:
        session.run([tf.global_variables_initializer(), tf.local_variables_initializer()])
        examples[0].load(session.run)  # what a second objective draws waits for the first's step
        found = []
        for s in range(3):
            session.run(step.assign(s).op)
            found += [tuple(seed) for seed in session.run(of_training)]
    assert len(set(found)) == 3 * (len(AUGMENT) + draws * parts)
