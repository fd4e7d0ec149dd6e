"""TensorBoard, at its own address alone.

TensorBoard listens on this machine alone and has a content security policy, but answers under every
name: a foreign page whose name is made to mean 127.0.0.1 could read the runs. Here the headers
Host and Origin must name the server, or the answer is 403.
"""

import socket
from collections.abc import Callable, Iterable
from typing import Any

from tensorboard import default, program

from tfae.explorer import server


class Server(program.WerkzeugServer):
    """TensorBoard's server, which answers nobody who means another."""

    def __init__(self, wsgi_app: Callable, flags: Any):
        super().__init__(wsgi_app, flags)
        name = flags.host or (socket.gethostname() if flags.bind_all else 'localhost')
        self.app = guarded(wsgi_app, server.hosts(name, self.server_port))


def guarded(wsgi_app: Callable, hosts: list[str]) -> Callable:
    """An application that refuses requests to other hosts than these."""

    def answer(environ: dict[str, Any], start_response: Callable) -> Iterable[bytes]:
        why = server.foreign(environ, hosts)
        if not why:
            return wsgi_app(environ, start_response)
        start_response('403 Forbidden', [*server.HEADERS.items(), ('Content-Type', 'text/plain')])
        return [why.encode('ascii', 'replace')]

    return answer


def tensorboard() -> program.TensorBoard:
    """TensorBoard with its own plugins, behind that server."""
    return program.TensorBoard(plugins=default.get_plugins(), server_class=Server)
