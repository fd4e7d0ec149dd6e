"""The folder of a run: its files, and how they are read and written.

    config.json       configuration, versions, signature of the data set, and `history`, a list of
                      {epochs, step, when}: the number of epochs, and from which step and time on
    metrics.jsonl     a JSON object per line: step, phase, epoch, the means over that epoch and,
                      last, the CRC-32 of the line up to the comma before it
    model-<step>.*    TensorFlow checkpoints, the newest few; `checkpoint` names the newest
    best/             the checkpoint with the lowest validation loss
    epochs/           the model after the epochs of --keep_epochs, as checkpoints
    train/            TensorBoard events of training
    validation/       TensorBoard events of validation
    events.*          TensorBoard events of the configuration, and of figures
    anomaly.npz       the anomaly detector that `tfae anomaly` fits
    figures/          PNG
    lock              held by the program that trains the run

config.json is written whole or not at all. metrics.jsonl grows by lines, and is flushed to the disk
before a checkpoint counts.
"""

import contextlib
import datetime
import fcntl
import os
import pathlib
import sys
import zlib
from collections.abc import Iterator
from typing import Any

from tfae.core import atomic_files, bounded_files, errors, json_text
from tfae.core.atomic_files import write_json, write_text
from tfae.training.experiment import Experiment

CONFIG = 'config.json'
METRICS = 'metrics.jsonl'
DETECTOR = 'anomaly.npz'
LOCK = 'lock'
BEST = 'best'
EPOCHS = 'epochs'
FIGURES = 'figures'
PROJECTOR = 'projector'
TRAIN = 'train'
VALIDATION = 'validation'

_SUM = ', "crc32": "'
_METRICS_BYTES = 2**28  # of metrics.jsonl, about a million epochs
_TEXTS = ('phase', 'trouble')  # fields of a record that are strings
_noticed: set[pathlib.Path] = set()  # files whose former names this process has printed


