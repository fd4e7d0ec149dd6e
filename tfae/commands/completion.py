"""Print a shell script that completes commands and flags.

source <(tfae completion bash)                                  # in ~/.bashrc
source <(tfae completion zsh)                                   # in ~/.zshrc, after compinit
tfae completion fish > ~/.config/fish/completions/tfae.fish
"""

import contextlib
import importlib
import io
import re
from collections.abc import Callable, Mapping

from tfae import commands, models
from tfae.commands.shared import command_flags
from tfae.core import errors
from tfae.core.config import Part

_Flags = Mapping[str, tuple[str, ...]]  # command -> `--name=` of its flags, and --help


class Config(Part):
    """No flags."""


def main(argv: list[str]) -> int:
    """Runs `tfae completion`; returns the exit code 0.

    Raises: UsageError for a shell other than bash, zsh and fish.
    """
    _, words = command_flags.read_words('completion', __doc__, Config, argv, 'bash|zsh|fish')
    shells: dict[str, Callable[[_Flags], str]] = {'bash': _bash, 'zsh': _zsh, 'fish': _fish}
    shell = errors.one_of('tfae completion: shell', ' '.join(words), shells)
    print(shells[shell](_flags()))
    return 0


def _flags() -> dict[str, tuple[str, ...]]:
    """Returns command -> its flags; those that train have the flags of every built-in family."""
    found = {}
    for name in (name for group in commands.GROUPS.values() for name in group):
        lines = [['--help']]
        if name == 'train':
            lines = [[f'--model={family}', '--help'] for family in models.names()]
        every = [
            flag for line in lines for flag in re.findall(r'^  (--\w+=)', _help(name, line), re.M)
        ]
        found[name] = tuple(dict.fromkeys([*every, '--help', '--flagfile=']))
    for name in ('study', 'sweep'):
        found[name] = tuple(dict.fromkeys([*found[name], *found['train']]))
    return found


def _help(name: str, argv: list[str]) -> str:
    printed = io.StringIO()
    command = importlib.import_module(f'{commands.__name__}.{name.replace("-", "_")}')
    with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
        command.main(argv)
    return printed.getvalue()


def _cases(flags: _Flags, form: str) -> str:
    return '\n'.join(form % (name, ' '.join(words)) for name, words in flags.items())


def _bash(flags: _Flags) -> str:
    return f"""_tfae() {{
    local word=${{COMP_WORDS[COMP_CWORD]}} flags=
    if [[ $COMP_CWORD == 1 ]]; then
        COMPREPLY=($(compgen -W "{' '.join(flags)} --help --version" -- "$word"))
        return
    fi
    case ${{COMP_WORDS[1]}} in
{_cases(flags, '        %s) flags="%s" ;;')}
    esac
    if [[ $word == -* ]]; then
        compopt -o nospace
        COMPREPLY=($(compgen -W "$flags" -- "$word"))
    fi
}}
complete -o default -F _tfae tfae"""


def _zsh(flags: _Flags) -> str:
    return f"""#compdef tfae
_tfae() {{
    local -a flags
    if (( CURRENT == 2 )); then
        compadd -- {' '.join(flags)} --help --version
        return
    fi
    case $words[2] in
{_cases(flags, '        %s) flags=(%s) ;;')}
    esac
    if [[ $words[CURRENT] == -*=* ]]; then
        compset -P '*=' && _files
    elif [[ $words[CURRENT] == -* ]]; then
        compadd -S '' -- $flags
    else
        _files
    fi
}}
compdef _tfae tfae"""


def _fish(flags: _Flags) -> str:
    lines = [f"complete -c tfae -n __fish_use_subcommand -f -a '{' '.join(flags)}'"]
    for name, words in flags.items():
        seen = f"'__fish_seen_subcommand_from {name}'"
        for word in words:
            flag = word.removeprefix('--').replace('=', ' -r')
            lines.append(f'complete -c tfae -n {seen} -l {flag}')
    return '\n'.join(lines)
