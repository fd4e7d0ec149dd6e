"""Targets of fuzz.py: each reader of tfae with valid files to mutate and a check of its result.

A reader takes the path of a file and returns a value, which `sound` compares with the docstring.
For a bad file a reader may raise only `UsageError`, `InputError` or `OSError`, which the program
prints as one line.
"""

import dataclasses
import functools
import gzip
import hashlib
import io
import json
import pathlib
import pickle
import struct
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

import h5py
import numpy as np
import tensorflow.compat.v1 as tf
from absl import flags
from PIL import Image

from tfae import data, models
from tfae.analysis import anomaly, layer_graph, table_anomaly
from tfae.commands import sweep
from tfae.commands.shared import command_flags, graph_files, table_rows
from tfae.compat import porting, program
from tfae.core import atomic_files, config, json_text, names
from tfae.data import attributes, lazy_images, streaming
from tfae.data.formats import csv_files, idx, image_files, image_folder, shard_writer, shards
from tfae.data.sets import celeba, cifar10, npz
from tfae.explorer import space
from tfae.pretrained import imagenet, weights
from tfae.report import comparison, curves, document, run_page
from tfae.runs import checkpoints, event_file, options, transfer, variable_files
from tfae.runs import directory as folder
from tfae.runs.directory import Folder
from tfae.training import experiment, phases, summaries
from tfae.training.config import TrainingConfig

MEGABYTES = 2**20
BYTES = np.random.RandomState(0).randint(256, size=(6, 4, 5)).astype(np.uint8)
TABLE = experiment.Experiment(
    signature=experiment.Signature(image_shape=(2,), dtype='float32', columns=('age', 'mass'))
)
LAYERS = (
    weights.Parameters('conv1', (3, 3, 2, 4), None, 'features.0', 'block1_conv1'),
    weights.Parameters('fc7', (4, 3), None, 'classifier.3', 'predictions'),
)


@dataclasses.dataclass(frozen=True)
class Target:
    """A reader under test."""

    file: str  # name of its file
    seeds: Callable[[], list[bytes]]
    read: Callable[[pathlib.Path], Any]
    sound: Callable[[Any], bool]
    weight: int  # thousands of cases in a million
    words: tuple[bytes, ...] = ()  # tokens of the format
    json: bool = False  # also mutated as JSON
    named: bool = True  # errors name the file, and not a flag
    may: tuple[str, ...] = ()  # allowed side effects, as `Watch` names them
    memory: int = 256 * MEGABYTES


def idx_seeds() -> list[bytes]:
    """Returns images, plain and compressed by gzip."""
    plain = struct.pack('>IIII', idx.IMAGES_MAGIC, *BYTES.shape) + BYTES.tobytes()
    return [plain, gzip.compress(plain, mtime=0)]


def zipped(compression: int = zipfile.ZIP_STORED, **members: bytes) -> bytes:
    """Returns a zip archive; `__` in a name is a dot."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, 'w', compression) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name.replace('__', '.')), content, compression)
    return file.getvalue()


def npy(array: np.ndarray, version: tuple[int, int] = (1, 0)) -> bytes:
    """Returns an array in numpy's format."""
    file = io.BytesIO()
    np.lib.format.write_array(file, array, version)
    return file.getvalue()


def npz_seeds() -> list[bytes]:
    """Returns data sets of one and of two splits, compressed or not."""
    floats, labels = np.float32(BYTES) / 255, np.arange(6)
    return [
        zipped(x__npy=npy(BYTES), y__npy=npy(labels)),
        zipped(zipfile.ZIP_DEFLATED, images__npy=npy(floats), labels__npy=npy(labels)),
        zipped(x_train__npy=npy(BYTES, (2, 0)), x_test__npy=npy(BYTES)),
        zipped(x__npy=npy(np.asfortranarray(BYTES))),
    ]


def values() -> dict[str, np.ndarray]:
    """Returns name of a variable -> its values, for `LAYERS`."""
    random = np.random.RandomState(1)
    parts = {'kernel': lambda p: p.kernel, 'bias': lambda p: p.kernel[-1:]}
    return {
        f'{p.name}/{part}': random.normal(size=shape(p)).astype(np.float32)
        for p in LAYERS
        for part, shape in parts.items()
    }


