"""Folders of image files: the class and split of each file, and its content."""

import collections
import hashlib
import os
import pathlib
import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from tfae.core import bounded_files, errors
from tfae.data import dataset, lazy_images
from tfae.data.formats import image_files
from tfae.data.formats.image_files import shown
from tfae.data.splits import Split

TRAIN, TEST, VALIDATION = 0, 1, 2  # as the tables of shards store them
SPLITS = {'training': TRAIN, 'validation': VALIDATION, 'test': TEST}
_MAX_NAMES = 10  # in one line
# Lower-case names of folders that are splits, next to a folder of training images.
_SPLIT_OF = {
    word + more: split
    for words, split in (
        (('train', 'training'), TRAIN),
        (('val', 'valid', 'validation', 'dev'), VALIDATION),
        (('test', 'testing', 'eval', 'evaluation'), TEST),
    )
    for word in words
    for more in ('', 's', '_set', '-set', ' set', 'set', '_data', '_images', '_split')
}
# Formats of images that are not read: a class of them must not vanish silently.
_UNREAD_SUFFIXES = (
    '.ai .arw .avif .cr2 .cr3 .dcm .dng .eps .exr .hdr .heic .heif .hif .icns .ico .j2c .j2k .jng '
    '.jp2 .jpf .jpx .jxl .jxr .nef .nii .orf .pam .pcx .pfm .psd .raf .raw .rw2 .sgi .svg .svgz '
    '.tga .wmf .xbm .xcf .xpm'
)
_UNREAD = frozenset(_UNREAD_SUFFIXES.split())


class Listing(NamedTuple):
    """Image files in the order of their names, with the splits and classes of their folders."""

    root: pathlib.Path
    names: list[str]  # relative to the root, with /
    split: np.ndarray  # [N], TRAIN, TEST or VALIDATION
    labels: np.ndarray | None  # [N] int64
    class_names: tuple[str, ...]
    notes: tuple[str, ...] = ()  # what was left out, and why


class FolderFiles:
    """The files of a listing. See `lazy_images.Files`."""

    def __init__(self, root: pathlib.Path, names: Sequence[str], plain: np.ndarray):
        self.names = names
        self._root = root
        self._plain = plain  # [N] bool: TensorFlow decodes it directly
        self._complete = np.zeros(len(plain), bool)  # checked already

    def where(self, place: int) -> str:
        """See `lazy_images.Files`."""
        return shown(self._root / self.names[place])

    def read(self, place: int) -> bytes:
        """See `lazy_images.Files`."""
        path, who = self._root / self.names[place], self.where(place)
        try:
            with bounded_files.open_regular(path) as file:
                content = file.read()
        except OSError as error:
            raise errors.InputError(f'{who} cannot be read: {error.strerror or error}') from None
        if not self._plain[place]:
            return image_files.plain(content, who)
        image_files.refuse_cut(content, who)
        if not self._complete[place]:  # checked once, since it takes as long as decoding
            image_files.refuse_incomplete(content, who)
            self._complete[place] = True
        return content

    def identity(self, places: np.ndarray) -> bytes:
        """See `lazy_images.Files`: names and lengths, since reading all files takes too long."""
        digest = hashlib.blake2b(digest_size=16)
        for place in places:
            name = self.names[place]
            digest.update(f'{name!r} {(self._root / name).stat().st_size}\n'.encode())
        return digest.digest()


def listed(root: pathlib.Path, test_fraction: float) -> Listing:
    """Lists the images below a folder, with their classes and splits.

    Folders named `train` and `test` or `val` (ignoring case; also `training`, `testing`, `eval`,
    `valid`, `validation` and `dev`, or such as `train_set`) are the splits. A hash of each name
    assigns the test split where there is none. Where no image lies directly in the folder (or its
    splits), two or more folders in it are the classes.

    Raises: InputError that names a folder that is missing, cannot be read or holds no image that is
      read, or two folders of one split.
    """
    hidden: list[str] = []
    files = sorted(_files(root, hidden))
    names = [name for name in files if _is_image(name)]
    if not names:
        raise errors.InputError(
            f'{shown(root)} holds no image file ({", ".join(image_files.SUFFIXES)})'
            f'{files and f"; it holds {_suffixes(files)}" or ""}'
        )
    split_of = _split_folders(root, {_folder(name) for name in files if '/' in name})
    inside = [name for name in names if not split_of or _folder(name) in split_of]
    below = [name.split('/', 1)[1] if split_of else name for name in inside]
    _refuse_unread_folders(root, files, 2 if split_of else 1)
    notes = [*_left_out(files, hidden), *_outside(names, split_of)]
    notes += _without_images(root, names, split_of)
    labels, class_names, note = _classes(below)
    parts = _parts(root, inside, split_of, test_fraction)
    note = [*note, *_like_splits(class_names, below)]
    return Listing(root, inside, parts, labels, class_names, (*notes, *note))


