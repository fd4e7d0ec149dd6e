"""absl flags from configuration dataclasses."""

import dataclasses
import sys
import textwrap
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Literal, TypeVar

from absl import flags

from tfae import data, pretrained
from tfae.commands.shared import families, flag_files
from tfae.core import config, errors
from tfae.pretrained import imagenet
from tfae.pretrained.classifier import Reference, open_reference
from tfae.runs.saved_run import Run, open_run, same_examples

T = TypeVar('T')

_MAX_NAME = 100  # characters of a flag
_RESERVED = ('flagfile', 'h', 'help', 'undefok')  # flags of absl or `parse`
_FORMER = 'former names'  # module name of the flags that --help does not show
# Module prefix -> heading of its flags; plug-in models have others.
_HEADINGS = {
    'tfae.commands': 'Command',
    'tfae.data': 'Data',
    'tfae.training.config': 'Optimization',
    'tfae.training.phases': 'Schedule',
    'tfae.runs': 'Checkpoints and resources',
    'tfae.distributed': 'Several processes',
    'tfae.models': 'Model',
}


class _Parser(flags.ArgumentParser):
    """Parses a flag by the type of its dataclass field."""

    def __init__(self, kind: type, name: str):
        super().__init__()
        self.name = name
        self.former_choices = config.declarations(kind)[name].former_values
        self._type = config.field_types(kind)[name]

    def parse(self, argument: Any) -> Any:
        if not isinstance(argument, str):
            return argument
        if self.former_choices:
            words = config.split(argument)
            argument = config.text([self.former_choices.get(word, word) for word in words])
        return config.parse(self.name, self._type, argument)


class _Flag(flags.Flag):
    """A flag that keeps the texts of its values."""

    def __init__(self, *arguments: Any, **more: Any):
        self.texts: list[str] = []
        super().__init__(*arguments, **more)

    def parse(self, argument: Any) -> None:
        self.texts.append(str(argument))
        super().parse(argument)


class _Serializer(flags.ArgumentSerializer):
    def serialize(self, value: Any) -> str:
        return config.text(value)


def define(values: flags.FlagValues, *kinds: type) -> None:
    """Defines a flag for each field of configuration dataclasses, and one for each former name.

    A former name that is the name of another flag today is none.
    """
    for kind in kinds:
        _define(values, kind)
    for kind in kinds:
        for old, new in config.former_names(kind).items():
            if old not in values:
                flags.DEFINE_alias(old, new, values, module_name=_FORMER)


def _define(values: flags.FlagValues, kind: type) -> None:
    kinds, declared = config.field_types(kind), config.declarations(kind)
    required = [f'--{name}' for name in declared if declared[name].help.endswith('Required.')]
    for field in dataclasses.fields(kind):
        _refuse_taken_name(values, kind, field.name)
        help = declared[field.name].shown(kinds[field.name], required)
        parser = _Parser(kind, field.name)
        boolean = isinstance(field.default, bool)  # --name and --noname need no value
        flag = _Flag(parser, _Serializer(), field.name, field.default, help, boolean=boolean)
        flags.DEFINE_flag(flag, values, module_name=kind.__module__)


def _refuse_taken_name(values: flags.FlagValues, kind: type, name: str) -> None:
    """Refuses a field of a plug-in family that has the name of another flag."""
    others = [values.find_module_defining_flag(name)] if name in values else []
    if name in _RESERVED:
        others = ['every command']
    if others:
        raise errors.UsageError(
            f'--{name} is a flag of {others[0]} and of {kind.__module__}; rename the field in '
            f'the Config of your module'
        )


def given(values: flags.FlagValues, base: T) -> T:
    """Returns `base` with the fields of given flags replaced."""
    names = [field.name for field in dataclasses.fields(base)]  # type: ignore[arg-type]
    changed = {name: values[name].value for name in names if values[name].present}
    return dataclasses.replace(base, **changed)  # type: ignore[type-var]


