// SPDX-License-Identifier: Apache-2.0
//
// What a setting's description holds, and the kinds of values that several settings share. The `x-` keywords are ours:
//
//   x-flag      the setting's flag without `--`; the environment variable is HEARTHSCOPE_ and the flag in upper case
//   x-commands  the commands that take the flag
//   x-default   in words, for a default that depends on the host or the command
//   x-secret    the value never appears in a message or a log line

export type Command = 'up' | 'server' | 'collector' | 'agent' | 'record';

export interface SettingSchema {
  readonly type: string | readonly string[];
  readonly description: string;
  readonly default?: unknown;
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly format?: string;
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxItems?: number;
  readonly maxProperties?: number;
  readonly items?: object;
  readonly additionalProperties?: object;
  readonly 'x-flag'?: string;
  readonly 'x-commands'?: readonly Command[];
  readonly 'x-default'?: string;
  readonly 'x-secret'?: boolean;
}

export interface SectionSchema {
  readonly type: 'object';
  readonly description: string;
  readonly additionalProperties: false;
  readonly properties: Readonly<Record<string, SettingSchema>>;
}

export interface ConfigurationSchema {
  readonly $schema: string;
  readonly title: string;
  readonly type: 'object';
  readonly additionalProperties: false;
  readonly properties: Readonly<Record<string, SectionSchema>>;
}

export const demangleMode = {
  type: 'string',
  enum: ['none', 'simplified', 'templates', 'full'],
  default: 'full',
} as const;
export const port = { type: 'integer', minimum: 0, maximum: 65535 } as const;
/** A port, or `off` for no listener. */
export const optionalPort = {
  type: ['integer', 'string'],
  minimum: 0,
  maximum: 65535,
  format: 'off',
} as const;
export const size = { type: ['string', 'integer'], format: 'size' } as const;
export const duration = { type: 'string', format: 'duration' } as const;
export const httpUrl = { type: 'string', format: 'http-url' } as const;

/** Headers, or labels, of one setting. */
export const MAX_HEADERS = 64;
