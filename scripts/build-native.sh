#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Builds the BPF programs and the addon around them: native/build/Release/hearthscope.node.
# Quiet when all is well; on failure the build tools' own output. Compiles only what has changed.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
build=$root/native/build
PATH=$root/node_modules/.bin:$PATH

# A build that was killed leaves half-written files that look new, and CMake refuses a folder that was moved.
if [ -f "$build/begun" ] || ! grep -qsxF "CMAKE_HOME_DIRECTORY:INTERNAL=$root/native" "$build/CMakeCache.txt"; then
  rm -rf "$build"
fi
mkdir -p "$build"
touch "$build/begun"
log=$(mktemp)
trap 'rm -f "$log" "$build/begun"' EXIT
CMAKE_BUILD_PARALLEL_LEVEL=$(nproc)
export CMAKE_BUILD_PARALLEL_LEVEL
if ! cmake-js build --log-level error -d "$root/native" >"$log" 2>&1; then
  cat "$log" >&2
  exit 1
fi
# The linker leaves the file alone when a change made no difference; the next call shall see it as built.
touch "$build/Release/hearthscope.node"
