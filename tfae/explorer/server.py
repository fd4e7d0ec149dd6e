"""Local HTTP server with bounded connections, deadlines and strict request checks."""

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
_WILDCARDS = {'0.0.0.0': '127.0.0.1', '::': '[::1]'}  # address to bind -> address to request
_POLL = 0.1  # seconds between checks for a signal, a free slot or an overdue request
_MIN_AGE = 2.0  # seconds before a connection may be closed in favor of waiting ones
_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_DRAINED = 2**20  # bytes read of a refused request, so that its sender receives the answer
_REACHED = 'tfae.reached'  # WSGI key: local address of the connection

CONNECTIONS = 64  # served concurrently; a browser opens six
DEADLINE = 30.0  # seconds from accepting a connection to the end of its one response

# Sent with every response.
HEADERS = {
    'Content-Security-Policy': "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' blob: data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    'X-Content-Type-Options': 'nosniff',
    'X-Frame-Options': 'DENY',
    'Referrer-Policy': 'no-referrer',
    'Cross-Origin-Resource-Policy': 'same-origin',
    'Cache-Control': 'no-store',  # another run may use the same port later
}


class _Server(serving.ThreadedWSGIServer):
    """Serves a bounded number of connections, each in a thread and with a deadline.

    Others wait in the kernel's queue. Meanwhile the oldest connections are closed, so that idle
    ones do not block the queue.
    """

    def __init__(
        self, listening: socket.socket, application: Callable, connections: int, deadline: float
    ):
        host, port = listening.getsockname()[:2]
        super().__init__(host, port, application, _Handler, fd=listening.fileno())
        self._deadline = deadline
        self._free = threading.Semaphore(connections)
        self._lock = threading.Lock()
        self._began: dict[socket.socket, float] = {}  # open connection -> when it was accepted

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accepts a connection; raises OSError after a pause if there is none."""
        if not self._free.acquire(timeout=_POLL):
            self._close_before(time.monotonic() - min(_MIN_AGE, self._deadline), limit=1)
            raise BlockingIOError
        try:
            return super().get_request()
        except OSError as error:
            self._free.release()
            if error.errno in _EXHAUSTED:
                time.sleep(_POLL)
            raise

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._began[request] = time.monotonic()
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:  # called for every accepted connection
        with self._lock:
            del self._began[request]
        super().shutdown_request(request)
        self._free.release()

    def service_actions(self) -> None:  # at least every `_POLL` seconds
        super().service_actions()
        self._close_before(time.monotonic() - self._deadline)

    def _close_before(self, moment: float, limit: int | None = None) -> None:
        """Shuts down connections accepted before a moment, the oldest first."""
        with self._lock:
            late = [request for request, began in self._began.items() if began <= moment]
            for request in late[:limit]:
                with contextlib.suppress(OSError):
                    request.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignores broken connections and failures to start a thread."""
        if not isinstance(sys.exc_info()[1], OSError | RuntimeError):
            super().handle_error(request, client_address)

    def log(self, *_: Any) -> None:  # failed responses are not logged
        pass


class _Handler(serving.WSGIRequestHandler):
    def version_string(self) -> str:
        return 'tfae'

    def log(self, *_: Any) -> None:  # neither requests nor malformed input are logged
        pass

    def log_request(self, *_: Any, **__: Any) -> None:  # werkzeug's fails on some request lines
        pass

    def parse_request(self) -> bool:
        if not super().parse_request():
            return False
        wrong = _wrong(self.request_version, self.path, self.headers)
        if wrong:
            self.send_error(wrong)
        return not wrong

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answers a malformed request in one line that echoes none of its content."""
        status = http.HTTPStatus(code)
        self.request_version = self.protocol_version  # may be unset, or HTTP/0.9
        body = f'{code} {status.phrase}: {status.description or "malformed request"}\n'.encode()
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
            self.connection.settimeout(_POLL)
            self.rfile.read(_DRAINED)

    def make_environ(self) -> dict[str, Any]:
        address, port = self.connection.getsockname()[:2]
        here = _bracketed(address.partition('%')[0])  # without the interface
        return {**super().make_environ(), _REACHED: frozenset(_at([here], port))}


def _wrong(version: str, path: str, headers: email.message.Message) -> int:
    """Returns the error status of a request with an ambiguous target or length; 0 if valid."""
    if version == 'HTTP/0.9':  # without headers, also in the response
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
    """Returns the local address of the connection of a request, in the form of a header Host."""
    return environ.get(_REACHED, frozenset())


def foreign(environ: Mapping[str, Any], hosts: Iterable[str]) -> str:
    """Returns why a request is not meant for a page at these hosts; empty if it is.

    Without the check another page could read all responses by DNS rebinding.
    """
    host, origin = environ.get('HTTP_HOST', ''), environ.get('HTTP_ORIGIN')
    own = {name.lower() for name in hosts} | reached(environ)
    if host.lower() not in own:
        return f'the page is not at {host[:100]!r}'
    if origin is not None and origin.lower() not in {f'http://{name}' for name in own}:
        return f'requests of pages from {origin[:100]!r} are refused'
    return ''


def check_host(host: str) -> None:
    """Raises UsageError for a host that can be neither a name nor an address."""
    try:
        host.encode('idna')
        valid = re.fullmatch(r'[\w.:%-]+', host)
    except UnicodeError:  # such as a label of more than 63 characters
        valid = None
    if not valid:
        raise errors.UsageError(f'--host is {host[:80]!r}; it must be a name or an address')


def listen(host: str, port: int) -> socket.socket:
    """Returns a listening socket; port 0 picks a free port.

    Raises: UsageError for an invalid host, InputError if the address cannot be bound.
    """
    check_host(host)
    family = socket.AF_INET6 if ':' in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        # Python appends the address to the message of the system.
        why = str(error.strerror).partition(' (while ')[0]
        raise errors.InputError(
            f'--host {host}, --port {port} cannot be served: {why}; --port=0 selects a free one'
        ) from None


def hosts(host: str, port: int) -> list[str]:
    """Returns the valid values of the header Host, the address of the page first."""
    first = _WILDCARDS.get(host) or _bracketed(host)
    return _at(dict.fromkeys([first, *_HERE]), port)


def _bracketed(host: str) -> str:
    """Returns a host as in a URL: IPv6 addresses in brackets."""
    return f'[{host}]' if ':' in host else host


def _at(names: Iterable[str], port: int) -> list[str]:
    """Returns these names with the port; a browser omits port 80."""
    names = list(names)
    return [f'{name}:{port}' for name in names] + (names if port == 80 else [])


def bound(
    listening: socket.socket,
    application: Callable,
    connections: int = CONNECTIONS,
    deadline: float = DEADLINE,
) -> serving.BaseWSGIServer:
    """Returns a server of a WSGI application on a listening socket.

    Args:
      listening: the socket.
      application: WSGI application.
      connections: served concurrently, each in a thread of its own.
      deadline: longest duration of a connection in seconds.
    """
    return _Server(listening, application, connections, deadline)


def serve(listening: socket.socket, application: Callable, announce: Callable[[], None]) -> None:
    """Serves until SIGINT or SIGTERM; calls `announce` once the server accepts requests."""
    server = bound(listening, application)
    thread = threading.Thread(target=server.serve_forever, args=[_POLL], daemon=True)
    with Interrupt() as interrupt:
        thread.start()
        announce()
        while not interrupt.number:
            time.sleep(_POLL)
    server.shutdown()
    thread.join()
