"""tools/equivalent_mutants.json names lines that are there."""

import json
import pathlib

ROOT = pathlib.Path(__file__).parents[2]


def test_each_equivalent_mutant_changes_a_line_of_today():
    listed = json.loads((ROOT / 'tools' / 'equivalent_mutants.json').read_text())
    assert listed
    for mutant in listed:
        source = (ROOT / mutant['file']).read_text()
        assert mutant['old'] in source, f'{mutant["file"]}: {mutant["old"]!r}'
        assert mutant['reason']
