# shellcheck shell=sh
# SPDX-License-Identifier: Apache-2.0
#
# What bootstrap.sh, build.sh and test.sh share; they read it with `.`. It goes to the repository's root, puts the
# pinned Node and the npm tools first on the PATH, and gives `fail`, `lock_checkout`, `step` and `changed`.

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
cd "$root" || exit 1
# shellcheck disable=SC2034
path_before=$PATH
PATH=$root/node_modules/.bin:$PATH
export PATH

stamps=$root/.stamps
mkdir -p "$stamps"

SHOWN_LINES=40

fail() {
  echo "$(basename "$0" .sh): $*" >&2
  exit 1
}

# Two installations or builds at once would ruin each other. What they start holds the lock as well, so that the next
# one also waits for the npm of one that was killed.
lock_checkout() {
  [ -z "${HEARTHSCOPE_CHECKOUT_LOCKED:-}" ] || return 0
  HEARTHSCOPE_CHECKOUT_LOCKED=yes
  export HEARTHSCOPE_CHECKOUT_LOCKED
  exec 9>"$stamps/lock"
  flock -n 9 || {
    echo "Waiting for another installation or build in this folder ..." >&2
    flock 9
  }
}

# A terminal shows the seconds as they pass; a file or a pipe gets a line now and then, so that nobody takes a slow
# network for a hang.
if [ -t 2 ]; then
  TICK_SECONDS=1
  TICK_START=
  TICK_FORMAT='\r%s ... %s s'
  TICK_END='\r'
else
  TICK_SECONDS=30
  TICK_START='\n'
  TICK_FORMAT='%s ... %s s\n'
  TICK_END=
fi

# tick TITLE BEGIN: until it is killed, or this script was.
tick() {
  while sleep "$TICK_SECONDS" >/dev/null 2>&1 && kill -0 "$$" 2>/dev/null; do
    # shellcheck disable=SC2059
    printf "$TICK_FORMAT" "$1" "$(($(date +%s) - $2))" >&2
  done
}

# step NAME TITLE COMMAND...
# Runs the command, shows how long it takes, and what it said when it fails.
step() {
  step_title=$2
  step_log=$stamps/$1.log
  shift 2
  step_begin=$(date +%s)
  printf "%s ...$TICK_START" "$step_title" >&2
  tick "$step_title" "$step_begin" 9>&- &
  step_ticker=$!
  step_status=0
  "$@" >"$step_log" 2>&1 </dev/null || step_status=$?
  kill "$step_ticker" 2>/dev/null || true
  step_seconds=$(($(date +%s) - step_begin))
  if [ "$step_status" -ne 0 ]; then
    printf "$TICK_END%s: failed after %s s\n" "$step_title" "$step_seconds" >&2
    tail -n "$SHOWN_LINES" "$step_log" >&2
    printf 'All it said is in %s\n' "$step_log" >&2
    exit "$step_status"
  fi
  printf "$TICK_END%s: done in %s s\n" "$step_title" "$step_seconds" >&2
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
