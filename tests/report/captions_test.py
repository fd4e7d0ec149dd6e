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
def test_what_no_command_writes_counts_as_no_file_and_is_told_once(tmp_path, name, capsys):
    (tmp_path / 'a.json').write_bytes(HOSTILE[name])
    for _ in range(2):
        assert captions.read(tmp_path / 'a.json') == {}
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f'tfae: {tmp_path}/a.json ') and line.endswith('; it is skipped')


def test_a_fifo_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / 'a.json')
    assert captions.read(tmp_path / 'a.json') == {}


def test_integers_that_no_float_holds_are_infinite(tmp_path):
    (tmp_path / 'a.json').write_text('{"a": 1' + '0' * 400 + ', "b": 12, "c": {"d": [1, 2.5]}}')
    assert captions.read(tmp_path / 'a.json') == {'a': math.inf, 'b': 12, 'c': {'d': [1, 2.5]}}


def test_numbers_that_are_not_finite_come_back(tmp_path):
    (tmp_path / 'a.json').write_text('{"a": "Infinity", "b": ["NaN", "x"], "c": -Infinity}')
    found = captions.read(tmp_path / 'a.json')
    assert found['a'] == math.inf and found['c'] == -math.inf
    assert math.isnan(found['b'][0]) and found['b'][1] == 'x'


def test_files_of_0_1_0_have_today_s_captions_and_commands(tmp_path):
    explained = {'method': 'activation_maximisation', 'tensor': 'code'}
    (tmp_path / 'explain_a.json').write_text(json.dumps(explained))
    mapped = {'method': 'integrated_gradients', 'tensor': 'grey', 'base': 'grey'}
    (tmp_path / 'explain_b.json').write_text(json.dumps(mapped))
    found = [captions.caption(tmp_path / f'explain_{name}.png', 'run') for name in 'ab']
    assert [caption.text for caption in found] == [
        'Activation maximization of code',
        'Integrated gradients of grey',
    ]
    assert [caption.command for caption in found] == [
        'tfae explain --logdir=run --method=activation_maximization --tensor=code',
        'tfae explain --logdir=run --method=integrated_gradients --tensor=grey --baseline=gray',
    ]
    files = [captions.caption(tmp_path / f'anomaly_{k}.png', 'run') for k in ('pictures', 'images')]
    assert files[0] == files[1] and 'scored files' in files[0].text
