"""tfae's layers beside the layers that TF1 had, which tf-keras still keeps in its legacy mode.

Every graph of `layers_cases` is built both ways. The old layers run in a process of their own:
they must be chosen before TensorFlow is imported. The checkpoints that it writes are restored here.
"""

import importlib.util
import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from scipy import stats

from tfae import layers

_MISSING = importlib.util.find_spec('tf_keras') is None
pytestmark = pytest.mark.skipif(_MISSING, reason='tf-keras is not installed: it keeps TF1 layers')


def load_cases():
    # By its path: the tests are not a package, and no folder of theirs is on the search path.
    path = pathlib.Path(__file__).parents[1] / 'support' / 'layers_cases.py'
    spec = importlib.util.spec_from_file_location(path.stem, path)
    sys.modules[path.stem] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


layers_cases = load_cases()


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """The folder of reports and checkpoints, made by the process of the old layers."""
    path = tmp_path_factory.mktemp('layers')
    environment = {
        'PYTHONPATH': str(pathlib.Path(__file__).parents[2]),
        'CUDA_VISIBLE_DEVICES': '',
        'TF_USE_LEGACY_KERAS': '1',
        # With oneDNN, the gradient of a strided 1x1 convolution ends the process (TensorFlow 2.21).
        'TF_ENABLE_ONEDNN_OPTS': '0',
    }
    subprocess.run(
        [sys.executable, '-W', 'ignore', layers_cases.__file__, str(path)],
        env=os.environ | environment,
        check=True,
        capture_output=True,
        timeout=300,
    )
    return path


def reports(folder, side):
    with np.load(folder / f'{side}.npz') as arrays:
        return json.loads((folder / f'{side}.json').read_text()), dict(arrays)


@pytest.fixture(scope='module')
def legacy(folder):
    return reports(folder, 'legacy')


@pytest.fixture(scope='module')
def ours(folder):
    """Our reports of the cases asked for so far; a case is built once."""
    built = {}

    def of(name):
        if name not in built:
            built[name] = layers_cases.observe(
                layers_cases.CASES[name], layers, folder, write=False
            )
        return built[name]

    return of


def numbers_of(name, arrays):
    return {key.split('|', 1)[1]: v for key, v in arrays.items() if key.split('|', 1)[0] == name}


def difference(value, want):
    return np.abs(value - want).max(initial=0) / max(1.0, np.abs(want).max(initial=0))


def tolerance(name, key, value):
    if value.dtype == np.float16:
        return 2e-3
    # A gradient sums over whole images, and the layers of the large network over much.
    return 1e-5 if key.startswith('gradient') or name == 'initial values' else 1e-6


@pytest.mark.parametrize('name', layers_cases.CASES)
def test_the_graph_is_the_same_built_both_ways(name, legacy, ours):
    theirs, arrays = legacy[0][name], numbers_of(name, legacy[1])
    assert 'error' not in theirs
    names, numbers = ours(name)
    assert list(names['variables']) == list(theirs['variables'])
    for report in (names, theirs):
        if layers_cases.CASES[name].data_format == layers_cases.FIRST:
            del report['outputs']  # ours end in a transpose
        elif 'tensor' in name or 'dropout' in name:
            # Names inside `tf.cond` depend on the kind of control flow, which differs here.
            del report['outputs']
            report['collections'] |= {
                'update_ops': len(report['collections'].get('update_ops', []))
            }
    for kind in names:
        assert names[kind] == theirs[kind], kind
    wanted = {key: value for key, value in arrays.items() if not key.startswith('initial')}
    assert numbers.keys() == wanted.keys()
    for key, want in wanted.items():
        value = numbers[key]
        assert value.dtype == want.dtype, key
        # Two updates of one variable run in either order.
        if not ('twice' in name and key.startswith('updated')):
            assert difference(value, want) <= tolerance(name, key, value), key


def test_the_signatures_are_the_same(legacy):
    theirs = legacy[0]['signatures']
    ours = layers_cases.signatures(layers)
    new = {'InputSpec', 'Layer', 'ICNR', 'upsample'}
    new |= {f'SubpixelConv{n}D' for n in (1, 2, 3)} | {f'subpixel_conv{n}d' for n in (1, 2, 3)}
    new |= {'Conv1DTranspose', 'conv1d_transpose'}  # since TensorFlow 2
    new |= {'Statistics', 'experimental', 'recorded_statistics'}
    for name in set(layers.__all__) - new:
        assert ours[name] == theirs[name], name


def test_the_configs_are_the_same(legacy):
    ours, theirs = json.loads(json.dumps(layers_cases.configs(layers))), legacy[0]['configs']
    assert ours.keys() == theirs.keys()
    for name, config in theirs.items():
        shared = (ours[name].keys() & config.keys()) - {'activation'}
        assert len(shared) >= 4, name
        for key in shared:
            assert ours[name][key] == config[key], (name, key)
        assert (ours[name].get('activation') or 'linear') == config.get('activation', 'linear')


def test_all_names_of_tf1_are_there(legacy):
    assert {*legacy[0]['signatures'], 'experimental'} <= {*layers.__all__}


def test_variables_start_from_the_same_distributions(legacy, tmp_path):
    case = layers_cases.CASES['initial values']
    ours = layers_cases.Built(case, layers, layers_cases.LAST).make(str(tmp_path / 'c'))
    theirs = numbers_of('initial values', legacy[1])
    assert len(ours) == 20
    for key, value in ours.items():
        want = theirs[key]
        seeded = key == 'initial dense_1/kernel'
        if seeded or np.ptp(want) == 0:
            np.testing.assert_array_equal(value, want)
        else:
            assert stats.ks_2samp(value.ravel(), want.ravel()).pvalue > 1e-3, key
            np.testing.assert_allclose(np.ptp(value), np.ptp(want), rtol=1e-2, err_msg=key)
            np.testing.assert_allclose(value.std(), want.std(), rtol=2e-2, err_msg=key)


def test_channels_first_runs_where_the_cpu_knows_channels_last_only(legacy, folder):
    made, arrays = reports(folder, 'ours')
    names = [
        name for name, case in layers_cases.CASES.items() if case.data_format != 'channels_last'
    ]
    assert len(names) == 6
    for name in names:
        assert 'error' not in made[name], made[name]
        wanted = numbers_of(name, legacy[1])
        for key, value in numbers_of(name, arrays).items():
            assert difference(value, wanted[key]) <= tolerance(name, key, value), f'{name} {key}'