def parse(
    command: str,
    doc: str | None,
    values: flags.FlagValues,
    argv: Iterable[str],
    takes: str = '',
    elsewhere: Callable[[str], str] = lambda name: '',
    known_only: bool = False,
) -> list[str]:
    """Parses the arguments of a command into `values`; `--help` prints all flags and exits.

    Args:
      command: the command.
      doc: its docstring.
      values: its flags, whose values are set.
      argv: the arguments.
      takes: positional arguments as the usage line shows them; empty: it takes none.
      elsewhere: returns a hint for the error on an unknown flag, or nothing.
      known_only: whether unknown flags are accepted.

    Returns: the positional arguments, and with `known_only` the unknown flags.
    Raises: UsageError for an unknown flag (with similar names), a wrong value, or unexpected or
      missing positional arguments.
    """
    argv = list(argv)
    if {'--help', '-h', '-help'} & set(argv):
        print(_help(command, doc or '', values, takes))
        sys.exit(0)
    values.set_gnu_getopt(bool(takes) or known_only)  # flags may follow positional arguments
    try:
        line, argv = argv, flag_files.expanded(argv)
        _refuse_long_names(command, argv)
        rest = values([command, *argv], known_only=known_only)[1:]
        _refuse_two_names(values, line)
    except flags.UnrecognizedFlagError as error:
        former = {flag.name for flag, _ in _former(values)}
        near = elsewhere(error.flagname) or errors.nearest(error.flagname, set(values) - former)
        raise errors.UsageError(
            f'tfae {command} has no flag --{error.flagname}{near}'
            f'{"" if near else f"; tfae {command} --help lists them"}'
        ) from None
    except flags.IllegalFlagValueError as error:
        # absl adds `flag --name=value: ` to a message that names them already.
        raise errors.UsageError(str(error).partition(': ')[2] or str(error)) from None
    except errors.UsageError:
        raise
    except (flags.Error, ValueError) as error:
        raise errors.UsageError(f'tfae {command}: {error}') from None
    if rest and not takes:
        raise errors.UsageError(
            f'tfae {command}: {rest[0]!r} is not a flag; flags have the form --name=value'
        )
    if takes and not rest and not known_only:
        raise errors.UsageError(f'tfae {command} needs {takes} after its flags')
    if renamed := _renamed(values):
        print(f'tfae: {"; ".join(renamed)}', file=sys.stderr)
    return rest


def _former(values: flags.FlagValues) -> list[tuple[flags.Flag, _Parser]]:
    """Returns the flags of former names, each with the parser it shares with the present one."""
    found = [(flag, flag.parser) for flag in values.get_flags_for_module(_FORMER)]
    return [(flag, parser) for flag, parser in found if isinstance(parser, _Parser)]


def _renamed(values: flags.FlagValues) -> list[str]:
    """Returns a phrase for each former name or former choice that was given."""
    found = [f'--{flag.name} is now --{p.name}' for flag, p in _former(values) if flag.present]
    for flag in map(values.__getitem__, sorted(values)):
        if isinstance(flag, _Flag) and isinstance(flag.parser, _Parser):
            given = {word for text in flag.texts for word in config.split(text)}
            for old, new in flag.parser.former_choices.items():
                found += [f'--{flag.name}={old} is now --{flag.name}={new}'] if old in given else []
    return found


def _refuse_two_names(values: flags.FlagValues, line: Iterable[str]) -> None:
    """Refuses a flag given by its former and its present name on the line, with two values.

    Between a flag file and the line, or two flag files, the later value wins as always.
    """
    line = [word for word in line if not word.lstrip('-').startswith('flagfile')]
    for former, parser in _former(values):
        alone = flags.FlagValues()
        alone.set_gnu_getopt(True)
        for name in (former.name, parser.name):
            flag = flags.Flag(
                parser, _Serializer(), name, former.default, '', boolean=former.boolean
            )
            flags.DEFINE_flag(flag, alone)
        alone(['tfae', *line], known_only=True)
        old, new = alone[former.name], alone[parser.name]
        if old.present and new.present and old.value != new.value:
            raise errors.UsageError(
                f'--{old.name} is {config.text(old.value)} and --{new.name}, its new name, is '
                f'{config.text(new.value)}; omit --{old.name}'
            )


