"""WSGI application of the page: its files, the latent space of a run, and decoded images.

    GET  /, /explorer.css, /*.js, /icon.svg    the page
    GET  /space                                JSON: components, bounds, points, attributes
    GET  /gallery.png                          sheet of the images to choose from
    GET  /gallery/<index>                      one image, as bytes
    POST /decode                               a move (`moves.py`) -> the decoded image, as bytes
    POST /save                                 a move with a scale -> the same as a PNG file

Bytes are rows of pixels, K per pixel. The headers X-Height, X-Width and X-Channels hold the shape,
X-Start and X-Place the components of the code before and after attributes are added. An invalid
request is answered with one line of text.

Requests from other pages are refused: Host and Origin must name this server, which also stops DNS
rebinding. The numeric address that a connection was made to is always accepted.
"""

import pathlib
import threading
import time
import traceback
from collections.abc import Callable, Collection, Iterable
from typing import Any

import numpy as np
from werkzeug import exceptions, routing
from werkzeug.wrappers import Request, Response

from tfae.core import json_text
from tfae.explorer import moves, server, thumbnails
from tfae.explorer.space import WAYS, Space

_ASSETS = pathlib.Path(__file__).parent / 'assets'
_KINDS = {
    '.html': 'text/html; charset=utf-8',
    '.css': 'text/css; charset=utf-8',
    '.js': 'text/javascript; charset=utf-8',
    '.svg': 'image/svg+xml',
}
_BODY = 16_384  # bytes


class _Request(Request):
    max_content_length = _BODY


