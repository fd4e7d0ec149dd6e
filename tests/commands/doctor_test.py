"""`tfae doctor` and `tfae build-op`, as their users run them."""

import json
import os
import sys

import pytest
import tfae_program

from tfae import op_library


def doctor(tmp_path, *words, **environment):
    return tfae_program.run('doctor', *words, cwd=tmp_path, **environment)


def test_what_is_there_is_told_and_the_op_checked(tmp_path):
    done = doctor(tmp_path, '--json')
    found = json.loads(done.out)
    assert done.err == ''
    assert done.code == (1 if found['troubles'] else 0)
    assert found['installed']['python'] == '.'.join(map(str, sys.version_info[:3]))
    assert found['machine']['processors'] == os.cpu_count()
    assert found['op']['check'] == 'equals the stock definition'
    if found['op']['in use'].startswith('compiled op'):
        assert found['op']['built for'] == f'TensorFlow {found["installed"]["tensorflow"]}'
        assert any(char.isdigit() for char in found['op']['built by'])
        assert found['troubles'] == []


def test_stock_operations_that_were_asked_for_are_no_trouble(tmp_path):
    done = doctor(tmp_path, TFAE_SUBPIXEL='stock')
    assert (done.code, done.err) == (0, '')
    assert 'stock TensorFlow ops, as TFAE_SUBPIXEL asks' in done.out
    assert done.out.splitlines()[-1] == 'all is well'


def test_a_choice_that_there_is_not_is_refused(tmp_path):
    text = doctor(tmp_path, TFAE_SUBPIXEL='fastest').refusal(2)
    assert text == "TFAE_SUBPIXEL is 'fastest'; it must be one of auto, compiled, stock"


@pytest.mark.parametrize(
    'compiler, want',
    [
        ('no-such-compiler', 'cannot be built: there is no C++ compiler (no-such-compiler); stock'),
        ('false', 'does not compile: false -O3'),
    ],
)
def test_an_op_that_cannot_be_built_leaves_the_old_one(tmp_path, compiler, want):
    library = op_library.library()
    before = library.read_bytes() if library.exists() else None
    environment = {'CXX': compiler, 'PATH': '/usr/bin:/bin'}  # where no nvcc is
    text = tfae_program.run('build-op', cwd=tmp_path, **environment).refusal(1)
    assert want in text
    assert (library.read_bytes() if library.exists() else None) == before


def test_build_op_takes_no_flags(tmp_path):
    text = tfae_program.run('build-op', '--force', cwd=tmp_path).refusal(2)
    assert text.startswith('tfae build-op has no flag --force')
