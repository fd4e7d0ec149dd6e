"""What a package of tfae holds, and what becomes of it without a compiler."""

import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
LEFT_OUT = (
    '.git',
    '.venv',
    'bazel-*',
    'runs',
    'build',
    'dist',
    '*.egg-info',
    '*.so',
    '__pycache__',
    '.*_cache',
)


def build(what, tree, out, **environment):
    """Runs one hook of the build backend in `tree`; returns the file made and what was printed."""
    out.mkdir(exist_ok=True)
    code = f'from setuptools import build_meta; print(build_meta.build_{what}({str(out)!r}))'
    done = subprocess.run(
        [sys.executable, '-c', code],
        cwd=tree,
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return out / done.stdout.splitlines()[-1], done.stdout + done.stderr


@pytest.fixture(scope='module')
def sdist(tmp_path_factory):
    """A source archive of the working tree, unpacked, and the names that should be in it."""
    folder = tmp_path_factory.mktemp('sdist')
    tree = folder / 'tree'
    shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(*LEFT_OUT))
    wanted = [*tree.glob('ops/*.*'), *tree.glob('tests/**/*.py'), *tree.glob('tfae/**/*.py')]
    wanted += [*tree.glob('tfae/recipes/*.flags'), *tree.glob('tfae/*/assets/*')]
    archive, _ = build('sdist', tree, folder / 'dist')
    with tarfile.open(archive) as tar:
        tar.extractall(folder)
    unpacked = folder / archive.name.removesuffix('.tar.gz')
    return unpacked, [str(path.relative_to(tree)) for path in wanted]


def test_the_source_archive_holds_what_a_build_and_its_tests_need(sdist):
    unpacked, wanted = sdist
    top = ['LICENSE', 'Makefile', 'CONTRIBUTING.md', 'pyproject.toml', 'setup.py']
    top += ['BUILD', 'WORKSPACE', 'WORKSPACE.bzlmod', 'MODULE.bazel', '.bazelignore']
    assert [path for path in [*wanted, *top] if not (unpacked / path).exists()] == []
    assert [path for path in unpacked.rglob('*') if path.suffix in ('.so', '.o', '.pyc')] == []


def test_without_a_compiler_the_wheel_is_pure_and_says_so_once(sdist, tmp_path):
    tree, wanted = sdist
    wheel, printed = build('wheel', tree, tmp_path / 'out', CXX='/no/such/compiler')
    warnings = [line for line in printed.splitlines() if 'left out' in line]
    assert warnings == [
        'warning: the compiled sub-pixel op is left out: there is no C++ compiler '
        '(/no/such/compiler). Stock TensorFlow ops serve instead, slower.'
    ]
    assert wheel.name.endswith('-py3-none-any.whl')
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {'tfae/_ops/build.py', 'tfae/_ops/subpixel.h', 'tfae/_ops/subpixel_ops.cc'} <= names
    assert {path for path in wanted if path.startswith('tfae/')} <= names
    assert not [name for name in names if name.endswith('.so')]


def environment_with_this_tensorflow(folder):
    """A fresh virtual environment that sees the packages of this one, but not an editable tfae."""
    venv.create(folder, with_pip=True)
    python = folder / 'bin' / 'python'
    # Older Pythons put an old setuptools there, which would hide the one of this environment.
    subprocess.run([python, '-m', 'pip', 'uninstall', '--quiet', '-y', 'setuptools'], check=True)
    where = 'import sysconfig; print(sysconfig.get_path("purelib"))'
    site = subprocess.check_output([python, '-c', where], text=True).strip()
    import tensorflow

    packages = pathlib.Path(tensorflow.__file__).parents[1]
    pathlib.Path(site, 'tensorflow_of_the_tests.pth').write_text(f'{packages}\n')
    return python


@pytest.mark.slow
@pytest.mark.parametrize('isolation', [[], ['--no-build-isolation']], ids=['isolated', 'not'])
def test_pip_install_ends_with_the_compiled_op_in_use(sdist, tmp_path, isolation):
    tree, _ = sdist
    python = environment_with_this_tensorflow(tmp_path / 'venv')
    install = [python, '-m', 'pip', 'install', '--no-deps', '--ignore-installed', *isolation, tree]
    subprocess.run(install, check=True, cwd=tmp_path)
    code = 'from tfae.ops import op_library as l; print(l.__file__, l.load()[1].compiled)'
    done = subprocess.run([python, '-c', code], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.split() == [str(next(tmp_path.rglob('op_library.py'))), 'True'], done.stderr


@pytest.mark.slow
def test_a_wheel_with_the_library_is_for_its_platform_and_any_python(sdist, tmp_path):
    tree, _ = sdist
    wheel, _ = build('wheel', tree, tmp_path / 'out')
    assert '-py3-none-' in wheel.name
    assert not wheel.name.endswith('-any.whl')
    assert 'tfae/ops/_subpixel.so' in zipfile.ZipFile(wheel).namelist()
