"""Renders self-contained HTML pages: style, script, curves and images are embedded.

All values are escaped; the page's content security policy blocks everything not embedded.
"""

import base64
import functools
import hashlib
import io
import os
import pathlib
import shlex
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jinja2
from PIL import Image

from tfae.core import bounded_files
from tfae.report import measures

_ASSETS = pathlib.Path(__file__).parent / 'assets'
_KINDS = {'PNG': 'image/png', 'GIF': 'image/gif'}

MAX_IMAGE = 4_000_000  # bytes of one embedded image
MAX_IMAGES = 24_000_000  # bytes of all images of a page


class Embedded(NamedTuple):
    """An image as a data URI."""

    source: str  # data: URI
    width: int  # pixels
    height: int


class Images:
    """Embeds images into a page up to a total size."""

    def __init__(self, image: int = MAX_IMAGE, images: int = MAX_IMAGES):
        self._image, self._left = image, images

    def embed(self, path: pathlib.Path) -> Embedded | str:
        """Returns the image in a PNG or GIF, or the reason why it is left out."""
        try:
            with bounded_files.open_regular(path) as file:
                size = os.fstat(file.fileno()).st_size
                if size > min(self._image, self._left):
                    bound = 'an image' if size > self._image else 'all images of a page'
                    limit = self._image if bound == 'an image' else MAX_IMAGES
                    return f'it takes {_megabytes(size)}, {bound} may take {_megabytes(limit)}'
                content = file.read(size)
            with warnings.catch_warnings():
                warnings.simplefilter('ignore')
                with Image.open(io.BytesIO(content), formats=list(_KINDS)) as image:
                    kind, (width, height) = str(image.format), image.size
                    image.verify()
        except Exception:  # damaged bytes make pillow raise nearly anything
            return 'it cannot be read'
        self._left -= len(content)
        text = base64.b64encode(content).decode()
        return Embedded(f'data:{_KINDS[kind]};base64,{text}', width, height)


def render(template: str, plots: Sequence[Mapping[str, Any]], **values: Any) -> str:
    """Renders a template of assets/ with curves and the other values that it uses."""
    script = (_ASSETS / 'curves.js').read_text()
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    page = (
        _environment()
        .get_template(template)
        .render(
            script=script,
            script_hash=f'sha256-{digest}',
            style=(_ASSETS / 'page.css').read_text(),
            plots=plots,
            **values,
        )
    )
    # File names may hold bytes, and JSON surrogates, that UTF-8 cannot encode.
    return page.encode(errors='replace').decode()


def _megabytes(count: int) -> str:
    return f'{count / 1e6:.1f} MB'


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_ASSETS),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters['number'] = measures.number
    environment.filters['quote'] = shlex.quote
    return environment
