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


def test_files_of_one_name_are_refused(tool, tmp_path):
    for name in ('a', 'b'):
        (tmp_path / name).mkdir()
        (tmp_path / name / 'a_test.py').write_text('')
    with pytest.raises(SystemExit, match='another file is called a_test.py; run each of them'):
        tool.run([tmp_path / 'a', tmp_path / 'b'], original=False)


def test_a_process_that_dies_is_reported(tool, tmp_path):
    (tmp_path / 'a_test.py').write_text('import os\n\nos._exit(7)\n')
    with pytest.raises(SystemExit, match='pytest wrote no report; its exit code is 7'):
        tool.run([tmp_path / 'a_test.py'], original=True)


@pytest.mark.parametrize(
    'case', ['<testcase classname="a_test.ATest" name="test_1"/>', '<testcase name="a_test"/>']
)
def test_the_file_of_a_case_is_named(tool, case):
    assert tool.file_of(xml.etree.ElementTree.fromstring(case)) == 'a_test'


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
