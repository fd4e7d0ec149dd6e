"""Serves the page on one port of this machine until it is told to end."""

import contextlib
import email.message
import errno
import http
import re
import socket
import sys
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from werkzeug import serving

from tfae.core import errors
from tfae.core.signals import Interrupt

_HERE = ('localhost', '127.0.0.1', '[::1]')
_EVERYWHERE = {'0.0.0.0': '127.0.0.1', '::': '[::1]'}  # no addresses to ask for the page by
_LOOK = 0.1  # seconds between two looks for a signal, a free place or a late request
_YOUNG = 2.0  # seconds in which a connection is not ended for others that wait
_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_LEFT = 2**20  # bytes that are read of what is refused, so that its sender gets to the answer
_REACHED = 'tfae.reached'  # in the environment of a request: where its connection came to

CONNECTIONS = 64  # that are answered at a time; a browser opens six
DEADLINE = 30.0  # seconds from a connection to the end of the answer to its one request

# Of every answer.
HEADERS = {
    'Content-Security-Policy': "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' blob: data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    'X-Content-Type-Options': 'nosniff',
    'X-Frame-Options': 'DENY',
    'Referrer-Policy': 'no-referrer',
    'Cross-Origin-Resource-Policy': 'same-origin',
    'Cache-Control': 'no-store',  # the next run may have the same port
}


class _Server(serving.ThreadedWSGIServer):
    """Answers so many connections at a time, each in a thread and until a deadline.

    Others wait in the system's queue. While they do, the oldest connections are ended, so that
    those that say nothing hold nobody up.
    """

    def __init__(
        self, listening: socket.socket, application: Callable, connections: int, deadline: float
    ):
        host, port = listening.getsockname()[:2]
        super().__init__(host, port, application, _Handler, fd=listening.fileno())
        self._deadline = deadline
        self._free = threading.Semaphore(connections)
        self._lock = threading.Lock()
        self._began: dict[socket.socket, float] = {}  # connection that is open -> since when

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accepts a connection. Raises OSError where none can be had, after a while: no spin."""
        if not self._free.acquire(timeout=_LOOK):
            self._end_those_before(time.monotonic() - min(_YOUNG, self._deadline), most=1)
            raise BlockingIOError
        try:
            return super().get_request()
        except OSError as error:
            self._free.release()
            if error.errno in _EXHAUSTED:
                time.sleep(_LOOK)
            raise

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._began[request] = time.monotonic()
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:  # the end of every one that was accepted
        with self._lock:
            del self._began[request]
        super().shutdown_request(request)
        self._free.release()

    def service_actions(self) -> None:  # at least every `_LOOK`
        super().service_actions()
        self._end_those_before(time.monotonic() - self._deadline)

    def _end_those_before(self, moment: float, most: int | None = None) -> None:
        """Ends the connections, the oldest first, that began before a moment: their reads end."""
        with self._lock:
            late = [request for request, began in self._began.items() if began <= moment]
            for request in late[:most]:
                with contextlib.suppress(OSError):
                    request.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says nothing of connections that are gone and of threads that cannot be had."""
        if not isinstance(sys.exc_info()[1], OSError | RuntimeError):
            super().handle_error(request, client_address)

    def log(self, *_: Any) -> None:  # of answers that could not be given
        pass


