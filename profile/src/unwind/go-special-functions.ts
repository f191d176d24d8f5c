// SPDX-License-Identifier: Apache-2.0
//
// The functions of Go's runtime whose frames are not what their stack depths say, because they start a stack or switch
// to another one. Stacks of a Go program, and how a walk crosses between them:
//
//   goroutine      goexit ◀ main.main ◀ … ◀ asmcgocall ┐             ┌ systemstack ◀ … of the goroutine
//                                                      │ depth, g    │ frame pointer
//   system stack   mstart ◀ … ◀ schedule    C code ◀ ──┘             └── ▶ function on the system stack
//
// mcall, gogo and morestack never return to the stack that they were called on: what runs after them is outermost.

import { goFunctionFlag } from '../symbols/go/pclntab.ts';

/** What to do about a function. */
export type GoSpecialFunction =
  /** Starts a stack. */
  | 'start'
  /** Leaves its stack and does not come back: the outermost frame from the switch on. */
  | 'leaves'
  /** Switches to the system stack and back; its frame pointer stays that of the stack that it came from. */
  | 'switches'
  /** Switches to the system stack, where it leaves depth and g at the stack pointer. */
  | 'asmcgocall'
  /** The kernel returns to it from a signal handler. */
  | 'signalReturn'
  /** Writes the stack pointer in a way that is not known. */
  | 'unknown';

const special: Readonly<Record<string, GoSpecialFunction>> = {
  _rt0_amd64: 'start',
  _rt0_amd64_linux: 'start',
  _rt0_arm64: 'start',
  _rt0_arm64_linux: 'start',
  'runtime.rt0_go': 'start',
  'runtime.goexit': 'start',
  // Called by C code without unwind information in cgo programs, by clone's child otherwise; its frame pointer is 0.
  'runtime.mstart': 'start',
  'runtime.mcall': 'leaves',
  'runtime.gogo': 'leaves',
  gogo: 'leaves',
  'runtime.morestack': 'leaves',
  'runtime.clone': 'leaves',
  'runtime.switchToCrashStack0': 'leaves',
  'runtime.systemstack': 'switches',
  'runtime.asmcgocall': 'asmcgocall',
  'runtime.sigreturn': 'signalReturn',
  'runtime.sigreturn__sigaction': 'signalReturn',
};

/** Functions that write the stack pointer and yet have right depths on both stacks: they open the same frame on each. */
const sameFrameOnBothStacks = ['runtime.cgocallback', 'runtime.cgocallback_gofunc'];
/** They call C or the vDSO on another or an aligned stack; releases before Go 1.18 are read without flags, so by name. */
const switchesByName =
  /^(runtime\.(nanotime1?|walltime1?|sigfwd|asmcgocall_no_g|callCgo\w+)|time\.now|runtime\.vgetrandom1)$/;

/** Undefined for a function whose stack depths can be used as they are. `flags` are `goFunctionFlag`. */
export function goSpecialFunction(
  name: string,
  flags: number,
  hasFlags: boolean,
): GoSpecialFunction | undefined {
  const known = special[name];
  if (known === 'start' || known === 'signalReturn') return known;
  if (sameFrameOnBothStacks.includes(name)) return undefined;
  // Go code calls assembly through a wrapper of the same name, which is an ordinary function.
  if (hasFlags && (flags & goFunctionFlag.writesStackPointer) === 0) return undefined;
  if (known !== undefined) return known;
  if (switchesByName.test(name)) return 'switches';
  if (!hasFlags) return undefined;
  return name.startsWith('runtime.') || name.startsWith('time.') ? 'switches' : 'unknown';
}

/** True when a function's name has to be read to know whether it is special. */
export function mayBeSpecial(flags: number, hasFlags: boolean): boolean {
  return !hasFlags || flags !== 0;
}
