"""List, compare, rename and convert files of variables.

    tfae checkpoint show FILE
    tfae checkpoint diff FILE FILE
    tfae checkpoint rename FILE --map=old_scope:new_scope --output=FILE
    tfae checkpoint convert FILE --output=FILE

A file is a TensorFlow checkpoint of any version, given by its prefix; a run or another folder of
checkpoints, whose newest is read; or an .npz, .safetensors, .pth, .h5 or .keras file. The suffix of
--output determines its format; without one of these suffixes it is a checkpoint. Values keep their
type, bit for bit. `diff` exits with 0 if names, types and values are equal, and with 3 if they
differ.
"""

import dataclasses
import pathlib
import re
from collections.abc import Iterator

import numpy as np
import tensorflow.compat.v1 as tf
from absl import flags as absl_flags

from tfae.commands.shared import command_flags, variable_table
from tfae.core import config, errors
from tfae.runs import variable_files
from tfae.runs.checkpoints import Content

_FILES = {'show': 1, 'diff': 2, 'rename': 1, 'convert': 1}
_DIFFERENT = 3  # exit code


@dataclasses.dataclass(frozen=True)
class Config(config.Part):
    """The variables, and the output file."""

    scope: str = config.option(
        '',
        'Regular expression that matches the start of variable names, as in '
        'tf.get_collection (default: all variables).',
    )
    map: tuple[str, ...] = config.option(
        (),
        'Pairs old_scope:new_scope that rename variables; the first matching pair applies. An '
        'empty scope is the root.',
    )
    output: str = config.option('', 'Output file of rename and convert.')

    def __post_init__(self):
        super().__post_init__()
        variable_table.check_scope(self.scope)


def main(argv: list[str]) -> int:
    """Runs `tfae checkpoint`; returns the exit code.

    Raises: UsageError for a wrong flag or number of files; InputError if a file cannot be read or
      written, or two variables get one name.
    """
    values = absl_flags.FlagValues()
    command_flags.define(values, Config)
    takes = f'{" | ".join(_FILES)}, and its files'
    action, *files = command_flags.parse('checkpoint', __doc__, values, argv, takes)
    errors.one_of('tfae checkpoint: action', action, _FILES)
    flags = command_flags.given(values, Config())
    _refuse(action, files, flags)
    if action == 'diff':
        return _diff(files[0], files[1], flags.scope)
    with variable_files.opened(files[0]) as held:
        found = _chosen(files[0], held, flags.scope)
        if action == 'show':
            variable_table.show(found, held.read)
            return 0
        return _convert(files[0], held, found, flags)


def _refuse(action: str, files: list[str], flags: Config) -> None:
    """Raises UsageError for a wrong number of files, and flags that the action has not."""
    if len(files) != _FILES[action]:
        raise errors.UsageError(
            f'tfae checkpoint {action} takes {_FILES[action]} file'
            f'{"s" if _FILES[action] > 1 else ""}; {len(files)} given'
        )
    writes = action in ('rename', 'convert')
    if writes and not flags.output:
        raise errors.UsageError('--output is empty; it must name the file to write')
    if action == 'rename' and not flags.map:
        raise errors.UsageError('--map is empty; it must hold pairs old_scope:new_scope')
    for name in ('map', 'output'):
        if not writes and getattr(flags, name):
            raise errors.UsageError(f'--{name} needs rename or convert; this is {action}')


def _chosen(path: str, held: Content, scope: str) -> list[str]:
    """Returns the names of numeric variables that start with `scope`, in order.

    Raises: InputError if there are none.
    """
    found = [name for name in sorted(held.shapes) if re.match(scope, name)]
    texts = [name for name in found if held.types[name] == tf.string]
    if texts:
        print(f'{path}: skipped string variables: {", ".join(texts)}')
    found = [name for name in found if name not in texts]
    if not found:
        where = f' whose name starts with {scope}' if scope else ''
        raise errors.InputError(f'{path} has no numeric variable{where}')
    return found


def _convert(path: str, held: Content, found: list[str], flags: Config) -> int:
    """Writes the variables under their new names; returns the exit code 0."""
    pairs = variable_files.scope_pairs('--map', flags.map)
    matched = {variable_files.matching(name, pairs) for name in found}
    for pair in pairs:
        if pair not in matched:
            raise errors.InputError(
                f'--map {":".join(pair)}: {path} has no variable to rename, such as '
                f'{", ".join(found[:3])}'
            )
    names = variable_files.renamed('--map', pairs, found)
    output = pathlib.Path(flags.output)
    variable_files.check_suffix('--output', output)
    if output.exists() or output.with_name(f'{output.name}.index').exists():
        raise errors.InputError(f'--output {output} already exists; choose another file')
    variable_files.write(output, {new: held.read(old) for old, new in names.items()})
    for old, new in names.items():
        if old != new:
            print(f'{old} -> {new}')
    print(f'{output}: {len(names)} variables of {path}')
    return 0


def _diff(ours: str, theirs: str, scope: str) -> int:
    """Prints the differences; returns the exit code."""
    with variable_files.opened(ours) as a, variable_files.opened(theirs) as b:
        mine, others = _chosen(ours, a, scope), _chosen(theirs, b, scope)
        lines = [f'only in {ours}: {name}' for name in mine if name not in b.shapes]
        lines += [f'only in {theirs}: {name}' for name in others if name not in a.shapes]
        both = [name for name in mine if name in b.shapes]
        lines += _differences(a, b, both)
    print('\n'.join([*lines, f'{len(both)} variables in both, {len(lines)} differences']))
    return _DIFFERENT if lines else 0


def _differences(a: Content, b: Content, both: list[str]) -> Iterator[str]:
    """Yields a line for each variable that is not the same in both files."""
    for name in both:
        kinds = [f'{held.types[name].name} {tuple(map(int, held.shapes[name]))}' for held in (a, b)]
        if kinds[0] != kinds[1]:
            yield f'{name}: {kinds[0]}; {kinds[1]}'
            continue
        x, y = (_native(held.read(name)) for held in (a, b))
        bits = [np.frombuffer(v.tobytes(), f'V{v.itemsize}') for v in (x, y)]
        differ = bits[0] != bits[1]
        if differ.any():
            wide = complex if x.dtype.kind == 'c' else np.longdouble
            gap = np.abs(x.ravel()[differ].astype(wide) - y.ravel()[differ].astype(wide))
            most = f'by at most {gap.max():.3g}' if np.isfinite(gap).all() else 'some not finite'
            yield f'{name}: {np.count_nonzero(differ):,} of {x.size:,} values differ, {most}'


def _native(values: np.ndarray) -> np.ndarray:
    """Returns values in the byte order of this machine."""
    return values.astype(values.dtype.newbyteorder('='), copy=False)
