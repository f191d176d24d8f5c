// SPDX-License-Identifier: Apache-2.0
//
// Recordings with the types of async-profiler and its Java agent, for tests that only care about stacks and events.

import {
  type RecordedChunk,
  type RecordedEvent,
  type RecordedField,
  type RecordedPool,
  type RecordedType,
  writeRecording,
} from './jfr-recording.ts';

const pooled = (name: string, type: string): RecordedField => ({ name, type, isPooled: true });
const plain = (name: string, type: string): RecordedField => ({ name, type });

const PRIMITIVES = [
  'boolean',
  'byte',
  'char',
  'short',
  'int',
  'long',
  'float',
  'double',
  'java.lang.String',
  'jdk.jfr.Timespan',
];

const CORRELATION = ['contextId', 'spanId', 'spanName', 'traceIdHi', 'traceIdLo'].map((name) =>
  plain(name, 'long'),
);

function event(name: string, ...fields: readonly RecordedField[]): RecordedType {
  return {
    name,
    fields: [
      plain('startTime', 'long'),
      pooled('eventThread', 'java.lang.Thread'),
      pooled('stackTrace', 'jdk.types.StackTrace'),
      ...fields,
      ...CORRELATION,
    ],
  };
}

const DURATION: RecordedField = { name: 'duration', type: 'long', timespanUnit: 'TICKS' };

export const PROFILER_TYPES: readonly RecordedType[] = [
  ...PRIMITIVES.map((name) => ({ name, fields: [] })),
  { name: 'java.lang.Thread', fields: [plain('osName', 'java.lang.String'), plain('osThreadId', 'long')] },
  {
    name: 'java.lang.Class',
    fields: [
      pooled('classLoader', 'java.lang.Class'),
      pooled('name', 'jdk.types.Symbol'),
      plain('modifiers', 'int'),
    ],
  },
  {
    name: 'jdk.types.Method',
    fields: [
      pooled('type', 'java.lang.Class'),
      pooled('name', 'jdk.types.Symbol'),
      plain('hidden', 'boolean'),
    ],
  },
  { name: 'jdk.types.Symbol', fields: [plain('string', 'java.lang.String')] },
  { name: 'jdk.types.ThreadState', fields: [plain('name', 'java.lang.String')] },
  { name: 'jdk.types.FrameType', fields: [plain('description', 'java.lang.String')] },
  {
    name: 'jdk.types.StackTrace',
    fields: [plain('truncated', 'boolean'), { name: 'frames', type: 'jdk.types.StackFrame', isArray: true }],
  },
  {
    name: 'jdk.types.StackFrame',
    fields: [
      pooled('method', 'jdk.types.Method'),
      plain('lineNumber', 'int'),
      plain('bytecodeIndex', 'int'),
      pooled('type', 'jdk.types.FrameType'),
    ],
  },
  event('jdk.ExecutionSample', pooled('state', 'jdk.types.ThreadState')),
  event('profiler.WallClockSample', pooled('state', 'jdk.types.ThreadState'), plain('samples', 'int')),
  event('jdk.ObjectAllocationInNewTLAB', plain('allocationSize', 'long'), plain('tlabSize', 'long')),
  event('jdk.ObjectAllocationOutsideTLAB', plain('allocationSize', 'long')),
  event('jdk.ObjectAllocationSample', plain('weight', 'long')),
  event('jdk.JavaMonitorEnter', DURATION),
  event('jdk.ThreadPark', DURATION),
  event('profiler.LiveObject', plain('allocationSize', 'long')),
  event('profiler.Malloc', plain('size', 'long')),
  {
    name: 'jdk.ActiveSetting',
    fields: [plain('id', 'long'), plain('name', 'java.lang.String'), plain('value', 'java.lang.String')],
  },
  { name: 'jdk.CPULoad', fields: [plain('jvmUser', 'float')] },
];

export const ThreadState = { runnable: 1, sleeping: 2, waiting: 3 } as const;

/** The pools for stacks written as `main;Class.method:7`, root first; the key of a stack is its place from 1. */
export function poolsOf(stacks: readonly string[]): RecordedPool[] {
  const symbols = new Map<string, number>();
  const symbol = (text: string): number => {
    if (!symbols.has(text)) symbols.set(text, symbols.size + 1);
    return symbols.get(text)!;
  };
  const classes = new Map<string, number>();
  const methods = new Map<string, { key: number; type: number; name: number }>();
  const traces = stacks.map((stack) => {
    const frames = stack.split(';').map((frame) => {
      const [, className, name, line = '0'] = /^(?:(.*)\.)?(.+?)(?::(\d+))?$/.exec(frame)!;
      const owner = className ?? '';
      if (!classes.has(owner)) classes.set(owner, classes.size + 1);
      const key = `${owner}.${name}`;
      if (!methods.has(key)) {
        methods.set(key, { key: methods.size + 1, type: classes.get(owner)!, name: symbol(name!) });
      }
      return { method: methods.get(key)!.key, lineNumber: Number(line), type: 1 };
    });
    return { truncated: false, frames: frames.reverse() };
  });
  const classEntries = [...classes].map(([name, key]) => [key, { name: symbol(name) }] as const);
  return [
    { type: 'jdk.types.StackTrace', entries: traces.map((trace, i) => [i + 1, trace] as const) },
    {
      type: 'jdk.types.Method',
      entries: [...methods.values()].map(({ key, type, name }) => [key, { type, name }] as const),
    },
    { type: 'java.lang.Class', entries: classEntries },
    {
      type: 'jdk.types.Symbol',
      entries: [...symbols].map(([text, key]) => [key, { string: text }] as const),
    },
    {
      type: 'jdk.types.ThreadState',
      entries: [
        [ThreadState.runnable, { name: 'STATE_RUNNABLE' }],
        [ThreadState.sleeping, { name: 'STATE_SLEEPING' }],
        [ThreadState.waiting, { name: 'STATE_IN_OBJECT_WAIT' }],
      ],
    },
    { type: 'jdk.types.FrameType', entries: [[1, { description: 'JIT compiled' }]] },
    { type: 'java.lang.Thread', entries: [[1, { osName: 'main', osThreadId: 7 }]] },
  ];
}

/** The setting that says what async-profiler samples. */
export function eventSetting(value: string): RecordedEvent {
  return { type: 'jdk.ActiveSetting', values: { id: 0, name: 'event', value } };
}

export function executionSample(stackTrace: number, values: RecordedEvent['values'] = {}): RecordedEvent {
  return { type: 'jdk.ExecutionSample', values: { stackTrace, state: ThreadState.runnable, ...values } };
}

export function profilerChunk(
  stacks: readonly string[],
  events: readonly RecordedEvent[],
  changes: Partial<RecordedChunk> = {},
): RecordedChunk {
  return { types: PROFILER_TYPES, checkpoints: [poolsOf(stacks)], events, ...changes };
}

export function profilerRecording(stacks: readonly string[], events: readonly RecordedEvent[]): Uint8Array {
  return writeRecording(profilerChunk(stacks, events));
}
