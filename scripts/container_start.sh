#!/bin/sh
# Start dvhkit in its container. The file system is read-only and numba wants a folder that it may write, so the kernels
# that were compiled into the image are copied to the temporary file system first.
set -eu
[ -d "$NUMBA_CACHE_DIR" ] || cp -r /opt/kernels "$NUMBA_CACHE_DIR"
exec dvhkit "$@"
