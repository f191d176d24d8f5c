// SPDX-License-Identifier: Apache-2.0
//
// The messages of an OTLP export request for profiles, as a table: what the JSON form calls a field and how the protobuf
// form numbers it. Numbers are those of 1.10.

export type ScalarKind =
  | 'string'
  | 'bytes'
  | 'id'
  | 'index'
  | 'int64'
  | 'uint64'
  | 'fixed64'
  | 'bool'
  | 'double';

export interface JsonField {
  readonly number: number;
  /** The name of a message of {@link OTLP_JSON_MESSAGES}, or how a scalar is written. */
  readonly type: ScalarKind | OtlpJsonMessage;
  readonly isRepeated: boolean;
  /** Whether the field is one of a oneof, and says something by being there. */
  readonly isOneof: boolean;
}

type Declaration = Readonly<Record<string, string>>;

/** `number type`, with `*` behind the type of a repeated field and `?` behind that of a member of a oneof. */
const DECLARATIONS = {
  ExportProfilesServiceRequest: {
    resource_profiles: '1 ResourceProfiles*',
    dictionary: '2 ProfilesDictionary',
  },
  ProfilesDictionary: {
    mapping_table: '1 Mapping*',
    location_table: '2 Location*',
    function_table: '3 Function*',
    link_table: '4 Link*',
    string_table: '5 string*',
    attribute_table: '6 KeyValueAndUnit*',
    stack_table: '7 Stack*',
  },
  ResourceProfiles: { resource: '1 Resource', scope_profiles: '2 ScopeProfiles*', schema_url: '3 string' },
  ScopeProfiles: { scope: '1 InstrumentationScope', profiles: '2 Profile*', schema_url: '3 string' },
  Profile: {
    sample_type: '1 ValueType',
    samples: '2 Sample*',
    time_unix_nano: '3 fixed64',
    duration_nano: '4 uint64',
    period_type: '5 ValueType',
    period: '6 int64',
    profile_id: '7 id',
    dropped_attributes_count: '8 index',
    original_payload_format: '9 string',
    original_payload: '10 bytes',
    attribute_indices: '11 index*',
  },
  ValueType: { type_strindex: '1 index', unit_strindex: '2 index' },
  Sample: {
    stack_index: '1 index',
    attribute_indices: '2 index*',
    link_index: '3 index',
    values: '4 int64*',
    timestamps_unix_nano: '5 fixed64*',
  },
  Stack: { location_indices: '1 index*' },
  Location: {
    mapping_index: '1 index',
    address: '2 uint64',
    lines: '3 Line*',
    attribute_indices: '4 index*',
  },
  Line: { function_index: '1 index', line: '2 int64', column: '3 int64' },
  Function: {
    name_strindex: '1 index',
    system_name_strindex: '2 index',
    filename_strindex: '3 index',
    start_line: '4 int64',
  },
  Mapping: {
    memory_start: '1 uint64',
    memory_limit: '2 uint64',
    file_offset: '3 uint64',
    filename_strindex: '4 index',
    attribute_indices: '5 index*',
  },
  Link: { trace_id: '1 id', span_id: '2 id' },
  KeyValueAndUnit: { key_strindex: '1 index', value: '2 AnyValue', unit_strindex: '3 index' },
  Resource: {
    attributes: '1 KeyValue*',
    dropped_attributes_count: '2 index',
    entity_refs: '3 EntityRef*',
  },
  EntityRef: {
    schema_url: '1 string',
    type: '2 string',
    id_keys: '3 string*',
    description_keys: '4 string*',
  },
  InstrumentationScope: {
    name: '1 string',
    version: '2 string',
    attributes: '3 KeyValue*',
    dropped_attributes_count: '4 index',
  },
  KeyValue: { key: '1 string', value: '2 AnyValue', key_strindex: '3 index' },
  AnyValue: {
    string_value: '1 string?',
    bool_value: '2 bool?',
    int_value: '3 int64?',
    double_value: '4 double?',
    array_value: '5 ArrayValue?',
    kvlist_value: '6 KeyValueList?',
    bytes_value: '7 bytes?',
    string_value_strindex: '8 index?',
  },
  ArrayValue: { values: '1 AnyValue*' },
  KeyValueList: { values: '1 KeyValue*' },
} satisfies Record<string, Declaration>;

export type OtlpJsonMessage = keyof typeof DECLARATIONS;

/** The fields of each message by both of their names, `resourceProfiles` and `resource_profiles`. */
export const OTLP_JSON_MESSAGES = Object.fromEntries(
  Object.entries(DECLARATIONS).map(([message, fields]) => [message, fieldsByName(fields)]),
) as Readonly<Record<OtlpJsonMessage, ReadonlyMap<string, JsonField>>>;

function fieldsByName(declaration: Declaration): ReadonlyMap<string, JsonField> {
  const fields = new Map<string, JsonField>();
  for (const [name, text] of Object.entries(declaration)) {
    const [, number, type, mark] = /^(\d+) (\w+)([*?]?)$/.exec(text)!;
    const field: JsonField = {
      number: Number(number),
      type: type as JsonField['type'],
      isRepeated: mark === '*',
      isOneof: mark === '?',
    };
    fields.set(name, field);
    fields.set(
      name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
      field,
    );
  }
  return fields;
}
