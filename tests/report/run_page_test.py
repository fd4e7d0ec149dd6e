"""`tfae report`: a page that stands alone, says what the files of a run say, and can be read."""

import base64
import dataclasses
import hashlib
import html.parser
import importlib
import json
import os
import re
import shutil

import browser as browsers
import numpy as np
import pytest
import tfae_program
from PIL import Image

from tfae.core import names
from tfae.report import captions, curves, document, measures, run_page, settings
from tfae.runs.directory import Folder
from tfae.runs.saved_run import open_run

WORDS = ('--units=8,4', '--pretraining=greedy', '--pretraining_epochs=2', '--epochs=3')
PLANTED = '</script><script>document.title = "bad"</script><b class="planted">'


def run_tfae(*words, cwd):
    done = tfae_program.run(*words, cwd=cwd)
    assert (done.code, done.err) == (0, ''), done
    return done


@pytest.fixture(scope='module')
def run(tmp_path_factory):
    """A run with an evaluation, a strip and a film, and its page."""
    folder = tmp_path_factory.mktemp('report')
    run_tfae('train', *WORDS, '--logdir=run', cwd=folder)
    run_tfae('evaluate', '--logdir=run', '--neighbors=3', cwd=folder)
    run_tfae('reconstruct', '--logdir=run', '--count=9', cwd=folder)
    run_tfae('interpolate', '--logdir=run', '--indices=0,1', '--steps=3', cwd=folder)
    done = run_tfae('report', '--logdir=run', cwd=folder)
    assert 'run/report.html: ' in done.out
    return folder / 'run'


@pytest.fixture
def copy(run, tmp_path):
    return shutil.copytree(run, tmp_path / 'copy')


class Reader(html.parser.HTMLParser):
    """Elements of a page as `(tag, attributes)`, and the texts of scripts, styles and all else."""

    def __init__(self, page):
        super().__init__()
        self.elements, self.texts, self.scripts, self._inside = [], [], [], ''
        self.feed(page)
        self.text = ' '.join(' '.join(self.texts).split())

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        self._inside = tag

    def handle_endtag(self, tag):
        self._inside = ''

    def handle_data(self, data):
        if self._inside == 'script':
            self.scripts.append(data)
        elif self._inside != 'style':
            self.texts.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def read(folder):
    return Reader((folder / 'report.html').read_text())


# The file.


def test_a_page_asks_for_nothing_but_itself(run):
    page = read(run)
    assert not page.all('link') + page.all('iframe') + page.all('object') + page.all('base')
    assert [script for script in page.all('script') if 'src' in script] == []
    assert all(image['src'].startswith('data:image/') for image in page.all('img'))
    assert all(link['href'].startswith('#') for link in page.all('a'))
    assert '@import' not in (run / 'report.html').read_text()
    assert 'url(' not in (run / 'report.html').read_text()


def test_the_policy_lets_one_script_run_and_no_other(run):
    page = read(run)
    policy = page.all('meta')[1]['content']
    digest = base64.b64encode(hashlib.sha256(page.scripts[1].encode()).digest()).decode()
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'unsafe-inline'; ")
    assert f"script-src 'sha256-{digest}';" in policy
    assert len(page.scripts) == 2


def test_images_are_embedded_byte_for_byte_with_what_they_are_and_who_made_them(run):
    page = read(run)
    files = {path.name: path for path in captions.figures(run)}
    assert sorted(files) == ['interpolation.gif', 'interpolation.png', 'reconstructions_test.png']
    for image in page.all('img'):
        name, _, words = image['alt'].partition(': ')
        content = base64.b64decode(image['src'].partition('base64,')[2])
        assert content == files.pop(name).read_bytes()
        assert len(words) > 20
        with Image.open(run / 'figures' / name) as file:
            assert (int(image['width']), int(image['height'])) == file.size
    assert not files
    assert 'tfae reconstruct --logdir=run' in page.text


