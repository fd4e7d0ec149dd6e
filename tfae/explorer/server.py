"""Serves the page on one port of this machine until it is told to end."""

import re
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from werkzeug import serving

from tfae import checks
from tfae.interrupt import Interrupt

_HERE = ('localhost', '127.0.0.1', '[::1]')
_IDLE = 30  # seconds that a connection may say nothing
_LOOK = 0.1  # seconds between two looks for a signal


class _Handler(serving.WSGIRequestHandler):
    timeout = _IDLE

    def version_string(self) -> str:
        return 'tfae'

    def log(self, *_: Any) -> None:  # neither requests nor what strangers send that is none
        pass


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 is one that is free.

    Raises: InputError that names host and port if another program has them, or they cannot be had.
    """
    if not re.fullmatch(r'[\w.:%-]+', host):
        raise checks.UsageError(f'--host is {host!r}; it must be a name or an address')
    family = socket.AF_INET6 if ':' in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        # Python adds the address to the words of the system.
        why = str(error.strerror).partition(' (while ')[0]
        raise checks.InputError(
            f'--host {host}, --port {port} cannot be served: {why}; --port=0 takes one that is free'
        ) from None


def hosts(host: str, port: int) -> list[str]:
    """What may stand in the header Host of a request to the page, the page's own address first."""
    found = dict.fromkeys([f'[{host}]' if ':' in host else host, *_HERE])
    # A browser leaves out the port of http.
    bare = list(found) if port == 80 else []
    return [f'{name}:{port}' for name in found] + bare


def bound(listening: socket.socket, application: Callable) -> serving.BaseWSGIServer:
    """A server of this application on a socket that listens; each request has its own thread."""
    host, port = listening.getsockname()[:2]
    fd = listening.fileno()
    return serving.make_server(
        host, port, application, threaded=True, request_handler=_Handler, fd=fd
    )


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
