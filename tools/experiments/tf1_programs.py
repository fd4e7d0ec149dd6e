"""Runs a folder of public TF1 programs on today's TensorFlow, with and without tfae.

    python tools/experiments/tf1_programs.py FOLDER                every program that trains
    python tools/experiments/tf1_programs.py FOLDER --list=FILE    a path, a tab, arguments a line
    python tools/experiments/tf1_programs.py FOLDER --modes=run    only some of is, install, run

Each program runs in a process and a copy of its repository (a folder in FOLDER) of its own:

    is         as it is
    install    after `import tfae.compat; tfae.compat.install(as_tensorflow=True, removed=True)`
    run        by `tfae run`

Programs are shortened: numbers of epochs become 1, those of steps and ranges above 2000 become
1000. A program is cut after 50 session runs that changed a trainable variable, or 30 s after the
first. It has trained if there were some, and it then ended with exit code 0 or was cut. Its folder
is the current one, and its repository is on the path. TFAE_DATA_DIR names the folder with mnist/,
which also serves `keras.datasets.mnist` and downloads of its files. Programs are other people's
code: run them where they can do no harm.
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
LINE = 'import tfae.compat; tfae.compat.install(as_tensorflow=True, removed=True)\n'
MODES = ('is', 'install', 'run')

# Text -> its short form: any number of epochs, and large numbers of steps.
_NAME = r'(\b(?!\w*per_)\w*'
_GIVEN = r'["\']?\s*[=,:]\s*(?:type=int,\s*)?(?:default=)?)'
SHORT = (
    (rf'{_NAME}epochs?\w*{_GIVEN}[1-9]\d*\b(?!\.)', r'\g<1>1'),
    (
        rf'{_NAME}(?:steps?|iters?|iterations|updates){_GIVEN}(?:[2-9]\d{{3}}|\d{{5,}})\b(?!\.)',
        r'\g<1>1000',
    ),
    (r'(range\((?:\d+,\s*)?)(?:[2-9]\d{3}|\d{5,})(\s*(?:\+\s*1)?\))', r'\g<1>1000\2'),
)

# Imported by every Python process that has its folder on the path: counts session runs that train.
COUNTER = """
import json, os, time
import numpy as np
import tensorflow.compat.v1 as tf

mnist = os.environ['TF1_PROGRAMS_MNIST']
if os.path.exists(mnist + '/mnist.npz'):  # instead of downloads of these files
    import importlib, urllib.request

    def load_data(path=None):
        with np.load(mnist + '/mnist.npz') as f:
            return (f['x_train'], f['y_train']), (f['x_test'], f['y_test'])

    if os.environ['TF1_PROGRAMS_KERAS']:
        keras_2 = ('tf_keras.src', 'tf_keras.api._v1.keras', 'tf_keras.api._v2.keras')
        for face in ('keras', 'keras._tf_keras.keras', 'keras.src', *keras_2):
            importlib.import_module(face + '.datasets.mnist').load_data = load_data

    def local(original):
        def fetch(url, *args, **kwargs):
            path = os.path.join(mnist, os.path.basename(getattr(url, 'full_url', url)))
            return original('file://' + path if os.path.isfile(path) else url, *args, **kwargs)
        return fetch

    urllib.request.urlopen = local(urllib.request.urlopen)
    urllib.request.urlretrieve = local(urllib.request.urlretrieve)

path, counts, last, began = os.environ['TF1_PROGRAMS_COUNTS'], {'moved': 0, 'cut': False}, {}, []

