// SPDX-License-Identifier: Apache-2.0
//
// Random profiles for property tests, small in size and nasty in content: values at the ends of their ranges, names with
// every kind of character, lines without function, functions without name.

import fc from 'fast-check';
import type { Attribute, AttributeSetIndex, Link, LinkIndex, LocationIndex, Profile } from '../profile.ts';
import { ProfileBuilder } from '../profile-builder.ts';

export interface ArbitraryProfileOptions {
  readonly sampleTypes?: { readonly min: number; readonly max: number };
  /** Leave out what pprof cannot say. */
  readonly pprofOnly?: boolean;
}

const name = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.constantFrom(
      '',
      'main',
      'work',
      'idle',
      'std::vector<int>::push_back',
      'läuft',
      '𝄞',
      'a;b',
    ),
  },
  { weight: 1, arbitrary: fc.string({ unit: 'grapheme', maxLength: 40 }).map((text) => text.toWellFormed()) },
);
const nonEmptyName = name.map((text) => text || 'x');
const int64 = fc.oneof(fc.bigInt({ min: -5n, max: 300n }), fc.bigInt({ min: -(2n ** 55n), max: 2n ** 55n }));
const uint64 = fc.oneof(
  fc.bigInt({ min: 0n, max: 300n }),
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  fc.constantFrom(2n ** 32n - 1n, 2n ** 32n, 2n ** 53n + 1n, 2n ** 63n, 2n ** 64n - 1n),
);
const uint32 = fc.oneof(fc.nat(300), fc.constantFrom(0, 127, 128, 2 ** 31, 2 ** 32 - 1));
const time = fc.bigInt({ min: 0n, max: 2n ** 63n - 1n });

function attributeArbitrary(pprofOnly: boolean): fc.Arbitrary<Attribute> {
  const integer = fc.record({ key: nonEmptyName, value: int64, unit: name });
  const text = fc.record({ key: nonEmptyName, value: nonEmptyName, unit: fc.constant('') });
  if (pprofOnly) return fc.oneof(integer, text);
  const other = fc.record({
    key: nonEmptyName,
    value: fc.oneof(fc.double(), fc.boolean(), name),
    unit: name,
  });
  return fc.oneof(integer, text, other);
}

export function arbitraryProfile(options: ArbitraryProfileOptions = {}): fc.Arbitrary<Profile> {
  const { sampleTypes = { min: 1, max: 3 }, pprofOnly = false } = options;
  const attribute = attributeArbitrary(pprofOnly);
  const index = fc.nat();
  const hex = (digits: number) =>
    fc
      .bigInt({ min: 1n, max: 16n ** BigInt(digits) - 1n })
      .map((value) => value.toString(16).padStart(digits, '0'));
  return fc
    .record({
      id: fc.oneof(fc.constant(''), hex(32)),
      timeUnixNanos: time,
      durationNanos: time,
      period: int64,
      periodType: fc.record({ type: name, unit: name }),
      sampleTypes: fc.array(fc.record({ type: fc.constantFrom('cpu', 'samples', 'λ'), unit: name }), {
        minLength: sampleTypes.min,
        maxLength: sampleTypes.max,
      }),
      profileAttributes: fc.array(attribute, { maxLength: 3 }),
      comments: fc.array(name, { maxLength: 3 }),
      mappings: fc.array(
        fc.record({ start: uint64, limit: uint64, fileOffset: uint64, filename: name, buildId: name }),
        { maxLength: 4 },
      ),
      functions: fc.array(fc.record({ name, systemName: name, filename: name, startLine: uint32 }), {
        maxLength: 8,
      }),
      locations: fc.array(
        fc.record({
          mapping: index,
          address: uint64,
          frameType: pprofOnly ? fc.constant('') : fc.constantFrom('', 'kernel', 'native', 'go'),
          lines: fc.array(fc.record({ function: index, line: uint32, column: uint32 }), { maxLength: 3 }),
        }),
        { maxLength: 10 },
      ),
      attributes: fc.array(attribute, { maxLength: 6 }),
      links: pprofOnly
        ? fc.constant<Link[]>([])
        : fc.array(fc.record({ traceId: hex(32), spanId: hex(16) }), { maxLength: 3 }),
      samples: fc.array(
        fc.record({
          stack: fc.array(index, { maxLength: 6 }),
          values: fc.array(int64, { minLength: 3, maxLength: 3 }),
          attributes: fc.array(index, { maxLength: 3 }),
          link: index,
          timestamps: pprofOnly ? fc.constant([]) : fc.array(uint64, { maxLength: 3 }),
        }),
        { maxLength: 12 },
      ),
    })
    .map((parts) => {
      const builder = new ProfileBuilder({
        ...parts,
        id: pprofOnly ? '' : parts.id,
        profileAttributes: pprofOnly ? [] : parts.profileAttributes,
        comments: pprofOnly ? parts.comments : [],
      });
      const mappings = [0, ...parts.mappings.map((mapping) => builder.mapping(mapping))];
      const functions = [0, ...parts.functions.map((input) => builder.function(input))];
      const pick = <T>(rows: readonly T[], i: number): T => rows[i % rows.length]!;
      const locations: LocationIndex[] = parts.locations.map(({ mapping, lines, ...location }) =>
        builder.location({
          ...location,
          mapping: pick(mappings, mapping),
          lines: lines
            .map((line) => ({ ...line, function: pick(functions, line.function) }))
            // Neither format keeps a line that says nothing, and pprof none without function.
            .filter((line) => line.function !== 0 || (!pprofOnly && line.line + line.column > 0)),
        }),
      );
      const attributes = parts.attributes.map((input) => builder.attribute(input));
      const links: LinkIndex[] = [
        0,
        ...parts.links.map(({ traceId, spanId }) => builder.link(traceId, spanId)),
      ];
      for (const sample of parts.samples) {
        const stack = locations.length === 0 ? [] : sample.stack.map((i) => pick(locations, i));
        const set: AttributeSetIndex =
          attributes.length === 0
            ? 0
            : builder.attributeSet(sample.attributes.map((i) => pick(attributes, i)));
        builder.addSample(builder.stack(stack), sample.values.slice(0, parts.sampleTypes.length), {
          attributeSet: set,
          link: pick(links, sample.link),
          timestampsUnixNanos: sample.timestamps,
        });
      }
      return builder.build();
    });
}
