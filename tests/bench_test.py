"""tools/bench/training.py: its arithmetic, and a run of the smallest size. Times are not judged."""

import importlib.util
import json
import pathlib
import subprocess
import sys

import pytest

BENCH = pathlib.Path(__file__).parents[1] / 'tools' / 'bench'


def _load(name):
    spec = importlib.util.spec_from_file_location(name, BENCH / f'{name}.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


report = _load('_report')


def _case(units, **rounds):
    return {'units': units, 'batch': 64, 'rounds': rounds}


def test_flops_count_three_products_a_layer_but_two_in_the_first():
    assert report.flops_per_example([3], pixels=5) == 2 * (2 * 15 + 3 * 15)


def test_flops_of_the_mirrored_stack():
    forward = 784 * 100 + 100 * 30 + 30 * 100 + 100 * 784
    assert report.flops_per_example([100, 30]) == 2 * (3 * forward - 784 * 100)


def test_ratios_are_of_medians_and_shares_of_the_product_rate():
    case = _case([100, 30], tfae=[1, 30, 31], keras=[10, 9, 11], product=[1e6, 2e6, 9e6])
    summary = report.summarize([case])
    assert summary['cases'][0]['ratio'] == {'keras': 3}
    share = 30 * report.flops_per_example([100, 30]) / 2e6
    assert summary['cases'][0]['share']['tfae'] == pytest.approx(share)
    assert summary['verdict'] == {'keras': 'PASS'}


@pytest.mark.parametrize(
    'second, verdict',
    [(5, 'PASS'), (7, 'PASS'), (11, 'MISSED')],
)
def test_one_ratio_below_one_misses_whatever_the_mean(second, verdict):
    cases = [_case([2], tfae=[10], torch=[1], product=[1]) for _ in range(2)]
    cases[1]['rounds']['torch'] = [second]
    assert report.summarize(cases)['verdict']['torch'] == verdict


def test_absent_contenders_are_said_to_be_not_measured():
    text = report.markdown(report.summarize([_case([100, 30], tfae=[1], product=[1])]))
    assert 'PyTorch eager on average' in text and 'not measured' in text
    assert '| 784-100-30-100-784, 64 |' in text


def test_the_deep_stack_is_named_by_its_encoder():
    text = report.markdown(report.summarize([_case([4, 3, 2], tfae=[1], product=[1])]))
    assert '| 784-4-3-2, 64 |' in text


@pytest.mark.slow  # four processes that import TensorFlow
def test_a_tiny_run_prints_the_tables_and_writes_every_figure(tmp_path):
    command = [sys.executable, str(BENCH / 'training.py'), f'--json={tmp_path / "found.json"}']
    command += ['--cases=dense-32', '--skip=torch,torch.compile', '--rounds=1', '--seconds=0.01']
    command += ['--warm_up=0', '--examples=256', '--side=16', '--threads=1/1']
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert '| model, batch | tfae | Keras `fit` | tfae 1/1 |' in done.stdout
    found = json.loads((tmp_path / 'found.json').read_text())
    assert set(found['cases'][0]['rounds']) == {'tfae', 'keras', 'tfae 1/1', 'product'}
    assert found['verdict']['keras'] in ('PASS', 'MISSED')


def test_an_unknown_case_is_named():
    command = [sys.executable, str(BENCH / 'training.py'), '--cases=dense-33']
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode != 0
    assert 'dense-33 is none of' in done.stderr + done.stdout
