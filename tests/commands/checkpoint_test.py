"""`tfae checkpoint`: every format holds every value bit for bit, whatever it was converted from."""

import subprocess
import sys
import zipfile

import h5py
import ml_dtypes
import numpy as np
import pytest
import tensorflow.compat.v1 as tf
import tfae_program

from tfae.core import errors
from tfae.runs import variable_files

RANDOM = np.random.RandomState(0)
VALUES = {
    'encoder/layer_1/kernel': RANDOM.normal(size=[3, 4]).astype(np.float32),
    'encoder/layer_1/bias': np.array([np.nan, np.inf, -0.0, 1e-45], np.float32),
    'encoder/wide': RANDOM.normal(size=[2, 1, 3]),
    'half': RANDOM.normal(size=[5]).astype(np.float16),
    'global_step': np.int64(2**60 + 1),
    'counts': np.array([[-128, 127]], np.int8),
    'pixels': np.array([0, 255], np.uint8),
    'mask': np.array([True, False]),
    'empty': np.zeros([0, 3], np.int32),
}
BRAIN = {'brain': RANDOM.normal(size=[7]).astype(ml_dtypes.bfloat16)}
FILES = ('model.ckpt', 'a.npz', 'a.safetensors', 'a.pth', 'a.h5')


def read(path):
    with variable_files.opened(str(path)) as held:
        return {name: held.read(name) for name in held.shapes}


def assert_equal(found, wanted):
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        got = np.asarray(found[name])
        assert (got.dtype, got.shape) == (value.dtype, np.shape(value)), name
        assert got.tobytes() == value.tobytes(), name


@pytest.fixture(scope='module')
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp('files')
    for name in FILES:
        values = VALUES if name.endswith(('.npz', '.h5')) else VALUES | BRAIN
        variable_files.write(folder / name, values)
    return folder


@pytest.mark.parametrize('name', FILES)
def test_a_file_holds_what_was_written(written, name):
    values = VALUES if name.endswith(('.npz', '.h5')) else VALUES | BRAIN
    assert_equal(read(written / name), values)


@pytest.mark.parametrize('second', FILES)
@pytest.mark.parametrize('first', FILES)
def test_a_round_trip_is_exact(written, tmp_path, first, second):
    if first == second:
        pytest.skip('the same format')
    held = {name: value for name, value in read(written / first).items() if name != 'brain'}
    variable_files.write(tmp_path / second, held)
    variable_files.write(tmp_path / f'back_{first}', read(tmp_path / second))
    assert_equal(read(tmp_path / f'back_{first}'), VALUES)


def test_other_libraries_read_the_files(written):
    torch = pytest.importorskip('torch')
    state = torch.load(written / 'a.pth', weights_only=True)
    assert np.array_equal(state['encoder/wide'].numpy(), VALUES['encoder/wide'])
    assert np.array_equal(state['brain'].float().numpy(), BRAIN['brain'].astype(np.float32))
    reader = tf.train.load_checkpoint(str(written / 'model.ckpt'))
    assert np.array_equal(reader.get_tensor('encoder/wide'), VALUES['encoder/wide'])
    with tf.variable_scope('encoder'):
        wide = tf.get_variable('wide', [2, 1, 3], tf.float64)
    with tf.Session() as session:
        tf.train.Saver([wide]).restore(session, str(written / 'model.ckpt'))
        assert np.array_equal(session.run(wide), VALUES['encoder/wide'])
    assert np.array_equal(np.load(written / 'a.npz')['half'], VALUES['half'])


KERAS = """
import numpy as np
import tensorflow as tf
keras = tf.keras
layers = [keras.layers.Input([3]), keras.layers.Dense(2, name='first'), keras.layers.Dense(1)]
model = keras.Sequential(layers)
model.save('whole.h5')
model.save('whole.keras')
model.save_weights('some.weights.h5')
weights = [w.numpy() for w in model.layers[0].weights]
model.load_weights('ours.h5', by_name=True)
np.savez('weights.npz', *weights, *[w.numpy() for w in model.layers[0].weights])
"""


