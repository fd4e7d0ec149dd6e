"""Metadata stands in pyproject.toml; this lists the files and builds `ops/` into the package.

The op is compiled against the TensorFlow of the interpreter that installs, which pip's isolated
build does not hide from `ops/build.py`. Without that TensorFlow or a C++ compiler the package
installs all the same: the stock definition serves, and says on first use how to build the op.
"""

import importlib.util
import pathlib
import shutil
import sys

from setuptools import find_packages, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py

HERE = pathlib.Path(__file__).resolve().parent


def op_builder():
    spec = importlib.util.spec_from_file_location('tfae_ops_build', HERE / 'ops' / 'build.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class BuildPackage(build_py):
    """Copies the Python files, then compiles the op beside them."""

    library = None

    def run(self):
        super().run()
        builder = op_builder()
        folder = HERE if self.editable_mode else pathlib.Path(self.build_lib)
        library = folder / 'tfae' / 'ops' / builder.LIBRARY
        made = HERE / 'tfae' / 'ops' / builder.LIBRARY
        try:
            if made.is_file() and not self.editable_mode:
                shutil.copy2(made, library)  # kept if it is up to date
            builder.ensure(library)
            self.library = str(library)
        except (builder.CannotBuild, RuntimeError) as reason:
            if not self.editable_mode:
                library.unlink(missing_ok=True)  # An earlier build may have left one in `build/`.
            print(
                f'warning: the compiled sub-pixel op is left out: {reason}. Stock TensorFlow ops '
                f'serve instead, slower.',
                file=sys.stderr,
            )

    def get_outputs(self, include_bytecode=True):
        return super().get_outputs(include_bytecode) + ([self.library] if self.library else [])


class PlatformWheel(bdist_wheel):
    """A wheel for this platform if the library is in it, else one for any."""

    def run(self):
        self.run_command('build_py')
        built = self.get_finalized_command('build_py').library is not None
        self.root_is_pure = not built
        self.distribution.has_ext_modules = lambda: built
        super().run()

    def get_tag(self):
        python, abi, platform = super().get_tag()
        # The library talks to TensorFlow, not to Python: any interpreter can load it.
        return (python, abi, platform) if self.root_is_pure else ('py3', 'none', platform)


setup(
    # The op's sources travel with the package, so that it can be built again for the TensorFlow
    # that a later upgrade brings.
    packages=[*find_packages(include=['tfae', 'tfae.*']), 'tfae._ops'],
    package_dir={'tfae._ops': 'ops'},
    package_data={
        'tfae': ['py.typed', 'recipes/*.flags', '*/assets/*'],
        'tfae._ops': ['*.cc', '*.h'],
    },
    include_package_data=False,
    cmdclass={'build_py': BuildPackage, 'bdist_wheel': PlatformWheel},
)
