"""Variables are transferred by name from a checkpoint, a run or an .npz into another graph."""

import os
import signal
import tracemalloc

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from plain_checkpoints import BIAS, KERNEL, break_, declare, initialized, save, value

from tfae.core import errors
from tfae.runs import transfer, variable_files


@pytest.fixture
def session():
    with tf.Session() as opened:
        yield opened


@pytest.mark.parametrize('name', ['a.npz', 'a.safetensors', 'a.h5', 'model.ckpt'])
def test_values_come_from_every_format(tmp_path, session, name):
    variable_files.write(tmp_path / name, {KERNEL: value(6), BIAS: value(7)})
    variables = initialized(session, declare(KERNEL, BIAS))
    found = transfer.transfer(session, variables, str(tmp_path / name), [])
    assert found == ([KERNEL, BIAS], [], [])
    assert np.array_equal(session.run(variables), [value(6), value(7)])


def test_values_that_a_variable_cannot_take_are_left(tmp_path, session):
    np.savez(tmp_path / 'a.npz', **{KERNEL: value(6).astype(complex), BIAS: value(7)})
    variables = initialized(session, declare(KERNEL, BIAS))
    found = transfer.transfer(session, variables, str(tmp_path / 'a.npz'), [])
    assert found == ([BIAS], [KERNEL], [KERNEL])


@pytest.mark.parametrize('form', ['checkpoint', 'folder', 'npz'])
def test_values_come_from_a_checkpoint_a_run_or_an_npz(tmp_path, session, form):
    save(tmp_path, 5, 6)
    np.savez(tmp_path / 'arrays.npz', **{KERNEL: value(6), BIAS: value(7)})
    path = {'checkpoint': 'model-6', 'folder': '', 'npz': 'arrays.npz'}[form]
    variables = initialized(session, declare(KERNEL, BIAS))
    found = transfer.transfer(session, variables, str(tmp_path / path), [])
    assert found == ([KERNEL, BIAS], [], [])
    assert np.array_equal(session.run(variables), [value(6), value(7)])


def test_what_is_new_and_what_is_ignored_is_named_and_untouched(tmp_path, session):
    np.savez(
        tmp_path / 'arrays.npz', **{KERNEL: value(6), BIAS: np.zeros(4), 'beta1_power': np.ones([])}
    )
    variables = initialized(session, declare(KERNEL, BIAS, 'decoder/layer_1/kernel'))
    found = transfer.transfer(session, variables, str(tmp_path / 'arrays.npz'), [])
    assert found.loaded == [KERNEL]
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
    found = transfer.transfer(session, variables, str(tmp_path / 'arrays.npz'), scope_map)
    assert found == ([KERNEL], [], [])
    assert np.array_equal(session.run(variables[0]), value(3))


def test_a_scope_is_a_whole_word_of_a_name_and_the_first_pair_that_fits_decides(tmp_path, session):
    np.savez(tmp_path / 'arrays.npz', **{'net_2/kernel': value(1), 'net/kernel': value(2)})
    variables = initialized(session, declare('kernel', scope='encoder'))
    pairs = ['net:encoder', 'net:decoder']
    found = transfer.transfer(session, variables, str(tmp_path / 'arrays.npz'), pairs)
    assert found == (['encoder/kernel'], [], ['net_2/kernel'])
    assert np.array_equal(session.run(variables[0]), value(2))


def test_values_take_the_type_of_their_variable(tmp_path, session):
    np.savez(tmp_path / 'arrays.npz', **{KERNEL: np.arange(6).reshape(2, 3)})
    variables = initialized(session, declare(KERNEL))
    transfer.transfer(session, variables, str(tmp_path / 'arrays.npz'), [])
    got = session.run(variables[0])
    assert got.dtype == np.float32
    assert np.array_equal(got.ravel(), np.arange(6))


def test_without_a_session_it_only_looks(tmp_path):
    np.savez(tmp_path / 'arrays.npz', **{KERNEL: value(6)})
    found = transfer.transfer(None, declare(KERNEL, BIAS), str(tmp_path / 'arrays.npz'), [])
    assert found == ([KERNEL], [BIAS], [])


def test_a_malformed_pair_is_refused(tmp_path, session):
    with pytest.raises(errors.UsageError, match="--restore_map is 'encoder'; each pair must be"):
        transfer.transfer(session, [], str(tmp_path), ['encoder'])


def test_two_variables_that_get_one_name_are_refused(tmp_path, session):
    np.savez(
        tmp_path / 'a.npz', **{KERNEL: value(1), KERNEL.replace('encoder', 'decoder'): value(2)}
    )
    wanted = f'^--restore_map decoder:encoder: .* get the name {KERNEL}$'
    with pytest.raises(errors.InputError, match=wanted):
        transfer.transfer(session, declare(KERNEL), str(tmp_path / 'a.npz'), ['decoder:encoder'])


def test_a_file_that_fits_nothing_is_refused(tmp_path, session):
    np.savez(tmp_path / 'arrays.npz', w=value(1), b=value(2))
    wanted = r'arrays.npz has no variable .*; it holds b, w$'
    with pytest.raises(errors.InputError, match=wanted):
        transfer.transfer(session, declare(KERNEL), str(tmp_path / 'arrays.npz'), [])


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
        transfer.transfer(session, declare(KERNEL), str(tmp_path / name), [])
    assert '\n' not in str(error.value)


def test_an_npz_of_objects_is_refused(tmp_path, session):
    np.savez(tmp_path / 'arrays.npz', **{KERNEL: np.array([{}], object)})
    with pytest.raises(errors.InputError, match='arrays.npz cannot be read: '):
        transfer.transfer(session, declare(KERNEL), str(tmp_path / 'arrays.npz'), [])


def test_a_folder_is_read_wherever_its_checkpoint_file_was_written(tmp_path, session):
    folder = save(tmp_path / 'theirs', 5)
    for path in folder.glob('model-5.*'):
        path.rename(folder / path.name.replace('model-5', 'net.ckpt'))
    for written in ('net.ckpt', '/far/away/net.ckpt', '../../net.ckpt'):
        (folder / 'checkpoint').write_text(f'model_checkpoint_path: "{written}"\n')
        found = transfer.transfer(session, declare_once(), str(folder), [])
        assert found.loaded == [KERNEL]


def declare_once():
    with tf.variable_scope(tf.get_variable_scope(), reuse=tf.AUTO_REUSE):
        return declare(KERNEL)


def test_a_checkpoint_file_leads_to_no_other_folder(tmp_path, session, capfd):
    save(tmp_path / 'secret', 5)
    (tmp_path / 'folder').mkdir()
    (tmp_path / 'folder' / 'checkpoint').write_text('model_checkpoint_path: "../secret/model-5"')
    with pytest.raises(errors.InputError, match='folder is not a checkpoint, a run or .npz, '):
        transfer.transfer(session, declare(KERNEL), str(tmp_path / 'folder'), [])
    assert capfd.readouterr().err == ''


def test_of_an_npz_only_what_fits_is_read(tmp_path, session):
    np.savez_compressed(
        tmp_path / 'bomb.npz', **{KERNEL: value(1), BIAS: np.zeros(2**27, np.uint8)}
    )
    tracemalloc.start()
    found = transfer.transfer(None, declare(KERNEL, BIAS), str(tmp_path / 'bomb.npz'), [])
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
            transfer.transfer(None, [variable], str(source), [])
    finally:
        signal.alarm(0)
