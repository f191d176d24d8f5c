// SPDX-License-Identifier: Apache-2.0
//
// Damages what the corpus has and keeps what leads to an outcome that nothing in it has yet:
//
//   node --conditions=source profile/src/codecs/testing/grow-corpus.ts

import fc from 'fast-check';
import { addToCorpus, readCorpus } from './corpus.ts';
import { damaged, damages } from './damage.ts';
import { outcomeOf, TEXT_DECODERS } from './text-decoders.ts';

const ROUNDS = 40;
const INPUTS_PER_ROUND = 250;
const MAX_FILE_BYTES = 600;
const MAX_FILES_PER_FORMAT = 24;

for (const [format, { decode, seeds }] of Object.entries(TEXT_DECODERS)) {
  const inputs = [...seeds, ...readCorpus(format)];
  const known = new Set(inputs.map((bytes) => outcomeOf(decode, bytes)));
  let files = inputs.length - seeds.length;
  for (let round = 0; round < ROUNDS && files < MAX_FILES_PER_FORMAT; round++) {
    for (const edits of fc.sample(damages, INPUTS_PER_ROUND)) {
      const bytes = damaged(inputs[round % inputs.length]!, edits);
      if (bytes.length > MAX_FILE_BYTES || files >= MAX_FILES_PER_FORMAT) continue;
      const outcome = outcomeOf(decode, bytes);
      if (known.has(outcome)) continue;
      known.add(outcome);
      inputs.push(bytes);
      addToCorpus(format, bytes);
      files++;
    }
  }
  console.log(`${format}: ${files} files, ${known.size} outcomes`);
}
