"""`tfae export`: what other programs read gives what the run gives."""

import contextlib
import importlib.util
import io
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import narrow_network
import numpy as np
import pytest
import sample_images
import tensorflow.compat.v1 as tf
import tfae_program

import tfae
from tfae import data
from tfae.analysis import anomaly
from tfae.commands import export as command
from tfae.core import errors
from tfae.export import signatures
from tfae.pretrained.classifier import open_reference

ROOT = pathlib.Path(__file__).parents[2]
CONVOLUTIONS = ('--filters=3,4', '--pooling=max')
RUNS = {
    'dense': ('--units=8,4',),
    'convolutional': (*CONVOLUTIONS, '--units=', '--activation=elu'),
    'variational': (*CONVOLUTIONS, '--units=8', '--code_size=3'),
    'gan': (*CONVOLUTIONS, '--units=8', '--code_size=3'),
    'classifier': (*CONVOLUTIONS, '--units=8'),
    'siamese': ('--units=8', '--code_size=3'),
    'regressor': ('--units=8',),
}
SIGNATURES = {
    'dense': ['encode', 'decode', 'reconstruct', 'score'],
    'convolutional': ['encode', 'decode', 'reconstruct'],
    'variational': ['encode', 'decode', 'reconstruct', 'sample'],
    'gan': ['decode', 'score', 'sample'],
    'classifier': ['encode', 'classify'],
    'siamese': ['encode'],
    'regressor': ['encode', 'regress'],
}
BYTES = np.random.RandomState(0).randint(0, 256, [7, 8, 8, 1]).astype(np.uint8)
IMAGES = data.pixels(BYTES)
FILES = np.array([sample_images.encoded(image[..., 0], 'PNG') for image in BYTES])
CODES = np.random.RandomState(1).normal(size=[7, 64]).astype(np.float32)
EXACT = {'rtol': 1e-5, 'atol': 1e-5}

OF_IMAGES = ('encode', 'reconstruct', 'classify', 'regress', 'score')
SIGNATURES = {
    family: [n for name in found for n in (name, f'{name}_bytes') if n == name or name in OF_IMAGES]
    for family, found in SIGNATURES.items()
}

every_family = pytest.mark.parametrize('family', RUNS)


def has_onnx():
    return all(importlib.util.find_spec(name) for name in ('tf2onnx', 'onnx', 'onnxruntime'))


with_onnx = pytest.mark.skipif(
    not has_onnx(),
    reason="there is no tf2onnx, onnx or onnxruntime: pip install 'tf-autoencoders[onnx]'",
)


def run_tfae(*words, cwd):
    done = tfae_program.run(*words, cwd=cwd)
    assert (done.code, done.err) == (0, ''), done
    return done.out


def export(*words):
    """What the program does and prints, in this process: it need not start."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        assert command.main(list(words)) == 0
    return out.getvalue()


def test_a_full_disk_is_told_in_one_line_and_nothing_is_left(folder, tmp_path, monkeypatch):
    def refuse(builder):
        raise tf.errors.ResourceExhaustedError(None, None, 'x.pb; No space left on device')

    monkeypatch.setattr(tf.saved_model.Builder, 'save', refuse)
    output = tmp_path / 'served'
    wanted = f'^--output {re.escape(str(output))} cannot be written: x.pb; No space left on device$'
    with pytest.raises(errors.InputError, match=wanted):
        command.main([f'--logdir={folder / "dense"}', f'--output={output}'])
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A run of each family, the dense one with a detector, and each as a SavedModel."""
    folder = tmp_path_factory.mktemp('export')
    for family, words in RUNS.items():
        common = (f'--model={family}', '--epochs=1', f'--logdir={family}')
        run_tfae('train', *words, *common, cwd=folder)
    run_tfae('anomaly', '--logdir=dense', '--nobaselines', cwd=folder)
    run_tfae('export', '--logdir=convolutional', '--output=served/convolutional', cwd=folder)
    for family in RUNS.keys() - {'convolutional'}:
        export(f'--logdir={folder / family}', f'--output={folder / "served" / family}')
    return folder


