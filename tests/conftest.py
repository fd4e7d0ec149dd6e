"""What every test has: a fresh default graph, a quiet TensorFlow, real data where there is any."""

import os
import pathlib
import sys

import pytest

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '2')
# Fits of a few examples wait for their threads far longer than they compute, above all where tests
# run side by side.
os.environ.setdefault('OMP_NUM_THREADS', '1')


@pytest.fixture(autouse=True)
def _fresh_graph():
    """Graph mode, and no test sees the nodes of another. Imports no TensorFlow of its own."""
    if 'tensorflow' not in sys.modules:
        yield
        return
    import tensorflow.compat.v1 as tf

    tf.disable_eager_execution()
    tf.reset_default_graph()
    tf.set_random_seed(0)  # initial values too: a bound that holds today holds tomorrow
    yield
    tf.reset_default_graph()
    # `tfae.fit` switches it on for its process, and then graphs without a seed are refused, such as
    # those of other tests. TensorFlow has no public way back.
    from tensorflow.python.framework import config

    config.disable_op_determinism()


@pytest.fixture(scope='session')
def data_dir() -> pathlib.Path:
    """The folder of real data sets that TFAE_DATA_DIR names; skips where there is none."""
    named = os.environ.get('TFAE_DATA_DIR')
    if not named:
        pytest.skip('TFAE_DATA_DIR is not set: it names the folder with mnist/, fashion_mnist/ ...')
    path = pathlib.Path(named)
    if not path.is_dir():
        pytest.skip(f'TFAE_DATA_DIR is {named}, which is not a folder')
    return path


@pytest.fixture(scope='module')
def browser():
    """A headless Chromium, driven by selenium; skips where the machine has none."""
    import browser

    if reason := browser.missing():
        pytest.skip(f'{reason}: pages cannot be looked at')
    with browser.started() as driver:
        yield driver
