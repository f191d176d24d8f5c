// SPDX-License-Identifier: Apache-2.0
//
// All figures of unwinding, one benchmark after the other; each can be run alone, too.

await import('./unwind-completeness.ts');
await import('./unwind-agreement.ts');
await import('./unwind-storm.ts');
await import('./unwind-cost.ts');
