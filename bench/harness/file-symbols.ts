// SPDX-License-Identifier: Apache-2.0
//
// What the symbol tables of files say by readelf, which shares no code with our readers: which addresses they cover, and
// which names are those of one function.

import { execFileSync } from 'node:child_process';

/** The symbols of some files together, as readelf lists them. */
export class FileSymbols {
  /** Ranges without gaps, ascending. */
  readonly #starts: number[] = [];
  readonly #limits: number[] = [];
  /** By name, where it begins; a name may be there several times. */
  readonly #addresses = new Map<string, Set<number>>();

  constructor(paths: readonly string[]) {
    const ranges: { start: number; limit: number }[] = [];
    for (const path of paths) {
      const table = execFileSync('readelf', ['-sW', path], {
        encoding: 'utf8',
        maxBuffer: 2 ** 30,
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      for (const [, value, size, name] of table.matchAll(
        /^ *\d+: ([0-9a-f]{16}) +(\S+) (?:FUNC|NOTYPE|IFUNC|OBJECT) +\S+ +\S+ +\S+ (\S+).*$/gm,
      )) {
        const start = Number.parseInt(value!, 16);
        const plain = withoutVersion(name!);
        const known = this.#addresses.get(plain);
        if (known === undefined) this.#addresses.set(plain, new Set([start]));
        else known.add(start);
        if (Number(size) > 0) ranges.push({ start, limit: start + Number(size) });
      }
    }
    ranges.sort((a, b) => a.start - b.start);
    for (const { start, limit } of ranges) {
      const last = this.#limits.at(-1);
      if (last !== undefined && start <= last) this.#limits[this.#limits.length - 1] = Math.max(last, limit);
      else {
        this.#starts.push(start);
        this.#limits.push(limit);
      }
    }
  }

  covers(address: number): boolean {
    let [low, high] = [0, this.#starts.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#starts[middle]! <= address) low = middle + 1;
      else high = middle;
    }
    return low > 0 && address < this.#limits[low - 1]!;
  }

  /** Two names of one function: constructors, aliases of libc, functions that the linker found to be identical. */
  areOne(left: string, right: string): boolean {
    if (left === right) return true;
    const [own, others] = [
      this.#addresses.get(withoutVersion(left)),
      this.#addresses.get(withoutVersion(right)),
    ];
    return own !== undefined && others !== undefined && [...own].some((address) => others.has(address));
  }
}

function withoutVersion(name: string): string {
  return name.replace(/@.*$/, '');
}
