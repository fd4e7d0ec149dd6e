"""What the page's server answers to bytes that no browser sends and to browsers that were lured."""

import contextlib
import functools
import http.client
import re
import socket
import struct
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import tfae_program

from tfae.commands import explore
from tfae.explorer import application, server, space

SECRETS = (b'root:', b'import ', b'Traceback', b'<!DOCTYPE', b'tfae/', b'/usr', b'Python')
PATIENCE = 10  # seconds


class Page:
    """The explorer's page over a decoder that needs no TensorFlow, on a real socket."""

    def __init__(self, host='127.0.0.1', decode=None, **bounds):
        self.listening = server.listen(host, 0)
        self.port = self.listening.getsockname()[1]
        self.hosts = server.hosts(host, self.port)
        random = np.random.RandomState(0)
        known = space.Space(random.normal(size=[20, 2]), {})
        images = random.uniform(size=[20, 4, 4, 1]).astype(np.float32)
        about = {'title': 'a', 'model': 'b', 'images': 'c', 'classes': []}
        decode = decode or (lambda codes: np.zeros([1, 4, 4, 1]))
        made = application.Application(about, known, images, None, decode, self.hosts)
        self.server = server.bound(self.listening, made, **bounds)
        self.thread = threading.Thread(target=self.server.serve_forever, args=[0.05])
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.listening.close()

    def settle(self):
        """Waits until nobody is answered any more."""
        ended = time.monotonic() + PATIENCE
        while [t for t in threading.enumerate() if 'process_request_thread' in t.name]:
            assert time.monotonic() < ended, 'waited in vain'
            time.sleep(0.01)

    def connect(self, to='127.0.0.1'):
        return socket.create_connection((to, self.port), timeout=PATIENCE)

    def send(self, content, to='127.0.0.1', ends=False):
        """All that comes back for these bytes; `ends` says that no more will be sent."""
        with self.connect(to) as connection:
            connection.sendall(content)
            if ends:
                connection.shutdown(socket.SHUT_WR)
            return received(connection)

    def ask(self, line, *headers, host=None, body=b'', to='127.0.0.1'):
        """The answer to a request with these lines as they stand; `host` '' leaves it out."""
        host = self.hosts[0] if host is None else host
        lines = [line, *([f'Host: {host}'] if host else []), *headers, '', '']
        return Answer(self.send('\r\n'.join(lines).encode('latin-1') + body, to))


class Answer:
    """The parts of an answer."""

    def __init__(self, content):
        head, _, self.body = content.partition(b'\r\n\r\n')
        first, *lines = head.decode('latin-1').split('\r\n')
        self.status = int(re.fullmatch(r'HTTP/1\.[01] (\d{3}) .*', first)[1])
        self.headers = dict(line.split(': ', 1) for line in lines)
        self.content = content


def received(connection):
    """What comes until the length that the answer says, or its end."""
    content = b''
    while part := connection.recv(65_536):
        content += part
        head, end, body = content.partition(b'\r\n\r\n')
        length = re.search(rb'\r\nContent-Length: (\d+)', head)
        if end and length and len(body) >= int(length[1]):
            break
    return content


@pytest.fixture(scope='module')
def page():
    with contextlib.closing(Page()) as page:
        yield page


def guarded(answer):
    """Whether an answer has the headers that every one must have."""
    policy = answer.headers.get('Content-Security-Policy', '')
    return (
        policy.startswith("default-src 'none'; ")
        and "frame-ancestors 'none'" in policy
        and "base-uri 'none'" in policy
        and answer.headers.get('X-Content-Type-Options') == 'nosniff'
        and answer.headers.get('Referrer-Policy') == 'no-referrer'
        and answer.headers.get('Cross-Origin-Resource-Policy') == 'same-origin'
    )


def refused(answer, *statuses):
    """Holds an answer to one line of text that tells nothing of the machine."""
    assert answer.status in statuses, answer.content
    assert guarded(answer), answer.content
    assert answer.headers['Content-Type'].startswith('text/plain')
    assert len(answer.body.splitlines()) == 1
    assert not [secret for secret in SECRETS if secret in answer.content]
    assert not {'Access-Control-Allow-Origin', 'Location'} & answer.headers.keys()


def test_the_page_itself_is_answered(page):
    answer = page.ask('GET / HTTP/1.1')
    assert (answer.status, b'<title>tfae explore</title>' in answer.body) == (200, True)
    assert guarded(answer)
    assert 'Python' not in answer.headers['Server'] + answer.headers['Date']


