"""Images cut for networks of ImageNet, its colors, and names of its classes."""

import json
import os

import numpy as np
import pytest
from PIL import Image

from tfae.core import errors
from tfae.pretrained import imagenet


def image(height, width):
    """Of smooth colors and of single pixels, so that every place counts."""
    random = np.random.RandomState(height)
    rough = Image.fromarray(random.randint(0, 256, [6, 5, 3], np.uint8)).resize((width, height))
    noise = random.randint(-30, 31, [height, width, 3])
    return Image.fromarray(np.clip(np.asarray(rough) + noise, 0, 255).astype(np.uint8))


def whole(image, height, width):
    """The image scaled as a whole, then cropped: torchvision's Resize(256), CenterCrop."""
    short = min(image.size)
    size = [256 if n == short else int(256 * n / short) for n in image.size]
    scaled = np.asarray(image.resize(size, Image.Resampling.BILINEAR))
    top, left = round((size[1] - height) / 2), round((size[0] - width) / 2)
    return scaled[top : top + height, left : left + width]


def exact(image, height, width):
    """The same without rounding on the way: triangles laid over the pixels, as float64."""
    pixels = np.asarray(image).astype(np.float64)
    short = min(image.size)
    sides = [256 if n == short else int(256 * n / short) for n in pixels.shape[:2]]
    by_row, by_column = map(triangles, pixels.shape[:2], sides)
    scaled = np.einsum('ih,hwc,jw->ijc', by_row, pixels, by_column, optimize=True)
    top, left = (round((n - kept) / 2) for n, kept in zip(sides, (height, width), strict=True))
    return scaled[top : top + height, left : left + width]


def triangles(old, new):
    """`[new, old]`, the part of each pixel in each scaled one."""
    scale = old / new
    middles = (np.arange(new)[:, None] + 0.5) * scale
    found = np.maximum(0, 1 - np.abs(np.arange(old) + 0.5 - middles) / max(scale, 1))
    return found / found.sum(1, keepdims=True)


@pytest.mark.parametrize(
    'height, width', [(256, 256), (300, 400), (401, 257), (90, 70), (500, 333), (224, 600)]
)
def test_a_image_is_cut_as_if_it_had_been_scaled_as_a_whole(height, width):
    found = imagenet.cut(image(height, width), 224, 224)
    assert (found.shape, found.dtype) == ((224, 224, 3), np.uint8)
    want = whole(image(height, width), 224, 224)
    np.testing.assert_allclose(found.astype(int), want, atol=1)
    # pillow rounds after each direction; moved by a pixel, these images differ by ten and more.
    error = np.abs(found - exact(image(height, width), 224, 224))
    assert error.max() < 1.01
    assert error.mean() < 0.35


def test_the_cut_of_another_network_has_its_size():
    found = imagenet.cut(image(300, 500), 227, 200)
    np.testing.assert_allclose(found.astype(int), whole(image(300, 500), 227, 200), atol=1)


def test_the_middle_of_a_very_wide_image_is_made_without_the_rest():
    strip = np.zeros([1, 30_000, 3], np.uint8)
    strip[:, 15_000:] = 255
    found = imagenet.cut(Image.fromarray(strip), 224, 224)
    # 256 pixels for each one of the strip: the slope between the two in the middle.
    ramp = 255 * (0.5 + (np.arange(224) + 0.5 - 112) / 256)
    np.testing.assert_allclose(found, np.broadcast_to(ramp[:, None], [224, 224, 3]), atol=1)


def test_colors_go_together_as_light_does():
    root = imagenet.color_root()
    assert np.linalg.norm(root, axis=1).max() == pytest.approx(1)
    covariance = root @ root.T
    deviation = np.sqrt(np.diag(covariance))
    correlation = covariance / np.outer(deviation, deviation)
    assert correlation[0, 2] < min(correlation[0, 1], correlation[1, 2])  # red and blue least
    assert correlation.min() > 0.7