def described(folder):
    return json.loads((folder / 'signatures.json').read_text())


def fed(name, described):
    """Values for the inputs of a signature, of seven examples."""
    known = {'images': IMAGES, 'count': np.int32(7), 'seed': np.array([5, 0], np.int64)}
    known['image_bytes'] = FILES
    if 'code' in described['inputs']:
        known['code'] = CODES[:, : described['inputs']['code']['shape'][1]]
    return {key: known[key] for key in described['inputs']}


def wanted(folder, family):
    """Signature -> output -> value `[7, ...]`, as the run gives it."""
    with tfae.open(folder / family) as run:
        outputs = {
            k: run.fetch(t, IMAGES) for k, t in run.built.inference.outputs._asdict().items()
        }
        found = {
            'encode': {k: outputs[k] for k in ('code', 'log_variance') if k in outputs},
            'reconstruct': {k: outputs[k] for k in ('reconstruction',) if k in outputs},
            'classify': {k: outputs[k] for k in ('probabilities', 'class_logits') if k in outputs},
            'regress': {k: outputs[k] for k in ('prediction',) if k in outputs},
            'score': {k: outputs[k] for k in ('score',) if k in outputs},
        }
        if 'decode' in SIGNATURES[family]:
            found['decode'] = {'images': run.decode(CODES[:, : run.built.model.code_size])}
        if 'sample' in SIGNATURES[family]:
            codes = run.sample(7, 5)
            found['sample'] = {'code': codes, 'images': run.decode(codes)}
        if 'score' in SIGNATURES[family] and 'reconstruction' in outputs:
            detector = anomaly.load(folder / family / 'anomaly.npz')
            scores = detector.scores(IMAGES, outputs['code'], outputs['reconstruction'])
            found['score'] = {'score': scores}
    found |= {f'{name}_bytes': found[name] for name in OF_IMAGES}
    return {name: found[name] for name in SIGNATURES[family]}


EAGER = """
import sys
import numpy as np
import tensorflow as tf

assert tf.executing_eagerly()
given, found, loaded = np.load('given.npz'), {}, {}
for family, name in dict.fromkeys(tuple(key.split('|')[:2]) for key in given.files):
    if family not in loaded:
        loaded[family] = tf.saved_model.load('served/' + family)
    names = [key for key in given.files if key.startswith(f'{family}|{name}|')]
    values = {key.split('|')[2]: tf.constant(given[key]) for key in names}
    parts = {7: values}
    if 'count' not in values:
        parts[1] = {key: value[:1] for key, value in values.items()}
    for count, part in parts.items():
        for key, value in loaded[family].signatures[name](**part).items():
            found[f'{family}|{name}|{count}|{key}'] = value.numpy()
assert not [name for name in sys.modules if name.split('.')[0] == 'tfae']
np.savez('found.npz', **found)
"""


@pytest.fixture(scope='module')
def eager(folder):
    """What TensorFlow 2 makes of the same inputs, in a program that knows nothing of tfae."""
    given = {
        f'{family}|{name}|{key}': value
        for family in RUNS
        for name, signature in described(folder / 'served' / family)['signatures'].items()
        for key, value in fed(name, signature).items()
    }
    np.savez(folder / 'given.npz', **given)
    alone(folder, EAGER)
    with np.load(folder / 'found.npz') as found:
        return dict(found)


