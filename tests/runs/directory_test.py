"""The folder of a run, and files that are there whole or not at all."""

import json
import math
import os
import pathlib
import subprocess
import sys
import zlib

import numpy as np
import pytest

from tfae import data
from tfae.core import atomic_files, errors
from tfae.models import dense
from tfae.runs.directory import CONFIG, LOCK, METRICS, Folder
from tfae.training import phases
from tfae.training.config import TrainingConfig
from tfae.training.experiment import Experiment

EXPERIMENT = Experiment(
    'dense', dense.Config(units=(3,)), data.Config(), TrainingConfig(), phases.Config()
)


def names(path):
    return sorted(found.name for found in path.iterdir())


def test_a_run_is_there_once_its_configuration_is(tmp_path):
    folder = Folder(tmp_path / 'a' / 'b')
    assert not folder.exists()
    folder.create()
    assert not folder.exists()
    folder.write_config(EXPERIMENT)
    assert folder.exists()
    assert folder.read_config() == EXPERIMENT
    assert names(folder.path) == sorted([CONFIG, LOCK])
    folder.create()


def test_a_path_may_be_a_text(tmp_path):
    assert Folder(str(tmp_path)).path == tmp_path


def test_no_run_is_named(tmp_path):
    with pytest.raises(errors.InputError, match=rf'^{tmp_path} is not a run: .*config.js'):
        Folder(tmp_path).read_config()


@pytest.mark.parametrize('text', [b'', b'{', b'\xff\xfe', b'"' * 9])
def test_a_broken_configuration_is_named(tmp_path, text):
    (tmp_path / CONFIG).write_bytes(text)
    with pytest.raises(errors.InputError, match='config.json cannot be read: '):
        Folder(tmp_path).read_config()


def place_fifo(path):
    os.mkfifo(path)


def place_folder(path):
    path.mkdir()


def place_loop(path):
    path.symlink_to(path.name)


def place_zeros(path):
    path.symlink_to('/dev/zero')


def place_gigabytes(path):
    with path.open('wb') as file:
        file.truncate(3 * 2**30)


@pytest.mark.parametrize('name', [CONFIG, METRICS])
@pytest.mark.parametrize(
    'place', [place_fifo, place_folder, place_loop, place_zeros, place_gigabytes]
)
def test_what_is_no_file_of_a_run_is_refused_by_its_name_and_not_replaced(tmp_path, place, name):
    folder = Folder(tmp_path)
    folder.write_config(Experiment('dense'))
    (tmp_path / name).unlink(missing_ok=True)
    place(tmp_path / name)
    read = folder.read_config if name == CONFIG else folder.metrics
    with pytest.raises(errors.InputError, match=rf'^{tmp_path}/{name} cannot be read: '):
        read()
    assert folder.exists()


ABSURD = [
    (('family', 'units'), [2**40], 'units is 1099511627776'),
    (('family', 'units'), [10**400], 'units is .*inf'),
    (('training', 'seed'), 2**70, 'seed is 1180591620717411303424'),
    (('training', 'learning_rate'), 10**400, 'learning_rate is inf'),
    (('training', 'learning_rate'), math.nan, 'learning_rate is nan'),
    (('training', 'warmup_epochs'), 1e308, r'warmup_epochs is 1e\+308'),
    (('data', 'data_dir'), 'a\0', 'data_dir is '),
    (('signature', 'train'), 2**63, 'train is'),
    (('signature', 'classes'), 10**400, 'classes is'),
    (('signature', 'image_shape'), [2**31, 2**31, 3], 'image_shape is'),
    (('model',), 'a.' * 1000, 'model'),
    (('model',), ['dense'], 'model'),
]


@pytest.mark.parametrize('place, value, text', ABSURD)
def test_an_absurd_value_of_a_configuration_is_refused_by_its_name(tmp_path, place, value, text):
    folder = Folder(tmp_path)
    folder.write_config(Experiment('dense'))
    content = json.loads((tmp_path / CONFIG).read_text())
    inner = content
    for name in place[:-1]:
        inner = inner[name]
    inner[place[-1]] = value
    (tmp_path / CONFIG).write_text(json.dumps(content))
    with pytest.raises(errors.InputError, match=f'config.json.*{text}') as caught:
        folder.read_config()
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize('value', [math.inf, -math.inf, math.nan])
def test_a_record_keeps_what_is_not_finite_and_is_json(tmp_path, value):
    folder = Folder(tmp_path)
    record = {'step': 1, 'phase': 'NaN', 'loss': value, 'trouble': 'Infinity'}
    folder.append_metrics(record)
    line = (tmp_path / METRICS).read_text()
    json.loads(line, parse_constant=lambda text: pytest.fail(text))
    (found,) = folder.metrics()
    assert repr(found) == repr(record)
    folder.rewind_metrics(1)
    assert (tmp_path / METRICS).read_text() == line


def test_a_file_in_the_place_of_a_folder_is_refused(tmp_path):
    (tmp_path / 'run').touch()
    for refused in (Folder(tmp_path / 'run').create, Folder(tmp_path / 'run').refuse_file):
        with pytest.raises(errors.InputError, match='run is a file; it must be a folder'):
            refused()
    Folder(tmp_path).refuse_file()
    Folder(tmp_path / 'new').refuse_file()


def test_a_folder_that_cannot_be_written_is_refused():
    with pytest.raises(errors.InputError, match='--logdir /proc/tfae cannot be written: '):
        Folder('/proc/tfae').create()


