"""Flag files as people and their editors write them."""

import pytest
import tfae_program

from tfae.commands.shared import flag_files
from tfae.core import errors

FLAGS = '# what it is\n\n  # indented\n\t// too\n  --units=8,4  \r\n--epochs=1\n'
WANTED = ['--units=8,4', '--epochs=1']


@pytest.mark.parametrize('encoding', ['utf-8', 'utf-8-sig', 'utf-16'])
@pytest.mark.parametrize('end', ['\n', '\r\n', '\r'])
def test_comments_may_be_indented_and_editors_may_mark_the_text(tmp_path, encoding, end):
    path = tmp_path / 'my.flags'
    path.write_bytes(FLAGS.replace('\r\n', '\n').replace('\n', end).encode(encoding))
    assert flag_files.expanded(['--a=1', f'--flagfile={path}', '-b']) == ['--a=1', *WANTED, '-b']
    assert flag_files.expanded(['-flagfile', str(path)]) == WANTED


def test_a_file_may_name_others_and_what_follows_two_dashes_is_no_flag(tmp_path):
    inner, outer = tmp_path / 'inner.flags', tmp_path / 'outer.flags'
    inner.write_text(FLAGS)
    outer.write_text(f'--a\n --flagfile={inner}\n--b\n')
    found = flag_files.expanded([f'--flagfile={outer}', f'--flagfile={inner}', '--flagfile='])
    assert found == ['--a', *WANTED, '--b', *WANTED]
    assert flag_files.expanded(['--', '--flagfile=x']) == ['--', '--flagfile=x']


def test_what_cannot_be_read_is_named(tmp_path):
    for name, content in (
        ('self', b'--flagfile=self'),
        ('wide', b'a' * 2**20 + b'b'),
        ('b', b'\xff'),
    ):
        (tmp_path / name).write_bytes(content.replace(b'self', str(tmp_path / 'self').encode()))
    for name, text in (
        ('gone', 'gone cannot be read: No such file or directory'),
        ('', ' cannot be read: it is not a regular file'),
        ('self', 'self includes itself'),
        ('wide', 'wide is larger than 1,048,576 bytes'),
        ('b', "b is not text: 'utf-8' codec can't decode byte 0xff"),
    ):
        with pytest.raises(errors.UsageError, match=text):
            flag_files.expanded([f'--flagfile={tmp_path / name}'])
    with pytest.raises(errors.UsageError, match='^--flagfile names no file$'):
        flag_files.expanded(['--flagfile'])


def test_a_run_is_trained_from_a_marked_file(tmp_path):
    (tmp_path / 'my.flags').write_bytes(f'{FLAGS} --logdir=run'.encode('utf-8-sig'))
    assert tfae_program.run('train', '--flagfile=my.flags', cwd=tmp_path).code == 0
    assert (tmp_path / 'run' / 'config.json').is_file()
