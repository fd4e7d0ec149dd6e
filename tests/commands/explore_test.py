"""`tfae explore`: it says where the page is, serves it, and ends when it is told to."""

import http.client
import importlib.util
import json
import signal
import socket
import types

import numpy as np
import pytest
import tfae_program

from tfae.commands import explore
from tfae.runs import directory


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp('explore')
    for words in (
        ('--units=8,2', '--logdir=run'),
        ('--units=8,1', '--logdir=one'),
        ('--units=8,2', '--validation_fraction=0', '--logdir=bare'),
        ('--model=gan', '--units=8', '--code_size=3', '--logdir=gan'),
        ('--model=classifier', '--units=8,4', '--logdir=classifier'),
    ):
        assert tfae_program.run('train', *words, '--epochs=1', cwd=folder).code == 0
    return folder


class Served:
    """A `tfae explore` that has said where its page is."""

    def __init__(self, folder, *words):
        self.program = tfae_program.start('explore', *words, cwd=folder)
        if not tfae_program.wait_for(lambda: '/\n' in self.program.out(), self.program):
            raise AssertionError(self.program.wait())
        self.address = self.program.out().splitlines()[1]
        self.host = self.address.removeprefix('http://').removesuffix('/')

    def ask(self, method, path, content=None, **headers):
        connection = http.client.HTTPConnection(self.host, timeout=30)
        body = None if content is None else json.dumps(content)
        kind = {} if content is None else {'Content-Type': 'application/json'}
        connection.request(method, path, body, headers | kind)
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.headers

    def known(self):
        return json.loads(self.ask('GET', '/space')[1])

    def decode(self, components, strengths=()):
        move = {'between': None, 'components': components, 'strengths': [*strengths]}
        status, content, headers = self.ask('POST', '/decode', move)
        assert status == 200, content
        shape = [int(headers[f'X-{side}']) for side in ('Height', 'Width', 'Channels')]
        return np.frombuffer(content, np.uint8).reshape(shape)

    def end(self, number=signal.SIGTERM):
        self.program.send(number)
        return self.program.wait()


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_a_signal_ends_it_with_code_zero(folder, number):
    served = Served(folder, '--logdir=run')
    status, content, _ = served.ask('GET', '/')
    assert (status, b'<title>tfae explore</title>' in content) == (200, True)
    assert served.decode([0.5, -1.0], [0] * 10).shape == (8, 8, 1)
    assert served.ask('GET', '/', Host='example.com')[0] == 403
    host, _, port = served.host.rpartition(':')
    with socket.create_connection((host, int(port))) as stranger:
        stranger.sendall(b'\x16\x03\x01 no request\r\n\r\n')
        assert stranger.recv(1000)
    # A connection that says nothing holds nobody up.
    with socket.create_connection((host, int(port))):
        done = served.end(number)
    assert (done.code, done.err) == (0, '')
    assert done.out.splitlines() == [done.out.splitlines()[0], served.address]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)))


def test_what_morph_wrote_stands_beside_the_classes(folder):
    path = folder / 'run' / 'figures' / 'morph.npz'
    path.parent.mkdir(exist_ok=True)
    added = {'age>50': np.array([0.25, -2.0], np.float32)}
    # Those of `tfae morph` without flags are on the page already.
    np.savez(path, **added, **{f'class={k}': np.ones(2) for k in (*range(10), '1|7')})
    served = Served(folder, '--logdir=run')
    names = served.known()['attributes']
    assert names == [*(f'class {number}' for number in range(10)), 'age>50', 'class=1|7']
    moved = served.decode([0.5, -1.0], [0] * 10 + [2.0, 0])
    assert np.array_equal(moved, served.decode([1.0, -5.0], [0] * 12))
    assert served.end().code == 0
    np.savez(path, age=np.zeros(3))
    line = tfae_program.run('explore', '--logdir=run', cwd=folder).refusal(1)
    assert line == (
        'run/figures/morph.npz: age is float64 (3,); it must be finite floats (2,), a direction '
        'in the latent space of the run'
    )
    path.unlink()


