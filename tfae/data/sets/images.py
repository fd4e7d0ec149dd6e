"""Any folder of images: JPEG, PNG, PNM, BMP, GIF, TIFF or WEBP, decoded where they are asked for.

folder/*.jpg                      no classes; cut by a hash of each name
folder/<class>/*.jpg              the folders are the classes; cut by a hash of each name
folder/train/..., folder/test/... cut as the folders say, each of them as above
folder/train/..., folder/val/...  the same; what has no folder of its own is cut from training

Folders of splits have these names in any case, or training, testing, eval, evaluation, valid,
validation or dev. Training prints what was found and what was left out.
"""

from tfae.core import errors
from tfae.data import dataset
from tfae.data.formats import image_folder

FIELDS = ('data_dir', 'test_fraction', 'crop', 'size', 'color')


def load(config: dataset.Config) -> dataset.Loaded:
    """The splits as `lazy_images.LazyImages`.

    Raises: UsageError if `data_dir` is empty; InputError that names the folder or file that is not
      what it should be.
    """
    if not config.data_dir:
        raise errors.UsageError('--dataset is images; --data_dir must name the folder of images')
    listing = image_folder.listed(dataset.folder(config.data_dir, 'images'), config.test_fraction)
    return image_folder.loaded(listing, config)
