#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Generates the protobuf code that is checked in, for every workspace that has a proto/ folder. Needs no network: the
# compiler and its plugin are npm packages of this repository. An argument names another output root, into which
# <workspace>/gen is written instead; a test uses it to compare.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
output=${1:-$root}
PATH=$root/node_modules/.bin:$PATH
export PATH

for configuration in "$root"/*/proto/buf.gen.yaml; do
  proto=$(dirname "$configuration")
  workspace=$(basename "$(dirname "$proto")")
  echo "generating $workspace/gen" >&2
  mkdir -p "$output/$workspace/proto"
  (cd "$proto" && buf generate --output "$output/$workspace/proto")
done
