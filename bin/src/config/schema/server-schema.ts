// SPDX-License-Identifier: Apache-2.0
//
// Settings of the server: what it listens on, keeps and computes.

import {
  type Command,
  demangleMode,
  duration,
  httpUrl,
  MAX_HEADERS,
  optionalPort,
  port,
  type SectionSchema,
  size,
} from './setting-schema.ts';

const SERVER: readonly Command[] = ['up', 'server'];
const DOORS: readonly Command[] = ['up', 'server', 'collector'];
const MAX_INDEXED_ATTRIBUTES = 64;
const MAX_DEBUG_INFO_DIRS = 16;

export const serverSchema: SectionSchema = {
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
      'x-commands': DOORS,
    },
    http_port: {
      ...port,
      default: 4040,
      description: 'Port of the web page, the query API and OTLP; 0 takes any free port.',
      'x-flag': 'http-port',
      'x-commands': DOORS,
    },
    otlp_grpc_port: {
      ...optionalPort,
      default: 4317,
      description: 'Port that takes OTLP over gRPC, or "off". Taken and not set: one warning, no listener.',
      'x-flag': 'otlp-grpc-port',
      'x-commands': DOORS,
    },
    otlp_http_port: {
      ...optionalPort,
      default: 4318,
      description: 'Port that takes OTLP over HTTP, or "off". Taken and not set: one warning, no listener.',
      'x-flag': 'otlp-http-port',
      'x-commands': DOORS,
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
      'x-commands': DOORS,
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
      description: 'Further resource attributes that become labels of a series; unbounded ones cost memory.',
      'x-flag': 'indexed-attributes',
      'x-commands': DOORS,
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
      description: 'Disk space for uploaded debug information; what was needed least recently goes first.',
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
    path_prefix: {
      type: 'string',
      format: 'path-prefix',
      default: '',
      description: 'What every path of the HTTP port begins with, such as /profiles.',
      'x-flag': 'path-prefix',
      'x-commands': DOORS,
    },
    tls_cert_file: {
      type: 'string',
      default: '',
      description:
        'PEM file with the certificate, intermediate ones behind it; every listener then speaks TLS.',
      'x-flag': 'tls-cert-file',
      'x-commands': DOORS,
    },
    tls_key_file: {
      type: 'string',
      default: '',
      description: 'PEM file with the key of the certificate.',
      'x-flag': 'tls-key-file',
      'x-commands': DOORS,
    },
    tls_client_ca_file: {
      type: 'string',
      default: '',
      description: 'PEM file of the authorities that may sign the certificates of clients.',
      'x-flag': 'tls-client-ca-file',
      'x-commands': DOORS,
    },
    tls_client_auth: {
      type: 'string',
      enum: [
        'NoClientCert',
        'RequestClientCert',
        'RequireAnyClientCert',
        'VerifyClientCertIfGiven',
        'RequireAndVerifyClientCert',
      ],
      description: 'Whether clients have to show a certificate.',
      'x-default': '`RequireAndVerifyClientCert` with tls_client_ca_file, else `NoClientCert`',
      'x-flag': 'tls-client-auth',
      'x-commands': DOORS,
    },
    async_queries: {
      type: 'boolean',
      default: false,
      description: 'Let clients leave a slow query behind and ask for its answer later.',
      'x-flag': 'async-queries',
      'x-commands': SERVER,
    },
  },
};

export const recordingRulesSchema: SectionSchema = {
  type: 'object',
  description: 'Metrics that are computed from profiles and sent to a Prometheus remote-write receiver.',
  additionalProperties: false,
  properties: {
    enabled: {
      type: 'boolean',
      default: false,
      description: 'Whether rules can be made and are computed.',
      'x-flag': 'recording-rules',
      'x-commands': SERVER,
    },
    remote_write_url: {
      type: 'string',
      format: 'http-url-or-empty',
      default: '',
      description: 'Where the metrics are sent; empty keeps rules without computing them.',
      'x-flag': 'remote-write-url',
      'x-commands': SERVER,
    },
    remote_write_headers: {
      type: 'object',
      additionalProperties: { type: 'string' },
      maxProperties: MAX_HEADERS,
      default: {},
      description: 'Headers of each request to it, K=V. Keep tokens in the file.',
      'x-flag': 'remote-write-header',
      'x-commands': SERVER,
      'x-secret': true,
    },
    external_labels: {
      type: 'object',
      additionalProperties: { type: 'string' },
      maxProperties: MAX_HEADERS,
      default: {},
      description: 'Labels that every metric gets.',
    },
    interval: {
      ...duration,
      default: '60s',
      description: 'Time between two points of a metric.',
    },
    late_window: {
      ...duration,
      default: '10m',
      description: 'How late a profile may come and still be counted.',
    },
  },
};

export const vcsSchema: SectionSchema = {
  type: 'object',
  description: 'The GitHub app by which the source of a frame is shown; without it there is no such view.',
  additionalProperties: false,
  properties: {
    github_client_id: { type: 'string', default: '', description: 'Of the app; empty: none.' },
    github_client_secret_file: {
      type: 'string',
      default: '',
      description: "File with the app's secret.",
    },
    github_session_secret_file: {
      type: 'string',
      default: '',
      description: 'File with at least 16 bytes, from which the key is made that logins are encrypted with.',
    },
    github_callback_url: {
      type: 'string',
      format: 'http-url-or-empty',
      default: '',
      description: 'Where GitHub sends the user after the login; empty: where the app says.',
    },
    github_url: { ...httpUrl, default: 'https://github.com', description: 'The server for people.' },
    github_api_url: {
      ...httpUrl,
      default: 'https://api.github.com',
      description: 'The server for programs.',
    },
  },
};
