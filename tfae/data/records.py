"""A folder of shards as `tfae convert` writes them: TFRecord files and an index.

The pictures stay in the shards and are decoded where they are asked for. Which of them are the test
part was decided when they were converted.
"""

from tfae import checks, data
from tfae.data import _folder, _shards

FIELDS = ('data_dir', 'crop', 'size', 'colour')


def load(config: data.Config) -> tuple[data.Split, data.Split, tuple[str, ...]]:
    """Train and test parts as `data.Pictures`.

    Raises: UsageError if `data_dir` is empty; InputError that names the file that is missing, cut
      short or not as it was written.
    """
    if not config.data_dir:
        raise checks.UsageError('--dataset is records; --data_dir must name the folder of shards')
    folder = data.folder(config.data_dir, 'records')
    files, form, found = _shards.open_pictures(folder, config)
    parts = _folder.parted(files, form, found['parts'], found['labels'], str(folder))
    return *parts, found['classes']