def test_names_are_lines_or_the_second_words_of_the_public_index(tmp_path):
    lines, index = tmp_path / 'names.txt', tmp_path / 'index.json'
    lines.write_text('tench, Tinca tinca\n  gold\tfish \nshark\n')
    numbers = ['2', '0', '1']  # in any order
    index.write_text(json.dumps({k: [f'n{k}', f'name_{k}'] for k in numbers}))
    assert imagenet.class_names(str(lines), 3) == ('tench, Tinca tinca', 'gold fish', 'shark')
    assert imagenet.class_names(str(index), 3) == ('name_0', 'name_1', 'name_2')


@pytest.mark.parametrize(
    'content',
    [
        '{0: \'tench, Tinca tinca\',\n 1: "gold  fish",}\n',
        "{1: 'gold fish', 0: 'tench, Tinca tinca'}",
        "['tench, Tinca tinca', 'gold fish']",
        "{0: ('n0', 'tench, Tinca tinca'), 1: ('n1', 'gold fish')}",
        '{"0": "tench, Tinca tinca", "1": "gold fish"}',
        '["tench, Tinca tinca", "gold fish"]',
        'tench, Tinca tinca\ngold fish',
    ],
)
def test_names_are_read_from_text_json_and_literals_of_python(tmp_path, content):
    (tmp_path / 'names').write_text(content)
    found = imagenet.class_names(str(tmp_path / 'names'), 2)
    assert found == ('tench, Tinca tinca', 'gold fish')


def test_no_code_in_a_file_of_names_is_executed(tmp_path):
    path = tmp_path / 'names'
    for code in ("{0: open('made', 'w').name}", "[__import__('os').getcwd(), 'b']", "{0: 'a' * 9}"):
        path.write_text(code)
        with pytest.raises(errors.InputError, match='cannot be read'):
            imagenet.class_names(str(path), 1)
    assert [each.name for each in tmp_path.iterdir()] == ['names']


@pytest.mark.parametrize(
    'content, want',
    [
        (b'a\nb\nc\n', 'has 3 names; there are 2 classes'),
        (b'', 'has 0 names; there are 2 classes'),
        (b'a\n\xff\n', r'cannot be read \(UnicodeDecodeError'),
        (b'{"0": ["n0", "a"]', r'cannot be read \(JSONDecodeError'),
        (b'{"0": ["n0", "a"], "2": ["n2", "b"]}', r"cannot be read \(KeyError: '1'"),
        (b'{"0": ["n0", "a"], "1": ["n1"]}', r'cannot be read \(IndexError'),
        (
            b'{"0": ["n0", "a"], "1": ["n1", 7]}',
            r'cannot be read \(TypeError: a name is not a string',
        ),
        (b'{"0": ' + b'[' * 100_000, r'cannot be read \(RecursionError'),
    ],
)
def test_what_is_no_list_of_names_is_refused(tmp_path, content, want):
    (tmp_path / 'names').write_bytes(content)
    with pytest.raises(errors.InputError, match=rf'--class_names \S*names {want}'):
        imagenet.class_names(str(tmp_path / 'names'), 2)


def test_of_a_file_without_end_no_more_is_read_than_a_list_could_hold(tmp_path):
    path = tmp_path / 'names'
    with path.open('wb') as file:
        file.truncate(2**40)  # takes no place on the disk
    with pytest.raises(errors.InputError, match=r'names cannot be read: '):
        imagenet.class_names(str(path), 2)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(errors.InputError, match=r'names cannot be read: it is not a regular file'):
        imagenet.class_names(str(path), 2)


def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path):
    path = tmp_path / 'names'
    for content in ('a\nb\n', '{"0": ["n0", "a"], "1": ["n1", "b"]}'):
        path.write_text(content, encoding='utf-8-sig')
        assert imagenet.class_names(str(path), 2) == ('a', 'b')