def test_files_of_keras_in_all_layouts(tmp_path):
    ours = {'first/kernel': np.ones([3, 2], np.float32), 'first/bias': np.float32([2, 3])}
    variable_files.write(tmp_path / 'ours.h5', ours)
    environment = tfae_program.environment(tmp_path)
    subprocess.run([sys.executable, '-c', KERAS], cwd=tmp_path, env=environment, check=True)
    kernel, bias, loaded_kernel, loaded_bias = np.load(tmp_path / 'weights.npz').values()
    assert np.array_equal(loaded_kernel, ours['first/kernel'])
    assert np.array_equal(loaded_bias, ours['first/bias'])
    older = read(tmp_path / 'whole.h5')
    assert np.array_equal(older['sequential/first/kernel'], kernel)
    assert np.array_equal(older['sequential/first/bias'], bias)
    for name in ('whole.keras', 'some.weights.h5'):
        found = read(tmp_path / name)
        assert np.array_equal(found['layers/dense/vars/0'], kernel)
        assert np.array_equal(found['layers/dense/vars/1'], bias)


def test_attributes_that_keras_divides_are_read_whole(tmp_path):
    with h5py.File(tmp_path / 'a.h5', 'w') as file:
        file.attrs['layer_names0'], file.attrs['layer_names1'] = [b'a'], [b'b']
        for layer in 'ab':
            group = file.create_group(layer)
            group.attrs['weight_names'] = [f'{layer}/kernel:0'.encode()]
            group[f'{layer}/kernel:0'] = np.float32(ord(layer))
    assert read(tmp_path / 'a.h5') == {'a/kernel': 97, 'b/kernel': 98}


def test_a_link_to_another_file_is_refused(tmp_path):
    with h5py.File(tmp_path / 'a.h5', 'w') as file:
        file['a'] = h5py.ExternalLink('/etc/passwd', '/')
    with pytest.raises(errors.InputError, match='a is a link; it must be a tensor'):
        read(tmp_path / 'a.h5')


@pytest.mark.parametrize('name', ['a.npz', 'a.h5'])
def test_a_type_that_a_format_lacks_is_named(tmp_path, name):
    with pytest.raises(errors.InputError, match='brain is bfloat16, which .* cannot hold'):
        variable_files.write(tmp_path / name, BRAIN)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('name', [name for name in FILES if name != 'model.ckpt'] + ['a.keras'])
def test_damaged_files_are_refused_by_name(written, tmp_path, name):
    path = tmp_path / name
    for content in (b'', b'PK\x03\x04 and no more', (written / 'a.npz').read_bytes()[:-40]):
        path.write_bytes(content)
        with pytest.raises(errors.InputError, match=f'{name} cannot be read: '):
            read(path)


def bomb_npz(path):
    np.savez_compressed(path, a=np.zeros(2**24))


def bomb_hdf5(path):
    with h5py.File(path, 'w') as file:
        file.create_dataset('a', [2**36], np.float32)  # none of which is stored


def bomb_state_dict(path):
    torch = pytest.importorskip('torch')
    torch.save({'a': torch.zeros(1).expand(2**30)}, path)


@pytest.mark.parametrize(
    'name, write, text',
    [
        ('a.npz', bomb_npz, 'a would take more than 67,108,864 bytes of memory'),
        ('a.h5', bomb_hdf5, 'a would take more than 67,108,864 bytes of memory'),
        ('a.pth', bomb_state_dict, 'a would take more than 67,108,864 bytes of memory'),
    ],
)
def test_a_small_file_of_large_values_is_refused_before_they_are_read(tmp_path, name, write, text):
    write(tmp_path / name)
    assert (tmp_path / name).stat().st_size < 2**20
    with pytest.raises(errors.InputError, match=f'{name} cannot be read: {text}'):
        read(tmp_path / name)


def test_a_state_dict_of_more_values_than_stored_is_refused(tmp_path):
    torch = pytest.importorskip('torch')
    torch.save({'a': torch.zeros(1).expand(2**20)}, tmp_path / 'a.pth')
    with pytest.raises(errors.InputError, match='has more values than its storage, 1; it is dam'):
        read(tmp_path / 'a.pth')