def test_numbers_are_those_of_the_files(run):
    page = read(run)
    found = json.loads((run / 'evaluation.json').read_text())
    for name in ('mse', 'pca_mse', 'bce', 'sharpness', 'parameters'):
        assert measures.number(found[name]) in page.text
    assert f'{100 * found["pixel_knn_error"]:#.4g}' in page.text
    assert f'test split, 360 examples, step {found["step"]:,}' in page.text


def test_variables_are_those_of_the_graph_with_their_shapes(run):
    page = read(run)
    opened = open_run(run)
    with opened:
        found = opened.variables('trainable_variables')
    for name, value in found.items():
        shape = ' × '.join(map(str, value.shape))
        assert f'{name} {shape} float32 {value.size:,}' in page.text
    total = sum(value.size for value in found.values())
    assert f'trainable_variables : {len(found)} variables, {total:,} values' in page.text


def test_flags_that_differ_come_first_and_make_the_run_again(run):
    experiment = Folder(run).read_config()
    words = settings.command(experiment, 'a b').split(' --')
    assert words[0] == 'tfae train'
    assert words[-1] == "logdir='a b'"
    assert set(WORDS) <= {f'--{word}' for word in words}
    text = read(run).text
    assert text.index('--units 8,4 100,30') < text.index('flags have their defaults')
    assert text.index('flags have their defaults') < text.index('--seed 0 0')


def test_what_is_not_there_is_left_out_and_its_command_named(copy):
    for path in ('evaluation.json', 'metrics.jsonl', 'checkpoint'):
        (copy / path).unlink()
    for path in [*copy.glob('model-*'), *copy.glob('best/*')]:
        path.unlink()
    shutil.rmtree(copy / 'figures')
    run_tfae('report', '--logdir=copy', cwd=copy.parent)
    page = read(copy)
    for command in ('evaluate', 'reconstruct', 'latent', 'explain', 'probe'):
        assert f'tfae {command} --logdir=copy' in page.text
    assert 'The run cannot be opened: --logdir copy has no checkpoint yet' in page.text
    assert 'metrics.jsonl is empty so far' in page.text
    assert '--units 8,4 100,30' in page.text
    assert page.all('img') == []


def test_what_a_family_cannot_do_is_not_asked_for(tmp_path):
    words = ('--model=classifier', '--units=8', '--epochs=1', '--logdir=run')
    run_tfae('train', *words, cwd=tmp_path)
    run_tfae('evaluate', '--logdir=run', cwd=tmp_path)
    run_tfae('report', '--logdir=run', cwd=tmp_path)
    page = read(tmp_path / 'run')
    assert 'tfae probe --logdir=run' in page.text
    for command in ('reconstruct', 'sample', 'morph', 'interpolate', 'anomaly'):
        assert f'tfae {command}' not in page.text
    matrix = json.loads((tmp_path / 'run' / 'evaluation.json').read_text())['confusion']
    assert f'3 {" ".join(map(str, matrix[3]))} 4' in page.text


def plant(folder):
    """Puts markup wherever a text of a run can come from; returns the new name of its folder."""
    config = json.loads((folder / 'config.json').read_text())
    config['training']['restore_from'] = PLANTED
    config['signature']['class_names'][1] = PLANTED
    (folder / 'config.json').write_text(json.dumps(config))
    found = json.loads((folder / 'evaluation.json').read_text())
    found |= {'split': PLANTED, PLANTED: 1.5, 'confusion': [[1, 2], [3, 4]], 'words': [PLANTED]}
    (folder / 'evaluation.json').write_text(json.dumps(found))
    record = {'step': 999, 'phase': PLANTED, 'epoch': PLANTED, 'loss': 1.0, PLANTED: 2.0}
    Folder(folder).append_metrics(record)
    (folder / 'figures' / 'samples.json').write_text(json.dumps({'kind': PLANTED}))
    figure = folder / 'figures' / '<b class="planted">.png'
    shutil.copy(folder / 'figures' / 'reconstructions_test.png', figure)
    return folder.rename(folder.parent / '<b class="planted">')


