// SPDX-License-Identifier: Apache-2.0
//
// Reads fields of answers in proto3 JSON: int64 are strings, and empty fields are left out. `method` names the answer in
// what is said of one of the wrong shape.

import type { FlameGraphMessage } from '../flamegraph/layout.ts';
import { notUnderstood } from './connect.ts';

export function readField(message: unknown, field: string, method: string): unknown {
  if (typeof message !== 'object' || message === null) {
    throw notUnderstood(method, `there is no object to read "${field}" from`);
  }
  return (message as Record<string, unknown>)[field];
}

export function readList(message: unknown, field: string, method: string): unknown[] {
  const value = readField(message, field, method) ?? [];
  if (!Array.isArray(value)) throw notUnderstood(method, `"${field}" is not a list`);
  return value;
}

export function readText(message: unknown, field: string, method: string): string {
  const value = readField(message, field, method) ?? '';
  if (typeof value !== 'string') throw notUnderstood(method, `"${field}" is not text`);
  return value;
}

export function readNumber(message: unknown, field: string, method: string): number {
  return Number(readField(message, field, method) ?? 0);
}

export function readTexts(message: unknown, field: string, method: string): string[] {
  const values = readList(message, field, method);
  if (!values.every((value) => typeof value === 'string')) {
    throw notUnderstood(method, `"${field}" is not a list of texts`);
  }
  return values;
}

/** A flame graph, of one profile or of the difference of two. */
export function readFlameGraph(message: unknown, method: string): FlameGraphMessage {
  const names = readTexts(message, 'names', method);
  const levels = readList(message, 'levels', method).map((level) => ({
    // The layout checks each value when it reads it as a number.
    values: readList(level, 'values', method) as (string | number)[],
  }));
  return { names, levels };
}
