"""A folder of image files: JPEG, PNG, PNM, BMP, GIF, TIFF or WEBP, decoded on access.

folder/*.jpg                      no classes; a hash of each name decides the split
folder/<class>/*.jpg              folders are classes; a hash of each name decides the split
folder/train/..., folder/test/... folders are splits, each of them as above
folder/train/..., folder/val/...  the same; a split without a folder is taken from training

Names of splits ignore case and include training, testing, eval, evaluation, valid, validation and
dev. Training prints the classes and splits that it found, and the files that it left out.
"""

from tfae.core import errors
from tfae.data import dataset
from tfae.data.formats import image_folder

FIELDS = ('data_dir', 'test_fraction', 'crop', 'size', 'color')


def load(config: dataset.Config) -> dataset.Loaded:
    """Loads the splits as `lazy_images.LazyImages`.

    Raises: UsageError if `data_dir` is empty; InputError that names the missing or invalid folder
      or file.
    """
    if not config.data_dir:
        raise errors.UsageError('--dataset is images; --data_dir must name the folder of images')
    listing = image_folder.listed(dataset.folder(config.data_dir, 'images'), config.test_fraction)
    return image_folder.loaded(listing, config)