def _refuse_long_names(command: str, argv: Iterable[str]) -> None:
    """Refuses long names, for which the search of absl for similar names recurses too deeply."""
    for name in (word.partition('=')[0] for word in argv):
        if name.startswith('-') and len(name) > _MAX_NAME:
            raise errors.UsageError(f'tfae {command} has no flag {name[:40]}...')


def read(command: str, doc: str | None, kind: type[T], argv: Iterable[str]) -> T:
    """Parses the arguments of a command as a configuration of type `kind`.

    Raises: UsageError as `parse` does.
    """
    return read_words(command, doc, kind, argv)[0]


def read_words(
    command: str,
    doc: str | None,
    kind: type[T],
    argv: Iterable[str],
    takes: str = '',
    known_only: bool = False,
) -> tuple[T, list[str]]:
    """As `read`, for a command with other arguments, which are returned too; see `parse`.

    Raises: UsageError as `parse` does.
    """
    values = flags.FlagValues()
    define(values, kind)
    words = parse(command, doc, values, argv, takes, known_only=known_only)
    return given(values, kind()), words


@dataclasses.dataclass(frozen=True)
class Checkpoint(config.Part):
    """The checkpoint of a run."""

    checkpoint: Literal['any', 'best', 'last'] = config.option(
        'any',
        'Checkpoint to load. best: the one with the lowest validation loss; last: the newest; '
        'any: best if it exists, else last.',
        needs=('--logdir',),
    )


@dataclasses.dataclass(frozen=True)
class Examples(config.Part):
    """The split of the data set of a run."""

    split: Literal['train', 'validation', 'test'] = config.option(
        'test', 'Split of the data set to use.', needs=('--logdir',)
    )
    data_dir: str = config.option(
        '',
        "Folder of the data set's files, if they have moved since training.",
        needs=('--logdir',),
    )


@dataclasses.dataclass(frozen=True)
class Look(Checkpoint):
    """The run that a command inspects."""

    ALL_SHAPES: ClassVar[bool] = True  # whether the command takes runs on other than images

    logdir: str = config.option('', 'Folder of the run. Required.')

    def open(self, *parts: str) -> Run:
        """Opens the run, which must have `parts` as `families.require` names them.

        Raises: UsageError if `--logdir` is empty, InputError if the run is not on images
          and the command takes only those, and the errors of `open_run` and `families.require`.
        """
        if not self.logdir:
            raise errors.UsageError('--logdir is empty; it must name the folder of a run')
        run = open_run(self.logdir, self.checkpoint)
        try:
            families.require(run, *parts)
            if not self.ALL_SHAPES:
                _refuse_other_than_images(run)
        except errors.InputError:
            run.close()
            raise
        print(f'{run.checkpoint}: step {run.step:,}')
        return run


def _refuse_other_than_images(run: Run) -> None:
    shape = run.experiment.signature.image_shape
    if not data.is_image(shape):
        what = f'{data.noun(shape)}s of {" x ".join(map(str, shape))}'
        if data.tabular(shape):
            what = f'a table of {shape[0]} columns'
        raise errors.InputError(
            f'{run.folder.path}, a run on {what}, has no images; this command takes runs on images'
        )


@dataclasses.dataclass(frozen=True)
class LookAtData(Look, Examples):
    """The run that a command inspects, and the split of its data set."""

    def load(self, run: Run) -> tuple[data.DataSet, data.Split]:
        """Returns the data set of the run, and its split `--split`.

        Raises: InputError if the data set has changed since training, or the split is empty.
        """
        wanted = run.experiment.data
        if self.data_dir:
            wanted = dataclasses.replace(wanted, data_dir=self.data_dir)
        with run.folder.blaming_config():
            data.module(wanted.dataset)
        loaded = same_examples(run.folder.path, run.experiment, data.load(wanted))
        part: data.Split = getattr(loaded, self.split)
        if not len(part.images):
            raise errors.InputError(
                f'--split {self.split} of {wanted.dataset} has no examples; the run was trained '
                f'with --validation_fraction={wanted.validation_fraction}'
            )
        return loaded, part


