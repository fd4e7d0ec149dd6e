"""The page of a comparison: whatever runs are called, and whatever their files hold, stays text."""

import html.parser
import json

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
    policies = [a['content'] for a in known if a.get('http-equiv') == 'Content-Security-Policy']
    assert len(policies) == 1
    assert policies[0].startswith("default-src 'none'; img-src data:; ")
    assert "base-uri 'none'; form-action 'none'" in policies[0]
