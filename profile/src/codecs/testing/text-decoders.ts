// SPDX-License-Identifier: Apache-2.0
//
// The decoders of text and tree formats as the fuzz test and the program that grows its corpus see them: bytes in, an
// outcome out. An outcome is what the decoder did with the bytes, with all numbers and names of the input taken out, so
// that two inputs with the same outcome have likely gone the same way.

import assert from 'node:assert/strict';
import { HearthscopeError } from '../../errors.ts';
import type { Profile } from '../../profile.ts';
import { encodeTrie } from '../../testing/trie-bytes.ts';
import { decodeCollapsed, decodeStackLines } from '../collapsed.ts';
import { DEFAULT_DECODE_LIMITS, type DecodeLimits } from '../decode-limits.ts';
import { DecodeReport } from '../decode-report.ts';
import { decodeFlamebearer } from '../flamebearer.ts';
import { decodePerfScript } from '../perf-script.ts';
import { decodeSpeedscope } from '../speedscope.ts';
import { decodeTree } from '../tree-decode.ts';
import { decodeTrie } from '../trie-decode.ts';

/** Small, so that damaged input gets to all of them. */
export const FUZZ_LIMITS: DecodeLimits = {
  ...DEFAULT_DECODE_LIMITS,
  maxProfiles: 3,
  maxSamples: 30,
  maxStackDepth: 12,
  maxSymbolLength: 40,
  maxTableRows: 60,
  maxDecodedRows: 200,
  maxPayloadBytes: 4096,
};

type Decode = (bytes: Uint8Array, limits: DecodeLimits, report: DecodeReport) => readonly Profile[];

const SPEEDSCOPE = JSON.stringify({
  $schema: 'https://www.speedscope.app/file-format-schema.json',
  shared: { frames: [{ name: 'main', file: 'a.js', line: 1 }, { name: 'work' }] },
  profiles: [
    {
      type: 'sampled',
      name: 'p',
      unit: 'seconds',
      startValue: 0,
      samples: [[0], [0, 1], []],
      weights: [1, 2.5, 3],
    },
    {
      type: 'evented',
      name: 'q',
      unit: 'none',
      startValue: 0,
      events: [
        { type: 'O', frame: 0, at: 0 },
        { type: 'O', frame: 1, at: 1 },
        { type: 'C', frame: 1, at: 3 },
        { type: 'C', frame: 0, at: 9 },
      ],
    },
  ],
});

const FLAMEBEARER = JSON.stringify({
  version: 1,
  metadata: { format: 'double', name: 'cpu', units: 'samples', sampleRate: 100, spyName: 'gospy' },
  flamebearer: {
    names: ['total', 'main', 'work'],
    levels: [
      [0, 4, 0, 0, 6, 0, 0],
      [0, 4, 1, 0, 6, 2, 1],
      [1, 3, 3, 2, 4, 4, 2],
    ],
  },
});

const PERF =
  'app 1/2 [000] 1.5: 100 cycles:\n\t 7f01 work+0x10 (/bin/app)\n\t 7f02 [unknown] (/lib/libc.so)\n\n';

export const TEXT_DECODERS: Readonly<
  Record<string, { readonly decode: Decode; readonly seeds: readonly Uint8Array[] }>
> = {
  collapsed: {
    decode: (bytes, limits, report) => [decodeCollapsed(bytes, {}, limits, report)],
    seeds: [utf8('main;work 3\nmain;wörk;leaf 12\r\n\nmain 1\n'), utf8('a%3Bb;c%25 7')],
  },
  lines: {
    decode: (bytes, limits, report) => [decodeStackLines(bytes, {}, limits, report)],
    seeds: [utf8('main;work\nmain;work\r\n;\nmain;wörk')],
  },
  trie: {
    decode: (bytes, limits, report) => [decodeTrie(bytes, {}, limits, report)],
    seeds: [
      encodeTrie([
        ['main;work', 3n],
        ['main;wörk;leaf', 300n],
        ['main;w', 1n],
        ['idle', 2n],
      ]),
    ],
  },
  tree: {
    decode: (bytes, limits, report) => [decodeTree(bytes, {}, limits, report)],
    seeds: [Uint8Array.from([0, 0, 2, 1, 0x61, 1, 1, 2, 0x62, 0x63, 0x80, 1, 0, 1, 0x64, 5, 0])],
  },
  speedscope: {
    decode: (bytes, limits, report) => decodeSpeedscope(bytes, limits, report).map(({ profile }) => profile),
    seeds: [utf8(SPEEDSCOPE)],
  },
  flamebearer: {
    decode: (bytes, limits, report) => {
      const file = decodeFlamebearer(bytes, limits, report);
      return file.format === 'single' ? [file.profile] : [file.left, file.right];
    },
    seeds: [
      utf8(FLAMEBEARER),
      utf8(
        '{"version":1,"metadata":{"format":"single"},"flamebearer":{"names":["total","a"],"levels":[[0,2,0,0],[0,2,2,1]]}}',
      ),
    ],
  },
  'perf-script': {
    decode: (bytes, limits, report) => [decodePerfScript(bytes, {}, limits, report)],
    seeds: [utf8(PERF), utf8(`# x\nother 3 2.5: cycles:\n${PERF}`)],
  },
};

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** Decodes, and checks that nothing but the errors of bad input is thrown and that what comes out is within the limits.
 * @returns what happened, see above */
export function outcomeOf(decode: Decode, bytes: Uint8Array): string {
  const report = new DecodeReport();
  let profiles: readonly Profile[];
  try {
    profiles = decode(bytes, FUZZ_LIMITS, report);
  } catch (error) {
    assert.ok(error instanceof HearthscopeError && error.code === 'invalid_argument', String(error));
    return `refused: ${withoutInput(error.message)}`;
  }
  assert.ok(profiles.length <= FUZZ_LIMITS.maxProfiles);
  for (const profile of profiles) checkProfile(profile);
  const rows = profiles.reduce((sum, { samples }) => sum + samples.length, 0);
  const notes = [
    ...report.rejected.map(({ reason, message }) => `${reason}: ${withoutInput(message)}`),
    ...report.repaired.map(({ reason }) => reason),
  ];
  return `${Math.min(rows, 3)} samples; ${notes.sort().join(', ')}`;
}

function checkProfile({ strings, stacks, samples, locations }: Profile): void {
  assert.ok(samples.length <= FUZZ_LIMITS.maxSamples);
  assert.ok(locations.length <= FUZZ_LIMITS.maxTableRows);
  for (const text of strings) assert.ok(text.length <= FUZZ_LIMITS.maxSymbolLength && text.isWellFormed());
  for (let stack = 0; stack < stacks.length; stack++) {
    const depth = stacks.locationStart[stack + 1]! - stacks.locationStart[stack]!;
    assert.ok(depth > 0 && depth <= FUZZ_LIMITS.maxStackDepth);
  }
  for (const value of samples.values[0]!) assert.ok(value > 0n);
}

/** Numbers and quoted parts differ from input to input. */
function withoutInput(message: string): string {
  return message
    .replace(/(["'`]).*?\1/g, 'T')
    .replace(/-?\d+(\.\d+)?(e[+-]?\d+)?/g, 'N')
    .slice(0, 120);
}
