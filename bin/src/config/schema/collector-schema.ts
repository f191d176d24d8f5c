// SPDX-License-Identifier: Apache-2.0
//
// Settings of what a collector does with profiles. What it listens on are settings of the server.

import { type Command, duration, MAX_HEADERS, type SectionSchema, size } from './setting-schema.ts';

const COLLECTOR: readonly Command[] = ['collector'];

export const collectorSchema: SectionSchema = {
  type: 'object',
  description:
    '`hearthscope collector`: receives on the ports of `server`, normalises under `limits`, and sends on. It stores nothing.',
  additionalProperties: false,
  properties: {
    forward_to: {
      type: 'string',
      format: 'http-url-or-empty',
      default: '',
      description: 'Base URL of the server or back end that stores the profiles.',
      'x-flag': 'forward-to',
      'x-commands': COLLECTOR,
    },
    protocol: {
      type: 'string',
      enum: ['push', 'otlp-http', 'otlp-grpc'],
      default: 'push',
      description:
        'How it is spoken to. `push` keeps every label and type as it is; OTLP is for other back ends.',
      'x-flag': 'forward-protocol',
      'x-commands': COLLECTOR,
    },
    headers: {
      type: 'object',
      additionalProperties: { type: 'string' },
      maxProperties: MAX_HEADERS,
      default: {},
      description: 'Headers of each request to it, K=V. Keep tokens in the file.',
      'x-flag': 'forward-header',
      'x-commands': COLLECTOR,
      'x-secret': true,
    },
    tenant: {
      type: 'string',
      default: '',
      description: 'Tenant to send as X-Scope-OrgID; empty passes on that of the sender.',
      'x-flag': 'forward-tenant',
      'x-commands': COLLECTOR,
    },
    timeout: {
      ...duration,
      default: '8s',
      description:
        'Time within which profiles are sent on or their sender is told to come back; less than senders wait.',
      'x-flag': 'forward-timeout',
      'x-commands': COLLECTOR,
    },
    queue_max_bytes: {
      ...size,
      default: '64MiB',
      description: 'Encoded profiles on their way; beyond it senders are answered 503.',
      'x-flag': 'forward-queue-max-bytes',
      'x-commands': COLLECTOR,
    },
    ca_file: {
      type: 'string',
      default: '',
      description: "PEM file of the authorities to trust; empty trusts the system's.",
      'x-flag': 'forward-ca-file',
      'x-commands': COLLECTOR,
    },
  },
};
