"""Train a model, or go on with a run that was stopped.

The flags of a family, of a data set and of the training are the fields of their configurations;
--model chooses the family whose flags there are. A run is a folder: the same command on the same
--logdir goes on where the run stands, and flags that are left out keep the run's values.
"""

import dataclasses

from absl import flags

from tfae import checks, cluster, data, models, running, schedule, training
from tfae.commands import _flags
from tfae.config import option
from tfae.experiment import Experiment
from tfae.folder import Folder


@dataclasses.dataclass(frozen=True)
class Config:
    """Which run, of what."""

    logdir: str = option('', "The run's folder. Required.")
    model: str = option('dense', f'Family: {", ".join(models.names())}.')
    recipe: str = option(
        '',
        'Published system whose flags come before those on the line: '
        f'{", ".join(_flags.recipes()) or "none"}.',
    )


def main(argv: list[str]) -> int:
    """Runs `tfae train`; returns the exit code of `running.fit`.

    Raises: UsageError for a wrong flag; whatever `running.fit` raises.
    """
    first = _flags.peek(argv, 'recipe', 'model', 'logdir')
    words = [*(_flags.recipe(first['recipe']) if first['recipe'] else []), *argv]
    first = _flags.peek(words, 'model', 'logdir')
    folder = Folder(first['logdir'])
    known = folder.read_config() if first['logdir'] and folder.exists() else None
    name = first['model'] or (known.model if known else 'dense')
    family = models.load(name)

    values = flags.FlagValues()
    kinds = (family.Config, data.Config, training.Config, schedule.Config)
    for kind in (Config, *kinds, running.Config, cluster.Config):
        _flags.define(values, kind)
    _flags.parse('train', __doc__, values, words)
    if not first['logdir']:
        raise checks.UsageError('--logdir is empty; it must name the folder of the run')
    base = known or Experiment(
        name, family.Config(), data.Config(), training.Config(), schedule.Config()
    )
    if base.model != name:
        base = dataclasses.replace(base, model=name, family=family.Config())
    parts = {name: _flags.given(values, part) for name, part in base.parts().items()}
    watch = _flags.given(values, running.Config())
    members = _flags.given(values, cluster.Config()).members()
    experiment = dataclasses.replace(base, **parts)
    try:
        return running.fit(experiment, first['logdir'], watch, members)
    except cluster.Lost as lost:
        if lost.interrupt:
            print(f'{members}: {lost}, stopped by signal {lost.interrupt}')
            cluster.end(128 + lost.interrupt)
        print(f'{members}: {lost}; starting anew', flush=True)
        cluster.restart(['train', *argv])
