"""Parts that commands need of a run, and the families that have them."""

from tfae import models
from tfae.core import errors, names
from tfae.runs.saved_run import Run

PRIOR = 'prior'
_METHODS = {names.DECODER: 'decode', PRIOR: 'prior'}  # part -> method of the Model of a family


def require(run: Run, *parts: str, otherwise: str = '') -> None:
    """Refuses a run that lacks one of `parts`.

    Args:
      run: the run.
      parts: fields of Outputs, `names.DECODER` or `PRIOR`.
      otherwise: flag that does without, for the message.
    Raises: InputError that names the built-in families with all parts.
    """
    for part in parts:
        if not has(run, part):
            *others, last = (n for n in models.FAMILIES if all(_has(n, each) for each in parts))
            able = f'{", ".join(others)} or {last}' if others else last
            raise errors.InputError(
                f'{run.folder.path}, a run of the family {run.experiment.model}, has no {part}; '
                f'it must be a run of {able}{f", or {otherwise}" if otherwise else ""}'
            )


def has(run: Run, part: str) -> bool:
    """Returns whether a run has a part, named as for `require`."""
    inference = run.built.inference
    tensors = {names.DECODER: inference.decoded, PRIOR: inference.samples}
    return tensors.get(part, getattr(inference.outputs, part, None)) is not None


def _has(family: str, part: str) -> bool:
    """Returns whether a built-in family has a part."""
    module = models.FAMILIES[family]
    if part in _METHODS:
        return hasattr(module.Model, _METHODS[part])
    return part in module.Outputs._fields
