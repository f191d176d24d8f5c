#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Builds the BPF programs and the addon around them: native/build/Release/hearthscope.node.
# Quiet when all is well; on failure the build tools' own output. Does nothing when nothing has changed.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
addon=$root/native/build/Release/hearthscope.node

if [ -f "$addon" ]; then
  changed=$(find "$root/bpf" "$root/native/src" "$root/native/CMakeLists.txt" "$root/native/package.json" \
    -newer "$addon" \( -name '*.c' -o -name '*.h' -o -name '*.cc' -o -name '*.sh' -o -name '*.txt' \
    -o -name 'package.json' \) | head -n 1)
  [ -n "$changed" ] || exit 0
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
PATH=$root/node_modules/.bin:$PATH
if ! cmake-js compile -d "$root/native" >"$log" 2>&1; then
  cat "$log" >&2
  exit 1
fi
# The linker leaves the file alone when a change made no difference; the next call shall see it as built.
touch "$addon"