def _like_splits(class_names: Sequence[str], names: list[str]) -> list[str]:
    """Warnings of folders that are named like splits but are not."""
    classes = [name for name in class_names if name.lower() in _SPLIT_OF]
    inner = {parts[1] for name in names if len(parts := name.split('/')) > 2}
    found = []
    if classes:
        found += [f'warning: {_listed(classes)} read as a class: a split must be next to train/']
    if class_names and inner and {name.lower() for name in inner} <= _SPLIT_OF.keys():
        found += [
            f'warning: {_listed(sorted(inner))} in the classes are not read as splits: splits '
            f'must contain the classes'
        ]
    return found


def _classes(names: list[str]) -> tuple[np.ndarray | None, tuple[str, ...], list[str]]:
    """Labels `[N]`, the names of the classes, and why there are none where there might be."""
    folders = sorted({_folder(name) for name in names if '/' in name})
    loose = [name for name in names if '/' not in name]
    if len(folders) < 2:
        deeper = [] if loose else _deeper_folders(names)
        if len(deeper) < 2:
            return None, (), []
        note = (
            f'warning: no classes: images lie in {_listed(deeper[:2])}; folders of classes must be '
            f'directly in --data_dir, or in its folders train/ and test/'
        )
        return None, (), [note]
    if loose:
        why = f'{len(loose):,} images lie next to them, such as {shown(loose[0])}'
        return None, (), [f'warning: {len(folders):,} folders are not read as classes, since {why}']
    number = {folder: i for i, folder in enumerate(folders)}
    labels = np.array([number[_folder(name)] for name in names], np.int64)
    return labels, tuple(map(shown, folders)), []


def _deeper_folders(names: list[str]) -> list[str]:
    """Returns the folders of images below the common one; empty if that holds images itself."""
    folders = {name.rpartition('/')[0] for name in names}
    common = os.path.commonpath(folders)
    depth = common.count('/') + 2
    return sorted({'/'.join(folder.split('/')[:depth]) for folder in folders} - {common})


def _split_folders(root: pathlib.Path, folders: set[str]) -> dict[str, int]:
    """Returns folder -> its split, where the folders are splits; else empty.

    Raises: InputError if two folders are one split, or all are splits and none is training.
    """
    found = {name: _SPLIT_OF[name.lower()] for name in sorted(folders) if name.lower() in _SPLIT_OF}
    kinds = set(found.values())
    if TRAIN not in kinds:
        if len(kinds) > 1 and len(found) == len(folders):
            raise errors.InputError(
                f'{shown(root)} holds {_listed(found)} and no folder train; it must hold one'
            )
        return {}
    if len(kinds) == 1 and len(folders) > len(found):
        return {}  # a class of trains, next to other classes
    for split, kind in SPLITS.items():
        same = [name for name, of in found.items() if of == kind]
        if len(same) > 1:
            raise errors.InputError(
                f'{shown(root)} holds {_listed(same)}, which all denote the {split} split; it '
                'must contain only one of them'
            )
    return found


def _parts(
    root: pathlib.Path, names: list[str], split_of: dict[str, int], test_fraction: float
) -> np.ndarray:
    """Returns the split of each image `[N]`; without a test folder, it is cut from training."""
    if not split_of:
        return hashed_splits(root, names, test_fraction)
    parts = np.array([split_of[_folder(name)] for name in names])
    for split, kind in SPLITS.items():
        if kind in split_of.values() and kind not in parts:
            folder = next(name for name, of in split_of.items() if of == kind)
            raise errors.InputError(f'{shown(root / folder)}, the {split} split, holds no image')
    if TEST not in parts:
        training = np.flatnonzero(parts == TRAIN)
        parts[training] = hashed_splits(root, [names[i] for i in training], test_fraction)
    return parts


