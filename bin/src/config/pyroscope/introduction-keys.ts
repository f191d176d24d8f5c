// SPDX-License-Identifier: Apache-2.0
//
// Keys that introductions to Pyroscope show and that no release of it has: users who read them try them. They mean here
// what they say there.

import { honoured, ignored, type KeySink, type PyroscopeKey, sets } from './pyroscope-key.ts';

const ANY_ADDRESS = ['', '0.0.0.0', '[::]', '::'];
/** The kernel keeps this many characters of a process's name. */
const MAX_PROCESS_NAME = 15;

const A_LABEL = 'it is a label of profiles, not a setting';
const A_COMPOSE_FILE =
  'it belongs to Docker Compose; the positional argument `server` of its command is accepted';

/** `host:port`; the port is that of a setting, the address that of all listeners. */
function endpointOf(setting: string): (value: unknown, sink: KeySink) => void {
  return (value, sink) => {
    const match = /^(.*?):?(\d{1,5})$/.exec(String(value));
    if (match === null) throw sink.refused('an address such as 0.0.0.0:4317');
    const [, host, port] = match as unknown as [string, string, string];
    sink.set(setting, Number(port));
    if (!ANY_ADDRESS.includes(host)) {
      sink.warn(`sets the port alone: all listeners have one address, server.host`);
    }
  };
}

function sampleRate(value: unknown, sink: KeySink): void {
  if (sink.command !== 'up') {
    sink.warn('is ignored: the rate is chosen by who samples, for the agent with agent.frequency');
    return;
  }
  sink.set('agent.frequency', value);
}

function traceBackend(value: unknown, sink: KeySink): void {
  if (value !== 'local')
    sink.warn('is ignored: profiles are kept in the data directory, not in an object store');
}

function maxNodes(value: unknown, sink: KeySink): void {
  sink.limit('max_flamegraph_nodes_default', value);
  sink.limit('max_flamegraph_nodes_max', value);
}

function replicationFactor(value: unknown, sink: KeySink): void {
  if (value !== 1) sink.warn('is ignored: there is one copy of the data');
}

interface ScrapeProfile {
  readonly enabled?: unknown;
  readonly profile_id?: unknown;
  readonly targets?: unknown;
}

interface ScrapeTarget {
  readonly process_name?: unknown;
  readonly profile_types?: unknown;
}

/** The agent samples every process of the host: a target becomes the name under which its process is found. */
function scrapeProfiles(value: unknown, sink: KeySink): void {
  if (!Array.isArray(value)) throw sink.refused('a list');
  if (sink.command !== 'up') {
    sink.warn('is ignored: profiles are taken by the agent, which `hearthscope up` runs beside the server');
    return;
  }
  const rules: { readonly name: string; readonly match: { readonly comm: string } }[] = [];
  for (const [index, item] of value.entries()) {
    const { enabled = true, profile_id: name, targets = [], ...others } = mapping<ScrapeProfile>(item, sink);
    for (const key of Object.keys(others))
      sink.warn(`(entry ${index}, ${key}) is ignored: there is no such key`);
    if (enabled === false) {
      sink.warn(`(entry ${index}) is ignored: it is not enabled, and the agent samples every process anyway`);
      continue;
    }
    if (!Array.isArray(targets)) throw sink.refused('targets to be a list');
    for (const target of targets) {
      const {
        process_name: process,
        profile_types: types = [],
        ...rest
      } = mapping<ScrapeTarget>(target, sink);
      for (const key of Object.keys(rest))
        sink.warn(`(entry ${index}, ${key}) is ignored: there is no such key`);
      if (typeof process !== 'string' || process === '')
        throw sink.refused('each target to have a process_name');
      if (!Array.isArray(types)) throw sink.refused('profile_types to be a list');
      rules.push({
        name: typeof name === 'string' && name !== '' ? name : process,
        match: { comm: process.slice(0, MAX_PROCESS_NAME).replace(/[\\^$.*+?()[\]{}|]/g, '\\$&') },
      });
      for (const type of types) {
        if (type !== 'cpu')
          sink.warn(`(${process}, ${String(type)}) is ignored: the agent takes profiles of type cpu`);
      }
    }
  }
  sink.set('agent.services', rules);
}

function mapping<Shape extends object>(value: unknown, sink: KeySink): Shape {
  if (value === null || typeof value !== 'object' || Array.isArray(value))
    throw sink.refused('mappings in it');
  return value as Shape;
}

const GRPC = 'distributor.receivers.otlp.protocols.grpc';

export const INTRODUCTION_KEYS: readonly PyroscopeKey[] = [
  honoured(
    `${GRPC}.endpoint`,
    undefined,
    'its port is `server.otlp_grpc_port`',
    endpointOf('server.otlp_grpc_port'),
  ),
  honoured(
    'distributor.receivers.otlp.protocols.http.endpoint',
    undefined,
    'its port is `server.otlp_http_port`',
    endpointOf('server.otlp_http_port'),
  ),
  honoured(`${GRPC}.sample_rate`, undefined, '`agent.frequency` with `up`, else ignored', sampleRate),
  honoured(
    'ingester.lifecycler.ring.replication_factor',
    undefined,
    '1 is what happens anyway',
    replicationFactor,
  ),
  honoured('storage.trace.backend', undefined, '`local` is what happens anyway', traceBackend),
  sets('storage.trace.local.path', undefined, 'server.data_dir'),
  honoured('query.max_duration', undefined, '`limits.max_query_length`', (value, sink) =>
    sink.limit('max_query_length', value),
  ),
  honoured(
    'query.max_nodes',
    undefined,
    '`limits.max_flamegraph_nodes_default` and `limits.max_flamegraph_nodes_max`',
    maxNodes,
  ),
  honoured(
    'pyroscope.scrape_profiles',
    undefined,
    'with `up`: each target is a rule of `agent.services`, by process name; profile types but cpu are ignored',
    scrapeProfiles,
  ),
  ...['service', 'job', 'profile_type', 'region', 'instance'].map((key) => ignored(key, undefined, A_LABEL)),
  ...['version', 'services'].map((key) => ignored(key, undefined, A_COMPOSE_FILE)),
];
