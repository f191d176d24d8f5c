// SPDX-License-Identifier: Apache-2.0
//
// Programs built by the tests: C, C++ and assembly, with any compiler of the machine.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type TestContext } from 'node:test';

const directory = mkdtempSync(join(tmpdir(), 'hearthscope-unwind-'));
after(() => rmSync(directory, { recursive: true }));

/** A path for a file of the test. */
export function pathFor(name: string): string {
  return join(directory, name);
}

/** Compiles `source` to a file `name`; `language` is the ending of the source file. */
export function buildProgram(
  name: string,
  compiler: string,
  flags: readonly string[],
  source: string,
  language: 'c' | 'cc' | 's' = 'c',
): string {
  const input = pathFor(`${name}.${language}`);
  const output = pathFor(name);
  writeFileSync(input, source);
  execFileSync(compiler, ['-o', output, input, ...flags], { stdio: 'pipe' });
  return output;
}

/** True when a tool can be started; else the test is skipped, and says why. */
export function hasTool(t: TestContext, tool: string): boolean {
  try {
    execFileSync(tool, ['--version'], { stdio: 'pipe' });
    return true;
  } catch {
    t.skip(`${tool} is not installed`);
    return false;
  }
}

/** Functions with all kinds of frames: large, of variable length, realigned, recursive, with exceptions in C++. */
export const manyFrames = `
#include <stdlib.h>
#include <string.h>
#include <stdio.h>
typedef struct { double v[8]; } aligned_pair __attribute__((aligned(64)));
volatile int sink;
__attribute__((noinline)) int leaf(int x) { return x * 3 + sink; }
__attribute__((noinline)) int large(int x) { char b[70000]; memset(b, x, sizeof b); sink += b[x & 1023]; return leaf(x) + b[7]; }
__attribute__((noinline)) int variable(int n) { char b[n]; memset(b, n, n); sink += b[n / 2]; return large(n) + b[0]; }
__attribute__((noinline)) int aligned(int n) { aligned_pair p[4]; memset(p, n, sizeof p); char b[n]; memset(b, 1, n); sink += b[1]; return variable(n) + ((char *)p)[3] + b[0]; }
__attribute__((noinline)) int recursive(int n) { return n == 0 ? aligned(33) : recursive(n - 1) * 3 + leaf(n); }
__attribute__((noinline)) int many(int a, int b, int c, int d, int e, int f, int g, int h, int i) { return recursive(a) + b * c + d * e + f * g + h * i; }
__attribute__((noinline, noreturn)) void stop(int x) { printf("%d\\n", x); abort(); }
__attribute__((noinline)) int early(int x) { if (x == 12345) stop(x); return many(x, x, x, x, x, x, x, x, x) + leaf(x); }
static int compare(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }
int main(int argc, char **argv) { (void)argv; int v[9] = { 3, 1, 2, argc }; qsort(v, 9, sizeof v[0], compare); return early(argc + v[0]); }
`;

/** C++ with exceptions, destructors and virtual calls. */
export const exceptions = `
#include <map>
#include <string>
#include <stdexcept>
#include <vector>
struct Base { virtual ~Base() {} virtual int call(int) = 0; };
struct Derived : Base { std::string s; int call(int x) override { if (x > 100) throw std::runtime_error(s); return x + (int)s.size(); } };
__attribute__((noinline)) int guarded(Base &b, int x) { std::vector<std::string> v(3, "abc"); try { return b.call(x) + (int)v.size(); } catch (const std::exception &e) { return (int)std::string(e.what()).size(); } }
int main(int argc, char **) { Derived d; std::map<int, std::string> m; for (int i = 0; i < argc * 200; i++) m[i] = std::to_string(guarded(d, i)); return (int)m.size(); }
`;
