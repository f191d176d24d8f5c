// SPDX-License-Identifier: Apache-2.0
//
// The command line: which commands and options exist, what --help says, and how a mistake is answered. The flags of
// settings come from the configuration's schema; each command's code is loaded only when it runs.

import { suggestion } from '@hearthscope/profile/nearest';
import yargs, { type Argv, type Options } from 'yargs';
import { CONFIG_VARIABLE } from './config/configuration.ts';
import { defaultInWords } from './config/documentation.ts';
import { GO_FLAGS } from './config/load.ts';
import { splitGoFlags } from './config/pyroscope/go-flags.ts';
import type { Command } from './config/schema/setting-schema.ts';
import { settings } from './config/settings.ts';
import { ExitCode, UsageError } from './exit-codes.ts';
import { queryEpilogue, queryOptions, uploadOptions } from './query/options.ts';
import {
  deleteOptions,
  exportOptions,
  folderEpilogue,
  inspectOptions,
  verifyOptions,
} from './stored/options.ts';

export type Arguments = Readonly<Record<string, unknown>>;

interface CommandDescription {
  readonly usage: string;
  readonly summary: string;
  /** The command whose settings are flags here. */
  readonly settingsOf?: Command;
  readonly options?: Readonly<Record<string, Options>>;
  /** Commands whose name begins with this one's. */
  readonly subcommands?: Readonly<Record<string, CommandDescription>>;
  /** What stands behind the command, in words: as many as there may be. */
  readonly positionals?: readonly string[];
  readonly epilogue?: string;
  readonly run: (args: Arguments) => Promise<number>;
}

const text: Options = { type: 'string', requiresArg: true };

/** Tools for what a server has stored. */
const serverCommands: Readonly<Record<string, CommandDescription>> = {
  inspect: {
    usage: '$0 server inspect FOLDER [options]',
    summary: 'List what is stored: tenants, blocks, times, bytes',
    positionals: ['FOLDER'],
    options: inspectOptions,
    epilogue: folderEpilogue,
    run: async (args) => (await import('./commands/server-inspect.ts')).inspect(args),
  },
  verify: {
    usage: '$0 server verify FOLDER [options]',
    summary: 'Check every checksum and reference of what is stored',
    positionals: ['FOLDER'],
    options: verifyOptions,
    epilogue: `${folderEpilogue}\nEvery problem is a line on standard output; the exit code is 1 when there is any.`,
    run: async (args) => (await import('./commands/server-verify.ts')).verify(args),
  },
  export: {
    usage: '$0 server export FOLDER --output FILE [options]',
    summary: 'Write stored profiles as pprof or Parquet, for other tools',
    positionals: ['FOLDER'],
    options: exportOptions,
    epilogue: `${folderEpilogue}\nOnly what is in blocks is exported; \`hearthscope query pprof\` asks a running server for everything.`,
    run: async (args) => (await import('./commands/server-export.ts')).exportStored(args),
  },
  delete: {
    usage: '$0 server delete SERVICE [options]',
    summary: "Delete one service's profiles on a running server",
    positionals: ['SERVICE'],
    options: deleteOptions,
    epilogue: 'From the answer on no query sees them; the disk is freed within minutes.',
    run: async (args) => (await import('./commands/server-delete.ts')).deleteService(args),
  },
};

