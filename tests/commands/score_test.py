"""`tfae score` on files and streams, compared with numpy."""

import csv
import re
import subprocess
import sys
import time
import types

import numpy as np
import pytest
import tfae_program
from sklearn.datasets import load_wine

import tfae
from tfae.commands import score
from tfae.commands.shared import table_rows
from tfae.core import errors
from tfae.training import experiment

WINE = load_wine()
HEADER = [*WINE.feature_names, 'cultivar']
CELLS = [[*map(str, row), 'x'] for row in WINE.data.tolist()]
SCORE = ('score', '--logdir=run')


def text(cells, header=HEADER):
    return '\n'.join(','.join(line) for line in [header, *cells]) + '\n'


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp('score')
    (folder / 'wine.csv').write_text(text(CELLS))
    words = ('--dataset=csv', '--data_dir=wine.csv', '--target=cultivar', '--normalize=standard')
    words += ('--units=8,3', '--epochs=5', '--logdir=run')
    assert tfae_program.run('train', *words, cwd=folder).code == 0
    assert tfae_program.run('anomaly', '--logdir=run', cwd=folder).code == 0
    return folder


def contributions(folder, rows):
    """Contributions and threshold, from the arrays of the detector."""
    held = np.load(folder / 'run' / 'anomaly.npz')
    with tfae.open(folder / 'run') as run:
        made, seen = run.normalized(run.reconstruct(rows)), run.normalized(rows)
    return np.square(made - seen) / (2 * held['variances']), float(held['threshold'])


