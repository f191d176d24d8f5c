// SPDX-License-Identifier: Apache-2.0
//
// From the names that linkers see to the names that programmers wrote: C++ (Itanium ABI) and Rust (both schemes).
// Time and memory are bounded for every input; whoever demangles many names keeps the answers.

import { HearthscopeError } from '../../errors.ts';
import { demangleLimits } from './demangle-limits.ts';
import { readItaniumName } from './itanium-encoding.ts';
import { ItaniumOutput, type ShownParts } from './itanium-output.ts';
import { printNode } from './itanium-printer.ts';
import { demangleRustLegacy } from './rust-legacy.ts';
import { demangleRustV0 } from './rust-v0.ts';

/**
 * How much of a name is shown:
 * - `none`: the name as it is;
 * - `simplified`: neither signatures nor template arguments: `std::map::operator[]`;
 * - `templates`: template arguments, but no signatures: `std::map<int, int>::operator[]`;
 * - `full`: everything, as LLVM prints it.
 */
export type DemangleMode = 'none' | 'simplified' | 'templates' | 'full';

const shownParts: Readonly<Record<Exclude<DemangleMode, 'none'>, ShownParts>> = {
  simplified: { signatures: false, templateArguments: false },
  templates: { signatures: false, templateArguments: true },
  full: { signatures: true, templateArguments: true },
};

/** The readable form of a name. A name that is not mangled, damaged or beyond `demangleLimits` comes back as it is. */
export function demangle(name: string, mode: DemangleMode): string {
  if (mode === 'none' || name.charCodeAt(0) !== 0x5f || name.length > demangleLimits.maxInputLength)
    return name;
  const shown = shownParts[mode];
  try {
    if (/^_{1,4}Z/.test(name)) return demangleRustLegacy(name, shown) ?? demangleItanium(name, shown);
    if (/^__?R/.test(name)) return demangleRustV0(name, shown);
  } catch (error) {
    if (!(error instanceof HearthscopeError)) throw error;
  }
  return name;
}

function demangleItanium(name: string, shown: ShownParts): string {
  const out = new ItaniumOutput(shown);
  printNode(out, readItaniumName(name));
  return out.text;
}
