"""Checkpoints: the newest that can be read, and values carried into another graph by name."""

import os
import signal
import tracemalloc

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tfae.core import errors
from tfae.runs import checkpoints

KERNEL = 'encoder/layer_1/kernel'
BIAS = 'encoder/layer_1/bias'


def declare(*names, shape=(2, 3), scope=''):
    with tf.variable_scope(scope or tf.get_variable_scope()):
        return [
            tf.get_variable(name, shape, initializer=tf.zeros_initializer(), use_resource=True)
            for name in names
        ]


def value(i):
    return np.full([2, 3], float(i), np.float32)


def save(folder, *steps, names=(KERNEL, BIAS)):
    """Checkpoints of these steps, each variable full of its step plus its place."""
    folder.mkdir(exist_ok=True)
    with tf.Graph().as_default(), tf.Session() as session:
        variables = declare(*names)
        saver = tf.train.Saver(max_to_keep=None)
        for step in steps:
            for i, variable in enumerate(variables):
                variable.load(value(step + i), session)
            saver.save(session, str(folder / checkpoints.PREFIX), step, write_meta_graph=False)
    return folder


def saver():
    """Of the variables of the default graph."""
    return checkpoints.Saver(tf.global_variables())


@pytest.fixture
def session():
    with tf.Session() as opened:
        yield opened


def initialized(session, variables):
    session.run(tf.global_variables_initializer())
    return variables


def files(folder, step):
    return sorted(folder.glob(f'{checkpoints.PREFIX}-{step}.*'))


