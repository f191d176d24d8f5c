// SPDX-License-Identifier: Apache-2.0
//
// The one description of every setting. Validation, defaults, flags, environment variables, `--help` and
// docs/configuration.md are all read from it, so that they cannot disagree.

import { authSchema, runtimeConfigSchema } from './schema/access-schema.ts';
import { agentSchema } from './schema/agent-schema.ts';
import { collectorSchema } from './schema/collector-schema.ts';
import { objectStoreSchema } from './schema/object-store-schema.ts';
import { recordingRulesSchema, serverSchema, vcsSchema } from './schema/server-schema.ts';
import { type Command, type ConfigurationSchema, duration } from './schema/setting-schema.ts';

const EVERY_SERVICE: readonly Command[] = ['up', 'server', 'collector', 'agent'];
const EVERYWHERE: readonly Command[] = [...EVERY_SERVICE, 'record'];

export const configurationSchema: ConfigurationSchema = {
  $schema: 'http://json-schema.org/draft-07/schema#',
  title: 'hearthscope.yml',
  type: 'object',
  additionalProperties: false,
  properties: {
    server: serverSchema,
    object_store: objectStoreSchema,
    auth: authSchema,
    runtime_config: runtimeConfigSchema,
    recording_rules: recordingRulesSchema,
    vcs: vcsSchema,
    collector: collectorSchema,
    agent: agentSchema,
    log: {
      type: 'object',
      description: "The program's own log, on standard error.",
      additionalProperties: false,
      properties: {
        level: {
          type: 'string',
          enum: ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'],
          default: 'info',
          description: 'Least severe level that is printed.',
          'x-flag': 'log-level',
          'x-commands': EVERYWHERE,
        },
        format: {
          type: 'string',
          enum: ['text', 'json'],
          default: 'text',
          description: 'Lines for people or for machines.',
          'x-flag': 'log-format',
          'x-commands': EVERYWHERE,
        },
      },
    },
    telemetry: {
      type: 'object',
      description: "Pushes the program's own metrics, those of /metrics, to an OTLP receiver.",
      additionalProperties: false,
      properties: {
        otlp_endpoint: {
          type: 'string',
          format: 'http-url-or-empty',
          default: '',
          description: 'Base URL of an OTLP/HTTP receiver; empty pushes nothing.',
          'x-flag': 'telemetry-otlp-endpoint',
          'x-commands': EVERY_SERVICE,
        },
        interval: {
          ...duration,
          default: '60s',
          description: 'Time between pushes.',
          'x-flag': 'telemetry-interval',
          'x-commands': EVERY_SERVICE,
        },
      },
    },
  },
};
