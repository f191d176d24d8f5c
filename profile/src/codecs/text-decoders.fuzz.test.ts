// SPDX-License-Identifier: Apache-2.0
//
// Damaged input of all text and tree formats: it is read or refused, what comes out is within the limits, and the memory
// it takes is bounded.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { getHeapStatistics } from 'node:v8';
import fc from 'fast-check';
import { DEFAULT_DECODE_LIMITS } from './decode-limits.ts';
import { DecodeReport } from './decode-report.ts';
import { readCorpus } from './testing/corpus.ts';
import { damaged, damages } from './testing/damage.ts';
import { outcomeOf, TEXT_DECODERS } from './testing/text-decoders.ts';

/** Of a run over a few hundred bytes, all that is garbage included. */
const MAX_GROWTH_BYTES = 64 * 1_048_576;

for (const [format, { decode, seeds }] of Object.entries(TEXT_DECODERS)) {
  const corpus = readCorpus(format);

  test(`${format}: seeds are read, and the corpus is read or refused`, () => {
    for (const bytes of seeds) assert.match(outcomeOf(decode, bytes), /^[1-9]/);
    assert.ok(corpus.length > 0);
    for (const bytes of corpus) outcomeOf(decode, bytes);
  });

  test(`${format}: damaged input`, { timeout: 300_000 }, () => {
    fc.assert(
      fc.property(fc.constantFrom(...seeds, ...corpus), damages, (bytes, edits) => {
        outcomeOf(decode, damaged(bytes, edits));
      }),
      { numRuns: 1500 },
    );
  });

  test(`${format}: every truncation and every flipped byte`, { timeout: 300_000 }, () => {
    for (const bytes of seeds) {
      for (let at = 0; at < bytes.length; at++) {
        outcomeOf(decode, bytes.subarray(0, at));
        outcomeOf(decode, bytes.with(at, bytes[at]! ^ 0xff));
        outcomeOf(decode, bytes.with(at, bytes[at]! ^ 1));
      }
    }
  });

  test(`${format}: a few hundred bytes take no memory to speak of under the default limits`, () => {
    for (const bytes of [...seeds, ...corpus]) {
      const before = getHeapStatistics();
      try {
        decode(bytes, DEFAULT_DECODE_LIMITS, new DecodeReport());
      } catch {
        // That it is refused in the right way is the other tests' matter.
      }
      const after = getHeapStatistics();
      const growth =
        after.used_heap_size + after.external_memory - before.used_heap_size - before.external_memory;
      assert.ok(growth < MAX_GROWTH_BYTES, `${growth} bytes for an input of ${bytes.length}`);
    }
  });
}
