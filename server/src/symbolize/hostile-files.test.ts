// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { FormatError } from '@hearthscope/profile/errors';
import { memoryAccess } from '@hearthscope/profile/symbols/random-access';
import fc from 'fast-check';
import { TestDirectory } from '../testing/server-fixture.ts';
import { BinaryNames } from './binary-names.ts';
import { inspectFile } from './inspect-file.ts';
import { buildTestBinary } from './testing/test-binary.ts';

const directory = new TestDirectory();
after(() => directory[Symbol.dispose]());
const binary = buildTestBinary(directory.path);

/** What the worker answers as damage; anything else is a defect of ours. */
function isDamage(error: unknown): boolean {
  return error instanceof FormatError || error instanceof RangeError;
}

test('damaged files give names or a reason, and nothing else', () => {
  const addresses = BigUint64Array.of(binary.callAddress, 0n, binary.callOffset, 2n ** 64n - 1n);
  const damage = fc.array(fc.tuple(fc.nat(binary.bytes.length - 1), fc.nat(255)), {
    minLength: 1,
    maxLength: 40,
  });
  const files = fc.constantFrom(binary.bytes, binary.stripped, binary.debug);
  let named = 0;
  fc.assert(
    fc.property(files, damage, fc.double({ min: 0, max: 1, noNaN: true }), (file, changes, cut) => {
      const bytes = Buffer.from(file);
      for (const [at, value] of changes) bytes[at % bytes.length] = value;
      const access = memoryAccess(cut < 0.2 ? bytes.subarray(0, Math.floor(cut * 5 * bytes.length)) : bytes);
      try {
        const { kind } = inspectFile(access);
        const names = new BinaryNames({ [kind]: access }, 'full');
        const { frameStart } = names.lookUp('virtual', addresses);
        assert.equal(frameStart.length, addresses.length + 1);
        named += frameStart.at(-1)!;
      } catch (error) {
        if (!isDamage(error)) throw error;
      }
    }),
    { numRuns: 300 },
  );
  assert.ok(named > 0, 'some of them are still readable');
});