def pth_seeds() -> list[bytes]:
    """Returns state dicts in both formats of PyTorch."""
    tensors = {}
    for layer in LAYERS:
        kernel = values()[f'{layer.name}/kernel']
        kernel = kernel.transpose(3, 2, 0, 1) if kernel.ndim == 4 else kernel.T
        tensors[f'{layer.torchvision}.weight'] = np.ascontiguousarray(kernel)
        tensors[f'{layer.torchvision}.bias'] = values()[f'{layer.name}/bias']
    keys = {name: str(i) for i, name in enumerate(tensors)}
    stated = b'\x80\x02ccollections\nOrderedDict\n)R('
    for name, array in tensors.items():
        shape = np.array(array.strides) // 4
        stated += text(name) + b'ctorch._utils\n_rebuild_tensor_v2\n(('
        stated += text('storage') + b'ctorch\nFloatStorage\n' + text(keys[name]) + text('cpu')
        stated += b'M' + struct.pack('<H', array.size) + b'tQK\x00'
        stated += whole(array.shape) + whole(shape) + b'\x89tR'
    stated += b'u.'
    members = {f'a/data/{keys[name]}': array.tobytes() for name, array in tensors.items()}
    members = {'a/data__pkl': stated, 'a/byteorder': b'little', **members}
    storages = b''.join(struct.pack('<Q', a.size) + a.tobytes() for a in tensors.values())
    about = pickle.dumps({'little_endian': True, 'protocol_version': 1001}, 2)
    heads = b'\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.' + pickle.dumps(1001, 2) + about
    legacy = heads + stated + pickle.dumps(list(keys.values()), 2) + storages
    return [zipped(**members), legacy]


def text(word: str) -> bytes:
    """Pickles a word."""
    return b'X' + struct.pack('<I', len(word)) + word.encode()


def whole(numbers: Any) -> bytes:
    """Pickles a tuple of numbers below 256."""
    return b'(' + b''.join(b'K' + bytes([int(n)]) for n in numbers) + b't'


def array_seeds() -> list[bytes]:
    """Returns weights in numpy's format."""
    held = values()
    lists = {p.name: [held[f'{p.name}/kernel'], held[f'{p.name}/bias']] for p in LAYERS}
    file = io.BytesIO()
    np.save(file, np.array(lists, object), allow_pickle=True)
    members = {f'{name}__npy': npy(array) for name, array in held.items()}
    return [zipped(**members), zipped(zipfile.ZIP_DEFLATED, **members), file.getvalue()]


def h5_seeds() -> list[bytes]:
    """Returns weights in Keras' format."""
    file = io.BytesIO()
    with h5py.File(file, 'w') as opened:
        for layer in LAYERS:
            group = opened.create_group(layer.keras)
            for part in ('kernel', 'bias'):
                group[f'{part}:0'] = values()[f'{layer.name}/{part}']
    return [file.getvalue()]


def read_weights(path: pathlib.Path) -> dict[str, np.ndarray]:
    """Reads all values of a file of weights."""
    return dict(weights.open_weights(str(path), 'tiny', LAYERS))


def sound_weights(found: dict[str, np.ndarray]) -> bool:
    """Returns whether these are the weights of the network."""
    return {k: v.shape for k, v in found.items()} == {k: v.shape for k, v in values().items()}


def variables_seeds(name: str) -> Callable[[], list[bytes]]:
    """Returns a function that makes a file of variables in the format of a name."""

    def seeds() -> list[bytes]:
        numbers = {'a/kernel': np.ones([2, 3], np.float32), 'a/step': np.int64(7)}

        def write(path: pathlib.Path) -> None:
            made = path.with_name(name)
            variable_files.write(made, numbers)
            made.rename(path)

        return [saved(write)]

    return seeds


def read_variables(path: pathlib.Path) -> dict[str, np.ndarray]:
    """Reads all variables of a file."""
    with variable_files.opened(str(path)) as held:
        return {name: held.read(name) for name in held.shapes}


def sound_variables(found: dict[str, np.ndarray]) -> bool:
    """Returns whether these are numbers by name."""
    return all(isinstance(name, str) and v.dtype.kind in 'biufcV' for name, v in found.items())


def image_seeds() -> list[bytes]:
    """Returns small images of each format that is read or refused."""
    gray, color = BYTES[0], np.stack([BYTES[0]] * 3, -1)
    kinds: list[tuple[np.ndarray, str, dict]] = [
        *((gray, kind, {}) for kind in ('JPEG', 'PNG', 'PPM', 'BMP', 'GIF', 'TIFF')),
        *((color, kind, {}) for kind in ('JPEG', 'PNG', 'PPM', 'BMP', 'WEBP')),
        (color, 'JPEG', {'progressive': True}),
        (np.uint16(gray) * 257, 'PNG', {}),
    ]
    exif = Image.Exif()
    exif[274] = 6
    kinds += [(color, 'JPEG', {'exif': exif}), (color, 'PNG', {'exif': exif})]
    made = []
    for array, kind, keywords in kinds:
        file = io.BytesIO()
        Image.fromarray(array).save(file, kind, **keywords)
        made.append(file.getvalue())
    return made


