"""Runs over images in files: they end as they would have, and take memory for none of it."""

import json
import os

import numpy as np
import pytest
import sample_images
import tfae_program

SMALL = ('train', '--units=6,3', '--batch_size=8', '--epochs=9', '--augment=flip,crop:2')
OFTEN = ('--checkpoint_steps=3', '--summary_steps=5')


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Images in `images` and the same as shards in `records`."""
    folder = tmp_path_factory.mktemp('larger')
    sample_images.fill(folder / 'images' / 'a', 40)
    sample_images.fill(folder / 'images' / 'b', 40, 'png')
    argv = ('convert', '--input=images', '--output=records', '--shard_examples=30')
    assert tfae_program.run(*argv, cwd=folder).code == 0
    return folder


@pytest.fixture(scope='module')
def whole(folder):
    """The run over the folder that was never stopped."""
    argv = (*SMALL, '--dataset=images', '--data_dir=images', '--size=12x12', *OFTEN)
    done = tfae_program.run(*argv, '--logdir=whole', cwd=folder)
    assert done.code == 0, done
    return folder / 'whole'


def same(run, whole):
    wanted = tfae_program.checkpoint(whole)
    assert tfae_program.steps(run)[-1] == tfae_program.steps(whole)[-1]
    assert tfae_program.same_bytes(tfae_program.checkpoint(run), wanted)
    assert tfae_program.metrics(run) == tfae_program.metrics(whole)


@pytest.mark.parametrize('name', [pytest.param('images', marks=pytest.mark.slow), 'records'])
def test_a_killed_run_ends_byte_identical(folder, whole, name):
    argv = (*SMALL, f'--dataset={name}', f'--data_dir={name}', '--size=12x12', *OFTEN)
    argv = (*argv, f'--logdir=killed_{name}')
    logdir, killed = folder / f'killed_{name}', 0
    for records in (1, 4):
        program = tfae_program.start(*argv, cwd=folder)
        tfae_program.wait_for(lambda n=records: len(tfae_program.metrics(logdir)) >= n, program)
        killed += program.kill().code != 0
    assert killed
    assert tfae_program.run(*argv, cwd=folder).code == 0
    same(folder / f'killed_{name}', whole)


def test_a_image_that_goes_bad_stops_the_run_and_is_named(folder, tmp_path):
    sample_images.fill(tmp_path / 'in', 30, 'png')
    content = bytearray(sample_images.encoded(sample_images.pixels(1), 'PNG'))
    content[60:90] = bytes(30)
    for i in range(5):
        (tmp_path / 'in' / f'bad_{i}.png').write_bytes(content)
    argv = (*SMALL, '--dataset=images', '--data_dir=in', '--logdir=run', '--validation_fraction=0')
    line = tfae_program.run(*argv, cwd=tmp_path).refusal(1)
    assert 'in/bad_' in line
    assert '.png cannot be decoded: ' in line


@pytest.mark.slow
def test_greedy_training_and_a_network_on_top_read_images_too(folder):
    argv = ('train', '--units=6,3', '--batch_size=8', '--epochs=1', '--pretraining=greedy')
    argv = (*argv, '--pretraining_epochs=1', '--dataset=records', '--data_dir=records')
    done = tfae_program.run(*argv, '--logdir=greedy', cwd=folder)
    assert done.code == 0, done
    argv = ('train', '--model=classifier', '--units=6', '--batch_size=8', '--epochs=1')
    done = tfae_program.run(
        *argv, '--dataset=images', '--data_dir=images', '--logdir=classes', cwd=folder
    )
    assert done.code == 0, done
    done = tfae_program.run('evaluate', '--logdir=classes', '--data_dir=images', cwd=folder)
    assert 'error' in done.out, done


def peak(folder, examples):
    """Bytes that a run over so many images of 64x64 takes at most."""
    for part, count in (('train', examples), ('test', 10)):
        sample_images.fill(folder / 'in' / part, 25, 'png')
        for i in range(25, count):
            made = folder / 'in' / part
            os.link(made / f'{i % 25:05}.png', made / f'{i:05}.png')
    done = tfae_program.run('convert', '--input=in', '--output=out', cwd=folder)
    assert done.code == 0, done
    argv = ('train', '--units=4,2', '--batch_size=100', '--epochs=1', '--size=64x64')
    argv = (*argv, '--dataset=records', '--data_dir=out', '--logdir=run', '--validation_fraction=0')
    process = tfae_program.cold(*argv, cwd=folder)
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, process.stderr.read()
    (record,) = tfae_program.metrics(folder / 'run')
    assert record['step'] == -(-examples // 100)
    signature = json.loads((folder / 'run' / 'config.json').read_text())['signature']
    assert signature['train'] == examples
    return usage.ru_maxrss * 1024


@pytest.mark.slow
def test_twenty_thousand_images_take_the_memory_of_one_thousand(tmp_path):
    for name in ('few', 'many'):
        (tmp_path / name).mkdir()
    few, many = peak(tmp_path / 'few', 1000), peak(tmp_path / 'many', 20_000)
    array = 20_000 * np.prod([64, 64, 3])  # as bytes; as numbers of four bytes they were 1 GB
    assert many - few < array / 4
    assert many < 1.1 * few
