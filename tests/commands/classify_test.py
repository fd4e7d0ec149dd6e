"""`tfae classify`: what it prints is what the network says, and what is refused."""

import json
import struct
import zlib

import narrow_network
import numpy as np
import pytest
import tfae_program
from PIL import Image

NETWORK = (*narrow_network.WORDS, '--weights=a.npz', '--preprocessing=rgb')


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Runs, weights and images."""
    folder = tmp_path_factory.mktemp('classify')
    layers = ('--filters=4', '--pooling=max', '--units=6', '--epochs=1')
    for words in (('--model=classifier', *layers), ('--units=4', '--epochs=1')):
        name = 'classifier' if words[0].endswith('classifier') else 'dense'
        made = tfae_program.run('train', *words, f'--logdir={name}', cwd=folder)
        assert made.code == 0, made
    weights = narrow_network.arrays()
    np.savez(folder / 'a.npz', **weights)
    weights['more/bias'] = weights.pop('fc6/kernel')
    np.savez(folder / 'other.npz', **weights)
    random = np.random.RandomState(0)
    for name, shape in (('wide.png', [240, 400, 3]), ('high.jpg', [300, 230, 3])):
        small = Image.fromarray(random.randint(0, 256, [5, 7, 3], np.uint8))
        small.resize(shape[1::-1]).save(folder / name)
    Image.fromarray(random.randint(0, 256, [8, 8], np.uint8)).save(folder / 'gray.png')
    (folder / 'names.txt').write_text('ant\nbee\ncow  of  two\ndog\nemu\n')
    index = {str(k): [f'n0{k}', name] for k, name in enumerate('vwxyz')}
    (folder / 'imagenet_class_index.json').write_text(json.dumps(index))
    (folder / 'few.txt').write_text('ant\nbee\n')
    (folder / 'broken.json').write_text('{"0": ["n0", "ant"]')
    (folder / 'cut.png').write_bytes((folder / 'wide.png').read_bytes()[:300])
    head = b'IHDR' + struct.pack('>IIBBBBB', 40_000, 1, 8, 0, 0, 0, 0)
    start = b'\x89PNG\r\n\x1a\n' + struct.pack('>I', 13) + head
    end = struct.pack('>I', zlib.crc32(head)) + b'\0\0\0\0IDAT'
    (folder / 'long.png').write_bytes(start + end)
    return folder


def printed(folder, *words):
    """Image -> its lines `(probability, class, name)`."""
    done = tfae_program.run('classify', *words, cwd=folder)
    assert (done.code, done.err) == (0, ''), done
    found, lines = {}, []
    for line in done.out.splitlines():
        if line.startswith('  '):
            probability, number, *name = line.split(maxsplit=2)
            lines.append((probability, int(number), *name))
        elif line.endswith(':'):  # a run says its checkpoint first
            found[line.removesuffix(':')] = lines = []
    return found


def test_scores_are_the_logits_of_the_network_and_of_a_run(folder):
    (folder / 'names.py').write_text("{0: 'v', 1: 'w', 2: 'x', 3: 'y', 4: 'z'}")
    for words in (
        (*NETWORK, '--class_names=names.py', 'wide.png'),
        ('--logdir=classifier', 'gray.png'),
    ):
        plain, scored = (
            [
                line.split()
                for line in tfae_program.run('classify', *words, *more, cwd=folder).out.splitlines()
                if line.startswith('  ')
            ]
            for more in ((), ('--scores',))
        )
        assert plain == [[p, *rest] for p, _, *rest in scored]
        p, logits = np.array([[float(cell) for cell in line[:2]] for line in scored]).T
        np.testing.assert_allclose(p / p[0], np.exp(logits - logits[0]), atol=1e-3)
        assert np.ptp(logits) > 0.01


@pytest.fixture(scope='module')
def said(folder):
    """Probabilities `[2, 5]` of wide.png and high.jpg, as open_reference gives them."""
    from tfae.pretrained import imagenet
    from tfae.pretrained.classifier import open_reference

    options = {'classes': narrow_network.CLASSES, 'width': narrow_network.WIDTH}
    names = ('wide.png', 'high.jpg')
    images = [imagenet.cut(Image.open(folder / name), 224, 224) for name in names]
    with open_reference(
        narrow_network.NAME, str(folder / 'a.npz'), preprocessing='rgb', **options
    ) as network:
        return network.classify(np.stack(images))


def test_printed_probabilities_are_those_of_the_network(folder, said):
    assert np.ptp(said, axis=0).max() > 0.01  # the images are told apart
    found = printed(folder, *NETWORK, 'wide.png', 'high.jpg')
    assert list(found) == ['wide.png', 'high.jpg']
    for lines, row in zip(found.values(), said, strict=True):
        assert [number for _, number in lines] == np.argsort(-row).tolist()
        assert [float(p) for p, _ in lines] == pytest.approx(sorted(row, reverse=True), abs=1e-4)


def test_what_the_network_was_trained_to_see_can_be_named(folder, said):
    words = [word for word in NETWORK if 'preprocessing' not in word]
    (found,) = printed(folder, *words, '--preprocessing=torchvision', 'wide.png').values()
    values = {number: float(p) for p, number in found}
    assert max(abs(values[k] - said[0, k]) for k in values) > 0.01


def test_classes_have_the_names_of_a_list_or_of_the_public_index(folder, said):
    best = said[1].argsort()[:-4:-1]
    for file, names in (
        ('names.txt', ['ant', 'bee', 'cow of two', 'dog', 'emu']),
        ('imagenet_class_index.json', list('vwxyz')),
    ):
        (lines,) = printed(
            folder, *NETWORK, f'--class_names={file}', '--top=3', 'high.jpg'
        ).values()
        assert [(k, name) for _, k, name in lines] == [(k, names[k]) for k in best]


def test_a_run_classifies_images_scaled_to_its_size(folder):
    from tfae.runs.saved_run import open_run

    (lines,) = printed(folder, '--logdir=classifier', '--top=99', 'gray.png').values()
    with open_run(folder / 'classifier') as run:
        image = np.asarray(Image.open(folder / 'gray.png'))[None, ..., None]
        row = run.fetch(run.built.inference.outputs.probabilities, image)[0]
    assert len(lines) == 10
    assert [number for _, number, *_ in lines] == np.argsort(-row, kind='stable').tolist()
    assert [float(line[0]) for line in lines] == pytest.approx(np.sort(row)[::-1], abs=1e-4)
    (best,) = printed(folder, '--logdir=classifier', '--top=1', 'wide.png').values()
    assert len(best) == 1


@pytest.mark.parametrize(
    'words, code, want',
    [
        ((), 2, 'tfae classify needs IMAGE ... after its flags'),
        (('wide.png',), 2, 'tfae classify needs either --logdir or --model with --weights'),
        ((*NETWORK, '--logdir=classifier', 'wide.png'), 2, 'tfae classify needs either --logdir'),
        (('--model=vgg11', 'wide.png'), 2, '--model=vgg11 needs --weights=FILE'),
        (('--model=vgg12', '--weights=a.npz', 'wide.png'), 2, "--model is 'vgg12'; it must be one"),
        (('--logdir=classifier', '--weights=a.npz', 'wide.png'), 2, '--weights needs --model'),
        (('--logdir=classifier', '--class_count=5', 'wide.png'), 2, '--class_count needs --model'),
        ((*NETWORK, '--checkpoint=last', 'wide.png'), 2, '--checkpoint needs --logdir'),
        ((*NETWORK, '--classes=5', 'wide.png'), 2, 'tfae classify has no flag --classes; did you'),
        ((*NETWORK, '--top=0', 'wide.png'), 2, '--top is 0; it must lie in [1, inf)'),
        ((*NETWORK, '--class_count=1', 'wide.png'), 2, '--class_count is 1; it must lie in [2, '),
        ((*NETWORK, '--width=0', 'wide.png'), 2, '--width is 0.0; it must lie in (0, 8]'),
        ((*NETWORK[:-1], 'wide.png'), 2, 'a.npz does not record the preprocessing of vgg11; --pr'),
        ((*NETWORK, '--weights=b.npz', 'wide.png'), 1, '--weights b.npz: no such file; it must be'),
        ((*NETWORK, '--weights=wide.png', 'wide.png'), 1, 'wide.png has an unknown format; it mu'),
        (
            (*NETWORK, '--weights=other.npz', 'wide.png'),
            1,
            'other.npz does not hold the weights of vgg11: missing fc6/kernel; unexpected more/'
            'bias',
        ),
        (
            (*NETWORK, '--class_count=6', 'wide.png'),
            1,
            'a.npz: fc8/kernel is (256, 5); in vgg11 it must be (256, 6)',
        ),
        (
            (*NETWORK, '--model=vgg13', 'wide.png'),
            1,
            'a.npz does not hold the weights of vgg13: missing conv1_2/kernel, conv1_2/bias, conv2',
        ),
        ((*NETWORK, 'none.png'), 1, 'none.png cannot be read: No such file or directory'),
        ((*NETWORK, 'wide.png', 'names.txt'), 1, 'names.txt is not an image'),
        ((*NETWORK, 'cut.png'), 1, 'cut.png is truncated: its PNG has no end marker'),
        (('--logdir=classifier', 'cut.png'), 1, 'cut.png is truncated: its PNG has no end mark'),
        ((*NETWORK, 'long.png'), 1, 'long.png is 40000 x 1; a side must be at most 30,000'),
        (
            ('--logdir=classifier', 'long.png'),
            1,
            'long.png is 40000 x 1; a side must be at most 30,0',
        ),
        ((*NETWORK, '--class_names=few.txt', 'wide.png'), 1, '--class_names few.txt has 2 names; '),
        (
            (*NETWORK, '--class_names=broken.json', 'wide.png'),
            1,
            '--class_names broken.json cannot',
        ),
        (
            (*NETWORK, '--class_names=a.npz', 'wide.png'),
            1,
            '--class_names a.npz cannot be read (Un',
        ),
        (
            (*NETWORK, '--class_names=none', 'wide.png'),
            1,
            '--class_names none cannot be read (File',
        ),
        (('--logdir=dense', 'gray.png'), 1, 'dense, a run of the family dense, has no probabil'),
    ],
)
def test_what_cannot_be_classified_is_refused(folder, words, code, want):
    before = tfae_program.contents(folder)
    done = tfae_program.run('classify', *words, cwd=folder)
    assert done.refusal(code).startswith(want)
    assert not any(line.startswith('  ') for line in done.out.splitlines())
    assert tfae_program.contents(folder) == before
