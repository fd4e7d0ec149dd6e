"""Fashion-MNIST: articles of clothing, 28x28 gray, 60,000 for training and 10,000 for test.

Xiao, Rasul and Vollgraf, https://arxiv.org/abs/1708.07747
"""

from tfae.data import dataset, splits
from tfae.data.formats import idx

FIELDS = ('data_dir',)

# For `tfae fetch`. The sums are those of the files whose published MD5 sums are, in this order,
# 8d4fb7e6..., 25c81989..., bef4ecab..., bb300cfd...
URL = 'https://storage.googleapis.com/tensorflow/tf-keras-datasets/'
SHA256 = {
    'train-images-idx3-ubyte.gz': (
        '3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84'
    ),
    'train-labels-idx1-ubyte.gz': (
        'a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845'
    ),
    't10k-images-idx3-ubyte.gz': (
        '346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073'
    ),
    't10k-labels-idx1-ubyte.gz': (
        '67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5'
    ),
}
BYTES = {
    'train-images-idx3-ubyte.gz': 26_421_880,
    'train-labels-idx1-ubyte.gz': 29_515,
    't10k-images-idx3-ubyte.gz': 4_422_102,
    't10k-labels-idx1-ubyte.gz': 5_148,
}

CLASS_NAMES = (
    'T-shirt/top',
    'trouser',
    'pullover',
    'dress',
    'coat',
    'sandal',
    'shirt',
    'sneaker',
    'bag',
    'ankle boot',
)


def load(config: dataset.Config) -> tuple[splits.Split, splits.Split, tuple[str, ...]]:
    """Train split [60000, 28, 28, 1], test split [10000, 28, 28, 1], both uint8.

    Raises: InputError that names the file if one is missing, damaged or unlike the others.
    """
    return idx.load(config, 'fashion_mnist', CLASS_NAMES)
