// SPDX-License-Identifier: Apache-2.0
//
// Settings about tenants, which the server and the collector share: who they are, and where their limits stand.

import { type Command, duration, type SectionSchema } from './setting-schema.ts';

const DOORS: readonly Command[] = ['up', 'server', 'collector'];

export const authSchema: SectionSchema = {
  type: 'object',
  description: 'Who may read and write which tenant; see below.',
  additionalProperties: false,
  properties: {
    type: {
      type: 'string',
      enum: ['none', 'basic', 'bearer', 'mtls', 'any'],
      default: 'none',
      description: 'How senders and readers prove who they are; `any` takes all that the file has.',
      'x-flag': 'auth-type',
      'x-commands': DOORS,
    },
    file: {
      type: 'string',
      default: '',
      description: 'File with users, tokens and certificates; read again when it changes.',
      'x-flag': 'auth-file',
      'x-commands': DOORS,
    },
    multitenancy: {
      type: 'boolean',
      default: false,
      description: 'Requests name their tenant in X-Scope-OrgID; otherwise all data is of one tenant.',
      'x-flag': 'multitenancy',
      'x-commands': DOORS,
    },
  },
};

export const runtimeConfigSchema: SectionSchema = {
  type: 'object',
  description: 'A file with `overrides:` of limits by tenant that is read again while the server runs.',
  additionalProperties: false,
  properties: {
    file: {
      type: 'string',
      default: '',
      description: 'The file; empty reads none.',
      'x-flag': 'runtime-config-file',
      'x-commands': DOORS,
    },
    period: {
      ...duration,
      default: '10s',
      description: 'Time between two readings.',
      'x-flag': 'runtime-config-period',
      'x-commands': DOORS,
    },
  },
};
