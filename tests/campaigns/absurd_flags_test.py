"""absurd_flags.py: a sample of its cases, and its criteria of a failure."""

import dataclasses
import importlib
import os
import pathlib
import subprocess
import sys

import campaign_modules
import pytest
import tfae_program

from tfae import models

ROOT = pathlib.Path(__file__).parents[2]
PATH = ROOT / 'tests' / 'campaigns' / 'absurd_flags.py'


@pytest.fixture(scope='module')
def campaign():
    with campaign_modules.imported(PATH) as module:
        yield module


def test_every_flag_of_every_command_and_family_is_given_values(campaign):
    found = campaign.commands()
    folder = ROOT / 'tfae' / 'commands'
    kinds = {
        path.stem: getattr(importlib.import_module(f'tfae.commands.{path.stem}'), 'Config', None)
        for path in folder.glob('[!_]*.py')
        if path.stem not in campaign.LEFT_OUT
    }
    for name, kind in kinds.items():
        for field in dataclasses.fields(kind) if kind else ():
            values = {case.value for case in found[name] if case.flag == field.name}
            assert len(values) > 1, (name, field.name)
    flags = {case.flag for case in found['train']}
    for family in models.names():
        assert flags >= {field.name for field in dataclasses.fields(models.load(family).Config)}


def test_a_few_of_all_command_lines_end_well_or_with_one_line(tmp_path):
    words = [sys.executable, str(PATH), '--cases=12', '--seed=3']
    variables = {**os.environ, 'PYTHONPATH': str(ROOT), 'TMPDIR': str(tmp_path)}
    done = subprocess.run(words, env=variables, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert '12 command lines of ' in done.stdout and ' 0 failed' in done.stdout


@pytest.mark.parametrize(
    'code, out, err, fine',
    [
        (0, 'done', '', True),
        (2, '', 'tfae: error: --units is 0\n', True),
        (1, '', 'tfae: error: a file\n', True),
        (1, '', 'Traceback (most recent call last):\nValueError: a', False),
        (2, '', 'tfae: error: a\ntfae: error: b\n', False),
        (2, '', '', False),
        (3, '', 'tfae: error: a\n', False),
        (-9, '', '', False),
        (-24, '', 'tfae: error: a\n', False),
    ],
)
def test_a_program_that_does_otherwise_is_found(campaign, monkeypatch, code, out, err, fine):
    class Program:
        def wait(self):
            return tfae_program.Done(code, out, err)

    monkeypatch.setattr(campaign.tfae_program, 'start', lambda *_, **__: Program())
    case = campaign.Case('train', 'units', '0', ('train', '--units=0'))
    assert (campaign.wrong(case, {}, pathlib.Path()) == '') == fine


def test_a_program_that_does_not_end_is_found(campaign, monkeypatch):
    class Program:
        def wait(self):
            raise AssertionError('the program does not end')

        def send(self, number):
            sent.append(number)

    sent = []
    monkeypatch.setattr(campaign.tfae_program, 'start', lambda *_, **__: Program())
    case = campaign.Case('train', 'units', '0', ('train', '--units=0'))
    assert campaign.wrong(case, {}, pathlib.Path()) == 'the program does not end'
    assert sent == [9]