HOLDER = """
import fcntl, sys
file = open(sys.argv[1], 'a')
fcntl.flock(file, fcntl.LOCK_EX)
print('held', flush=True)
sys.stdin.read()
"""


def test_a_folder_serves_one_program_at_a_time_and_is_free_when_it_dies(tmp_path):
    folder = Folder(tmp_path)
    folder.create()
    command = [sys.executable, '-c', HOLDER, str(tmp_path / LOCK)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as other:
        assert other.stdout.readline() == 'held\n'
        wanted = 'is in use by another training process'
        with pytest.raises(errors.InputError, match=wanted), folder.locked():
            pass
        other.kill()
    with folder.locked():
        pass


def test_metrics_come_back_in_order(tmp_path):
    folder = Folder(tmp_path)
    assert folder.metrics() == []
    records = [{'step': s, 'phase': 'training', 'loss': 1 / 3 / s} for s in (1, 2, 3)]
    for record in records:
        folder.append_metrics(record)
    assert folder.metrics() == records
    lines = (tmp_path / METRICS).read_text().splitlines()
    found = [json.loads(line) for line in lines]
    for line, record in zip(lines, found, strict=True):
        text = line.partition(', "crc32"')[0]
        assert record.pop('crc32') == f'{zlib.crc32(text.encode()):08x}'
    assert found == records


def test_a_line_that_is_not_as_it_was_written_is_left_out(tmp_path):
    folder = Folder(tmp_path)
    for s in (1, 2, 3):
        folder.append_metrics({'step': s, 'loss': 0.125})
    whole = (tmp_path / METRICS).read_bytes()
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 1
        (tmp_path / METRICS).write_bytes(damaged)
        found = folder.metrics()
        assert len(found) < 3, place
        assert all(record in [{'step': s, 'loss': 0.125} for s in (1, 2, 3)] for record in found)


def test_lines_of_a_run_from_before_there_were_sums_are_read_and_get_one(tmp_path):
    (tmp_path / METRICS).write_text('{"step": 1}\n{"step": 2}\n')
    folder = Folder(tmp_path)
    assert folder.metrics() == folder.rewind_metrics(2) == [{'step': 1}, {'step': 2}]
    assert (tmp_path / METRICS).read_text().count('"crc32"') == 2
    assert folder.metrics() == [{'step': 1}, {'step': 2}]


def test_a_line_that_a_kill_cut_short_is_left_out(tmp_path):
    folder = Folder(tmp_path)
    folder.append_metrics({'step': 1})
    with (tmp_path / METRICS).open('a') as file:
        file.write('{"step": 2, "lo')
    assert folder.metrics() == [{'step': 1}]
    assert folder.rewind_metrics(5) == [{'step': 1}]
    folder.append_metrics({'step': 2})
    assert folder.metrics() == [{'step': 1}, {'step': 2}]


@pytest.mark.parametrize('line', ['3', '[]', '{}', '{"step": "x"}', '{"step": null}', 'null', ''])
def test_a_line_that_is_no_record_is_left_out(tmp_path, line):
    (tmp_path / METRICS).write_text(f'{line}\n{{"step": 4}}\n')
    assert Folder(tmp_path).metrics() == [{'step': 4}]


def test_rewinding_drops_what_comes_after(tmp_path):
    folder = Folder(tmp_path)
    assert folder.rewind_metrics(0) == []
    for s in (10, 20, 30):
        folder.append_metrics({'step': s})
    assert folder.rewind_metrics(20) == [{'step': 10}, {'step': 20}] == folder.metrics()
    assert folder.rewind_metrics(0) == [] == folder.metrics()


def test_a_text_replaces_the_one_before(tmp_path):
    path = tmp_path / 'new' / 'a.txt'
    atomic_files.write_text(path, 'one')
    atomic_files.write_text(path, 'two')
    assert path.read_text() == 'two'
    assert names(path.parent) == ['a.txt']


def test_arrays_come_back_under_their_names(tmp_path):
    arrays = {'encoder/layer_1/kernel': np.arange(6.0).reshape(2, 3), 'labels': np.arange(3)}
    atomic_files.write_npz(tmp_path / 'a.npz', arrays)
    with np.load(tmp_path / 'a.npz') as found:
        assert sorted(found.files) == sorted(arrays)
        assert all(np.array_equal(found[name], arrays[name]) for name in arrays)
    assert names(tmp_path) == ['a.npz']


def test_an_npz_has_the_name_asked_for(tmp_path):
    atomic_files.write_npz(tmp_path / 'codes', {'codes': np.zeros(3)})
    assert names(tmp_path) == ['codes']


def test_a_block_that_fails_leaves_what_was_there_and_nothing_else(tmp_path):
    path = tmp_path / 'a.png'
    path.write_text('old')
    with pytest.raises(RuntimeError), atomic_files.replacing(path) as temporary:
        assert temporary.suffix == '.png'
        assert temporary.parent == tmp_path
        temporary.write_text('half')
        raise RuntimeError
    assert path.read_text() == 'old'
    assert names(tmp_path) == ['a.png']


def test_two_programs_write_under_two_temporary_names(tmp_path, monkeypatch):
    with atomic_files.replacing(tmp_path / 'a') as first:
        first.touch()
        number = os.getpid() + 1
        monkeypatch.setattr(os, 'getpid', lambda: number)
        with atomic_files.replacing(tmp_path / 'a') as second:
            second.touch()
            assert pathlib.Path(first) != pathlib.Path(second)
