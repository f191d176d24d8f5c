// SPDX-License-Identifier: Apache-2.0
//
// Reads what `perf script` prints: for each sample a line with the command, and the stack below it, leaf first:
//
//   java 12688/12764 [002] 6544038.708352:     250000 cpu-clock:
//           7f1f6a5d8b3e Interpreter+0x2e (/tmp/perf-12688.map)
//           7f1f6a1a2c10 [unknown] (/usr/lib/libjvm.so)
//
// An empty line or the next sample ends a stack. Each sample counts one, as the number in front of the event is not
// always there, and the command is the root frame. Offsets into functions are left off, so that one function is one frame.

import { FormatError } from '../errors.ts';
import type { Profile } from '../profile.ts';
import type { ProfileHeader } from '../profile-builder.ts';
import { DEFAULT_DECODE_LIMITS, type DecodeLimits } from './decode-limits.ts';
import type { DecodeReport } from './decode-report.ts';
import { type FrameIndex, NamedStacks, ROOT } from './named-stacks.ts';
import { textLines } from './text-lines.ts';

const FORMAT = 'perf script';

/** Command, process and thread id, and something behind them. A command has at most 15 bytes, and one line of a sample
 * without stack is not much longer than the rest. */
const SAMPLE_LINE = /^(\S.{0,63}?)\s{1,64}\d{1,10}(?:\/\d{1,10})?\s{1,64}\S/;
/** Address, symbol, binary. */
const FRAME_LINE = /^\s+([0-9a-f]{1,16})\s+(.*) \(([^()]*(?:\([^()]*\)[^()]*)*)\)$/;
const UNKNOWN_SYMBOL = '[unknown]';
const OFFSET_IN_FUNCTION = /\+0x[0-9a-f]{1,16}$/;

/** Whether a text begins with a sample of `perf script`. */
export function isPerfScript(bytes: Uint8Array): boolean {
  for (const { text } of textLines(FORMAT, bytes, undefined)) {
    if (text !== '' && !text.startsWith('#')) return SAMPLE_LINE.test(text);
  }
  return false;
}

/** @param header see {@link ./collapsed.ts}: `samples` in `count` unless it says otherwise
 * @param report counts lines that cannot be read (`malformed_line`) and what was changed; without it such a line is thrown
 * @throws FormatError for such a line, HearthscopeError invalid_argument for a limit that is exceeded */
export function decodePerfScript(
  bytes: Uint8Array,
  header: Partial<ProfileHeader> = {},
  limits: DecodeLimits = DEFAULT_DECODE_LIMITS,
  report?: DecodeReport,
): Profile {
  const stacks = new NamedStacks(FORMAT, header, limits, report);
  /** Of the sample being read: leaf first, the command not in it. */
  const frames: FrameIndex[] = [];
  let sample: { readonly command: FrameIndex; readonly offset: number } | undefined;
  const endSample = () => {
    if (sample === undefined) return;
    let node = stacks.child(ROOT, sample.command);
    for (let i = frames.length - 1; i >= 0; i--) node = stacks.child(node, frames[i]!);
    stacks.add(node, 1n, sample.offset);
    sample = undefined;
    frames.length = 0;
  };
  for (const { text, offset } of textLines(FORMAT, bytes, report)) {
    const line = text.trimEnd();
    if (line.startsWith('#')) continue;
    if (line === '') {
      endSample();
    } else if (/^\s/.test(line)) {
      const frame = sample && frameOfLine(stacks, line);
      if (frame !== undefined) frames.push(frame);
      else
        stacks.malformed(
          new FormatError(FORMAT, offset, sample ? 'a line that is no frame' : 'a frame outside of a sample'),
        );
    } else {
      endSample();
      const command = SAMPLE_LINE.exec(line)?.[1];
      if (command !== undefined) sample = { command: stacks.name(command), offset };
      else stacks.malformed(new FormatError(FORMAT, offset, 'a line that begins no sample'));
    }
  }
  endSample();
  return stacks.build();
}

function frameOfLine(stacks: NamedStacks, line: string): FrameIndex | undefined {
  const match = FRAME_LINE.exec(line);
  if (match === null) return undefined;
  const [, address, symbol, binary] = match as unknown as [string, string, string, string];
  if (symbol === UNKNOWN_SYMBOL) {
    return stacks.addressFrame({
      address: BigInt(`0x${address}`),
      binary: binary === UNKNOWN_SYMBOL ? '' : binary,
    });
  }
  return stacks.name(symbol.replace(OFFSET_IN_FUNCTION, ''));
}
