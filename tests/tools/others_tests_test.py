"""tools/experiments/others_tests.py: tests are copied and their failures are named."""

import importlib.util
import pathlib
import xml.etree.ElementTree

import pytest

TOOL = pathlib.Path(__file__).parents[2] / 'tools' / 'experiments' / 'others_tests.py'


@pytest.fixture(scope='module')
def tool():
    spec = importlib.util.spec_from_file_location('others_tests', TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ('line', 'copied'),
    [
        ('from tf_keras.layers import core', 'from tf_keras.src.layers import core'),
        ('from tf_keras import backend', 'from tf_keras.src import backend'),
        ('from ..compat import tfv1 as tf', 'from pack.compat import tfv1 as tf'),
        ('from .pool import FixedUnPooling', 'from pack.models.pool import FixedUnPooling'),
        ('    from tensorflow import keras', '    from tensorflow import keras'),
    ],
)
def test_a_copy_imports_the_installed_project(tool, tmp_path, line, copied):
    place = tmp_path / 'pack' / 'models'
    place.mkdir(parents=True)
    (place / 'a_test.py').write_text(f'import os\n{line}\n')
    tool.copy(place / 'a_test.py', tmp_path)
    assert (tmp_path / 'a_test.py').read_text() == f'import os\n{copied}\n'


@pytest.mark.parametrize(
    ('case', 'why'),
    [
        ('<testcase/>', ''),
        ('<testcase><failure message="dense_12 is 3&#10;more"/></testcase>', 'dense_N is N'),
        ('<testcase><error/></testcase>', 'no message'),
    ],
)
def test_a_reason_is_the_first_line_without_numbers(tool, case, why):
    assert tool.reason(xml.etree.ElementTree.fromstring(case)) == why
