"""The packages of tfae: their content, how they install and train, and the texts that name them."""

import configparser
import email
import functools
import json
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile

import pytest
import tfae_program
import yaml

import tfae
from tfae.core import package

ROOT = pathlib.Path(__file__).resolve().parents[2]
NOT_SOURCES = re.compile(
    r'[.]git|[.]venv|runs|build|dist|.*[.]egg-info|bazel-.*|[.].*_cache|[.]hypothesis|comparison'
)


def left_out(folder, names):
    """Returns the names in a folder that git ignores, which no copy of the tree needs."""
    made = {name for name in names if name.endswith('.so') or name == '__pycache__'}
    top = pathlib.Path(folder) == ROOT
    if pathlib.Path(folder) == ROOT / 'docs' / 'reference':
        made.add('commands')
    return made | {name for name in names if top and NOT_SOURCES.fullmatch(name)}


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
    """Returns an unpacked source archive of the tree, and the names that it should contain."""
    folder = tmp_path_factory.mktemp('sdist')
    tree = folder / 'tree'
    shutil.copytree(ROOT, tree, ignore=left_out)
    wanted = [*tree.glob('ops/*.*'), *tree.glob('tests/**/*.*'), *tree.glob('docs/**/*.*')]
    wanted += [*tree.glob('tfae/**/*.py'), *tree.glob('tfae/py.typed')]
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
    top += [
        'CHANGELOG.md',
        'CITATION.cff',
        '.ci/run',
        '.pre-commit-config.yaml',
        '.github/workflows',
    ]
    assert [path for path in [*wanted, *top] if not (unpacked / path).exists()] == []
    assert [path for path in unpacked.rglob('*') if path.suffix in ('.so', '.o', '.pyc')] == []


@pytest.fixture(scope='module')
def pure(sdist, tmp_path_factory):
    """Returns a wheel built without a compiler, and the output of the build."""
    tree, _ = sdist
    return build('wheel', tree, tmp_path_factory.mktemp('pure') / 'out', CXX='/no/such/compiler')


def test_without_a_compiler_the_wheel_is_pure_and_says_so_once(sdist, pure):
    _, wanted = sdist
    wheel, printed = pure
    warnings = [line for line in printed.splitlines() if 'left out' in line]
    assert warnings == [
        'warning: the compiled sub-pixel op is left out: there is no C++ compiler '
        '(/no/such/compiler). Stock TensorFlow ops serve instead, slower.'
    ]
    assert wheel.name == f'tf_autoencoders-{package.VERSION}-py3-none-any.whl'
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {'tfae/_ops/build.py', 'tfae/_ops/subpixel.h', 'tfae/_ops/subpixel_ops.cc'} <= names
    assert {path for path in wanted if path.startswith('tfae/')} <= names
    assert {'tfae/runs/fit.py', 'tfae/recipes/mlp_mnist.flags'} <= names
    assert not [name for name in names if name.endswith('.so')]


def test_the_metadata_names_the_distribution_its_program_and_its_readme(pure):
    wheel, _ = pure
    info = f'tf_autoencoders-{package.VERSION}.dist-info'
    with zipfile.ZipFile(wheel) as archive:
        metadata = email.message_from_bytes(archive.read(f'{info}/METADATA'))
        scripts = configparser.ConfigParser()
        scripts.read_string(archive.read(f'{info}/entry_points.txt').decode())
    assert (metadata['Name'], metadata['Version']) == (package.NAME, tfae.__version__)
    assert metadata['License-Expression'] == 'Apache-2.0'
    assert len(metadata.get_all('Project-URL')) >= 1
    assert metadata.get_payload().startswith('# tfae')
    assert dict(scripts['console_scripts']) == {'tfae': 'tfae.__main__:main'}