def break_(path, how):
    content = path.read_bytes()
    path.write_bytes({'cut': content[: len(content) // 2], 'empty': b'', 'noise': b'x' * 99}[how])


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
    assert checkpoints.restore_newest(saver(), session, moved, print) == 5
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
    assert checkpoints.restore_newest(saver(), session, tmp_path, said.append) == 5
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
            checkpoints.restore_newest(saver(), session, folder, print)
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
                'b is float32 [2, 4] in the checkpoint and float32 [2, 3] by config.json',
            ),
            (
                {'a': wide, 'b': wide},
                'a is float32 [2, 4] in the checkpoint and float32 [2, 3] by config.json '
                '(1 more differ)',
            ),
            (
                {'a': whole, 'b': whole.astype(float)},
                'b is float64 [2, 3] in the checkpoint and float32 [2, 3] by config.json',
            ),
            ({'a': whole}, 'b is lacking in the checkpoint and float32 [2, 3] by config.json'),
            (
                {'a': whole, 'b': whole, 'c': whole},
                'c is float32 [2, 3] in the checkpoint and unknown by config.json',
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
    assert checkpoints.restore_newest(made, session, folder, print) == 10
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
    assert checkpoints.restore_newest(made, session, tmp_path, said.append) == 8
    assert not said
    assert np.array_equal(session.run(variables), [value(8), value(9)])


def test_no_checkpoint_is_none_and_only_broken_ones_are_refused(tmp_path, session):
    declare(KERNEL, BIAS)
    made = saver()
    assert checkpoints.restore_newest(made, session, tmp_path, print) is None
    save(tmp_path, 5, 6)
    for path in tmp_path.glob('model-*.index'):
        break_(path, 'cut')
    with pytest.raises(errors.InputError, match='none of the 2 checkpoints in .* can be read'):
        checkpoints.restore_newest(made, session, tmp_path, lambda text: None)


def test_a_reason_is_one_line():
    assert checkpoints.reason(ValueError('first\nsecond')) == 'first'
    assert checkpoints.reason(ValueError('')) == 'ValueError'
    assert len(checkpoints.reason(ValueError('x' * 999))) == 200
    assert checkpoints.reason(tf.errors.NotFoundError(None, None, 'no file\nat all')) == 'no file'


@pytest.mark.parametrize('form', ['checkpoint', 'folder', 'npz'])
def test_values_come_from_a_checkpoint_a_run_or_an_npz(tmp_path, session, form):
    save(tmp_path, 5, 6)
    np.savez(tmp_path / 'arrays.npz', **{KERNEL: value(6), BIAS: value(7)})
    path = {'checkpoint': 'model-6', 'folder': '', 'npz': 'arrays.npz'}[form]
    variables = initialized(session, declare(KERNEL, BIAS))
    found = checkpoints.transfer(session, variables, str(tmp_path / path), [])
    assert found == ([KERNEL, BIAS], [], [])
    assert np.array_equal(session.run(variables), [value(6), value(7)])


def test_what_is_new_and_what_is_ignored_is_named_and_untouched(tmp_path, session):
    np.savez(
        tmp_path / 'arrays.npz', **{KERNEL: value(6), BIAS: np.zeros(4), 'beta1_power': np.ones([])}
    )
    variables = initialized(session, declare(KERNEL, BIAS, 'decoder/layer_1/kernel'))
    found = checkpoints.transfer(session, variables, str(tmp_path / 'arrays.npz'), [])
    assert found.restored == [KERNEL]
    assert found.new == [BIAS, 'decoder/layer_1/kernel']
    assert found.ignored == ['beta1_power', BIAS]
    assert not np.any(session.run(variables[1:]))


@pytest.mark.parametrize(
    'scope_map, old',
    [
        (['net:encoder'], 'net/layer_1/kernel'),
        (['net/deep:encoder'], 'net/deep/layer_1/kernel'),
        ([':encoder'], 'layer_1/kernel'),
        (['ae:'], f'ae/{KERNEL}'),
        (['ae/:/'], f'ae/{KERNEL}'),
        (['other:decoder', 'net:encoder'], 'net/layer_1/kernel'),
        (['w:encoder/layer_1/kernel'], 'w'),
    ],
)
def test_scopes_are_renamed(tmp_path, session, scope_map, old):
    np.savez(tmp_path / 'arrays.npz', **{old: value(3)})
    variables = initialized(session, declare(KERNEL))
    found = checkpoints.transfer(session, variables, str(tmp_path / 'arrays.npz'), scope_map)
    assert found == ([KERNEL], [], [])
    assert np.array_equal(session.run(variables[0]), value(3))


def test_a_scope_is_a_whole_word_of_a_name_and_the_first_pair_that_fits_decides(tmp_path, session):
    np.savez(tmp_path / 'arrays.npz', **{'net_2/kernel': value(1), 'net/kernel': value(2)})
    variables = initialized(session, declare('kernel', scope='encoder'))
    pairs = ['net:encoder', 'net:decoder']
    found = checkpoints.transfer(session, variables, str(tmp_path / 'arrays.npz'), pairs)
    assert found == (['encoder/kernel'], [], ['net_2/kernel'])
    assert np.array_equal(session.run(variables[0]), value(2))


def test_values_take_the_type_of_their_variable(tmp_path, session):
    np.savez(tmp_path / 'arrays.npz', **{KERNEL: np.arange(6).reshape(2, 3)})
    variables = initialized(session, declare(KERNEL))
    checkpoints.transfer(session, variables, str(tmp_path / 'arrays.npz'), [])
    got = session.run(variables[0])
    assert got.dtype == np.float32
    assert np.array_equal(got.ravel(), np.arange(6))


def test_without_a_session_it_only_looks(tmp_path):
    np.savez(tmp_path / 'arrays.npz', **{KERNEL: value(6)})
    found = checkpoints.transfer(None, declare(KERNEL, BIAS), str(tmp_path / 'arrays.npz'), [])
    assert found == ([KERNEL], [BIAS], [])


def test_a_malformed_pair_is_refused(tmp_path, session):
    with pytest.raises(errors.UsageError, match="--restore_map is 'encoder'; each pair must be"):
        checkpoints.transfer(session, [], str(tmp_path), ['encoder'])


def test_a_file_that_fits_nothing_is_refused(tmp_path, session):
    np.savez(tmp_path / 'arrays.npz', w=value(1), b=value(2))
    wanted = r'arrays.npz has no variable .*; it holds b, w$'
    with pytest.raises(errors.InputError, match=wanted):
        checkpoints.transfer(session, declare(KERNEL), str(tmp_path / 'arrays.npz'), [])


@pytest.mark.parametrize(
    'name', ['nowhere', 'nowhere.npz', 'text', 'text.npz', 'folder', 'cut.npz']
)
def test_what_cannot_be_read_is_refused_by_name(tmp_path, session, name):
    np.savez(tmp_path / 'cut.npz', **{KERNEL: np.zeros([200, 300])})
    break_(tmp_path / 'cut.npz', 'cut')
    (tmp_path / 'folder').mkdir()
    for text in ('text', 'text.npz'):
        (tmp_path / text).write_text('no checkpoint')
    with pytest.raises(errors.InputError, match=f'^--restore_from .*{name} ') as error:
        checkpoints.transfer(session, declare(KERNEL), str(tmp_path / name), [])
    assert '\n' not in str(error.value)


def test_an_npz_of_objects_is_refused(tmp_path, session):
    np.savez(tmp_path / 'arrays.npz', **{KERNEL: np.array([{}], object)})
    with pytest.raises(errors.InputError, match='arrays.npz cannot be read: '):
        checkpoints.transfer(session, declare(KERNEL), str(tmp_path / 'arrays.npz'), [])


def test_a_folder_is_read_wherever_its_checkpoint_file_was_written(tmp_path, session):
    folder = save(tmp_path / 'theirs', 5)
    for path in folder.glob('model-5.*'):
        path.rename(folder / path.name.replace('model-5', 'net.ckpt'))
    for written in ('net.ckpt', '/far/away/net.ckpt', '../../net.ckpt'):
        (folder / 'checkpoint').write_text(f'model_checkpoint_path: "{written}"\n')
        found = checkpoints.transfer(session, declare_once(), str(folder), [])
        assert found.restored == [KERNEL]


def declare_once():
    with tf.variable_scope(tf.get_variable_scope(), reuse=tf.AUTO_REUSE):
        return declare(KERNEL)


def test_a_checkpoint_file_leads_to_no_other_folder(tmp_path, session, capfd):
    save(tmp_path / 'secret', 5)
    (tmp_path / 'folder').mkdir()
    (tmp_path / 'folder' / 'checkpoint').write_text('model_checkpoint_path: "../secret/model-5"')
    with pytest.raises(errors.InputError, match='folder is no checkpoint, run or .npz: '):
        checkpoints.transfer(session, declare(KERNEL), str(tmp_path / 'folder'), [])
    assert capfd.readouterr().err == ''


def test_of_an_npz_only_what_fits_is_read(tmp_path, session):
    np.savez_compressed(
        tmp_path / 'bomb.npz', **{KERNEL: value(1), BIAS: np.zeros(2**27, np.uint8)}
    )
    tracemalloc.start()
    found = checkpoints.transfer(None, declare(KERNEL, BIAS), str(tmp_path / 'bomb.npz'), [])
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == ([KERNEL], [BIAS], [BIAS])
    assert most < 2**24


@pytest.mark.parametrize('name', ['checkpoint', 'model-3.index', 'a.npz'])
def test_a_fifo_in_the_place_of_a_file_is_refused_and_not_waited_for(tmp_path, name):
    os.mkfifo(tmp_path / name)
    source = tmp_path / name if name.endswith('.npz') else tmp_path
    with tf.Graph().as_default():
        variable = tf.get_variable('a', [2])
    signal.alarm(20)  # ends the tests, should it wait
    try:
        with pytest.raises(errors.InputError, match='not a regular file'):
            checkpoints.transfer(None, [variable], str(source), [])
    finally:
        signal.alarm(0)


def test_the_only_checkpoint_of_a_folder_is_listed_and_then_left_alone(tmp_path):
    for name in ('model-3.index', 'model-3.data-00000-of-00001'):
        (tmp_path / name).write_bytes(b'')
    checkpoints.keep_only(tmp_path, 3)
    listed = tmp_path / 'checkpoint'
    assert 'model_checkpoint_path: "model-3"' in listed.read_text()
    before = listed.stat()
    checkpoints.keep_only(tmp_path, 3)
    assert (listed.stat().st_ino, listed.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
