"""fuzz.py: a sample of its cases, and readers with each kind of forbidden behavior."""

import json
import os
import pathlib
import pickle
import random
import struct
import subprocess
import sys
import time
import warnings

import campaign_modules
import pytest

from tfae.core import errors

ROOT = pathlib.Path(__file__).parents[2]
PATH = ROOT / 'tests' / 'campaigns' / 'fuzz.py'


@pytest.fixture(scope='module')
def fuzz():
    with campaign_modules.imported(PATH) as module:
        yield module


def run(folder, *argv):
    words = [sys.executable, str(PATH), f'--corpus={folder}', *argv]
    variables = {**os.environ, 'PYTHONPATH': str(ROOT)}
    return subprocess.run(words, env=variables, capture_output=True, text=True)


def test_values_are_exchanged_in_any_json_and_stay_what_they_are(fuzz):
    before = repr(fuzz.VALUES)
    for content in (1.5, 'a', None, [], {}, [[1], {'a': [2]}]):
        for seed in range(200):
            json.loads(fuzz.exchanged(random.Random(seed), content))
    assert repr(fuzz.VALUES) == before


def assert_nothing_fails(folder, *argv):
    done = run(folder, *argv, f'--json={folder}/counts.json')
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads((folder / 'counts.json').read_text())


def test_no_reader_fails_on_damaged_files(tmp_path, fuzz):
    counts = assert_nothing_fails(tmp_path, '--cases=8000')
    assert counts.keys() == fuzz.targets.TARGETS.keys()
    assert sum(count['cases'] for count in counts.values()) == 8000
    for name, count in counts.items():
        assert count['cases'] > 0, name
        assert count['read'] + count['refused'] == count['cases'], name
    for what in ('read', 'refused'):  # some damage matters and some does not
        assert sum(count[what] for count in counts.values()) > 800


@pytest.mark.slow
def test_no_reader_fails_on_many_more_of_another_seed(tmp_path):
    assert_nothing_fails(tmp_path, '--cases=200000', f'--seed={time.time_ns()}')


class Harm:
    def __reduce__(self):
        return os.system, ('true',)


def raise_(error):
    raise error


def stand_still():
    while True:
        pass


PICKLED = pickle.dumps(Harm())
PLANTED = {
    'raises another error': (lambda path: {}[0], 'KeyError at fuzz_test.py:'),
    'names no file': (
        lambda path: raise_(errors.InputError('it is damaged')),
        'refused without a word of the file',
    ),
    'gives something else': (lambda path: 3, 'gave what its docstring does not say'),
    'warns': (lambda path: warnings.warn('overflow', RuntimeWarning, 1), 'warned: overflow'),
    'prints': (lambda path: os.write(2, b'native words'), 'printed: native words'),
    'takes memory': (lambda path: bytes(2**30), 'MemoryError at '),
    'takes time': (lambda path: stand_still(), 'TooLong at '),
    'leaves its folder': (
        lambda path: pathlib.Path('/etc/hostname').open().close(),
        'opened a file of another folder',
    ),
    'unpickles': (lambda path: pickle.loads(PICKLED), 'ran pickle.find_class'),
    'runs code': (lambda path: exec('x = 1'), 'ran exec'),
    'ends': (lambda path: os._exit(3), 'ends the process'),
}  # fmt: skip


@pytest.mark.parametrize('what', PLANTED)
def test_a_reader_that_may_not_do_this_is_found(fuzz, monkeypatch, what):
    read, wanted = PLANTED[what]
    warmed = []

    def guarded(path):  # sound at first, as every reader is
        warmed.append(path)
        return read(path) if len(warmed) > 1 else None

    planted = fuzz.targets.Target(
        'file', lambda: [b'content'], guarded, lambda found: found is None or what == 'runs code', 1
    )
    monkeypatch.setitem(fuzz.targets.TARGETS, 'planted', planted)
    count, (failure, *_) = fuzz.run_chunk('planted', 0, 1)
    assert failure.what.startswith(wanted), failure
    assert count == fuzz.Count(1, failed=1)


def test_the_seed_and_the_chunk_decide_the_cases(fuzz):
    for name, target in fuzz.targets.TARGETS.items():
        seeds = target.seeds()

        def cases(seed, name=name, target=target, seeds=seeds):
            chance = random.Random(f'{seed}/{name}')
            return [fuzz.damaged(chance, target, seeds) for _ in range(20)]

        assert cases(1) == cases(1)
        assert cases(1) != cases(2)


def test_shares_add_up(fuzz):
    names = list(fuzz.targets.TARGETS)
    assert sum(fuzz.shares(names, 1_000_000).values()) == 1_000_000
    assert fuzz.shares(['idx'], 7) == {'idx': 7}


@pytest.mark.slow
def test_a_kept_case_is_read_again_by_the_program(tmp_path):
    (tmp_path / 'case').write_bytes(b'8,4')
    done = run(tmp_path, '--targets=fields', f'--replay={tmp_path / "case"}')
    assert done.returncode == 0 or 'UsageError' in done.stderr
    assert run(tmp_path, '--targets=none').returncode == 1


def test_of_a_damaged_image_pillow_says_nothing_of_its_own(capfd, caplog):
    import sample_images

    from tfae.data.formats import image_files

    samples = struct.pack('<HHIH', 277, 3, 1, 3)  # three samples a pixel become twenty
    content = sample_images.encoded(sample_images.pixels(1), 'TIFF')
    assert samples in content
    with pytest.raises(errors.InputError, match='^it is not an image$'):
        image_files.header(content.replace(samples, struct.pack('<HHIH', 277, 3, 1, 20)), 'it')
    assert (capfd.readouterr().err, caplog.text) == ('', '')


HIDDEN = """
import atheris, guided_fuzz
from absl import app


@atheris.instrument_func
def read(path):
    content = path.read_bytes()
    for i, byte in enumerate(b'tf'):
        if content[i : i + 1] != bytes([byte]):
            return None
    return 1 / 0


targets = guided_fuzz.fuzz.targets
targets.TARGETS['hidden'] = targets.Target('it', lambda: [b'sound'], read, lambda _: True, 1)
if __name__ == '__main__':
    app.run(guided_fuzz.main)
"""


def guided(script, folder, *argv):
    pytest.importorskip('atheris')
    words = [sys.executable, str(script), f'--corpus={folder}', *argv]
    variables = {**os.environ, 'PYTHONPATH': f'{ROOT}{os.pathsep}{PATH.parent}'}
    return subprocess.run(words, env=variables, capture_output=True, text=True)


@pytest.mark.slow
def test_a_case_that_coverage_leads_to_is_kept(tmp_path):
    (tmp_path / 'hidden.py').write_text(HIDDEN)
    done = guided(tmp_path / 'hidden.py', tmp_path, '--targets=hidden', '--runs=40000')
    assert done.returncode == 1
    assert 'hidden_guided_1: ZeroDivisionError at hidden.py:' in done.stderr
    assert (tmp_path / 'hidden_guided_1.bin').read_bytes().startswith(b'tf')


@pytest.mark.slow
def test_no_reader_fails_where_coverage_leads(tmp_path):
    script = PATH.with_name('guided_fuzz.py')
    done = guided(script, tmp_path, '--targets=npz', '--runs=500')
    assert done.returncode == 0, done.stdout + done.stderr
    assert '| **all** | 500 |' in done.stdout
