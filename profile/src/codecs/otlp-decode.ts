// SPDX-License-Identifier: Apache-2.0
//
// Reads an OTLP ExportProfilesServiceRequest (protobuf, opentelemetry.proto.profiles.v1development) into columnar
// profiles, each complete in itself. Malformed bytes refuse the request; what is well-formed but wrong costs the sample
// or the profile that is wrong, is counted with its reason, and leaves the rest alone.
//
// Three things the columnar profile does not keep: the per-timestamp values of a sample are summed (the timestamps stay;
// counted when the values differ), attributes of mappings and locations other than build id and frame type (counted),
// and schema URLs.

import { Uint32Column } from '../column.ts';
import { HearthscopeError } from '../errors.ts';
import type { Attribute, Profile, Resource, ResourceProfile } from '../profile.ts';
import type { ValueType } from '../profile-type.ts';
import { ProtobufReader, WireType } from '../wire/protobuf-reader.ts';
import { RangeList } from '../wire/range-list.ts';
import { DEFAULT_DECODE_LIMITS, type DecodeLimits } from './decode-limits.ts';
import { DecodeReport, type Rejection, type Repair } from './decode-report.ts';
import { AttributeReader } from './otlp-attributes.ts';
import { Fault, hex, OtlpDictionary } from './otlp-dictionary.ts';
import { type Numbering, NumberingEvidence } from './otlp-numbering.ts';
import { type Gunzip, readOriginalPayload } from './otlp-payload.ts';
import { ProfileTables } from './otlp-profile-tables.ts';
import { SampleReader } from './otlp-samples.ts';

export interface OtlpDecodeOptions {
  readonly limits?: DecodeLimits;
  /** How the fields of Sample are numbered; `auto` (the default) decides by evidence, see `otlp-numbering.ts`. */
  readonly numbering?: 'auto' | Numbering;
  /** Undoes the gzip of an `original_payload`; must throw instead of returning more than `maxBytes`. */
  readonly gunzip?: Gunzip;
}

export interface OtlpDecodeResult {
  /** One for each profile of the request that was not refused. Those read from native samples have one sample type;
   * those read from a pprof payload have as many as the pprof. */
  readonly resourceProfiles: readonly ResourceProfile[];
  readonly rejected: readonly Rejection[];
  readonly repaired: readonly Repair[];
  /** The numbering that was read, for metrics. */
  readonly numbering: Numbering | 'contradictory';
}

const PROFILE_ID_BYTES = 16;

/** @throws FormatError for malformed protobuf
 * @throws HearthscopeError invalid_argument for a request without dictionary or profiles, or over a table's limit */
export function decodeOtlpRequest(bytes: Uint8Array, options: OtlpDecodeOptions = {}): OtlpDecodeResult {
  return new RequestDecoder(bytes, options).decode();
}

interface Scope {
  readonly scopeName: string;
  readonly scopeVersion: string;
  readonly scopeAttributes: readonly Attribute[];
}

/** The fields of a Profile message besides its samples. */
interface ProfileFields {
  sampleType: ValueType;
  periodType: ValueType;
  timeUnixNanos: bigint;
  durationNanos: bigint;
  period: bigint;
  id: string;
  payloadFormat: string;
  payload: Uint8Array | null;
}

const NO_VALUE_TYPE: ValueType = { type: '', unit: '' };
const NO_SCOPE: Scope = { scopeName: '', scopeVersion: '', scopeAttributes: [] };

class RequestDecoder {
  readonly #reader: ProtobufReader;
  readonly #limits: DecodeLimits;
  readonly #options: OtlpDecodeOptions;
  readonly #report = new DecodeReport();
  readonly #dictionary: OtlpDictionary;
  readonly #resourceProfiles: RangeList;
  readonly #samples: RangeList;
  readonly #result: ResourceProfile[] = [];
  #hasDictionary = false;
  #profilesSeen = 0;
  #tables!: ProfileTables;
  #attributes!: AttributeReader;
  #sampleReader!: SampleReader;

  readonly #profileAttributes = new Uint32Column();

