"""Templates -> HTML that stands alone: style, script, curves and images lie in the file itself.

Whatever a template is given is escaped; a policy in the page forbids all but what it brought.
"""

import base64
import functools
import hashlib
import io
import os
import pathlib
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jinja2
from PIL import Image

from tfae.core import bounded_files
from tfae.report import measures

_ASSETS = pathlib.Path(__file__).parent / 'assets'
_KINDS = {'PNG': 'image/png', 'GIF': 'image/gif'}

MAX_IMAGE = 4_000_000  # bytes of the largest image that is put into a page
MAX_IMAGES = 24_000_000  # of all of them


class Embedded(NamedTuple):
    """An image as a page holds it."""

    source: str  # data: URI
    width: int  # pixels
    height: int


class Images:
    """Takes images into a page until it is large enough."""

    def __init__(self, image: int = MAX_IMAGE, images: int = MAX_IMAGES):
        self._image, self._left = image, images

    def take(self, path: pathlib.Path) -> Embedded | str:
        """The image in a PNG or GIF, or the words that say why it is left out."""
        try:
            with bounded_files.open_regular(path) as file:
                size = os.fstat(file.fileno()).st_size
                if size > min(self._image, self._left):
                    bound = 'an image' if size > self._image else 'all images of a page'
                    most = self._image if bound == 'an image' else MAX_IMAGES
                    return f'it takes {_megabytes(size)}, {bound} may take {_megabytes(most)}'
                content = file.read(size)
            with warnings.catch_warnings():
                warnings.simplefilter('ignore')
                with Image.open(io.BytesIO(content), formats=list(_KINDS)) as image:
                    kind, (width, height) = str(image.format), image.size
                    image.verify()
        except Exception:  # damaged bytes draw nearly anything from pillow
            return 'it cannot be read'
        self._left -= len(content)
        text = base64.b64encode(content).decode()
        return Embedded(f'data:{_KINDS[kind]};base64,{text}', width, height)


def render(template: str, plots: Sequence[Mapping[str, Any]], **values: Any) -> str:
    """A page: a template of assets/ with curves and whatever else it names."""
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
    # Names of files may hold bytes, and JSON halves of characters, that no text can.
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
    return environment
