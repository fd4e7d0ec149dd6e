"""`tfae reconstruct`: images as PNG."""

import json

import numpy as np
import pytest
import tfae_program
from PIL import Image

import tfae


@pytest.fixture(scope='module')
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp('reconstruct')
    words = ('train', '--units=8,4', '--epochs=1', '--logdir=run')
    assert tfae_program.run(*words, cwd=folder).code == 0
    return folder / 'run'


def drawn(run, *words):
    done = tfae_program.run('reconstruct', '--logdir=run', *words, cwd=run.parent)
    assert (done.code, done.err) == (0, '')
    path = run.parent / done.out.splitlines()[-1]
    return path, np.asarray(Image.open(path).convert('L'))


@pytest.mark.parametrize('split', ['train', 'validation', 'test'])
def test_a_image_of_each_part_lies_in_the_run(run, split):
    path, image = drawn(run, f'--split={split}')
    assert path == run / 'figures' / f'reconstructions_{split}.png'
    assert image.std() > 20
    assert path.read_bytes()[:8] == b'\x89PNG\r\n\x1a\n'


def test_more_images_make_a_wider_one(run):
    widths = [drawn(run, f'--count={n}', '--output=a.png')[1].shape[1] for n in (1, 4, 12)]
    assert widths == sorted(widths)
    assert len(set(widths)) == 3
    assert (run.parent / 'a.png').is_file()


def test_colors_are_drawn(tmp_path):
    words = ('--dataset=synthetic', '--synthetic_kind=blobs', '--synthetic_shape=8x8x3')
    argv = ('train', *words, '--units=4', '--epochs=1', '--logdir=run')
    assert tfae_program.run(*argv, cwd=tmp_path).code == 0
    path, _ = drawn(tmp_path / 'run')
    pixels = np.asarray(Image.open(path).convert('RGB')).astype(int)
    assert np.abs(pixels[..., 0] - pixels[..., 1]).max() > 20


def test_a_image_that_cannot_be_written_is_refused(run):
    before = tfae_program.contents(run)
    argv = ('reconstruct', '--logdir=run', '--output=run/config.json/a.png')
    assert 'run/config.json' in tfae_program.run(*argv, cwd=run.parent).refusal(1)
    argv = ('reconstruct', '--logdir=run', '--output=a.nonsense')
    line = tfae_program.run(*argv, cwd=run.parent).refusal(2)
    assert line == "--output is 'a.nonsense'; it must end in .png"
    assert tfae_program.contents(run) == before


def test_corrupted_and_denoised_images_are_measured_and_drawn(tmp_path):
    words = ('--units=8,4', '--corruption=masking:0.5', '--epochs=1', '--logdir=run')
    assert tfae_program.run('train', *words, cwd=tmp_path).code == 0
    noisy = tfae_program.run('reconstruct', '--logdir=run', cwd=tmp_path)
    rows = map(str.split, noisy.out.splitlines())
    found = dict(row for row in rows if len(row) == 2)
    evaluated = json.loads((evaluate(tmp_path)).read_text())
    for name in ('mse', 'pca_mse', 'corrupted_psnr', 'denoised_psnr'):
        assert float(found[name]) == pytest.approx(evaluated[name], abs=6e-6), name
    with tfae.open(tmp_path / 'run') as opened:
        images = tfae.load_data('digits').test.images
        gaps = [np.square(each - images).mean() for each in opened.denoise(images)]
    for name, gap in zip(('corrupted_psnr', 'denoised_psnr'), gaps, strict=True):
        assert float(found[name]) == pytest.approx(-10 * np.log10(gap), abs=1e-4)


def test_denoised_rows_are_measured_in_normalized_units(tmp_path):
    words = ('--dataset=sklearn:wine', '--normalize=standard', '--corruption=gaussian:0.3')
    argv = ('train', *words, '--units=8,4', '--epochs=1', '--logdir=run')
    assert tfae_program.run(*argv, cwd=tmp_path).code == 0
    done = tfae_program.run('reconstruct', '--logdir=run', cwd=tmp_path)
    assert (done.code, done.err) == (0, '')
    rows = map(str.split, done.out.splitlines())
    found = dict(row for row in rows if len(row) == 2)
    evaluated = json.loads((evaluate(tmp_path)).read_text())
    for name in ('mse', 'pca_mse', 'corrupted_psnr', 'denoised_psnr'):
        assert float(found[name]) == pytest.approx(evaluated[name], abs=6e-6), name
    assert (tmp_path / 'run' / 'figures' / 'reconstructions_test.png').is_file()


def evaluate(folder):
    assert tfae_program.run('evaluate', '--logdir=run', cwd=folder).code == 0
    return folder / 'run' / 'evaluation.json'
