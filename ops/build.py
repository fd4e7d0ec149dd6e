"""Builds the sub-pixel op against the TensorFlow that a Python interpreter finds.

    python ops/build.py

writes `_subpixel.so` to the package, next to `subpixel.py`, unless it is up to date with the
sources and TensorFlow. The same file is used in a checkout (`ops/`), in an installed package
(`tfae/_ops/`), and by `setup.py` to build a wheel. It needs only the standard library: TensorFlow
is queried in a process of its own.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from typing import NamedTuple

SOURCES = pathlib.Path(__file__).resolve().parent
LIBRARY = '_subpixel.so'
STAMP = b'tfae-subpixel-built-for:'
# Bazel uses the same flags. Without traps the compiler may compute both sides of a condition, which
# allows vector code.
FLAGS = [
    '-O3',
    '-fno-trapping-math',
    '-fPIC',
    '-fvisibility=hidden',
    '-Wno-deprecated-declarations',
]
_ASK = """
import json, tensorflow as tf
print('tfae-answer ' + json.dumps({
    'version': tf.__version__,
    'compile': tf.sysconfig.get_compile_flags(),
    'link': tf.sysconfig.get_link_flags(),
}))
"""


class CannotBuild(Exception):
    """Raised if the build lacks something on this machine, which the text names."""


def package() -> pathlib.Path:
    """Returns the folder of the Python files that load the library."""
    installed = SOURCES.parent / 'ops' / 'subpixel.py'
    return installed.parent if installed.exists() else SOURCES.parent / 'tfae' / 'ops'


def digest() -> str:
    """Returns twelve hexadecimal digits that change with the C++ sources and this file."""
    text = hashlib.sha256()
    for path in [*sorted([*SOURCES.glob('*.cc'), *SOURCES.glob('*.h')]), SOURCES / 'build.py']:
        text.update(path.name.encode() + b'\0' + path.read_bytes() + b'\0')
    return text.hexdigest()[:12]


class Stamp(NamedTuple):
    """Build information inside a library."""

    tensorflow: str  # version that the library was built for
    digest: str  # of the sources; a dash if a build system tracks them
    compiler: str = 'an unknown compiler'
    cuda: str = 'no'  # version of nvcc, if the library has CUDA kernels


def stamp(library: pathlib.Path) -> Stamp | None:
    """Reads the build information of `library`; None if there is none.

    The file is read and not loaded, since a library for another TensorFlow may crash on loading.
    """
    if not library.is_file():
        return None
    _, found, rest = library.read_bytes().partition(STAMP)
    words = rest.partition(b';')[0].decode('ascii', 'replace').split('/')
    return Stamp(*words[:4]) if found and len(words) > 1 else None


def compiler() -> str:
    """Returns the C++ compiler: `$CXX`, else the first of c++, g++ and clang++ on the path."""
    wanted = os.environ.get('CXX')
    for name in [wanted] if wanted else ['c++', 'g++', 'clang++']:
        if shutil.which(shlex.split(name)[0]):
            return name
    raise CannotBuild(f'there is no C++ compiler ({wanted or "c++, g++, clang++"})')


def ask_tensorflow(python: str) -> dict:
    """Returns version and flags of the TensorFlow that `python` imports.

    pip builds in an isolated environment that hides the installed packages by PYTHONPATH and
    PYTHONNOUSERSITE. Without these variables the interpreter sees the packages that it will see
    when tfae is used.
    """
    hidden = ('PYTHONPATH', 'PYTHONNOUSERSITE')
    environment = {k: v for k, v in os.environ.items() if k not in hidden}
    answer = subprocess.run(
        [python, '-c', _ASK],
        env=environment | {'TF_CPP_MIN_LOG_LEVEL': '3'},
        cwd=tempfile.gettempdir(),
        capture_output=True,
        text=True,
    )
    for line in answer.stdout.splitlines():
        if line.startswith('tfae-answer '):
            return json.loads(line.removeprefix('tfae-answer '))
    raise CannotBuild(f'{python} finds no TensorFlow')


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f'{shlex.join(command)}\n{done.stdout}{done.stderr}')


def _version(program: list[str]) -> str:
    """Returns the line of `--version` with a number, in the characters of a stamp."""
    said = subprocess.run([*program, '--version'], capture_output=True, text=True).stdout
    line = next((line for line in said.splitlines() if re.search(r'\d+\.\d+', line)), 'unknown')
    return re.sub(r'[^\w.,:()+ -]', ' ', line).strip()


class Cuda(NamedTuple):
    """CUDA part of a build: additional commands, objects and linker flags."""

    commands: list[list[str]]
    link: list[str]
    version: str


def cuda(folder: str) -> Cuda | None:
    """Returns the commands that compile the CUDA kernels into `folder`; None without nvcc.

    The runtime is linked before TensorFlow's library and its symbols are hidden: the linker would
    otherwise take CUDA's entry points from TensorFlow's stub, which is for another version.
    """
    nvcc = os.environ.get('NVCC') or shutil.which('nvcc')
    if not nvcc:
        return None
    # nvcc may be a script or a link; a dry run prints the paths of its libraries.
    said = subprocess.run(
        [nvcc, '--dryrun', '-E', '-x', 'cu', os.devnull], capture_output=True, text=True
    ).stderr
    folders = [word[2:] for word in shlex.split(said, comments=False) if word.startswith('-L')]
    runtime = [p for lib in folders for p in pathlib.Path(lib).glob('libcudart_static.a')]
    if not runtime:
        return None
    command = [nvcc, '-std=c++17', '-O3', '-x', 'cu', '-Xcompiler', '-fPIC,-fvisibility=hidden']
    # Hopper needs no source of its own, so one front-end pass serves Ampere and Hopper.
    command += ['-gencode', 'arch=compute_75,code=sm_75']
    command += ['-gencode', 'arch=compute_80,code=[sm_80,sm_90,compute_80]']  # and later ones
    command += [f'-I{SOURCES}', '--threads', '0']  # the architectures in parallel
    units = {str(p): str(pathlib.Path(folder, f'{p.stem}.o')) for p in SOURCES.glob('*.cu.cc')}
    commands = [[*command, '-c', source, '-o', output] for source, output in units.items()]
    hidden = ['-Wl,--exclude-libs,ALL', '-ldl', '-lrt', '-lpthread']
    return Cuda(commands, [*units.values(), str(runtime[0]), *hidden], _version([nvcc]))


def build(output: pathlib.Path, python: str = sys.executable, with_cuda: bool = True) -> str:
    """Compiles the op into `output` and returns the version of TensorFlow it is for.

    The CUDA kernels are included if requested and if nvcc is found and can compile them.

    Raises: CannotBuild if there is no compiler or no TensorFlow; RuntimeError with the
      compiler's output if the sources do not compile.
    """
    cxx = shlex.split(compiler())
    tensorflow = ask_tensorflow(python)
    with tempfile.TemporaryDirectory() as folder:
        extra = cuda(folder) if with_cuda else None
        if extra:
            try:
                _compile(output, cxx, tensorflow, folder, extra)
                return tensorflow['version']
            except RuntimeError as error:
                print(f'warning: the sub-pixel op is built without CUDA: {error}', file=sys.stderr)
        _compile(output, cxx, tensorflow, folder, None)
    return tensorflow['version']


def ensure(output: pathlib.Path, python: str = sys.executable) -> str:
    """Builds unless `output` is up to date; returns the version of TensorFlow."""
    have = stamp(output)
    if have:
        version = ask_tensorflow(python)['version']
        if have[:2] == (version, digest()):
            return version
    return build(output, python)


def _compile(
    output: pathlib.Path, cxx: list[str], tensorflow: dict, folder: str, extra: Cuda | None
) -> None:
    """Compiles the sources in parallel and links them."""
    built_for = Stamp(
        tensorflow['version'], digest(), _version(cxx), extra.version if extra else 'no'
    )
    flags = [*FLAGS, f'-I{SOURCES}', f'-DTFAE_BUILT_FOR="{"/".join(built_for)}"']
    flags += tensorflow['compile']
    flags += ['-DGOOGLE_CUDA=1'] if extra else []
    sources = [p for p in SOURCES.glob('*.cc') if not p.name.endswith('.cu.cc')]
    units = {p: str(pathlib.Path(folder, p.stem + '.o')) for p in sources}
    commands = [[*cxx, *flags, '-c', str(source), '-o', o] for source, o in units.items()]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(_run, (extra.commands if extra else []) + commands))
    # Built under a temporary name and renamed: processes with the old library open keep it.
    made = output.with_name(f'{output.name}.{os.getpid()}')
    link = [*units.values(), *(extra.link if extra else []), *tensorflow['link']]
    try:
        _run([*cxx, '-shared', '-o', str(made), *link])
        made.replace(output)
    finally:
        made.unlink(missing_ok=True)


def main() -> int:
    """Builds if needed; returns 0 also without a compiler, since stock ops are used then."""
    parser = argparse.ArgumentParser(description='Builds the sub-pixel op into the package.')
    parser.add_argument('--force', action='store_true', help='build even if it is up to date')
    force = parser.parse_args().force
    library = package() / LIBRARY
    try:
        if force:
            library.unlink(missing_ok=True)
        have = stamp(library)
        version = ensure(library)
        if have == stamp(library):
            print(f'{library} is up to date.')
            return 0
    except CannotBuild as reason:
        print(f'The sub-pixel op is not built: {reason}. Stock TensorFlow ops serve instead.')
        return 0
    print(f'{library} is built for TensorFlow {version}.')
    return 0


if __name__ == '__main__':
    sys.exit(main())
