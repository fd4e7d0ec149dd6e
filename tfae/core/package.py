"""The name and the version under which pip installs tfae."""

# The distribution `tfae` on the package index is another project, which owns a folder tfae/ too.
NAME = 'tf-autoencoders'
VERSION = '0.2.0'


def install(extra: str) -> str:
    """Returns the command that installs tfae with the packages of an extra."""
    return f"pip install '{NAME}[{extra}]'"
