"""What TensorBoard finds in a run: in its event files, and through its own HTTP server."""

import contextlib
import io
import json
import math
import pathlib
import socket
import subprocess
import sys
import time
import urllib.request

import numpy as np
import pytest
import tfae_program
from google.protobuf import text_format
from PIL import Image
from tensorboard.backend.event_processing import event_accumulator, event_file_loader
from tensorboard.plugins import projector
from tensorboard.plugins.hparams import plugin_data_pb2
from tensorboard.util import tensor_util

from tfae.runs import event_file
from tfae.training import summaries

ARGV = (
    'train',
    '--units=12,4',
    '--pretraining=greedy',
    '--pretraining_epochs=1',
    '--epochs=4',
    '--likelihood=bernoulli',
    '--learning_rate_decay=cosine',
    '--warmup_epochs=1',
    '--summary_steps=5',
    '--checkpoint_steps=20',
)
PHASES = ('pretraining/layer_1', 'pretraining/layer_2', 'fine_tuning')
BATCH, EXAMPLES = 64, 1293


@pytest.fixture(scope='module')
def run(tmp_path_factory):
    """A run in two turns, so that it has two event files."""
    folder = tmp_path_factory.mktemp('tensorboard')
    program = tfae_program.start(*ARGV, '--logdir=run', cwd=folder)
    tfae_program.wait_for(lambda: len(tfae_program.metrics(folder / 'run')) > 2, program)
    program.kill()
    assert tfae_program.run(*ARGV, '--logdir=run', cwd=folder).code == 0
    return folder / 'run'


@pytest.fixture(scope='module')
def events(run):
    """Events of training, in order."""
    return events_of(run / 'train', 2)


def events_of(folder, count):
    """Events of the files in a folder, in order."""
    files = sorted(folder.glob('events.*'))
    assert len(files) == count
    return [
        event for path in files for event in event_file_loader.EventFileLoader(str(path)).Load()
    ]


@pytest.fixture(scope='module')
def scalars(events):
    """Tag -> {step: value} of training."""
    return scalars_of(events)


def scalars_of(events):
    """Tag -> {step: value}; no tag has two values of a step."""
    found = {}
    for event in events:
        for value in event.summary.value:
            array = tensor_util.make_ndarray(value.tensor)
            if array.shape == () and value.metadata.plugin_data.plugin_name != 'hparams':
                assert event.step not in found.setdefault(value.tag, {}), value.tag
                found[value.tag][event.step] = float(array)
    return found


def tags(events, plugin):
    """Tags of the values that belong to a plugin; only the first of a tag must say so."""
    return {
        value.tag
        for event in events
        for value in event.summary.value
        if value.metadata.plugin_data.plugin_name == plugin
    }


def trainable():
    return [
        f'{side}/layer_{i}/{name}'
        for side in ('encoder', 'decoder')
        for i in (1, 2)
        for name in ('kernel', 'bias')
    ]


def test_each_file_of_training_has_the_graph_with_readable_scopes(run):
    import tensorflow.compat.v1 as tf

    for path in (run / 'train').glob('events.*'):
        loader = event_file_loader.EventFileLoader(str(path))
        (content,) = [event.graph_def for event in loader.Load() if event.graph_def]
        names = {node.name for node in tf.GraphDef.FromString(content).node}
        roots = {name.split('/')[0] for name in names}
        # Nothing lies about at the root, where TensorBoard would draw each node by itself.
        assert roots == {
            *('encoder', 'decoder', 'inference', 'pretraining', 'fine_tuning', 'validation'),
            *('examples', 'codes', 'summaries', 'finite', 'Adam', 'beta1_power', 'beta2_power'),
            *('global_step', 'save', 'save_1', 'init', 'init_1'),
        }
        assert {'inference/images', 'inference/code', 'inference/reconstruction'} <= names
        assert set(trainable()) <= names


def test_phases_share_tags(scalars):
    assert set(scalars) == {
        *('batch/loss', 'batch/learning_rate', 'batch/gradient_norm', 'phase'),
        *('epoch/loss', 'epoch/examples_per_second', 'epoch/seconds', 'epoch/input_wait'),
    }


def test_training_and_validation_of_an_epoch_have_one_tag(run, scalars):
    validation = scalars_of(events_of(run / 'validation', 2))
    assert set(validation) == {'epoch/loss', 'epoch/mse'}  # training does not compute the mse
    records = tfae_program.metrics(run)
    for found, prefix in ((scalars, ''), (validation, 'validation_')):
        wanted = {r['step']: np.float32(r[f'{prefix}loss']) for r in records}
        assert found['epoch/loss'] == wanted
    mse = {r['step']: np.float32(r['validation_mse']) for r in records if 'validation_mse' in r}
    assert validation['epoch/mse'] == mse


