"""Flags from dataclasses: names and choices of earlier versions, flag files."""

import dataclasses
from typing import Literal

import pytest

from tfae import data
from tfae.commands.shared import command_flags
from tfae.core import config, errors
from tfae.training import recipes

NAMES = '--colour is now --color'
CHOICES = '--color=grey is now --color=gray'


@dataclasses.dataclass(frozen=True)
class Config:
    """Three flags that had other names or choices."""

    color: Literal['gray', 'rgb'] = config.option(
        'rgb', 'Channels.', formerly='colour', former_values={'grey': 'gray'}
    )
    images: bool = config.option(True, 'Whether there are any.', formerly='pictures')
    kinds: tuple[Literal['gray', 'rgb'], ...] = config.option(
        ('rgb',), 'Of each.', former_values={'grey': 'gray'}
    )
    count: int = config.option(1, 'How many.')


def read(*argv):
    return command_flags.read('show', 'Shows.', Config, argv)


@pytest.mark.parametrize(
    'argv, want, notice',
    [
        (['--color=gray'], Config(color='gray'), ''),
        (['--colour=gray'], Config(color='gray'), NAMES),
        (['--colour', 'gray'], Config(color='gray'), NAMES),
        (['-colour=grey'], Config(color='gray'), f'{NAMES}; {CHOICES}'),
        (['--color=grey'], Config(color='gray'), CHOICES),
        (['--kinds=rgb, grey'], Config(kinds=('rgb', 'gray')), '--kinds=grey is now --kinds=gray'),
        (['--nopictures'], Config(images=False), '--pictures is now --images'),
        (['--pictures=false'], Config(images=False), '--pictures is now --images'),
        (['--color=gray', '--colour=grey'], Config(color='gray'), f'{NAMES}; {CHOICES}'),
    ],
)
def test_a_former_spelling_means_the_present_one_and_says_so_in_a_line(capsys, argv, want, notice):
    assert read(*argv) == want
    assert capsys.readouterr() == ('', f'tfae: {notice}\n' if notice else '')


@pytest.mark.parametrize(
    'argv, text',
    [
        (
            ['--colour=grey', '--count=3', '--color=rgb'],
            '--colour is gray and --color, its new name, is rgb; omit --colour',
        ),
        (
            ['--images', '--count', '3', '--nopictures'],
            '--pictures is false and --images, its new name, is true; omit --pictures',
        ),
        (['--colour=blue'], "--color is 'blue'; it must be one of gray, rgb"),
        (['--coulour=gray'], 'tfae show has no flag --coulour; did you mean color?'),
        (['--nopictures=3'], 'tfae show: --nopictures=3 does not take an argument'),
    ],
)
def test_two_spellings_with_two_values_and_wrong_ones_are_refused(argv, text):
    with pytest.raises(errors.UsageError) as error:
        read(*argv)
    assert str(error.value) == text


@pytest.mark.parametrize('inside, outside', [('colour', 'color'), ('color', 'colour')])
def test_a_later_spelling_wins_over_that_of_a_flag_file(tmp_path, inside, outside):
    path = tmp_path / 'my.flags'
    path.write_text(f'--{inside}=gray\n--nopictures\n')
    want = Config(color='rgb', images=False)
    assert read(f'--flagfile={path}', f'--{outside}=rgb') == want
    want = Config(color='gray', images=False)
    assert read(f'--{outside}=rgb', '--flagfile', str(path)) == want


def test_help_shows_the_present_names_alone(capsys):
    with pytest.raises(SystemExit):
        read('--help')
    out = capsys.readouterr().out
    assert '--color=rgb' in out
    assert '--images=true' in out
    assert 'colour' not in out
    assert 'pictures' not in out


def test_flags_are_found_behind_the_values_of_others():
    line = ['--units', '8,4', '--model', 'gan', '--notied', '--logdir=a']
    assert command_flags.peek(line, 'model', 'logdir') == {'model': 'gan', 'logdir': 'a'}


def test_the_recipes_spell_every_flag_as_today():
    old = {f'--{name}' for name in config.former_names(data.Config)}
    for name in recipes.names():
        assert not old & {flag.partition('=')[0] for flag in recipes.flags(name)}, name
