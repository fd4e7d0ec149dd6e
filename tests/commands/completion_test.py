"""`tfae completion`: the shells themselves complete with its scripts."""

import shutil
import subprocess

import pytest
import tfae_program

from tfae import commands


@pytest.fixture(scope='module')
def script():
    """The script of a shell."""

    def made(shell):
        done = tfae_program.run('completion', shell)
        assert done.code == 0, done.err
        return done.out

    return made


def bash(script, *words):
    """What bash offers for the last of these words."""
    program = f"""{script}
compopt() {{ :; }}
COMP_WORDS=({' '.join(f"'{word}'" for word in words)})
COMP_CWORD={len(words) - 1}
_tfae
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    done = subprocess.run(['bash', '-c', program], capture_output=True, text=True)
    assert done.returncode == 0 and not done.stderr, done.stderr
    return done.stdout.split()


def test_bash_completes_commands_and_their_flags(script):
    text = script('bash')
    every = [name for group in commands.GROUPS.values() for name in group]
    assert bash(text, 'tfae', '') == [*every, '--help', '--version']
    assert bash(text, 'tfae', 'ev') == ['evaluate']
    assert bash(text, 'tfae', 'train', '--lab') == ['--labeled_examples=', '--labeled_seed=']
    assert bash(text, 'tfae', 'train', '--free_') == ['--free_bits=']  # of another family
    assert bash(text, 'tfae', 'evaluate', '--lab') == []
    assert bash(text, 'tfae', 'evaluate', '--he') == ['--help']  # takes no value
    assert bash(text, 'tfae', 'train', 'x') == []


@pytest.mark.skipif(not shutil.which('zsh'), reason='zsh is not installed')
def test_zsh_reads_its_script(script):
    program = f'compdef() {{ :; }}\n{script("zsh")}\nfunctions _tfae'
    done = subprocess.run(['zsh', '-fc', program], capture_output=True, text=True)
    assert done.returncode == 0 and '--free_bits=' in done.stdout, done.stderr


@pytest.mark.skipif(not shutil.which('fish'), reason='fish is not installed')
def test_fish_completes(script):
    program = f"{script('fish')}\ncomplete -C 'tfae train --lab'"
    done = subprocess.run(['fish', '-Nc', program], capture_output=True, text=True)
    assert done.stdout.split() == ['--labeled_examples', '--labeled_seed'], done.stderr


def test_a_shell_that_is_not_known_is_refused(tmp_path):
    done = tfae_program.run('completion', 'tcsh', cwd=tmp_path)
    assert done.refusal(2) == (
        "tfae completion: shell is 'tcsh'; it must be one of bash, zsh, fish"
    )
