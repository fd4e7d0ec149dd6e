"""FairFace: faces of 224x224 with age, gender and race. Karkkainen and Joo, WACV 2021.

https://github.com/joojs/fairface (CC BY 4.0), as its archive unpacks:

    val/1.jpg ...      or train/ and val/; a hash of each name decides the split in both cases
    labels.csv         `file,age,gender,race`, for the flag `--attributes`

The images have no classes.
"""

from tfae.data import dataset
from tfae.data.formats import image_folder

FIELDS = ('data_dir', 'test_fraction', 'crop', 'size', 'color')


def load(config: dataset.Config) -> dataset.Loaded:
    """Loads the splits as `lazy_images.LazyImages`.

    Raises: InputError that names the missing or invalid folder or file.
    """
    root = dataset.folder(config.data_dir, 'fairface')
    names = sorted(image_folder.found(root))
    parts = image_folder.hashed_splits(root, names, config.test_fraction)
    return image_folder.loaded(image_folder.Listing(root, names, parts, None, ()), config)
