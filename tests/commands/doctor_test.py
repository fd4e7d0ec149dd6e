"""`tfae doctor` and `tfae build-op`, as their users run them."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest
import tensorflow as tf2
import tfae_program

from tfae.commands import doctor as doctor_command
from tfae.ops import op_library


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
        stamp = op_library.stamp()
        assert found['op']['built for'] == f'TensorFlow {tf2.__version__}'
        assert found['op']['built by'] == stamp.compiler
        assert found['op']['CUDA kernels'] == stamp.cuda
        assert found['troubles'] == []


def test_every_dependency_is_looked_for():
    project = tfae_program.ROOT / 'pyproject.toml'
    listed = re.search(r'^dependencies = \[(.*?)^\]', project.read_text(), re.M | re.S)[1]
    assert re.findall(r'"([\w-]+)', listed) == ['tensorflow', *doctor_command._NEEDED]


def test_stock_operations_that_were_asked_for_are_no_trouble(tmp_path):
    done = doctor(tmp_path, TFAE_SUBPIXEL='stock')
    assert (done.code, done.err) == (0, '')
    assert 'stock TensorFlow ops, since TFAE_SUBPIXEL is stock' in done.out
    assert done.out.splitlines()[-1] == 'no problems found'


def test_a_choice_that_there_is_not_is_refused(tmp_path):
    text = doctor(tmp_path, TFAE_SUBPIXEL='fastest').refusal(2)
    assert text == "TFAE_SUBPIXEL is 'fastest'; it must be one of auto, compiled, stock"


@pytest.mark.parametrize(
    'compiler, want',
    [
        (
            'no-such-compiler',
            'cannot be built: there is no C++ compiler (no-such-compiler); TensorFlow',
        ),
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


@pytest.fixture
def package(tmp_path):
    """A copy of the package and of the op's sources, without a library."""
    left_out = shutil.ignore_patterns('*.so', '__pycache__')
    for name in ('tfae', 'ops'):
        shutil.copytree(tfae_program.ROOT / name, tmp_path / 'copy' / name, ignore=left_out)
    return tmp_path / 'copy'


def run_in(package, *argv, **environment):
    """Runs the `tfae` of a copy to its end."""
    variables = tfae_program.environment(package, PYTHONPATH=str(package), **environment)
    done = subprocess.run(
        [sys.executable, '-m', 'tfae', *argv],
        cwd=package,
        env=variables,
        capture_output=True,
        text=True,
    )
    return tfae_program.Done(done.returncode, done.stdout, done.stderr)


def test_a_library_that_is_not_there_is_trouble_with_its_cure_and_equal_results(package):
    done = run_in(package, 'doctor')
    assert (done.code, done.err) == (1, '')
    last = done.out.splitlines()[-1]
    library = package / 'tfae' / 'ops' / '_subpixel.so'
    assert last.startswith(
        f'problem: the compiled sub-pixel op is not in use: there is no {library}'
    )
    assert f'{sys.executable} -m tfae build-op' in last
    assert 'equals the stock definition' in done.out


def test_where_the_compiled_op_is_demanded_and_not_there_nothing_is_in_use(package):
    done = run_in(package, 'doctor', '--json', TFAE_SUBPIXEL='compiled')
    found = json.loads(done.out)
    assert (done.code, done.err) == (1, '')
    assert found['op']['in use'] == 'none'
    (trouble,) = found['troubles']
    assert 'there is no ' in trouble


# Puts into what it makes the stamp that the library would carry.
COMPILER = """#!/bin/sh
for word; do
  case "$word" in
    --version) echo "mock 1.2.3"; exit ;;
    -DTFAE_BUILT_FOR=*) stamp=${word#*=} ;;
  esac
  [ "$last" = -o ] && output=$word
  last=$word
done
case " $* " in
  *" -shared "*) cat $(printf '%s\\n' "$@" | grep 'ops.o$') > "$output" ;;
  *) echo "tfae-subpixel-built-for:$stamp;" | tr -d '"' > "$output" ;;
esac
"""


@pytest.mark.slow
def test_build_op_says_what_it_made_and_puts_it_in_the_place_of_the_old_one(package):
    compiler = package / 'mock'
    compiler.write_text(COMPILER)
    compiler.chmod(0o755)
    library = package / 'tfae' / 'ops' / '_subpixel.so'
    library.write_text('old')
    with library.open() as held:
        done = run_in(package, 'build-op', '--cuda=false', CXX=str(compiler))
        assert held.read() == 'old'  # for a program that has it open
    assert (done.code, done.err) == (0, '')
    built = f'{library}: for TensorFlow {tf2.__version__}, by mock 1.2.3, CUDA: no, '
    assert done.out.startswith(built)
    assert done.out.endswith(' s\n')
    version, digest, *_ = op_library.builder().stamp(library)
    assert (version, digest) == (tf2.__version__, op_library.builder().digest())
    assert [path.name for path in library.parent.glob('_subpixel*')] == ['_subpixel.so']


@pytest.mark.slow
def test_what_build_op_made_is_used_and_is_well(package):
    if shutil.which('c++') is None:
        pytest.skip('there is no C++ compiler')
    words = ('train', '--model=convolutional', '--units=4,4', '--epochs=1', '--logdir=run')
    before = run_in(package, *words)
    assert before.code == 0, before.err
    assert before.err.splitlines()[0].startswith('tfae: warning: the compiled sub-pixel op is not ')
    assert before.err.count('sub-pixel op') == 1
    assert run_in(package, 'build-op', '--cuda=false').code == 0
    done = run_in(package, 'doctor')
    assert (done.code, done.err) == (0, ''), done.out
    assert f'compiled op, {package}/tfae/ops/_subpixel.so' in done.out