def read_image(path: pathlib.Path) -> np.ndarray:
    """Reads the pixels of an image file as a data set does."""
    found = image_files.header(path, str(path))
    content = image_files.content(path)
    image_files.refuse_cut(content, str(path))
    content = content if found.plain else image_files.plain(content, str(path))
    channels = 1 if found.gray else 3
    if found.height * found.width <= 2**21:
        plan = shard_plan(path)
        shard_writer.converted(plan, path.name)
        image_folder.FolderFiles(path.parent, [path.name], np.array([found.plain])).read(0)
    if found.height * found.width > 2**21:  # what the pixels may take is not the header's fault
        return np.zeros([1, 1, channels], np.uint8)
    return lazy_images.decoded(content, lazy_images.Form(5, 4, channels), str(path))


def shard_plan(path: pathlib.Path) -> shard_writer.Plan:
    """Writes a shard of one image in the same folder."""
    place = path.with_name('a.tfrecord')
    return shard_writer.Plan(place, path.parent, [path.name], [0], None, None, 0, False)


@functools.cache
def table_seeds() -> list[bytes]:
    """Returns the table of a shard, by which `tfae convert` recognizes it."""
    import tempfile

    with tempfile.TemporaryDirectory() as place:
        path = pathlib.Path(place) / 'a.png'
        path.write_bytes(pictured())
        shard_writer.write(shard_plan(path))
        return [(path.with_name('a.json')).read_bytes()]


def read_table(path: pathlib.Path) -> shard_writer.Written | None:
    """Reads the shard of a table."""
    image = path.with_name('a.png')
    image.write_bytes(pictured())
    image.with_name('a.tfrecord').write_bytes(b'0123456789')
    plan = shard_plan(image)
    return shard_writer._existing(plan, plan.digest())


def sound_pixels(found: np.ndarray) -> bool:
    """Returns whether these are `[H, W, C]` bytes."""
    return found.dtype == np.uint8 and found.ndim == 3 and found.shape[2] in (1, 3)


@functools.cache
def decoding() -> tuple[Any, Any, Any]:
    """Opens a session that decodes the content of a file as in training."""
    with tf.Graph().as_default() as graph:
        content = tf.placeholder(tf.string, [])
        pixels = streaming.decoded(content, lazy_images.Form(5, 4, 3))
        threads = tf.ConfigProto(inter_op_parallelism_threads=1, intra_op_parallelism_threads=1)
        return tf.Session(graph=graph, config=threads), content, pixels


def read_in_graph(path: pathlib.Path) -> np.ndarray:
    """Reads the pixels of an image file as the graph does."""
    found = image_files.header(path, str(path))
    content = path.read_bytes()
    content = content if found.plain else image_files.plain(content, str(path))
    session, place, pixels = decoding()
    try:
        return session.run(pixels, {place: content})
    except tf.errors.InvalidArgumentError:
        # What pillow decodes and TensorFlow does not has no name: `Stream.blame` asks pillow.
        return np.zeros([1, 1, 3], np.uint8)


def shard_seeds() -> list[bytes]:
    """Returns an index and the table of its shard as one object."""
    rows = ['names', 'parts', 'labels', 'offsets', 'lengths', 'crc32', 'sizes', 'grey', 'jpeg']
    first = ['a.png', 0, 0, 0, 5, zlib.crc32(b'01234'), [4, 5], True, False]
    second = ['b.png', 1, 1, 5, 5, zlib.crc32(b'56789'), [4, 5], True, False]
    table = {name: list(pair) for name, *pair in zip(rows, first, second, strict=True)}
    shard = {'file': 'a.tfrecord', 'examples': 2, 'bytes': 10, 'sha256': '', 'table_sha256': ''}
    index = {'version': 1, 'examples': 2, 'skipped': 0, 'classes': ['a', 'b'], 'shards': [shard]}
    return [json.dumps({'index': index, 'table': table}).encode()]


def read_shards(path: pathlib.Path) -> Any:
    """Reads a folder of one shard; writes index and table to files with valid checksums."""
    folder, index, table = path.parent, path.read_bytes(), b'{}'
    try:
        content = json.loads(index)
        table = json.dumps(content['table']).encode()
        for line in content['index']['shards']:
            if line['table_sha256'] == '':
                line['table_sha256'] = hashlib.sha256(table).hexdigest()
        index = json.dumps(content['index']).encode()
    except (ValueError, LookupError, TypeError, RecursionError):
        pass
    (folder / 'a.tfrecord').write_bytes(b'0123456789')
    (folder / 'a.json').write_bytes(table)
    (folder / shards.INDEX).write_bytes(index)
    found = shards.read_index(folder)
    for shard in found.shards:
        shards.problem(found, shard)
    files, form, rest = shards.open_images(folder, data.Config())
    return [files.read(i) for i in range(len(files.names))], form, rest