@pytest.mark.parametrize(
    'path',
    [
        '/../../../../../../etc/passwd',
        '/../../etc/passwd',
        '../../etc/passwd',
        'etc/passwd',
        '/./../application.py',
        '/%2e%2e/%2e%2e/%2e%2e/etc/passwd',
        '/%2e%2e%2f%2e%2e%2fetc%2fpasswd',
        '/..%2f..%2f..%2fetc/passwd',
        '/%252e%252e%252f%252e%252e%252fetc%252fpasswd',
        '/..%c0%af..%c0%afetc/passwd',
        '/..%255c..%255cetc',
        '/..\\..\\..\\etc\\passwd',
        '/..%5c..%5capplication.py',
        '/C:\\Windows\\win.ini',
        '//etc/passwd',
        '///etc/passwd',
        '/%2fetc/passwd',
        '/explorer.css%00',
        '/explorer.css%00.html',
        '/explorer.css\x00',
        '/%00',
        '/explorer.css/',
        '/explorer.css/../../application.py',
        '/assets/../application.py',
        '/gallery/../../../etc/passwd',
        '/gallery/%2e%2e%2f%2e%2e%2fapplication.py',
        '/gallery/0/../../application.py',
        '/gallery/\xb2',
        '/proc/self/environ',
        '/~root/.ssh/id_rsa',
        '/.git/config',
        'file:///etc/passwd',
        '/?file=../../etc/passwd/..;/',
        '/\xff\xfe',
        '*',
    ],
)
def test_no_path_leads_out_of_the_page(page, path):
    answer = page.ask(f'GET {path} HTTP/1.1')
    if path.startswith('/?'):  # what follows is no path
        assert (answer.status, guarded(answer)) == (200, True)
        return
    refused(answer, 400, 404)


@pytest.mark.parametrize(
    'target, status',
    [
        ('http://{host}/', 200),
        ('http://{host}/../../etc/passwd', 404),
        ('http://example.com/', 403),
        ('http://example.com:{port}/etc/passwd', 403),
        ('http://{host}@example.com/', 403),
        ('http://example.com@{host}/', 403),
        ('https://example.com/', 403),
        ('http://[::1/', 400),
        ('http://[', 400),
        ('//[', 404),
    ],
)
def test_a_whole_address_in_the_place_of_a_path_is_held_to_the_same_hosts(page, target, status):
    words = target.format(host=page.hosts[0], port=page.port)
    answer = page.ask(f'GET {words} HTTP/1.1')
    if status == 200:
        assert (answer.status, guarded(answer)) == (200, True)
    else:
        refused(answer, status)


@pytest.mark.parametrize(
    'line, status',
    [
        (f'GET /{"a" * 70_000} HTTP/1.1', 414),
        (f'GET /{"a" * 60_000} HTTP/1.1', 404),
        (f'GET /gallery/{"9" * 10_000} HTTP/1.1', 404),
        ('GET / HTTP/1.1 more', 400),
        ('GET / HTTP/x', 400),
        ('GET / HTTP/9.9', 505),
        ('GET / FTP/1.1', 400),
        ('GET  HTTP/1.1', 505),
        ('GET /', 505),
        ('POST /', 400),
        ('\x16\x03\x01\x02\x00\x01\x00', 400),
        ('GET / <script>alert(1)</script>', 400),
        ('<script> /x HTTP/1.1', 404),
        ('PUT /space HTTP/1.1', 405),
        ('DELETE / HTTP/1.1', 405),
        ('TRACE / HTTP/1.1', 405),
        ('CONNECT example.com:443 HTTP/1.1', 404),
        ('PATCH /decode HTTP/1.1', 405),
        ('OPTIONS /decode HTTP/1.1', 405),
        ('__class__ / HTTP/1.1', 405),
    ],
)
def test_a_line_that_is_no_request_for_the_page_is_refused(page, line, status):
    refused(page.ask(line), status)


@pytest.mark.parametrize(
    'headers, status',
    [
        ([f'X: {"a" * 70_000}'], 431),
        ([f'X-{k}: a' for k in range(200)], 431),
        (['Host: example.com'], 403),  # beside the right one
        (['Origin: http://example.com'], 403),
        (['Origin: null'], 403),
        (['Origin: http://localhost.example.com'], 403),
        (['Origin: file://'], 403),
        (['X-Forwarded-Host: example.com', 'Forwarded: host=example.com'], 200),
        (['X-Original-URL: /etc/passwd', 'X-Rewrite-URL: /etc/passwd'], 200),
        (['Range: bytes=0-1'], 200),
        (['Expect: 200-maybe'], 200),
        (['If-None-Match: *', 'If-Modified-Since: yesterday'], 200),
    ],
)
def test_headers_neither_move_the_page_nor_open_it_to_others(page, headers, status):
    answer = page.ask('GET / HTTP/1.1', *headers)
    if status == 200:
        assert (answer.status, guarded(answer)) == (200, True)
        assert b'<title>tfae explore</title>' in answer.body
    else:
        refused(answer, status)


