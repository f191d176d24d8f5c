// SPDX-License-Identifier: Apache-2.0
//
// One normalised profile of one tenant as self-contained bytes, and back: the payload of a WAL frame. The layout is
// drawn in docs/formats/wal.md; a change of it is a new version.

import type { NormalisedProfile } from '@hearthscope/collector/normalised-profile';
import { FormatError, HearthscopeError } from '@hearthscope/profile/errors';
import type { Attribute, AttributeValue, Link, Profile } from '@hearthscope/profile/profile';
import type { ValueType } from '@hearthscope/profile/profile-type';
import { ByteReader } from './byte-reader.ts';
import { ByteWriter } from './byte-writer.ts';

export const FRAME_VERSION = 1;

const FORMAT = 'WAL frame';
/** Items of all columns and lists of a frame; bounds the memory that reading one takes to some hundreds of MB. */
const MAX_ITEMS = 1 << 25;

/** Of profiles and traces; '' when there is none. */
const ID_PATTERN = /^(?:[0-9a-f]{32})?$/;
const SPAN_ID_PATTERN = /^(?:[0-9a-f]{16})?$/;

const ValueKind = { string: 0, integer: 1, double: 2, boolean: 3 } as const;

export interface TenantProfile extends NormalisedProfile {
  readonly tenant: string;
}

/** What this accepts, {@link decodeFrame} can read.
 * @throws HearthscopeError resource_exhausted when the profile is too large, invalid_argument when an id is not hex */
export function encodeFrame({ tenant, labels, profile }: TenantProfile): Buffer {
  checkStorable(profile, labels.length);
  const writer = new ByteWriter();
  writer.uint8(FRAME_VERSION);
  writer.string(tenant);
  writer.uvarint(labels.length);
  for (const { name, value } of labels) {
    writer.string(name);
    writer.string(value);
  }
  writeHeader(writer, profile);
  writer.strings(profile.strings);
  writeSymbols(writer, profile);
  writeAttributes(writer, profile.attributes);
  writer.uvarint(profile.attributeSets.length);
  writer.startColumn(profile.attributeSets.attributeStart);
  writer.uint32Column(profile.attributeSets.attribute);
  writeLinks(writer, profile.links);
  writeSamples(writer, profile);
  return writer.finish();
}

/** @throws FormatError */
export function decodeFrame(bytes: Uint8Array): TenantProfile {
  const reader = new ByteReader(bytes, FORMAT, MAX_ITEMS);
  const version = reader.uint8('version');
  if (version !== FRAME_VERSION) {
    throw new FormatError(FORMAT, 0, `version ${version} is not ${FRAME_VERSION}, the one that is known`);
  }
  const tenant = reader.string('tenant');
  const labels = readList(reader, 'label', () => ({
    name: reader.string('label name'),
    value: reader.string('label value'),
  }));
  const profile = readProfile(reader);
  reader.end();
  return { tenant, labels, profile };
}

function checkStorable(profile: Profile, labels: number): void {
  const items = itemsOf(profile) + labels;
  if (items > MAX_ITEMS) {
    throw new HearthscopeError(
      'resource_exhausted',
      `a profile of ${items} table entries is too large, at most ${MAX_ITEMS} are stored`,
    );
  }
  if (!ID_PATTERN.test(profile.id)) {
    throw new HearthscopeError(
      'invalid_argument',
      `profile id ${JSON.stringify(profile.id)} is not 32 hex digits`,
    );
  }
  for (const { traceId, spanId } of profile.links) {
    if (!ID_PATTERN.test(traceId) || !SPAN_ID_PATTERN.test(spanId)) {
      throw new HearthscopeError(
        'invalid_argument',
        `trace id ${JSON.stringify(traceId)} and span id ${JSON.stringify(spanId)} are not 32 and 16 hex digits`,
      );
    }
  }
}

/** An upper bound of the items that reading the profile counts. */
function itemsOf({ strings, mappings, functions, locations, stacks, samples, ...rest }: Profile): number {
  return (
    strings.length * 2 +
    mappings.length * 6 +
    functions.length * 5 +
    locations.length * 5 +
    locations.lineFunction.length * 3 +
    stacks.length * 2 +
    stacks.location.length +
    samples.length * 6 +
    samples.timestampUnixNanos.length +
    rest.profileAttributes.length +
    rest.comments.length +
    rest.attributes.length +
    rest.attributeSets.length * 2 +
    rest.attributeSets.attribute.length +
    rest.links.length
  );
}

