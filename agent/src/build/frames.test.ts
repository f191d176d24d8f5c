// SPDX-License-Identifier: Apache-2.0
//
// What a recorded profile says of inlined functions, files, lines and code compiled at run time, on the real kernel.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { addressName } from '@hearthscope/profile/frame-name';
import type { Profile } from '@hearthscope/profile/profile';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { startRecording } from '../recording.ts';
import { samplingUnavailable } from '../testing/programs.ts';

const skip = samplingUnavailable();
const directory = realpathSync(mkdtempSync(join(tmpdir(), 'hearthscope-frames-')));
after(() => rmSync(directory, { recursive: true }));

interface Line {
  readonly name: string;
  readonly systemName: string;
  readonly file: string;
  readonly line: number;
  readonly startLine: number;
}

/** The lines of each location of a profile. */
function linesOf({ locations, functions, strings }: Profile): Line[][] {
  return Array.from({ length: locations.length }, (_, location) =>
    Array.from(
      { length: locations.lineStart[location + 1]! - locations.lineStart[location]! },
      (_line, i): Line => {
        const row = locations.lineStart[location]! + i;
        const of = locations.lineFunction[row]!;
        return {
          name: strings[functions.name[of]!]!,
          systemName: strings[functions.systemName[of]!]!,
          file: strings[functions.filename[of]!]!,
          line: Number(locations.lineNumber[row]!),
          startLine: Number(functions.startLine[of]!),
        };
      },
    ),
  );
}

async function record(command: string, args: string[]): Promise<{ profile: Profile; pid: number }> {
  const recording = await startRecording({
    frequencyHz: 199,
    follow: [{ pid: process.pid, sampleItself: false }],
    symbolCacheBytes: 32 << 20,
    logger: pino({ level: 'silent' }),
    registry: new Registry(),
  });
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  await once(child, 'exit');
  return { profile: (await recording.stop()).profile, pid: child.pid! };
}

describe('frames of a recording', { skip, timeout: 120_000 }, () => {
  it('have inlined functions with their lines, demangled, the linkage name beside', async () => {
    const source = join(directory, 'inlined.cpp');
    const program = join(directory, 'inlined');
    writeFileSync(
      source,
      `#include <cstdlib>
#include <ctime>
namespace work {
volatile unsigned long sink;
inline void burn(unsigned long n) { for (unsigned long i = 0; i < n; i++) sink = sink * 31 + i; }
inline void step(int n) { burn(1000ul * n); }
__attribute__((noinline)) void outer(int n) { step(n); sink = sink + 1; }
}
int main(int, char **argv) { std::clock_t end = std::clock() + std::atoi(argv[1]) * CLOCKS_PER_SEC;
  while (std::clock() < end) work::outer(50); }
`,
    );
    execFileSync('g++', ['-O2', '-g', '-o', program, source]);
    const { profile } = await record(program, ['2']);
    const burning = linesOf(profile).filter(([first]) => first?.name === 'work::burn(unsigned long)');
    assert.ok(burning.length > 0);
    for (const lines of burning) {
      assert.deepEqual(
        lines.map(({ name, systemName, startLine }) => [name, systemName, startLine]),
        [
          ['work::burn(unsigned long)', '_ZN4work4burnEm', 5],
          ['work::step(int)', '_ZN4work4stepEi', 6],
          ['work::outer(int)', '_ZN4work5outerEi', 7],
        ],
      );
      assert.deepEqual(
        lines.map(({ line }) => line),
        [5, 6, 7],
      );
      assert.ok(lines.every(({ file }) => file === source));
    }
  });

  it('have the names that a JIT compiler writes down', async (t) => {
    const script = `function busyFunction(n) { return n < 2 ? n : busyFunction(n - 1) + busyFunction(n - 2); }
const end = Date.now() + 6000; while (Date.now() < end) busyFunction(20);`;
    // Else node leaves a log of its own in the working directory.
    const logAside = `--logfile=${join(directory, 'v8.log')}`;
    const { profile, pid } = await record(process.execPath, ['--perf-basic-prof', logAside, '-e', script]);
    t.after(() => rmSync(`/tmp/perf-${pid}.map`, { force: true }));
    const names = linesOf(profile)
      .flat()
      .map(({ name }) => name);
    assert.ok(
      names.some((name) => /^JS:\*'?busyFunction /.test(name)),
      names.slice(0, 50).join('\n'),
    );
  });

  it('are called by binary and offset in the file where nothing has a name, as the server would', async () => {
    const source = join(directory, 'nameless.c');
    const program = join(directory, 'nameless');
    writeFileSync(
      source,
      `#include <stdlib.h>
#include <time.h>
static volatile unsigned long sink;
int main(int c, char **v) { clock_t end = clock() + atoi(v[c - 1]) * CLOCKS_PER_SEC;
  while (clock() < end) for (int i = 0; i < 100000; i++) sink += i; return 0; }
`,
    );
    // Not where it lies in the file: then the two offsets differ.
    execFileSync('gcc', ['-O1', '-s', '-no-pie', '-o', program, source]);
    const { profile } = await record(program, ['1']);
    let checked = 0;
    for (const [location, lines] of linesOf(profile).entries()) {
      const mapping = profile.locations.mapping[location]!;
      if (profile.strings[profile.mappings.filename[mapping]!] !== program) continue;
      if (lines[0]!.name.endsWith('@plt')) continue;
      assert.equal(lines[0]!.name, addressName(profile, location));
      assert.match(lines[0]!.name, /^nameless\+0x[0-9a-f]{1,5}$/);
      checked++;
    }
    assert.ok(checked > 0);
  });
});
