#!/usr/bin/env bash
# What the image promises, where no container daemon is at hand: its steps by hand. dvhkit audits the shipped plan as user
# `nobody` without capabilities or network, on a file system that is read-only but for the output and a temporary one.
#   sudo scripts/image_by_hand.sh ENV/bin/dvhkit
# Needs root, for the mounts, and an environment that every user may read; ends with 0 if the audit judged and wrote all, and nothing else could be written.
set -euo pipefail
program=$(readlink -f "$(dirname "$1")")/$(basename "$1")
here=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
mkdir "$work/out" "$work/tmp" "$work/made"
cp -r "$here/test_data" "$work/in"
chown nobody "$work/out"
rules=(--protocol oligoprogressive-liver-2025 --context "$work/in/liver_sbrt_context.yaml")
# As the Dockerfile does: kernels are compiled once, by who builds.
cd "$work"
NUMBA_CACHE_DIR="$work/kernels" "$program" audit "$work/in/liver_sbrt" "${rules[@]}" --out "$work/made/run" >/dev/null || test $? -eq 1
chmod -R a+rX "$work/kernels" "$work/in"
export work program
unshare --mount --net bash -euo pipefail -c '
  mount --make-rprivate /
  mount --bind "$work/out" "$work/out"
  mount -t tmpfs -o mode=1777 tmpfs "$work/tmp"
  mount -o remount,bind,ro /
  code=0
  cd "$work/out"
  env -i PATH=/usr/bin:/bin HOME="$work/tmp" TMPDIR="$work/tmp" NUMBA_CACHE_DIR="$work/tmp/kernels" \
    PYTHONDONTWRITEBYTECODE=1 MPLCONFIGDIR="$work/tmp" program="$program" work="$work" \
    setpriv --reuid=nobody --regid=nogroup --clear-groups --no-new-privs --bounding-set=-all --inh-caps=-all \
    sh -c "! touch \"\$work/in/x\" 2>/dev/null && cp -r \"\$work/kernels\" \"\$NUMBA_CACHE_DIR\" && exec \"\$program\" \"\$@\"" dvhkit \
    "$@" || code=$?
  test "$code" -eq 1  # the demo fails one rule on purpose
' dvhkit audit "$work/in/liver_sbrt" "${rules[@]}" --out "$work/out/run"
test -s "$work/out/run/audit.json" && test -s "$work/out/run/report.html"
test "$(stat -c %U "$work/out/run/audit.json")" = nobody
echo 'Audited as nobody, on a read-only file system, without network.'
