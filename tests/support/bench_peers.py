"""One training step of a case of tools/bench/training.py in tfae, Keras and PyTorch: a program.

    python tests/support/bench_peers.py conv-64 vae-128 ...

Prints, as JSON, case -> library -> `parameters` and `losses`, those of a step's updates in turn.
All start from the same weights and see the same images. The weights leave chance nothing to
decide: a variance of e^-60, a generator that does not look at its code, a critic so far up that its
activations are linear. So equal losses are equal models: layers, loss and, where one update comes
after another, optimizer.
"""

import importlib.util
import json
import math
import os
import pathlib
import sys

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / 'tools' / 'bench'))

import _cases
import _keras
import _keras_models
import _tfae
import numpy as np
import tensorflow.compat.v1 as tf


def main(names):
    print(json.dumps({name: compare(_cases.CASES[name]) for name in names}))


def compare(case):
    """Returns library -> result of its step."""
    x = _cases.images(case.batch)
    model = _keras_models.compiled(case)
    weights = certain(case, [v.shape for v in model.trainable_variables])
    found = {'tfae': by_tfae(case, x, weights), 'keras': by_keras(case, model, weights)}
    if importlib.util.find_spec('torch'):
        found['torch'] = by_torch(case, weights)
    return found


def certain(case, shapes):
    """Returns kernels and biases of these shapes, in TensorFlow's order of axes."""
    random = np.random.RandomState(0)
    weights = [random.normal(0, 0.5 / math.sqrt(math.prod(s[:-1])), s) for s in shapes]
    if case.family == 'variational':
        first = 2 * len(case.config['units']) + 2  # of the head of the variance
        weights[first] *= 0
        weights[first + 1] = np.full(shapes[first + 1], -60)
    if case.family == 'gan':
        count = 2 * len(case.config['units'])
        for i in range(1, count, 2):
            weights[i] += 50  # biases of the critic
        weights[count + 2] *= 0  # the first kernel of the generator
    return [weight.astype(np.float32) for weight in weights]


def by_tfae(case, x, weights):
    built = _tfae.build(case, x)
    with built.graph.as_default(), tf.Session() as session:
        session.run([tf.global_variables_initializer(), tf.local_variables_initializer()])
        for variable, weight in zip(tf.trainable_variables(), weights, strict=True):
            variable.load(weight, session)
        built.source.load(session.run)
        program = built.programs[0]
        seen, _ = session.run([program.scalars, program.train])
    losses = [float(value) for tag, value in seen.items() if tag.split('/')[-1] == 'loss']
    return {'parameters': _tfae.parameters(built), 'losses': losses}


def by_keras(case, model, weights):
    x = _cases.inputs(case, case.batch)
    for variable, weight in zip(model.trainable_variables, weights, strict=True):
        variable.assign(weight)
    model.run_eagerly = True
    targets = x if case.family in ('dense', 'convolutional') else None
    seen = model.fit(x, targets, batch_size=case.batch, verbose=0).history
    losses = [value for tag, (value,) in seen.items() if tag.endswith('loss')]
    return {'parameters': _keras.parameters(model), 'losses': losses}


def by_torch(case, weights):
    import _torch
    import _torch_models
    import torch

    x = torch.from_numpy(_cases.inputs(case, case.batch))
    if case.family == 'convolutional':
        x = x.permute(0, 3, 1, 2)
    updates = _torch_models.updates(case)
    parameters = [p for update in updates for p in update.trained.parameters()]
    with torch.no_grad():
        for parameter, weight in zip(parameters, weights, strict=True):
            axes = {1: (0,), 2: (1, 0), 4: (3, 2, 0, 1)}[weight.ndim]
            parameter.copy_(torch.from_numpy(weight.transpose(axes).copy()))
    losses = [update.loss for update in updates]
    seen = _torch.step(updates, losses, _torch.adams(updates, case), x)
    return {'parameters': _torch.parameters(updates), 'losses': [loss.item() for loss in seen]}


if __name__ == '__main__':
    main(sys.argv[1:])
