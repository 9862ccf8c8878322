#!/bin/sh
# Installs the packages of a requirements file into the image's virtual environment; uv is mounted, not kept.
set -eu
/mnt/uv/uv venv --quiet --allow-existing --python python3 "$VIRTUAL_ENV"
exec /mnt/uv/uv pip install --quiet --compile-bytecode -r "$1"
