"""A folder of shards as `tfae convert` writes them: TFRecord files and an index.

Images are read from the shards and decoded on access. Conversion has decided their splits.
"""

from tfae.core import errors
from tfae.data import dataset
from tfae.data.formats import image_folder, shards

FIELDS = ('data_dir', 'crop', 'size', 'color')


def load(config: dataset.Config) -> dataset.Loaded:
    """Loads the splits as `lazy_images.LazyImages`.

    Raises: UsageError if `data_dir` is empty; InputError that names a missing or damaged file.
    """
    if not config.data_dir:
        raise errors.UsageError('--dataset is records; --data_dir must name the folder of shards')
    folder = dataset.folder(config.data_dir, 'records')
    files, form, found = shards.open_images(folder, config)
    loaded = image_folder.split_up(files, form, found['parts'], found['labels'], str(folder))
    return loaded._replace(class_names=found['classes'])
