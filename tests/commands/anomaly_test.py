"""`tfae anomaly`: a detector fitted, measured and kept; files scored by it."""

import json
import os

import numpy as np
import pytest
import tfae_program
from PIL import Image
from sklearn.metrics import roc_auc_score

from tfae import data
from tfae.analysis import anomaly
from tfae.report import measures

TRAIN = ('--units=32,8', '--corruption=gaussian:0.3', '--epochs=20', '--batch_size=16')


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp('anomaly')
    for name, words in (('one', ('--only_classes=0',)), ('all', ('--validation_fraction=0',))):
        done = tfae_program.run('train', *TRAIN, *words, f'--logdir={name}', cwd=folder)
        assert done.code == 0, done.err
    parts = data.load(data.Config())
    for k in (0, 4):
        image = parts.test.images[parts.test.labels == k][0][..., 0]
        Image.fromarray(np.rint(255 * data.pixels(image)).astype(np.uint8)).save(
            folder / f'{k}.png'
        )
    Image.new('L', (8, 8)).save(folder / 'black.png')
    return folder


@pytest.fixture(scope='module')
def fitted(folder):
    done = tfae_program.run('anomaly', '--logdir=one', '--pca_components=8', cwd=folder)
    assert (done.code, done.err) == (0, ''), done
    return done.out


def test_classes_left_out_of_training_are_detected(folder, fitted):
    found = json.loads((folder / 'one' / 'anomaly.json').read_text())
    assert found['normal'] == ['0']
    test = data.load(data.Config()).test
    counts = [int(np.sum(test.labels == 0)), int(np.sum(test.labels != 0))]
    assert [found['normal_examples'], found['anomalous_examples']] == counts
    assert found['auroc'] > 0.97
    assert set(found['auroc_by_class']) == set('123456789')
    assert found['blank_is_anomalous'] is True
    assert found['true_positive_rate'] > 0.5 > 0.2 > found['false_positive_rate']
    assert found['threshold_from'] == 'validation'
    lines = [line.split() for line in fitted.splitlines()]
    assert ['auroc', f'{found["auroc"]:.4f}'] in lines
    assert ['pca_auroc', f'{found["pca_auroc"]:.4f}'] in lines
    table = measures.table(found)
    assert table.columns == ['this run', 'PCA, 8 components']
    assert 'latent dimensions' not in [row.name for row in table.rows]
    del found['pca_components']  # as files of 0.1.0
    assert measures.table(found).columns == ['this run', 'PCA']


def test_baselines_know_the_training_images_alone(folder, fitted):
    parts = data.load(data.Config(only_classes=('0',)))
    train, test = (data.pixels(part.images).reshape(-1, 64) for part in (parts.train, parts.test))
    scores = np.linalg.norm(test - train.mean(0), axis=1)
    found = json.loads((folder / 'one' / 'anomaly.json').read_text())
    want = roc_auc_score(parts.test.labels != 0, scores)
    assert found['mean_auroc'] == pytest.approx(want, abs=1e-6)


def test_figures_are_drawn_and_shown_in_tensorboard(folder, fitted):
    paths = [folder / line for line in fitted.splitlines()[-4:]]
    run = folder / 'one'
    wanted = ['anomaly.npz', 'anomaly.json', 'figures/anomaly.png', 'figures/anomaly_maps.png']
    assert paths == [run / name for name in wanted]
    for path in paths[2:]:
        assert np.asarray(Image.open(path).convert('L')).std() > 20
    events = b''.join(p.read_bytes() for p in run.glob('events.*'))
    assert paths[2].read_bytes() in events
    assert paths[3].read_bytes() in events


def test_the_same_run_gives_the_same_detector(folder, fitted):
    before = dict(np.load(folder / 'one' / 'anomaly.npz'))
    words = ('--logdir=one', '--nobaselines', '--output=elsewhere')
    assert tfae_program.run('anomaly', *words, cwd=folder).code == 0
    after = dict(np.load(folder / 'one' / 'anomaly.npz'))
    assert before.keys() == after.keys()
    assert all(np.array_equal(before[name], after[name]) for name in before)
    assert 'pca_auroc' not in json.loads((folder / 'one' / 'anomaly.json').read_text())
    assert (folder / 'elsewhere' / 'anomaly.png').is_file()


