// SPDX-License-Identifier: Apache-2.0
//
// Clients mark each of their processes with a random `__session_id__`. As it differs with each start it would make a
// series of each; so it is left out, or folded into as many values as the limit allows.

import type { Label } from '@hearthscope/profile/labels';

const SESSION_ID_LABEL = '__session_id__';
/** 64 bits, lowest byte first. */
const SESSION_ID = /^[0-9a-f]{16}$/i;

/** @param maxSessions values that are told apart; 0 leaves the label out, as does a value that is no session id */
export function withFewerSessions(labels: readonly Label[], maxSessions: number): readonly Label[] {
  return labels.flatMap((label) => {
    if (label.name !== SESSION_ID_LABEL) return [label];
    if (maxSessions === 0 || !SESSION_ID.test(label.value)) return [];
    const id = Buffer.from(label.value, 'hex').readBigUInt64LE();
    const folded = Buffer.alloc(8);
    folded.writeBigUInt64LE(id % BigInt(maxSessions));
    return [{ name: label.name, value: folded.toString('hex') }];
  });
}