function writeHeader(writer: ByteWriter, profile: Profile): void {
  writer.string(profile.id);
  writer.uint64(profile.timeUnixNanos);
  writer.uint64(profile.durationNanos);
  writeValueType(writer, profile.sampleTypes[0]!);
  writeValueType(writer, profile.periodType);
  writer.uint64(profile.period);
  writeAttributes(writer, profile.profileAttributes);
  writer.uvarint(profile.comments.length);
  for (const comment of profile.comments) writer.string(comment);
}

function writeValueType(writer: ByteWriter, { type, unit }: ValueType): void {
  writer.string(type);
  writer.string(unit);
}

function readValueType(reader: ByteReader, what: string): ValueType {
  return { type: reader.string(what), unit: reader.string(`${what} unit`) };
}

function writeAttributes(writer: ByteWriter, attributes: readonly Attribute[]): void {
  writer.uvarint(attributes.length);
  for (const { key, value, unit } of attributes) {
    writer.string(key);
    writer.string(unit);
    writeAttributeValue(writer, value);
  }
}

function writeAttributeValue(writer: ByteWriter, value: AttributeValue): void {
  switch (typeof value) {
    case 'string':
      writer.uint8(ValueKind.string);
      writer.string(value);
      break;
    case 'bigint':
      writer.uint8(ValueKind.integer);
      writer.uint64(value);
      break;
    case 'number':
      writer.uint8(ValueKind.double);
      writer.float64(value);
      break;
    case 'boolean':
      writer.uint8(ValueKind.boolean);
      writer.uint8(value ? 1 : 0);
  }
}

function readAttribute(reader: ByteReader): Attribute {
  const key = reader.string('attribute key');
  const unit = reader.string('attribute unit');
  return { key, value: readAttributeValue(reader), unit };
}

function readAttributeValue(reader: ByteReader): AttributeValue {
  const { offset } = reader;
  const kind = reader.uint8('attribute kind');
  switch (kind) {
    case ValueKind.string:
      return reader.string('attribute value');
    case ValueKind.integer:
      return reader.int64('attribute value');
    case ValueKind.double:
      return reader.float64('attribute value');
    case ValueKind.boolean:
      return reader.uint8('attribute value') !== 0;
    default:
      throw reader.error(`attribute kind ${kind}`, offset);
  }
}

function writeSymbols(writer: ByteWriter, { mappings, functions, locations, stacks }: Profile): void {
  writer.uvarint(mappings.length);
  writer.uint64Column(mappings.start);
  writer.uint64Column(mappings.limit);
  writer.uint64Column(mappings.fileOffset);
  writer.uint32Column(mappings.filename);
  writer.uint32Column(mappings.buildId);

  writer.uvarint(functions.length);
  writer.uint32Column(functions.name);
  writer.uint32Column(functions.systemName);
  writer.uint32Column(functions.filename);
  writer.uint32Column(functions.startLine);

  writer.uvarint(locations.length);
  writer.uint32Column(locations.mapping);
  writer.uint64Column(locations.address);
  writer.uint32Column(locations.frameType);
  writer.startColumn(locations.lineStart);
  writer.uint32Column(locations.lineFunction);
  writer.uint32Column(locations.lineNumber);
  writer.uint32Column(locations.lineColumn);

  writer.uvarint(stacks.length);
  writer.startColumn(stacks.locationStart);
  writer.uint32Column(stacks.location);
}

function writeLinks(writer: ByteWriter, links: readonly Link[]): void {
  writer.uvarint(links.length);
  for (const { traceId, spanId } of links) {
    writer.string(traceId);
    writer.string(spanId);
  }
}

function writeSamples(writer: ByteWriter, { samples }: Profile): void {
  writer.uvarint(samples.length);
  writer.uint32Column(samples.stack);
  writer.uint64Column(samples.values[0]!);
  writer.uint32Column(samples.attributeSet);
  writer.uint32Column(samples.link);
  writer.startColumn(samples.timestampStart);
  writer.uint64Column(samples.timestampUnixNanos);
}