@functools.cache
def config_seeds() -> list[bytes]:
    """Returns the configuration of a run."""
    made = []
    for name in ('dense', 'convolutional', 'variational'):
        signature = experiment.Signature('0' * 32, (8, 8, 1), 'uint8', 9, 1, True, 2, ('a', 'b'))
        parts = (data.Config(), TrainingConfig(), phases.Config(), signature)
        family = models.load(name).Config()
        made.append(json.dumps(experiment.Experiment(name, family, *parts).to_dict()).encode())
    return made


def metrics_seeds() -> list[bytes]:
    """Returns the records of a few epochs."""
    record = {'step': 21, 'phase': 'training', 'epoch': 1, 'loss': 0.25, 'validation_loss': 0.5}
    records = [{**record, 'step': 21 * i} for i in (1, 2, 3)]
    old, new = (''.join(map(f, records)) for f in (lambda r: json.dumps(r) + '\n', folder._line))
    return [old.encode(), new.encode()]


MEASURED = (
    run_page.EVALUATION,
    *run_page.MEASURED.values(),
    'figures/morph.json',
    'figures/explain_a.json',
)


def measured_seeds() -> list[bytes]:
    """Returns the measures of a run, as commands write them."""
    evaluation = {
        'split': 'test', 'examples': 20, 'mse': 0.1, 'pca_mse': 0.2, 'error': 0.5, 'code_size': 4,
        'kl_by_dimension': [0.1, 0.2], 'confusion': [[3, 1], [0, 4]], 'parameters': 96, 'step': 9,
        'denoised_psnr': 'Infinity', 'auroc_by_class': {'a': 0.5, 'b': 'NaN'},
    }  # fmt: skip
    probe = {
        'split': 'test', 'examples': 20, 'probe_error_100_labels': [0.25, 0.01], 'pca_error': 0.5,
        'error': 0.25, '5_nearest_error': 0.25, 'kmeans_accuracy': 0.5, 'kind': 'prior', 'count': 9,
        'attribute': 'class=0', 'method': 'saliency', 'tensor': 'encoder/a:0', 'classifier': 'runs',
    }  # fmt: skip
    return [json.dumps(evaluation).encode(), json.dumps(probe).encode()]


@functools.cache
def pictured() -> bytes:
    """Returns a small PNG."""
    file = io.BytesIO()
    Image.fromarray(BYTES[0]).save(file, 'PNG')
    return file.getvalue()


def read_measured(path: pathlib.Path) -> tuple[str, str, str]:
    """Builds the pages of one and two runs whose measures are all the corrupt file."""
    content, place = path.read_bytes(), path.parent
    (place / 'figures').mkdir(exist_ok=True)
    for name in MEASURED:
        (place / name).write_bytes(content)
    for name in ('samples', 'morph', 'morph_a', 'explain_a', 'other'):
        (place / 'figures' / f'{name}.png').write_bytes(pictured())
    (place / 'config.json').write_bytes(config_seeds()[0])
    (place / 'metrics.jsonl').write_bytes(metrics_seeds()[1])
    run = Folder(place)
    compared = comparison.sides([str(place), str(place)])
    json_text.dumps(comparison.content(compared, 'a reason'))
    return run_page.page(run, None, 'a reason'), comparison.page(compared, {}, 'a reason')


def detector_seeds() -> list[bytes]:
    """Returns detectors of `tfae anomaly`."""
    chance = np.random.RandomState(0)
    images = np.float32(chance.uniform(size=[40, 6, 5, 1]))
    codes, made = images[:, 0, :3, 0], np.float32(0.5 * images)
    fitted = anomaly.fit(
        (images, codes, made), (images, codes, made),
        blur=1.0, components=2, false_positive_rate=0.1, seed=0, step=3,
    )  # fmt: skip
    return [saved(lambda path: fitted.save(path))]


def table_detector_seeds() -> list[bytes]:
    """Returns detectors of `tfae anomaly` on tables."""
    rows = np.random.RandomState(0).normal(size=[40, 4])
    fitted = table_anomaly.fit(rows, 0.5 * rows, quantile=0.9, step=3)
    return [saved(lambda path: fitted.save(path))]


def read_table_detector(path: pathlib.Path) -> tuple[np.ndarray, ...]:
    """Computes contributions and ranks of rows by a detector of four columns."""
    found = table_anomaly.load(path, 4)
    rows = np.ones([3, 4])
    with np.errstate(all='ignore'):
        return found.contributions(rows, 0.5 * rows), found.ranks(found.scores(rows, 0.5 * rows))


def read_detector(path: pathlib.Path) -> tuple[np.ndarray, ...]:
    """Computes scores, ranks and maps of two images by a detector that fits the codes."""
    found = anomaly.load(path)
    if found.means.shape[1] != 6:  # as the program asks before it judges
        return np.zeros(2), np.zeros(2), np.zeros([2, 6, 5])
    images, codes = np.float32(np.ones([2, 6, 5, 1])), np.float32(np.ones([2, 3]))
    with np.errstate(all='ignore'):
        scores = found.scores(images, codes, 0.5 * images)
        return scores, found.ranks(scores), found.maps(images, 0.5 * images)


