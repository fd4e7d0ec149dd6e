"""tools/bench/training.py: its arithmetic, its models, and runs of the smallest size.

Times are not judged.
"""

import importlib.util
import json
import pathlib
import subprocess
import sys

import pytest

BENCH = pathlib.Path(__file__).parents[2] / 'tools' / 'bench'
MODELS = ['dense-64', 'deep-256', 'conv-64', 'vae-128', 'gan-64']  # the others differ in batch


def _load(name):
    spec = importlib.util.spec_from_file_location(name, BENCH / f'{name}.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


report = _load('_report')


def _case(kind='dense', flops=None, **rounds):
    case = {'label': 'a-b-a', 'kind': kind, 'batch': 64, 'rounds': rounds}
    return case if flops is None else {**case, 'flops': flops}


def test_flops_count_three_products_a_layer_but_two_in_the_first():
    assert report.flops_per_example([3], pixels=5) == 2 * (2 * 15 + 3 * 15)


def test_flops_of_the_mirrored_stack():
    forward = 784 * 100 + 100 * 30 + 30 * 100 + 100 * 784
    assert report.flops_per_example([100, 30]) == 2 * (3 * forward - 784 * 100)


def test_ratios_are_of_medians_and_shares_of_the_product_rate():
    case = _case(flops=700, tfae=[1, 30, 31], keras=[10, 9, 11], product=[1e6, 2e6, 9e6])
    summary = report.summarize([case])
    assert summary['cases'][0]['ratio'] == {'keras': 3}
    assert summary['cases'][0]['share']['tfae'] == pytest.approx(30 * 700 / 2e6)
    assert summary['verdict'] == {'dense': {'keras': 'PASS'}, 'families': {}}


@pytest.mark.parametrize(
    'second, verdict',
    [(5, 'PASS'), (7, 'PASS'), (11, 'MISSED')],
)
def test_one_ratio_below_one_misses_whatever_the_mean(second, verdict):
    cases = [_case(tfae=[10], torch=[1], product=[1]) for _ in range(2)]
    cases[1]['rounds']['torch'] = [second]
    assert report.summarize(cases)['verdict']['dense']['torch'] == verdict


@pytest.mark.parametrize('second, verdict', [(11, 'PASS'), (40, 'PASS'), (50, 'MISSED')])
@pytest.mark.parametrize('peer', ['keras', 'torch', 'torch.compile'])
def test_other_families_are_judged_by_the_mean_alone(peer, second, verdict):
    cases = [_case('families', tfae=[10], **{peer: [rate]}) for rate in (1, second)]
    assert report.summarize(cases)['verdict']['families'][peer] == verdict


def test_dense_stacks_and_other_families_have_means_of_their_own():
    cases = [
        _case(flops=1, tfae=[8], keras=[2], product=[1]),
        _case('families', tfae=[3], keras=[2]),
    ]
    summary = report.summarize(cases)
    means = {'dense': {'keras': pytest.approx(4)}, 'families': {'keras': pytest.approx(1.5)}}
    assert summary['geometric_mean'] == means
    text = report.markdown(summary)
    assert (
        'PASS: Dense stacks: 2.5 times Keras `fit` on average, 1.0 everywhere; measured 4.00'
        in text
    )
    assert 'PASS: Other families: 1.5 times Keras `fit` on average; measured 1.50' in text


def test_a_case_without_flops_has_no_shares():
    dense = _case(flops=1, tfae=[1], keras=[1], product=[2])
    other = _case('families', tfae=[3], keras=[2])
    text = report.markdown(report.summarize([dense, other]))
    assert '| a-b-a, 64 | 0 | 50.0% | 50.0% |\n| a-b-a, 64 | - | - | - |' in text
    assert 'Share' not in report.markdown(report.summarize([other]))


def test_absent_contenders_are_said_to_be_not_measured():
    text = report.markdown(report.summarize([_case(flops=1, tfae=[1], product=[1])]))
    assert 'PyTorch eager on average' in text and 'not measured' in text
    assert 'Other families' not in text


@pytest.fixture(scope='module')
def peers():
    """Case -> library -> parameters and losses of one step from the same weights."""
    command = [
        sys.executable,
        str(BENCH.parents[1] / 'tests' / 'support' / 'bench_peers.py'),
        *MODELS,
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.slow  # three libraries build five models
@pytest.mark.parametrize('library', ['keras', 'torch'])
@pytest.mark.parametrize('name', MODELS)
def test_all_contenders_train_one_model(peers, name, library):
    if library not in peers[name]:
        pytest.skip("PyTorch is not installed (pip install -e '.[peers]')")
    mine, other = peers[name]['tfae'], peers[name][library]
    assert other['parameters'] == mine['parameters']
    assert other['losses'] == pytest.approx(mine['losses'], rel=1e-4)
    assert len(mine['losses']) == (2 if name == 'gan-64' else 1)


@pytest.mark.slow  # six processes that import TensorFlow
def test_a_tiny_run_prints_the_tables_and_writes_every_figure(tmp_path):
    command = [sys.executable, str(BENCH / 'training.py'), f'--json={tmp_path / "found.json"}']
    command += ['--cases=dense-32,vae-128', '--skip=torch,torch.compile', '--rounds=1']
    command += ['--seconds=0.01', '--warm_up=0', '--examples=256', '--side=16', '--threads=1/1']
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count('| model, batch | tfae | Keras `fit` | tfae 1/1 |') == 2
    found = json.loads((tmp_path / 'found.json').read_text())
    dense, variational = found['cases']
    assert set(dense['rounds']) == {'tfae', 'keras', 'tfae 1/1', 'product'}
    assert set(variational['rounds']) == {'tfae', 'keras', 'tfae 1/1'}
    assert all(found['verdict'][kind]['keras'] in ('PASS', 'MISSED') for kind in found['verdict'])


def test_an_unknown_case_is_named():
    command = [sys.executable, str(BENCH / 'training.py'), '--cases=dense-33']
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode != 0
    assert 'dense-33 is none of' in done.stderr + done.stdout