def test_files_are_scored_by_the_detector_of_the_run(folder, fitted):
    words = ('--logdir=one', '--images=0.png,4.png,black.png')
    done = tfae_program.run('anomaly', *words, cwd=folder)
    assert (done.code, done.err) == (0, ''), done
    figures = folder / 'one' / 'figures'
    found = json.loads((figures / 'anomaly_images.json').read_text())
    rows = found['images']
    assert [row['image'] for row in rows] == ['0.png', '4.png', 'black.png']
    assert [row['verdict'] for row in rows] == ['normal', 'anomalous', 'anomalous']
    assert [row['score'] > found['threshold'] for row in rows] == [False, True, True]
    assert rows[0]['rank'] < 0.95 < rows[1]['rank']
    for row in rows:
        assert any(row['image'] in line and row['verdict'] in line for line in done.out.split('\n'))
    assert np.load(figures / 'anomaly_images.npz')['maps'].shape == (3, 8, 8)
    assert np.asarray(Image.open(figures / 'anomaly_images.png').convert('L')).std() > 20


def test_a_run_of_all_classes_has_a_threshold_and_no_anomalous_images(folder):
    done = tfae_program.run('anomaly', '--logdir=all', '--false_positive_rate=0.2', cwd=folder)
    assert (done.code, done.err) == (0, ''), done
    found = json.loads((folder / 'all' / 'anomaly.json').read_text())
    assert found['threshold_from'] == 'training'
    assert found['anomalous_examples'] == 0
    assert 0.1 < found['false_positive_rate'] < 0.5
    assert not {'auroc', 'true_positive_rate', 'pca_auroc'} & found.keys()


@pytest.mark.parametrize(
    'words, code, want',
    [
        (('--false_positive_rate=0',), 2, '--false_positive_rate is 0.0; it must lie in (0, 1)'),
        (('--blur=0',), 2, '--blur is 0.0; it must lie in [0.1, 100]'),
        (('--components=0',), 2, '--components is 0; it must lie in [1, 1000]'),
        (('--images=0.png', '--blur=2'), 2, '--images and --blur exclude each other'),
        (('--images=0.png', '--nobaselines'), 2, '--images and --baselines exclude each other'),
        (('--images=0.png', '--data_dir=x'), 2, '--images and --data_dir exclude each other'),
        (('--images=none.png',), 1, 'none.png cannot be read: No such file'),
        (('--images=one/config.json',), 1, 'one/config.json is not an image'),
    ],
)
def test_wrong_flags_and_files_are_refused(folder, fitted, words, code, want):
    before = tfae_program.contents(folder)
    done = tfae_program.run('anomaly', '--logdir=one', *words, cwd=folder)
    assert done.refusal(code).startswith(want)
    assert tfae_program.contents(folder) == before


def without_memory():
    def fail(*_):
        raise MemoryError

    anomaly.baselines = fail


def test_the_detector_is_kept_where_the_baselines_fail(folder, fitted):
    path = folder / 'one' / 'anomaly.npz'
    whole = path.read_bytes()
    path.unlink()
    words = ('anomaly', '--logdir=one')
    done = tfae_program.start(*words, cwd=folder, before=without_memory).wait()
    found = path.read_bytes() if path.exists() else b''
    path.write_bytes(whole)
    assert done.code != 0
    assert found == whole


def test_a_detector_of_another_step_is_refused(folder, fitted):
    path = folder / 'one' / 'anomaly.npz'
    whole, arrays = path.read_bytes(), dict(np.load(path))
    np.savez(path, **arrays | {'step': np.array(7)})
    done = tfae_program.run('anomaly', '--logdir=one', '--images=0.png', cwd=folder)
    path.write_bytes(whole)
    want = (
        f'one/anomaly.npz is from step 7, the checkpoint from step {arrays["step"]}; --checkpoint'
    )
    assert done.refusal(1).startswith(want)


def test_files_before_there_is_a_detector_and_runs_without_images_are_refused(folder):
    words = ('--units=4', '--epochs=1')
    for name, more in (('bare', ()), ('classes', ('--model=classifier',))):
        done = tfae_program.run('train', *words, *more, f'--logdir={name}', cwd=folder)
        assert done.code == 0, done.err
    done = tfae_program.run('anomaly', '--logdir=bare', '--images=0.png', cwd=folder)
    assert done.refusal(1).startswith('bare/anomaly.npz does not exist; tfae anomaly --logdir=bare')
    os.mkfifo(folder / 'bare' / 'anomaly.npz')
    done = tfae_program.run('anomaly', '--logdir=bare', '--images=0.png', cwd=folder)
    assert done.refusal(1) == (
        'bare/anomaly.npz is not an anomaly detector of tfae: it is not a regular file'
    )
    done = tfae_program.run('anomaly', '--logdir=classes', cwd=folder)
    want = 'classes, a run of the family classifier, has no reconstruction; it must be '
    assert done.refusal(1).startswith(want)
