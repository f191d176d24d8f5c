// SPDX-License-Identifier: Apache-2.0
//
// Compares the reader with LLVM's symbolizer over random addresses of files, and says how long it took and what memory it
// held:  node --conditions=source compare-with-llvm.ts [--count N] [--seed N] [--functions short|linkage] FILE…
// A file may be followed by what it needs: dwp=FILE or alternate=FILE.

import { existsSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { parseArgs } from 'node:util';
import { ElfFile } from '../../elf.ts';
import { DwarfSymbols } from '../dwarf-symbols.ts';
import { inflate, openFileAccess } from './file-access.ts';
import { compare, symbolizeWithLlvm, textAddresses } from './llvm-symbolizer.ts';

const { values, positionals } = parseArgs({
  options: {
    count: { type: 'string', default: '100000' },
    seed: { type: 'string', default: '1' },
    functions: { type: 'string', default: 'linkage' },
  },
  allowPositionals: true,
});
const functions = values.functions === 'short' ? 'short' : 'linkage';
const open = (path: string): ElfFile => new ElfFile(openFileAccess(path), { allowRelocatable: true });

for (const [i, path] of positionals.entries()) {
  if (/^\w+=/.test(path)) continue;
  const extras = new Map<string, string>();
  for (const extra of positionals.slice(i + 1)) {
    if (!/^\w+=/.test(extra)) break;
    extras.set(extra.slice(0, extra.indexOf('=')), extra.slice(extra.indexOf('=') + 1));
  }
  const { dwp, alternate } = Object.fromEntries(extras);
  const debug = open(path);
  const addresses = textAddresses(debug, Number(values.count), Number(values.seed));
  const started = performance.now();
  const symbols = DwarfSymbols.open(
    {
      debug,
      ...(dwp !== undefined && { dwp: open(dwp) }),
      ...(alternate !== undefined && { alternate: open(alternate) }),
      openDwo: (name, compDir) => {
        const dwo = isAbsolute(name) ? name : join(compDir, name);
        return existsSync(dwo) ? open(dwo) : undefined;
      },
    },
    {},
    { inflate, functionNames: functions },
  );
  const opened = performance.now();
  const frames = symbols?.lookUp(addresses);
  const done = performance.now();
  if (symbols === undefined || frames === undefined) {
    console.log(`${path}: no DWARF`);
    continue;
  }
  const llvmStarted = performance.now();
  const theirs = symbolizeWithLlvm(path, addresses, functions, dwp === undefined ? [] : [`--dwp=${dwp}`]);
  const llvmMillis = performance.now() - llvmStarted;
  const { agreed, symbolNames, bothUnknown, withLines, disagreed } = compare(addresses, frames, theirs);
  const known = addresses.length - bothUnknown;
  console.log(
    `${path}: ${addresses.length} addresses, ${bothUnknown} unknown to both, ${withLines} with lines; agreed ` +
      `${(((agreed + symbolNames) / Math.max(1, known)) * 100).toFixed(3)} % (${symbolNames} named by the symbol table)`,
  );
  console.log(
    `  open ${(opened - started).toFixed(0)} ms, look-up ${(done - opened).toFixed(0)} ms (llvm ${llvmMillis.toFixed(0)} ms), ` +
      `held ${(symbols.byteSize / 1048576).toFixed(1)} MiB, read ${((debug.access as ReturnType<typeof openFileAccess>).bytesRead / 1048576).toFixed(0)} MiB, ` +
      `RSS ${(process.memoryUsage.rss() / 1048576).toFixed(0)} MiB, problems ${JSON.stringify(symbols.problems)}`,
  );
  for (const [category, { count, examples }] of Object.entries(disagreed)) {
    console.log(`  ${category}: ${count}`);
    for (const example of examples) console.log(`    ${example}`);
  }
}
