"""The machine that figures were measured on."""

import pathlib
import platform


def processor() -> str:
    """Returns the name of the processor."""
    path = pathlib.Path('/proc/cpuinfo')
    lines = path.read_text().splitlines() if path.exists() else []
    names = [line.partition(':')[2].strip() for line in lines if line.startswith('model name')]
    return names[0] if names else platform.processor() or platform.machine()
