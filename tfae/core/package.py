"""Name and version of the distribution package."""

# The package `tfae` on PyPI is another project, which also owns a folder tfae/.
NAME = 'tf-autoencoders'
VERSION = '0.2.0'


def install(extra: str) -> str:
    """Returns the command that installs tfae with an extra."""
    return f"pip install '{NAME}[{extra}]'"
