// SPDX-License-Identifier: Apache-2.0
//
// DuckDB in memory, over immutable files: nothing is kept in it. It is locked down before the first query: it reads and
// writes below the given folders only, loads no extensions, and its settings cannot be changed any more.
//
// Statements run on threads of their own, results are typed arrays. Each running query holds one thread of libuv's pool,
// so there is a cap on how many run at a time.

import {
  BIGINT,
  DOUBLE,
  type DuckDBConnection,
  DuckDBDataChunk,
  DuckDBInstance,
  type DuckDBType,
  UBIGINT,
  UINTEGER,
  VARCHAR,
} from '@duckdb/node-api';
import { HearthscopeError, messageOf } from '@hearthscope/profile/errors';

export interface SqlEngineOptions {
  /** Beyond it DuckDB spills to the temporary folder, and fails where it cannot. */
  readonly memoryLimitBytes: number;
  readonly threads: number;
  /** Exists, and is nobody else's. */
  readonly temporaryDirectory: string;
  /** What else may be read and written. */
  readonly directories: readonly string[];
  /** Sessions at a time; others wait. */
  readonly maxSessions: number;
}

export type SqlParameter = string | number | bigint;

/** The columns of a result or of a table, by name. */
export interface ColumnTypes {
  readonly uinteger: Uint32Array;
  readonly bigint: BigInt64Array;
  readonly ubigint: BigUint64Array;
  readonly double: Float64Array;
  readonly varchar: string[];
}
export type ColumnType = keyof ColumnTypes;
export type Columns<Schema extends Readonly<Record<string, ColumnType>>> = {
  readonly [Name in keyof Schema]: ColumnTypes[Schema[Name]];
};

const DUCKDB_TYPES: Readonly<Record<ColumnType, DuckDBType>> = {
  uinteger: UINTEGER,
  bigint: BIGINT,
  ubigint: UBIGINT,
  double: DOUBLE,
  varchar: VARCHAR,
};

/** DuckDB's own size of a chunk. */
const CHUNK_ROWS = 2048;
/** Appending holds this thread; it is let go in between. */
const CHUNKS_PER_TURN = 8;

export class SqlEngine {
  readonly #instance: DuckDBInstance;
  readonly #maxSessions: number;
  #sessions = 0;
  readonly #waiting: (() => void)[] = [];

  private constructor(instance: DuckDBInstance, maxSessions: number) {
    this.#instance = instance;
    this.#maxSessions = maxSessions;
  }

  static async open(options: SqlEngineOptions): Promise<SqlEngine> {
    const instance = await DuckDBInstance.create(':memory:', {
      threads: String(options.threads),
      memory_limit: `${Math.max(1, Math.floor(options.memoryLimitBytes / 1_000_000))}MB`,
      temp_directory: options.temporaryDirectory,
    });
    const connection = await instance.connect();
    try {
      const directories = [options.temporaryDirectory, ...options.directories].map(quoted).join(', ');
      // These are accepted by a running instance only; the last one makes them final.
      for (const setting of [
        'autoinstall_known_extensions = false',
        'autoload_known_extensions = false',
        'allow_community_extensions = false',
        'preserve_insertion_order = false',
        `allowed_directories = [${directories}]`,
        'enable_external_access = false',
        'lock_configuration = true',
      ]) {
        await connection.run(`SET ${setting}`);
      }
    } finally {
      connection.closeSync();
    }
    return new SqlEngine(instance, options.maxSessions);
  }

  /** Runs `work` with a connection of its own, whose temporary tables end with it.
   * @throws HearthscopeError canceled or deadline_exceeded, as the signal's reason says; resource_exhausted when the memory
   * limit is too low; internal for what DuckDB refuses otherwise */
  async session<Result>(
    work: (session: SqlSession) => Promise<Result>,
    signal?: AbortSignal,
  ): Promise<Result> {
    await this.#enter(signal);
    let connection: DuckDBConnection | undefined;
    const interrupt = () => connection?.interrupt();
    signal?.addEventListener('abort', interrupt);
    try {
      connection = await this.#instance.connect();
      return await work(new SqlSession(connection, signal));
    } catch (error) {
      throw signal?.aborted ? reasonOf(signal) : sqlError(error);
    } finally {
      signal?.removeEventListener('abort', interrupt);
      connection?.closeSync();
      this.#leave();
    }
  }

  close(): void {
    this.#instance.closeSync();
  }

  async #enter(signal: AbortSignal | undefined): Promise<void> {
    if (this.#sessions >= this.#maxSessions) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    } else {
      this.#sessions++;
    }
    if (signal?.aborted) {
      this.#leave();
      throw reasonOf(signal);
    }
  }

  /** The place goes to the next one directly. */
  #leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#sessions--;
    else next();
  }
}