def test_directions_of_another_checkpoint_are_left_out(tmp_path, capsys):
    figures = tmp_path / 'figures'
    figures.mkdir()
    np.savez(figures / 'morph.npz', age=np.ones(2, np.float32))
    run = types.SimpleNamespace(folder=directory.Folder(tmp_path), step=1600)
    for content in ('', '{"step": 1600}'):
        if content:
            (figures / 'morph.json').write_text(content)
        assert list(explore._directions(run, 2)) == ['age']
    (figures / 'morph.json').write_text('{"step": 800}')
    assert explore._directions(run, 2) == {}
    assert capsys.readouterr().out == (
        f'{figures}/morph.npz is ignored: it is from step 800, the checkpoint is from step 1600\n'
    )


def test_a_gan_shows_what_it_makes_of_codes_from_its_prior(folder):
    served = Served(folder, '--logdir=gan', '--count=300')
    known = served.known()
    assert (known['labels'], known['attributes'], known['count']) == (None, [], 300)
    deviations = [component['high'] / 3 for component in known['components']]
    assert np.allclose(deviations, 1, atol=0.35)  # the prior is a standard normal
    move = {'between': {'images': [7, 7], 'part': 0, 'way': 'linear'}, 'components': None}
    _, made, _ = served.ask('POST', '/decode', move | {'strengths': []})
    _, image, _ = served.ask('GET', '/gallery/7')
    assert made == image
    assert served.end().code == 0


def test_a_code_of_one_number_has_a_slider_and_no_plane(folder):
    served = Served(folder, '--logdir=one')
    known = served.known()
    assert len(known['components']) == 1
    low, high = (served.decode([known['components'][0][k]], [0] * 10) for k in ('low', 'high'))
    assert np.abs(low.astype(int) - high).max() > 5
    assert served.end().code == 0


@pytest.mark.parametrize(
    'words, code, text',
    [
        (
            '--logdir=classifier',
            1,
            'classifier, a run of the family classifier, has no decoder; it must be a run of '
            'convolutional, custom, dense, gan or variational',
        ),
        (
            '--logdir=bare --split=validation',
            1,
            '--split validation of digits has no examples; the run was trained with '
            '--validation_fraction=0.0',
        ),
        ('', 2, '--logdir is empty; it must name the folder of a run'),
        ('--logdir=run --port=70000', 2, '--port is 70000; it must lie in [0, 65535]'),
        ('--logdir=run --count=1', 2, '--count is 1; it must lie in [2, 100000]'),
        ('--logdir=run --host=unix:///x', 2, "--host is 'unix:///x'; it must be a name or an"),
        ('--logdir=run --host=192.0.2.1', 1, '--host 192.0.2.1, --port 0 cannot be served: '),
    ],
)
def test_what_cannot_be_explored_is_refused(folder, words, code, text):
    assert text in tfae_program.run('explore', *words.split(), cwd=folder).refusal(code)


def test_the_benchmark_times_every_move(folder):
    path = tfae_program.ROOT / 'tools' / 'bench' / 'explorer.py'
    spec = importlib.util.spec_from_file_location('bench_explorer', path)
    bench = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bench)
    served = Served(folder, '--logdir=run')
    times = bench.measured(served.host, 7)
    assert times.shape == (7, 2)
    assert np.all((times[:, 1] > 0) & (times[:, 1] < times[:, 0]))
    assert served.end().code == 0


def test_a_port_in_use_is_refused(folder):
    with socket.create_server(('127.0.0.1', 0)) as other:
        port = other.getsockname()[1]
        done = tfae_program.run('explore', '--logdir=run', f'--port={port}', cwd=folder)
    assert done.refusal(1) == (
        f'--host 127.0.0.1, --port {port} cannot be served: Address already in use; --port=0 '
        'selects a free one'
    )
