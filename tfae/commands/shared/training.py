"""The line of `tfae train`, for commands that train runs."""

import dataclasses

from absl import flags

from tfae import data, models
from tfae.commands.shared import command_flags
from tfae.core import errors
from tfae.core.config import Part, field_types, option
from tfae.distributed import cluster
from tfae.runs import fit, options
from tfae.runs.directory import Folder
from tfae.training import phases, recipes
from tfae.training.config import TrainingConfig
from tfae.training.experiment import Experiment

_OWN = 'your own module, package.module'


@dataclasses.dataclass(frozen=True)
class Config(Part):
    """The run, its family and its recipe."""

    logdir: str = option('', 'Folder of the run. Required.')
    model: str = option('dense', f'Family: {", ".join(models.names())}, or {_OWN}.')
    recipe: str = option(
        '',
        'Flags of a published system, which other flags override: '
        f'{", ".join(recipes.names()) or "none"}.',
    )
    dry_run: bool = option(
        False,
        'Print the configuration, the phases, every variable with its shape, the number of '
        'parameters and an estimate of the memory; nothing is trained or written.',
    )
    print_config: bool = option(
        False,
        'Print every flag that affects the result, for use as --flagfile, without training or '
        'writing.',
        excludes=('--dry_run',),
    )


def run(argv: list[str], doc: str | None) -> int:
    """Runs `tfae train`, whose docstring is `doc`; returns the exit code of `fit.fit`.

    Raises: UsageError for a wrong flag, and the errors of `fit.fit`.
    """
    first = command_flags.peek(argv, 'recipe', 'model', 'logdir')
    words = [*([f'--flagfile={recipes.path(first["recipe"])}'] if first['recipe'] else []), *argv]
    first = command_flags.peek(words, 'model', 'logdir')
    folder = Folder(first['logdir'])
    known = folder.read_config() if first['logdir'] and folder.exists() else None
    name = first['model'] or (known.model if known else 'dense')
    family = models.load(name)

    values = flags.FlagValues()
    kinds = (family.Config, data.Config, TrainingConfig, phases.Config)
    command_flags.define(values, Config, *kinds, options.Config, cluster.Config)
    values['dataset'].help = f'Data set: {", ".join(data.names())}, or {_OWN}.'
    command_flags.parse('train', doc, values, words, elsewhere=_of_another_family)
    command = command_flags.given(values, Config())
    if not (command.logdir or command.dry_run or command.print_config):
        raise errors.UsageError('--logdir is empty; it must name the folder of the run')
    base = known or Experiment(
        name, family.Config(), data.Config(), TrainingConfig(), phases.Config()
    )
    if base.model != name:
        base = dataclasses.replace(base, model=name, family=family.Config())
    parts = {name: command_flags.given(values, part) for name, part in base.parts().items()}
    watch = command_flags.given(values, options.Config())
    members = command_flags.given(values, cluster.Config()).members()
    experiment = dataclasses.replace(base, **parts)
    if command.dry_run:
        print(*fit.overview(experiment, command.logdir or None, watch), sep='\n')
        return 0
    if command.print_config:
        print(*fit.resolved(experiment, command.logdir or None, watch).flags(), sep='\n')
        return 0
    try:
        return fit.fit(experiment, first['logdir'], watch, members)
    except cluster.Lost as lost:
        if lost.interrupt:
            print(f'{members}: {lost}, stopped by signal {lost.interrupt}')
            cluster.end(128 + lost.interrupt)
        print(f'{members}: {lost}; restarting', flush=True)
        cluster.restart(['train', *argv])


def _of_another_family(flag: str) -> str:
    """Returns which built-in families have a flag, for an error; empty if none has."""
    found = [name for name in models.names() if flag in field_types(models.load(name).Config)]
    return f'; --model={" or --model=".join(found)} has it' if found else ''
