"""The program itself: commands, help, time to answer, and that all ways to start it agree."""

import dataclasses
import pathlib
import subprocess
import sys
import time

import pytest
import tfae_program

from tfae import __main__
from tfae.commands import doctor

COMMANDS = [
    path.stem.replace('_', '-')
    for path in sorted((tfae_program.ROOT / 'tfae' / 'commands').glob('*.py'))
    if not path.stem.startswith('_')
]


def test_help_answers_within_half_a_second_and_without_tensorflow(tmp_path):
    times = []
    for _ in range(3):  # the best of three: other programs share the machine
        start = time.monotonic()
        done = tfae_program.finish(tfae_program.cold('--help', cwd=tmp_path))
        times.append(time.monotonic() - start)
        assert (done.code, done.err) == (0, '')
    assert min(times) < 0.5
    for command in COMMANDS:
        assert any(line.split()[:1] == [command] for line in done.out.splitlines()), command
    code = (
        'import sys; from tfae import __main__; __main__.run(["--help"]);'
        'sys.exit("tensorflow" in sys.modules)'
    )
    assert subprocess.run([sys.executable, '-c', code], cwd=tfae_program.ROOT).returncode == 0


@pytest.mark.parametrize('text', ['', 'Unable to allocate 9 GiB'])
def test_exhausted_memory_is_one_line(monkeypatch, capsys, text):
    def exhausted(argv):
        raise MemoryError(text)

    monkeypatch.setattr(doctor, 'main', exhausted)
    assert __main__.run(['doctor']) == 1
    more = f': {text}' if text else ''
    assert capsys.readouterr().err == f'tfae: error: out of memory{more}\n'


@pytest.mark.parametrize('word', ['-h', 'help'])
def test_help_has_other_names(tmp_path, word):
    done = tfae_program.run(word, cwd=tmp_path)
    assert done.out == tfae_program.run('--help', cwd=tmp_path).out


@pytest.mark.parametrize('command', COMMANDS)
def test_each_command_lists_its_flags_with_help_and_default(tmp_path, command):
    done = tfae_program.run(command, '--help', cwd=tmp_path)
    assert (done.code, done.err) == (0, '')
    lines = done.out.splitlines()
    assert lines[0].startswith(f'tfae {command}: ')
    flags = [i for i, line in enumerate(lines) if line.startswith('  --')]
    assert bool(flags) == (command != 'completion')
    for i in flags:
        assert '=' in lines[i]
        assert lines[i + 1].startswith(' ' * 6)


def test_train_lists_every_field_of_every_configuration(tmp_path):
    from tfae import data
    from tfae.core import config
    from tfae.models import dense
    from tfae.runs import options
    from tfae.training import phases
    from tfae.training.config import TrainingConfig

    text = tfae_program.run('train', '--model=dense', '--help', cwd=tmp_path).out
    words = ' '.join(text.split())
    for kind in (dense.Config, data.Config, TrainingConfig, phases.Config, options.Config):
        for field in dataclasses.fields(kind):
            assert f'--{field.name}={config.text(field.default)} ' in words
            if field.name != 'dataset':  # `train` lists the sets that there are
                assert ' '.join(field.metadata['help'].split()) in words
    assert f'Data set: {", ".join(data.names())}, or your own module' in words
    for choice in ('leaky_relu', 'nesterov', 'cosine', 'bernoulli', 'greedy'):
        assert choice in words


@pytest.mark.slow
def test_the_program_ends_cold_as_it_does_forked(tmp_path):
    """What the tests that fork rest on."""
    argv = ('train', '--units=8,4', '--epochs=1')
    refused = [*argv, '--unit=3', '--logdir=x']
    processes = [
        tfae_program.cold(*argv, '--logdir=cold', cwd=tmp_path),
        tfae_program.cold(*refused, cwd=tmp_path),
    ]
    cold, cold_refused = map(tfae_program.finish, processes)
    forked = tfae_program.run(*argv, '--logdir=forked', cwd=tmp_path)
    assert (cold.code, cold.err) == (forked.code, forked.err) == (0, '')
    assert cold.out.splitlines()[-1] == forked.out.splitlines()[-1].replace('forked', 'cold')
    assert tfae_program.metrics(tmp_path / 'cold') == tfae_program.metrics(tmp_path / 'forked')
    assert tfae_program.same_bytes(
        tfae_program.checkpoint(tmp_path / 'cold'), tfae_program.checkpoint(tmp_path / 'forked')
    )
    assert cold_refused == tfae_program.run(*refused, cwd=tmp_path)
    assert cold_refused.refusal(2)


def test_the_installed_script_is_the_same_program(tmp_path):
    script = pathlib.Path(sys.executable).with_name('tfae')
    if not script.exists():
        pytest.skip('tfae is not installed beside this Python')
    out = subprocess.check_output([script, '--help'], cwd=tmp_path, text=True)
    assert out == tfae_program.run('--help', cwd=tmp_path).out
