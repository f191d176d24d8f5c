// SPDX-License-Identifier: Apache-2.0
//
// Programs of this machine that are compared beside those of test/testprogs: shells and interpreters, a compiler, hand
// written assembly, code compiled at run time.

import { execFileSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BuiltProgram } from '../harness/program-builder.ts';
import type { Target } from './agreement.ts';

/** Longer than any comparison: they are killed at its end. */
const SECONDS = 600;
/** Functions of the C file that the compiler is kept busy with: some minutes of work. */
const C_FUNCTIONS = 60_000;

export function targetOf(built: BuiltProgram): Target {
  return {
    name: `${built.program.name}, ${built.variant.name}`,
    command: built.path,
    arguments: [`${SECONDS}`, ...built.arguments],
    ...(built.program.environment === undefined ? {} : { environment: built.program.environment }),
  };
}

/** Those that are installed. @param directory for what they need */
export function systemTargets(directory: string): Target[] {
  const targets: Target[] = [];
  const add = (name: string, command: string | undefined, ...args: string[]) => {
    if (command !== undefined) targets.push({ name, command, arguments: args });
  };
  add(
    'bash',
    onPath('bash'),
    '-c',
    'f() { [ $1 -eq 0 ] || { local x=$((x + $1)); f $(($1 - 1)); }; }; while :; do f 30; done',
  );
  const python = [
    'import re',
    'def f(n): return n if n < 2 else f(n - 1) + f(n - 2)',
    'while True: f(15); sorted([str(x) for x in range(2000)], key=lambda t: t[::-1]); re.sub("[a-f]+", "x", "abc def ghi" * 50)',
  ];
  add(
    'python3',
    existsSync('/usr/bin/python3') ? '/usr/bin/python3' : onPath('python3'),
    '-c',
    python.join('\n'),
  );
  add(
    'perl',
    onPath('perl'),
    '-e',
    'while (1) { my @l = sort { $a <=> $b } map { ($_ * 7919) % 1009 } 1..2000; my $t = join(",", @l); $t =~ s/(\\d)(\\d)/$2$1/g; }',
  );
  add('openssl rsa', onPath('openssl'), 'speed', '-seconds', `${SECONDS}`, 'rsa2048');
  add('openssl sha256', onPath('openssl'), 'speed', '-seconds', `${SECONDS}`, 'sha256');
  add(
    'node',
    process.execPath,
    '-e',
    'function f(n) { return n < 2 ? n : f(n - 1) + f(n - 2); } for (;;) { f(20); JSON.parse(JSON.stringify(Array.from({ length: 3000 }, (_, i) => ({ i, t: String(i) })))); /(a+)+b/.exec("a".repeat(18)); }',
  );
  add('cc1', compilerProper(), '-O2', '-quiet', cFile(directory), '-o', '/dev/null');
  const java = javaProgram(directory);
  if (java !== undefined) add('java', onPath('java'), '-XX:+PreserveFramePointer', '-cp', java, 'Busy');
  return targets;
}

function onPath(program: string): string | undefined {
  return (process.env.PATH ?? '')
    .split(':')
    .map((folder) => join(folder, program))
    .find((path) => existsSync(path));
}

/** gcc's cc1, which is what takes the time of a compilation. */
function compilerProper(): string | undefined {
  try {
    const path = execFileSync('gcc', ['-print-prog-name=cc1'], { encoding: 'utf8' }).trim();
    return existsSync(path) ? path : undefined;
  } catch {
    return undefined;
  }
}

function cFile(directory: string): string {
  const path = join(directory, 'large.c');
  const functions = Array.from(
    { length: C_FUNCTIONS },
    (_, i) =>
      `int f${i}(int a, int b) { int s = ${i}; for (int i = 0; i < a; i++) { if (i % ${(i % 7) + 2}) s += b * i; else s ^= a; switch (s & 3) { case 0: s += 3; break; case 1: s *= 5; break; default: s--; } } return s; }\n`,
  );
  writeFileSync(path, functions.join(''));
  return path;
}

function javaProgram(directory: string): string | undefined {
  if (onPath('javac') === undefined || onPath('java') === undefined) return undefined;
  const source = join(directory, 'Busy.java');
  writeFileSync(
    source,
    `import java.util.*;
public class Busy {
  static int fib(int n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
  public static void main(String[] arguments) {
    for (long round = 0; ; round++) {
      fib(18);
      Map<String, Integer> map = new HashMap<>();
      for (int i = 0; i < 3000; i++) map.merge("k" + (i * 31) % 500, i, Integer::sum);
      List<Integer> values = new ArrayList<>(map.values());
      Collections.sort(values, (a, b) -> Integer.compare(b, a));
    }
  }
}
`,
  );
  execFileSync('javac', ['-d', directory, source]);
  return directory;
}
