#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Installs what is missing and builds what has changed: Debian packages, npm packages with the pinned Node, BPF and
# addon, TypeScript, web page. A second run only looks. Options:
#
#   --tests   also what the tests need (a browser, a C compiler, tools they compare with)
#
# Each step keeps its output in .stamps/; it is shown only when the step fails.
set -eu

# shellcheck source=scripts/steps.sh
. "$(dirname -- "$0")/steps.sh"

with_tests=no
for option in "$@"; do
  case $option in
    --tests) with_tests=yes ;;
    *)
      echo "bootstrap: unknown option $option; the only one is --tests" >&2
      exit 2
      ;;
  esac
done

# ---- Debian packages -------------------------------------------------------------------------------------------------

BUILD_PACKAGES="clang-19 llvm-19 libbpf-dev libelf-dev zlib1g-dev cmake make g++"
TEST_PACKAGES="gcc libc6-dev binutils chromium"

is_installed() {
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

missing_of() {
  for package in "$@"; do
    is_installed "$package" || printf '%s ' "$package"
  done
}

install_packages() {
  DEBIAN_FRONTEND=noninteractive
  export DEBIAN_FRONTEND
  # A mirror that is being updated fails for a moment.
  apt-get update -qq || { sleep 5 && apt-get update -qq; }
  apt-get install -y -qq --no-install-recommends "$@" ||
    { sleep 5 && apt-get install -y -qq --no-install-recommends "$@"; }
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
    *" ubuntu "*) TEST_PACKAGES="gcc libc6-dev binutils" ;;
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
if [ "$is_debian_family" = yes ]; then
  # shellcheck disable=SC2086
  missing=$(missing_of $wanted)
  if [ -n "$missing" ]; then
    if [ "$(id -u)" -eq 0 ]; then
      # shellcheck disable=SC2086
      step packages "Debian packages ($(echo "$missing" | sed 's/ *$//'))" install_packages $missing
    elif build_tools_present; then
      echo "bootstrap: not root, so these Debian packages stay missing: $missing" >&2
    else
      fail "not root, so nothing can be installed: run \`sudo apt-get install ${missing% }\` once, then this again"
    fi
  fi
elif ! build_tools_present; then
  fail "this is no Debian or Ubuntu: install clang 19, libbpf (1.1 or newer), libelf and zlib with their headers, cmake, make and g++ by hand, then run this again"
fi

# ---- npm packages ----------------------------------------------------------------------------------------------------

command -v npm >/dev/null 2>&1 || fail "npm is missing: install Node.js 20 or newer with npm"

# `npm ci` would refuse a lockfile in which platforms are missing whose packages the registry at hand does not serve.
# This installs the same locked versions, checked against the same hashes, and leaves the lockfile as it is.
install_npm_packages() {
  # The machine's own Node runs npm here, and only here: the pinned one comes with the packages.
  npm install --no-save --prefer-offline --loglevel=error --no-audit --no-fund ||
    { sleep 5 && npm install --no-save --loglevel=error --no-audit --no-fund; }
}

if [ ! -x node_modules/.bin/node ] || ! cmp -s package-lock.json "$stamps/package-lock.json"; then
  rm -f "$stamps/package-lock.json"
  step npm "npm packages" install_npm_packages
  cp package-lock.json "$stamps/package-lock.json"
fi

# ---- Builds ----------------------------------------------------------------------------------------------------------

sh scripts/build.sh