class Application:
    """A WSGI application over one decoder."""

    def __init__(
        self,
        about: dict[str, Any],
        space: Space,
        images: np.ndarray,
        labels: np.ndarray | None,
        decode: Callable[[np.ndarray], np.ndarray],
        hosts: Collection[str],
    ):
        """Prepares all that does not change between requests.

        Args:
          about: texts on the run: `title`, `model`, `images`, and the names of `classes`.
          space: latent space of the codes of the images.
          images: `[N, H, W, C]`, in the order of the codes of `space`.
          labels: `[N]` or None.
          decode: codes `[1, Z]` -> images `[1, H, W, C]`; called by one thread at a time.
          hosts: accepted `name:port` of the header Host.
        """
        self._space, self._images, self._decode = space, images, decode
        self._hosts = hosts
        self._lock = threading.Lock()
        self._closed = False
        ways = tuple(WAYS)
        self._limits = moves.Limits(len(space.center), len(images), len(space.names), ways)
        chosen = thumbnails.gallery(labels, len(images))
        self._gallery = thumbnails.png(
            thumbnails.sheet([thumbnails.shown(images[i]) for i in chosen])
        )
        self._known = json_text.dumps(about | _described(space, images[0], labels, chosen))
        self._files = {
            '/' if path.name == 'index.html' else f'/{path.name}': (
                path.read_bytes(),
                _KINDS[path.suffix],
            )
            for path in sorted(_ASSETS.iterdir())
        }
        self._routes = routing.Map(
            [
                *(routing.Rule(path, endpoint=self._file, methods=['GET']) for path in self._files),
                routing.Rule('/space', endpoint=self._space_known, methods=['GET']),
                routing.Rule('/gallery.png', endpoint=self._gallery_shown, methods=['GET']),
                routing.Rule('/gallery/<int:index>', endpoint=self._image, methods=['GET']),
                routing.Rule('/decode', endpoint=self._answer, methods=['POST']),
                routing.Rule('/save', endpoint=self._save, methods=['POST']),
            ],
            merge_slashes=False,
        )

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answers one WSGI request."""
        request = _Request(environ)
        try:
            if why := server.foreign(environ, self._hosts):
                raise exceptions.Forbidden(why)
            endpoint, values = self._routes.bind_to_environ(environ).match()
            response = endpoint(request, **values)
        except exceptions.HTTPException as error:
            response = _refusal(error)
        except Exception:
            traceback.print_exc()  # on the terminal alone, never in an answer
            response = _refusal(exceptions.InternalServerError('the program failed'))
        response.headers.update(server.HEADERS)
        return response(environ, start_response)

    def close(self) -> None:
        """Waits for the decoder to finish, and refuses all later requests to it."""
        with self._lock:
            self._closed = True

    def _file(self, request: Request) -> Response:
        content, kind = self._files[request.path]
        return Response(content, content_type=kind)

    def _space_known(self, _: Request) -> Response:
        return Response(self._known, mimetype='application/json')

    def _gallery_shown(self, _: Request) -> Response:
        return Response(self._gallery, mimetype='image/png')

    def _image(self, _: Request, index: int) -> Response:
        if index >= len(self._images):
            raise exceptions.NotFound(f'there are {len(self._images)} images')
        return _raw(thumbnails.shown(self._images[index]))

    def _answer(self, request: Request) -> Response:
        move = self._move(request)
        start = self._space.code(move)
        code = start + self._space.added(move)
        image, seconds = self._decoded(code)
        response = _raw(image)
        for name, place in (('X-Start', start), ('X-Place', code)):
            numbers = self._space.place(place)
            response.headers[name] = ','.join(f'{number:.6g}' for number in numbers)
        response.headers['Server-Timing'] = f'decode;dur={1000 * seconds:.3f}'
        return response

    def _save(self, request: Request) -> Response:
        move = self._move(request, scaled=True)
        code = self._space.code(move) + self._space.added(move)
        words = {
            'Software': 'tfae explore',
            'Code': json_text.dumps([round(float(x), 6) for x in code]),
        }
        content = thumbnails.png(self._decoded(code)[0], move.scale, words)
        response = Response(content, mimetype='image/png')
        response.headers['Content-Disposition'] = 'attachment; filename="decoded.png"'
        return response

    def _move(self, request: Request, scaled: bool = False) -> moves.Move:
        if request.mimetype != 'application/json':
            raise exceptions.UnsupportedMediaType('the body must be application/json')
        try:
            return moves.read(request.get_data(), self._limits, scaled)
        except ValueError as error:
            raise exceptions.BadRequest(str(error)) from None

    def _decoded(self, code: np.ndarray) -> tuple[np.ndarray, float]:
        """Returns the decoded image, uint8 `[H, W, K]`, and the decoding time in seconds."""
        with self._lock:
            if self._closed:
                raise exceptions.ServiceUnavailable('the server is shutting down')
            start = time.perf_counter()
            image = self._decode(code[None])[0]
            seconds = time.perf_counter() - start
        return thumbnails.shown(image), seconds


def _refusal(error: exceptions.HTTPException) -> Response:
    """Returns an error response of one line."""
    text = f'{error.code} {error.name}: {error.description}'
    response = Response(f'{" ".join(text.split())}\n', error.code, mimetype='text/plain')
    if isinstance(error, exceptions.MethodNotAllowed) and error.valid_methods:
        response.allow.update(error.valid_methods)
    return response


def _raw(image: np.ndarray) -> Response:
    """Returns an image `[H, W, K]` as its bytes."""
    response = Response(image.tobytes(), mimetype='application/octet-stream')
    for name, size in zip(('X-Height', 'X-Width', 'X-Channels'), image.shape, strict=True):
        response.headers[name] = str(size)
    return response


def _described(
    space: Space, image: np.ndarray, labels: np.ndarray | None, chosen: list[int]
) -> dict[str, Any]:
    """Returns the latent space as JSON for the page."""
    components = [
        {'low': low, 'high': high, 'center': center, 'share': share}
        for (low, high), center, share in zip(space.bounds, space.center, space.shares, strict=True)
    ]
    return {
        'shape': thumbnails.shown(image).shape,
        'size': space.codes.shape[1],
        'count': len(space.codes),
        'components': components,
        'points': space.coordinates[:, :2].round(4).tolist(),
        'labels': None if labels is None else labels.tolist(),
        'attributes': space.names,
        'strength': moves.STRENGTH,
        'scale': moves.SCALE,
        'ways': tuple(WAYS),
        'gallery': chosen,
    }
