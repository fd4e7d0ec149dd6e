"""FairFace: faces of 224x224 with age, gender and race of each. Karkkainen and Joo, WACV 2021.

https://github.com/joojs/fairface (CC BY 4.0), as its archive unpacks:

    val/1.jpg ...      or train/ and val/; a hash of each name cuts them in any case
    labels.csv         `file,age,gender,race`, for `--attributes` of the verbs that read it

The pictures have no classes.
"""

from tfae import data
from tfae.data import _folder

FIELDS = ('data_dir', 'test_fraction', 'crop', 'size', 'colour')


def load(config: data.Config) -> tuple[data.Split, data.Split, tuple[str, ...]]:
    """Train and test parts as `data.Pictures`.

    Raises: InputError that names the folder or file that is not what it should be.
    """
    listing = _folder.listed(data.folder(config.data_dir, 'fairface'), config.test_fraction)
    return *_folder.splits(listing._replace(labels=None, class_names=()), config), ()
