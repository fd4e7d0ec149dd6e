"""Names of measures: every one is defined in the docs."""

import pathlib
import re

from tfae.report import measures

PAGE = pathlib.Path(__file__).parents[2] / 'docs/reference/measures.md'


def test_the_docs_define_every_measure():
    defined = set(re.findall(r'`(\w+)`', PAGE.read_text()))
    names = {*measures._KNOWN, *measures._ENDINGS, *measures.BASELINES}
    assert names - defined == set()