def hashed_splits(root: pathlib.Path, names: list[str], test_fraction: float) -> np.ndarray:
    """Returns splits `[N]`: TEST for this fraction of the names, at least one, else TRAIN.

    Raises: InputError if there are fewer than two.
    """
    if len(names) < 2:
        raise errors.InputError(
            f'{shown(root)} holds {len(names)} image; a train and a test split need two'
        )
    digests = [_digest(name) for name in names]
    parts = np.array([hashed_split(name, test_fraction) for name in names])
    if TEST not in parts:
        parts[digests.index(min(digests))] = TEST
    if TRAIN not in parts:
        parts[digests.index(max(digests))] = TRAIN
    return parts


def hashed_split(name: str, test_fraction: float) -> int:
    """Returns TEST for this fraction of all names, TRAIN for the others."""
    return TEST if _digest(name) < test_fraction * 2**64 else TRAIN


def _digest(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(os.fsencode(name), digest_size=8).digest(), 'big')


def _refuse_unread_folders(root: pathlib.Path, files: list[str], depth: int) -> None:
    """Refuses folders of classes or splits whose images are all in formats that are not read."""
    read = {folder for name in filter(_is_image, files) for folder in _folders(name, depth)}
    for name in filter(_is_unread, files):
        for folder in _folders(name, depth):
            if folder not in read:
                inside = [other for other in files if other.startswith(folder)]
                raise errors.InputError(
                    f'{shown(root / folder)} holds no image of a known format, but '
                    f'{_suffixes(inside)}; convert them to JPEG or PNG, or remove the folder'
                )


def _left_out(files: list[str], hidden: list[str]) -> list[str]:
    """Returns lines that count unknown image formats, other files and hidden folders."""
    others = [name for name in files if not _is_image(name)]
    unread = [name for name in others if _is_unread(name)]
    rest = [name for name in others if not _is_unread(name)]
    lines = [
        f'{words}: {_suffixes(names)}, such as {shown(names[0])}'
        for words, names in (
            ('warning: skipped: images of formats that are not read', unread),
            ('skipped: files that are not images', rest),
        )
        if names
    ]
    return [*lines, *([f'skipped: hidden folders: {_first(hidden)}'] if hidden else [])]


def _outside(names: list[str], split_of: dict[str, int]) -> list[str]:
    """Returns a line that counts the images outside the folders of the splits."""
    outside = [name for name in names if split_of and _folder(name) not in split_of]
    if not outside:
        return []
    where = f'outside {_listed(split_of)}, such as {shown(outside[0])}'
    return [f'warning: skipped: {len(outside):,} images {where}']


def _without_images(root: pathlib.Path, names: list[str], split_of: dict[str, int]) -> list[str]:
    """Returns a line that names folders, apparently of classes or splits, without images."""
    held = {folder for name in names for folder in _folders(name, 2)}
    there = [
        f'{above}{entry.name}/'
        for above in ('', *(f'{folder}/' for folder in split_of))
        for entry in os.scandir(root / above)
        if entry.is_dir() and not _is_hidden(entry.name)
    ]
    empty = sorted(set(there) - held)
    if not empty:
        return []
    return [f'warning: skipped: folders without images: {_first(empty)}']


def _first(folders: list[str]) -> str:
    """Lists the first folders, and the number of the others."""
    more = f' and {len(folders) - _MAX_NAMES:,} more' if len(folders) > _MAX_NAMES else ''
    return ', '.join(map(shown, folders[:_MAX_NAMES])) + more


def _suffixes(names: list[str]) -> str:
    """Counts suffixes, as `'12 .heic, 3 .txt'`."""
    counts = collections.Counter(shown(_suffix(name)) or 'without suffix' for name in names)
    words = [f'{count:,} {suffix}' for suffix, count in counts.most_common(_MAX_NAMES)]
    return ', '.join([*words, *(['others'] if len(counts) > _MAX_NAMES else [])])


def _folders(name: str, depth: int) -> list[str]:
    """Returns the outermost folders of a name, at most `depth`, each ending with a slash."""
    above = name.split('/')[:-1]
    return ['/'.join(above[: i + 1]) + '/' for i in range(min(depth, len(above)))]


