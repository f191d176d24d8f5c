// SPDX-License-Identifier: Apache-2.0
//
// The JDK of this machine: compiles and runs the programs of these tests, and reads recordings with its own `jfr`, the
// reader that ours is compared with.

import { execFile, execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

const PROGRAMS = join(import.meta.dirname, 'programs');
const MAX_OUTPUT_BYTES = 256 * 2 ** 20;
const RUN_TIMEOUT_MILLIS = 120_000;

/** Why Java programs cannot be compiled, run and looked at here, or false: for the `skip` option of a test. */
export function javaMissing(): string | false {
  for (const tool of ['javac', 'java', 'jfr']) {
    try {
      execFileSync(tool, [tool === 'jfr' ? 'version' : '-version'], { stdio: 'ignore' });
    } catch {
      return `SKIPPED: no ${tool} of a JDK (17 or later) on the PATH`;
    }
  }
  return false;
}

/** @param name of a class in `programs/` @param classPath jars that it needs @returns the directory with its classes */
export async function compileJava(name: string, directory: string, classPath = ''): Promise<string> {
  const classes = join(directory, 'classes');
  await run('javac', ['-d', classes, '-cp', classPath, join(PROGRAMS, `${name}.java`)]);
  return classes;
}

/** Runs a program to its end, with every event recorded that becomes a sample. */
export async function recordJava(
  classes: string,
  name: string,
  recording: string,
  ...parameters: readonly string[]
): Promise<void> {
  const settings = join(PROGRAMS, 'all-measurements.jfc');
  const flag = `-XX:StartFlightRecording:settings=${settings},filename=${recording}`;
  await run('java', [flag, '-cp', classes, name, ...parameters], { timeout: RUN_TIMEOUT_MILLIS });
}

/** How many events of each type the JDK counts in a recording; those without any are left out. */
export async function jfrSummary(
  recording: string,
): Promise<{ chunks: number; events: Map<string, number> }> {
  const { stdout } = await run('jfr', ['summary', recording]);
  const events = new Map<string, number>();
  for (const [, type, count] of stdout.matchAll(/^ ([\w.]+)\s+(\d+)\s+\d+\s*$/gm)) {
    if (count !== '0') events.set(type!, Number(count));
  }
  return { chunks: Number(/Chunks: (\d+)/.exec(stdout)?.[1]), events };
}

/** An event as `jfr print --json` has it, with the fields that matter here. */
export interface PrintedEvent {
  readonly type: string;
  readonly values: {
    readonly stackTrace: { readonly frames: readonly PrintedFrame[] } | null;
    /** ISO 8601, e.g. `PT0.000038967S`. */
    readonly duration?: string;
    readonly state?: string;
    readonly tlabSize?: number;
    readonly allocationSize?: number;
    readonly weight?: number;
  };
}

export interface PrintedFrame {
  readonly method: { readonly type: { readonly name: string }; readonly name: string };
  readonly lineNumber: number;
}

/** @param types names of event types */
export async function jfrPrint(
  recording: string,
  types: readonly string[],
): Promise<readonly PrintedEvent[]> {
  const parameters = ['print', '--json', '--stack-depth', '4096', '--events', types.join(','), recording];
  const { stdout } = await run('jfr', parameters, { maxBuffer: MAX_OUTPUT_BYTES });
  const printed = JSON.parse(stdout) as { recording: { events: readonly PrintedEvent[] } };
  return printed.recording.events;
}
