"""TensorBoard that checks Host and Origin of requests.

TensorBoard binds to localhost and has a content security policy, but accepts any Host: by DNS
rebinding another page could read the runs. Here Host and Origin must name the server, or the
answer is 403.
"""

import socket
from collections.abc import Callable, Iterable
from typing import Any

from tensorboard import default, program

from tfae.explorer import server


class Server(program.WerkzeugServer):
    """TensorBoard's server; refuses requests for other hosts."""

    def __init__(self, wsgi_app: Callable, flags: Any):
        super().__init__(wsgi_app, flags)
        name = flags.host or (socket.gethostname() if flags.bind_all else 'localhost')
        self.app = guarded(wsgi_app, server.hosts(name, self.server_port))


def guarded(wsgi_app: Callable, hosts: list[str]) -> Callable:
    """Wraps an application so that requests for other hosts are refused."""

    def answer(environ: dict[str, Any], start_response: Callable) -> Iterable[bytes]:
        why = server.foreign(environ, hosts)
        if not why:
            return wsgi_app(environ, start_response)
        start_response('403 Forbidden', [*server.HEADERS.items(), ('Content-Type', 'text/plain')])
        return [why.encode('ascii', 'replace')]

    return answer


def tensorboard() -> program.TensorBoard:
    """Returns TensorBoard with its own plugins on this server."""
    return program.TensorBoard(plugins=default.get_plugins(), server_class=Server)
