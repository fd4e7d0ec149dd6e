"""Train a model, or resume a stopped run.

--model chooses the family; `tfae train --model=FAMILY --help` lists its flags. Your own family or
data set is given as a Python module, --model=package.module, which may be in the working directory.
A run is a folder: the same command with the same --logdir resumes it, and omitted flags keep the
run's values. Only --epochs may change, to no fewer than are completed, and the flags that do not
affect the result: --data_dir, checkpoints, resources and processes.
"""

from tfae.commands.shared import training

Config = training.Config


def main(argv: list[str]) -> int:
    """Runs `tfae train`; returns its exit code.

    Raises: the errors of `training.run`.
    """
    return training.run(argv, __doc__)
