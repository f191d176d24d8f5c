// SPDX-License-Identifier: Apache-2.0
//
// The one place that decides what a log line looks like. Lines go to standard error, synchronously, so that the last
// words of a dying process are not lost and standard output stays free for results.

import { writeSync } from 'node:fs';
import { type DestinationStream, destination, type Logger, pino } from 'pino';
import type { LogFormat, LogLevel } from './config/configuration-types.ts';

const STDERR = 2;

/** Keys whose values are never printed, wherever an object that is logged has them. */
const SECRET_KEYS = ['headers', 'authorization', 'password', 'secret', 'token'];

export interface LoggerOptions {
  readonly level: LogLevel;
  readonly format: LogFormat;
  /** Which part of the program speaks, e.g. `agent`; left out when there is only one. */
  readonly component?: string;
}

/** A logger of this process. */
export function createLogger(options: LoggerOptions): Logger {
  return loggerTo(
    options.format === 'json' ? destination({ dest: STDERR, sync: true }) : textStream(),
    options,
  );
}

/** The same for any stream of JSON lines; tests look at what is written. */
export function loggerTo(stream: DestinationStream, { level, component }: LoggerOptions): Logger {
  return pino(
    {
      level,
      base: component === undefined ? {} : { component },
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: SECRET_KEYS.flatMap((key) => [key, `*.${key}`]), censor: '[secret]' },
    },
    stream,
  );
}

function textStream(): DestinationStream {
  const colours = process.stderr.isTTY && !process.env.NO_COLOR;
  return { write: (line) => writeAll(formatText(line, colours)) };
}

/** A terminal or pipe in non-blocking mode answers EAGAIN when it is full; a reader that has gone away, EPIPE. */
function writeAll(text: string): void {
  const bytes = Buffer.from(text);
  for (let offset = 0; offset < bytes.length; ) {
    try {
      offset += writeSync(STDERR, bytes, offset);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EAGAIN') Atomics.wait(pause, 0, 0, 1);
      else return;
    }
  }
}

const pause = new Int32Array(new SharedArrayBuffer(4));

const COLOUR_BY_LEVEL: Readonly<Record<string, string>> = {
  trace: '\x1b[90m',
  debug: '\x1b[90m',
  info: '\x1b[32m',
  warn: '\x1b[33m',
  error: '\x1b[31m',
  fatal: '\x1b[31m',
};
const RESET = '\x1b[0m';

/** One JSON line as `time level component: message key=value …`; a stack trace follows on lines of its own. */
export function formatText(line: string, colours: boolean): string {
  const { time, level, component, msg, err, ...rest } = JSON.parse(line) as Record<string, unknown>;
  const shownLevel = String(level).padEnd(5);
  const coloured = colours ? `${COLOUR_BY_LEVEL[String(level)] ?? ''}${shownLevel}${RESET}` : shownLevel;
  const parts = [String(time), coloured];
  if (component !== undefined) parts.push(`${component}:`);
  if (msg !== undefined) parts.push(singleLine(String(msg)));
  for (const [key, value] of Object.entries(rest)) parts.push(`${key}=${printable(value)}`);
  const { message, stack } = (err ?? {}) as { message?: string; stack?: string };
  if (message !== undefined && message !== msg) parts.push(`error=${printable(message)}`);
  return `${parts.join(' ')}\n${stack === undefined ? '' : `${stack}\n`}`;
}

function printable(value: unknown): string {
  if (typeof value !== 'string') return JSON.stringify(value) ?? 'undefined';
  return /^[^\s"=\p{C}]+$/u.test(value) ? value : JSON.stringify(value);
}

/** Names of processes and services are foreign text: they must not move the terminal's cursor or forge a line. */
function singleLine(text: string): string {
  return text.replace(/\p{Cc}/gu, (character) => JSON.stringify(character).slice(1, -1));
}
