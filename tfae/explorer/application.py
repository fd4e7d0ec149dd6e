"""The page over HTTP: what it is made of, what it knows of a run, and the decoder's answers.

    GET  /, /explorer.css, /*.js, /icon.svg    the page
    GET  /space                                JSON: what can be moved, and how far
    GET  /gallery.png                          the images to choose from
    GET  /gallery/<place>                     one of them, as bytes
    POST /decode                               a move (`moves.py`) -> the decoder's answer, as bytes
    POST /save                                 a move with a scale -> the same as PNG, to keep

Bytes are rows of pixels, K a pixel; the headers X-Height, X-Width and X-Channels tell how many,
X-Start and X-Place the components of the code before and after attributes were added. Whatever is
wrong is answered with one line of text.

Only the page itself is answered: a Host or an Origin of any other name is refused, so that no other
page that the reader has open reaches this one, not even by a name that it makes point here. The
address that a request came to, in numbers, is no such name, and always the page's.
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
        """Takes what the page is to show.

        Args:
          about: of the run, in words: `title`, `model`, `images`, and the `classes` by number.
          space: of the codes of the images.
          images: `[N, H, W, C]`, whose codes the space holds.
          labels: `[N]` or None.
          decode: codes `[1, Z]` -> images `[1, H, W, C]`; called by one thread at a time.
          hosts: `name:port` by which the page may be asked for.
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
                routing.Rule('/gallery/<int:place>', endpoint=self._image, methods=['GET']),
                routing.Rule('/decode', endpoint=self._answer, methods=['POST']),
                routing.Rule('/save', endpoint=self._save, methods=['POST']),
            ],
            merge_slashes=False,
        )

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answers one request, as WSGI has it."""
        request = _Request(environ)
        try:
            if why := server.foreign(environ, self._hosts):
                raise exceptions.Forbidden(why)
            endpoint, values = self._routes.bind_to_environ(environ).match()
            response = endpoint(request, **values)
        except exceptions.HTTPException as error:
            response = _refusal(error)
        except Exception:
            traceback.print_exc()  # for the terminal; a page is told nothing of the machine
            response = _refusal(exceptions.InternalServerError('the program failed'))
        response.headers.update(server.HEADERS)
        return response(environ, start_response)

    def close(self) -> None:
        """Waits until nobody asks the decoder, and lets nobody ask any more."""
        with self._lock:
            self._closed = True

    def _file(self, request: Request) -> Response:
        content, kind = self._files[request.path]
        return Response(content, content_type=kind)

    def _space_known(self, _: Request) -> Response:
        return Response(self._known, mimetype='application/json')

    def _gallery_shown(self, _: Request) -> Response:
        return Response(self._gallery, mimetype='image/png')

    def _image(self, _: Request, place: int) -> Response:
        if place >= len(self._images):
            raise exceptions.NotFound(f'there are {len(self._images)} images')
        image = thumbnails.shown(self._images[place])
        return _raw(image)

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
        """The decoder's image, uint8 `[H, W, K]`, and the seconds that it took."""
        with self._lock:
            if self._closed:
                raise exceptions.ServiceUnavailable('the program ends')
            start = time.perf_counter()
            image = self._decode(code[None])[0]
            seconds = time.perf_counter() - start
        return thumbnails.shown(image), seconds


def _refusal(error: exceptions.HTTPException) -> Response:
    """One line of text."""
    text = f'{error.code} {error.name}: {error.description}'
    response = Response(f'{" ".join(text.split())}\n', error.code, mimetype='text/plain')
    if isinstance(error, exceptions.MethodNotAllowed) and error.valid_methods:
        response.allow.update(error.valid_methods)
    return response


def _raw(image: np.ndarray) -> Response:
    """An image `[H, W, K]` as its bytes."""
    response = Response(image.tobytes(), mimetype='application/octet-stream')
    for name, size in zip(('X-Height', 'X-Width', 'X-Channels'), image.shape, strict=True):
        response.headers[name] = str(size)
    return response


def _described(
    space: Space, image: np.ndarray, labels: np.ndarray | None, chosen: list[int]
) -> dict[str, Any]:
    """What the page needs to know of the codes."""
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
