"""Convert a folder of images to shards: `tfae convert --input=images --output=shards`.

Shards are TFRecord files that `--dataset=records` reads and `tfae verify` checks. Each image is
decoded once. The first that cannot be decoded ends the command; with --skip_corrupt, such images
are listed and skipped. Shards are written atomically, so an interrupted command can be run again
and keeps those that are complete. Shards of other conversions in the output folder are removed.
"""

import concurrent.futures.process
import dataclasses
import math
import multiprocessing
import os
import pathlib
import re
from collections.abc import Iterator
from multiprocessing import forkserver
from typing import Literal

import numpy as np

from tfae import data
from tfae.commands.shared import command_flags
from tfae.core import atomic_files, config, errors, signals, stderr, terminal
from tfae.data.formats import image_files, image_folder, shard_writer, shards
from tfae.data.sets import celeba

_MAX_DECODED = 64  # images decoded for the summary
# Shards and their tables; those of 0.1.0 have the second prefix.
_NAMES = re.compile(r'(?:images|pictures)-\d{5,}-of-\d{5,}\.(?:tfrecord|json)')


@dataclasses.dataclass(frozen=True)
class Config(config.Part):
    """The images, the output folder, and the storage format."""

    input: str = config.option('', 'Folder of images. Required.')
    output: str = config.option('', 'Output folder of the shards. Required.')
    layout: Literal['images', 'celeba'] = config.option(
        'images', 'Layout of the input folder: that of --dataset=images or of --dataset=celeba.'
    )
    test_fraction: float = config.option(
        0.2,
        'Fraction of the images that forms the test split if the folder has no train/ and test/.',
        within='(0, 1)',
    )
    size: str = config.option(
        '',
        "Height x width to store, such as '64x64'; the longer side is cropped. Empty: unchanged.",
    )
    quality: int = config.option(
        0,
        'JPEG quality of the stored images; 0 keeps the original files.',
        within='[0, 100]',
    )
    shard_examples: int = config.option(4096, 'Images per shard.', within='[1, inf) images')
    skip_corrupt: bool = config.option(False, 'List and skip images that cannot be read.')
    processes: int = config.option(
        0, 'Number of worker processes; 0: one per core.', within='[0, inf) processes'
    )

    def __post_init__(self):
        super().__post_init__()
        data.sides('--size', self.size)


def main(argv: list[str]) -> int:
    """Runs `tfae convert`; returns the exit code 0.

    Raises:
      UsageError: a wrong flag.
      InputError: a folder without images, or an image that cannot be read.
    """
    flags = command_flags.read('convert', __doc__, Config, argv)
    for name in ('input', 'output'):
        if not getattr(flags, name):
            raise errors.UsageError(f'--{name} is empty; it must name a folder')
    source, folder = pathlib.Path(flags.input), pathlib.Path(flags.output)
    if flags.layout == 'celeba':
        listing = celeba.listed(source)
    else:
        listing = image_folder.listed(source, flags.test_fraction)
    for line in _found(listing):
        print(f'{source}: {line}')
    written = _all_written(list(_plans(listing, folder, flags)), flags.processes)
    index = {
        'version': shards.VERSION,
        'examples': sum(found.shard.examples for found in written),
        'skipped': sum(len(found.skipped) for found in written),
        'classes': listing.class_names,
        'shards': [found.shard._asdict() for found in written],
    }
    atomic_files.write_json(folder / shards.INDEX, index)
    _remove_others(folder, [found.shard.file for found in written])
    for found in written:
        for text in found.remarks:
            print(f'kept: {text}')
        for text in found.skipped:
            print(f'skipped: {text}')
    if index['examples']:
        for line in _written(folder):
            print(f'{folder}: {line}')
    megabytes = sum(found.shard.bytes for found in written) / 1e6
    print(
        f'{folder}: {index["examples"]:,} images, {megabytes:,.1f} MB in {len(written)} shards, '
        f'{sum(found.kept for found in written)} of them kept; {index["skipped"]} images skipped'
    )
    return 0


