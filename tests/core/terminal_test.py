"""Lines for a terminal whatever names hold, and streams that are closed, full or not read."""

import io
import subprocess
import sys

import pytest
import tfae_program

from tfae.core import terminal


@pytest.mark.parametrize(
    'text, wanted',
    [
        ('an image of é, 猫 and 🐈', 'an image of é, 猫 and 🐈'),
        ('\x1b[31mred\x07\r\x9b2J\x7f', r'\x1b[31mred\x07\r\x9b2J\x7f'),
        ('\u202egnp.exe\u2066\u200f', r'\u202egnp.exe\u2066\u200f'),
        ('a\udcffb\U000e0041', r'a\udcffb\U000e0041'),
        ('a\nb\tc', r'a\nb\tc'),
    ],
)
def test_what_is_not_printable_is_shown_by_its_escape(text, wanted):
    assert terminal.shown(text) == wanted


def test_new_lines_are_kept_on_a_stream_and_what_it_cannot_encode_is_escaped(monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, 'stdout', io.TextIOWrapper(raw, 'ascii'))
    monkeypatch.setattr(sys, 'stderr', sys.stderr)
    terminal.take_streams()
    print('a\tb \x1b é', 1)
    sys.stdout.flush()
    assert raw.getvalue() == b'a\tb \\x1b \\xe9 1\n'


@pytest.mark.parametrize('terminal_there', [True, False])
def test_progress_is_shown_on_a_terminal_alone(monkeypatch, capsys, terminal_there):
    stream = io.StringIO()
    stream.isatty = lambda: terminal_there
    monkeypatch.setattr(sys, 'stderr', stream)
    for k in terminal.progress((4, 5, 6), ' fits'):
        terminal.write(f'row {k}')
    assert capsys.readouterr().out == 'row 4\nrow 5\nrow 6\n'
    assert ('/3 ' in stream.getvalue() and 'fits' in stream.getvalue()) == terminal_there
    assert bool(stream.getvalue()) == terminal_there


def shell(folder, line):
    """A line of the shell in which TFAE is the program: its exit code and what it printed."""
    line = line.replace('TFAE', f'{sys.executable} -m tfae')
    done = subprocess.run(
        ['bash', '-c', f'set -o pipefail; {line}'],
        cwd=folder,
        env=tfae_program.environment(folder, PYTHONPATH=str(tfae_program.ROOT)),
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_a_reader_that_ends_ends_the_program_quietly(tmp_path):
    code, out, err = shell(tmp_path, 'TFAE --help | head -1')
    assert (code, err) in ((0, ''), (141, ''))  # by who was first
    assert out.startswith('tfae: ')
    assert shell(tmp_path, 'TFAE train --help | true')[::2] == (141, '')


def test_a_full_disk_under_stdout_is_one_line(tmp_path):
    code, _, err = shell(tmp_path, 'TFAE --help > /dev/full')
    assert (code, err) == (1, 'tfae: error: [Errno 28] No space left on device\n')


@pytest.mark.parametrize(
    'closed', [*(pytest.param(k, marks=pytest.mark.slow) for k in ('>&-', '2>&-')), '<&- >&- 2>&-']
)
def test_closed_streams_change_nothing_else(tmp_path, closed):
    words = '--dataset=digits --units=30 --epochs=4 --learning_rate=0.01 --logdir=run'
    train = f'TFAE train {words} {closed}'
    code, out, err = shell(tmp_path, train)
    assert (code, err) == (0, '')
    assert ('finished at step' in out) == ('>&-' not in closed.replace('2>&-', ''))
    files = tfae_program.contents(tmp_path / 'run')
    assert all(b'finished' not in content for content, _ in files.values())
    assert shell(tmp_path, f'TFAE evaluate --logdir=none {closed}')[0] == 1