def test_scalars_of_steps_come_as_often_as_asked(scalars):
    steps = [s for start, stop in ((0, 21), (21, 42), (42, 123)) for s in range(start, stop, 5)]
    assert sorted(scalars['batch/loss']) == steps
    phases = [1 + (step >= 21) + (step >= 42) for step in steps]
    assert [scalars['phase'][step] for step in steps] == phases


def test_a_table_names_the_phases(run):
    found = event_accumulator.EventAccumulator(str(run)).Reload()
    (event,) = found.Tensors('phases')
    text = tensor_util.make_ndarray(event.tensor_proto).item().decode()
    assert text.splitlines()[2:] == [
        '| 1 | pretraining/layer_1 | 1 | 0 to 21 |',
        '| 2 | pretraining/layer_2 | 1 | 21 to 42 |',
        '| 3 | fine_tuning | 4 | 42 to 123 |',
    ]


def test_the_learning_rate_is_the_one_computed(scalars):
    steps = math.ceil(4 * EXAMPLES / BATCH)
    warmup = math.ceil(EXAMPLES / BATCH)
    for step, rate in scalars['batch/learning_rate'].items():
        if step < 42:
            continue
        done = (step - 42) / steps
        cosine = 0.01 + 0.99 * (1 + math.cos(math.pi * done)) / 2
        wanted = 1e-3 * cosine * min((step - 42 + 1) / warmup, 1)
        assert rate == pytest.approx(wanted, rel=1e-5)


def test_there_is_a_histogram_of_each_variable_and_activation(events):
    found = tags(events, 'histograms')
    assert set(trainable()) <= found
    activations = {tag for tag in found if tag not in trainable()}
    assert len(activations) >= 2
    assert all('layer_' in tag for tag in activations), activations


def images(events, tag):
    found = [
        tensor_util.make_ndarray(value.tensor)
        for event in events
        for value in event.summary.value
        if value.tag.startswith(tag)
    ]
    return [np.asarray(Image.open(io.BytesIO(content[2]))) for content in found]


def test_there_are_images_beside_their_reconstructions(events):
    assert len(tags(events, 'images')) == 2
    grids = images(events, 'reconstruction')
    assert len(grids) == 7  # of the initial variables, then one per epoch
    height, width = grids[0].shape[:2]
    assert height % 8 == width % 16 == 0
    left, right = (
        np.concatenate([grids[-1][:, x : x + 8] for x in range(start, width, 16)])
        for start in (0, 8)
    )
    assert left.std() > 50  # digits
    assert right.std() > 5  # what an autoencoder of four units makes of them
    assert np.array_equal(  # the images stay, their reconstructions change
        np.concatenate([grids[0][:, x : x + 8] for x in range(0, width, 16)]), left
    )
    assert not np.array_equal(grids[0], grids[-1])


def test_there_are_the_filters_of_the_first_layer(run, events):
    (*_, grid) = images(events, 'filters')
    assert grid.shape[:2] == (3 * 8, 4 * 8)  # twelve units, one filter each
    kernel = tfae_program.checkpoint(run)['encoder/layer_1/kernel']
    first = kernel[:, 0].reshape(8, 8)
    wanted = 255 * (first - first.min()) / (first.max() - first.min())
    assert np.abs(grid[:8, :8] - wanted).max() <= 1


def test_there_are_the_hyper_parameters(run):
    found = {}
    for event in events_of(run, 1):
        for value in event.summary.value:
            if value.metadata.plugin_data.plugin_name == 'hparams':
                data = plugin_data_pb2.HParamsPluginData.FromString(
                    value.metadata.plugin_data.content
                )
                assert data.session_start_info.group_name.endswith('/run')
                for name, entry in data.session_start_info.hparams.items():
                    found[name] = getattr(entry, entry.WhichOneof('kind'))
    assert found['units'] == '12,4'
    assert found['learning_rate'] == 1e-3
    assert found['likelihood'] == 'bernoulli'
    assert found['model'] == 'dense'
    assert found['tied'] is False


def test_a_description_replaces_the_one_before_and_figures_add_to_it(tmp_path):
    for model in ('dense', 'gan'):
        event_file.describe(tmp_path, [summaries.text('model', model)])
    figure = event_file.EventFile(tmp_path)
    figure.add(summaries.scalars({'figure': 1.0}, ''), 0)
    figure.close()
    assert len(list(tmp_path.iterdir())) == 2
    found = event_accumulator.EventAccumulator(str(tmp_path)).Reload()
    (event,) = found.Tensors('model')
    assert tensor_util.make_ndarray(event.tensor_proto).item() == b'gan'
    assert [e.step for e in found.Scalars('figure')] == [0]