@pytest.mark.parametrize(
    'host',
    [
        '',
        'example.com',
        'example.com:{port}',
        '127.0.0.1.example.com:{port}',
        'localhost:{port}.example.com',
        '127.0.0.1',
        '127.0.0.1:1',
        '127.0.0.2:{port}',
        '0.0.0.0:{port}',
        '2130706433:{port}',
        '127.1:{port}',
        'localhost.:{port}',
        'user@localhost:{port}',
        'localhost:{port}\x00',
        'localhost:{port} example.com',
    ],
)
def test_a_name_that_someone_else_may_point_here_is_refused(page, host):
    for path in ('/', '/space', '/gallery.png', '/gallery/0'):
        refused(page.ask(f'GET {path} HTTP/1.1', host=host.format(port=page.port)), 403)


@pytest.mark.parametrize(
    'headers, body, status',
    [
        (['Content-Length: 999999999999999999999'], b'{}', 413),
        (['Content-Length: 16385'], b'{}', 413),
        (['Content-Length: -1'], b'{}', 400),
        (['Content-Length: abc'], b'{}', 400),
        (['Content-Length: +2'], b'{}', 400),
        (['Content-Length: 2', 'Content-Length: 3'], b'{}', 400),
        (['Content-Length: 0'], b'', 400),
        ([], b'{}', 400),
        (['Transfer-Encoding: chunked'], b'xyz\r\n{}\r\n0\r\n\r\n', 411),
        (['Transfer-Encoding: chunked'], b'-5\r\n{}\r\n0\r\n\r\n', 411),
        (['Transfer-Encoding: chunked'], b'2\r\n{}\r\n0\r\n\r\n', 411),
        (['Transfer-Encoding: chunked'], b'2\r\n{}xx0\r\n\r\n', 411),
        (['Transfer-Encoding: chunked'], b'8000\r\n' + b' ' * 32_768 + b'\r\n0\r\n\r\n', 411),
        (['Transfer-Encoding: gzip'], b'{}', 411),
        (['Transfer-Encoding: chunked', 'Content-Length: 2'], b'{}', 411),
    ],
)
def test_a_body_that_is_not_as_long_as_it_says_is_refused(page, headers, body, status):
    lines = ['POST /decode HTTP/1.1', f'Host: {page.hosts[0]}', 'Content-Type: application/json']
    content = '\r\n'.join([*lines, *headers, '', '']).encode() + body
    refused(Answer(page.send(content)), status)


def test_a_body_that_is_cut_off_is_refused(page):
    lines = ['POST /decode HTTP/1.1', f'Host: {page.hosts[0]}', 'Content-Type: application/json']
    content = '\r\n'.join([*lines, 'Content-Length: 100', '', '{']).encode()
    refused(Answer(page.send(content, ends=True)), 400)


def test_a_decoder_that_fails_says_nothing_of_why(capfd):
    def decode(codes):
        raise RuntimeError('/home/someone/secret')

    body = b'{"between": null, "components": null, "strengths": []}'
    headers = ('Content-Type: application/json', f'Content-Length: {len(body)}')
    with contextlib.closing(Page(decode=decode)) as page:
        answer = page.ask('POST /decode HTTP/1.1', *headers, body=body)
    refused(answer, 500)
    assert b'secret' not in answer.content
    assert 'secret' in capfd.readouterr().err  # for whoever started it


def test_nothing_that_strangers_send_is_printed(page, capfd):
    for content in (b'\x00\xff\r\n\r\n', b'GET http://[ HTTP/1.1\r\n\r\n', b'GET / HTTP/1.1\r\n'):
        page.send(content, ends=True)
    page.connect().close()
    with page.connect() as connection:  # goes away in the middle of what it says
        lines = ('POST /decode HTTP/1.1', f'Host: {page.hosts[0]}', 'Content-Length: 100', '', '{')
        connection.sendall('\r\n'.join(lines).encode())
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    with page.connect() as connection:  # or of what it is told
        connection.sendall(f'GET /explorer.js HTTP/1.1\r\nHost: {page.hosts[0]}\r\n\r\n'.encode())
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    assert page.ask('GET / HTTP/1.1').status == 200
    page.settle()
    assert capfd.readouterr() == ('', '')