  constructor(bytes: Uint8Array, options: OtlpDecodeOptions) {
    this.#options = options;
    this.#limits = options.limits ?? DEFAULT_DECODE_LIMITS;
    this.#reader = new ProtobufReader('otlp profiles', bytes);
    this.#dictionary = new OtlpDictionary(this.#reader, this.#limits, this.#report);
    this.#resourceProfiles = new RangeList(
      'ExportProfilesServiceRequest.resource_profiles',
      this.#limits.maxProfiles,
    );
    this.#samples = new RangeList('Profile.samples', this.#limits.maxSamples);
  }

  decode(): OtlpDecodeResult {
    this.#scanRequest();
    if (!this.#hasDictionary) {
      throw new HearthscopeError('invalid_argument', 'missing profile metadata dictionary');
    }
    if (this.#resourceProfiles.length === 0) {
      throw new HearthscopeError('invalid_argument', 'missing resource profiles');
    }
    this.#resourceProfiles.check();
    this.#dictionary.read();
    this.#tables = new ProfileTables(this.#dictionary, this.#limits, this.#report);
    this.#attributes = new AttributeReader(
      this.#reader,
      this.#dictionary.strings,
      this.#limits,
      this.#report,
    );

    const numbering = this.#decideNumbering();
    if (numbering !== 'contradictory') {
      this.#sampleReader = new SampleReader(
        this.#reader,
        numbering,
        this.#dictionary,
        this.#tables,
        this.#limits,
        this.#report,
      );
      this.#eachResourceProfiles(() => this.#readResourceProfiles());
    }
    this.#report.repair('invalid_utf8', this.#reader.invalidUtf8Strings);
    return {
      resourceProfiles: this.#result,
      rejected: this.#report.rejected,
      repaired: this.#report.repaired,
      numbering,
    };
  }

  #scanRequest(): void {
    const reader = this.#reader;
    while (reader.pos < reader.limit) {
      const tag = reader.tag();
      switch (tag >>> 3) {
        case 1:
          this.#resourceProfiles.note(reader, tag);
          break;
        case 2: {
          reader.expect(tag, WireType.lengthDelimited, 'ExportProfilesServiceRequest.dictionary');
          const outer = reader.enter();
          this.#dictionary.scan();
          reader.leave(outer);
          this.#hasDictionary = true;
          break;
        }
        default:
          reader.skip(tag);
      }
    }
  }

  #eachResourceProfiles(visit: () => void): void {
    for (let row = 0; row < this.#resourceProfiles.length; row++) {
      this.#resourceProfiles.seek(this.#reader, row);
      visit();
    }
  }

  /** Visits the sub-messages `field` of the message the reader is in, and skips its other fields. */
  #eachMessage(field: number, name: string, visit: () => void): void {
    const reader = this.#reader;
    while (reader.pos < reader.limit) {
      const tag = reader.tag();
      if (tag >>> 3 !== field) {
        reader.skip(tag);
        continue;
      }
      reader.expect(tag, WireType.lengthDelimited, name);
      const outer = reader.enter();
      const end = reader.limit;
      visit();
      reader.pos = end;
      reader.leave(outer);
    }
  }

  #decideNumbering(): Numbering | 'contradictory' {
    const { numbering = 'auto' } = this.#options;
    if (numbering !== 'auto') return numbering;
    const evidence = new NumberingEvidence(this.#reader, this.#dictionary.attributes.length);
    let profiles = 0;
    this.#eachResourceProfiles(() =>
      this.#eachMessage(2, 'ResourceProfiles.scope_profiles', () =>
        this.#eachMessage(2, 'ScopeProfiles.profiles', () => {
          profiles++;
          this.#eachMessage(2, 'Profile.samples', () => evidence.addSample());
        }),
      ),
    );
    if (evidence.verdict === 'contradictory') {
      const message =
        'samples are numbered both as in OTLP 1.9 and as in 1.10; set the numbering for this sender if you know it';
      this.#report.reject('profile', 'contradictory_numbering', message, profiles);
    }
    return evidence.verdict;
  }

  #readResourceProfiles(): void {
    const reader = this.#reader;
    const { pos, limit } = reader;
    const attributes: Attribute[] = [];
    this.#eachMessage(1, 'ResourceProfiles.resource', () =>
      this.#eachMessage(1, 'Resource.attributes', () => this.#attributes.keyValueInto(attributes)),
    );
    const resource: Resource = { attributes };
    reader.seek(pos, limit);
    this.#eachMessage(2, 'ResourceProfiles.scope_profiles', () => this.#readScopeProfiles(resource));
  }

  #readScopeProfiles(resource: Resource): void {
    const reader = this.#reader;
    const { pos, limit } = reader;
    let scope = NO_SCOPE;
    this.#eachMessage(1, 'ScopeProfiles.scope', () => {
      scope = this.#readScope();
    });
    reader.seek(pos, limit);
    this.#eachMessage(2, 'ScopeProfiles.profiles', () => {
      const { maxProfiles, maxDecodedRows } = this.#limits;
      if (++this.#profilesSeen > maxProfiles) {
        this.#report.reject('profile', 'profiles_limit', `the request has more than ${maxProfiles} profiles`);
      } else if (this.#tables.rowsMade > maxDecodedRows) {
        const message = `the request's profiles refer to more than ${maxDecodedRows} rows of its dictionary in all`;
        this.#report.reject('profile', 'decoded_rows_limit', message);
      } else {
        const profile = this.#readProfile();
        if (profile !== null) this.#result.push({ resource, ...scope, profile });
      }
    });
  }

  #readScope(): Scope {
    const reader = this.#reader;
    let scopeName = '';
    let scopeVersion = '';
    const scopeAttributes: Attribute[] = [];
    while (reader.pos < reader.limit) {
      const tag = reader.tag();
      switch (tag >>> 3) {
        case 1:
          reader.expect(tag, WireType.lengthDelimited, 'InstrumentationScope.name');
          scopeName = reader.string();
          break;
        case 2:
          reader.expect(tag, WireType.lengthDelimited, 'InstrumentationScope.version');
          scopeVersion = reader.string();
          break;
        case 3: {
          reader.expect(tag, WireType.lengthDelimited, 'InstrumentationScope.attributes');
          const outer = reader.enter();
          this.#attributes.keyValueInto(scopeAttributes);
          reader.leave(outer);
          break;
        }
        default:
          reader.skip(tag);
      }
    }
    return { scopeName, scopeVersion, scopeAttributes };
  }

  /** @returns null when the profile was refused */
  #readProfile(): Profile | null {
    const fields = this.#readProfileFields();
    const { maxSamples } = this.#limits;
    const found = this.#samples.length;
    if (found > maxSamples) {
      this.#report.reject(
        'profile',
        'samples_limit',
        `the profile exceeds the samples count limit (max_profile_stacktrace_samples, actual: ${found}, limit: ${maxSamples})`,
      );
      return null;
    }
    if (found === 0 && (fields.payload !== null || fields.payloadFormat !== ''))
      return this.#readPayloadProfile(fields);

    this.#tables.begin();
    const samples = this.#sampleReader.read(this.#samples);
    if (found > 0 && samples.length === 0) {
      this.#report.reject('profile', 'no_valid_samples', 'every sample of the profile was refused');
      return null;
    }
    return {
      id: fields.id,
      timeUnixNanos: fields.timeUnixNanos,
      durationNanos: fields.durationNanos,
      sampleTypes: [fields.sampleType],
      periodType: fields.periodType,
      period: fields.period,
      profileAttributes: this.#readProfileAttributes(),
      comments: [],
      ...this.#tables.finish(),
      samples,
    };
  }

  /** A profile that came as `original_payload` alone. What the OTLP message says of it goes before what the payload says. */
  #readPayloadProfile(fields: ProfileFields): Profile | null {
    const { payload, payloadFormat } = fields;
    const profile = readOriginalPayload(
      payloadFormat,
      payload,
      this.#limits,
      this.#report,
      this.#options.gunzip,
    );
    if (profile === null) return null;
    return {
      ...profile,
      id: fields.id,
      timeUnixNanos: fields.timeUnixNanos || profile.timeUnixNanos,
      durationNanos: fields.durationNanos || profile.durationNanos,
      profileAttributes: [...this.#readProfileAttributes(), ...profile.profileAttributes],
    };
  }

  #readProfileFields(): ProfileFields {
    const reader = this.#reader;
    const fields: ProfileFields = {
      sampleType: NO_VALUE_TYPE,
      periodType: NO_VALUE_TYPE,
      timeUnixNanos: 0n,
      durationNanos: 0n,
      period: 0n,
      id: '',
      payloadFormat: '',
      payload: null,
    };
    this.#samples.clear();
    this.#profileAttributes.length = 0;
    while (reader.pos < reader.limit) {
      const tag = reader.tag();
      switch (tag >>> 3) {
        case 1:
          reader.expect(tag, WireType.lengthDelimited, 'Profile.sample_type');
          fields.sampleType = this.#readValueType();
          break;
        case 2:
          this.#samples.note(reader, tag);
          break;
        case 3:
          reader.expect(tag, WireType.fixed64, 'Profile.time_unix_nano');
          fields.timeUnixNanos = reader.fixed64();
          break;
        case 4:
          reader.expect(tag, WireType.varint, 'Profile.duration_nano');
          fields.durationNanos = reader.uint64();
          break;
        case 5:
          reader.expect(tag, WireType.lengthDelimited, 'Profile.period_type');
          fields.periodType = this.#readValueType();
          break;
        case 6:
          reader.expect(tag, WireType.varint, 'Profile.period');
          fields.period = reader.int64();
          break;
        case 7: {
          reader.expect(tag, WireType.lengthDelimited, 'Profile.profile_id');
          const id = reader.blob();
          fields.id = hex(id, PROFILE_ID_BYTES);
          if (id.length > 0 && id.length !== PROFILE_ID_BYTES) this.#report.repair('profile_id_invalid');
          break;
        }
        case 9:
          reader.expect(tag, WireType.lengthDelimited, 'Profile.original_payload_format');
          fields.payloadFormat = reader.string();
          break;
        case 10: {
          reader.expect(tag, WireType.lengthDelimited, 'Profile.original_payload');
          const payload = reader.blob();
          if (payload.length > 0) fields.payload = payload;
          break;
        }
        case 11:
          reader.indexes(tag, 'Profile.attribute_indices', this.#profileAttributes);
          break;
        default:
          reader.skip(tag);
      }
    }
    return fields;
  }

  #readValueType(): ValueType {
    const reader = this.#reader;
    let type = '';
    let unit = '';
    const text = (): string => {
      const value = this.#dictionary.string(reader.index());
      if (value === undefined) this.#report.repair('value_type_string_out_of_range');
      return value ?? '';
    };
    const outer = reader.enter();
    while (reader.pos < reader.limit) {
      const tag = reader.tag();
      switch (tag >>> 3) {
        case 1:
          reader.expect(tag, WireType.varint, 'ValueType.type_strindex');
          type = text();
          break;
        case 2:
          reader.expect(tag, WireType.varint, 'ValueType.unit_strindex');
          unit = text();
          break;
        default:
          reader.skip(tag);
      }
    }
    reader.leave(outer);
    return { type, unit };
  }

  #readProfileAttributes(): Attribute[] {
    const attributes: Attribute[] = [];
    for (const index of this.#profileAttributes.finish()) {
      const attribute = this.#dictionary.attributes[index];
      if (attribute === undefined || this.#dictionary.attributeFault[index] !== Fault.none) {
        this.#report.repair('profile_attribute_index_out_of_range');
      } else if (attribute !== null && attributes.length === this.#limits.maxResourceAttributes) {
        this.#report.repair('resource_attributes_truncated');
      } else if (attribute !== null) {
        attributes.push(attribute);
      }
    }
    return attributes;
  }
}
