// SPDX-License-Identifier: Apache-2.0
//
// What the storage needs of a logger: a pino logger will do, and so will one that sends lines to another thread.

export interface Log {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}
