// SPDX-License-Identifier: Apache-2.0
//
// Settings of the agent.

import {
  type Command,
  demangleMode,
  duration,
  httpUrl,
  MAX_HEADERS,
  optionalPort,
  type SectionSchema,
  size,
} from './setting-schema.ts';

const AGENT: readonly Command[] = ['up', 'agent'];
const AGENT_ALONE: readonly Command[] = ['agent'];
const SAMPLING: readonly Command[] = ['up', 'agent', 'record'];
const MAX_SERVICE_RULES = 1000;
const MAX_DEBUGINFOD_SERVERS = 8;

const pattern = (description: string) =>
  ({ type: 'string', minLength: 1, format: 'pattern', description }) as const;

/** What a process must look like for a rule to name it. The keys are those of the agent's `ServiceRule`. */
export const serviceRulePatterns = {
  comm: pattern('the name the kernel shows, at most 15 bytes'),
  exe: pattern('the path of the executable'),
  cmdline: pattern('the arguments, joined by single spaces'),
  cgroup: pattern("any of the process's cgroup paths"),
  systemd_unit: pattern('the systemd service, `nginx.service`'),
} as const;

const serviceRule = {
  type: 'object',
  additionalProperties: false,
  required: ['match', 'name'],
  properties: {
    name: { type: 'string', minLength: 1 },
    match: {
      type: 'object',
      additionalProperties: false,
      minProperties: 1,
      properties: serviceRulePatterns,
    },
  },
} as const;

export const agentSchema: SectionSchema = {
  type: 'object',
  description: 'Samples every process of the host and exports the profiles over OTLP.',
  additionalProperties: false,
  properties: {
    endpoint: {
      ...httpUrl,
      default: 'http://127.0.0.1:4040',
      description: 'Where profiles are sent; `up` always sends to its own server.',
      'x-flag': 'endpoint',
      'x-commands': AGENT_ALONE,
    },
    protocol: {
      type: 'string',
      enum: ['grpc', 'http'],
      default: 'http',
      description: 'OTLP over gRPC or over HTTP.',
      'x-flag': 'protocol',
      'x-commands': AGENT_ALONE,
    },
    headers: {
      type: 'object',
      additionalProperties: { type: 'string' },
      maxProperties: MAX_HEADERS,
      default: {},
      description:
        'Headers sent with each export, K=V. Flags are visible to other users: keep tokens in the file.',
      'x-flag': 'header',
      'x-commands': AGENT_ALONE,
      'x-secret': true,
    },
    tenant: {
      type: 'string',
      default: '',
      description: 'Tenant, sent as X-Scope-OrgID; empty sends none.',
      'x-flag': 'tenant',
      'x-commands': AGENT_ALONE,
    },
    frequency: {
      type: 'integer',
      minimum: 1,
      maximum: 999,
      default: 19,
      description: 'Samples per second on each CPU.',
      'x-flag': 'frequency',
      'x-commands': AGENT,
    },
    interval: {
      ...duration,
      default: '10s',
      description: 'Time between exports; the first ones of a fresh start come sooner.',
      'x-flag': 'interval',
      'x-commands': AGENT,
    },
    exclude_self: {
      type: 'boolean',
      default: false,
      description: "Leave out the agent's own samples.",
      'x-flag': 'exclude-self',
      'x-commands': AGENT,
    },
    content: {
      type: 'string',
      enum: ['samples', 'pprof', 'both'],
      default: 'both',
      description: 'What an exported profile carries: native OTLP samples, the pprof payload, or both.',
      'x-flag': 'content',
      'x-commands': AGENT,
    },
    timeout: {
      ...duration,
      default: '10s',
      description: 'Time that one export may take.',
      'x-flag': 'timeout',
      'x-commands': AGENT,
    },
    ca_file: {
      type: 'string',
      default: '',
      description: "PEM file of the authorities to trust; empty trusts the system's.",
      'x-flag': 'ca-file',
      'x-commands': AGENT_ALONE,
    },
    queue_max_bytes: {
      ...size,
      default: '32MiB',
      description: 'Profiles that wait for a receiver; the oldest are dropped and counted.',
      'x-flag': 'queue-max-bytes',
      'x-commands': AGENT,
    },
    symbol_cache_bytes: {
      ...size,
      default: '24MiB',
      description: 'Memory for symbol tables; the least recently used are dropped and read again.',
      'x-flag': 'symbol-cache-bytes',
      'x-commands': SAMPLING,
    },
    unwind_max_bytes: {
      ...size,
      default: '64MiB',
      description: 'Memory for unwind tables; the least recently used are dropped and loaded again.',
      'x-flag': 'unwind-max-bytes',
      'x-commands': AGENT,
    },
    cache_dir: {
      type: 'string',
      description:
        'Directory that keeps unwind tables and fetched symbols between runs; empty keeps nothing.',
      'x-default': '/var/cache/hearthscope as root, otherwise $XDG_CACHE_HOME/hearthscope',
      'x-flag': 'cache-dir',
      'x-commands': SAMPLING,
    },
    symbolize: {
      type: 'string',
      enum: ['host', 'server'],
      default: 'host',
      description:
        'Who names native code: this agent, or the server, to which binaries are then uploaded once.',
      'x-flag': 'symbolize',
      'x-commands': AGENT,
    },
    demangle: {
      ...demangleMode,
      description:
        'C++ and Rust names: as compiled, without parameters and template arguments, without parameters, or whole.',
      'x-flag': 'demangle',
      'x-commands': SAMPLING,
    },
    debuginfod_urls: {
      type: 'array',
      items: httpUrl,
      maxItems: MAX_DEBUGINFOD_SERVERS,
      description: 'debuginfod servers to ask for the symbols of stripped binaries.',
      'x-default': 'the variable DEBUGINFOD_URLS, else none',
      'x-flag': 'debuginfod-urls',
      'x-commands': SAMPLING,
    },
    metrics_host: {
      type: 'string',
      minLength: 1,
      default: '127.0.0.1',
      description: "Address of the agent's own /metrics.",
      'x-flag': 'metrics-host',
      'x-commands': AGENT,
    },
    metrics_port: {
      ...optionalPort,
      default: 4041,
      description:
        'Port of the agent\'s own /metrics, or "off". Taken and not set: one warning, no listener.',
      'x-flag': 'metrics-port',
      'x-commands': AGENT,
    },
    services: {
      type: 'array',
      maxItems: MAX_SERVICE_RULES,
      default: [],
      description: 'Rules that name services, first match wins; see below. Only in the file.',
      items: serviceRule,
    },
  },
};