def test_what_comes_from_files_stays_text(copy):
    folder = plant(copy)
    run_tfae('report', f'--logdir={folder.name}', cwd=folder.parent)
    page = read(folder)
    assert len(page.scripts) == 2
    assert not [a for _, a in page.elements if a.get('class') == 'planted']
    assert page.text.count(PLANTED) >= 8
    plots = json.loads(page.scripts[0])
    assert [plot['title'] for plot in plots if 'script' in plot['title']]
    assert plots[0]['bands'][-1]['label'] == PLANTED


@pytest.mark.parametrize('content', ['', '[1]', '{"mse": null, "confusion": 3}', '\x00\xff'])
def test_files_that_are_not_as_commands_write_them_do_no_harm(copy, content):
    for name in ('evaluation.json', 'metrics.jsonl', 'anomaly.json', 'figures/probe.json'):
        (copy / name).write_bytes(content.encode('latin-1'))
    (copy / 'figures' / 'samples.json').write_text('{"kind": "\\ud800"}')
    (copy / 'figures' / os.fsdecode(b'\xff.png')).write_bytes(b'')
    page = Reader(run_page.page(Folder(copy), None, 'a reason'))
    assert 'kind ?' in page.text
    assert '?.png is omitted: it cannot be read' in page.text
    assert page.text.encode()


