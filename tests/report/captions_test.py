"""JSON files of other commands, as pages read them."""

import json
import math
import os

import pytest

from tfae.report import captions

HOSTILE = {
    'deep': b'{"a": ' + b'[' * 100_000 + b']' * 100_000 + b'}',
    'rather deep': json.dumps({'a': [[[[[[[[[[1]]]]]]]]]]}).encode(),
    'a long key': json.dumps({'k' * 5000: 1}).encode(),
    'a list': b'[1, 2]',
    'no text': b'\xff\xfe\x00{',
    'large': b'{"a": "' + b'x' * 2**24 + b'"}',
    'nothing': b'',
}


@pytest.mark.parametrize('name', HOSTILE)
def test_what_no_command_writes_counts_as_no_file(tmp_path, name):
    (tmp_path / 'a.json').write_bytes(HOSTILE[name])
    assert captions.read(tmp_path / 'a.json') == {}


def test_a_fifo_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / 'a.json')
    assert captions.read(tmp_path / 'a.json') == {}


def test_integers_that_no_float_holds_are_infinite(tmp_path):
    (tmp_path / 'a.json').write_text('{"a": 1' + '0' * 400 + ', "b": 12, "c": {"d": [1, 2.5]}}')
    assert captions.read(tmp_path / 'a.json') == {'a': math.inf, 'b': 12, 'c': {'d': [1, 2.5]}}


def test_what_lies_just_within_the_bounds_is_read(tmp_path):
    path = tmp_path / 'a.json'
    for depth, read in ((6, True), (7, False)):
        path.write_text('{"a": ' + '[' * depth + '1' + ']' * depth + '}')
        assert bool(captions.read(path)) == read, depth
    for length, read in ((1000, True), (1001, False)):
        path.write_text(json.dumps({'a': [{'k' * length: 1}]}))
        assert bool(captions.read(path)) == read, length
    for length, read in ((2**24, True), (2**24 + 1, False)):
        path.write_text('{"a": "' + 'x' * (length - 9) + '"}')
        assert path.stat().st_size == length
        assert bool(captions.read(path)) == read, length
