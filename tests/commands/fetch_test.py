"""`tfae fetch`, against a server on this machine."""

import contextlib
import fcntl
import functools
import hashlib
import http.server
import pathlib
import shutil
import socket
import threading
import time

import pytest

from tfae import __main__, data
from tfae.commands import fetch
from tfae.core import errors

FILES = tuple(data.module('mnist').SHA256)


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves a folder without a word, and cuts short what lies in a folder named `short`."""

    def log_message(self, *arguments):
        pass

    def copyfile(self, source, outputfile):
        if 'short' in self.path:
            outputfile.write(source.read()[:-1])
        else:
            super().copyfile(source, outputfile)


@contextlib.contextmanager
def serving(folder):
    """Address under which `folder` can be fetched, and the paths asked for so far."""
    asked = []

    class Recorder(Handler):
        def do_GET(self):
            asked.append(self.path)
            super().do_GET()

    handler = functools.partial(Recorder, directory=str(folder))
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={'poll_interval': 0.01})
        thread.start()
        try:
            yield f'http://127.0.0.1:{server.server_port}', asked
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv('no_proxy', '127.0.0.1')


@pytest.fixture
def published(tmp_path, monkeypatch):
    """A folder of four small files whose sums stand for the published ones of MNIST."""
    folder = tmp_path / 'published'
    folder.mkdir()
    for file in FILES:
        (folder / file).write_bytes(file.encode() * 1000)
    sums = {file: hashlib.sha256((folder / file).read_bytes()).hexdigest() for file in FILES}
    monkeypatch.setattr(data.module('mnist'), 'SHA256', sums)
    lengths = {file: 1000 * len(file) for file in FILES}
    monkeypatch.setattr(data.module('mnist'), 'BYTES', lengths)
    return folder


def run(folder, url, name='mnist'):
    return fetch.main([name, '--data_dir', str(folder), f'--url={url}'])


def test_files_arrive_under_their_names(tmp_path, published, capsys):
    with serving(published) as (url, asked):
        assert run(tmp_path / 'new' / 'mnist', url) == 0
    for file in FILES:
        arrived = tmp_path / 'new' / 'mnist' / file
        assert arrived.read_bytes() == (published / file).read_bytes()
    assert sorted(path.name for path in (tmp_path / 'new' / 'mnist').iterdir()) == sorted(FILES)
    assert asked == [f'/{file}' for file in FILES]
    assert '4 of 4 files downloaded, and their SHA-256 sums match' in capsys.readouterr().out


def test_a_trailing_slash_and_a_file_address_will_do(tmp_path, published):
    assert run(tmp_path / 'set', f'file://{published}/') == 0


def test_right_files_are_not_fetched_again(tmp_path, published, capsys):
    with serving(published) as (url, asked):
        run(published, url)
    assert asked == []
    assert capsys.readouterr().out == (
        f'{published}: all 4 files exist, and their SHA-256 sums match.\n'
    )


def test_only_missing_and_wrong_files_are_fetched(tmp_path, published, capsys):
    shutil.copytree(published, tmp_path / 'mnist')
    (tmp_path / 'mnist' / FILES[1]).unlink()
    (tmp_path / 'mnist' / FILES[2]).write_bytes(b'half')
    with serving(published) as (url, asked):
        run(tmp_path, url)  # holds a folder of the set's name
    assert asked == [f'/{FILES[1]}', f'/{FILES[2]}']
    assert (tmp_path / 'mnist' / FILES[2]).read_bytes() == (published / FILES[2]).read_bytes()
    out = capsys.readouterr().out
    assert f'{FILES[2]}: is not the published file, and will be replaced.' in out
    assert '2 of 4 files downloaded' in out


def test_another_sum_is_refused_and_nothing_is_kept(tmp_path, published):
    wrong = tmp_path / 'wrong'
    wrong.mkdir()
    (wrong / FILES[0]).write_bytes(b'wrong')
    sha256 = hashlib.sha256(b'wrong').hexdigest()
    with (
        serving(wrong) as (url, _),
        pytest.raises(errors.InputError, match=f'{FILES[0]}: SHA-256 is {sha256}; it must be '),
    ):
        run(tmp_path / 'set', url)
    assert not (tmp_path / 'set').exists()


def test_a_failure_keeps_the_file_that_was_there(tmp_path, published):
    target = tmp_path / 'set'
    target.mkdir()
    (target / FILES[0]).write_bytes(b'of my own')
    with pytest.raises(errors.InputError, match='cannot be downloaded'):
        run(target, f'file://{tmp_path}/absent')
    assert [path.name for path in target.iterdir()] == [FILES[0]]
    assert (target / FILES[0]).read_bytes() == b'of my own'


def test_a_failure_halfway_keeps_whole_files_alone(tmp_path, published):
    (published / FILES[2]).unlink()
    with (
        serving(published) as (url, _),
        pytest.raises(
            errors.InputError, match=rf'{FILES[2]}: cannot be downloaded \(HTTP Error 404'
        ),
    ):
        run(tmp_path / 'set', url)
    assert sorted(path.name for path in (tmp_path / 'set').iterdir()) == sorted(FILES[:2])


def test_a_download_cut_short_is_refused_and_nothing_is_kept(tmp_path, published):
    published.rename(tmp_path / 'short')
    with (
        serving(tmp_path) as (url, _),
        pytest.raises(errors.InputError, match='cannot be downloaded .*(truncated|IncompleteRead)'),
    ):
        run(tmp_path / 'set', f'{url}/short')
    assert not (tmp_path / 'set').exists()


@contextlib.contextmanager
def answering(parts):
    """Address of a server that sends these parts, one after another, until nobody listens."""

    def answer(listening):
        with contextlib.suppress(OSError), listening.accept()[0] as connection:
            connection.recv(65_536)
            for part in parts():
                connection.sendall(part)

    with socket.create_server(('127.0.0.1', 0)) as listening:
        threading.Thread(target=answer, args=[listening], daemon=True).start()
        yield f'http://127.0.0.1:{listening.getsockname()[1]}'


def trickled(content, before=b''):
    """Parts of a content, a byte every twentieth of a second, for ten seconds at most."""
    yield before
    for _ in range(200):
        time.sleep(0.05)
        yield content


HEAD = b'HTTP/1.0 200 OK\r\n\r\n'


@pytest.mark.parametrize(
    'parts, text',
    [
        (lambda: iter([time.sleep(10) or b'']), 'timed out'),
        (lambda: trickled(b'a', b'HTTP/1.0 200 OK\r\nX: '), 'no response in 0.6 s'),
        (lambda: trickled(b'a', HEAD), r'only \d+ bytes received in'),
    ],
)
def test_a_server_that_sends_hardly_anything_is_given_up(
    tmp_path, published, monkeypatch, parts, text
):
    monkeypatch.setattr(fetch, '_TIMEOUT', 0.3)
    began = time.monotonic()
    with (
        answering(parts) as url,
        pytest.raises(errors.InputError, match=rf'cannot be downloaded \(.*{text}'),
    ):
        run(tmp_path / 'set', url)
    assert time.monotonic() - began < 5
    assert not (tmp_path / 'set').exists()


@pytest.mark.parametrize('head', [HEAD, b'HTTP/1.0 200 OK\r\nContent-Length: 99999999999\r\n\r\n'])
def test_no_more_is_read_than_the_published_length(tmp_path, published, head):
    sent = []

    def parts():
        yield head
        for _ in range(1000):  # a gigabyte
            sent.append(2**20)
            yield bytes(2**20)

    with (
        answering(parts) as url,
        pytest.raises(errors.InputError, match=f'it is larger than {1000 * len(FILES[0]):,} bytes'),
    ):
        run(tmp_path / 'set', url)
    assert sum(sent) < 2**26  # what the system's buffers hold
    assert not (tmp_path / 'set').exists()


def test_what_a_killed_fetch_left_is_used_up_and_never_trusted(tmp_path, published):
    target = tmp_path / 'set'
    target.mkdir()
    (target / f'.fetch-{FILES[0]}').write_bytes(b'half of something else')
    run(target, f'file://{published}')
    assert sorted(path.name for path in target.iterdir()) == sorted(FILES)
    assert (target / FILES[0]).read_bytes() == (published / FILES[0]).read_bytes()


def test_a_file_that_was_published_before_the_lock_is_left_alone(tmp_path, published, monkeypatch):
    target = tmp_path / 'set'
    lock = fcntl.flock

    def late(file, how):
        (target / f'.fetch-{FILES[0]}').replace(target / FILES[0])
        (target / FILES[0]).write_bytes(b'whole')
        lock(file, how)

    monkeypatch.setattr(fetch.fcntl, 'flock', late)
    with pytest.raises(errors.InputError, match=f'{FILES[0]} is being downloaded by another'):
        run(target, f'file://{published}')
    assert (target / FILES[0]).read_bytes() == b'whole'


def test_two_programs_do_not_fetch_one_file(tmp_path, published):
    target = tmp_path / 'set'
    target.mkdir()
    with (target / f'.fetch-{FILES[0]}').open('wb') as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(errors.InputError, match=f'{FILES[0]} is being downloaded by another'):
            run(target, f'file://{published}')
    assert (target / f'.fetch-{FILES[0]}').exists()


@pytest.mark.parametrize('name', ['mnist', 'fashion_mnist'])
def test_the_lengths_are_those_of_the_files(data_dir, name):
    module = data.module(name)
    assert module.BYTES.keys() == module.SHA256.keys()
    for file, length in module.BYTES.items():
        assert (data_dir / name / file).stat().st_size == length


def test_an_address_that_does_not_answer_says_what_to_do(tmp_path, published):
    with serving(published) as (url, _):
        pass  # closed again: nobody listens there now
    with pytest.raises(errors.InputError) as caught:
        run(tmp_path / 'set', url)
    text = str(caught.value)
    assert text.startswith(f'{url}/{FILES[0]}: cannot be downloaded (')
    assert text.endswith(
        f'choose another address with --url, or copy the file to {tmp_path / "set"}'
    )
    assert '\n' not in text
    assert not (tmp_path / 'set').exists()


@pytest.mark.parametrize(
    'argv, text',
    [
        ([], r'tfae fetch needs fashion_mnist \| mnist after its flags'),
        (['mnist', 'fashion_mnist'], 'tfae fetch takes one data set; 2 given'),
        (['digits'], "set is 'digits'; it must be one of fashion_mnist, mnist"),
        (['mnis'], "set is 'mnis'; .* did you mean mnist"),
        (['mnist', '--data_fir=x'], 'tfae fetch has no flag --data_fir; did you mean data_dir'),
        (['mnist', '--url=ftp://x', '--data_dir=absent'], "--url is 'ftp://x'; it must begin"),
    ],
)
def test_wrong_words_are_usage_errors(argv, text):
    with pytest.raises(errors.UsageError, match=text):
        fetch.main(argv)
    assert not pathlib.Path('absent').exists()


def test_help_lists_the_flags(capsys):
    with pytest.raises(SystemExit) as caught:
        fetch.main(['--help'])
    assert caught.value.code == 0
    out = capsys.readouterr().out
    assert 'tfae fetch mnist' in out
    assert '--data_dir' in out
    assert '--url' in out


@pytest.mark.parametrize('name', ['mnist', 'fashion_mnist'])
def test_the_real_sets_are_fetched_and_load(data_dir, tmp_path, name):
    with serving(data_dir / name) as (url, _):
        assert run(tmp_path, url, name) == 0
    dataset = data.load(data.Config(name, str(tmp_path)))
    assert len(dataset.test.images) == 10000


@pytest.mark.parametrize('words, code', [(['mnist', '--url=file:///absent'], 1), (['digits'], 2)])
def test_the_program_answers_in_one_line(tmp_path, capsys, words, code):
    assert __main__.run(['fetch', *words, f'--data_dir={tmp_path}/set']) == code
    error = capsys.readouterr().err
    assert error.startswith('tfae: error: ')
    assert error.count('\n') == 1
    assert not (tmp_path / 'set').exists()
