"""Flags of runs as table rows: changed flags, defaults, and differences between runs."""

import dataclasses
import shlex
from collections.abc import Sequence
from typing import NamedTuple

from tfae.core import config
from tfae.data.sets.arrays import NAME as ARRAYS
from tfae.training.experiment import Experiment


class Setting(NamedTuple):
    """A flag of a run."""

    flag: str  # `--name`
    value: str
    default: str
    help: str


def settings(experiment: Experiment) -> list[Setting]:
    """Returns all flags that determine the result of a run, the family first."""
    found = [Setting('--model', experiment.model, '', 'Family.')]
    for part in experiment.parts().values():
        for field in dataclasses.fields(part):
            value, default = (config.text(v) for v in (getattr(part, field.name), field.default))
            found.append(
                Setting(
                    f'--{field.name}',
                    value,
                    default,
                    config.declarations(type(part))[field.name].help,
                )
            )
    return found


def changed(experiment: Experiment) -> list[Setting]:
    """Returns the flags that differ from their defaults, and the family."""
    return [setting for setting in settings(experiment) if setting.value != setting.default]


def command(experiment: Experiment, logdir: str) -> str:
    """Returns the command that trains such a run, on a file where its data were arrays."""
    flags = [f'{flag}={shlex.quote(value)}' for flag, value, *_ in changed(experiment)]
    if experiment.data.dataset == ARRAYS and not experiment.data.data_dir:
        flags.append('--data_dir=FILE.npz')
    return ' '.join(['tfae train', *flags, f'--logdir={shlex.quote(logdir)}'])


def differences(experiments: Sequence[Experiment]) -> dict[str, list[str | None]]:
    """Returns flag -> its value in each run, for flags that differ; None where a run lacks it.

    --data_dir does not count, nor does a flag at its default that another family lacks.
    """
    tables = [{s.flag: s for s in settings(experiment)} for experiment in experiments]
    flags = dict.fromkeys(flag for table in tables for flag in table if flag != '--data_dir')
    found = {}
    for flag in flags:
        there = [table[flag] for table in tables if flag in table]
        values = {s.value for s in there}
        if len(values) > 1 or (len(there) < len(tables) and values != {there[0].default}):
            rows = [table.get(flag) for table in tables]
            found[flag] = [None if s is None else s.value or "''" for s in rows]
    return found