const commands: Readonly<Record<string, CommandDescription>> = {
  up: {
    usage: '$0 up [options]',
    summary: 'Profile this host and show it: agent, server and web page in one',
    settingsOf: 'up',
    epilogue: 'Runs until Ctrl-C. The agent needs root; the server becomes an unprivileged user.',
    run: async (args) => (await import('./commands/up.ts')).up(args),
  },
  server: {
    usage: '$0 server [options]',
    summary: 'Receive, store and query profiles, and serve the web page',
    settingsOf: 'server',
    subcommands: serverCommands,
    epilogue:
      "Pyroscope's flags work as well, in Go's spelling: `-config.file=FILE`, `-config.expand-env`,\n" +
      '`-server.http-listen-port=4040`, `-auth.multitenancy-enabled`, …; docs/configuration.md lists them.',
    run: async (args) => (await import('./commands/service.ts')).runServer(args),
  },
  collector: {
    usage: '$0 collector --forward-to URL [options]',
    summary: 'Receive and normalise profiles and send them on, storing nothing',
    settingsOf: 'collector',
    epilogue: 'A sender is answered when the receiver behind has answered.',
    run: async (args) => (await import('./commands/service.ts')).runCollector(args),
  },
  agent: {
    usage: '$0 agent --endpoint URL [options]',
    summary: 'Profile this host and export to a server over OTLP',
    settingsOf: 'agent',
    run: async (args) => (await import('./commands/service.ts')).runAgent(args),
  },
  record: {
    usage: '$0 record [options] [-- COMMAND ARGUMENTS...]',
    summary: 'Profile processes or a command into a file, without any server',
    settingsOf: 'record',
    options: {
      pid: { ...text, array: true, describe: 'Process to profile, with its descendants; may be repeated' },
      all: { type: 'boolean', describe: 'Profile every process of the host [default: no]' },
      duration: {
        ...text,
        describe: 'How long; the command is then sent SIGTERM [default: 10s, with a command: until it ends]',
      },
      frequency: { ...text, describe: 'Samples per second on each CPU, 1 to 999 [default: 99]' },
      output: {
        ...text,
        alias: 'o',
        describe: 'File to write: .pb.gz (pprof) or .folded (one line a stack) [default: hearthscope.pb.gz]',
      },
    },
    epilogue: 'The exit code is that of the command, and 0 when --duration ended it.',
    run: async (args) => (await import('./commands/record.ts')).record(args),
  },
  doctor: {
    usage: '$0 doctor [--json] [--pid P [--duration 5s]]',
    summary: 'Say whether the agent can run on this host, and what is missing',
    options: {
      json: { type: 'boolean', describe: 'Print JSON [default: a table]' },
      pid: {
        ...text,
        describe: 'Sample this process, with its descendants, and say how whole its stacks are',
      },
      duration: { ...text, describe: 'How long to sample it [default: 5s]' },
    },
    epilogue:
      'Exits with 0 only when the agent can run. With --pid: per binary, the share of samples whose stack reaches the\n' +
      "thread's start, and why the others ended before.",
    run: async (args) => (await import('./commands/doctor.ts')).doctor(args),
  },
  query: {
    usage: '$0 query KIND [options]',
    summary: 'Ask a running server: flamegraph, series, pprof, labels or diff',
    positionals: ['KIND'],
    options: queryOptions,
    epilogue: queryEpilogue,
    run: async (args) => (await import('./commands/query.ts')).query(args),
  },
  upload: {
    usage: '$0 upload FILE --service-name NAME [options]',
    summary: 'Send a pprof file to a running server',
    positionals: ['FILE'],
    options: uploadOptions,
    run: async (args) => (await import('./commands/upload.ts')).upload(args),
  },
  modules: {
    usage: '$0 modules',
    summary: 'Print what `-target` may name',
    run: async () => {
      process.stdout.write('all\n');
      return ExitCode.ok;
    },
  },
  version: {
    usage: '$0 version',
    summary: 'Print the version',
    run: async () => (await import('./commands/version.ts')).version(),
  },
};

/** Runs the command line and gives the exit code. Mistakes throw.
 * @throws UsageError and whatever the command throws */
export async function runCli(argv: readonly string[]): Promise<number> {
  let exitCode: number = ExitCode.ok;
  const { args: words, flags: goFlags } = splitGoFlags(argv, Object.keys(commands));
  const parser = yargs(words[0] === '--version' ? ['version'] : [...words])
    .scriptName('hearthscope')
    .usage('$0 <command> [options]\n\nAlways-on profiling for Linux hosts, without touching a program.')
    // Messages and help are English whatever the locale: they are documented and tested.
    .locale('en')
    .parserConfiguration({
      'camel-case-expansion': false,
      'dot-notation': false,
      'greedy-arrays': false,
      'parse-numbers': false,
      'parse-positional-numbers': false,
      'populate--': true,
    })
    .version(false)
    .help('help', 'Show this help')
    .wrap(Math.min(process.stdout.columns || 100, 110))
    .epilogue('`hearthscope <command> --help` explains the options of a command.')
    .exitProcess(false)
    .fail((message, error) => {
      // yargs' own complaints about arguments have this name; everything else is the command's.
      throw error === undefined || error.name === 'YError'
        ? new UsageError(message ?? error?.message)
        : error;
    })
    .command(
      '$0',
      false,
      (builder) => builder,
      (args) => {
        throw noCommand(args);
      },
    );
  const add = (parent: Argv, all: Readonly<Record<string, CommandDescription>>, before: string): void => {
    for (const [name, description] of Object.entries(all)) {
      const wholeName = `${before}${name}`;
      parent.command(
        name,
        description.summary,
        (builder) => {
          add(builder, description.subcommands ?? {}, `${wholeName} `);
          return commandOptions(builder, wholeName, description);
        },
        async (args) => {
          exitCode = await description.run({ ...args, [GO_FLAGS]: goFlags });
        },
      );
    }
  };
  add(parser, commands, '');
  await parser.parseAsync();
  return exitCode;
}

