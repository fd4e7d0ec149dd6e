#!/bin/sh
# Runs one test file on the files and the op that Bazel built: pytest.sh PYTHON FILE
TFAE_SUBPIXEL=compiled PYTHONPATH="$PWD" exec "$1" -m pytest -p no:cacheprovider --rootdir "$PWD" "$2"
