"""The page of a comparison: whatever runs are called, and whatever their files hold, stays text."""

import html.parser
import json
import shlex

from tfae import data, models
from tfae.report import comparison
from tfae.runs.directory import Folder
from tfae.training import phases
from tfae.training.config import TrainingConfig
from tfae.training.experiment import Experiment, Signature

PLANTED = '</script><script>document.title = "bad"</script><b class="planted" onclick="x()">'


class Reader(html.parser.HTMLParser):
    """Elements of a page, and its text."""

    def __init__(self, page):
        super().__init__()
        self.elements, self.text = [], ''
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.text += data


def test_names_of_runs_flags_and_measures_stay_text(tmp_path):
    sides = []
    for k in range(2):
        path = tmp_path / f'<b class="planted" id="{k}">'
        folder = Folder(path)
        folder.create()
        experiment = Experiment(
            'dense',
            models.load('dense').Config(),
            data.Config(data_dir=f'{PLANTED}{k}'),
            TrainingConfig(restore_from=f'{PLANTED}{k}'),
            phases.Config(),
            Signature(class_names=(PLANTED, 'b')),
        )
        folder.write_config(experiment)
        record = {'step': 1, 'phase': PLANTED, 'epoch': 1, 'loss': 1.0, PLANTED: 2.0}
        folder.append_metrics(record)
        measured = {'split': PLANTED, 'mse': 0.5, PLANTED: 1.5, 'examples': PLANTED}
        (path / 'evaluation.json').write_text(json.dumps(measured))
        sides.append(str(path))
    page = Reader(comparison.page(comparison.sides(sides), {}, PLANTED))
    assert [tag for tag, _ in page.elements].count('script') == 2
    known = [attributes for _, attributes in page.elements]
    assert not [a for a in known if a.get('class') == 'planted' or 'onclick' in a]
    assert page.text.count('<b class="planted" id="0">') >= 3
    assert page.text.count(PLANTED) >= 5
    assert f'Written by tfae compare {shlex.join(sides)}' in page.text
    policies = [a['content'] for a in known if a.get('http-equiv') == 'Content-Security-Policy']
    assert len(policies) == 1
    assert policies[0].startswith("default-src 'none'; img-src data:; ")
    assert "base-uri 'none'; form-action 'none'" in policies[0]


def side(evaluation=(), reconstructed=(), shape=(8, 8, 1), fingerprint='a', crop=(), **flags):
    experiment = Experiment(
        'dense',
        models.load('dense').Config(),
        data.Config(**flags),
        TrainingConfig(),
        phases.Config(),
        Signature(image_shape=shape, crop=crop, fingerprint=fingerprint),
    )
    return comparison.Side('run', 'run', experiment, [], dict(evaluation), dict(reconstructed))


def test_an_evaluation_of_another_step_or_split_is_left_out():
    ours = {'split': 'test', 'step': 5000, 'mse': 0.1}
    for theirs, why in (
        ({'step': 1000}, 'its evaluation.json was measured for step 1000, not 5000'),
        ({'split': 'train'}, 'its evaluation.json was measured for split train, not test'),
    ):
        found = side(ours | theirs | {'mse': 0.2, 'elbo': -3.0}, ours)
        assert (found.measured(), found.outdated()) == (ours, why)
        assert why in comparison.page([found, side(ours, ours)], {}, '')
    same = side(ours | {'elbo': -3.0}, ours)
    assert (same.measured(), same.outdated()) == (ours | {'elbo': -3.0}, '')
    assert side({'step': 1000}).measured() == {'step': 1000}  # with --noimages


def test_runs_are_comparable_on_the_same_images_alone():
    npz = {'dataset': 'npz', 'data_dir': 'a.npz'}
    moved = {**npz, 'data_dir': 'b.npz'}
    table = {'dataset': 'images', 'attributes': 'a.csv', 'target': 'age'}
    bars, others = {'dataset': 'synthetic'}, {'fingerprint': 'b'}
    for one, other, want in (
        ({}, {}, True),
        (npz, moved, True),  # the same file elsewhere
        (npz, {**moved, 'fingerprint': 'b'}, False),
        ({}, {'fingerprint': 'b', 'only_classes': ('1',)}, True),  # fewer training examples
        ({}, {'shape': (4, 4, 1)}, False),
        (table, {**table, 'attributes': 'b.csv'}, True),
        ({**table, 'target': 'age'}, {**table, 'target': 'height'}, False),
        ({**table, 'test_fraction': 0.2}, {**table, 'test_fraction': 0.3, **others}, False),
        ({**bars, 'synthetic_kind': 'bars'}, {**bars, 'synthetic_kind': 'blobs', **others}, False),
        ({'crop': (6, 6)}, {'crop': (7, 7)}, False),
        ({}, {'dataset': 'mnist'}, False),
    ):
        assert comparison.comparable([side(**one), side(**other)]) == want, other
