r"""Times the input pipelines for image files, next to PyTorch's DataLoader and a memory map.

    python tools/bench/input.py --faces=FOLDER [--counts=1000,10000] [--seconds=10] \
        [--folder=PATH] [--json=PATH]

`--faces` is a folder of photographs. For each count, that many JPEG files of 192x160 are generated
from them (random crops, mirrored, brighter or darker) and removed afterwards. Each contender is a
process that reads shuffled batches of 64 as float32 in [0, 1] for `--seconds`, after a warm-up:

    records      `--dataset=records`: shards written by `tfae convert`
    images       `--dataset=images`: the JPEG files
    dataloader   torch.utils.data.DataLoader, one worker per core, pillow, scaled as by
                 torchvision's ToTensor; omitted without PyTorch
    memory_map   a .npy of uint8, rows selected by index; omitted beyond `--mapped` images

Memory is the peak of the summed proportional set sizes of a contender's processes. 200,000 images
take 2 GB of disk and a few minutes to generate: `--counts=1000,10000,200000`.
"""

import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np
from absl import app, flags
from PIL import Image

HEIGHT, WIDTH, BATCH = 192, 160, 64
CONTENDERS = ('records', 'images', 'dataloader', 'memory_map')

_FACES = flags.DEFINE_string('faces', '', 'Folder of images with sides of at least 200 pixels.')
_COUNTS = flags.DEFINE_list('counts', ['1000', '10000'], 'Sizes of the data set.')
_SECONDS = flags.DEFINE_float('seconds', 10.0, 'Seconds of a measurement.')
_FOLDER = flags.DEFINE_string(
    'folder', '', 'Folder for the generated images; empty: a temporary one.'
)
_MAPPED = flags.DEFINE_integer('mapped', 10_000, 'Maximum number of images of the memory map.')
_JSON = flags.DEFINE_string('json', '', 'File for all measurements.')
_CONTENDER = flags.DEFINE_string('contender', '', 'Runs only this contender; used by the driver.')


def main(_):
    """Prints a line for each count and contender, and the ratios at the end."""
    if _CONTENDER.value:
        return contend(_CONTENDER.value, pathlib.Path(_FOLDER.value))
    if not _FACES.value:
        raise app.UsageError('--faces is empty; it must name a folder of images')
    found = []
    for count in map(int, _COUNTS.value):
        with tempfile.TemporaryDirectory(dir=_FOLDER.value or None) as folder:
            found += measured(pathlib.Path(folder), count)
    report(found)
    if _JSON.value:
        pathlib.Path(_JSON.value).write_text(json.dumps(found, indent=1) + '\n')
    return 0


def measured(folder, count):
    """Returns the measurements of each contender on `count` images."""
    started = time.monotonic()
    make(folder / 'images', count)
    argv = ['convert', f'--input={folder / "images"}', f'--output={folder / "records"}']
    subprocess.run([sys.executable, '-m', 'tfae', *argv], check=True)
    disk = sum(path.stat().st_size for path in (folder / 'records').iterdir())
    print(f'{count:,} images generated and converted in {time.monotonic() - started:.0f} s')
    found = []
    for name in CONTENDERS:
        if name == 'memory_map':
            if count > _MAPPED.value:
                continue
            save_map(folder)
        argv = [f'--contender={name}', f'--folder={folder}', f'--seconds={_SECONDS.value}']
        figures = watched([sys.executable, __file__, *argv])
        if figures is None:
            print(f'{count:>9,}  {name:11} omitted')
            continue
        figures |= {'count': count, 'contender': name}
        if name == 'records':
            figures['disk_share'] = disk / (8.0 * count * HEIGHT * WIDTH * 3)
        found.append(figures)
        print(
            f'{count:>9,}  {name:11} {figures["images_per_second"]:>8,.0f} images/s  '
            f'{figures["peak_bytes"] / 1e6:>7,.0f} MB'
        )
    return found


def report(found):
    """Prints the ratios that have targets."""
    rates = {(f['count'], f['contender']): f['images_per_second'] for f in found}
    for (count, name), rate in rates.items():
        if name != 'records' and (count, 'records') in rates:
            print(f'{count:>9,}  records / {name}: {rates[count, "records"] / rate:.2f}')
    peaks = [f['peak_bytes'] for f in found if f['contender'] == 'records']
    print(f'memory of records, largest / smallest set: {peaks[-1] / peaks[0]:.3f}')
    shares = [f['disk_share'] for f in found if 'disk_share' in f]
    print(f'disk of records / arrays of eight bytes: {max(shares):.2%}')


def make(folder, count):
    """Writes `count` JPEG files, no two alike."""
    folder.mkdir()
    faces = sorted(p for p in pathlib.Path(_FACES.value).rglob('*.jpg'))[:2000]
    with concurrent.futures.ProcessPoolExecutor() as pool:
        jobs = [(str(folder), list(map(str, faces)), range(i, count, 64)) for i in range(64)]
        list(pool.map(_make_some, *zip(*jobs, strict=True)))


