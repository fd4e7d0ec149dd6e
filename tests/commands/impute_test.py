"""`tfae impute`: the cells it fills, the bytes it leaves, and the errors it prints."""

import csv
import json

import numpy as np
import pytest
import tfae_program
from sklearn.impute import KNNImputer

import tfae
from tfae import data
from tfae.analysis import imputation
from tfae.data.formats import csv_files

RANDOM = np.random.RandomState(0)
# Two latent dimensions in eight columns of different scales.
ROWS = RANDOM.standard_normal((200, 2)) @ RANDOM.standard_normal((2, 8))
ROWS = (ROWS * 10.0 ** np.arange(-2, 6) + 1).astype(np.float32)
ROWS[RANDOM.random_sample(ROWS.shape) < 0.1] = np.nan
NAMES = [f'c{k}' for k in range(8)]
IMPUTE = ('impute', '--logdir=run')


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp('impute')
    with (folder / 'gaps.csv').open('w', newline='') as file:
        writer = csv.writer(file)
        writer.writerow(NAMES)
        writer.writerows([['' if np.isnan(v) else repr(float(v)) for v in row] for row in ROWS])
    words = ('--dataset=csv', '--data_dir=gaps.csv', '--missing=mask', '--normalize=standard')
    words += ('--units=2', '--epochs=60', '--batch_size=16', '--learning_rate=0.02')
    done = tfae_program.run('train', *words, '--logdir=run', cwd=folder)
    assert (done.code, done.err) == (0, '')
    return folder


def measured(folder, *words):
    done = tfae_program.run(*IMPUTE, '--hide=0.1', *words, cwd=folder)
    assert (done.code, done.err) == (0, '')
    found = json.loads((folder / 'run' / 'imputation.json').read_text())
    assert f'rmse      {found["rmse"]:.5f}' in done.out
    return found


def test_a_linear_autoencoder_fills_what_two_dimensions_explain(folder):
    found = measured(folder, '--iterations=100')
    assert found['rmse'] < 0.25 * found['mean_rmse']
    assert found['rmse'] < found['knn_rmse'] < found['mean_rmse']
    assert found['rmse'] < measured(folder)['rmse']


def test_errors_are_those_of_numpy_and_scikit_learn(folder):
    found = measured(folder, '--seed=3')
    loaded = data.load(data.Config('csv', data_dir=str(folder / 'gaps.csv'), missing='mask'))
    train, rows = (x.images.astype(np.float64) for x in (loaded.train, loaded.test))
    mean, deviation = np.nanmean(train, 0), np.nanstd(train, 0)
    hidden = imputation.hide(loaded.test.images, 0.1, 3)
    judged = np.isnan(hidden) & ~np.isnan(rows)
    known, wanted, gaps = ((x - mean) / deviation for x in (train, rows, hidden))
    neighbors = KNNImputer(n_neighbors=5).fit(known).transform(gaps)
    with tfae.open(folder / 'run') as run:
        made = (run.reconstruct(hidden) - mean) / deviation
    for name, filled in (('mean_rmse', 0 * wanted), ('knn_rmse', neighbors), ('rmse', made)):
        error = np.sqrt(np.square(filled - wanted)[judged].mean())
        assert found[name] == pytest.approx(error, rel=1e-3), name
    assert found['hidden'] == judged.sum()


def test_only_missing_cells_change(folder):
    # Another order of columns, other separators, quotes, ends of lines and ways to say nothing.
    lines = [
        '\ufeff' + ';'.join(f'"{name}"' for name in NAMES[::-1]),
        ';'.join(f'{v:g}' for v in ROWS[5][::-1]).replace('nan', '1'),
        '',
        '1;" 2 ";;3.50; NA ;"";+1e0;nan',
        '1;2;3;4;5;6;7;8',
    ]
    content = '\r\n'.join(lines).encode()
    (folder / 'new.csv').write_bytes(content)
    words = ('--data=new.csv', '--output=filled.csv', '--iterations=3')
    done = tfae_program.run(*IMPUTE, *words, cwd=folder)
    assert (done.code, done.err) == (0, '')
    assert 'filled 4 cells of 3 rows: c0 1, c2 1, c3 1, c5 1' in done.out
    written = (folder / 'filled.csv').read_bytes().decode().split('\r\n')
    assert [line for i, line in enumerate(written) if i != 3] == [
        line for i, line in enumerate(lines) if i != 3
    ]
    cells = written[3].split(';')
    assert [cells[k] for k in (0, 1, 3, 6)] == ['1', '" 2 "', '3.50', '+1e0']
    row = np.array([[np.nan, 1, np.nan, np.nan, 3.5, np.nan, 2, 1]], np.float32)
    with tfae.open(folder / 'run') as run:
        wanted = imputation.impute(run.reconstruct, row, 3)
    np.testing.assert_allclose([float(v.strip('" ')) for v in cells[::-1]], wanted[0], rtol=1e-4)


def test_a_cell_may_hold_separators_and_quotes():
    line = b'"a,""b""",,x"y,\n'
    assert csv_files.replaced(b'a,b,c,d\n', line, {1: '2', 3: '4'}) == b'"a,""b""",2,x"y,4\n'


@pytest.mark.parametrize(
    'words, code, text',
    [
        ((), 2, '--data is empty; it must name a CSV file, or --hide must be above 0'),
        (('--data=gaps.csv',), 2, '--output is empty; it must name the CSV file to write'),
        (('--hide=1e-9',), 2, '--hide is 1e-09, which hides none of 320 values'),
    ],
)
def test_wrong_flags_are_refused(folder, words, code, text):
    assert tfae_program.run(*IMPUTE, *words, cwd=folder).refusal(code) == text


def test_runs_without_gaps_or_tables_are_refused(folder, tmp_path):
    full = np.nan_to_num(ROWS)
    tfae.fit('dense', full, logdir=tmp_path / 'full', epochs=0).close()
    tfae.fit('dense', full[:, :, None, None] * 0, logdir=tmp_path / 'images', epochs=0).close()
    for name, text in (
        ('full', 'full is a run with --missing=refuse; it must be trained with --missing=mask'),
        ('images', 'images is a run on images, not on a table'),
    ):
        done = tfae_program.run('impute', f'--logdir={name}', '--hide=0.1', cwd=tmp_path)
        assert done.refusal(1) == text
