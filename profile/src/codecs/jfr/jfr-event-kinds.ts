// SPDX-License-Identifier: Apache-2.0
//
// Which events become samples of which profiles. The names of profiles, sample types and periods are those that
// Pyroscope gives to recordings of async-profiler and of the JDK, so that its dashboards find them.

import type { ValueType } from '../../profile-type.ts';
import { STACK_TRACE_TYPE, THREAD_STATE_TYPE } from './jfr-constant-pools.ts';
import { StepKind, type WantedField } from './jfr-layout.ts';

/** One of the profiles that a recording can hold. */
export interface JfrProfileKind {
  /** The `__name__` of its series. */
  readonly name: string;
  readonly sampleTypes: readonly ValueType[];
  readonly periodType: ValueType;
  /** The one value is the count of events times the sampling period. Otherwise: the count of events, then the sum of
   * their amounts when there is a second sample type. */
  readonly isSampled: boolean;
}

const SPACE: ValueType = { type: 'space', unit: 'bytes' };

function sampled(name: string, type: string): JfrProfileKind {
  const valueType = { type, unit: 'nanoseconds' };
  return { name, sampleTypes: [valueType], periodType: valueType, isSampled: true };
}

function allocations(prefix: string, periodType: ValueType): JfrProfileKind {
  const sampleTypes = [
    { type: `${prefix}_objects`, unit: 'count' },
    { type: `${prefix}_bytes`, unit: 'bytes' },
  ];
  return { name: 'memory', sampleTypes, periodType, isSampled: false };
}

function contentions(name: string): JfrProfileKind {
  const sampleTypes = [
    { type: 'contentions', unit: 'count' },
    { type: 'delay', unit: 'nanoseconds' },
  ];
  return { name, sampleTypes, periodType: { type: name, unit: 'count' }, isSampled: false };
}

export const CPU: JfrProfileKind = sampled('process_cpu', 'cpu');
export const WALL: JfrProfileKind = sampled('wall', 'wall');

/** All kinds; their indexes are what a recording's samples are keyed by. */
export const PROFILE_KINDS: readonly JfrProfileKind[] = [
  CPU,
  WALL,
  allocations('alloc_in_new_tlab', SPACE),
  allocations('alloc_outside_tlab', SPACE),
  allocations('alloc_sample', SPACE),
  contentions('mutex'),
  contentions('block'),
  {
    name: 'memory',
    sampleTypes: [{ type: 'live', unit: 'count' }],
    periodType: { type: 'objects', unit: 'count' },
    isSampled: false,
  },
  allocations('malloc', { type: '', unit: '' }),
];

/** How an event type is counted. */
export interface JfrEventKind {
  /** Index into {@link PROFILE_KINDS}; of the thread's state depends what an execution or wall clock sample counts as. */
  readonly profile: number | 'execution' | 'wallClock';
  /** The field with the amount, undefined for events that only count. */
  readonly amount?: string;
}

export const EVENT_KINDS: ReadonlyMap<string, JfrEventKind> = new Map<string, JfrEventKind>([
  ['jdk.ExecutionSample', { profile: 'execution' }],
  ['profiler.WallClockSample', { profile: 'wallClock', amount: 'samples' }],
  ['jdk.ObjectAllocationInNewTLAB', { profile: 2, amount: 'tlabSize' }],
  ['jdk.ObjectAllocationOutsideTLAB', { profile: 3, amount: 'allocationSize' }],
  ['jdk.ObjectAllocationSample', { profile: 4, amount: 'weight' }],
  ['jdk.JavaMonitorEnter', { profile: 5, amount: 'duration' }],
  ['jdk.ThreadPark', { profile: 6, amount: 'duration' }],
  ['profiler.LiveObject', { profile: 7 }],
  ['profiler.Malloc', { profile: 8, amount: 'size' }],
]);

/** Slots of an event, in the order of {@link eventFields}. */
export const EventSlot = { stackTrace: 0, state: 1, amount: 2, correlation: 3 } as const;

/** What a sample belongs to: a context of the labels, a span with its name and its trace. Fields of async-profiler as
 * extended by the Java agent; each of them may be missing. */
export const CORRELATION_FIELDS: readonly string[] = [
  'contextId',
  'spanId',
  'spanName',
  'traceIdHi',
  'traceIdLo',
];

export const EVENT_SLOTS: number = EventSlot.correlation + CORRELATION_FIELDS.length;

export function eventFields({ amount = '' }: JfrEventKind): WantedField[] {
  return [
    { name: 'stackTrace', kind: StepKind.integer, pool: STACK_TRACE_TYPE },
    { name: 'state', kind: StepKind.integer, pool: THREAD_STATE_TYPE },
    { name: amount, kind: StepKind.integer },
    ...CORRELATION_FIELDS.map((name): WantedField => ({ name, kind: StepKind.integer })),
  ];
}

/** The event in which async-profiler notes its settings; the JDK has it too, with other names. */
export const ACTIVE_SETTING = 'jdk.ActiveSetting';
export const SettingSlot = { name: 0, value: 1 } as const;
export const SETTING_FIELDS: readonly WantedField[] = [
  { name: 'name', kind: StepKind.string },
  { name: 'value', kind: StepKind.string },
];
/** The setting that says what is sampled: `cpu`, `itimer`, `wall`, … */
export const EVENT_SETTING = 'event';

const NANOS_PER_SECOND = 1e9;

/** What to multiply an amount with to have it in the unit of its sample type. */
export function amountScale(timespanUnit: string, ticksPerSecond: number): number {
  switch (timespanUnit) {
    case 'TICKS':
      return NANOS_PER_SECOND / ticksPerSecond;
    case 'MICROSECONDS':
      return 1e3;
    case 'MILLISECONDS':
      return 1e6;
    case 'SECONDS':
      return NANOS_PER_SECOND;
    default:
      return 1;
  }
}
