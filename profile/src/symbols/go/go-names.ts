// SPDX-License-Identifier: Apache-2.0
//
// Names of Go functions as Go itself prints them. What the linker calls a generic function names the shapes it was
// compiled for (`main.Map[go.shape.int]`), which is nothing a user wrote; tracebacks and profiles of the runtime print
// `main.Map[...]`. Assembly has its calling convention at the end of its symbol (`runtime.memmove.abi0`), but not in
// tracebacks. Methods and closures are printed as they are: `main.(*T).M`, `main.main.func1`.

const callingConvention = /\.abi(0|internal)$/;

/** The name of a symbol of a Go binary (of the pclntab, DWARF or the symbol table) as `runtime.Frame.Function` has it. */
export function goFunctionName(symbol: string): string {
  const name = symbol.replace(callingConvention, '');
  const open = name.indexOf('[');
  const close = name.lastIndexOf(']');
  return open >= 0 && close > open ? `${name.slice(0, open)}[...]${name.slice(close + 1)}` : name;
}
