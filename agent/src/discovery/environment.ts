// SPDX-License-Identifier: Apache-2.0
//
// What a process says about itself in OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES. An environment holds secrets:
// these two variables are looked for in the raw bytes, and nothing else of it is decoded, kept or logged.

/** The two variables, decoded. */
export interface ServiceEnvironment {
  /** '' when the process names no service. */
  readonly serviceName: string;
  /** Attributes that may become part of a resource: see {@link isResourceAttribute}. */
  readonly attributes: ReadonlyMap<string, string>;
  /** True when OTEL_RESOURCE_ATTRIBUTES was there and broke its format; it is then ignored as a whole. */
  readonly malformed: boolean;
}

export const NO_ENVIRONMENT: ServiceEnvironment = {
  serviceName: '',
  attributes: new Map(),
  malformed: false,
};

/** A longer name is not a name; it is ignored, and the next source is asked. */
export const MAX_NAME_CHARACTERS = 256;

/** @param environ the bytes of /proc/PID/environ: `NAME=value` strings that end in a zero byte. */
export function parseServiceEnvironment(environ: Buffer): ServiceEnvironment {
  const service = variable(environ, 'OTEL_SERVICE_NAME');
  const list = variable(environ, 'OTEL_RESOURCE_ATTRIBUTES');
  if (service === '' && list === '') return NO_ENVIRONMENT;
  const decoded = decodeResourceAttributes(list);
  const attributes = new Map<string, string>();
  for (const [key, value] of decoded ?? []) {
    if (isResourceAttribute(key) && isName(value)) attributes.set(key, value);
  }
  const fromList = decoded?.get('service.name') ?? '';
  const serviceName = isName(service) ? service : isName(fromList) ? fromList : '';
  return { serviceName, attributes, malformed: decoded === undefined };
}

/**
 * Bounded names only: what differs per process or instance (service.instance.id, host.id, …) would make one series of
 * each process.
 */
export function isResourceAttribute(key: string): boolean {
  return (
    key === 'service.namespace' ||
    key === 'service.version' ||
    key === 'deployment.environment' ||
    key === 'deployment.environment.name' ||
    key === 'container.name' ||
    /^k8s\.[a-z]+\.name$/.test(key)
  );
}

/** True for text fit to name a series: not empty, not too long, no control characters. */
export function isName(text: string): boolean {
  return text.trim() !== '' && text.length <= MAX_NAME_CHARACTERS && !/\p{Cc}/u.test(text);
}

/** The value of the first variable of that name (the one getenv finds), or ''. */
function variable(environ: Buffer, name: string): string {
  const prefix = Buffer.from(`${name}=`);
  for (let at = environ.indexOf(prefix); at >= 0; at = environ.indexOf(prefix, at + 1)) {
    if (at !== 0 && environ[at - 1] !== 0) continue;
    const end = environ.indexOf(0, at);
    return environ.toString('utf8', at + prefix.length, end < 0 ? environ.length : end);
  }
  return '';
}

/**
 * `key1=value1,key2=value2`, both percent-encoded, as the OpenTelemetry resource SDK specification has it: any error
 * discards the whole list, which is then undefined.
 */
function decodeResourceAttributes(list: string): Map<string, string> | undefined {
  const attributes = new Map<string, string>();
  for (const pair of list.split(',')) {
    if (pair.trim() === '') continue;
    const equals = pair.indexOf('=');
    if (equals < 1) return undefined;
    try {
      const key = decodeURIComponent(pair.slice(0, equals).trim());
      attributes.set(key, decodeURIComponent(pair.slice(equals + 1).trim()));
    } catch {
      return undefined;
    }
  }
  return attributes;
}