def test_connections_that_say_nothing_hold_nobody_up(page):
    with contextlib.ExitStack() as stack:
        for k in range(100):
            connection = stack.enter_context(page.connect())
            connection.sendall(b'GET / HTTP/1.1\r\nHost: '[: k % 24])
        for _ in range(3):
            assert page.ask('GET /space HTTP/1.1').status == 200
        body = stack.enter_context(page.connect())
        body.sendall(b'POST /decode HTTP/1.1\r\nContent-Length: 10\r\n\r\n{')
        assert page.ask('GET / HTTP/1.1').status == 200


def test_a_hundred_at_once_are_all_answered(page):
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(page.connect()) for _ in range(100)]
        for connection in connections:
            request = f'GET /gallery/3 HTTP/1.1\r\nHost: {page.hosts[0]}\r\n\r\n'
            connection.sendall(request.encode())
        answers = [Answer(received(connection)) for connection in connections]
    assert {answer.status for answer in answers} == {200}
    assert len({answer.body for answer in answers}) == 1


def test_a_client_that_says_nothing_for_long_is_let_go():
    with contextlib.closing(Page(deadline=0.2)) as page, page.connect() as connection:
        connection.sendall(b'GET / HT')
        assert connection.recv(1000) == b''


def lasted(page, before, drop):
    """Seconds until the page ends a connection that sends `drop` again and again after `before`."""
    began = time.monotonic()
    with page.connect() as connection, contextlib.suppress(ConnectionError):
        connection.sendall(before)
        connection.settimeout(0.05)
        while time.monotonic() - began < PATIENCE:
            connection.sendall(drop)
            with contextlib.suppress(TimeoutError):
                if not connection.recv(65_536):
                    break
    return time.monotonic() - began


@pytest.mark.parametrize(
    'before, drop',
    [
        (b'', b'G'),
        (b'GET / HTTP/1.1\r\nX: ', b'a'),
        (b'GET / HTTP/1.1\r\n', b'X: a\r\n'),
        (b'POST /decode HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n'
         b'Content-Length: 10000\r\n\r\n', b' '),
    ],
)  # fmt: skip
def test_a_request_that_trickles_is_ended_at_its_deadline(before, drop):
    with contextlib.closing(Page(deadline=0.5)) as page:
        before = before.replace(b'{host}', page.hosts[0].encode())
        assert 0.4 < lasted(page, before, drop) < 3
        assert page.ask('GET / HTTP/1.1').status == 200


def test_an_answer_that_nobody_reads_is_ended_at_its_deadline():
    with contextlib.closing(Page(deadline=0.5)) as page, page.connect() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        connection.sendall(f'GET /explorer.js HTTP/1.1\r\nHost: {page.hosts[0]}\r\n\r\n'.encode())
        page.settle()


def threads():
    return len([t for t in threading.enumerate() if 'process_request_thread' in t.name])


def test_no_more_connections_are_answered_at_a_time_than_the_bound():
    with (
        contextlib.closing(Page(connections=3, deadline=1.0)) as page,
        contextlib.ExitStack() as held,
    ):
        silent = [held.enter_context(page.connect()) for _ in range(12)]
        seen = []
        ended = time.monotonic() + 0.5
        while time.monotonic() < ended:
            seen.append(threads())
            time.sleep(0.02)
        assert max(seen) == 3
        assert page.ask('GET / HTTP/1.1').status == 200  # behind all of them
        assert silent[0].recv(1) == b''


LIMITED = """
import resource, socket, sys, threading, time
from tfae.explorer import server

listening = server.listen('127.0.0.1', 0)
made = server.bound(listening, lambda environ, start: (start('200 OK', []), [b'ok'])[1], 1000, 60.0)
threading.Thread(target=made.serve_forever, args=[0.1], daemon=True).start()
resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
print(listening.getsockname()[1], flush=True)
sys.stdin.readline()  # by now there are more connections than descriptors
before = time.process_time()
time.sleep(1)
print(time.process_time() - before, flush=True)
sys.stdin.readline()
"""