def counting(original):
    def run(self, *args, **kwargs):
        result = original(self, *args, **kwargs)
        variables = self.graph.get_collection(tf.GraphKeys.TRAINABLE_VARIABLES)
        variables = variables or self.graph.get_collection(tf.GraphKeys.GLOBAL_VARIABLES)
        sizes = [np.prod(v.shape.as_list()) if v.shape.rank is not None else 1 for v in variables]
        chosen = [variables[i] for i in np.argsort(sizes)[::max(1, len(sizes) // 4)]]
        try:
            now = original(self, chosen)
        except Exception:  # not initialized yet
            return result
        before, last[self] = last.get(self), now
        if before and len(before) == len(now):
            if not all(np.array_equal(a, b, equal_nan=True) for a, b in zip(before, now)):
                counts['moved'] += 1
                began.append(time.monotonic())
                counts['cut'] = counts['moved'] >= 50 or time.monotonic() > began[0] + 30
                with open(path, 'w') as file:
                    json.dump(counts, file)
                if counts['cut']:
                    os._exit(0)
        return result
    return run

for kind in (tf.Session, tf.InteractiveSession):
    kind.run = counting(kind.run)
"""


def programs(folder):
    """Returns the scripts and notebooks below a folder that train in sessions."""
    found = []
    for path in sorted([*folder.rglob('*.py'), *folder.rglob('*.ipynb')]):
        text = path.read_text(errors='replace')
        runs = re.search(
            r'Session\(|MonitoredTrainingSession|estimator\.Estimator|Supervisor', text
        )
        trains = re.search(r'minimize\(|apply_gradients\(|create_train_op', text)
        if re.search(r'^\W*(import|from) tensorflow', text, re.M) and runs and trains:
            found.append((str(path.relative_to(folder)), []))
    return found


def shortened(text):
    """Returns a program with small numbers of epochs and steps."""
    for form, short in SHORT:
        text = re.sub(form, short, text, flags=re.I)
    return text


def mnist(folder):
    """Makes a folder with the IDX files of MNIST and Keras' file of it."""
    source = pathlib.Path(os.environ.get('TFAE_DATA_DIR', 'no such folder')) / 'mnist'
    place = folder / 'mnist'
    if source.is_dir():
        shutil.copytree(source, place)
        code = (
            'import sys, numpy as np; from tfae import data;'
            "d = data.module('mnist').load(data.Config(dataset='mnist', data_dir=sys.argv[1]));"
            "np.savez(sys.argv[1] + '/mnist.npz', x_train=d[0][0][..., 0], x_test=d[1][0][..., 0],"
            " y_train=d[0][1].astype('u1'), y_test=d[1][1].astype('u1'))"
        )
        environment = os.environ | {'PYTHONPATH': str(ROOT)}
        command = [sys.executable, '-c', code, str(place)]
        subprocess.run(command, env=environment, check=True, stderr=subprocess.DEVNULL)
    return place


def run(folder, program, arguments, mode, place, timeout):
    """Runs a program; returns whether it trained, and the line that tells how it ended."""
    repository = pathlib.Path(program).parts[0]
    copy = place / 'copy'
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(folder / repository, copy / repository, symlinks=True)
    for path in [*copy.rglob('*.py'), copy / program]:
        path.write_text(shortened(path.read_text(errors='surrogateescape')),
                        errors='surrogateescape')  # fmt: skip
    texts = [path.read_bytes() for path in [*copy.rglob('*.py'), copy / program]]
    keras = any(b'keras.datasets' in text for text in texts)
    path, counts = copy / program, place / 'counts.json'
    counts.unlink(missing_ok=True)
    command = [sys.executable, path.name, *arguments]
    if path.suffix == '.ipynb' and mode != 'run':
        path = path.with_suffix('.py')
        cells = json.loads((copy / program).read_text())['cells']
        code = [''.join(cell['source']) for cell in cells if cell['cell_type'] == 'code']
        path.write_text(re.sub(r'^(\s*)[%!].*', r'\1pass', '\n'.join(code), flags=re.M))
        command[1] = path.name
    if mode == 'install':
        text = path.read_text(errors='surrogateescape')
        # `from __future__` must stay first.
        at = max((m.end() for m in re.finditer(r'^from __future__.*\n', text, re.M)), default=0)
        path.write_text(text[:at] + LINE + text[at:], errors='surrogateescape')
    if mode == 'run':
        command[1:1] = ['-m', 'tfae', 'run']
    (place / 'counter').mkdir(exist_ok=True)
    (place / 'counter' / 'sitecustomize.py').write_text(COUNTER)
    search = [place / 'counter', ROOT, copy / repository, os.environ.get('PYTHONPATH', '')]
    environment = os.environ | {
        'HOME': str(place / 'home'),
        'PYTHONPATH': ':'.join(map(str, search)),
        'TF1_PROGRAMS_COUNTS': str(counts),
        'TF1_PROGRAMS_MNIST': str(place / 'mnist'),
        'TF1_PROGRAMS_KERAS': 'yes' if keras else '',
        'TF_CPP_MIN_LOG_LEVEL': '3',
        'CUDA_VISIBLE_DEVICES': '',
    }
    with (place / 'out').open('wb') as out:
        process = subprocess.Popen(
            command,
            cwd=path.parent,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            code = f'timeout after {timeout} s'
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    found = json.loads(counts.read_text() or '{}') if counts.exists() else {}
    lines = (place / 'out').read_text(errors='replace').split('\n')
    wrong = [
        line
        for line in lines
        if re.match(r'\w*(\.\w+)*(Error|Exception|Exit|Interrupt)\b|tfae: error', line)
    ]
    if code == 0 and found.get('moved'):
        return True, f'{found["moved"]} runs' + (', cut' if found['cut'] else '')
    last = next(reversed(wrong or [line for line in lines if line.strip()]), '') if code else ''
    return False, f'{found.get("moved", 0)} runs, exit {code}: {last[:150]}'.strip()


def main():
    """Runs the programs and prints the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument('folder', type=pathlib.Path)
    parser.add_argument('--list', type=pathlib.Path, help='file with a program a line')
    parser.add_argument('--modes', default=','.join(MODES))
    parser.add_argument('--timeout', type=int, default=240, help='seconds of a program')
    parser.add_argument('--log', type=pathlib.Path, help='folder for the output of each program')
    flags = parser.parse_args()
    modes = flags.modes.split(',')
    chosen = programs(flags.folder)
    if flags.list:
        lines = [line.split('\t') for line in flags.list.read_text().splitlines() if line.strip()]
        chosen = [(path, ' '.join(rest).split()) for path, *rest in lines]
    print(f'| program | {" | ".join(modes)} |\n|{" --- |" * (len(modes) + 1)}', flush=True)
    trained = dict.fromkeys(modes, 0)
    with tempfile.TemporaryDirectory(prefix='tf1_programs_') as name:
        place = pathlib.Path(name)
        mnist(place)
        (place / 'home').mkdir()
        for program, arguments in chosen:
            cells = []
            for mode in modes:
                right, ended = run(flags.folder, program, arguments, mode, place, flags.timeout)
                trained[mode] += right
                cells.append(f'{"yes" if right else "no"}: {ended}'.replace('|', r'\|'))
                if flags.log:
                    flags.log.mkdir(parents=True, exist_ok=True)
                    log = f'{program.replace("/", "+")}.{mode}'
                    shutil.copy(place / 'out', flags.log / log)
            print(f'| {" ".join([program, *arguments])} | {" | ".join(cells)} |', flush=True)
    shares = [
        f'{mode} {count} ({count / max(1, len(chosen)):.0%})' for mode, count in trained.items()
    ]
    print(f'\n{len(chosen)} programs; trained: {", ".join(shares)}')


if __name__ == '__main__':
    main()