/** One connection, for one piece of work. */
export class SqlSession {
  readonly #connection: DuckDBConnection;
  readonly #signal: AbortSignal | undefined;

  constructor(connection: DuckDBConnection, signal: AbortSignal | undefined) {
    this.#connection = connection;
    this.#signal = signal;
  }

  async run(sql: string, parameters: readonly SqlParameter[] = []): Promise<void> {
    this.#check();
    await this.#connection.run(sql, [...parameters]);
  }

  /** @param schema the type that each column of the result has */
  async select<const Schema extends Readonly<Record<string, ColumnType>>>(
    sql: string,
    schema: Schema,
    parameters: readonly SqlParameter[] = [],
  ): Promise<{ readonly rows: number; readonly columns: Columns<Schema> }> {
    this.#check();
    const result = await this.#connection.run(sql, [...parameters]);
    const names = result.columnNames();
    const parts = new Map<string, unknown[]>(Object.keys(schema).map((name) => [name, []]));
    let rows = 0;
    for (;;) {
      const chunk = await result.fetchChunk();
      if (chunk === null || chunk.rowCount === 0) break;
      rows += chunk.rowCount;
      names.forEach((name, i) => {
        const type = schema[name];
        if (type === undefined) return;
        parts.get(name)!.push(type === 'varchar' ? chunk.getColumnValues(i) : itemsOf(chunk, i));
      });
    }
    const columns = Object.entries(schema).map(([name, type]) => [
      name,
      joined(parts.get(name)!, type, rows),
    ]);
    return { rows, columns: Object.fromEntries(columns) as Columns<Schema> };
  }

  /** Adds rows to a table whose columns are those of the schema, in their order. */
  async append<const Schema extends Readonly<Record<string, ColumnType>>>(
    table: string,
    schema: Schema,
    columns: Columns<Schema>,
  ): Promise<void> {
    const names = Object.keys(schema);
    const types = names.map((name) => DUCKDB_TYPES[schema[name]!]);
    const rows = columns[names[0]!]!.length;
    const appender = await this.#connection.createAppender(table);
    try {
      for (let from = 0; from < rows; from += CHUNK_ROWS) {
        if (from % (CHUNK_ROWS * CHUNKS_PER_TURN) === 0) {
          await new Promise<void>((resolve) => setImmediate(resolve));
          this.#check();
        }
        const to = Math.min(rows, from + CHUNK_ROWS);
        const chunk = DuckDBDataChunk.create(types, to - from);
        names.forEach((name, i) => {
          const column = columns[name]!;
          if (Array.isArray(column)) {
            chunk.setColumnValues(i, column.slice(from, to));
          } else {
            const vector = chunk.getColumnVector(i) as unknown as { items: TypedArray; flush(): void };
            vector.items.set(column.subarray(from, to) as never);
            vector.flush();
          }
        });
        appender.appendDataChunk(chunk);
      }
      appender.flushSync();
    } finally {
      appender.closeSync();
    }
  }

  #check(): void {
    if (this.#signal?.aborted) throw reasonOf(this.#signal);
  }
}

type TypedArray = Uint32Array | BigInt64Array | BigUint64Array | Float64Array;

/** A text as SQL writes it. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

function itemsOf(chunk: DuckDBDataChunk, column: number): TypedArray {
  const { items } = chunk.getColumnVector(column) as unknown as { items: TypedArray };
  return items.subarray(0, chunk.rowCount) as TypedArray;
}

function joined(parts: readonly unknown[], type: ColumnType, rows: number): unknown {
  if (type === 'varchar') return (parts as string[][]).flat();
  const all =
    type === 'uinteger'
      ? new Uint32Array(rows)
      : type === 'bigint'
        ? new BigInt64Array(rows)
        : type === 'ubigint'
          ? new BigUint64Array(rows)
          : new Float64Array(rows);
  let at = 0;
  for (const part of parts as TypedArray[]) {
    all.set(part as never, at);
    at += part.length;
  }
  return all;
}

function reasonOf(signal: AbortSignal): HearthscopeError {
  return signal.reason instanceof HearthscopeError
    ? signal.reason
    : new HearthscopeError('canceled', 'the request was cancelled by the client');
}

function sqlError(error: unknown): HearthscopeError {
  if (error instanceof HearthscopeError) return error;
  const message = messageOf(error);
  if (/Out of Memory/i.test(message)) {
    return new HearthscopeError(
      'resource_exhausted',
      `the query needs more memory than its limit: ${message}`,
      { cause: error },
    );
  }
  return new HearthscopeError('internal', `SQL: ${message}`, { cause: error });
}
