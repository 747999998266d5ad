# SPDX-License-Identifier: Apache-2.0
# What demo, check, bench and lab share. Sourced; sets ROOT and BUILD, defines functions, runs nothing.
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
BUILD=${SLUICE_BUILD:-$ROOT/build}
PYTHON=/usr/bin/python3 # Debian's own: the one its python3-* packages belong to

say() { printf '%s\n' "$*"; }
warn() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() {
    warn "$*"
    exit 1
}

need_root() {
    [ "$(id -u)" = 0 ] || die "needs root, for network namespaces and BPF: run 'sudo $0 $*'"
}

# Runs a command quietly; shows its output only where it fails. run_quiet NAME LOGFILE CMD...
run_quiet() {
    local name=$1 log=$2 start=$SECONDS status=0
    shift 2
    printf '%-44s' "$name ..."
    "$@" >"$log" 2>&1 || status=$?
    if [ $status -ne 0 ]; then
        printf 'FAILED (%ds), the end of %s:\n' $((SECONDS - start)) "$log"
        tail -n 40 "$log"
        return $status
    fi
    printf 'ok (%ds)\n' $((SECONDS - start))
}

# Configures (once) and builds into $1 with the meson options that follow.
build_tree() {
    local dir=$1
    shift
    [ -f "$dir/build.ninja" ] || meson setup "$dir" "$ROOT" "$@" || return
    ninja -C "$dir"
}
