#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# `npm start -- OPTIONS`: installs and builds what is missing, then becomes `hearthscope up OPTIONS`.
set -eu

directory=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
sh "$directory/bootstrap.sh"
exec "$directory/../bin/hearthscope" up "$@"
