#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Builds what has changed: the BPF programs with the addon around them, the TypeScript of every package, the web page.
# bootstrap.sh installs what this needs. Options:
#
#   --without-native   no BPF programs and no addon: enough for the server, where no compiler can be installed
set -eu

# shellcheck source=scripts/steps.sh
. "$(dirname -- "$0")/steps.sh"

lock_checkout

PACKAGES="profile native agent collector server bin"

[ -x node_modules/.bin/node ] || fail "the npm packages are missing: run \`npm run bootstrap\`"

# outdated NAME OUTPUT SOURCE...: the stamp alone would not notice that somebody removed the output.
outdated() {
  outdated_name=$1
  outdated_output=$2
  shift 2
  [ ! -e "$outdated_output" ] || changed "$stamps/$outdated_name.done" package-lock.json scripts/build.sh "$@"
}

if [ "${1:-}" != --without-native ] && outdated native native/build/Release/hearthscope.node \
  bpf native/src native/CMakeLists.txt native/package.json scripts/build-native.sh; then
  build_step native "BPF programs and addon" sh scripts/build-native.sh
fi

sources="tsconfig.base.json native/lib server/gen collector/gen profile/gen agent/gen"
for package in $PACKAGES; do
  sources="$sources $package/src $package/tsconfig.json"
done
# shellcheck disable=SC2086
if outdated typescript bin/dist/main.js $sources; then
  # shellcheck disable=SC2086
  build_step typescript "TypeScript" tsc -b $PACKAGES
fi

if outdated page server/dist/ui/index.html server/ui profile/src; then
  build_step page "Web page" sh -c 'cd server/ui && exec vite build --logLevel warn'
fi