def test_events_behind_the_mark_are_dropped_and_older_files_stay(tmp_path):
    old = tmp_path / 'events.out.tfevents.7.old'  # as in 0.1.0, without marks
    old.write_bytes(b'')
    event_file.rewind(tmp_path / 'missing', 1)
    file = event_file.EventFile(tmp_path, 0)
    for step in (0, 1, 2):
        file.add(summaries.scalars({'loss': step}, ''), step)
        file.mark(step + 1)
    file.close()
    event_file.rewind(tmp_path, 2)
    found = event_accumulator.EventAccumulator(str(tmp_path)).Reload()
    assert [e.step for e in found.Scalars('loss')] == [0, 1]
    assert old.exists()


def test_the_projector_has_codes_labels_and_a_sprite_by_relative_paths(run):
    settings = projector.ProjectorConfig()
    text_format.Parse((run / 'projector_config.pbtxt').read_text(), settings)
    (embedding,) = settings.embeddings
    for path in (embedding.tensor_path, embedding.metadata_path, embedding.sprite.image_path):
        assert not pathlib.Path(path).is_absolute()
    codes = np.loadtxt(run / embedding.tensor_path, delimiter='\t')
    labels = (run / embedding.metadata_path).read_text().split()
    assert codes.shape == (360, 4)
    assert len(labels) == 360
    assert set(labels) == set('0123456789')
    sprite = np.asarray(Image.open(run / embedding.sprite.image_path))
    assert list(embedding.sprite.single_image_dim) == [8, 8]
    assert sprite.shape == (19 * 8, 19 * 8)  # 19 = ceil(sqrt(360))


@contextlib.contextmanager
def serving(logdir):
    """The address of a TensorBoard that serves `logdir`."""
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    command = [sys.executable, '-m', 'tensorboard.main', '--logdir', str(logdir)]
    command += ['--host', '127.0.0.1', '--port', str(port), '--load_fast', 'false']
    log = logdir.parent / 'tensorboard.log'
    with log.open('w') as file:
        server = subprocess.Popen(command, stdout=file, stderr=file)
    try:
        yield f'http://127.0.0.1:{port}', lambda: server.poll() is None or log.read_text()
    finally:
        server.terminate()
        server.wait()


def ask(url):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=30) as answer:
        return answer.read()


def wait_until_loaded(address, alive):
    ended = time.monotonic() + 90
    while time.monotonic() < ended:
        assert alive() is True, alive()
        with contextlib.suppress(OSError):
            found = json.loads(ask(f'{address}/data/plugin/scalars/tags'))
            if 'epoch/loss' in found.get('run/validation', {}):
                return
        time.sleep(0.2)
    raise AssertionError('TensorBoard does not load the run')


def test_tensorboard_serves_all_of_it(run):
    with serving(run.parent) as (address, alive):
        wait_until_loaded(address, alive)
        get = f'{address}/data/plugin'

        tag = 'epoch/loss'
        series = json.loads(ask(f'{get}/scalars/scalars?run=run/validation&tag={tag}'))
        records = tfae_program.metrics(run)
        wanted = [(r['step'], np.float32(r['validation_loss'])) for r in records]
        assert [(step, np.float32(value)) for _, step, value in series] == wanted

        images = json.loads(ask(f'{get}/images/tags'))['run/train']
        for tag in images:
            (first, *_) = json.loads(ask(f'{get}/images/images?run=run/train&tag={tag}&sample=0'))
            content = ask(f'{get}/images/individualImage?{first["query"]}')
            assert Image.open(io.BytesIO(content)).size[0] > 8
        assert {tag.split('/')[0] for tag in images} == {'reconstruction', 'filters'}

        histograms = json.loads(ask(f'{get}/histograms/tags'))['run/train']
        assert set(trainable()) <= histograms.keys()
        tag = 'encoder/layer_1/kernel'
        assert len(json.loads(ask(f'{get}/histograms/histograms?run=run/train&tag={tag}'))) == 7

        graph = ask(f'{get}/graphs/graph?run=run/train&conceptual=false').decode()
        assert 'name: "encoder/layer_1/kernel"' in graph

        request = urllib.request.Request(
            f'{get}/hparams/experiment',
            json.dumps({'experimentName': ''}).encode(),
            {'Content-Type': 'application/json'},
        )
        names = {info['name'] for info in json.loads(ask(request))['hparamInfos']}
        assert {'units', 'learning_rate', 'dataset'} <= names

        query = 'run=run&name=code'
        info = json.loads(ask(f'{get}/projector/info?run=run'))
        # The variables of the checkpoint stand beside the codes.
        (embedding,) = [e for e in info['embeddings'] if e['tensorName'] == 'code']
        assert embedding['tensorShape'] == [360, 4]
        codes = np.frombuffer(ask(f'{get}/projector/tensor?{query}'), np.float32).reshape(360, 4)
        assert np.isfinite(codes).all()
        assert len(ask(f'{get}/projector/metadata?{query}').split()) == 360
        sprite = Image.open(io.BytesIO(ask(f'{get}/projector/sprite_image?{query}')))
        assert sprite.size == (152, 152)
