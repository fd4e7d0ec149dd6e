"""Weights of others: each layout gives the same values, and hostile files do nothing."""

import io
import os
import pathlib
import pickle
import struct
import tarfile
import tracemalloc
import zipfile

import h5py
import numpy as np
import pytest

from tfae.core import errors
from tfae.pretrained import weights
from tfae.pretrained.weights import Parameters

LAYERS = (
    Parameters('conv1', (3, 3, 2, 4), None, 'features.0', 'block1_conv1'),
    Parameters('fc6', (2 * 3 * 4, 5), (2, 3, 4), 'classifier.0', 'fc1'),
    Parameters('fc7', (5, 3), None, 'classifier.3', 'predictions'),
)
MEGABYTES = 2**20


def ours():
    """Name of a variable -> its values."""
    random = np.random.RandomState(0)
    shapes = [(f'{p.name}/{part}', shape) for p in LAYERS for part, shape in
              (('kernel', p.kernel), ('bias', p.kernel[-1:]))]  # fmt: skip
    return {name: random.normal(size=shape).astype(np.float32) for name, shape in shapes}


def of_torch():
    """The same as PyTorch has them: outputs first, a dense layer's inputs by channel first."""
    values = ours()
    kernels = [
        values['conv1/kernel'].transpose(3, 2, 0, 1),
        values['fc6/kernel'].reshape(2, 3, 4, 5).transpose(3, 2, 0, 1).reshape(5, -1),
        values['fc7/kernel'].T,
    ]
    found = {}
    for layer, kernel in zip(LAYERS, kernels, strict=True):
        found[f'{layer.torchvision}.weight'] = kernel
        found[f'{layer.torchvision}.bias'] = values[f'{layer.name}/bias']
    return found


def save_npz(path, **changes):
    np.savez(path, **{**ours(), **changes})


def save_npz_of_the_field(path):
    values = {k.replace('/kernel', '_W').replace('/bias', '_b'): v for k, v in ours().items()}
    np.savez_compressed(path, **values)


def save_lists(path):
    values = ours()
    lists = {p.name: [values[f'{p.name}/kernel'], values[f'{p.name}/bias']] for p in LAYERS}
    np.save(path, lists, allow_pickle=True)


def save_lists_of_python_2(path):
    values = ours()
    lists = {
        p.name: {
            'weights': np.asfortranarray(values[f'{p.name}/kernel'].astype('>f8')),
            'biases': values[f'{p.name}/bias'],
        }
        for p in LAYERS
    }
    with path.open('wb') as file:
        np.lib.format.write_array_header_1_0(
            file, {'descr': '|O', 'fortran_order': False, 'shape': ()}
        )
        pickle.dump(np.array(lists, object), file, protocol=2)


def save_keras(path, root='', vars=False, dtype='f4'):
    values, counts = ours(), {}
    with h5py.File(path, 'w') as file:
        for layer in LAYERS:
            kind = 'conv2d' if len(layer.kernel) == 4 else 'dense'
            count = counts[kind] = counts.get(kind, -1) + 1
            place = f'layers/{kind}{f"_{count}" if count else ""}/vars' if vars else layer.keras
            names = ('0', '1') if vars else (f'{layer.keras}_W_1:0', f'{layer.keras}_b_1:0')
            group = file.create_group(f'{root}{place}')
            for name, part in zip(names, ('kernel', 'bias'), strict=True):
                group[name] = values[f'{layer.name}/{part}'].astype(dtype)


def state_dict():
    torch = pytest.importorskip('torch', reason="PyTorch is not installed: pip install '.[peers]'")
    return {name: torch.tensor(np.ascontiguousarray(v)) for name, v in of_torch().items()}


def save_pth(path):
    import torch

    torch.save(state_dict(), path)


def save_legacy(path):
    import torch

    torch.save(state_dict(), path, _use_new_zipfile_serialization=False)


def save_views(path):
    """Of other types; two tensors share a storage, one lies across it."""
    import torch

    state = state_dict()
    both = torch.cat([torch.zeros(3), state['classifier.0.bias'], state['classifier.3.bias']])
    state['classifier.0.bias'], state['classifier.3.bias'] = both[3:8], both[8:]
    state['classifier.3.weight'] = state['classifier.3.weight'].T.contiguous().T
    state['features.0.weight'] = torch.nn.Parameter(state['features.0.weight'].double())
    torch.save(state, path)