function noCommand(args: Arguments): UsageError {
  const word = (args._ as readonly unknown[])[0];
  const hint = 'run `hearthscope --help` to see the commands';
  if (word !== undefined) {
    return new UsageError(
      `unknown command ${word}${suggestion(String(word), Object.keys(commands))}; ${hint}`,
    );
  }
  const option = Object.keys(args).find((key) => !['_', '$0', '--', 'help'].includes(key));
  return new UsageError(
    option === undefined ? `no command; ${hint}` : `option --${option} without a command; ${hint}`,
  );
}

function commandOptions(builder: Argv, name: string, description: CommandDescription): Argv {
  const options: Record<string, Options> = { ...description.options };
  if (description.settingsOf !== undefined) {
    options.config = {
      ...text,
      describe: `Configuration file (variable ${CONFIG_VARIABLE}) [default: none]`,
    };
    for (const { flag, schema, commands: takenBy } of settings) {
      if (flag === undefined || !takenBy.includes(description.settingsOf)) continue;
      const types = [schema.type].flat();
      const choices = schema.enum === undefined ? '' : ` (${schema.enum.join(', ')})`;
      options[flag] = {
        ...(types.includes('boolean') ? { type: 'boolean' } : text),
        ...(types.includes('array') || types.includes('object') ? { array: true } : {}),
        describe: `${schema.description.replace(/\.$/, '')}${choices} [default: ${defaultInWords(schema).replaceAll('`', '')}]`,
      };
    }
  }
  return builder
    .usage(`${description.usage}\n\n${description.summary}.`)
    .options(ownOptions(options))
    .epilogue(description.epilogue ?? '')
    .check((args) => {
      refuseUnknown(args, name, options, description);
      return true;
    }, false);
}

/** Without those of the command that this one's name begins with. */
function ownOptions(options: Readonly<Record<string, Options>>): Record<string, Options> {
  return Object.fromEntries(
    Object.entries(options).map(([name, option]) => [name, { ...option, global: false }]),
  );
}

/** yargs' own strict mode names what is unknown, but not what was probably meant. */
function refuseUnknown(
  args: Arguments,
  command: string,
  options: Readonly<Record<string, Options>>,
  { positionals = [], subcommands = {} }: CommandDescription,
): void {
  const known = Object.keys(options);
  const aliases = Object.values(options).flatMap(({ alias }) => alias ?? []);
  for (const key of Object.keys(args)) {
    if (['_', '$0', '--', 'help', ...known, ...aliases].includes(key)) continue;
    const dashes = key.length === 1 ? '-' : '--';
    throw new UsageError(
      `unknown option ${dashes}${key}${suggestion(key, known, '--')}; run \`hearthscope ${command} --help\` to see the options`,
    );
  }
  const given = (args._ as readonly unknown[]).slice(command.split(' ').length);
  const missing = positionals[given.length];
  if (missing !== undefined) {
    throw new UsageError(`${missing} is missing; run \`hearthscope ${command} --help\` to see the options`);
  }
  const word = given[positionals.length];
  if (word !== undefined) {
    throw new UsageError(
      command === 'record'
        ? `unexpected argument ${word}; the command to run stands behind \`--\``
        : `unexpected argument ${word}${suggestion(String(word), Object.keys(subcommands))}`,
    );
  }
  if (command !== 'record' && (args['--'] as readonly unknown[] | undefined)?.length) {
    throw new UsageError(`\`${command}\` takes no arguments behind --`);
  }
}
