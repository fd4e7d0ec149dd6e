"""`tfae compare`: runs side by side, PCA of their code sizes beside them."""

import json

import browser as browsers
import numpy as np
import pytest
import tfae_program
from PIL import Image

import tfae
from tfae import data
from tfae.analysis import pca, reconstruction
from tfae.commands.shared import command_flags, reconstructions
from tfae.report import comparison, settings
from tfae.training.experiment import Experiment


def run_tfae(*words, cwd):
    done = tfae_program.run(*words, cwd=cwd)
    assert (done.code, done.err) == (0, ''), done
    return done


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Three runs that rebuild digits by codes of 2, 4 and 4 numbers, one of them not evaluated."""
    folder = tmp_path_factory.mktemp('compare')
    for name, words in (
        ('two', ('--units=16,2', '--epochs=3')),
        ('four', ('--units=16,4', '--epochs=2')),
        ('variational', ('--model=variational', '--units=16', '--code_size=4', '--epochs=2')),
    ):
        run_tfae('train', *words, f'--logdir=runs/{name}', cwd=folder)
        if name != 'variational':
            run_tfae('evaluate', f'--logdir=runs/{name}', cwd=folder)
    return folder


@pytest.fixture(scope='module')
def done(folder):
    words = ('runs/two', '--count=5', 'runs/four', 'runs/variational')
    return run_tfae('compare', *words, cwd=folder)


def found(folder):
    return json.loads((folder / 'comparison' / 'compare.json').read_text())


def row(done, words):
    """The cells of the line of the table that starts with these words."""
    (line,) = [line for line in done.out.splitlines() if line.startswith(words)]
    return line.removeprefix(words).split()


def test_errors_are_those_of_the_runs_and_of_pca_of_their_code_sizes(folder, done):
    loaded = data.load(data.Config())
    images = data.pixels(loaded.test.images)
    for came in found(folder)['runs']:
        with tfae.open(folder / came['logdir']) as run:
            mse = reconstruction.mse(images, run.reconstruct(images))
        size = {'two': 2, 'four': 4, 'variational': 4}[came['name']]
        projected = pca.Baseline(loaded.train.images, size).reconstruct(images)
        assert came['code_size'] == size
        assert came['mse'] == pytest.approx(mse, rel=1e-5)
        assert came['pca_mse'] == pytest.approx(reconstruction.mse(images, projected), rel=1e-5)
        assert came['step'] == tfae_program.steps(folder / came['logdir'])[-1]
    seconds = [
        sum(json.loads(line)['seconds'] for line in path.read_text().splitlines())
        for path in [folder / 'runs' / name / 'metrics.jsonl' for name in ('two', 'four')]
    ]
    assert [came['seconds'] for came in found(folder)['runs']][:2] == pytest.approx(seconds)


def test_the_table_has_a_column_for_each_run(folder, done):
    runs = found(folder)['runs']
    assert [came['name'] for came in runs] == ['two', 'four', 'variational']
    cells = row(done, 'MSE, per pixel')
    assert [float(cell) for cell in cells] == pytest.approx([came['mse'] for came in runs], 1e-3)
    assert row(done, 'trainable parameters') == [f'{came["parameters"]:,}' for came in runs]
    assert row(done, '--units') == ['16,2', '16,4', '16']
    assert row(done, '--code_size') == ['–', '–', '4']
    assert row(done, '--epochs') == ['3', '2', '2']
    assert '--batch_size' not in done.out


def test_differences_leave_out_what_another_family_lacks_at_its_default():
    def experiment(model, **family):
        content = {'model': model, 'family': family, 'data': {}, 'training': {}, 'schedule': {}}
        return Experiment.from_dict({**content, 'signature': {}}, 'here')

    a, b = experiment('dense', units=[9, 2]), experiment('siamese', units=[9, 2], margin=3.0)
    assert settings.differences([a, b]) == {
        '--model': ['dense', 'siamese'],
        '--margin': [None, '3.0'],
    }
    assert settings.differences([a, a]) == {}
    c = experiment('dense', units=[9, 2], corruption=['masking:0.5'])
    assert settings.differences([a, c]) == {'--corruption': ['none', 'masking:0.5']}


def test_rows_are_originals_then_runs_and_pca_of_each_code_size(folder, done):
    image = Image.open(folder / 'comparison' / 'compare.png').convert('L')
    width, height = image.size
    # six rows of 0.75 inches at 150 pixels an inch, and 0.6 above; five images and 1.6 for words
    assert (width, height) == (round(150 * (1.6 + 5 * 0.75)), round(150 * (0.6 + 6 * 0.75)))
    curve = np.asarray(Image.open(folder / 'comparison' / 'compare_curve.png').convert('L'))
    assert curve.std() > 20
    for name in ('compare.json', 'compare.html', 'compare.png', 'compare_curve.png'):
        assert f'comparison/{name}' in done.out


def test_pca_is_fitted_to_the_training_examples_of_each_run(folder):
    run_tfae(
        *('train', '--units=16,4', '--epochs=1', '--logdir=runs/few'),
        '--only_classes=3,7',
        cwd=folder,
    )
    logdirs = [str(folder / 'runs' / name) for name in ('few', 'four')]
    found = []
    for order in (logdirs, logdirs[::-1]):
        look = command_flags.LookAtData(logdir=order[0])
        rebuilt, notes = reconstructions.rebuild(comparison.sides(order), look, 2)
        assert (notes, len(rebuilt.pca)) == ([], 2)
        assert sorted(
            curve.label for curve in reconstructions._curves(rebuilt, comparison.sides(order))
        ) == ['PCA', 'dense']
        found.append({name: measured['pca_mse'] for name, measured in rebuilt.measured.items()})
    assert found[0] == found[1]
    for name, classes in (('few', ('3', '7')), ('four', ())):
        loaded = data.load(data.Config(only_classes=classes))
        images = data.pixels(loaded.test.images)
        projected = pca.Baseline(loaded.train.images, 4).reconstruct(images)
        assert found[0][name] == pytest.approx(reconstruction.mse(images, projected))


def test_one_code_size_has_no_curve(folder):
    words = ('runs/four', 'runs/variational', '--output=one')
    run_tfae('compare', *words, cwd=folder)
    assert sorted(path.name for path in (folder / 'one').iterdir()) == [
        'compare.html',
        'compare.json',
        'compare.png',
    ]


def test_runs_of_different_sets_have_a_table_and_no_image(folder, tmp_path):
    words = ('--dataset=synthetic', '--units=4', '--epochs=1', '--logdir=bars')
    run_tfae('train', *words, cwd=tmp_path)
    run_tfae('evaluate', '--logdir=bars', cwd=tmp_path)
    done = run_tfae('compare', folder / 'runs' / 'two', 'bars', cwd=tmp_path)
    why = 'no images: the runs use different data sets, digits, synthetic'
    assert why in done.out.splitlines()
    assert row(done, '--dataset') == ['digits', 'synthetic']
    page = (tmp_path / 'comparison' / 'compare.html').read_text()
    assert f'{why}.' in page
    assert '<img' not in page
    assert 'class="number best"' not in page
    assert found(tmp_path)['no_image'] == why


def test_what_rebuilds_nothing_is_left_out_of_the_image(folder, tmp_path):
    words = ('train', '--model=classifier', '--units=4', '--epochs=1', '--logdir=classifier')
    run_tfae(*words, cwd=tmp_path)
    two = folder / 'runs' / 'two'
    done = run_tfae('compare', two, 'classifier', '--count=2', cwd=tmp_path)
    assert 'classifier has no images: the family classifier has no reconstruction' in done.out
    assert (tmp_path / 'comparison' / 'compare.png').is_file()
    done = run_tfae('compare', two, 'classifier', '--noimages', '--output=b', cwd=tmp_path)
    assert 'step' not in done.out.splitlines()[0]
    assert sorted(p.name for p in (tmp_path / 'b').iterdir()) == ['compare.html', 'compare.json']


@pytest.mark.parametrize(
    'words, code, want',
    [
        ((), 2, 'tfae compare needs RUN RUN ... after its flags'),
        (('runs/two',), 2, 'tfae compare needs two or more runs; only runs/two was given'),
        (
            ('runs/two', 'runs/two'),
            2,
            'tfae compare needs two or more runs; only runs/two was given',
        ),
        (('runs/two', 'runs'), 1, 'runs is not a run: it has no config.json'),
        (('a', 'b', '--noimages', '--count=3'), 2, '--images and --count exclude each other'),
        (('runs/two', 'x', '--count=0'), 2, '--count is 0; it must lie in [1, 100]'),
        (
            ('a', 'b', '--logdir=c'),
            2,
            'tfae compare has no flag --logdir; tfae compare --help lists them',
        ),
        (
            ('a', 'b', '--blur=1'),
            2,
            'tfae compare has no flag --blur; tfae compare --help lists them',
        ),
    ],
)
def test_what_cannot_be_compared_is_refused(folder, words, code, want):
    assert tfae_program.run('compare', *words, cwd=folder).refusal(code) == want


def test_runs_of_one_name_are_told_apart_by_their_paths(folder, tmp_path):
    for name in ('a', 'b'):
        (tmp_path / name / 'run').mkdir(parents=True)
        content = (folder / 'runs' / 'two' / 'config.json').read_text()
        (tmp_path / name / 'run' / 'config.json').write_text(content)
    logdirs = [str(tmp_path / name / 'run') for name in ('a', 'b')]
    assert [side.name for side in comparison.sides(logdirs)] == logdirs


def test_the_page_draws_a_curve_for_each_run(browser, folder, done):
    browser.get((folder / 'comparison' / 'compare.html').as_uri())
    assert browsers.complaints(browser) == []
    plot = browser.find_element('css selector', '.plot')
    legend = plot.find_element('css selector', '.legend').text.split('\n')
    assert legend == ['two', 'four']  # the loss of the third is in nats, in a plot of its own
    titles = [node.text for node in browser.find_elements('css selector', '.plot strong')]
    assert titles[:2] == ['loss: dense, squared_error', 'loss: variational, bernoulli']
    colors = browser.execute_script(
        'return [...document.querySelectorAll(".plot:first-child .canvas path.line")]'
        '.map((path) => getComputedStyle(path).stroke)'
    )
    assert len(colors) == len(set(colors)) == 2
    svg = plot.find_element('css selector', 'svg[tabindex]')
    svg.send_keys('\ue011')  # Home
    first = tfae_program.metrics(folder / 'runs' / 'two')[0]
    lines = plot.find_element('css selector', '.tip').text.split('\n')
    assert f'step {first["step"]}' in lines
    assert float(lines[lines.index('two') + 1]) == pytest.approx(first['loss'], rel=1e-5)
    browsers.resize(browser, 390, 844)
    over = 'return document.documentElement.scrollWidth - document.documentElement.clientWidth'
    assert browser.execute_script(over) == 0