def test_the_index_accepts_both_archives(sdist, pure):
    pytest.importorskip('twine', reason="twine is not installed: pip install '.[release]'")
    tree, _ = sdist
    files = [tree.parent / 'dist' / f'{tree.name}.tar.gz', pure[0]]
    check = [sys.executable, '-m', 'twine', 'check', '--strict', *files]
    done = subprocess.run(check, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert done.stdout.count('PASSED') == 2


def empty_environment(folder):
    """Returns a new virtual environment with this one's packages, without an editable tfae."""
    venv.create(folder)
    python = folder / 'bin' / 'python'
    where = 'import sysconfig; print(sysconfig.get_path("purelib"))'
    site = subprocess.check_output([python, '-c', where], text=True).strip()
    import tensorflow

    packages = pathlib.Path(tensorflow.__file__).parents[1]
    pathlib.Path(site, 'packages_of_the_tests.pth').write_text(f'{packages}\n')
    return python


def installed(folder, *what, **environment):
    """Returns the Python of a new environment in which pip installed a package."""
    python = empty_environment(folder)
    install = [sys.executable, '-m', 'pip', f'--python={python}', 'install', '--quiet', '--no-deps']
    environment = os.environ | {'NVCC': '/bin/false'} | environment  # nvcc would take minutes
    subprocess.run([*install, '--ignore-installed', *what], check=True, env=environment)
    return python


def program(python, *argv):
    """Runs the program of an environment in its folder."""
    folder = python.parents[2]
    hidden = {'PYTHONPATH': '', 'TF_CPP_MIN_LOG_LEVEL': '3'}
    done = subprocess.run(
        [python.with_name('tfae'), *argv],
        cwd=folder,
        env=tfae_program.environment(folder, **hidden),
        capture_output=True,
        text=True,
    )
    return tfae_program.Done(done.returncode, done.stdout, done.stderr)


TRAIN = ('train', '--model=convolutional', '--filters=3', '--units=4', '--epochs=1', '--logdir=run')


def trained(python):
    """Trains a tiny run and returns its stderr."""
    done = program(python, *TRAIN)
    assert done.code == 0, done.err
    run = python.parents[2] / 'run'
    assert tfae_program.steps(run)[-1:] == [r['step'] for r in tfae_program.metrics(run)[-1:]]
    assert json.loads((run / 'config.json').read_text())['versions']['tfae'] == package.VERSION
    return done.err


def test_an_installed_wheel_says_its_version_and_trains(pure, tmp_path):
    import tensorflow

    python = installed(tmp_path / 'venv', pure[0])
    where = [python, '-I', '-c', 'import tfae; print(tfae.__file__)']
    found = subprocess.check_output(where, cwd=tmp_path, text=True).strip()
    assert pathlib.Path(found).is_relative_to(tmp_path)
    version = f'tfae {package.VERSION} (tf-autoencoders), TensorFlow {tensorflow.__version__}\n'
    assert program(python, '--version') == tfae_program.Done(0, version, '')
    (line,) = trained(python).splitlines()
    assert line.startswith('tfae: warning: the compiled sub-pixel op is not in use')


@pytest.mark.slow
@pytest.mark.parametrize('isolation', [[], ['--no-build-isolation']], ids=['isolated', 'not'])
def test_an_installed_source_tree_trains_with_the_compiled_op(sdist, tmp_path, isolation):
    tree, _ = sdist
    python = installed(tmp_path / 'venv', *isolation, tree)
    assert trained(python) == ''


@pytest.mark.slow
def test_what_make_dist_builds_installs_and_trains_with_the_compiled_op(sdist, tmp_path):
    for name in ('build', 'twine', 'auditwheel'):
        pytest.importorskip(name, reason=f"{name} is not installed: pip install '.[release]'")
    tree, _ = sdist
    script = [sys.executable, 'tools/release/dist.py', f'--output={tmp_path / "dist"}']
    done = subprocess.run(
        script, cwd=tree, env=os.environ | {'NVCC': '/bin/false'}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count('PASSED') == 2
    archive, wheel = sorted((tmp_path / 'dist').iterdir(), key=lambda path: path.suffix)
    assert archive.name == f'tf_autoencoders-{package.VERSION}.tar.gz'
    pattern = (
        rf'tf_autoencoders-{package.VERSION}-py3-none-manylinux_2_\d+_{platform.machine()}.whl'
    )
    assert re.fullmatch(pattern, wheel.name)
    libraries = [name for name in zipfile.ZipFile(wheel).namelist() if '.so' in name]
    assert libraries == ['tfae/ops/_subpixel.so']
    for path in (archive, wheel):
        (tmp_path / path.suffix).mkdir()
        isolation = ['--no-build-isolation'] if path == archive else []
        python = installed(tmp_path / path.suffix / 'venv', *isolation, path)
        assert trained(python) == ''


def test_a_namesake_in_the_same_folder_is_trouble_for_doctor(tmp_path):
    """Simulates an installation of the unrelated distribution `tfae` after this one."""
    info = tmp_path / 'tfae-1.0.2.dist-info'
    info.mkdir()
    (info / 'METADATA').write_text('Metadata-Version: 2.1\nName: tfae\nVersion: 1.0.2\n')
    (tmp_path / 'tfae').mkdir()
    (tmp_path / 'tfae' / '__init__.py').touch()
    found = functools.partial(exec, f'import sys; sys.path.insert(1, {str(tmp_path)!r})')
    doctor = functools.partial(
        tfae_program.start, 'doctor', cwd=tmp_path, before=found, TFAE_SUBPIXEL='stock'
    )
    (info / 'RECORD').write_text('tfae/bottlenecks/__init__.py,,\ntfae/__init__.py,,\n')
    done = doctor().wait()
    assert (done.code, done.err) == (1, '')
    assert done.out.splitlines()[-1] == (
        'problem: the distribution tfae 1.0.2 is an unrelated project that installs its files '
        'into the same folder: run pip uninstall -y tfae tf-autoencoders, then pip install '
        'tf-autoencoders'
    )
    (info / 'RECORD').write_text('elsewhere/__init__.py,,\n')
    assert doctor().wait().code == 0


TEXTS = ('.py', '.md', '.toml', '.yaml', '.ipynb', '.cff', '.in', '.flags', '.html', '.bzl', '')
INSTALL = re.compile(r"""\bpip3?\b["', ]+(install|download)\b[^\n;#]*[\s"'`]tfae(?![\w./-])""")


def texts():
    """Yields `(path, text)` of each text file in the tree."""
    for folder, folders, names in os.walk(ROOT):
        folders[:] = set(folders) - left_out(folder, folders)
        for path in (pathlib.Path(folder, name) for name in names):
            if path.suffix in TEXTS and path.is_file():
                yield path.relative_to(ROOT), path.read_bytes().decode('utf-8', 'replace')


def test_no_text_installs_the_namesake():
    spellings = ('pip install tfae', "pip install -U 'tfae[onnx]'", "'pip', 'install', 'tfae>=1'")
    assert all(map(INSTALL.search, spellings))
    allowed = ('pip install tf-autoencoders', 'pip install ./tfae', 'pip uninstall -y tfae')
    assert not any(map(INSTALL.search, allowed))
    here = pathlib.Path(__file__).resolve().relative_to(ROOT)
    found = {path: INSTALL.search(text) for path, text in texts() if path != here}
    assert {path: hit[0] for path, hit in found.items() if hit} == {}
    assert pathlib.Path('README.md') in found


def test_the_version_stands_in_the_change_log_and_in_the_citation():
    heading = re.search(r'^## (\S+) \((\S+)\)', (ROOT / 'CHANGELOG.md').read_text(), re.M)
    citation = yaml.safe_load((ROOT / 'CITATION.cff').read_text())
    assert heading[1] == citation['version'] == package.VERSION
    assert heading[2] == str(citation['date-released'])


def targets():
    """Returns the targets of the Makefile."""
    return set(re.findall(r'^([a-z][\w-]*):', (ROOT / 'Makefile').read_text(), re.M))


def test_workflows_and_hooks_run_targets_of_the_makefile_alone():
    steps = []
    for path in sorted((ROOT / '.github' / 'workflows').iterdir()):
        workflow = yaml.safe_load(path.read_text())
        steps += [step for job in workflow['jobs'].values() for step in job['steps']]
    commands = [step['run'] for step in steps if 'run' in step]
    assert all('run' in step or step['uses'].startswith('actions/') for step in steps)
    hooks = yaml.safe_load((ROOT / '.pre-commit-config.yaml').read_text())['repos']
    assert [repository['repo'] for repository in hooks] == ['local']
    commands += [hook['entry'] for hook in hooks[0]['hooks']]
    wanted = {'make test', 'make check', 'make matrix', 'make dist', 'make test-slow'}
    assert wanted == set(commands)
    assert {command.removeprefix('make ') for command in commands} <= targets()


def test_every_script_that_the_makefile_runs_is_there():
    makefile = (ROOT / 'Makefile').read_text()
    scripts = re.findall(r'\$\(BIN\)/python (\S+\.py)', makefile)
    assert {'ops/build.py', 'tools/release/dist.py', 'tools/release/matrix.py'} <= set(scripts)
    assert [path for path in scripts if not (ROOT / path).is_file()] == []
    sources = re.search(r'^CPP = \$\(wildcard (.*)\)', makefile, re.M)[1].split()
    assert [pattern for pattern in sources if not [*ROOT.glob(pattern)]] == []