class _Handler(serving.WSGIRequestHandler):
    def version_string(self) -> str:
        return 'tfae'

    def log(self, *_: Any) -> None:  # neither requests nor what others send that is none
        pass

    def log_request(self, *_: Any, **__: Any) -> None:  # its own cannot tell every line
        pass

    def parse_request(self) -> bool:
        if not super().parse_request():
            return False
        wrong = _wrong(self.request_version, self.path, self.headers)
        if wrong:
            self.send_error(wrong)
        return not wrong

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answers what no application sees, in one line that repeats nothing of it."""
        status = http.HTTPStatus(code)
        self.request_version = self.protocol_version  # unknown as yet, or one of no status
        body = f'{code} {status.phrase}: {status.description or "it is no request"}\n'.encode()
        self.send_response(code, status.phrase)
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.send_header('Content-Type', 'text/plain; charset=utf-8')
        self.send_header('Content-Length', str(len(body)))
        self.send_header('Connection', 'close')
        self.end_headers()
        if self.command != 'HEAD':
            self.wfile.write(body)
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.settimeout(_LOOK)
            self.rfile.read(_LEFT)

    def make_environ(self) -> dict[str, Any]:
        address, port = self.connection.getsockname()[:2]
        here = _bracketed(address.partition('%')[0])  # without the interface
        return {**super().make_environ(), _REACHED: frozenset(_at([here], port))}


def _wrong(version: str, path: str, headers: email.message.Message) -> int:
    """The status of a request whose place or end cannot be told for sure; 0 for all others."""
    if version == 'HTTP/0.9':  # has no headers, nor has its answer
        return http.HTTPStatus.HTTP_VERSION_NOT_SUPPORTED
    try:
        urllib.parse.urlsplit(path)
    except ValueError:
        return http.HTTPStatus.BAD_REQUEST
    if 'Transfer-Encoding' in headers:
        return http.HTTPStatus.LENGTH_REQUIRED
    lengths = headers.get_all('Content-Length', [])
    whole = all(re.fullmatch('[0-9]+', length) for length in lengths)
    return 0 if whole and len(lengths) < 2 else http.HTTPStatus.BAD_REQUEST


def reached(environ: Mapping[str, Any]) -> frozenset[str]:
    """The address that a request came to, in numbers and as Host tells it."""
    return environ.get(_REACHED, frozenset())


def foreign(environ: Mapping[str, Any], hosts: Iterable[str]) -> str:
    """Why a request is not one to a page at these hosts; empty where it is.

    Else a foreign page whose name is made to mean this machine could read all answers.
    """
    host, origin = environ.get('HTTP_HOST', ''), environ.get('HTTP_ORIGIN')
    own = {name.lower() for name in hosts} | reached(environ)
    if host.lower() not in own:
        return f'the page is not at {host[:100]!r}'
    if origin is not None and origin.lower() not in {f'http://{name}' for name in own}:
        return f'pages of {origin[:100]!r} may not ask here'
    return ''


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 is one that is free.

    Raises: InputError that names host and port if another program has them, or they cannot be had.
    """
    if not re.fullmatch(r'[\w.:%-]+', host):
        raise errors.UsageError(f'--host is {host!r}; it must be a name or an address')
    family = socket.AF_INET6 if ':' in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        # Python adds the address to the words of the system.
        why = str(error.strerror).partition(' (while ')[0]
        raise errors.InputError(
            f'--host {host}, --port {port} cannot be served: {why}; --port=0 takes one that is free'
        ) from None


def hosts(host: str, port: int) -> list[str]:
    """What may stand in the header Host of a request to the page, the page's own address first."""
    first = _EVERYWHERE.get(host) or _bracketed(host)
    return _at(dict.fromkeys([first, *_HERE]), port)


def _bracketed(host: str) -> str:
    """As an address of a page has it: colons of numbers are told from that before the port."""
    return f'[{host}]' if ':' in host else host


def _at(names: Iterable[str], port: int) -> list[str]:
    """These names with the port; a browser leaves out that of http."""
    names = list(names)
    return [f'{name}:{port}' for name in names] + (names if port == 80 else [])


def bound(
    listening: socket.socket,
    application: Callable,
    connections: int = CONNECTIONS,
    deadline: float = DEADLINE,
) -> serving.BaseWSGIServer:
    """A server of this application on a socket that listens.

    Args:
      listening: the socket.
      application: as WSGI has it.
      connections: answered at a time, each in a thread of its own.
      deadline: seconds that a connection may last.
    """
    return _Server(listening, application, connections, deadline)


def serve(listening: socket.socket, application: Callable, announce: Callable[[], None]) -> None:
    """Serves until SIGINT or SIGTERM; calls `announce` once requests are answered."""
    server = bound(listening, application)
    thread = threading.Thread(target=server.serve_forever, args=[_LOOK], daemon=True)
    with Interrupt() as interrupt:
        thread.start()
        announce()
        while not interrupt.number:
            time.sleep(_LOOK)
    server.shutdown()
    thread.join()
