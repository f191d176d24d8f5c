// SPDX-License-Identifier: Apache-2.0
//
// The columnar profile: what every decoder produces, every encoder reads, and the WAL keeps. Tables of typed arrays
// refer to each other by index, so a profile of 50 000 samples is a few dozen arrays and not a million objects.
//
//   samples ──stack──▶ stacks ──location──▶ locations ──line──▶ functions ──▶ strings
//      │                                        └──mapping──▶ mappings ──────────┘
//      ├──attributeSet──▶ attributeSets ──attribute──▶ attributes ──▶ strings
//      └──link──▶ links
//
// Row 0 of strings, mappings, functions, attributeSets and links means "none" ('' or all zero), as in OTLP. Rows of
// locations and stacks are real from 0 on. A list per row (the lines of a location, the locations of a stack) is stored
// flat with `start[row] .. start[row + 1]`; such a `start` array has one more element than the table has rows.
//
// int64 policy: addresses and sample values are BigUint64Array and BigInt64Array, which lose no bits; code that sums
// many of them reads the two 32-bit lanes. Timestamps are bigint nanoseconds since the Unix epoch.

import type { ValueType } from './profile-type.ts';

declare const brand: unique symbol;
/** Branded so that an index into one table cannot be used with another. */
type Index<Table extends string> = number & { readonly [brand]?: Table };

export type StringIndex = Index<'string'>;
export type MappingIndex = Index<'mapping'>;
export type FunctionIndex = Index<'function'>;
export type LocationIndex = Index<'location'>;
export type StackIndex = Index<'stack'>;
export type AttributeIndex = Index<'attribute'>;
export type AttributeSetIndex = Index<'attributeSet'>;
export type LinkIndex = Index<'link'>;

/** A binary mapped into a process. Addresses are those of the process when `start < limit`. */
export interface MappingTable {
  readonly length: number;
  readonly start: BigUint64Array;
  readonly limit: BigUint64Array;
  readonly fileOffset: BigUint64Array;
  /** Index into strings. */
  readonly filename: Uint32Array;
  /** Index into strings: lower-case hex of the GNU build id, or another identifier the producer chose. */
  readonly buildId: Uint32Array;
}

export interface FunctionTable {
  readonly length: number;
  /** Index into strings: the name people read. */
  readonly name: Uint32Array;
  /** Index into strings: the name in the symbol table, possibly mangled. */
  readonly systemName: Uint32Array;
  readonly filename: Uint32Array;
  readonly startLine: Uint32Array;
}

export interface LocationTable {
  readonly length: number;
  readonly mapping: Uint32Array;
  readonly address: BigUint64Array;
  /** `lineStart[l] .. lineStart[l + 1]` are the location's lines, innermost inlined function first. */
  readonly lineStart: Uint32Array;
  readonly lineFunction: Uint32Array;
  readonly lineNumber: Uint32Array;
  readonly lineColumn: Uint32Array;
  /** Index into strings: `kernel`, `native`, `go`, … (profile.frame.type), 0 when unknown. */
  readonly frameType: Uint32Array;
}

export interface StackTable {
  readonly length: number;
  /** `locationStart[s] .. locationStart[s + 1]` are the stack's locations, leaf first. */
  readonly locationStart: Uint32Array;
  readonly location: Uint32Array;
}

export type AttributeValue = string | bigint | number | boolean;

/** One attribute of a sample, e.g. `thread.id` = 42n. */
export interface Attribute {
  readonly key: string;
  readonly value: AttributeValue;
  readonly unit: string;
}

/** Distinct sets of attributes: `attributeStart[s] .. attributeStart[s + 1]`; set 0 is the empty set. */
export interface AttributeSetTable {
  readonly length: number;
  readonly attributeStart: Uint32Array;
  readonly attribute: Uint32Array;
}

/** The span a sample ran in. Row 0 has neither id; OTLP links have both, those of span profiles often the span's alone. */
export interface Link {
  /** 32 lower-case hex digits, or ''. */
  readonly traceId: string;
  /** 16 lower-case hex digits, or ''. */
  readonly spanId: string;
}

export interface SampleTable {
  readonly length: number;
  readonly stack: Uint32Array;
  /** One column per sample type of the profile, each `length` long. */
  readonly values: readonly BigInt64Array[];
  readonly attributeSet: Uint32Array;
  readonly link: Uint32Array;
  /** `timestampStart[s] .. timestampStart[s + 1]`, `length + 1` long. Empty lists mean "not recorded". */
  readonly timestampStart: Uint32Array;
  readonly timestampUnixNanos: BigUint64Array;
}

/** One profile of one resource. Immutable once built: see {@link ./profile-builder.ts}. */
export interface Profile {
  /** 32 lower-case hex digits, or '' when the producer gave none. */
  readonly id: string;
  /** 0n when unknown. */
  readonly timeUnixNanos: bigint;
  readonly durationNanos: bigint;
  readonly sampleTypes: readonly ValueType[];
  readonly periodType: ValueType;
  readonly period: bigint;
  /** Attributes of the profile as a whole. */
  readonly profileAttributes: readonly Attribute[];
  readonly comments: readonly string[];
  readonly strings: readonly string[];
  readonly mappings: MappingTable;
  readonly functions: FunctionTable;
  readonly locations: LocationTable;
  readonly stacks: StackTable;
  readonly attributes: readonly Attribute[];
  readonly attributeSets: AttributeSetTable;
  readonly links: readonly Link[];
  readonly samples: SampleTable;
}

/** The resource a profile belongs to, as OTLP has it: who produced it. */
export interface Resource {
  readonly attributes: readonly Attribute[];
}

/** What flows from a decoder to the collector's pipeline. */
export interface ResourceProfile {
  readonly resource: Resource;
  readonly scopeName: string;
  readonly scopeVersion: string;
  readonly scopeAttributes: readonly Attribute[];
  readonly profile: Profile;
}
