"""Every name that tfae itself adds to `tf.contrib` is used by a test of this folder."""

import importlib
import pathlib
import re

import pytest

from tfae.compat import importer

OURS = sorted(
    {
        module
        for modules in importer.SERVED.values()
        for module in modules.split()
        if module.startswith('tfae.compat.contrib.')
    }
)
FOLDER = pathlib.Path(__file__).parent
WORDS = set(re.findall(r'\w+', ''.join(path.read_text() for path in FOLDER.glob('*_test.py'))))


@pytest.mark.parametrize('module', OURS)
def test_every_name_of_a_subject_is_tested(module):
    assert set(importlib.import_module(module).__all__) <= WORDS