WRITERS = {
    'a.npz': (save_npz, None),
    'b.npz': (save_npz_of_the_field, 'rgb'),
    'a.npy': (save_lists, 'bgr'),
    'b.npy': (save_lists_of_python_2, 'bgr'),
    'a.h5': (save_keras, 'bgr'),
    'b.h5': (lambda path: save_keras(path, 'model_weights/'), 'bgr'),
    'd.h5': (lambda path: save_keras(path, dtype='>f4'), 'bgr'),
    'c.weights.h5': (lambda path: save_keras(path, vars=True), 'bgr'),
    'a.pth': (save_pth, 'torchvision'),
    'b.pth': (save_legacy, 'torchvision'),
    'c.pth': (save_views, 'torchvision'),
}


def written(folder, name):
    if name.endswith('pth'):
        state_dict()  # skips where there is no PyTorch
    WRITERS[name][0](folder / name)
    return folder / name


def read(path):
    return dict(weights.open_weights(str(path), 'tiny', LAYERS))


def refused(path, want='.'):
    """The one line that names the file."""
    with pytest.raises(errors.InputError, match=want) as found:
        read(path)
    assert str(path) in str(found.value)
    return str(found.value)


@pytest.mark.parametrize('name', WRITERS)
def test_every_layout_gives_the_same_values(tmp_path, name):
    path = written(tmp_path, name)
    assert weights.open_weights(str(path), 'tiny', LAYERS).preprocessing == WRITERS[name][1]
    found = read(path)
    assert list(found) == list(ours())
    for variable, values in ours().items():
        assert found[variable].dtype == np.float32
        np.testing.assert_array_equal(found[variable], values, variable)


def test_what_a_file_is_shows_in_its_bytes(tmp_path):
    for name in ('a.npz', 'a.npy', 'a.h5'):
        assert read(written(tmp_path, name).rename(tmp_path / 'weights')).keys() == ours().keys()


@pytest.mark.parametrize('kind', ['HalfStorage', 'BFloat16Storage'])
def test_short_floats_are_widened(tmp_path, kind):
    import torch

    dtype = {'HalfStorage': torch.float16, 'BFloat16Storage': torch.bfloat16}[kind]
    state = {name: tensor.to(dtype) for name, tensor in state_dict().items()}
    torch.save(state, tmp_path / 'a.pth')
    found = read(tmp_path / 'a.pth')['fc7/kernel']
    np.testing.assert_array_equal(found, state['classifier.3.weight'].float().numpy().T)


# Files that are not what the network wants.


def test_names_that_are_missing_or_superfluous_are_listed(tmp_path):
    values = ours()
    values['fc9/bias'] = values.pop('fc7/bias')
    np.savez(tmp_path / 'a.npz', **values)
    refused(tmp_path / 'a.npz', r'weights of tiny: missing fc7/bias; unexpected .*fc9/bias$')
    np.savez(tmp_path / 'a.npz', x=np.zeros(1))
    refused(tmp_path / 'a.npz', r'missing conv1/kernel, .*, fc6/bias and 2 more; unexpected .*x$')


def test_wrong_shapes_are_named(tmp_path):
    save_npz(tmp_path / 'a.npz', **{'fc7/kernel': ours()['fc7/kernel'].T})
    refused(tmp_path / 'a.npz', r'fc7/kernel is \(3, 5\); in tiny it must be \(5, 3\)$')


