"""MNIST: handwritten digits, 28x28 gray, 60,000 for training and 10,000 for test.

LeCun, Cortes and Burges, http://yann.lecun.com/exdb/mnist/
"""

from tfae.data import dataset, splits
from tfae.data.formats import idx

FIELDS = ('data_dir',)

# For `tfae fetch`. The sums are those of the files whose published MD5 sums are, in this order,
# f68b3c2d..., d53e105e..., 9fb629c4..., ec29112d...
URL = 'https://ossci-datasets.s3.amazonaws.com/mnist/'
SHA256 = {
    'train-images-idx3-ubyte.gz': (
        '440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609'
    ),
    'train-labels-idx1-ubyte.gz': (
        '3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c'
    ),
    't10k-images-idx3-ubyte.gz': (
        '8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6'
    ),
    't10k-labels-idx1-ubyte.gz': (
        'f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6'
    ),
}
BYTES = {
    'train-images-idx3-ubyte.gz': 9_912_422,
    'train-labels-idx1-ubyte.gz': 28_881,
    't10k-images-idx3-ubyte.gz': 1_648_877,
    't10k-labels-idx1-ubyte.gz': 4_542,
}


def load(config: dataset.Config) -> tuple[splits.Split, splits.Split, tuple[str, ...]]:
    """Train split [60000, 28, 28, 1], test split [10000, 28, 28, 1], both uint8; names 0 to 9.

    Raises: InputError that names the file if one is missing, damaged or unlike the others.
    """
    return idx.load(config, 'mnist', tuple(map(str, range(10))))
