r"""Compares AlexNet and VGG with PyTorch's own definitions, at their published size.

    python tools/experiments/published.py [--networks=alexnet,vgg16] [--output=runs/published]

PyTorch initializes random weights and writes them as a state dict, which tfae loads; both networks
classify the same images of noise. Prints, and writes as Markdown, the largest difference of two
logits, the standard deviation of the logits, and the time per image. Each library runs in a process
of its own. Requires the extra `peers`.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np
from absl import app, flags

ROOT = pathlib.Path(__file__).parents[2]
_NETWORKS = flags.DEFINE_list(
    'networks', ['alexnet', 'vgg11', 'vgg13', 'vgg16', 'vgg19'], 'Networks to run.'
)
_IMAGES = flags.DEFINE_integer('images', 4, 'Images of noise in one batch.', 1)
_ROUNDS = flags.DEFINE_integer('rounds', 5, 'Timed passes; the fastest counts.', 1)
_OUTPUT = flags.DEFINE_string('output', 'runs/published', 'Folder for the table.')
_SIDE = flags.DEFINE_string('side', '', 'Runs one library, in --folder; used by the driver.')
_FOLDER = flags.DEFINE_string(
    'folder', '', 'Folder of weights, images and logits of one network; used by the driver.'
)


def main(_):
    """Prints the table and writes it."""
    if _SIDE.value:
        return {'torch': of_torch, 'tfae': of_tfae}[_SIDE.value](pathlib.Path(_FOLDER.value))
    lines = [
        '| network | parameters | max. logit difference | logit std. dev. | '
        'ms per image, PyTorch | ms per image, tfae |',
        '| --- | --- | --- | --- | --- | --- |',
    ]
    for name in _NETWORKS.value:
        with tempfile.TemporaryDirectory() as folder:
            found = {side: measured(side, name, folder) for side in ('torch', 'tfae')}
            logits = [np.load(f'{folder}/{side}.npy') for side in found]
        cells = [
            f'`{name}`',
            f'{found["tfae"]["parameters"]:,}',
            f'{np.abs(logits[0] - logits[1]).max():.1e}',
            f'{logits[0].std():.2f}',
            *(f'{1000 * one["seconds"] / _IMAGES.value:.0f}' for one in found.values()),
        ]
        lines.append(f'| {" | ".join(cells)} |')
    print('\n'.join(lines))
    output = ROOT / _OUTPUT.value
    output.mkdir(parents=True, exist_ok=True)
    (output / 'published.md').write_text('\n'.join(lines) + '\n')
    return 0


def measured(side, name, folder):
    """Runs one library on a network in a process of its own and returns its result."""
    words = [f'--side={side}', f'--networks={name}', f'--folder={folder}']
    words += [f'--images={_IMAGES.value}', f'--rounds={_ROUNDS.value}']
    done = subprocess.run(
        [sys.executable, __file__, *words],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {'TF_CPP_MIN_LOG_LEVEL': '3'},
    )
    return json.loads(done.stdout.splitlines()[-1])


def of_torch(folder):
    """Writes the weights, images and logits of PyTorch, and prints its time."""
    sys.path.insert(0, str(ROOT / 'tests' / 'support'))
    import torch
    import torch_networks

    (name,) = _NETWORKS.value
    depth = name.removeprefix('vgg')
    network = torch_networks.vgg(depth) if depth != name else torch_networks.alexnet()
    images = np.random.RandomState(0).uniform(size=[_IMAGES.value, 224, 224, 3])
    images = images.astype(np.float32)
    np.save(folder / 'x.npy', images)
    torch.save(network.state_dict(), folder / 'weights.pth')
    np.save(folder / 'torch.npy', network.logits(images))
    print(json.dumps({'seconds': fastest(lambda: network.logits(images))}))


def of_tfae(folder):
    """Reads weights and images, writes the logits of tfae, and prints its time and size."""
    from tfae.pretrained.classifier import open_reference

    images = np.load(folder / 'x.npy')
    (name,) = _NETWORKS.value
    with open_reference(name, str(folder / 'weights.pth')) as network:
        logits = network.outputs.class_logits

        def answer():
            return network.session.run(logits, {network.images: images})

        np.save(folder / 'tfae.npy', answer())
        count = sum(v.shape.num_elements() for v in network.graph.get_collection('variables'))
        print(json.dumps({'seconds': fastest(answer), 'parameters': count}))


def fastest(call):
    """Returns the seconds of the fastest call."""
    seconds = []
    for _ in range(_ROUNDS.value):
        started = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - started)
    return min(seconds)


if __name__ == '__main__':
    app.run(main)
