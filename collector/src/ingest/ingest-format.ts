// SPDX-License-Identifier: Apache-2.0
//
// How the body of an /ingest request is written: the `format` parameter says so, else the content type, else it is
// collapsed stacks.

import { isGzip } from '@hearthscope/profile/codecs/gzip-magic';

export type IngestFormat = 'trie' | 'tree' | 'lines' | 'jfr' | 'pprof' | 'speedscope' | 'collapsed';

/** @param format '' when absent; a value that nobody knows is as good as none */
export function ingestFormat(format: string, contentType: string, body: Uint8Array): IngestFormat {
  if (format === 'trie' || contentType === 'binary/octet-stream+trie') return 'trie';
  if (format === 'tree' || contentType === 'binary/octet-stream+tree') return 'tree';
  if (format === 'lines' || format === 'jfr' || format === 'pprof' || format === 'speedscope') return format;
  // No text begins like gzip, so that is a pprof whose sender has not said so.
  return isMultipart(contentType) || isGzip(body) ? 'pprof' : 'collapsed';
}

export function isMultipart(contentType: string): boolean {
  return contentType.toLowerCase().includes('multipart/form-data');
}