def test_at_the_limit_of_descriptors_it_waits_without_a_word():
    pipe = subprocess.PIPE
    words = [sys.executable, '-c', LIMITED]
    with subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as program:
        port = int(program.stdout.readline())
        with contextlib.ExitStack() as held:
            for _ in range(60):
                held.enter_context(socket.create_connection(('127.0.0.1', port), PATIENCE))
            time.sleep(0.2)
            program.stdin.write('\n')
            program.stdin.flush()
            assert float(program.stdout.readline()) < 0.2
        with socket.create_connection(('127.0.0.1', port), PATIENCE) as connection:
            connection.sendall(b'GET / HTTP/1.1\r\n\r\n')
            assert b' 200 OK' in received(connection)
        assert program.communicate('\n') == ('', '')


# Where it listens.


def test_the_page_is_on_this_machine_alone_unless_told(page):
    assert explore.Config().host == '127.0.0.1'
    assert page.listening.getsockname()[0] == '127.0.0.1'
    with pytest.raises(ConnectionRefusedError):
        page.connect('127.0.0.2')


def test_on_every_address_the_page_is_at_the_one_by_which_it_is_reached():
    with contextlib.closing(Page('0.0.0.0')) as page:
        assert page.hosts[0] == f'127.0.0.1:{page.port}'
        reached = page.ask('GET / HTTP/1.1', host=f'127.0.0.2:{page.port}', to='127.0.0.2')
        assert (reached.status, guarded(reached)) == (200, True)
        for host in (f'127.0.0.3:{page.port}', f'example.com:{page.port}', f'0.0.0.0:{page.port}'):
            refused(page.ask('GET / HTTP/1.1', host=host, to='127.0.0.2'), 403)
        own = f'Origin: http://127.0.0.2:{page.port}'
        line = 'GET / HTTP/1.1'
        answer = page.ask(line, own, host=f'127.0.0.2:{page.port}', to='127.0.0.2')
        assert answer.status == 200


def test_a_page_on_a_name_is_at_that_name_and_no_other():
    assert server.hosts('lamp.local', 8000)[0] == 'lamp.local:8000'
    assert not [host for host in server.hosts('lamp.local', 8000) if 'example' in host]


@pytest.fixture(scope='module')
def board(tmp_path_factory):
    """A connection to TensorBoard as `make tensorboard` starts it, on a port that is free."""
    root, folder = tfae_program.ROOT, tmp_path_factory.mktemp('board')
    words = ['make', '-n', 'tensorboard']
    said = subprocess.run(words, cwd=root, capture_output=True, text=True).stdout.splitlines()
    (line,) = [line for line in said if 'board' in line]
    assert line.endswith('python tools/board.py --logdir runs')
    (folder / 'runs').mkdir()
    words = [sys.executable, str(root / 'tools' / 'board.py'), '--logdir=runs', '--port=0']
    with (folder / 'said').open('w') as said:
        program = subprocess.Popen(words, cwd=folder, stdout=said, stderr=said)
    try:
        ended = time.monotonic() + 60
        while not (at := re.search(r'http://localhost:(\d+)/', (folder / 'said').read_text())):
            assert time.monotonic() < ended and program.poll() is None
            time.sleep(0.1)
        yield functools.partial(http.client.HTTPConnection, 'localhost', int(at[1]), PATIENCE)
    finally:
        program.terminate()
        program.wait()


def board_answers(connection, path, headers):
    connection.putrequest('GET', path, skip_host='Host' in headers)
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    return answer.status, answer.getheader('Content-Security-Policy'), answer.read()


def test_tensorboard_is_on_this_machine_alone_and_answers_its_own_page(board):
    connection = board()
    own = {'Origin': f'http://localhost:{connection.port}'}
    status, policy, page = board_answers(connection, '/', own)
    assert (status, b'TensorBoard' in page) == (200, True)
    assert policy.startswith("default-src 'self'")
    assert board_answers(board(), '/data/runs', own)[::2] == (200, b'[]')
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(('127.0.0.2', connection.port), PATIENCE)


@pytest.mark.parametrize(
    'headers',
    [
        {'Host': 'example.com'},
        {'Host': 'localhost'},
        {'Host': 'localhost.example.com:6006'},
        {'Origin': 'http://example.com'},
        {'Origin': 'null'},
    ],
)
def test_tensorboard_answers_no_stranger(board, headers):
    status, policy, said = board_answers(board(), '/data/runs', headers)
    assert (status, policy) == (403, server.HEADERS['Content-Security-Policy'])
    assert b'[' not in said.replace(b'[::1]', b'')


@pytest.mark.parametrize('path', ['/../../etc/passwd', '/%2e%2e/%2e%2e/etc/passwd', '//etc/passwd'])
def test_tensorboard_leads_to_no_other_folder(board, path):
    status, _, said = board_answers(board(), path, {})
    assert status in (301, 302, 308, 404)
    assert b'root:' not in said
