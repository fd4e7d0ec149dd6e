"""`tfae train --dry_run`, `--print_config`: say what a run will be, and train and write nothing."""

import json
import re

import numpy as np
import pytest
import tfae_program

SETS = ('--dataset=synthetic', '--synthetic_examples=200', '--batch_size=20', '--epochs=3')


def shapes(printed):
    found = re.findall(
        r'^  ((?:encoder|decoder|classifier)/\S+) +\[(.*?)\] +float32$', printed, re.M
    )
    return {name: tuple(int(n) for n in shape.split(',')) for name, shape in found}


def activations(printed, batch):
    (found,) = re.findall(rf'activations of a batch of {batch} ([\d.]+) kB and as much f', printed)
    return float(found)


@pytest.mark.parametrize(
    'words, parameters, width',
    [
        # 256-12-4-12-256, and as many values an example at least.
        (('--units=12,4',), 256 * 12 + 12 + 12 * 4 + 4 + 4 * 12 + 12 + 12 * 256 + 256, 284),
        # 256-8, 8-2 classes.
        (('--model=classifier', '--units=8'), 256 * 8 + 8 + 8 * 2 + 2, 8),
    ],
)
def test_the_figures_are_those_of_the_run(tmp_path, words, parameters, width):
    words = (*words, *SETS, '--logdir=run')
    dry = tfae_program.run('train', *words, '--dry_run', cwd=tmp_path)
    assert (dry.code, dry.err) == (0, '')
    assert not list(tmp_path.iterdir())
    assert f'\nparameters: {parameters:,}, {4 * parameters / 1e3:,.1f} kB\n' in dry.out
    assert '\n  training: 3 epochs, steps 0 to 22\n' in dry.out  # 3 x 144 / 20
    held = activations(dry.out, 20)
    assert 20 * 4 * width / 1e3 <= held <= 20 * 4 * (4 * width + 4 * 256) / 1e3
    parts = tfae_program.run('train', *words, '--dry_run', '--accumulation_steps=2', cwd=tmp_path)
    # The images of the whole batch are not split.
    assert 0.95 * held / 2 <= activations(parts.out, 10) <= 0.75 * held
    assert dry.out.rstrip().endswith(f'data set {160 * 256 / 1e3:.1f} kB')

    assert tfae_program.run('train', *words, cwd=tmp_path).code == 0
    stored = tfae_program.checkpoint(tmp_path / 'run')
    said = shapes(dry.out)
    assert said == {name: value.shape for name, value in stored.items() if name in said}
    assert {name for name in stored if re.match(r'(encoder|decoder|classifier)/', name)} >= set(
        said
    )
    size = sum(value.nbytes for value in stored.values())
    assert f'\ncheckpoint: {size / 1e3:,.1f} kB, with the variables of the optimizer\n' in dry.out


def test_every_flag_of_the_configuration_is_printed_as_the_command_line_takes_it(tmp_path):
    dry = tfae_program.run('train', *SETS, '--units=12,4', '--dry_run', cwd=tmp_path)
    flags = re.findall(r'^  (--\w+=.*)$', dry.out, re.M)
    assert {'--units=12,4', '--epochs=3', '--tied=false', '--corruption=none'} <= set(flags)
    again = tfae_program.run('train', *flags, '--dry_run', cwd=tmp_path)
    assert (again.code, again.out) == (0, dry.out)


def test_what_training_would_refuse_is_refused(tmp_path):
    dry = tfae_program.run('train', *SETS, '--batch_size=900', '--dry_run', cwd=tmp_path)
    assert dry.refusal(2) == '--batch_size is 900; the training set has only 144 examples'


def test_without_a_folder_no_run_in_the_working_directory_counts(tmp_path):
    words = ('train', *SETS, '--units=12,4')
    assert tfae_program.run(*words, '--logdir=run', cwd=tmp_path).code == 0
    dry = tfae_program.run('train', *SETS, '--units=9', '--dry_run', cwd=tmp_path)
    assert dry.code == 0 and shapes(dry.out)['encoder/layer_1/kernel'] == (256, 9)
    dry = tfae_program.run(*words, '--units=9', '--dry_run', '--logdir=run', cwd=tmp_path)
    assert '--units was 12,4, is 9' in dry.refusal(2)


def sections(path):
    content = json.loads((path / 'config.json').read_text())
    return {k: v for k, v in content.items() if k not in ('versions', 'history')}


@pytest.mark.parametrize(
    'words, resolved',
    [
        (('--model=regressor', '--values=1.5,4', f'--seed={2**64 - 1}'), '--units=200'),
        (('--units="12",4', '--corruption=masking:0.3', '--learning_rate=3e-4'), '--epochs=3'),
    ],
)
def test_the_printed_configuration_is_a_flag_file_of_the_same_run(tmp_path, words, resolved):
    words = (*SETS, *words)
    made = tfae_program.run('train', *words, '--print_config', cwd=tmp_path)
    assert (made.code, made.err) == (0, '')
    lines = made.out.splitlines()
    assert resolved in lines and all(line.startswith('--') for line in lines)
    assert not list(tmp_path.iterdir())
    (tmp_path / 'flags').write_text(made.out)
    given = ('train', '--flagfile=flags')
    assert tfae_program.run(*given, '--print_config', cwd=tmp_path).out == made.out
    assert tfae_program.run(*given, '--logdir=read', cwd=tmp_path).code == 0
    assert tfae_program.run('train', *words, '--logdir=run', cwd=tmp_path).code == 0
    assert sections(tmp_path / 'read') == sections(tmp_path / 'run')
    one, other = (tfae_program.checkpoint(tmp_path / name) for name in ('read', 'run'))
    assert all(np.array_equal(one[name], other[name]) for name in one.keys() | other.keys())

    # Of a run, with other epochs.
    before = (tmp_path / 'run' / 'config.json').read_bytes()
    line = ('train', '--logdir=run', '--epochs=5', '--print_config')
    of_run = tfae_program.run(*line, cwd=tmp_path).out
    assert of_run == made.out.replace('--epochs=3\n', '--epochs=5\n')
    assert (tmp_path / 'run' / 'config.json').read_bytes() == before
    both = tfae_program.run(*line, '--dry_run', cwd=tmp_path)
    assert both.refusal(2) == '--print_config and --dry_run exclude each other'
