"""The CUDA kernels: their source on the CPU everywhere, compiled where there is nvcc."""

import pathlib
import shutil
import subprocess

import pytest

from tfae.ops import op_library

TESTS = pathlib.Path(__file__).parent
ROOT = TESTS.parents[1]
KERNELS = sorted((ROOT / 'ops').glob('*.cu.cc'))
NVCC = shutil.which('nvcc')
needs_nvcc = pytest.mark.skipif(NVCC is None, reason='there is no nvcc')


def emulated(folder, seed, *flags):
    """Builds the kernels under the emulation header and runs them on random shapes."""
    builder = op_library.builder()
    try:
        compiler = builder.compiler()
    except builder.CannotBuild as reason:
        pytest.skip(str(reason))
    program = folder / 'subpixel_gpu_test'
    # fmt: off
    command = [
        compiler, '-std=c++17', '-DTFAE_EMULATE_CUDA', '-DTFAE_THREADS=32', *flags,
        f'-I{TESTS}', f'-I{ROOT / "ops"}', TESTS / 'subpixel_gpu_test.cc',
        '-x', 'c++', *KERNELS, '-o', program,
    ]
    # fmt: on
    built = subprocess.run(command, capture_output=True, text=True)
    if 'cannot find' in built.stderr and 'san' in built.stderr:
        pytest.skip('this compiler has no sanitizer libraries')
    assert built.returncode == 0, built.stderr
    done = subprocess.run([program, '2000', seed], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_kernels_equal_the_index_map_and_64_bit_formulas(tmp_path):
    assert 'right' in emulated(tmp_path, '1', '-O1')


@pytest.mark.slow
def test_kernels_with_64_bit_indices_stay_in_their_buffers_and_in_the_language(tmp_path):
    flags = ['-O1', '-fsanitize=address,undefined', '-fno-sanitize-recover=all']
    assert 'right' in emulated(tmp_path, '2', '-DTFAE_NARROW_COUNT=0', *flags)


@needs_nvcc
@pytest.mark.slow
@pytest.mark.parametrize('source', KERNELS, ids=lambda p: p.name)
def test_kernels_compile_from_turing_to_hopper_and_to_ptx(tmp_path, source):
    architectures = []
    for real in (75, 80, 86, 89, 90):
        architectures += ['-gencode', f'arch=compute_{real},code=sm_{real}']
    architectures += ['-gencode', 'arch=compute_90,code=compute_90']
    command = [NVCC, '-std=c++17', '-x', 'cu', *architectures, '-Werror', 'all-warnings']
    done = subprocess.run(
        [*command, '-c', source, '-o', tmp_path / 'gpu.o'], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@needs_nvcc
@pytest.mark.slow
def test_the_harness_builds(tmp_path):
    sources = [ROOT / 'tools/bench/subpixel_gpu.cu', *KERNELS]
    command = [NVCC, '-std=c++17', '-O3', f'-I{ROOT / "ops"}', '-x', 'cu', *sources]
    done = subprocess.run([*command, '-o', tmp_path / 'bench'], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
