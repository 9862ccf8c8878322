#!/bin/sh
# Compiles the programs in /app and makes the user that runs them.
set -eu
python -m compileall -q /app
groupadd --key GID_MAX=65532 --gid 65532 blendtune
exec useradd --key UID_MAX=65532 --uid 65532 --gid 65532 --home-dir /tmp --no-create-home --shell /usr/sbin/nologin blendtune
