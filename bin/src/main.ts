// SPDX-License-Identifier: Apache-2.0
//
// The entry of the command `hearthscope`. Only here and in component.ts does the program decide to exit.

import { runCli } from './cli.ts';
import { reportFailure } from './failure.ts';

try {
  // What stays open (an idle socket, a worker) must not keep a finished command alive.
  process.exit(await runCli(process.argv.slice(2)));
} catch (error) {
  process.exit(reportFailure(error));
}