@dataclasses.dataclass(frozen=True)
class Network(config.Part):
    """A published network with its weights, for commands that take a run or a network.

    Comes before `Look` in a list of bases, since its `logdir` may be empty.
    """

    logdir: str = config.option('', 'Folder of the run (alternative: --model and --weights).')
    model: str = config.option('', f'Published network: {", ".join(pretrained.references())}.')
    weights: str = config.option(
        '', 'File of its weights: .pth, .h5, .npz or .npy.', needs=('--model',)
    )
    preprocessing: Literal['auto', 'torchvision', 'bgr', 'rgb'] = config.option(
        'auto',
        'Preprocessing of the images. torchvision: subtract the mean, divide by the standard '
        'deviation; bgr, rgb: subtract the mean from values in [0, 255], with channels in this '
        'order; auto: determined by the format of the weights.',
        needs=('--model',),
    )
    class_count: int = config.option(
        1000, 'Number of classes of the network.', within='[2, 1048576] classes', needs=('--model',)
    )
    width: float = config.option(
        1.0,
        'Factor that multiplies the filters and units of every layer except the last.',
        within='(0, 8]',
        needs=('--model',),
    )
    class_names: str = config.option(
        '',
        'File of the class names: one name per line, JSON such as imagenet_class_index.json, or '
        'a Python dict of index -> name (default: class indices).',
        needs=('--model',),
    )

    def choose(self, command: str) -> None:
        """Refuses a command line without a run or a network with weights, or with both.

        Raises: UsageError.
        """
        if bool(self.logdir) == bool(self.model):
            raise errors.UsageError(
                f'tfae {command} needs either --logdir or --model with --weights'
            )
        if self.model and not self.weights:
            raise errors.UsageError(f'--model={self.model} needs --weights=FILE')

    def known_classes(self) -> tuple[str, ...]:
        """Returns the class names; empty without a file of them.

        Raises: InputError as `imagenet.class_names` does.
        """
        return imagenet.class_names(self.class_names, self.class_count) if self.class_names else ()

    def open_network(self) -> Reference:
        """Opens the network. Raises: the errors of `open_reference`."""
        return open_reference(
            self.model,
            self.weights,
            preprocessing=None if self.preprocessing == 'auto' else self.preprocessing,
            classes=self.class_count,
            width=self.width,
        )


@dataclasses.dataclass(frozen=True)
class ChooseImages(LookAtData):
    """The run, the split, and the images chosen in it; see `chosen_images.chosen`."""

    classes: tuple[str, ...] = config.option(
        (),
        'Choose the first image of each of these classes, by name or number.',
        needs=('--logdir',),
        excludes=('--indices',),
    )
    indices: tuple[int, ...] = config.option(
        (),
        'Choose the images with these indices in the split, from 0.',
        within='[0, inf)',
        needs=('--logdir',),
    )


def peek(argv: Iterable[str], *names: str) -> dict[str, str]:
    """Returns the last values of these text flags; ignores all other flags."""
    values = flags.FlagValues()
    values.set_gnu_getopt(True)  # the value of another flag may be an argument of its own
    for name in names:
        flags.DEFINE_string(name, '', '', values)
    try:
        values(['tfae', *flag_files.expanded(argv)], known_only=True)
    except (flags.Error, ValueError) as error:
        raise errors.UsageError(str(error)) from None
    return {name: str(values[name].value) for name in names}


def _help(command: str, doc: str, values: flags.FlagValues, takes: str = '') -> str:
    usage = f'usage: tfae {command} [--flag=value ...] {takes}'.rstrip()
    lines = [f'tfae {command}: {doc}'.rstrip(), '', usage, '']
    for module, found in values.flags_by_module_dict().items():
        if module == _FORMER:
            continue
        lines.append(f'{_heading(module)}:')
        for flag in found:
            lines.append(f'  --{flag.name}={config.text(flag.default)}')
            lines += textwrap.wrap(flag.help, 96, initial_indent=' ' * 6, subsequent_indent=' ' * 6)
        lines.append('')
    return '\n'.join(lines)


def _heading(module: str) -> str:
    """Returns the heading of the flags of a module."""
    for prefix, heading in _HEADINGS.items():
        if module.startswith(prefix):
            return heading
    return f'Model, {module}'