def _make_some(folder, faces, numbers):
    for i in numbers:
        random = np.random.RandomState(i)
        with Image.open(faces[i % len(faces)]) as face:
            left = random.randint(face.width - WIDTH + 1)
            top = random.randint(face.height - HEIGHT + 1)
            cut = np.asarray(face.convert('RGB').crop((left, top, left + WIDTH, top + HEIGHT)))
        cut = cut[:, ::-1] if random.randint(2) else cut
        made = np.uint8(np.clip(cut * random.uniform(0.8, 1.2), 0, 255))
        Image.fromarray(made).save(pathlib.Path(folder) / f'{i:06}.jpg', quality=75)


def save_map(folder):
    """Writes the images as `pixels.npy`, uint8."""
    paths = sorted((folder / 'images').iterdir())
    shape = (len(paths), HEIGHT, WIDTH, 3)
    made = np.lib.format.open_memmap(folder / 'pixels.npy', 'w+', np.uint8, shape)
    for i, path in enumerate(paths):
        made[i] = np.asarray(Image.open(path))
    made.flush()


def watched(argv):
    """Runs a contender; returns its JSON output with its peak memory, or None if it cannot run."""
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        peak = 0
        while process.poll() is None:
            peak = max(peak, _memory(process.pid))
            time.sleep(0.2)
        answer = json.loads(process.stdout.read().splitlines()[-1])
    return answer | {'peak_bytes': peak} if answer else None


def _memory(pid):
    """Returns the summed proportional set sizes of a process and its descendants, in bytes."""
    total = 0
    try:
        for line in pathlib.Path(f'/proc/{pid}/smaps_rollup').read_text().splitlines():
            total += 1024 * int(line.split()[1]) if line.startswith('Pss:') else 0
        for task in pathlib.Path(f'/proc/{pid}/task').iterdir():
            total += sum(_memory(int(child)) for child in (task / 'children').read_text().split())
    except OSError:  # the process has just ended
        pass
    return total


def contend(name, folder):
    """Measures and prints the rate of one contender."""
    batches = {
        'records': lambda: tfae_batches('records', folder),
        'images': lambda: tfae_batches('images', folder),
        'dataloader': lambda: torch_batches(folder),
        'memory_map': lambda: map_batches(folder),
    }[name]()
    if batches is None:
        print('null')
        return 0
    for _ in range(20):
        next(batches)
    started, seen = time.monotonic(), 0
    while time.monotonic() - started < _SECONDS.value:
        next(batches)
        seen += BATCH
    print(json.dumps({'images_per_second': seen / (time.monotonic() - started)}))
    sys.stdout.flush()
    os._exit(0)  # without waiting for worker processes


def tfae_batches(name, folder):
    """Yields the batches of steps 0, 1, ... as in training."""
    import tensorflow as tf2
    import tensorflow.compat.v1 as tf

    from tfae import data
    from tfae.data import pipeline, streaming

    tf2.config.experimental.enable_op_determinism()
    config = data.Config(name, str(folder / name), validation_fraction=0)
    images = data.load(config).train.images
    with tf.Graph().as_default():
        step = pipeline.local(np.int64(0))
        stream = streaming.Stream(images, None, 'training')

        def order(step):
            return pipeline.indices('shuffled', step, BATCH, len(images), [0, 0])

        batch = stream.batch(step.read_value(), order)
        with tf.control_dependencies([batch.images]):
            advance = step.assign_add(1).op
        session = tf.Session()
        session.run(tf.local_variables_initializer())
        session.run(batch.start)
        take = session.make_callable(advance)
    while True:
        yield take()


def torch_batches(folder):
    """Yields batches of a DataLoader; None without PyTorch."""
    try:
        import torch
    except ImportError:
        return None
    paths = sorted((folder / 'images').iterdir())

    class Faces(torch.utils.data.Dataset):
        def __len__(self):
            return len(paths)

        def __getitem__(self, i):
            with Image.open(paths[i]) as image:
                pixels = np.array(image.convert('RGB'))
            return torch.from_numpy(pixels).permute(2, 0, 1).contiguous().float().div(255)

    def endless():
        workers = os.cpu_count()
        loader = torch.utils.data.DataLoader(
            Faces(),
            BATCH,
            shuffle=True,
            num_workers=workers,
            drop_last=True,
            persistent_workers=True,
        )
        while True:
            yield from loader

    return endless()


def map_batches(folder):
    """Yields batches of rows of a memory map."""
    rows = np.load(folder / 'pixels.npy', mmap_mode='r')
    random = np.random.default_rng(0)
    while True:
        order = random.permutation(len(rows))
        for start in range(0, len(order) - BATCH + 1, BATCH):
            yield rows[order[start : start + BATCH]] * np.float32(1 / 255)


if __name__ == '__main__':
    app.run(main)