class Folder:
    """The folder of one run."""

    def __init__(self, path: str | os.PathLike[str]):
        self.path = pathlib.Path(path)

    def exists(self) -> bool:
        """Returns whether there is a run: anything called config.json, which is never replaced."""
        return os.path.lexists(self.path / CONFIG)

    def place(self, *names: str) -> pathlib.Path:
        """Returns the path of these names below the folder, to write to.

        Raises: InputError if one of them is a link: a run from elsewhere may link to anything.
        """
        path = self.path
        for name in names:
            path /= name
            if path.is_symlink():
                raise errors.InputError(
                    f'{path} is a symbolic link; a run is written to its own folder: remove the '
                    'link, or choose another --logdir'
                )
        return path

    def refuse_file(self) -> None:
        """Refuses a file where the folder is to be created.

        Raises: InputError.
        """
        if self.path.exists() and not self.path.is_dir():
            raise errors.InputError(f'--logdir {self.path} is a file; it must be a folder')

    def create(self) -> None:
        """Creates the folder if it does not exist.

        Raises: InputError if it is a file or cannot be written.
        """
        self.refuse_file()
        try:
            atomic_files.make_folder(self.path)
            # Root may write whatever the mode says, so try it.
            with self.place(LOCK).open('a'):
                pass
        except OSError as error:
            raise errors.InputError(
                f'--logdir {self.path} cannot be written: {error.strerror}'
            ) from None

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Locks the folder for this program; the system unlocks it when the program ends.

        Temporary files that killed programs left are removed.

        Raises: InputError if another program trains the run.
        """
        with self.place(LOCK).open('a') as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise errors.InputError(
                    f'--logdir {self.path} is in use by another training process; wait for it, or '
                    'choose another folder'
                ) from None
            for place in (
                self.path,
                *(self.place(name) for name in (BEST, EPOCHS, FIGURES, PROJECTOR)),
            ):
                if place.is_dir():
                    atomic_files.sweep(place)
            yield

    def write_config(self, experiment: Experiment) -> None:
        """Writes config.json of a new run."""
        history = [_entry(experiment.training.epochs, 0)]
        self._write({**experiment.to_dict(), 'history': history})

    def change_epochs(self, epochs: int, step: int) -> None:
        """Records another number of epochs, from `step` on.

        Raises: InputError if config.json is invalid.
        """
        content = self._read()
        history = content.get('history')
        if history is None:  # runs of version 0.1 have none
            history = [{**_entry(content['training']['epochs'], 0), 'when': None}]
        if not (isinstance(history, list) and all(map(_is_entry, history))):
            raise errors.InputError(
                f'{self.path / CONFIG}: history must be a list of objects with epochs and step, '
                f'integers of 0 or more, and when, a string or null'
            )
        content['history'] = [*history, _entry(epochs, step)]
        content['training']['epochs'] = epochs
        self._write(content)

    def read_config(self) -> Experiment:
        """Returns the configuration of the run; prints former names of fields on stderr.

        Raises: InputError if there is no run here or config.json is invalid.
        """
        path, content = self.path / CONFIG, self._read()
        experiment = Experiment.from_dict(content, str(path))
        renamed = experiment.renamed(content)
        if renamed and path.resolve() not in _noticed:
            _noticed.add(path.resolve())
            print(f'tfae: {path}: {"; ".join(renamed)}', file=sys.stderr)
        return experiment

    def version(self) -> str:
        """Returns the version of tfae that started the run; empty if it is not recorded."""
        versions = self._read().get('versions')
        found = versions.get('tfae') if isinstance(versions, dict) else None
        return found if isinstance(found, str) else ''

    def _write(self, content: dict[str, Any]) -> None:
        write_json(self.place(CONFIG), content)

    def _read(self) -> Any:
        path = self.path / CONFIG
        try:
            return bounded_files.read_json(path)
        except FileNotFoundError:
            raise errors.InputError(f'{self.path} is not a run: it has no {CONFIG}') from None

    @contextlib.contextmanager
    def blaming_config(self) -> Iterator[None]:
        """Turns a UsageError into an InputError that names config.json.

        If a recorded configuration cannot be built, the file was edited; the flags are right.
        """
        try:
            yield
        except errors.UsageError as error:
            raise errors.InputError(f'{self.path / CONFIG}: {error}') from None

    def append_metrics(self, record: dict[str, Any]) -> None:
        """Adds one line to metrics.jsonl."""
        with self.place(METRICS).open('a') as file:
            file.write(_line(record))

    def metrics(self) -> list[dict[str, Any]]:
        """Returns the records of metrics.jsonl; truncated and damaged lines are omitted."""
        try:
            content = bounded_files.read_bytes(self.path / METRICS, _METRICS_BYTES)
        except FileNotFoundError:
            return []
        lines = content.decode(errors='replace').split('\n')
        summed = any(_SUM in line for line in lines)  # older runs have no sums
        records = [_record(line, summed) for line in lines]
        return [record for record in records if record is not None]

    def rewind_metrics(self, step: int) -> list[dict[str, Any]]:
        """Removes the records after `step`, which a resumed run makes again; returns the others."""
        records = [record for record in self.metrics() if record['step'] <= step]
        text = ''.join(map(_line, records))
        path = self.place(METRICS)
        if not path.exists():
            path.touch()  # a checkpoint flushes it
        elif bounded_files.read_bytes(path, _METRICS_BYTES) != text.encode():
            write_text(path, text)
        return records


def _is_entry(entry: Any) -> bool:
    """Returns whether this is an entry of the history."""
    if not isinstance(entry, dict) or not isinstance(entry.get('when', ''), str | None):
        return False
    numbers = [entry.get(name) for name in ('epochs', 'step')]
    return all(type(number) is int and 0 <= number < 2**63 for number in numbers)


def _entry(epochs: int, step: int) -> dict[str, Any]:
    """Returns an entry of the history, with the time of now."""
    now = datetime.datetime.now(datetime.timezone.utc)
    return {'epochs': epochs, 'step': step, 'when': now.isoformat(timespec='seconds')}


def _line(record: dict[str, Any]) -> str:
    """Returns a record as a line that ends with its CRC-32."""
    text = json_text.dumps(record)[:-1]
    return f'{text}{_SUM}{zlib.crc32(text.encode()):08x}"}}\n'


def _record(line: str, summed: bool) -> dict[str, Any] | None:
    """Returns the record of a line, without the CRC-32; None if the line is damaged."""
    text, _, end = line.rpartition(_SUM)
    if summed and end != f'{zlib.crc32(text.encode()):08x}"}}':
        return None
    try:
        record = json_text.loads(f'{text}}}' if summed else line)
    except ValueError:
        return None
    sound = isinstance(record, dict) and type(record.get('step')) is int
    if not sound or not isinstance(record.get('phase', ''), str):
        return None
    return {k: v if k in _TEXTS else json_text.numbers(v) for k, v in record.items()}
