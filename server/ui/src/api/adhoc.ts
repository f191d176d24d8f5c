// SPDX-License-Identifier: Apache-2.0
//
// Profiles that the reader uploads as a file: keeping one, showing it, and comparing two.

import type { FlameGraphMessage } from '../flamegraph/layout.ts';
import { type Call, notUnderstood } from './connect.ts';
import { readField, readList, readNumber, readText, readTexts } from './fields.ts';
import { MAX_FLAME_GRAPH_NODES } from './querier.ts';

const SERVICE = 'adhocprofiles.v1.AdHocProfileService';

export interface UploadedFile {
  readonly id: string;
  readonly name: string;
  readonly uploadedAtMillis: number;
}

/** How the values of a file are to be read. */
export interface FileMetadata {
  readonly name: string;
  readonly units: string;
  /** Values of a second. */
  readonly sampleRate: number;
}

export interface FileProfile {
  /** All that the file has, or that both have. */
  readonly profileTypes: readonly string[];
  readonly metadata: FileMetadata;
  /** Of one profile, or of the difference of two: `isDiff`. */
  readonly graph: FlameGraphMessage;
  readonly isDiff: boolean;
  /** The whole answer: flamebearer JSON. */
  readonly flamebearer: string;
}

export interface AdhocFiles {
  /** The latest first. */
  list(signal: AbortSignal): Promise<UploadedFile[]>;
  /** Keeps a file. @param base64 its bytes */
  upload(name: string, base64: string, signal: AbortSignal): Promise<UploadedFile>;
  /** @param type '' for the file's first */
  get(id: string, type: string, signal: AbortSignal): Promise<FileProfile>;
  diff(baseId: string, id: string, type: string, signal: AbortSignal): Promise<FileProfile>;
}

export function createAdhocFiles(call: Call): AdhocFiles {
  const ask = (method: string, request: object, signal: AbortSignal): Promise<unknown> =>
    call(`${SERVICE}/${method}`, request, signal);
  const choice = (type: string): object => ({
    ...(type === '' ? {} : { profileType: type }),
    maxNodes: MAX_FLAME_GRAPH_NODES,
  });
  return {
    async list(signal) {
      const answer = await ask('List', {}, signal);
      return readList(answer, 'profiles', 'List').map((profile) => readFile(profile, 'List'));
    },
    async upload(name, base64, signal) {
      return readFile(await ask('Upload', { name, profile: base64, maxNodes: 1 }, signal), 'Upload');
    },
    async get(id, type, signal) {
      return readProfile(await ask('Get', { id, ...choice(type) }, signal), 'Get');
    },
    async diff(baseId, id, type, signal) {
      const request = { leftId: baseId, rightId: id, ...choice(type) };
      return readProfile(await ask('Diff', request, signal), 'Diff');
    },
  };
}

function readFile(message: unknown, method: string): UploadedFile {
  return {
    id: readText(message, 'id', method),
    name: readText(message, 'name', method),
    uploadedAtMillis: readNumber(message, 'uploadedAt', method),
  };
}

function readProfile(answer: unknown, method: string): FileProfile {
  const flamebearer = readText(answer, 'flamebearerProfile', method);
  const document = parse(flamebearer, method);
  const graph = readField(document, 'flamebearer', method);
  const metadata = readField(document, 'metadata', method);
  return {
    profileTypes: readTexts(answer, 'profileTypes', method),
    metadata: {
      name: readText(metadata, 'name', method),
      units: readText(metadata, 'units', method),
      sampleRate: readNumber(metadata, 'sampleRate', method),
    },
    graph: {
      names: readTexts(graph, 'names', method),
      levels: readList(graph, 'levels', method).map((values) => {
        if (!Array.isArray(values)) throw notUnderstood(method, 'a level is not a list');
        return { values };
      }),
    },
    isDiff: readText(metadata, 'format', method) === 'double',
    flamebearer,
  };
}

function parse(text: string, method: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw notUnderstood(method, 'its flame graph is not JSON');
  }
}
