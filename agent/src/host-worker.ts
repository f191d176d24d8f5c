// SPDX-License-Identifier: Apache-2.0
//
// Asks systeminformation about the host, in a thread that ends afterwards: the library and what it loads would take 10 MB
// of the agent's memory for one answer.

import { parentPort } from 'node:worker_threads';
import { cpu, osInfo } from 'systeminformation';

/** '' where the host does not tell. */
export interface HostFacts {
  readonly osName: string;
  readonly osVersion: string;
  readonly cpuModel: string;
}

const [system, processor] = await Promise.all([osInfo(), cpu()]);
parentPort!.postMessage({
  osName: system.distro,
  osVersion: system.release,
  cpuModel: `${processor.manufacturer} ${processor.brand}`.trim(),
} satisfies HostFacts);