def test_scores_are_sums_over_columns_in_any_order(folder):
    order = np.random.RandomState(0).permutation(len(HEADER))
    moved = [[row[k] for k in order] for row in CELLS[:9]]
    (folder / 'moved.csv').write_text(text(moved, [HEADER[k] for k in order]))
    done = tfae_program.run(*SCORE, '--data=moved.csv', '--output=scores.csv', cwd=folder)
    assert (done.code, done.err) == (0, '')
    each, threshold = contributions(folder, WINE.data[:9].astype(np.float32))
    found = re.findall(r'line (\d+) +score +([\d.]+)  (\w+) +(\S+) (\d+) %', done.out)
    assert [int(line) for line, *_ in found] == list(range(2, 11))
    for (_, total, verdict, column, percent), row in zip(found, each, strict=True):
        assert float(total) == pytest.approx(row.sum(), abs=0.06)
        assert verdict == ('anomalous' if row.sum() > threshold else 'normal')
        assert column == HEADER[row.argmax()]
        assert int(percent) == pytest.approx(100 * row.max() / row.sum(), abs=0.6)
    assert f'threshold {threshold:.1f} nats, quantile 0.95 of normal rows' in done.out
    with (folder / 'scores.csv').open() as file:
        lines = list(csv.DictReader(file))
    written = np.array([[float(line[name]) for name in HEADER[:-1]] for line in lines])
    np.testing.assert_allclose(written, each, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose([float(line['score']) for line in lines], each.sum(1), rtol=1e-4)


def changed(place, value):
    cells = [list(row) for row in CELLS[:5]]
    cells[3][place] = value
    return text(cells)


@pytest.mark.parametrize(
    'content, message',
    [
        (changed(4, ''), 'new.csv line 5: column magnesium is missing; it must be a finite number'),
        (changed(4, 'inf'), 'new.csv line 5: column magnesium is inf; it must be a finite number'),
        (changed(4, '1e60'), 'new.csv line 5: column magnesium is 1e60; it must be a finite'),
        (changed(4, 'low'), "new.csv: column magnesium holds text, 'low' in line 5; the columns"),
        (changed(4, '1,2'), 'new.csv line 5 has 15 cells; the header has 14'),
        (
            text(CELLS[:3]).replace('magnesium', 'magnesum', 1),
            'new.csv lacks column magnesium, which the run was trained on; did you mean magnesum?',
        ),
        (
            text([[*row, '1'] for row in CELLS[:3]], [*HEADER, 'price']),
            'new.csv has column price, which the run was not trained on; remove it',
        ),
        (text([]), 'new.csv has a header but no rows'),
        ('', "new.csv line 1 is ''; it must name the columns"),
    ],
)
def test_other_tables_are_refused_in_one_line(folder, content, message):
    (folder / 'new.csv').write_text(content)
    done = tfae_program.run(*SCORE, '--data=new.csv', cwd=folder)
    assert done.refusal(1).startswith(message)


def fed(folder, content, *more):
    """The program with bytes on standard input."""
    words = [sys.executable, '-m', 'tfae', *SCORE, '--data=-', *more]
    environment = tfae_program.environment(folder)
    return subprocess.run(
        words, input=content, capture_output=True, cwd=folder, env=environment, timeout=300
    )


def test_a_stream_goes_on_after_rows_that_cannot_be_read(folder):
    rows = [','.join(row).encode() for row in CELLS[:4]]
    wrong = [b'1,Z\xfcrich', b'1,"2,3', b'1,' + b'2' * 200_000, b'1,' + b'2' * 2**24]
    header = '\ufeff' + ','.join(HEADER)  # as Excel writes it
    lines = [header.encode()]
    for row, each in zip(rows, wrong, strict=True):
        lines += [each, row]
    done = fed(folder, b'\n'.join(lines), '--follow')
    each, _ = contributions(folder, WINE.data[:4].astype(np.float32))
    found = re.findall(r'line (\d+) +score +([\d.]+)', done.stdout.decode())
    assert [int(line) for line, _ in found] == [3, 5, 7, 9]
    np.testing.assert_allclose([float(total) for _, total in found], each.sum(1), atol=0.06)
    reports = done.stderr.decode()
    for text in (
        "line 2 cannot be read: 'utf-8' codec can't decode byte 0xfc",
        'line 4 cannot be read: a quote is not closed',
        'line 6 cannot be read: field larger than field limit',
        'line 8 is too long; it must be shorter than 16777216 bytes',
    ):
        assert f'tfae: skipped: standard input {text}' in reports
    assert done.returncode == 1


BYTES = experiment.Experiment(
    signature=experiment.Signature(image_shape=(2,), dtype='uint8', columns=('age', 'mass'))
)


def test_rows_for_a_run_on_a_uint8_table_are_scaled_as_in_training(tmp_path):
    path = tmp_path / 'new.csv'
    path.write_text('\ufeffmass,age\n0,255\n7.0,8\n')
    found = table_rows.read(BYTES, str(path)).values
    assert found.dtype == np.uint8  # which a run multiplies by 1/255
    np.testing.assert_array_equal(found, [[255, 0], [8, 7]])
    for cell in ('0.5', '256', '-1'):
        path.write_text(f'mass,age\n3,{cell}\n')
        with pytest.raises(errors.InputError, match=f'line 2: column age is {cell}; it must be an'):
            table_rows.read(BYTES, str(path))


@pytest.mark.parametrize(
    'shape, text',
    [
        ((8, 8, 1), 'a run on images, not on a table; tfae anomaly --images scores image files'),
        ((8, 2), 'a run on sequences, not on a table'),
        ((8, 8, 8, 1), 'a run on volumes, not on a table'),
    ],
)
def test_runs_on_other_data_are_called_by_their_names(shape, text):
    run = types.SimpleNamespace(
        folder=types.SimpleNamespace(path='run'),
        experiment=experiment.Experiment(signature=experiment.Signature(image_shape=shape)),
    )
    assert score._not_a_table(run) == f'run is {text}'


def test_wrong_command_lines(folder):
    assert tfae_program.run(*SCORE, cwd=folder).refusal(2) == (
        '--data is empty; it must name a CSV file, or - for standard input'
    )
    done = tfae_program.run(*SCORE, '--data=none.csv', cwd=folder)
    assert done.refusal(1).startswith('none.csv cannot be read: No such file')
    done = tfae_program.run(*SCORE, '--data=wine.csv', '--follow', '--output=x', cwd=folder)
    assert done.refusal(2) == '--follow and --output exclude each other'


def test_a_growing_file_is_scored_line_by_line(folder):
    path = folder / 'growing.csv'
    path.write_text(text(CELLS[:1]))
    words = [sys.executable, '-m', 'tfae', *SCORE, '--data=growing.csv', '--follow']
    environment = tfae_program.environment(folder)
    pipes = {'stdout': subprocess.PIPE, 'stderr': subprocess.PIPE, 'text': True}
    with subprocess.Popen(words, cwd=folder, env=environment, **pipes) as program:
        try:
            read = iter(program.stdout.readline, '')
            assert next(line for line in read if 'score' in line).startswith('line 2 ')
            with path.open('a') as file:
                file.write('1,2\n')
                file.write(','.join(CELLS[1])[:10])
                file.flush()
                time.sleep(0.5)
                file.write(','.join(CELLS[1])[10:] + '\n')
                file.flush()
                line = next(read)
            each, _ = contributions(folder, WINE.data[1:2].astype(np.float32))
            assert re.match(rf'line 4 +score +{each.sum():.1f} ', line)
        finally:
            program.terminate()
        assert 'skipped: growing.csv line 3 has 2 cells; the header has 14' in program.stderr.read()
