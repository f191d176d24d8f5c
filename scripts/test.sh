#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# `npm test`: installs and builds like `npm start`, then lint, types, and one run of all tests, whose summary is the
# last thing printed. `--full` runs the tests that can be longer at their full length (HEARTHSCOPE_TEST_FULL is set for
# them). Other arguments name test files to run alone:
#
#   npm test -- test/cli/help.test.ts
set -eu

directory=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
needs=--tests
[ "${1:-}" != --full ] || needs=--full-tests
sh "$directory/bootstrap.sh" "$needs"

# shellcheck source=scripts/steps.sh
. "$directory/steps.sh"

test_timeout_millis=300000
if [ "${1:-}" = --full ]; then
  HEARTHSCOPE_TEST_FULL=1
  export HEARTHSCOPE_TEST_FULL
  test_timeout_millis=1800000
  shift
fi

if [ "$#" -eq 0 ]; then
  step lint "Lint" biome check --error-on-warnings .
  step types "Types" tsc -b
  test_roots="profile native agent collector server bin test"
  # shellcheck disable=SC2086
  files=$(find $test_roots \( -name node_modules -o -name dist -o -path native/build \) -prune -o \
    -name '*.test.ts' -print | sort)
  # Names of test files hold no spaces.
  # shellcheck disable=SC2086
  set -- $files
fi

# Two files at a time suit two cores. A test that hangs fails after its time, and a file whose tests have ended ends.
exec node --conditions=source --test --test-concurrency=2 --test-timeout=$test_timeout_millis --test-force-exit \
  --test-reporter=spec "$@"
