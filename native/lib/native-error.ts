// SPDX-License-Identifier: Apache-2.0
//
// How the addon's failures look to its callers.

/** A failure of the addon or the kernel. */
export class NativeError extends Error {
  override readonly name = 'NativeError';
  /** Name of the errno ("EPERM"), or "ERR_ADDON" when no system call failed. */
  readonly code: string;
  /** The end of what libbpf and the verifier said; empty when they said nothing. */
  readonly log: string;

  constructor(message: string, code = 'ERR_ADDON', log = '') {
    super(message);
    this.code = code;
    this.log = log;
  }
}

/** Throws `NativeError` "EINVAL" unless the value is a whole number in the range. */
export function checkedInteger(name: string, value: number, min: number, max: number): number {
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new NativeError(`${name} must be a whole number from ${min} to ${max}, not ${value}`, 'EINVAL');
  }
  return value;
}
