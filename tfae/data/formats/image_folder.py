"""A tree of image files: which there are, the class and split of each, and their bytes."""

import hashlib
import os
import pathlib
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from tfae.core import errors
from tfae.data import lazy_images
from tfae.data.formats import image_files
from tfae.data.formats.image_files import shown
from tfae.data.splits import Split

TRAIN, TEST = 0, 1
_REMARKS = 10  # that are printed of a set
_PARTS = {'train': TRAIN, 'test': TEST}


class Listing(NamedTuple):
    """Image files in the order of their names, and what their folders say of them."""

    root: pathlib.Path
    names: list[str]  # relative to the root, with /
    split: np.ndarray  # [N], TRAIN or TEST
    labels: np.ndarray | None  # [N] int64
    class_names: tuple[str, ...]


class FolderFiles:
    """The files of a listing. See `lazy_images.Files`."""

    def __init__(self, root: pathlib.Path, names: Sequence[str], plain: np.ndarray):
        self.names = names
        self._root = root
        self._plain = plain  # [N] bool: TensorFlow decodes it as it is
        self._complete = np.zeros(len(plain), bool)  # was found to be

    def where(self, place: int) -> str:
        """See `lazy_images.Files`."""
        return shown(self._root / self.names[place])

    def read(self, place: int) -> bytes:
        """See `lazy_images.Files`."""
        path, who = self._root / self.names[place], self.where(place)
        try:
            content = path.read_bytes()
        except OSError as error:
            raise errors.InputError(f'{who} cannot be read: {error.strerror or error}') from None
        if not self._plain[place]:
            return image_files.plain(content, who)
        image_files.refuse_cut(content, who)
        if not self._complete[place]:  # once, since it takes as long as decoding
            image_files.refuse_incomplete(content, who)
            self._complete[place] = True
        return content

    def identity(self, places: np.ndarray) -> bytes:
        """See `lazy_images.Files`: names and lengths, since to read all would take too long."""
        digest = hashlib.blake2b(digest_size=16)
        for place in places:
            name = self.names[place]
            digest.update(f'{name!r} {(self._root / name).stat().st_size}\n'.encode())
        return digest.digest()


def listed(root: pathlib.Path, test_fraction: float) -> Listing:
    """The images below a folder.

    A folder that holds `train` and `test` is cut as they say, else by a hash of each name. Where no
    image lies in the folder itself (or in its `train` and `test`), the folders in it are the
    classes, if there are two or more.

    Raises: InputError that names a folder that is missing, cannot be read, or holds no image.
    """
    names = sorted(found(root))
    if not names:
        raise errors.InputError(
            f'{shown(root)} holds no picture file ({", ".join(image_files.SUFFIXES)})'
        )
    paths = [name.split('/') for name in names]
    explicit = {path[0] for path in paths if len(path) > 1} >= _PARTS.keys()
    if explicit:
        kept = [i for i, path in enumerate(paths) if path[0] in _PARTS and len(path) > 1]
        names, paths = [names[i] for i in kept], [paths[i] for i in kept]
        parts = np.array([_PARTS[path[0]] for path in paths])
        paths = [path[1:] for path in paths]
    else:
        parts = np.array([hashed_split(name, test_fraction) for name in names])
    folders = sorted({path[0] for path in paths if len(path) > 1})
    if len(folders) < 2 or any(len(path) == 1 for path in paths):
        return Listing(root, names, parts, None, ())
    number = {folder: i for i, folder in enumerate(folders)}
    labels = np.array([number[path[0]] for path in paths], np.int64)
    return Listing(root, names, parts, labels, tuple(map(shown, folders)))


def found(root: pathlib.Path) -> Iterator[str]:
    """Names of the image files below a folder, relative to it; hidden ones are left out.

    Symbolic links are followed; a folder that is reached a second time is not entered again.

    Raises: InputError that names a folder that is missing or cannot be read.
    """

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
        inner[:] = sorted(name for name in inner if not name.startswith('.'))
        place = pathlib.Path(folder).relative_to(root)
        for name in files:
            if name.lower().endswith(image_files.SUFFIXES) and not name.startswith('.'):
                yield (place / name).as_posix()


def hashed_split(name: str, test_fraction: float) -> int:
    """TEST for this fraction of all names, TRAIN for the others."""
    digest = hashlib.blake2b(os.fsencode(name), digest_size=8).digest()
    return TEST if int.from_bytes(digest, 'big') < test_fraction * 2**64 else TRAIN


def splits(listing: Listing, flags: Any) -> tuple[Split, Split]:
    """Train and test splits of a listing, after a look at the first and last bytes of each file.

    Args:
      listing: of image files.
      flags: has the fields `crop`, `size` and `color`.
    Raises: InputError that names a file that is not what it should be, or an empty split.
    """
    sizes = np.empty([len(listing.names), 2], np.int32)
    plain, grey, jpeg = (np.empty(len(listing.names), bool) for _ in range(3))
    remarks = []
    for i, name in enumerate(listing.names):
        path = listing.root / name
        found = image_files.header(path, shown(path))
        sizes[i] = found.height, found.width
        remarks += [f'{shown(path)} {found.remark}'] * bool(found.remark)
        plain[i], grey[i], jpeg[i] = found.plain, found.grey, found.format == 'JPEG'
    for text in remarks[:_REMARKS]:
        warnings.warn(text, stacklevel=2)
    if len(remarks) > _REMARKS:
        warnings.warn(f'and so are {len(remarks) - _REMARKS:,} more pictures', stacklevel=2)
    files = FolderFiles(listing.root, listing.names, plain)
    all_jpeg = bool((jpeg & plain).all())
    form = lazy_images.form(sizes, bool(grey.all()), all_jpeg, flags, files.where)
    return parted(files, form, listing.split, listing.labels, shown(listing.root))


def parted(
    files: lazy_images.Files,
    form: lazy_images.Form,
    parts: np.ndarray,
    labels: np.ndarray | None,
    who: str,
) -> tuple[Split, Split]:
    """Train and test splits of image files.

    Raises: InputError that names `who` if one of them is empty.
    """
    made = []
    for name, part in _PARTS.items():
        places = np.flatnonzero(parts == part)
        if not len(places):
            raise errors.InputError(
                f'{who}: none of its {len(parts)} pictures is in the {name} part'
            )
        images = lazy_images.LazyImages(files, places, form)
        made.append(Split(images, None if labels is None else labels[places]))
    return made[0], made[1]