function readProfile(reader: ByteReader): Profile {
  const id = reader.string('profile id');
  if (!ID_PATTERN.test(id)) throw reader.error('a profile id is not 32 hex digits');
  const timeUnixNanos = reader.uint64('time');
  const durationNanos = reader.uint64('duration');
  const sampleType = readValueType(reader, 'sample type');
  const periodType = readValueType(reader, 'period type');
  const period = reader.int64('period');
  const profileAttributes = readList(reader, 'profile attribute', () => readAttribute(reader));
  const comments = readList(reader, 'comment', () => reader.string('comment'));
  const strings = reader.strings('string');
  if (strings[0] !== '') throw reader.error('string 0 is not empty');
  const mappings = readMappings(reader, strings.length);
  const functions = readFunctions(reader, strings.length);
  const locations = readLocations(reader, mappings.length, functions.length, strings.length);
  const stacks = readStacks(reader, locations.length);
  const attributes = readList(reader, 'attribute', () => readAttribute(reader));
  const attributeSets = readAttributeSets(reader, attributes.length);
  const links = readList(reader, 'link', () => readLink(reader));
  if (links.length === 0) throw reader.error('link 0 is missing');
  return {
    id,
    timeUnixNanos,
    durationNanos,
    sampleTypes: [sampleType],
    periodType,
    period,
    profileAttributes,
    comments,
    strings,
    mappings,
    functions,
    locations,
    stacks,
    attributes,
    attributeSets,
    links,
    samples: readSamples(reader, stacks.length, attributeSets.length, links.length),
  };
}

function readMappings(reader: ByteReader, strings: number): Profile['mappings'] {
  const length = reader.count('mapping');
  if (length === 0) throw reader.error('mapping 0 is missing');
  return {
    length,
    start: reader.uint64Column(length, 'mapping start'),
    limit: reader.uint64Column(length, 'mapping limit'),
    fileOffset: reader.uint64Column(length, 'mapping file offset'),
    filename: reader.indexColumn(length, strings, 'mapping file name'),
    buildId: reader.indexColumn(length, strings, 'mapping build id'),
  };
}

function readFunctions(reader: ByteReader, strings: number): Profile['functions'] {
  const length = reader.count('function');
  if (length === 0) throw reader.error('function 0 is missing');
  return {
    length,
    name: reader.indexColumn(length, strings, 'function name'),
    systemName: reader.indexColumn(length, strings, 'function system name'),
    filename: reader.indexColumn(length, strings, 'function file name'),
    startLine: reader.uint32Column(length, 'function start line'),
  };
}

function readLocations(
  reader: ByteReader,
  mappings: number,
  functions: number,
  strings: number,
): Profile['locations'] {
  const length = reader.count('location');
  const mapping = reader.indexColumn(length, mappings, 'location mapping');
  const address = reader.uint64Column(length, 'location address');
  const frameType = reader.indexColumn(length, strings, 'location frame type');
  const lineStart = reader.startColumn(length, 'location lines');
  const lines = lineStart[length]!;
  return {
    length,
    mapping,
    address,
    frameType,
    lineStart,
    lineFunction: reader.indexColumn(lines, functions, 'line function'),
    lineNumber: reader.uint32Column(lines, 'line number'),
    lineColumn: reader.uint32Column(lines, 'line column'),
  };
}

function readStacks(reader: ByteReader, locations: number): Profile['stacks'] {
  const length = reader.count('stack');
  const locationStart = reader.startColumn(length, 'stack locations');
  return {
    length,
    locationStart,
    location: reader.indexColumn(locationStart[length]!, locations, 'stack location'),
  };
}

function readAttributeSets(reader: ByteReader, attributes: number): Profile['attributeSets'] {
  const length = reader.count('attribute set');
  const attributeStart = reader.startColumn(length, 'attribute set');
  if (length === 0 || attributeStart[1] !== 0) throw reader.error('attribute set 0 is not the empty set');
  return {
    length,
    attributeStart,
    attribute: reader.indexColumn(attributeStart[length]!, attributes, 'attribute of a set'),
  };
}

function readLink(reader: ByteReader): Link {
  const { offset } = reader;
  const link = { traceId: reader.string('trace id'), spanId: reader.string('span id') };
  if (!ID_PATTERN.test(link.traceId) || !SPAN_ID_PATTERN.test(link.spanId)) {
    throw reader.error('a link is not a trace id of 32 and a span id of 16 hex digits', offset);
  }
  return link;
}

function readSamples(
  reader: ByteReader,
  stacks: number,
  attributeSets: number,
  links: number,
): Profile['samples'] {
  const length = reader.count('sample');
  const stack = reader.indexColumn(length, stacks, 'sample stack');
  const value = reader.int64Column(length, 'sample value');
  const attributeSet = reader.indexColumn(length, attributeSets, 'sample attribute set');
  const link = reader.indexColumn(length, links, 'sample link');
  const timestampStart = reader.startColumn(length, 'sample timestamps');
  return {
    length,
    stack,
    values: [value],
    attributeSet,
    link,
    timestampStart,
    timestampUnixNanos: reader.uint64Column(timestampStart[length]!, 'timestamp'),
  };
}

function readList<Item>(reader: ByteReader, what: string, read: () => Item): Item[] {
  const count = reader.count(what);
  const items: Item[] = [];
  for (let i = 0; i < count; i++) items.push(read());
  return items;
}
