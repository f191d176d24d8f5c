# shellcheck shell=sh
# SPDX-License-Identifier: Apache-2.0
#
# What bootstrap.sh, build.sh and test.sh share; they read it with `.`. It goes to the repository's root, puts the
# pinned Node and the npm tools first on the PATH, and gives `fail`, `step` and `changed`.

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
cd "$root" || exit 1
PATH=$root/node_modules/.bin:$PATH
export PATH

stamps=$root/.stamps
mkdir -p "$stamps"

SHOWN_LINES=40

fail() {
  echo "${0##*/}: $*" >&2
  exit 1
}

# step NAME TITLE COMMAND...
# Runs the command, shows how long it took, and what it said when it fails.
step() {
  step_title=$2
  step_log=$stamps/$1.log
  shift 2
  step_begin=$(date +%s)
  printf '%s ...\n' "$step_title" >&2
  if "$@" >"$step_log" 2>&1 </dev/null; then
    printf '%s: done in %s s\n' "$step_title" "$(($(date +%s) - step_begin))" >&2
  else
    step_status=$?
    tail -n "$SHOWN_LINES" "$step_log" >&2
    printf '%s: failed after %s s; all it said is in %s\n' "$step_title" "$(($(date +%s) - step_begin))" "$step_log" >&2
    exit "$step_status"
  fi
}

# changed STAMP PATH...
# Whether the stamp is missing, or something in the paths is newer. A folder is newer when a file was added to it or
# taken away.
changed() {
  changed_stamp=$1
  shift
  [ -f "$changed_stamp" ] || return 0
  # A path that does not exist yet is no reason to stop.
  changed_first=$(find "$@" \( -name node_modules -o -name dist \) -prune -o \
    -newer "$changed_stamp" -print 2>/dev/null | head -n 1) || true
  [ -n "$changed_first" ]
}

# build_step NAME TITLE COMMAND...
# A step whose stamp gets the time at which it began, so that a change made meanwhile is seen the next time.
build_step() {
  touch "$stamps/$1.begun"
  rm -f "$stamps/$1.done"
  step "$@"
  mv "$stamps/$1.begun" "$stamps/$1.done"
}
