"""Configurations of runs as rows: what was asked for, what is usual, where runs differ."""

import dataclasses
import shlex
from collections.abc import Sequence
from typing import NamedTuple

from tfae.core import config
from tfae.training.experiment import Experiment


class Setting(NamedTuple):
    """A flag of a run."""

    flag: str  # `--name`
    value: str
    usual: str  # its default
    help: str


def settings(experiment: Experiment) -> list[Setting]:
    """Every flag that decides what a run computes, the family first."""
    found = [Setting('--model', experiment.model, '', 'Family.')]
    for part in experiment.parts().values():
        for field in dataclasses.fields(part):
            value, usual = (config.text(v) for v in (getattr(part, field.name), field.default))
            found.append(
                Setting(
                    f'--{field.name}',
                    value,
                    usual,
                    config.declarations(type(part))[field.name].help,
                )
            )
    return found


def changed(experiment: Experiment) -> list[Setting]:
    """Those that have another value than their default; the family is always one of them."""
    return [setting for setting in settings(experiment) if setting.value != setting.usual]


def command(experiment: Experiment, logdir: str) -> str:
    """The command that trains such a run."""
    flags = [f'{flag}={shlex.quote(value)}' for flag, value, *_ in changed(experiment)]
    return ' '.join(['tfae train', *flags, f'--logdir={shlex.quote(logdir)}'])


def differences(experiments: Sequence[Experiment]) -> dict[str, list[str | None]]:
    """Flag -> its value in each run, of the flags in which they differ; None where it has none.

    Where the files lie is no difference, nor is a default of a flag that another family lacks.
    """
    tables = [{s.flag: s for s in settings(experiment)} for experiment in experiments]
    flags = dict.fromkeys(flag for table in tables for flag in table if flag != '--data_dir')
    found = {}
    for flag in flags:
        there = [table[flag] for table in tables if flag in table]
        values = {s.value for s in there}
        if len(values) > 1 or (len(there) < len(tables) and values != {there[0].usual}):
            rows = [table.get(flag) for table in tables]
            found[flag] = [None if s is None else s.value or "''" for s in rows]
    return found
