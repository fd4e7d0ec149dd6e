"""A run is a folder; this file is all that knows what lies in it.

    config.json       what was asked for, the versions, what the data set is, and `history`,
                      {epochs, step, when} each: how many epochs were asked for, and since when
    metrics.jsonl     one JSON object a line: step, phase, epoch, every mean over that epoch and,
                      last, the CRC-32 of the line up to the comma before it
    model-<step>.*    TensorFlow checkpoints, the newest few; `checkpoint` names the newest
    best/             the checkpoint of least validation loss
    events.*          TensorBoard
    figures/          PNG
    lock              held by the program that trains here

config.json is there whole or not at all; metrics.jsonl grows by lines, and is flushed before a
checkpoint.
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
LOCK = 'lock'
BEST = 'best'
FIGURES = 'figures'
PROJECTOR = 'projector'

_SUM = ', "crc32": "'
_METRICS_BYTES = 2**28  # of metrics.jsonl, about a million epochs
_TEXTS = ('phase', 'trouble')  # fields of a record that are no numbers
_noticed: set[pathlib.Path] = set()  # files whose former names were told in this process


class Folder:
    """The folder of one run."""

    def __init__(self, path: str | os.PathLike[str]):
        self.path = pathlib.Path(path)

    def exists(self) -> bool:
        """Whether a run was begun here: what stands in the place of its file is never replaced."""
        return os.path.lexists(self.path / CONFIG)

    def place(self, *names: str) -> pathlib.Path:
        """The path of these names, to write to.

        Raises: InputError if one of them is a link: a run of others may lead anywhere by it.
        """
        path = self.path
        for name in names:
            path /= name
            if path.is_symlink():
                raise errors.InputError(
                    f'{path} is a symbolic link; a run is written to its own folder: remove the '
                    f'link, or name another --logdir'
                )
        return path

    def create(self) -> None:
        """Makes the folder if it is not there.

        Raises: InputError if it is a file or cannot be written.
        """
        try:
            atomic_files.make_folder(self.path)
            # Root may write where the mode forbids it, so try instead of asking.
            with self.place(LOCK).open('a'):
                pass
        except FileExistsError:
            raise errors.InputError(
                f'--logdir {self.path} is a file; it must be a folder'
            ) from None
        except OSError as error:
            raise errors.InputError(
                f'--logdir {self.path} cannot be written: {error.strerror}'
            ) from None

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Holds the folder for one program; the system frees it when the program dies.

        What programs that died left under temporary names is removed.

        Raises: InputError if another program trains here.
        """
        with self.place(LOCK).open('a') as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise errors.InputError(
                    f'--logdir {self.path} is in use by another program that trains there; '
                    f'wait for it or name another folder'
                ) from None
            for place in (self.path, *(self.place(name) for name in (BEST, FIGURES, PROJECTOR))):
                if place.is_dir():
                    atomic_files.sweep(place)
            yield

    def write_config(self, experiment: Experiment) -> None:
        """Records what this run is."""
        history = [_asked(experiment.training.epochs, 0)]
        self._write({**experiment.to_dict(), 'history': history})

    def change_epochs(self, epochs: int, step: int) -> None:
        """Records that from `step` on the run goes on to another number of epochs.

        Raises: InputError if config.json is not as it was written.
        """
        content = self._read()
        history = content.get('history')
        if history is None:  # runs of version 0.1 have none
            history = [{**_asked(content['training']['epochs'], 0), 'when': None}]
        if not (isinstance(history, list) and all(map(_is_entry, history))):
            raise errors.InputError(
                f'{self.path / CONFIG}: history must be a list of objects with epochs and step, '
                f'whole numbers of 0 or more, and when, a text or null'
            )
        content['history'] = [*history, _asked(epochs, step)]
        content['training']['epochs'] = epochs
        self._write(content)

    def read_config(self) -> Experiment:
        """What this run is.

        Raises: InputError if there is no run here or config.json is not as it was written.
        """
        path, content = self.path / CONFIG, self._read()
        experiment = Experiment.from_dict(content, str(path))
        renamed = experiment.renamed(content)
        if renamed and path.resolve() not in _noticed:
            _noticed.add(path.resolve())
            print(f'tfae: {path}: {"; ".join(renamed)}', file=sys.stderr)
        return experiment

    def version(self) -> str:
        """The version of tfae that began this run; empty where config.json does not record it."""
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
            raise errors.InputError(
                f'--logdir {self.path} holds no run: there is no {CONFIG} in it'
            ) from None

    @contextlib.contextmanager
    def blaming_config(self) -> Iterator[None]:
        """Turns a UsageError into an InputError that names config.json.

        A recorded configuration that cannot be built was edited: no flag is at fault.
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
        """The lines of metrics.jsonl; those that are cut short or not as written are left out."""
        try:
            content = bounded_files.read_bytes(self.path / METRICS, _METRICS_BYTES)
        except FileNotFoundError:
            return []
        lines = content.decode(errors='replace').split('\n')
        summed = any(_SUM in line for line in lines)  # older runs have no sums
        records = [_record(line, summed) for line in lines]
        return [record for record in records if record is not None]

    def rewind_metrics(self, step: int) -> list[dict[str, Any]]:
        """Drops what was recorded after `step`, which a resumed run will record again."""
        records = [record for record in self.metrics() if record['step'] <= step]
        text = ''.join(map(_line, records))
        path = self.place(METRICS)
        if not path.exists() or bounded_files.read_bytes(path, _METRICS_BYTES) != text.encode():
            write_text(path, text)
        return records


def _is_entry(entry: Any) -> bool:
    """Whether this is an entry of the history as `_asked` makes it."""
    if not isinstance(entry, dict) or not isinstance(entry.get('when', ''), str | None):
        return False
    numbers = [entry.get(name) for name in ('epochs', 'step')]
    return all(type(number) is int and 0 <= number < 2**63 for number in numbers)


def _asked(epochs: int, step: int) -> dict[str, Any]:
    """An entry of the history: how many epochs are asked for from now on."""
    now = datetime.datetime.now(datetime.timezone.utc)
    return {'epochs': epochs, 'step': step, 'when': now.isoformat(timespec='seconds')}


def _line(record: dict[str, Any]) -> str:
    """A record as a line that ends with the CRC-32 of what stands before it."""
    text = json_text.dumps(record)[:-1]
    return f'{text}{_SUM}{zlib.crc32(text.encode()):08x}"}}\n'


def _record(line: str, summed: bool) -> dict[str, Any] | None:
    """The record of a line, without its sum; None if it is not as it was written."""
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