def _listed(names: Iterable[str]) -> str:
    """Formats folders as `'train/ and Train/'`."""
    return ' and '.join(f'{shown(name)}/' for name in names)


def _folder(name: str) -> str:
    """Returns the outermost folder of a name, or ''."""
    return name.split('/', 1)[0] if '/' in name else ''


def _suffix(name: str) -> str:
    return pathlib.PurePosixPath(name).suffix.lower()


def _is_unread(name: str) -> bool:
    return _suffix(name) in _UNREAD


def _is_image(name: str) -> bool:
    return name.lower().endswith(image_files.SUFFIXES)


def found(root: pathlib.Path) -> Iterator[str]:
    """Yields names of the image files below a folder, relative to it; hidden files are left out.

    Symbolic links are followed; a folder is entered only once.

    Raises: InputError that names a folder that is missing or cannot be read.
    """
    return filter(_is_image, _files(root))


def _is_hidden(name: str) -> bool:
    """Returns whether a path is hidden; archives made on macOS hold a copy, `__MACOSX`."""
    return name.startswith('.') or name == '__MACOSX'


def _files(root: pathlib.Path, hidden: list[str] | None = None) -> Iterator[str]:
    """Lists files of any type, else as `found`; adds the hidden folders to `hidden`."""

    def refuse(error: OSError) -> None:
        raise errors.InputError(
            f'{shown(error.filename)} cannot be read: {error.strerror or error}'
        )

    seen = set()
    for folder, inner, files in os.walk(root, onerror=refuse, followlinks=True):
        status = pathlib.Path(folder).stat()
        if (status.st_dev, status.st_ino) in seen:
            inner.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        place = pathlib.Path(folder).relative_to(root)
        if hidden is not None:
            hidden += [
                f'{(place / name).as_posix()}/' for name in sorted(inner) if _is_hidden(name)
            ]
        inner[:] = sorted(name for name in inner if not _is_hidden(name))
        for name in files:
            if not _is_hidden(name):
                yield (place / name).as_posix()


def loaded(listing: Listing, flags: Any) -> dataset.Loaded:
    """Loads the splits of a listing, after checking the header and the end of each file.

    Args:
      listing: of image files.
      flags: has the fields `crop`, `size` and `color`.
    Raises: InputError that names an invalid file, or an empty split.
    """
    sizes = np.empty([len(listing.names), 2], np.int32)
    plain, gray, jpeg = (np.empty(len(listing.names), bool) for _ in range(3))
    remarked: dict[str, list[str]] = {}
    for i, name in enumerate(listing.names):
        path = listing.root / name
        found = image_files.header(path, shown(path))
        sizes[i] = found.height, found.width
        if found.remark:
            remarked.setdefault(found.remark, []).append(shown(path))
        plain[i], gray[i], jpeg[i] = found.plain, found.gray, found.format == 'JPEG'
    for remark, paths in remarked.items():
        others = len(paths) - 1
        more = f'; the same holds for {others:,} more image{"s" * (others > 1)}' if others else ''
        warnings.warn(f'{paths[0]} {remark}{more}', stacklevel=2)
    files = FolderFiles(listing.root, listing.names, plain)
    all_jpeg = bool((jpeg & plain).all())
    form = lazy_images.form(sizes, bool(gray.all()), all_jpeg, flags, files.where)
    made = split_up(files, form, listing.split, listing.labels, shown(listing.root))
    return made._replace(class_names=listing.class_names, notes=listing.notes)


def split_up(
    files: lazy_images.Files,
    form: lazy_images.Form,
    parts: np.ndarray,
    labels: np.ndarray | None,
    who: str,
) -> dataset.Loaded:
    """Divides image files into splits, without names of classes.

    Raises: InputError that names `who` if there is no training or no test image.
    """
    made = {}
    for name, part in SPLITS.items():
        places = np.flatnonzero(parts == part)
        if not len(places) and part != VALIDATION:
            raise errors.InputError(
                f'{who}: none of its {len(parts)} images is in the {name} split; `tfae convert` '
                f'with another --test_fraction changes that'
            )
        images = lazy_images.LazyImages(files, places, form)
        made[part] = Split(images, None if labels is None else labels[places])
    validation = made[VALIDATION] if len(made[VALIDATION].images) else None
    return dataset.Loaded(made[TRAIN], made[TEST], (), validation)
