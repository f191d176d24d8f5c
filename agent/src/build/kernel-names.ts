// SPDX-License-Identifier: Apache-2.0
//
// The kernel frames that were named so far. Modules and BPF programs come and go and their addresses are used again, so
// everything is forgotten from time to time.

import type { Frame, FrameMapping } from './frame.ts';
import { nameLine, unboundedMapping } from './frame.ts';

const MAX_KERNEL_FRAMES = 32_768;
const LIFETIME_BATCHES = 30;

export class KernelNames {
  readonly #frames = new Map<bigint, Frame>();
  readonly #mappings = new Map<string, FrameMapping>();
  #clearedInBatch = 0;

  get size(): number {
    return this.#frames.size;
  }

  get(address: bigint): Frame | undefined {
    return this.#frames.get(address);
  }

  /** @param module '' for the kernel proper */
  add(address: bigint, name: string, module: string): void {
    this.#frames.set(address, this.frame(address, name, module));
  }

  /** As {@link add}, without keeping it. */
  frame(address: bigint, name: string, module: string): Frame {
    const filename = module === '' ? '[kernel.kallsyms]' : `[${module.replace(/^\[|\]$/g, '')}]`;
    let mapping = this.#mappings.get(filename);
    if (mapping === undefined) {
      mapping = unboundedMapping(filename);
      this.#mappings.set(filename, mapping);
    }
    const shown = name === '' ? `${filename}+0x${address.toString(16)}` : name;
    return { lines: [nameLine(shown)], address, mapping, type: 'kernel' };
  }

  /** Call once per batch. */
  age(batch: number): void {
    if (this.#frames.size <= MAX_KERNEL_FRAMES && batch - this.#clearedInBatch < LIFETIME_BATCHES) return;
    this.#frames.clear();
    this.#mappings.clear();
    this.#clearedInBatch = batch;
  }
}