def direction_seeds() -> list[bytes]:
    """Returns attribute directions of `tfae morph`."""
    directions = {'class 0': np.arange(4.0), 'age': np.ones(4, np.float32)}
    return [saved(lambda path: atomic_files.write_npz(path, directions))]


def saved(write: Callable[[pathlib.Path], None]) -> bytes:
    """Returns the content of a file that a function writes."""
    import tempfile

    with tempfile.TemporaryDirectory() as place:
        path = pathlib.Path(place) / 'a.npz'
        write(path)
        return path.read_bytes()


def read_arrays(path: pathlib.Path) -> transfer.Transferred:
    """Loads a variable from an .npz, or one of another name."""
    return transferred(path)


def restored_seeds() -> list[bytes]:
    """Returns arrays by variable name, compressed or not."""
    kernel = npy(np.ones([2, 3], np.float32))
    members = {'encoder/kernel__npy': kernel, 'step__npy': npy(np.array(3))}
    return [zipped(**members), zipped(zipfile.ZIP_DEFLATED, **members)]


@functools.cache
def event_seeds() -> list[bytes]:
    """Returns the events of a run, with marks of its checkpoints."""
    log = tf.SessionLog
    events = [
        tf.Event(file_version='brain.Event:2'),
        tf.Event(session_log=log(status=log.START), step=1),
        tf.Event(step=2, summary=summaries.scalars({'loss': 0.5}, 'training')),
        tf.Event(session_log=log(status=log.CHECKPOINT), step=3),
    ]

    def write(path: pathlib.Path) -> None:
        with tf.io.TFRecordWriter(str(path)) as writer:
            for event in events:
                writer.write(event.SerializeToString())

    return [saved(write)]


def read_figure(path: pathlib.Path) -> Any:
    """Reads a figure of a run as a page does."""
    return document.Images().embed(path)


def read_metrics(path: pathlib.Path) -> Any:
    """Reads the records of a run and builds the pages that plot them."""
    records = Folder(path.parent).metrics()
    Folder(path.parent).rewind_metrics(2**62)
    for plots in (curves.of_run(records), curves.of_runs({'a': records, 'b': records})):
        document.render('base.html', plots, title='')
    curves.phases(records)
    return records


def sound_records(found: Any) -> bool:
    """Returns whether each record is as `Folder.metrics` documents."""
    return all(isinstance(record, dict) and isinstance(record['step'], int) for record in found)


@functools.cache
def checkpoint_seeds() -> tuple[list[bytes], dict[str, bytes]]:
    """Returns the files of a checkpoint that are mutated, and name -> all of its files."""
    import tempfile

    with tempfile.TemporaryDirectory() as place, tf.Graph().as_default(), tf.Session() as session:
        variable = tf.get_variable('encoder/kernel', [2, 3], use_resource=True)
        session.run(tf.global_variables_initializer())
        tf.train.Saver([variable]).save(session, f'{place}/model', 3, write_meta_graph=False)
        files = {path.name: path.read_bytes() for path in pathlib.Path(place).iterdir()}
    return [
        files['model-3.index'],
        files['model-3.data-00000-of-00001'],
        files['checkpoint'],
    ], files


@functools.cache
def variable() -> Any:
    """Creates the variable to load."""
    with tf.Graph().as_default():
        return tf.get_variable('encoder/kernel', [2, 3], use_resource=True)


def transferred(path: pathlib.Path, whole: bool = False) -> transfer.Transferred:
    """Loads a variable from a checkpoint."""
    source = path.parent if whole else path
    return transfer.transfer(None, [variable()], str(source), [])


def read_checkpoint(path: pathlib.Path) -> transfer.Transferred:
    """Loads a variable from a checkpoint with the corrupt file."""
    _, files = checkpoint_seeds()
    content = path.read_bytes()
    nearest = min(files, key=lambda name: distance(files[name], content))
    for name, held in files.items():
        (path.parent / name).write_bytes(content if name == nearest else held)
    if nearest == 'checkpoint':  # so that this file is what names the others
        for name in ('index', 'data-00000-of-00001'):
            (path.parent / f'model-3.{name}').rename(path.parent / f'other-3.{name}')
    return transferred(path, whole=True)


def configuration_seeds() -> list[bytes]:
    """Configurations as a checkpoint records them: of the run that is read, and of another."""
    made = (experiment.Experiment(), experiment.Experiment('gan', seed=3))
    return [json_text.dumps(one.fixed()).encode() for one in made]


