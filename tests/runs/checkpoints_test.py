"""Checkpoints: written whole, listed, and the newest that can be read is loaded."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from plain_checkpoints import BIAS, KERNEL, break_, declare, initialized, save, value

from tfae.core import errors
from tfae.runs import checkpoints


def saver():
    """Of the variables of the default graph."""
    return checkpoints.Saver(tf.global_variables())


@pytest.fixture
def session():
    with tf.Session() as opened:
        yield opened


def files(folder, step):
    return sorted(folder.glob(f'{checkpoints.PREFIX}-{step}.*'))


def test_checkpoints_are_found_by_their_steps_newest_first(tmp_path):
    save(tmp_path, 9, 100, 20)
    for name in ('x', '007', '\u0663', '9' * 30, '-1'):
        (tmp_path / f'model-{name}.index').touch()
    (tmp_path / 'other-300.index').touch()
    found = checkpoints.newest_first(tmp_path)
    assert found == [(s, str(tmp_path / f'model-{s}')) for s in (100, 20, 9)]
    assert checkpoints.newest_first(tmp_path / 'nowhere') == []


def test_a_folder_that_was_moved_restores(tmp_path, session):
    moved = save(tmp_path / 'old', 5).rename(tmp_path / 'new')
    variables = declare(KERNEL, BIAS)
    assert checkpoints.load_newest(saver(), session, moved, print) == 5
    assert np.array_equal(session.run(variables), [value(5), value(6)])


@pytest.mark.parametrize('how', ['cut', 'empty', 'noise', 'gone'])
@pytest.mark.parametrize('which', ['index', 'data'])
def test_a_broken_checkpoint_is_passed_over_and_named(tmp_path, session, how, which):
    save(tmp_path, 5, 6)
    path = next(p for p in files(tmp_path, 6) if which in p.name)
    if how == 'gone':
        path.unlink()
    else:
        break_(path, how)
    variables = declare(KERNEL, BIAS)
    said = []
    assert checkpoints.load_newest(saver(), session, tmp_path, said.append) == 5
    assert np.array_equal(session.run(variables), [value(5), value(6)])
    if (how, which) == ('gone', 'index'):
        assert not said
    else:
        assert len(said) == 1
        assert 'model-6 cannot be read (' in said[0]
        assert '\n' not in said[0]


def differing(tmp_path, variables, **held):
    """The refusal of a checkpoint that holds these arrays by a graph of these variables."""
    folder = tmp_path / 'run'
    folder.mkdir()
    with tf.Graph().as_default(), tf.Session() as session:
        made = [
            tf.get_variable(name.replace('_', '/'), initializer=value, use_resource=True)
            for name, value in held.items()
        ]
        session.run(tf.global_variables_initializer())
        checkpoints.write(checkpoints.Saver(made), session, folder, 5, 1, [])
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        before = session.run(variables)
        with pytest.raises(errors.InputError) as error:
            checkpoints.load_newest(saver(), session, folder, print)
        for one, other in zip(before, session.run(variables), strict=True):
            assert np.array_equal(one, other)
    begins = f'checkpoint {folder}/model-5 does not fit {folder}/config.json: variable '
    assert str(error.value).startswith(begins)
    return str(error.value).removeprefix(begins).partition(';')[0]


def test_a_checkpoint_of_another_model_is_refused_and_changes_nothing(tmp_path):
    variables = declare('a', 'b')
    whole, wide = np.zeros([2, 3], np.float32), np.zeros([2, 4], np.float32)
    for i, (held, wanted) in enumerate(
        [
            (
                {'a': whole, 'b': wide},
                'b is float32 [2, 4] in the checkpoint and float32 [2, 3] in config.json',
            ),
            (
                {'a': wide, 'b': wide},
                'a is float32 [2, 4] in the checkpoint and float32 [2, 3] in config.json '
                '(1 more differ)',
            ),
            (
                {'a': whole, 'b': whole.astype(float)},
                'b is float64 [2, 3] in the checkpoint and float32 [2, 3] in config.json',
            ),
            ({'a': whole}, 'b is missing in the checkpoint and float32 [2, 3] in config.json'),
            (
                {'a': whole, 'b': whole, 'c': whole},
                'c is float32 [2, 3] in the checkpoint and unknown in config.json',
            ),
        ]
    ):
        (tmp_path / str(i)).mkdir()
        assert differing(tmp_path / str(i), variables, **held) == wanted


@pytest.mark.parametrize('name', ['a[1]', 'a*', 'a?', 'a\\b', 'a\udcff', "a 'b' é"])
def test_a_folder_of_any_name_keeps_the_newest_few(tmp_path, session, name):
    folder = tmp_path / name
    variables, made = declare(KERNEL, BIAS), None
    made = saver()
    for step in (7, 8, 9, 10):
        for variable in variables:
            variable.load(value(step), session)
        checkpoints.write(made, session, folder, step, 2, [])
    assert [step for step, _ in checkpoints.newest_first(folder)] == [10, 9]
    assert sorted(path.name for path in folder.iterdir()) == [
        'checkpoint',
        *(f'model-{k}.{part}' for k in (10, 9) for part in ('data-00000-of-00001', 'index')),
    ]
    session.run(tf.global_variables_initializer())
    assert checkpoints.load_newest(made, session, folder, print) == 10
    assert np.array_equal(session.run(variables), [value(10), value(10)])


def test_tensorflow_reads_what_is_written(tmp_path, session):
    variables, made = declare(KERNEL, BIAS), saver()
    for step in (3, 4):
        for variable in variables:
            variable.load(value(step), session)
        checkpoints.write(made, session, tmp_path, step, 5, None)
    session.run(tf.global_variables_initializer())
    found = tf.train.latest_checkpoint(str(tmp_path))
    assert found == str(tmp_path / 'model-4')
    tf.train.Saver().restore(session, found)
    assert np.array_equal(session.run(variables), [value(4), value(4)])


def test_what_a_killed_program_left_is_removed(tmp_path):
    save(tmp_path, 5, 6)
    (tmp_path / 'model-6.index').unlink()
    for name in ('model-5.index.tempstate123', 'model-7.data-00000-of-00001.tempstate9'):
        (tmp_path / name).touch()
    (tmp_path / 'model-7.txt').touch()  # not of a checkpoint
    checkpoints.sweep(tmp_path)
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == ['checkpoint', 'model-5.data-00000-of-00001', 'model-5.index', 'model-7.txt']


def test_a_checkpoint_that_is_replaced_meanwhile_is_looked_for_again(
    tmp_path, session, monkeypatch
):
    variables, made = initialized(session, declare(KERNEL, BIAS)), saver()
    save(tmp_path, 5)
    read, replaced = checkpoints.Saver.restore, []

    def restore(self, session, place):
        if len(replaced) < 3:  # just before it is read
            step = 6 + len(replaced)
            save(tmp_path, step)
            checkpoints.tidy(tmp_path, step, 1)
            replaced.append(step)
        read(self, session, place)

    monkeypatch.setattr(checkpoints.Saver, 'restore', restore)
    said = []
    assert checkpoints.load_newest(made, session, tmp_path, said.append) == 8
    assert not said
    assert np.array_equal(session.run(variables), [value(8), value(9)])


def test_no_checkpoint_is_none_and_only_broken_ones_are_refused(tmp_path, session):
    declare(KERNEL, BIAS)
    made = saver()
    assert checkpoints.load_newest(made, session, tmp_path, print) is None
    save(tmp_path, 5, 6)
    for path in tmp_path.glob('model-*.index'):
        break_(path, 'cut')
    with pytest.raises(errors.InputError, match='none of the 2 checkpoints in .* can be read'):
        checkpoints.load_newest(made, session, tmp_path, lambda text: None)


def test_a_reason_is_one_line():
    assert checkpoints.reason(ValueError('first\nsecond')) == 'first'
    assert checkpoints.reason(ValueError('')) == 'ValueError'
    assert len(checkpoints.reason(ValueError('x' * 999))) == 200
    assert checkpoints.reason(tf.errors.NotFoundError(None, None, 'no file\nat all')) == 'no file'


def test_the_only_checkpoint_of_a_folder_is_listed_and_then_left_alone(tmp_path):
    for name in ('model-3.index', 'model-3.data-00000-of-00001'):
        (tmp_path / name).write_bytes(b'')
    checkpoints.keep_only(tmp_path, 3)
    listed = tmp_path / 'checkpoint'
    assert 'model_checkpoint_path: "model-3"' in listed.read_text()
    before = listed.stat()
    checkpoints.keep_only(tmp_path, 3)
    assert (listed.stat().st_ino, listed.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