def alone(folder, code):
    """Runs code in an interpreter that finds no tfae beside it."""
    environment = {k: v for k, v in os.environ.items() if k != 'PYTHONPATH'}
    more = [p for p in os.environ.get('PYTHONPATH', '').split(os.pathsep) if p != str(ROOT)]
    done = subprocess.run(
        [sys.executable, '-c', code],
        cwd=folder,
        env=environment | {'PYTHONPATH': os.pathsep.join(more), 'CUDA_VISIBLE_DEVICES': ''},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


@every_family
def test_tensorflow_2_gives_what_the_run_gives_for_one_image_and_for_seven(folder, eager, family):
    for name, outputs in wanted(folder, family).items():
        for key, value in outputs.items():
            np.testing.assert_allclose(eager[f'{family}|{name}|7|{key}'], value, **EXACT)
            if name != 'sample':
                np.testing.assert_allclose(eager[f'{family}|{name}|1|{key}'], value[:1], **EXACT)


@every_family
def test_a_saved_model_holds_no_operation_of_this_package(folder, family):
    with tf.Graph().as_default(), tf.Session() as session:
        read = tf.saved_model.load(session, ['serve'], str(folder / 'served' / family))
        assert not foreign(read.graph_def)
        assert list(described(folder / 'served' / family)['signatures']) == SIGNATURES[family]
        assert sorted(read.signature_def) == sorted(SIGNATURES[family])
        with tfae.open(folder / family) as run:
            held = run.variables()
        assert tf.global_variables()
        for variable in tf.global_variables():
            assert np.array_equal(session.run(variable), held[variable.op.name])


def foreign(graph_def):
    """Types of operations that the stock library does not have."""
    nodes = [*graph_def.node, *(n for f in graph_def.library.function for n in f.node_def)]
    return {node.op for node in nodes if 'Subpixel' in node.op}


@pytest.fixture(scope='module')
def frozen(folder):
    """A run of convolutions and one with a score, as frozen graphs."""
    for family in ('convolutional', 'dense'):
        path = folder / 'frozen' / family
        export(f'--logdir={folder / family}', f'--output={path}', '--format=frozen_graph')
    return folder / 'frozen'


@pytest.mark.parametrize('family', ['convolutional', 'dense'])
def test_a_frozen_graph_gives_what_the_run_gives(folder, frozen, family):
    said = described(frozen / family)
    graph_def = tf.GraphDef.FromString((frozen / family / said['file']).read_bytes())
    assert not foreign(graph_def)
    assert not {node.op for node in graph_def.node} & {'VarHandleOp', 'ReadVariableOp'}
    with tf.Graph().as_default(), tf.Session() as session:
        tf.import_graph_def(graph_def, name='')
        for name, outputs in wanted(folder, family).items():
            signature = said['signatures'][name]
            given = fed(name, signature)
            for count in (1, 7):
                feed = {signature['inputs'][k]['tensor']: v[:count] for k, v in given.items()}
                fetched = {k: t['tensor'] for k, t in signature['outputs'].items()}
                for key, value in session.run(fetched, feed).items():
                    np.testing.assert_allclose(value, outputs[key][:count], **EXACT)


@with_onnx
@every_family
def test_onnxruntime_gives_what_the_run_gives(folder, family):
    import onnxruntime

    output = folder / 'onnx' / family
    out = export(f'--logdir={folder / family}', f'--output={output}', '--format=onnx')
    names = [n for n in SIGNATURES[family] if n != 'sample' and not n.endswith('_bytes')]
    assert ('encode_bytes is not exported: ONNX cannot decode image files' in out) == (
        'encode' in names
    )
    assert ('sample is not exported: ONNX has no seeded random numbers' in out) == (
        'sample' in SIGNATURES[family]
    )
    assert list(described(output)['signatures']) == names
    assert sorted(path.stem for path in output.glob('*.onnx')) == sorted(names)
    found = wanted(folder, family)
    for name in names:
        signature = described(output)['signatures'][name]
        session = onnxruntime.InferenceSession(
            str(output / f'{name}.onnx'), providers=['CPUExecutionProvider']
        )
        for count in (1, 7):
            given = {key: value[:count] for key, value in fed(name, signature).items()}
            keys = list(signature['outputs'])
            for key, value in zip(keys, session.run(keys, given), strict=True):
                np.testing.assert_allclose(value, found[name][key][:count], **EXACT)


def test_without_a_converter_onnx_is_refused_and_the_cure_named(folder, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'tf2onnx', None)
    words = [f'--logdir={folder / "dense"}', f'--output={tmp_path / "onnx"}', '--format=onnx']
    text = (
        r"needs tf2onnx and onnx: .*tf2onnx.*; pip install 'tf-autoencoders\[onnx\]' installs both"
    )
    with pytest.raises(errors.InputError, match=text):
        export(*words)
    assert not list(tmp_path.iterdir())


def test_signatures_say_shapes_and_how_a_image_becomes_pixels(folder):
    said = described(folder / 'served' / 'variational')
    encode = said['signatures']['encode']
    image = {'dtype': 'float32', 'shape': [None, 8, 8, 1], 'tensor': 'inference/images:0'}
    assert encode['inputs'] == {'images': image}
    assert encode['outputs']['code']['shape'] == [None, 3]
    assert 'mean and log-variance of the distribution' in encode['meaning']
    assert (said['version'], said['format'], said['model']) == (1, 'saved_model', 'variational')
    assert (said['step'], said['dataset']) == (
        tfae_program.steps(folder / 'variational')[-1],
        'digits',
    )
    assert said['class_names'] == list('0123456789')
    assert said['pixels'] == {
        'layout': 'NHWC',
        'height': 8,
        'width': 8,
        'channels': 'gray',
        'range': [0.0, 1.0],
        'preprocessing': said['pixels']['preprocessing'],
        'crop': None,
    }
    for words in (
        'central crop',
        '2^15) >> 16',
        'bilinear and antialiased',
        'by 255',
    ):
        assert words in said['pixels']['preprocessing']
    score = described(folder / 'served' / 'dense')['signatures']['score']
    assert score['threshold'] == float(anomaly.load(folder / 'dense' / 'anomaly.npz').threshold)


def test_the_checkpoint_is_the_one_that_is_asked_for(folder, tmp_path):
    words = (f'--output={tmp_path / "last"}', '--checkpoint=last', '--format=frozen_graph')
    out = export(f'--logdir={folder / "dense"}', *words)
    assert out.startswith(str(folder / 'dense' / 'model-'))


def test_a_detector_of_another_step_gives_no_score(folder, tmp_path):
    path = shutil.copytree(folder / 'dense', tmp_path / 'dense') / 'anomaly.npz'
    with np.load(path) as file:
        np.savez(path, **{**file, 'step': np.asarray(7)})
    out = export(
        f'--logdir={path.parent}', f'--output={tmp_path / "frozen"}', '--format=frozen_graph'
    )
    assert f'score is not exported: {path} is from step 7, the checkpoint from step' in out
    assert 'score' not in described(tmp_path / 'frozen')['signatures']


def test_a_published_network_classifies_as_it_does_here(tmp_path):
    np.savez(tmp_path / 'a.npz', **narrow_network.arrays())
    (tmp_path / 'names.txt').write_text('ant\nbee\ncow\ndog\nemu\n')
    network = (*narrow_network.WORDS, f'--weights={tmp_path / "a.npz"}', '--preprocessing=rgb')
    words = (f'--class_names={tmp_path / "names.txt"}', f'--output={tmp_path / "served"}')
    export(*network, *words, '--format=frozen_graph')
    said = described(tmp_path / 'served')
    assert (said['class_names'], said['classes']) == (['ant', 'bee', 'cow', 'dog', 'emu'], 5)
    images = np.random.RandomState(0).uniform(size=[2, 224, 224, 3]).astype(np.float32)
    options = {'classes': narrow_network.CLASSES, 'width': narrow_network.WIDTH}
    path = str(tmp_path / 'a.npz')
    with open_reference(narrow_network.NAME, path, preprocessing='rgb', **options) as reference:
        want = reference.classify(images)
    graph_def = tf.GraphDef.FromString((tmp_path / 'served' / said['file']).read_bytes())
    classify = said['signatures']['classify']
    with tf.Graph().as_default(), tf.Session() as session:
        tf.import_graph_def(graph_def, name='')
        fetched = classify['outputs']['probabilities']['tensor']
        got = session.run(fetched, {classify['inputs']['images']['tensor']: images})
    np.testing.assert_allclose(got, want, **EXACT)


# What is refused.


def refused(folder, code, *words):
    """The line that an export is refused with, which leaves everything as it was."""
    before = tfae_program.contents(folder), sorted(folder.rglob('*'))
    line = tfae_program.run('export', *words, cwd=folder).refusal(code)
    assert (tfae_program.contents(folder), sorted(folder.rglob('*'))) == before
    return line


@pytest.mark.parametrize(
    'words, code, text',
    [
        ('--logdir=dense', 2, '--output is empty; it must name a folder to write'),
        ('--output=new', 2, 'tfae export needs either --logdir or --model with --weights'),
        ('--logdir=dense --output=new --format=onxx', 2, "--format is 'onxx'; it must be one of"),
        ('--logdir=dense --output=new --width=2', 2, '--width needs --model'),
        ('--logdir=none --output=new', 1, 'none is not a run'),
        (
            '--logdir=dense --output=served/dense',
            1,
            '--output served/dense already exists; it must be a new or an empty folder',
        ),
        (
            '--logdir=dense --output=dense/config.json',
            1,
            '--output dense/config.json already exists; it must be a new or an empty folder',
        ),
        ('--logdir=dense --output=dense/config.json/new', 1, 'dense/config.json'),
    ],
)
def test_what_cannot_be_exported_is_refused_and_leaves_nothing(folder, words, code, text):
    assert text in refused(folder, code, *words.split())


def test_an_empty_folder_is_taken(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    export(f'--logdir={folder / "siamese"}', '--output=.', '--format=frozen_graph')
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        'frozen_graph.pb',
        'signatures.json',
    ]


def test_weights_that_no_single_file_can_hold_are_refused(folder, monkeypatch):
    monkeypatch.setattr(signatures, '_MAX_BYTES', 100)
    with (
        tfae.open(folder / 'dense') as run,
        pytest.raises(
            errors.InputError,
            match=r'the weights take 4,688 bytes, one file may hold 100; --format=',
        ),
    ):
        signatures.frozen(signatures.of_run(run))


# docs/guide/export.md.


@pytest.mark.slow
def test_the_python_of_the_documentation_does_what_it_says(folder, frozen, tmp_path):
    blocks = re.findall(
        r'```python\n(.*?)```', (ROOT / 'docs' / 'guide' / 'export.md').read_text(), re.S
    )
    assert len(blocks) == 5
    eager, files, variables, graph, onnx = blocks
    (tmp_path / 'image.png').write_bytes(FILES[0])
    np.savez(tmp_path / 'given.npz', images=IMAGES)
    for name, source in (
        ('served/dense/1', folder / 'served' / 'dense'),
        ('frozen', frozen / 'dense'),
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).symlink_to(source)
    before = "import numpy as np\nimages = np.load('given.npz')['images']\n"
    keep = "kept = {'codes': codes, 'images': decoded, 'kernel': kernel, 'rebuilt': rebuilt}\n"
    keep += "kept['codes_of_files'] = codes_of_files\n"
    after = "np.savez('found.npz', **kept)\n"
    code = before + eager + files + variables + graph + keep
    if has_onnx():
        words = ('--logdir=dense', f'--output={tmp_path / "onnx"}', '--format=onnx')
        run_tfae('export', *words, cwd=folder)
        code += onnx + "kept['codes_of_onnx'] = codes_of_onnx\n"
    alone(tmp_path, code + after)
    with tfae.open(folder / 'dense') as run, np.load(tmp_path / 'found.npz') as found:
        codes, rebuilt = run.encode(IMAGES), run.reconstruct(IMAGES)
        np.testing.assert_allclose(found['codes'], codes, **EXACT)
        np.testing.assert_allclose(found['codes_of_files'], codes[:1], **EXACT)
        np.testing.assert_allclose(found['images'], rebuilt, **EXACT)
        np.testing.assert_allclose(found['rebuilt'], rebuilt, **EXACT)
        kernels = run.variables('trainable_variables', 'encoder/layer_1/kernel')
        assert np.array_equal(found['kernel'], kernels['encoder/layer_1/kernel'])
        if has_onnx():
            np.testing.assert_allclose(found['codes_of_onnx'], codes, **EXACT)