@pytest.mark.parametrize('name', ['/a', 'a//b', 'a/./b', '../a', 'a:0', '__metadata__', 'a\0b', ''])
@pytest.mark.parametrize('file', FILES[1:])
def test_a_name_that_a_format_changes_is_refused(tmp_path, file, name):
    with pytest.raises(errors.InputError, match='cannot hold the name'):
        variable_files.write(tmp_path / file, {name: np.ones(1)})


@pytest.mark.parametrize(
    'file, dtype', [('a.pth', 'uint32'), ('a.pth', 'complex64'), ('a.safetensors', 'complex128')]
)
def test_types_that_would_not_come_back_are_refused(tmp_path, file, dtype):
    pytest.importorskip('torch')
    with pytest.raises(errors.InputError, match=f'a is {dtype}, which .* cannot hold'):
        variable_files.write(tmp_path / file, {'a': np.ones(2, dtype)})


def test_a_folder_may_have_the_suffix_of_a_file(tmp_path):
    (tmp_path / 'run.pt').mkdir()
    variable_files.write(tmp_path / 'run.pt' / 'model-3', VALUES)
    (tmp_path / 'run.pt' / 'checkpoint').write_text('model_checkpoint_path: "model-3"\n')
    assert_equal(read(tmp_path / 'run.pt'), VALUES)


def test_a_compressed_archive_of_keras_is_not_expanded(tmp_path):
    with zipfile.ZipFile(tmp_path / 'a.keras', 'w', zipfile.ZIP_DEFLATED) as archive:
        archive.writestr('model.weights.h5', bytes(10**7))
    with pytest.raises(errors.InputError, match='is compressed; it must be stored'):
        read(tmp_path / 'a.keras')


def ran(folder, *words):
    return tfae_program.run('checkpoint', *words, cwd=folder)


def test_a_run_is_shown_converted_renamed_and_compared(tmp_path):
    words = ('--dataset=synthetic', '--synthetic_shape=4x4x1', '--units=3,2', '--epochs=1')
    words += ('--optimizer=sgd',)
    assert tfae_program.run('train', *words, '--logdir=run', cwd=tmp_path).code == 0
    variables = tfae_program.checkpoint(tmp_path / 'run')

    done = ran(tmp_path, 'show', 'run', '--scope=encoder/layer_1/')
    rows = {line.split()[0]: line.split()[1:] for line in done.out.splitlines()[1:-1]}
    assert sorted(rows) == ['encoder/layer_1/bias', 'encoder/layer_1/kernel']
    kernel = variables['encoder/layer_1/kernel']
    assert rows['encoder/layer_1/kernel'][:2] == ['16x3', 'float32']
    assert float(rows['encoder/layer_1/kernel'][2]) == pytest.approx(kernel.mean(), rel=1e-3)
    assert done.out.splitlines()[-1] == '2 variables, 51 values'

    done = ran(tmp_path, 'convert', 'run', '--scope=encoder', '--output=encoder.safetensors')
    assert (done.code, done.err) == (0, ''), done
    held = {name: v for name, v in variables.items() if name.startswith('encoder/')}
    assert_equal(read(tmp_path / 'encoder.safetensors'), held)

    renaming = ('--map=encoder/layer_1:a,encoder:b', '--output=renamed')
    done = ran(tmp_path, 'rename', 'encoder.safetensors', *renaming)
    assert 'encoder/layer_1/kernel -> a/kernel' in done.out.splitlines()
    assert_equal(
        read(tmp_path / 'renamed'),
        {
            name.replace('encoder/layer_1', 'a').replace('encoder', 'b'): value
            for name, value in held.items()
        },
    )

    # A checkpoint may have TensorFlow's suffix, and be named by any of its files.
    assert ran(tmp_path, 'convert', 'renamed', '--output=model.ckpt').code == 0
    for name in ('model.ckpt.index', 'model.ckpt.data-00000-of-00001', 'model.ckpt'):
        done = ran(tmp_path, 'diff', 'renamed', name)
        assert done.out == '4 variables in both, 0 differences\n', done

    # A renamed file initializes another run.
    source = ('--restore_from=renamed', '--restore_map=a:encoder/layer_1,b:encoder')
    more = (*words, '--epochs=0', '--seed=9', *source, '--logdir=second')
    assert tfae_program.run('train', *more, cwd=tmp_path).code == 0
    done = ran(tmp_path, 'diff', 'run', 'second', '--scope=encoder')
    assert (done.code, done.out) == (0, '4 variables in both, 0 differences\n')


