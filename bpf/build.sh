#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Compiles profiler.bpf.c to OUTPUT and strips its DWARF (BTF stays).
#
#   bpf/build.sh OUTPUT [x86|arm64]
#
# clang 19 or later: 14 and 16 give code the verifier refuses. CLANG and LLVM_STRIP override the names.
set -eu

output=${1:?usage: build.sh OUTPUT [x86|arm64]}
case ${2:-$(uname -m)} in
x86 | x86_64) arch=x86 ;;
arm64 | aarch64) arch=arm64 ;;
*)
  echo "bpf/build.sh: no registers known for ${2:-$(uname -m)}" >&2
  exit 1
  ;;
esac

here=$(cd "$(dirname "$0")" && pwd)
clang=${CLANG:-clang-19}
strip=${LLVM_STRIP:-llvm-strip-19}
for tool in "$clang" "$strip"; do
  command -v "$tool" >/dev/null || {
    echo "bpf/build.sh: $tool not found; install clang-19 and llvm-19" >&2
    exit 1
  }
done

# asm/types.h lies in a folder of the architecture on Debian and Ubuntu.
multiarch=/usr/include/$(uname -m)-linux-gnu
mkdir -p "$(dirname "$output")"
"$clang" -g -O2 -Wall -Wextra -Werror -target bpf -mcpu=v3 "-D__TARGET_ARCH_$arch" \
  "-ffile-prefix-map=$here=bpf" -I"$here/include" -idirafter "$multiarch" -c "$here/profiler.bpf.c" -o "$output.tmp"
"$strip" -g "$output.tmp"
mv "$output.tmp" "$output"