def _found(listing: image_folder.Listing) -> list[str]:
    """Returns lines with the sizes of splits and classes, and notes on skipped files."""
    counts = {name: (listing.split == k).sum() for name, k in image_folder.SPLITS.items()}
    splits = [f'{count:,} {name}' for name, count in counts.items()]
    plural = '' if list(counts.values())[-1] == 1 else 's'
    classes = 'no classes'
    if listing.labels is not None:
        members = np.bincount(listing.labels, minlength=len(listing.class_names)).tolist()
        classes = f'{len(members):,} classes: {data.counted(listing.class_names, members)}'
    return [f'{", ".join(splits[:-1])} and {splits[-1]} image{plural}', classes, *listing.notes]


def _remove_others(folder: pathlib.Path, kept: list[str]) -> None:
    """Removes shards and tables of earlier conversions; `kept` are the files of the new shards."""
    kept = [name for file in kept for name in (file, shards.table_of(pathlib.Path(file)).name)]
    others = [path for path in sorted(folder.iterdir()) if _NAMES.fullmatch(path.name)]
    others = [path for path in others if path.name not in kept]
    for path in others:
        path.unlink()
    if others:
        print(f'{folder}: removed {len(others)} files of other shards, such as {others[0].name}')


def _written(folder: pathlib.Path) -> list[str]:
    """Returns lines with the shapes of the written images, and the value range of the first."""
    index = shards.read_index(folder)
    tables = shards.read_tables(index)
    sizes = shards.column(tables, 'sizes', np.int64)
    gray = int(shards.column(tables, 'grey', bool).sum())
    (least, most) = ('{} x {}'.format(*of) for of in (sizes.min(0), sizes.max(0)))
    span = least if least == most else f'{least} to {most}'
    files, count = shards.ShardFiles(index, tables), min(len(sizes), _MAX_DECODED)
    images = (image_files.eight_bits(files.read(i), files.where(i)) for i in range(count))
    values = np.concatenate([np.ravel(image.getextrema()) for image in images])
    where = f' in the first {count} images' if count < len(sizes) else ''
    return [
        f'images of {span} (height x width), {gray:,} gray and {len(sizes) - gray:,} in color',
        *data.ranged(values.min(), values.max(), np.uint8, where),
    ]


def _plans(
    listing: image_folder.Listing, folder: pathlib.Path, flags: Config
) -> Iterator[shard_writer.Plan]:
    count = math.ceil(len(listing.names) / flags.shard_examples)
    for i in range(count):
        chosen = slice(i * flags.shard_examples, (i + 1) * flags.shard_examples)
        labels = None if listing.labels is None else listing.labels[chosen].tolist()
        yield shard_writer.Plan(
            folder / f'images-{i:05}-of-{count:05}.tfrecord',
            listing.root,
            listing.names[chosen],
            listing.split[chosen].tolist(),
            labels,
            data.sides('--size', flags.size),
            flags.quality,
            flags.skip_corrupt,
        )


def _all_written(plans: list[shard_writer.Plan], processes: int) -> list[shard_writer.Written]:
    """Writes all shards and returns them in order; the first unreadable image raises."""
    bar = terminal.bar(sum(len(plan.names) for plan in plans), ' images')
    workers = min(processes or os.cpu_count() or 1, len(plans))
    if workers == 1:  # without the seconds that a server of processes takes to start
        written = []
        with bar:
            for plan in plans:
                written.append(shard_writer.write(plan))
                bar.update(len(plan.names))
        return written
    # The fork server imports TensorFlow once and opens no session, so workers start at once.
    context = multiprocessing.get_context('forkserver')
    context.set_forkserver_preload(['tfae.data.formats.shard_writer', 'tensorflow.compat.v1'])
    with stderr.native_messages_dropped():
        forkserver.ensure_running()
    with (
        bar,
        concurrent.futures.ProcessPoolExecutor(workers, context, signals.end_with_parent) as pool,
    ):
        waiting = {pool.submit(shard_writer.write, plan): plan for plan in plans}
        try:
            for done in concurrent.futures.as_completed(waiting):
                done.result()
                bar.update(len(waiting[done].names))
        except concurrent.futures.process.BrokenProcessPool:
            raise errors.InputError(
                'a worker process was killed, perhaps for lack of memory; rerun the command with '
                'fewer --processes; complete shards are kept'
            ) from None
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
        return [found.result() for found in waiting]