def test_differences_are_listed_and_exit_with_3(tmp_path):
    a = {'same': np.arange(3.0), 'values': np.arange(4.0), 'shape': np.ones(2), 'ours': np.ones(1)}
    b = a | {'values': np.array([0, 1.5, 2, 1]), 'shape': np.ones(3), 'theirs': np.ones(1)}
    del b['ours']
    np.savez(tmp_path / 'a.npz', **a)
    np.savez(tmp_path / 'b.npz', **b)
    done = ran(tmp_path, 'diff', 'a.npz', 'b.npz')
    assert done.code == 3
    assert done.out.splitlines() == [
        'only in a.npz: ours',
        'only in b.npz: theirs',
        'shape: float64 (2,); float64 (3,)',
        'values: 2 of 4 values differ, by at most 2',
        '3 variables in both, 4 differences',
    ]


@pytest.mark.parametrize(
    'ours, theirs, line',
    [
        ([np.inf, 1.0], [np.inf, 2.0], '1 of 2 values differ, by at most 1'),
        ([np.nan, 1.0], [np.nan, 1.0], None),
        ([np.nan, 1.0], [0.0, 1.0], '1 of 2 values differ, some not finite'),
        ([0.0, 1.0], [-0.0, 1.0], '1 of 2 values differ, by at most 0'),
        ([2**60], [2**60 + 1], '1 of 1 values differ, by at most 1'),
    ],
)
def test_values_are_compared_by_their_bits(tmp_path, ours, theirs, line):
    np.savez(tmp_path / 'a.npz', v=np.array(ours))
    np.savez(tmp_path / 'b.npz', v=np.array(theirs))
    done = ran(tmp_path, 'diff', 'a.npz', 'b.npz')
    assert (done.code, done.err) == (3 if line else 0, ''), done
    assert not line or done.out.splitlines()[0] == f'v: {line}'


def test_the_byte_order_of_a_file_is_no_difference(tmp_path):
    np.savez(tmp_path / 'a.npz', v=np.arange(3, dtype='>f4'))
    np.savez(tmp_path / 'b.npz', v=np.arange(3, dtype='<f4'))
    assert ran(tmp_path, 'diff', 'a.npz', 'b.npz').code == 0


@pytest.mark.parametrize(
    'words, code, text',
    [
        (
            'convert a.npz --output=b.NPZ',
            2,
            '--output is b.NPZ, whose suffix is not a known format; did',
        ),
        ('show none.pth', 1, 'none.pth cannot be read: none.pth: no such file; it must be a st'),
        ('show', 2, 'tfae checkpoint show takes 1 file; 0 given'),
        ('diff a.npz', 2, 'tfae checkpoint diff takes 2 files; 1 given'),
        ('shw a.npz', 2, "tfae checkpoint: action is 'shw'"),
        ('rename a.npz --output=b.npz', 2, '--map is empty; it must hold pairs'),
        ('convert a.npz', 2, '--output is empty; it must name the file to write'),
        ('show a.npz --output=b', 2, '--output needs rename or convert; this is show'),
        ('rename a.npz --map=a --output=b', 2, "--map is 'a'; each pair must be"),
        ('rename a.npz --map=a:b --output=b', 1, '--map a:b: a and b get the name b'),
        ('rename a.npz --map=a:c,z:d --output=b', 1, '--map z:d: a.npz has no variable to rename'),
        ('rename a.npz --map=:c,a:d --output=b', 1, '--map a:d: a.npz has no variable to rename'),
        ('convert a.npz --output=a.npz', 1, '--output a.npz already exists; choose another file'),
        ('show none', 1, 'none is not a checkpoint, a run or .npz, .safetensors'),
        ('show a.npz --scope=c', 1, 'a.npz has no numeric variable whose name starts with c'),
    ],
)
def test_mistakes_are_refused_in_one_line(tmp_path, words, code, text):
    np.savez(tmp_path / 'a.npz', a=np.ones(1), b=np.ones(1))
    before = tfae_program.contents(tmp_path)
    assert ran(tmp_path, *words.split()).refusal(code).startswith(text)
    assert tfae_program.contents(tmp_path) == before
