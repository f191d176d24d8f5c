#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Runs the named benchmarks, or all: `npm run bench -- overhead startup`. The project must be bootstrapped.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
PATH="$root/node_modules/.bin:$PATH"
export PATH
[ $# -gt 0 ] || set -- startup truth visibility overhead unwind symbolize storage api
for name in "$@"; do
  [ -f "$root/bench/$name.ts" ] || { echo "no benchmark named $name in bench/" >&2; exit 2; }
  node --conditions=source "$root/bench/$name.ts"
done