@pytest.mark.parametrize('number', [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_counted(tmp_path, number):
    save_npz(tmp_path / 'a.npz', **{'fc6/bias': np.array([1, number, 2, 3, number])})
    refused(tmp_path / 'a.npz', 'fc6/bias: 2 of 5 values are not finite')


@pytest.mark.parametrize('dtype', ['int32', 'complex64', 'U4', 'bool'])
def test_arrays_that_hold_no_floats_are_refused(tmp_path, dtype):
    save_npz(tmp_path / 'a.npz', **{'fc7/bias': np.zeros(3, dtype)})
    refused(tmp_path / 'a.npz', 'fc7/bias: holds .*; weights must be floats')


def test_files_of_no_known_format_are_refused(tmp_path):
    for content in (b'', b'text', b'\x80\x04N.', b'PK', b'\x93NUMPY', b'\x89HDF\r\n\x1a\n'):
        (tmp_path / 'a').write_bytes(content)
        refused(tmp_path / 'a')
    with tarfile.open(tmp_path / 'a', 'w') as archive:
        archive.addfile(tarfile.TarInfo('tensors'))
    refused(tmp_path / 'a', 'tar archive of PyTorch before 0.1.10')
    refused(tmp_path / 'none', 'no such file; it must be a .pth of PyTorch, an .h5')
    refused(tmp_path, 'no such file')


# Files that are cut, or damaged, or made to do harm.


@pytest.mark.parametrize('name', WRITERS)
def test_a_file_that_is_cut_is_refused(tmp_path, name):
    path = written(tmp_path, name)
    whole = path.read_bytes()
    for length in {*np.linspace(0, len(whole) - 1, 15).astype(int).tolist(), len(whole) - 2}:
        path.write_bytes(whole[:length])
        assert '\n' not in refused(path)


@pytest.mark.filterwarnings('ignore:invalid escape sequence')  # pickletools, of such bytes
@pytest.mark.parametrize('name', [name for name in WRITERS if not name.endswith('h5')])
def test_damaged_bytes_end_in_a_refusal_or_in_values_of_the_right_shape(tmp_path, name):
    path = written(tmp_path, name)
    whole, random = path.read_bytes(), np.random.RandomState(0)
    refusals = 0
    for _ in range(150):
        content = bytearray(whole)
        for place in random.randint(0, len(whole), random.randint(1, 4)):
            content[place] = random.randint(256)
        path.write_bytes(content)
        try:
            found = read(path)
        except errors.InputError as error:
            assert str(path) in str(error)
            refusals += 1
        else:
            assert {k: v.shape for k, v in found.items()} == {k: v.shape for k, v in ours().items()}
    assert refusals > 10


class Harm:
    """What, unpickled, runs a program that makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f'touch {self.path}',)


@pytest.fixture
def harm(tmp_path):
    """A `Harm`, which works; after the test it must not have been done."""
    marker = tmp_path / 'harm'
    pickle.loads(pickle.dumps(Harm(marker), protocol=2))
    assert marker.exists()
    marker.unlink()
    yield Harm(marker)
    assert not marker.exists()


def archive(path, pickled, root='archive'):
    """A zip as torch.save writes it, of this data.pkl."""
    with zipfile.ZipFile(path, 'w') as file:
        file.writestr(f'{root}/data.pkl', pickled)
        file.writestr(f'{root}/data/0', b'\0' * 64)
    return path


@pytest.mark.parametrize('protocol', [0, 1, 2, 3, 4, 5])
def test_a_pickle_that_would_run_a_program_runs_none(tmp_path, harm, protocol):
    for stated in (harm, {'features.0.weight': harm}, [harm]):
        pickled = pickle.dumps(stated, protocol)
        assert '\n' not in refused(archive(tmp_path / 'a.pth', pickled))
        (tmp_path / 'b.pth').write_bytes(weights.pytorch.MAGIC + pickled * 4)
        refused(tmp_path / 'b.pth')
        (tmp_path / 'c.pth').write_bytes(pickled)
        refused(tmp_path / 'c.pth', 'unknown format')


@pytest.mark.parametrize('where', ['dict', 'layer', 'part', 'bytes'])
def test_an_array_of_objects_runs_none(tmp_path, harm, where):
    lists = {p.name: [np.zeros(3, np.float32)] * 2 for p in LAYERS}
    stated = {
        'dict': harm,
        'layer': {**lists, 'fc6': harm},
        'part': {**lists, 'fc6': [harm, harm]},
        'bytes': {**lists, 'fc6': [np.array([harm], object), np.zeros(5)]},
    }[where]
    np.save(tmp_path / 'a.npy', np.array(stated, object), allow_pickle=True)
    assert '\n' not in refused(tmp_path / 'a.npy')


def test_objects_in_an_npz_are_refused_unread(tmp_path, harm):
    objects = np.empty(3, object)
    objects[:] = harm
    save_npz(tmp_path / 'a.npz', **{'fc7/bias': objects})
    refused(tmp_path / 'a.npz', 'fc7/bias: holds object; weights must be floats')


# Stated with the instructions of pickle: what a reader would trip over.
TRICKS = {
    'a call of a list': b'])R.',
    'a call with a number': b'cos\nsystem\nK\x01R.',
    'a call of a call': b'cos\nsystem\n)R)R.',
    'a name made of lists': b']]\x93.',
    'bytes of nothing': b'c_codecs\nencode\n)R.',
    'a key that is a list': b'}]K\x01s.',
    # 2^200 ways through it, all of which a hash would go.
    'a key that holds itself': b'})' + b'q\x00h\x00\x86' * 200 + b'K\x01s.',
    'an import': b'cos\nsystem\n.',
    'an object': b'(ios\nsystem\n.',
    'an empty stack': b'0.',
    'no mark': b't.',
    'a state of nothing': b'K\x01b.',
    'an unknown memo': b'h\x07.',
}


@pytest.mark.parametrize('trick', TRICKS)
def test_a_pickle_that_is_no_state_dict_is_refused(tmp_path, trick):
    content = b'\x80\x02' + TRICKS[trick]
    assert '\n' not in refused(archive(tmp_path / 'a.pth', content))
    save_lists(tmp_path / 'a.npy')
    start = (tmp_path / 'a.npy').read_bytes().index(b'\n') + 1
    (tmp_path / 'a.npy').write_bytes((tmp_path / 'a.npy').read_bytes()[:start] + content)
    assert '\n' not in refused(tmp_path / 'a.npy')
    (tmp_path / 'b.pth').write_bytes(weights.pytorch.MAGIC + content * 4)
    refused(tmp_path / 'b.pth')


def test_a_pickle_without_end_is_refused(tmp_path):
    import tfae.pretrained.weights._pickle as machine

    content = b'\x80\x02' + b'N0' * machine._MAX_INSTRUCTIONS + b'N.'
    refused(archive(tmp_path / 'a.pth', content), 'its pickle has')


def test_a_pickle_that_doubles_its_own_list_takes_no_memory(tmp_path):
    # Each list holds the one before it ten times: 10^100 items, were they ever walked through.
    content = b'\x80\x02]q\x00'
    for k in range(1, 100):
        content += b'](' + f'h{chr(k - 1)}'.encode('latin-1') * 10 + b'e' + b'q' + bytes([k])
    refused(archive(tmp_path / 'a.pth', content + b'.'), 'does not hold tensors by name')


def peak(path):
    """The most bytes that a refusal takes."""
    tracemalloc.start()
    try:
        refused(path)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def bomb(path, members):
    """A zip of members that unfold to 64 MB of zeros, or to what is given."""
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, b'\0' * (64 * MEGABYTES) if content is None else content)
    assert path.stat().st_size < MEGABYTES
    return path


def test_archives_that_unfold_to_more_than_the_network_take_no_memory(tmp_path):
    pickled = pickle.dumps({}, 2)
    for members in (
        {'a/data.pkl': None},
        {'a/data.pkl': pickled, 'a/byteorder': None},
        {'conv1/kernel.npy': None},
        {'conv1/kernel.npy': b'\x93NUMPY\x02\0' + struct.pack('<I', 2**31) + b' ' * 10},
        {'conv1/kernel.npy': header((2**34,)) + b'\0'},
    ):
        assert peak(bomb(tmp_path / 'a', members)) < 4 * MEGABYTES


def header(shape):
    file = io.BytesIO()
    stated = {'descr': '<f4', 'fortran_order': False, 'shape': shape}
    np.lib.format.write_array_header_1_0(file, stated)
    return file.getvalue()


def test_of_a_member_no_more_is_read_than_its_header_says(tmp_path):
    save_npz(tmp_path / 'whole.npz')
    with zipfile.ZipFile(tmp_path / 'whole.npz') as file:
        members = {name: file.read(name) for name in file.namelist()}
    members['fc7/bias.npy'] = header((3,)) + b'\0' * (64 * MEGABYTES)
    bomb(tmp_path / 'a.npz', members)
    tracemalloc.start()
    found = read(tmp_path / 'a.npz')
    assert tracemalloc.get_traced_memory()[1] < 4 * MEGABYTES
    tracemalloc.stop()
    np.testing.assert_array_equal(found['fc7/bias'], np.zeros(3))


def test_a_storage_that_unfolds_is_refused(tmp_path):
    written(tmp_path, 'a.pth')
    with zipfile.ZipFile(tmp_path / 'a.pth') as file:
        members = {name: file.read(name) for name in file.namelist()}
    name = next(name for name in members if name.endswith('/data/0'))
    for content in (None, members[name]):  # too large, and of the right size but compressed
        bomb(tmp_path / 'b.pth', {**members, name: content})
        refused(tmp_path / 'b.pth', 'is compressed or holds .* bytes')


def test_lists_larger_than_the_network_are_refused_before_they_are_read(tmp_path):
    save_lists(tmp_path / 'a.npy')
    with (tmp_path / 'a.npy').open('r+b') as file:
        file.truncate(2**40)  # takes no place on the disk
    assert peak(tmp_path / 'a.npy') < MEGABYTES
    refused(tmp_path / 'a.npy', 'more than the .* that the network could need')


def test_names_that_lead_out_of_the_folder_lead_nowhere(tmp_path):
    inner = tmp_path / 'inner'
    inner.mkdir()
    np.savez(inner / 'a.npz', **{**ours(), '../outside': np.zeros(1)})
    refused(inner / 'a.npz', r'unexpected \.\./outside$')
    np.savez(inner / 'b.npz', **{**ours(), '/tmp/outside/kernel': np.zeros(1)})
    refused(inner / 'b.npz', 'unexpected /tmp/outside/kernel$')
    archive(inner / 'c.pth', pickle.dumps({'../x': 1}, 2), '../../outside')
    refused(inner / 'c.pth', r'\.\./x: is int, not a tensor')
    assert sorted(p.name for p in tmp_path.rglob('*')) == ['a.npz', 'b.npz', 'c.pth', 'inner']


def test_hdf5_that_leads_elsewhere_is_refused(tmp_path):
    secret = tmp_path / 'secret'
    secret.write_bytes(np.zeros(4, np.float32).tobytes())
    save_keras(tmp_path / 'other.h5')
    for make in (
        lambda group: group.__setitem__('b', h5py.ExternalLink('other.h5', '/fc1/fc1_b_1:0')),
        lambda group: group.__setitem__('b', h5py.SoftLink('/fc1/fc1_b_1:0')),
        lambda group: group.create_dataset('b', [4], 'f4', external=[(str(secret), 0, 16)]),
        lambda group: group.create_virtual_dataset('b', layout(tmp_path / 'other.h5')),
        lambda group: group.create_dataset('b', [4], 'f4', maxshape=[None], chunks=(2**24,)),
    ):
        save_keras(tmp_path / 'a.h5')
        with h5py.File(tmp_path / 'a.h5', 'a') as file:
            del file['block1_conv1/block1_conv1_b_1:0']
            make(file['block1_conv1'])
        refused(tmp_path / 'a.h5', 'is a link|stored in another file|in chunks of')


def layout(path):
    """Of a virtual data set that shows one of another file."""
    found = h5py.VirtualLayout((4,), 'f4')
    found[:] = h5py.VirtualSource(path, 'block1_conv1/block1_conv1_b_1:0', (4,))
    return found


def test_hdf5_that_holds_itself_is_met_once(tmp_path):
    save_keras(tmp_path / 'a.h5')
    with h5py.File(tmp_path / 'a.h5', 'a') as file:
        file['fc1/again'] = file['fc1']
    assert read(tmp_path / 'a.h5').keys() == ours().keys()


def test_a_home_folder_may_be_named(tmp_path, monkeypatch):
    monkeypatch.setenv('HOME', str(tmp_path))
    save_npz(tmp_path / 'a.npz')
    assert dict(weights.open_weights('~/a.npz', 'tiny', LAYERS)).keys() == ours().keys()
    assert pathlib.Path('~/a.npz').expanduser().exists()
