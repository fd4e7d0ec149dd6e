"""The CPU side of the op under the sanitizers, on thousands of random shapes."""

import pathlib
import subprocess

import pytest

from tfae.ops import op_library

TESTS = pathlib.Path(__file__).parent
OPS = TESTS.parents[1] / 'ops'


def run(folder, flags, *arguments):
    """Builds `subpixel_cpu_test.cc` with `flags` and runs it; returns what it printed."""
    builder = op_library.builder()
    try:
        compiler = builder.compiler()
    except builder.CannotBuild as reason:
        pytest.skip(str(reason))
    program = folder / 'subpixel_cpu_test'
    source = TESTS / 'subpixel_cpu_test.cc'
    command = [compiler, '-std=c++17', '-g', *flags, f'-I{OPS}', source, '-o', program, '-pthread']
    built = subprocess.run(command, capture_output=True, text=True)
    if 'cannot find' in built.stderr and 'san' in built.stderr:
        pytest.skip('this compiler has no sanitizer libraries')
    assert built.returncode == 0, built.stderr
    done = subprocess.run([program, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize('seed', ['1'])
def test_no_move_leaves_its_buffers_or_the_language(tmp_path, seed):
    flags = ['-O1', '-fsanitize=address,undefined', '-fno-sanitize-recover=all']
    assert 'right' in run(tmp_path, flags, 'moves', '1000', seed)


@pytest.mark.slow
def test_bands_share_nothing_between_threads(tmp_path):
    assert 'right' in run(tmp_path, ['-O1', '-fsanitize=thread'], 'threads', '40', '2')


@pytest.mark.slow
@pytest.mark.parametrize('seed', ['3', '4'])
def test_the_vector_code_equals_the_index_map(tmp_path, seed):
    assert 'right' in run(tmp_path, ['-O3'], 'moves', '8000', seed)