@functools.cache
def configuration_writer() -> tuple[tf.Session, tf.Tensor, tf.Tensor, tf.Operation]:
    """Writes a checkpoint that records any bytes: a session, two placeholders and the operation."""
    with tf.Graph().as_default() as graph:
        prefix, content = tf.placeholder(tf.string, []), tf.placeholder(tf.uint8, [None])
        write = tf.raw_ops.SaveV2(
            prefix=prefix,
            tensor_names=[names.CONFIGURATION],
            shape_and_slices=[''],
            tensors=[content],
        )
    return tf.Session(graph=graph), prefix, content, write


def read_configuration(path: pathlib.Path) -> dict[str, np.ndarray]:
    """The variables (there are none) of a checkpoint that records the content of the file."""
    session, prefix, content, write = configuration_writer()
    held = np.frombuffer(path.read_bytes(), np.uint8)
    session.run(write, {prefix: str(path), content: held})
    return checkpoints.values(tf.Graph(), str(path), [], experiment.Experiment())


def distance(a: bytes, b: bytes) -> float:
    """Returns a rough distance of two contents."""
    return abs(len(a) - len(b)) + sum(x != y for x, y in zip(a[:64], b[:64], strict=False))


def flag_values() -> flags.FlagValues:
    """Returns the flags of `tfae train`."""
    kinds = (models.load('dense').Config, data.Config, TrainingConfig, phases.Config)
    made = flags.FlagValues()
    for kind in (*kinds, options.Config):
        command_flags.define(made, kind)
    return made


def read_flags(path: pathlib.Path) -> Any:
    """Reads the configurations from a flag file."""
    found = flag_values()
    command_flags.parse('train', '', found, [f'--flagfile={path}'])
    return [command_flags.given(found, kind()) for kind in (data.Config, TrainingConfig)]


@functools.cache
def fields() -> list[tuple[str, Any]]:
    """Returns all fields of the configurations."""
    kinds = (models.load('dense').Config, data.Config, TrainingConfig, phases.Config)
    return [pair for kind in kinds for pair in config.field_types(kind).items()]


def read_fields(path: pathlib.Path) -> Any:
    """Parses an argument as the value of each field in turn."""
    word = path.read_bytes().decode('utf-8', 'surrogateescape')
    name, kind = fields()[zlib.crc32(word.encode('utf-8', 'replace')) % len(fields())]
    return config.text(config.parse(name, kind, word))


def recipes() -> list[bytes]:
    """Returns the flag files of the package."""
    folder = pathlib.Path(command_flags.__file__).parents[2] / 'recipes'
    named = [b'--units=8,4\n--epochs=3\n--notied\n', b'# words\n--corruption=masking:0.3\n']
    return named + [path.read_bytes() for path in sorted(folder.glob('*.flags'))[:8]]


def read_idx(path: pathlib.Path) -> np.ndarray:
    """Reads the images of an IDX file."""
    return idx.read(path, idx.IMAGES_MAGIC)


@functools.cache
def graph_seeds(meta: bool) -> list[bytes]:
    """Returns a graph with a dense layer, a convolution and their gradients."""
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 6], 'x')
        with tf.variable_scope('a'):
            h = tf.nn.relu(x @ tf.get_variable('kernel', [6, 4], use_resource=True))
        kernel = tf.get_variable('b', [2, 2, 1, 3], use_resource=False)
        h = tf.nn.conv2d(tf.reshape(h, [-1, 2, 2, 1]), kernel, 1, 'SAME')
        tf.train.GradientDescentOptimizer(0.1).minimize(tf.reduce_sum(h))
        made = tf.train.export_meta_graph() if meta else graph.as_graph_def()
    return [made.SerializeToString()]


def notebook_seeds():
    cells = [
        {'cell_type': 'markdown', 'source': ['# text']},
        {
            'cell_type': 'code',
            'source': ['%matplotlib inline\n', 'import tensorflow as tf, numpy as np'],
        },
        {
            'cell_type': 'code',
            'source': 'for i in xrange(3):\n    print tf.mul(i, np.int(2)), {}.iteritems()',
        },
    ]
    old = {
        'worksheets': [{'cells': [{'cell_type': 'code', 'input': ['import tensorflow.contrib']}]}]
    }
    program.python3('print 1', SyntaxError())  # which reads its grammar once
    return [json.dumps({'cells': cells}).encode(), json.dumps(old).encode()]


