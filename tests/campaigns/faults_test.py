"""A sample of the fault campaign, and regression tests of the bugs that it found."""

import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import time

import pytest
import tensorflow.compat.v1 as tf
import tfae_program

from tfae.runs.event_file import EventFile

ROOT = pathlib.Path(__file__).parents[2]
WORDS = ('train', '--units=8,4', '--epochs=6', '--checkpoint_steps=5', '--batch_size=72')
WORDS = (*WORDS, '--dataset=synthetic', '--logdir=run')  # ten steps an epoch


def campaign(folder, *argv):
    words = [
        sys.executable,
        str(ROOT / 'tests' / 'campaigns' / 'faults.py'),
        f'--json={folder}/counts.json',
    ]
    variables = {**os.environ, 'PYTHONPATH': str(ROOT)}
    done = subprocess.run([*words, *argv], env=variables, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads((folder / 'counts.json').read_text())


@pytest.mark.slow
def test_a_small_campaign_loses_nothing(tmp_path):
    seed = f'--seed={time.time_ns()}'
    counts = campaign(tmp_path, '--families=dense', '--kinds=kill,flip', '--rounds=1', seed)
    assert list(counts) == ['kill', 'flip']
    for count in counts.values():
        assert count['faults'] == 1
        assert count['runs'] >= 1
        assert count['identical'] + count['explained'] >= count['runs']
        assert count['lost'] == 0


@pytest.mark.slow
def test_a_larger_campaign_loses_nothing(tmp_path):
    kinds = 'kill,commands,full,readonly,flip,cut,shards,clock,two,tensorboard,workers'
    counts = campaign(tmp_path, f'--kinds={kinds}', '--rounds=12', f'--seed={time.time_ns()}')
    assert list(counts) == kinds.split(',')
    assert all(count['faults'] >= 12 and not count['lost'] for count in counts.values())


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp('whole')
    assert tfae_program.run(*WORDS, cwd=folder).code == 0
    return folder / 'run'


@pytest.fixture
def stopped(tmp_path):
    """A run that was stopped in its fourth epoch or later, with all of its checkpoints."""
    program = tfae_program.start(*WORDS, '--keep_checkpoints=100', cwd=tmp_path)
    tfae_program.wait_for(lambda: len(tfae_program.metrics(tmp_path / 'run')) >= 4, program)
    program.send(signal.SIGTERM)
    assert program.wait().code in (0, 143)
    return tmp_path / 'run'


def flipped(line, chance):
    damaged = bytearray(line)
    damaged[chance.randrange(len(damaged))] ^= 1
    return bytes(damaged)


def assert_same(run, whole):
    last, wanted = tfae_program.checkpoint(run), tfae_program.checkpoint(whole)
    assert tfae_program.same_bytes(last, wanted)
    assert tfae_program.metrics(run) == tfae_program.metrics(whole)


@pytest.mark.parametrize(
    'harm, lacking',
    [
        (lambda lines: [*lines[:2], flipped(lines[2], random.Random(3)), *lines[3:]], 30),
        (lambda lines: [*lines[:1], lines[1][:20]], 20),
        (lambda lines: [lines[0], *lines[2:]], 20),
        (lambda lines: [], 10),
    ],
    ids=['flipped', 'cut', 'a line gone', 'empty'],
)
def test_a_record_that_is_damaged_is_made_again(stopped, whole, harm, lacking):
    path = stopped / 'metrics.jsonl'
    path.write_bytes(b''.join(harm(path.read_bytes().splitlines(keepends=True))))
    done = tfae_program.run(*WORDS, cwd=stopped.parent)
    assert (done.code, done.err) == (0, '')
    said = [line for line in done.out.splitlines() if not line.startswith('data set ')]
    assert said[:2] == [
        f'run/metrics.jsonl is damaged: it lacks the record of step {lacking}; training goes back '
        f'to step {lacking - 5} to record it again',
        f'run: at step {lacking - 5} of 60',
    ]
    assert_same(stopped, whole)


def test_a_record_that_no_checkpoint_precedes_stops_the_run_which_goes_on_once_it_is_back(
    stopped, whole
):
    for step in tfae_program.steps(stopped)[:-1]:
        for path in stopped.glob(f'model-{step}.*'):
            path.unlink()
    path = stopped / 'metrics.jsonl'
    sound = path.read_bytes()
    path.write_bytes(sound[:50])
    before = tfae_program.contents(stopped)
    line = tfae_program.run(*WORDS, cwd=stopped.parent).refusal(1)
    assert line == (
        'run/metrics.jsonl is damaged: it lacks the record of step 10, and every checkpoint is '
        'newer; restore the file from a copy, or choose another --logdir'
    )
    assert tfae_program.contents(stopped) == before
    path.write_bytes(sound)
    assert tfae_program.run(*WORDS, cwd=stopped.parent).code == 0
    assert_same(stopped, whole)


def test_a_clock_that_was_set_back_puts_no_event_file_before_an_older_one(tmp_path, monkeypatch):
    made = []
    for now in (2_000_000_000, 1_000_000_000, 2_000_000_000, 2_000_000_001, 0):
        monkeypatch.setattr(time, 'time', lambda now=now: now)
        EventFile(tmp_path, 0, tf.Graph()).close()
        made += sorted({path.name for path in tmp_path.iterdir()} - set(made))
    assert len(made) == 5
    assert made == sorted(made)


def test_shards_on_a_full_disk_are_refused_in_one_line(tmp_path, monkeypatch):
    import sample_images

    from tfae.core import errors
    from tfae.data.formats import image_folder, shard_writer

    sample_images.fill(tmp_path / 'in', 3)
    listing = image_folder.listed(tmp_path / 'in', 0.5)
    plan = shard_writer.Plan(
        tmp_path / 'a.tfrecord', listing.root, listing.names, listing.split.tolist(), None, None,
        0, False,
    )  # fmt: skip

    def refuse(*_):
        raise tf.errors.ResourceExhaustedError(None, None, 'No space left on device')

    monkeypatch.setattr(tf.io.TFRecordWriter, 'write', refuse)
    with pytest.raises(errors.InputError, match='a.tfrecord cannot be written: No space left'):
        shard_writer.write(plan)
    assert [path.name for path in tmp_path.iterdir()] == ['in']