def test_an_image_that_is_too_large_or_damaged_is_left_out_with_a_reason(tmp_path):
    path = tmp_path / 'a.png'
    noise = np.random.RandomState(0).randint(0, 256, (40, 50), np.uint8)
    Image.fromarray(noise).save(path)
    size = path.stat().st_size
    taken = document.Images().embed(path)
    assert (taken.width, taken.height) == (50, 40)
    words = document.Images(image=size - 1).embed(path)
    assert words == 'it takes 0.0 MB, an image may take 0.0 MB'
    both = document.Images(images=2 * size - 1)
    assert not isinstance(both.embed(path), str)
    assert 'all images of a page' in both.embed(path)
    (tmp_path / 'b.png').write_text('<svg>')
    assert document.Images().embed(tmp_path / 'b.png') == 'it cannot be read'
    path.write_bytes(path.read_bytes()[: size // 2])
    assert document.Images().embed(path) == 'it cannot be read'


def test_a_page_that_cannot_be_written_is_refused_and_leaves_nothing(run):
    before = tfae_program.contents(run)
    words = ('report', '--logdir=run', '--output=run/config.json/a.html')
    assert 'run/config.json' in tfae_program.run(*words, cwd=run.parent).refusal(1)
    words = ('report', '--logdir=run', '--output=a.pdf')
    line = tfae_program.run(*words, cwd=run.parent).refusal(2)
    assert line == "--output is 'a.pdf'; it must end in .html"
    words = ('report', '--logdir=figures')
    line = tfae_program.run(*words, cwd=run).refusal(1)
    assert line == 'figures is not a run: it has no config.json'
    assert tfae_program.contents(run) == before


# What it is made of.


def test_baselines_have_columns_and_the_best_value_is_marked():
    found = {'split': 'test', 'kmeans_nmi': 0.5, 'mse': 0.5, 'pca_mse': 0.25, 'probe_error': 0.1}
    found |= {'pca_probe_error': 0.2, 'pixels_probe_error': 0.05, 'pixel_size': 3}
    found |= {
        'probe_error_100_labels': [0.125, 0.01],
        'kind': {'a': 1},
        'kl_by_dimension': [2.0, 3.0],
    }
    table = measures.table(found)
    assert table.columns == ['this run', 'PCA, same code size', 'pixels']
    rows = {row.name: row for row in table.rows}
    assert next(iter(rows)) == 'MSE'
    cells = {words: [cell.text for cell in row.cells] for words, row in rows.items()}
    best = {words: [cell.best for cell in row.cells].index(True) for words, row in rows.items()
            if any(cell.best for cell in row.cells)}  # fmt: skip
    assert cells['MSE'] == ['0.5000', '0.2500', '–']
    assert cells['linear probe error'] == ['10.00', '20.00', '5.000']
    assert cells['linear probe error, 100 labels'] == ['12.50 ± 1.00', '–', '–']
    assert cells['pixels: size'] == ['3', '–', '–']
    assert cells['k-means: normalized mutual information'] == ['0.5000', '–', '–']
    assert cells['kind: a'] == ['1', '–', '–']
    assert cells['KL divergence by latent dimension'] == ['2 from 2.000 to 3.000', '–', '–']
    assert best == {'MSE': 1, 'linear probe error': 2}
    assert rows['linear probe error'].unit == '%'


def test_equal_numbers_have_no_best():
    assert not any(cell.best for cell in measures.row('mse', [0.5, 0.5, None]).cells)
    assert not any(cell.best for cell in measures.row('mse', [0.5, float('nan')]).cells)


@pytest.mark.parametrize(
    'value, text',
    [
        (3, '3'),
        (1234567, '1,234,567'),
        (0.00678195, '0.006782'),
        (-105.80164, '-105.8'),
        (123456.7, '123,457'),
        (1.5e-7, '1.500e-07'),
        (float('nan'), 'nan'),
        (True, 'yes'),
        ('a', 'a'),
        ([], '0'),
        (['a', 'b'], 'a, b'),
    ],
)
def test_numbers_have_four_significant_digits(value, text):
    assert measures.number(value) == text


def test_curves_break_where_phases_change_and_where_a_loss_is_not_finite():
    records = [
        {'step': 5, 'phase': 'a', 'epoch': 1, 'loss': 3.0, 'seconds': 1.0},
        {'step': 9, 'phase': 'a', 'epoch': 2, 'loss': float('nan'), 'seconds': 0.5},
        {'step': 12, 'phase': 'b', 'epoch': 1, 'loss': 1.0, 'validation_loss': 2.0, 'seconds': 2.0},
    ]
    (plot,) = curves.of_run(records)
    training, validation = plot['series']
    assert training['parts'] == [[[5, 1.0, 3.0, 1], [9, 1.5, None, 2]], [[12, 3.5, 1.0, 1]]]
    assert validation['parts'] == [[[12, 3.5, 2.0, 1]]]
    assert validation['dashed']
    assert not training['dashed']
    assert [(b['label'], b['from'], b['to']) for b in plot['bands']] == [
        ('a', [0, 0.0], [9, 1.5]),
        ('b', [9, 1.5], [12, 3.5]),
    ]
    json.dumps(plot, allow_nan=False)
    assert [(p['epochs'], p['step'], p['seconds']) for p in curves.phases(records)] == [
        (2, 9, 1.5),
        (1, 12, 2.0),
    ]


def test_losses_of_different_units_have_plots_of_their_own():
    records = [{'step': 5, 'phase': 'a', 'epoch': 1, 'loss': 3.0, 'kl': 1.0, 'seconds': 1.0}]
    runs = dict.fromkeys('abc', records)
    plots = curves.of_runs(runs, {'a': 'dense, mse', 'b': 'variational', 'c': 'dense, mse'})
    found = {plot['title']: [s['label'] for s in plot['series']] for plot in plots}
    assert found == {
        'loss: dense, mse': ['a', 'c'],
        'loss: variational': ['b'],
        'KL divergence': ['a', 'b', 'c'],
    }
    assert [s['color'] for s in plots[0]['series']] == [0, 2]
    assert [plot['title'] for plot in curves.of_runs(runs)] == ['loss', 'KL divergence']


def test_every_command_that_the_page_names_is_one_of_the_program():
    for key, section in captions.SECTIONS.items():
        module = importlib.import_module(f'tfae.commands.{section.command}')
        flags = {field.name for field in dataclasses.fields(module.Config)}
        assert set(captions._REMEMBERED.get(key, ())) <= flags


@pytest.mark.parametrize(
    'name, beside, section, text, command',
    [
        ('latent_traversal', None, 'latent', 'decoded images along', 'tfae latent --logdir=r'),
        ('latent_grid', None, 'latent', 'decoded images at evenly', 'tfae latent --logdir=r'),
        (
            'samples',
            {'kind': 'mixture', 'count': 20, 'seed': 3},
            'samples',
            'decoded images of random codes',
            'tfae sample --logdir=r --kind=mixture --count=20 --seed=3',
        ),
        (
            'explain_gradcam_x',
            {'method': 'gradcam', 'tensor': 'x/y'},
            'explain',
            'Grad-CAM of x/y',
            'tfae explain --logdir=r --method=gradcam --tensor=x/y',
        ),
        (
            'morph_a_above_3',
            {'attribute': 'a>3,b', 'attributes': '', 'split': 'train', 'step': 3},
            'morph',
            'images with an attribute subtracted',
            "tfae morph --logdir=r --attribute='a>3,b' --split=train",
        ),
        ('cluster_new', None, 'cluster', 'cluster new', 'tfae cluster --logdir=r'),
        ('my_own', None, '', 'my own', ''),
    ],
)
def test_the_caption_of_a_figure_follows_from_its_name_and_its_json(
    tmp_path, name, beside, section, text, command
):
    if beside:
        stem = 'morph' if section == 'morph' else name
        (tmp_path / f'{stem}.json').write_text(json.dumps(beside))
    found = captions.caption(tmp_path / f'{name}.png', 'r')
    assert (found.section, found.command) == (section, command)
    assert found.text.startswith(text)


def test_a_figure_of_an_earlier_call_of_morph_has_no_command(tmp_path):
    rows = [{'attribute': 'class=2', 'figure': 'morph_class_2.png'}]
    (tmp_path / 'morph.json').write_text(json.dumps({'attribute': 'class=2', 'directions': rows}))
    for name, command in (
        ('morph_class_2.png', 'tfae morph --logdir=r --attribute=class=2'),
        ('morph_class_1.png', ''),
        ('morph.gif', 'tfae morph --logdir=r --attribute=class=2'),
    ):
        assert captions.caption(tmp_path / name, 'r').command == command


def test_a_page_needs_no_open_run(run, tmp_path):
    page = Reader(run_page.page(Folder(run), None, 'a reason'))
    assert 'The run cannot be opened: a reason.' in page.text
    assert len(page.all('img')) == 3
    (tmp_path / 'my run').symlink_to(run)
    for has, wanted in (
        (set(), ''),
        ({names.CODE}, 'latent explain'),
        ({names.CODE, names.LABELS}, 'latent explain cluster probe'),
        ({names.CODE, names.RECONSTRUCTION}, 'latent explain anomaly'),
        ({names.DECODER}, 'sample'),
        ({names.CODE, names.DECODER, names.LABELS}, 'latent sample morph explain cluster probe'),
    ):
        graph = run_page.Graph(1, 'there', has, {'key': []})
        page = Reader(run_page.page(Folder(tmp_path / 'my run'), graph)).text
        added = page.partition('Commands that add more')[2]
        assert f"Written by tfae report --logdir='{tmp_path}/my run'" in page
        commands = re.findall(r'tfae (\w+) --logdir=', added)
        assert [name for name in commands if name != 'report'] == wanted.split()


# In a browser.


@pytest.fixture
def opened(browser, run):
    """The browser with the page, 1280 pixels wide, light."""
    browsers.prefer(browser, 'light')
    browsers.resize(browser, 1280, 900)
    browser.get((run / 'report.html').as_uri())
    browser.execute_script('document.documentElement.style.scrollBehavior = "auto"')
    return browser


def plot_of(driver):
    svg = driver.find_element('css selector', '.plot svg[tabindex]')
    driver.execute_script('arguments[0].scrollIntoView({block: "center"})', svg)
    return svg


def pointer(driver, svg, *moves, press=False):
    """Moves the mouse over places of an element, parts of 1 of its width and height."""
    from selenium.webdriver import ActionChains

    width, height = svg.size['width'], svg.size['height']
    chain = ActionChains(driver, duration=0)
    for i, (x, y) in enumerate(moves):
        chain.move_to_element_with_offset(svg, (x - 0.5) * width, (y - 0.5) * height)
        if press and i == 0:
            chain.click_and_hold()
    if press:
        chain.release()
    chain.perform()


def tip(driver):
    return driver.find_element('css selector', '.plot .tip').text.split('\n')


def ticks(driver):
    found = driver.find_elements('css selector', '.plot:first-child text.x')
    return [node.text for node in found]


def test_the_page_loads_without_a_complaint_and_its_images_decode(opened):
    assert browsers.complaints(opened) == []
    widths = opened.execute_script('return [...document.images].map((i) => i.naturalWidth)')
    assert len(widths) == 3
    assert min(widths) > 100
    assert len(opened.find_elements('css selector', '.plot svg[tabindex]')) == 2


def test_hovering_reads_the_values_of_the_nearest_epoch(opened, run):
    records = tfae_program.metrics(run)
    svg = plot_of(opened)
    width = svg.size['width']
    last = records[-1]['step']
    for record in records:
        place = (58 + record['step'] / last * (width - 68) + 0.4) / width
        pointer(opened, svg, (place, 0.5))
        said = ' '.join(tip(opened))
        assert f'step {record["step"]:,}' in said
        assert f'{record["phase"]}, epoch {record["epoch"]}' in said
        told = [float(word) for word in re.findall(r'(?:training|validation) ([\d.]+)', said)]
        assert told == pytest.approx([record['loss'], record['validation_loss']], rel=1e-5)
    assert opened.find_elements('css selector', '.plot .cross')


def test_arrow_keys_read_values_too(opened, run):
    records = tfae_program.metrics(run)
    svg = plot_of(opened)
    for key, record in (('\ue010', records[-1]), ('\ue012', records[-2]), ('\ue011', records[0])):
        svg.send_keys(key)
        assert f'step {record["step"]:,}' in ' '.join(tip(opened))


def test_dragging_zooms_and_a_double_click_resets_the_zoom(opened, run):
    from selenium.webdriver import ActionChains

    svg, before = plot_of(opened), ticks(opened)
    reset = opened.find_element('css selector', '.plot .reset')
    assert not reset.is_displayed()
    pointer(opened, svg, (0.5, 0.5), (0.7, 0.52), press=True)
    numbers = [float(text.replace(',', '')) for text in ticks(opened)]
    last = tfae_program.metrics(run)[-1]['step']
    assert 0.3 * last < min(numbers) < max(numbers) < 0.8 * last
    assert reset.is_displayed()
    ActionChains(opened).double_click(svg).perform()
    assert ticks(opened) == before
    pointer(opened, svg, (0.2, 0.2), (0.9, 0.7), press=True)
    assert ticks(opened) != before
    svg.send_keys('\ue00c')
    assert ticks(opened) == before


def test_the_axis_may_be_logarithmic_and_over_seconds(opened):
    def bend():
        """How unequal the distances on the screen are of levels that are equally far apart."""
        found = opened.find_elements('css selector', '.plot:first-child text.y')
        levels, places = zip(*((float(node.text), node.rect['y']) for node in found), strict=True)
        return np.ptp(np.diff(places) / np.diff(levels)) / np.ptp(places) * np.ptp(levels)

    plot_of(opened)
    log = opened.find_element('css selector', '.plot .log')
    seen = []
    for wanted in (False, True):
        if log.is_selected() != wanted:
            log.click()
        seen.append(bend())
    assert seen[0] < 0.02 < 0.1 < seen[1]
    opened.find_element('css selector', '.plot .time').click()
    assert 'training time (s)' in opened.find_element('css selector', '.plot .canvas').text


def test_a_phone_shows_all_of_it_without_moving_sideways(opened):
    browsers.resize(opened, 390, 844)
    over = 'return document.documentElement.scrollWidth - document.documentElement.clientWidth'
    assert opened.execute_script('return innerWidth') == 390
    assert opened.execute_script(over) == 0
    for details in opened.find_elements('css selector', 'details'):
        opened.execute_script('arguments[0].open = true', details)
    assert opened.execute_script(over) == 0
    svg = opened.find_element('css selector', '.plot svg[tabindex]')
    assert 250 < svg.size['width'] < 390


TEXTS = """
const found = [];
const kinds = 'p, th, td, code, summary, h1, h2, dt, b, nav a, text';
for (const node of document.querySelectorAll(kinds)) {
    if (!node.getClientRects().length || !node.textContent.trim()) continue;
    let ground = node;
    const color = (of) => getComputedStyle(of).backgroundColor;
    while (ground && !color(ground).startsWith('rgb(')) ground = ground.parentElement;
    const style = getComputedStyle(node);
    found.push([node.textContent.trim().slice(0, 40),
                node.tagName === 'text' ? style.fill : style.color, ground ? color(ground) : '']);
}
return found;
"""


@pytest.mark.parametrize('scheme', ['light', 'dark'])
def test_every_text_stands_out_from_what_is_behind_it(opened, scheme):
    browsers.prefer(opened, scheme)
    found = opened.execute_script(TEXTS)
    assert len(found) > 100
    ground = opened.execute_script('return getComputedStyle(document.body).backgroundColor')
    assert (browsers.luminance(ground) < 0.05) == (scheme == 'dark')
    weak = [
        (text, browsers.contrast(a, b)) for text, a, b in found if browsers.contrast(a, b) < 4.5
    ]
    assert not weak


def test_every_place_that_scrolls_can_be_reached_by_keys(opened):
    loose = """return [...document.querySelectorAll('*')].filter((node) =>
        node.scrollWidth > node.clientWidth + 1 && getComputedStyle(node).overflowX === 'auto'
        && node.tabIndex < 0 && node.tagName !== 'NAV').length"""
    browsers.resize(opened, 390, 844)
    assert opened.execute_script(loose) == 0
    unnamed = """const kinds = 'img, section, [role=region], svg[tabindex]';
        return [...document.querySelectorAll(kinds)].filter((node) => !node.alt
        && !node.ariaLabel && !node.getAttribute('aria-labelledby')).length"""
    assert opened.execute_script(unnamed) == 0


def test_planted_markup_is_shown_as_text_and_runs_nothing(browser, copy):
    folder = plant(copy)
    run_tfae('report', f'--logdir={folder.name}', cwd=folder.parent)
    browser.get((folder / 'report.html').as_uri())
    assert browser.title == '<b class="planted">'
    assert browsers.complaints(browser) == []
    assert browser.find_elements('css selector', '.planted') == []
    assert len(browser.find_elements('css selector', 'script')) == 2
    shown = browser.find_element('css selector', 'body').text
    assert shown.count(PLANTED) >= 5


def test_a_foreign_script_is_stopped_by_the_policy(browser, run, tmp_path):
    page = (run / 'report.html').read_text()
    path = tmp_path / 'a.html'
    path.write_text(page.replace('</body>', '<script>document.title = "bad"</script></body>'))
    browser.get(path.as_uri())
    assert browser.title == 'run'
    assert any('Content Security Policy' in line for line in browsers.complaints(browser))
