"""CelebA: 202 599 faces of 178x218. Liu, Luo, Wang and Tang, ICCV 2015.

https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html, in its published layout:

    img_align_celeba/000001.jpg ...
    list_eval_partition.txt           `000001.jpg 0`: 0 to train, 1 to validate, 2 to test
    list_attr_celeba.txt              forty attributes, for the flag `--attributes`

The training split joins the published training and validation images; `--validation_fraction`
splits off a fraction of it. The images have no classes.
"""

import pathlib

import numpy as np

from tfae.core import bounded_files, errors
from tfae.data import dataset
from tfae.data.formats import image_folder

FIELDS = ('data_dir', 'crop', 'size', 'color')

_IMAGES = 'img_align_celeba'
_PARTITION = 'list_eval_partition.txt'
_PARTITION_BYTES = 2**26  # it has 4 MB


def load(config: dataset.Config) -> dataset.Loaded:
    """Loads the splits as `lazy_images.LazyImages`.

    Raises: InputError that names the folder, file or line that is not what it should be.
    """
    return image_folder.loaded(listed(dataset.folder(config.data_dir, 'celeba')), config)


def listed(folder: pathlib.Path) -> image_folder.Listing:
    """Lists the images in the order of their names, with the published partition.

    Raises: InputError that names an image without a row, a row without an image, or an invalid
      line.
    """
    split = _partition(folder / _PARTITION)
    names = sorted(image_folder.found(folder / _IMAGES))
    for lacking, where in (
        (sorted(set(split) - set(names)), f'{folder / _IMAGES} lacks'),
        (sorted(set(names) - set(split)), f'{folder / _PARTITION} has no row for'),
    ):
        if lacking:
            more = f' and {len(lacking) - 1:,} more images' if len(lacking) > 1 else ''
            raise errors.InputError(f'{where} {image_folder.shown(lacking[0])}{more}')
    parts = np.array(
        [image_folder.TEST if split[name] == 2 else image_folder.TRAIN for name in names]
    )
    return image_folder.Listing(folder / _IMAGES, names, parts, None, ())


def _partition(path: pathlib.Path) -> dict[str, int]:
    split: dict[str, int] = {}
    try:
        content = bounded_files.read_bytes(path, _PARTITION_BYTES)
        lines = content.decode('utf-8-sig').splitlines()
    except UnicodeDecodeError as error:
        raise errors.InputError(f'{path} is not text: {error}') from None
    for number, line in enumerate(lines, 1):
        name, _, word = line.strip().rpartition(' ')
        if word not in ('0', '1', '2') or not name or name.strip() in split:
            raise errors.InputError(
                f'{path}, line {number}: is {line.strip()!r}; it must be the name of an image, '
                f'once, and 0, 1 or 2'
            )
        split[name.strip()] = int(word)
    return split
