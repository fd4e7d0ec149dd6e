"""tools/experiments/anomaly.py: which runs it asks for, what it keeps, and its table."""

import importlib.util
import json
import pathlib
import sys

import pytest
from absl import app, flags
from absl.testing import flagsaver

TOOLS = pathlib.Path(__file__).parents[2] / 'tools' / 'experiments'
FLAGS = ('seeds', 'classes', 'output')


@pytest.fixture(scope='module')
def tool():
    """The tool as a module; flags of other tools that have its names stand aside meanwhile."""
    aside = {name: flags.FLAGS[name] for name in FLAGS if name in flags.FLAGS}
    for name in aside:
        delattr(flags.FLAGS, name)
    sys.path.insert(0, str(TOOLS))
    try:
        spec = importlib.util.spec_from_file_location('anomaly_tool', TOOLS / 'anomaly.py')
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(TOOLS))
    if not flags.FLAGS.is_parsed():
        flags.FLAGS.mark_as_parsed()
    yield module
    for name in FLAGS:
        delattr(flags.FLAGS, name)
    for name, flag in aside.items():
        flags.FLAGS[name] = flag


@pytest.fixture
def commands(tool, tmp_path, monkeypatch):
    """Words of each command that was run; `anomaly` writes what it would have found."""
    asked = []

    def run(command, **_):
        words = command[3:]
        asked.append(words)
        values = dict(word[2:].split('=') for word in words[1:] if '=' in word)
        logdir = pathlib.Path(values['logdir'])
        logdir.mkdir(parents=True, exist_ok=True)
        if words[0] == 'anomaly':
            word, seed = logdir.name.split('_')
            found = {'auroc': 0.9 + int(word) / 100 + int(seed) / 1000, 'blank_is_anomalous': True}
            if '--nobaselines' not in words:
                found |= {f'{name}_auroc': 0.5 for name in ('pca', 'neighbor', 'mean')}
            (logdir / 'anomaly.json').write_text(json.dumps(found))

    monkeypatch.setattr(tool.subprocess, 'run', run)
    monkeypatch.setattr(tool.recipes, 'ROOT', tmp_path)
    with flagsaver.flagsaver(seeds=2, classes=['0', '4'], output='out'):
        yield asked


@pytest.mark.parametrize(
    'recipe, flag',
    [('anomaly_mnist', '--only_classes'), ('anomaly_reverse_mnist', '--without_classes')],
)
def test_each_class_and_seed_is_trained_and_measured_once(tool, commands, tmp_path, recipe, flag):
    tool.main(['anomaly.py', recipe])
    trained = [words for words in commands if words[0] == 'train']
    want = [
        ['train', f'--recipe={recipe}', f'{flag}={k}', f'--seed={seed}']
        for k in (0, 4)
        for seed in (0, 1)
    ]
    assert [words[:-1] for words in trained] == want
    measured = [words for words in commands if words[0] == 'anomaly']
    assert ['--nobaselines' in words for words in measured] == [False, True] * 2
    assert all('--checkpoint=last' in words for words in measured)
    commands.clear()
    (tmp_path / 'out' / recipe / '4_1' / 'anomaly.json').unlink()
    tool.main(['anomaly.py', recipe])
    assert [words[0] for words in commands] == ['train', 'anomaly']
    assert commands[0][-1].endswith('4_1')


def test_the_table_has_means_over_classes(tool, commands, tmp_path, capsys):
    tool.main(['anomaly.py', 'anomaly_mnist'])
    lines = capsys.readouterr().out.splitlines()
    rows = [[cell.strip() for cell in line.strip('|').split('|')] for line in lines[2:]]
    assert rows[0][:3] == ['normal class', 'tfae', 'PCA-32']
    assert rows[2] == ['0', '0.9005 (± 0.0007)', '0.500', '0.500', '0.500', '2 of 2']
    assert rows[4] == [
        '**mean**',
        '**0.9205 (± 0.0007)**',
        '0.500',
        '0.500',
        '0.500',
        '4 of 4',
    ]
    folder = tmp_path / 'out' / 'anomaly_mnist'
    assert (folder / 'anomaly.md').read_text().splitlines() == lines
    assert json.loads((folder / 'anomaly.json').read_text())['4'][1]['auroc'] == pytest.approx(
        0.941
    )


@pytest.mark.parametrize(
    'words, text',
    [((), 'the names of recipes are missing'), (('mlp_mnist',), 'recipe mlp_mnist has none of')],
)
def test_what_cannot_be_run_is_refused(tool, commands, words, text):
    with pytest.raises(app.UsageError, match=text):
        tool.main(['anomaly.py', *words])
    assert not commands
