#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Writes docs/configuration.md from the configuration's schema. A test fails when the document is stale.
set -eu

# shellcheck source=scripts/steps.sh
. "$(dirname -- "$0")/steps.sh"

# shellcheck disable=SC2016
node --conditions=source --input-type=module --eval '
  import { writeFileSync } from "node:fs";
  const { configurationDocument } = await import(`file://${process.cwd()}/bin/src/config/documentation.ts`);
  writeFileSync("docs/configuration.md", configurationDocument());
'