TARGETS = {
    'notebook': Target(
        'program.ipynb', notebook_seeds, porting.port,
        lambda found: all(one.line > 0 for one in found.findings) and found.content is not None, 2,
    ),
    'idx': Target(
        'train-images-idx3-ubyte', idx_seeds, read_idx,
        lambda found: found.dtype == np.uint8 and found.ndim == 3, 250,
    ),
    'cifar10': Target(
        'test_batch.bin', lambda: [bytes(3073), bytes([9]) + bytes(3072) + bytes(3073)],
        cifar10._read, lambda found: found[0].shape == (len(found[1]), 32, 32, 3), 60,
    ),
    'npz': Target(
        'set.npz', npz_seeds, lambda path: npz.load(data.Config('npz', str(path))),
        lambda found: all(s.images.ndim in (2, 4) and s.images.dtype in (np.uint8, np.float32)
                          for s in found[:2]), 40,
        (b'PK\x01\x02', b'PK\x03\x04', b'PK\x05\x06', b"'descr'", b'|O', b'<f4', b'shape', b'('),
    ),
    'pth': Target(
        'net.pth', pth_seeds, read_weights, sound_weights, 70,
        (b'cos\nsystem\n', b'cbuiltins\neval\n', b'R', b'Q', b'(', b't', b'.', b'\x93', b'b', b'u'),
    ),
    'arrays': Target(
        'net.npz', array_seeds, read_weights, sound_weights, 60,
        (b'|O', b'<f8', b'cos\nsystem\n', b'R', b'b', b'PK\x01\x02', b'shape'),
    ),
    'h5': Target('net.h5', h5_seeds, read_weights, sound_weights, 20, (b'TREE', b'HEAP', b'SNOD')),
    **{
        f'variables.{suffix}': Target(
            f'net.{suffix}', variables_seeds(f'a.{suffix}'), read_variables, sound_variables, 20
        )
        for suffix in ('npz', 'safetensors', 'h5')
    },
    'variables.pth': Target('net.pth', pth_seeds, read_variables, sound_variables, 20),
    'variables.keras': Target(
        'net.keras', lambda: [zipped(model__weights__h5=variables_seeds('a.h5')()[0])],
        read_variables, sound_variables, 20,
    ),
    'attributes': Target(
        'table.csv',
        lambda: [b'name,smiling,age\na.jpg,1,23\nb.jpg,-1,\n"c,d.jpg",0,1e3\n',
                 b'2\nSmiling Young\n000001.jpg  1 -1\n000002.jpg -1  1\n'],
        attributes.read, lambda found: all(len(c) == len(found.keys) for c in
                                           found.columns.values()), 140,
        (b'"', b',', b'\n', b'nan', b'\xef\xbb\xbf', b'\x00', b'\r', b'""', b'1e999'),
    ),
    'csv': Target(
        'set.csv',
        lambda: [b'age,city,mass\n23,Bern,1.5\n-1,Ulm,2e3\n4,,0\n', b'a;city\r\n1;"x;y"\r\n'],
        lambda path: csv_files.read(path, 'city'),
        lambda found: np.isfinite(found.rows).all() and len(found.rows) == len(found.labels)
        and found.rows.shape[1] == len(found.columns), 100,
        (b'"', b',', b';', b'\n', b'nan', b'\xef\xbb\xbf', b'\x00', b'\r', b'""', b'1e999'),
    ),
    'rows': Target(
        'new.csv', lambda: [b'mass,age\n2.5,23\n2e3,-1\n', b'age;mass\r\n1;"2"\r\n'],
        lambda path: table_rows.read(TABLE, str(path)),
        lambda found: np.isfinite(found.values).all()
        and found.values.shape == (len(found.lines), 2), 40,
        (b'"', b',', b';', b'\n', b'nan', b'\xef\xbb\xbf', b'\x00', b'\r', b'""', b'1e999'),
    ),
    'partition': Target(
        'list_eval_partition.txt', lambda: [b'000001.jpg 0\n000002.jpg 2\n000003.jpg 1\n'],
        celeba._partition, lambda found: set(found.values()) <= {0, 1, 2}, 60, (b' 1\n', b'\xff'),
    ),
    'classes': Target(
        'names.txt', lambda: [b'cat\ndog\n', b'{"0": ["n1", "cat"], "1": ["n2", "dog"]}'],
        lambda path: imagenet.class_names(str(path), 2), lambda found: len(found) == 2, 40,
        (b'{', b'[', b'"', b'\\u2028', b'\\ud800'), True,
    ),
    'flagfile': Target(
        'my.flags', recipes, read_flags, lambda found: len(found) == 2, 3,
        (b'--flagfile=my.flags\n', b'--flagfile=none\n', b'--', b'=', b'--undefok=x\n', b'#', b"'"),
        named=False, may=('opened',),
    ),
    'fields': Target(
        'word', lambda: [b'8,4', b'0.001', b'true', b'adam', b'masking:0.3', b'digits'],
        read_fields, lambda found: isinstance(found, str), 60, (b'1e999', b'nan', b'9' * 5000),
        named=False,
    ),
    'config': Target(
        'config.json', config_seeds, lambda path: Folder(path.parent).read_config(),
        lambda found: isinstance(found, experiment.Experiment), 40, (b'[' * 3000, b'{"a":' * 3000,
        b'NaN', b'1e999', b'9' * 5000, b'\\ud800', b'null'), True,
    ),
    'metrics': Target(
        'metrics.jsonl', metrics_seeds, read_metrics, sound_records,
        60, (b'[' * 3000, b'\n', b'{', b'NaN', b'"step": true', b'9' * 5000, b'\xff'),
        may=('ran os.remove',),  # of its own temporary file
    ),
    'measured': Target(
        'evaluation.json', measured_seeds, read_measured,
        lambda pages: all('</html>' in page for page in pages), 6,
        (b'[' * 3000, b'{"a":' * 3000, b'NaN', b'9' * 400, b'9' * 5000, b'\\ud800', b'null'), True,
        may=('printed: tfae: ',),
    ),
    'figure': Target(
        'figures.png', lambda: [pictured()], read_figure, lambda found: bool(found), 20,
    ),
    'detector': Target(
        'anomaly.npz', detector_seeds, read_detector,
        lambda found: [array.shape for array in found] == [(2,), (2,), (2, 6, 5)], 3,
        (b'PK\x01\x02', b'PK\x05\x06', b"'descr'", b'|O', b'<f8', b'shape', b'('),
    ),
    'table_detector': Target(
        'anomaly.npz', table_detector_seeds, read_table_detector,
        lambda found: [array.shape for array in found] == [(3, 4), (3,)], 3,
        (b'PK\x01\x02', b'PK\x05\x06', b"'descr'", b'|O', b'<f8', b'shape', b'('),
    ),
    'trial': Target(
        'seed_0.json', lambda: [b'{"objective": 0.5, "values": {"units": "8,4"}}'], sweep.read,
        lambda found: isinstance(found, dict), 10, (b'[' * 3000, b'NaN', b'9' * 5000), True,
    ),
    'directions': Target(
        'morph.npz', direction_seeds, lambda path: space.of_file(path, 4),
        lambda found: all(vector.shape == (4,) for vector in found.values()), 20,
        (b'PK\x01\x02', b'PK\x05\x06', b"'descr'", b'|O', b'<f8', b'shape', b'('),
    ),
    'graph': Target(
        'net.pb', lambda: graph_seeds(False), graph_files.read,
        lambda found: all(layer.kind for layer in layer_graph.find(found)), 3,
        (b'Placeholder', b'VarHandleOp', b'MatMul', b'Conv2D', b'a/kernel', b'^a', b':1'),
        may=('printed: E',),  # TensorFlow does; the program drops its messages
    ),
    'meta_graph': Target(
        'net.meta', lambda: graph_seeds(True), graph_files.read,
        lambda found: all(layer.kind for layer in layer_graph.find(found)), 2,
        (b'trainable_variables', b'train_op', b'save/restore_all', b'a/kernel:0', b'^a'),
        may=('printed: E',),  # TensorFlow does; the program drops its messages
    ),
    'restored': Target(
        'values.npz', restored_seeds, read_arrays,
        lambda found: found.loaded == ['encoder/kernel'], 10,
        (b'PK\x01\x02', b'PK\x05\x06', b"'descr'", b'|O', b'<f8', b'shape', b'('),
    ),
    'shards': Target(
        'index.json', shard_seeds, read_shards, lambda found: len(found) == 3, 30,
        (b'../', b'/etc/passwd', b'[' * 3000, b'null', b'9' * 5000), True,
    ),
    'events': Target(
        'events.out.tfevents.1.a.1', event_seeds, lambda path: event_file._marked(path, 3),
        lambda found: type(found[0]) is bool and found[1] >= 0, 20,
    ),
    'table': Target(
        'a.json', table_seeds, read_table,
        lambda found: found is None or isinstance(found, shard_writer.Written), 10,
        (b'[' * 3000, b'null', b'9' * 5000, b'../', b'NaN'), True,
    ),
    'checkpoint': Target(
        'model-3', lambda: checkpoint_seeds()[0], read_checkpoint,
        lambda found: not found.ignored or True, 4, (b'../../x', b'/etc/passwd', b'model-3'),
        memory=1024 * MEGABYTES,
    ),
    'configuration': Target(
        'model-3', configuration_seeds, read_configuration, lambda found: found == {}, 4,
        (b'[' * 3000, b'{"a":' * 3000, b'NaN', b'9' * 5000, b'null', b'"labelled": true'), True,
    ),
    'images': Target(
        'a.jpg', image_seeds, read_image, sound_pixels, 22,
        (b'IEND', b'\xff\xd9', b'IHDR', b'acTL', b'eXIf', b'Exif\0\0', b'MPF\0'),
        may=('printed: TIFF',),  # libtiff does, of a damaged file
    ),
    'decoded': Target(
        'a.png', image_seeds, read_in_graph, sound_pixels, 1, may=('printed',),
        memory=4096 * MEGABYTES,
    ),
}  # fmt: skip
