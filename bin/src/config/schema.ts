// SPDX-License-Identifier: Apache-2.0
//
// The one description of every setting. Validation, defaults, flags, environment variables, `--help` and
// docs/configuration.md are all read from it, so that they cannot disagree. The `x-` keywords are ours:
//
//   x-flag      the setting's flag without `--`; the environment variable is HEARTHSCOPE_ and the flag in upper case
//   x-commands  the commands that take the flag
//   x-default   in words, for a default that depends on the host or the command
//   x-secret    the value never appears in a message or a log line

export type Command = 'up' | 'server' | 'agent' | 'record';

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

const SERVER: readonly Command[] = ['up', 'server'];
const AGENT: readonly Command[] = ['up', 'agent'];
const AGENT_ALONE: readonly Command[] = ['agent'];
const SAMPLING: readonly Command[] = ['up', 'agent', 'record'];
const EVERY_SERVICE: readonly Command[] = ['up', 'server', 'agent'];
const EVERYWHERE: readonly Command[] = ['up', 'server', 'agent', 'record'];

const demangleMode = {
  type: 'string',
  enum: ['none', 'simplified', 'templates', 'full'],
  default: 'full',
} as const;
const port = { type: 'integer', minimum: 0, maximum: 65535 } as const;
/** A port, or `off` for no listener. */
const optionalPort = { type: ['integer', 'string'], minimum: 0, maximum: 65535, format: 'off' } as const;
const size = { type: ['string', 'integer'], format: 'size' } as const;
const duration = { type: 'string', format: 'duration' } as const;
const httpUrl = { type: 'string', format: 'http-url' } as const;

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

const MAX_SERVICE_RULES = 1000;
const MAX_HEADERS = 64;
const MAX_INDEXED_ATTRIBUTES = 64;
const MAX_DEBUGINFOD_SERVERS = 8;
const MAX_DEBUG_INFO_DIRS = 16;

export const configurationSchema: ConfigurationSchema = {
  $schema: 'http://json-schema.org/draft-07/schema#',
  title: 'hearthscope.yml',
  type: 'object',
  additionalProperties: false,
  properties: {
    server: {
      type: 'object',
      description: 'Receives, stores and queries profiles, and serves the web page.',
      additionalProperties: false,
      properties: {
        host: {
          type: 'string',
          minLength: 1,
          description: 'Address to listen on.',
          'x-default': '127.0.0.1 for `up`, all addresses for `server`',
          'x-flag': 'host',
          'x-commands': SERVER,
        },
        http_port: {
          ...port,
          default: 4040,
          description: 'Port of the web page, the query API and OTLP; 0 takes any free port.',
          'x-flag': 'http-port',
          'x-commands': SERVER,
        },
        otlp_grpc_port: {
          ...optionalPort,
          default: 4317,
          description:
            'Port that takes OTLP over gRPC, or "off". Taken and not set: one warning, no listener.',
          'x-flag': 'otlp-grpc-port',
          'x-commands': SERVER,
        },
        otlp_http_port: {
          ...optionalPort,
          default: 4318,
          description:
            'Port that takes OTLP over HTTP, or "off". Taken and not set: one warning, no listener.',
          'x-flag': 'otlp-http-port',
          'x-commands': SERVER,
        },
        data_dir: {
          type: 'string',
          minLength: 1,
          description: 'Directory that holds the profiles; created when missing.',
          'x-default': '/var/lib/hearthscope as root, otherwise $XDG_DATA_HOME/hearthscope',
          'x-flag': 'data-dir',
          'x-commands': SERVER,
        },
        head_max_bytes: {
          ...size,
          default: '512MiB',
          description: 'Memory for recent profiles; when it is full, ingest answers 503 and counts.',
          'x-flag': 'head-max-bytes',
          'x-commands': SERVER,
        },
        max_body_bytes: {
          ...size,
          default: '256MiB',
          description: 'Largest request body, after decompression.',
          'x-flag': 'max-body-bytes',
          'x-commands': SERVER,
        },
        user: {
          type: 'string',
          minLength: 1,
          description: 'User that the server becomes when it was started as root; "root" stays root.',
          'x-default': 'hearthscope when that user exists, otherwise nobody',
          'x-flag': 'user',
          'x-commands': SERVER,
        },
        indexed_attributes: {
          type: 'array',
          items: { type: 'string', minLength: 1 },
          maxItems: MAX_INDEXED_ATTRIBUTES,
          default: [],
          description:
            'Further resource attributes that become labels of a series; unbounded ones cost memory.',
          'x-flag': 'indexed-attributes',
          'x-commands': SERVER,
        },
        debug_info_uploads: {
          type: 'boolean',
          default: true,
          description: 'Take debug information from agents, to name frames that come without names.',
          'x-flag': 'debug-info-uploads',
          'x-commands': SERVER,
        },
        debug_info_max_bytes: {
          ...size,
          default: '8GiB',
          description:
            'Disk space for uploaded debug information; what was needed least recently goes first.',
          'x-flag': 'debug-info-max-bytes',
          'x-commands': SERVER,
        },
        debug_info_dirs: {
          type: 'array',
          items: { type: 'string', minLength: 1 },
          maxItems: MAX_DEBUG_INFO_DIRS,
          default: [],
          description: 'Directories with a `.build-id` directory, such as /usr/lib/debug, searched as well.',
          'x-flag': 'debug-info-dirs',
          'x-commands': SERVER,
        },
        demangle: {
          ...demangleMode,
          description: 'C++ and Rust names that are found when a query asks for them, as for the agent.',
        },
      },
    },
    agent: {
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
    },
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
