// SPDX-License-Identifier: Apache-2.0
//
// The files that `hearthscope record` writes, read by programs that are not ours: protobufjs with the published schema of
// pprof, and `go tool pprof` where it is installed.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import protobuf from 'protobufjs';
import { startHearthscope } from '../harness/hearthscope.ts';
import { agentCannotRun, compileProgram } from '../harness/programs.ts';
import { temporaryDirectory } from '../harness/temporary-directory.ts';

const { load } = protobuf;
const schema = fileURLToPath(new URL('../../profile/proto/pprof.proto', import.meta.url));
const noGo =
  spawnSync('go', ['version']).status === 0 ? false : 'SKIPPED: no Go toolchain, so no `go tool pprof`';

interface PprofProfile {
  readonly stringTable: string[];
  readonly sampleType: { type: number; unit: number }[];
  readonly sample: { locationId: number[]; value: number[] }[];
  readonly location: { id: number; line: { functionId: number }[] }[];
  readonly function: { id: number; name: number }[];
}

describe('hearthscope record', { skip: agentCannotRun() }, () => {
  const directory = temporaryDirectory('record');
  let program: string;
  let pprofFile: string;

  before(async () => {
    program = compileProgram(directory, 'split');
    pprofFile = join(directory, 'split.pb.gz');
    const record = startHearthscope([
      'record',
      `--output=${pprofFile}`,
      '--duration=30s',
      '--',
      program,
      '4',
    ]);
    assert.equal(await record.exit, 0, record.output());
  });

  after(() => rmSync(directory, { recursive: true, force: true }));

  it('writes pprof that a generic protobuf reader understands', async () => {
    const root = await load(schema);
    const type = root.lookupType('Profile');
    const decoded = type.decode(gunzipSync(readFileSync(pprofFile)));
    const profile = type.toObject(decoded, { longs: Number, defaults: true }) as PprofProfile;
    const nameOf = new Map(profile.function.map(({ id, name }) => [id, profile.stringTable[name]]));
    const namesAt = new Map(
      profile.location.map(({ id, line }) => [id, line.map((l) => nameOf.get(l.functionId))]),
    );
    const cpu = profile.sampleType.findIndex(({ type: name }) => profile.stringTable[name] === 'cpu');
    let all = 0;
    let seventy = 0;
    for (const { locationId, value } of profile.sample) {
      const names = locationId.flatMap((id) => namesAt.get(id));
      all += value[cpu]!;
      if (names.includes('spend_seventy')) seventy += value[cpu]!;
    }
    // 4 s at 99 Hz are about 400 samples: one standard deviation of the share is 2.3 points.
    assert.ok(Math.abs(seventy / all - 0.7) < 0.09, `${((100 * seventy) / all).toFixed(1)} %`);
    assert.ok(Math.abs(all / 4e9 - 1) < 0.15, `${all / 1e9} s of CPU recorded, 4 s spent`);
  });

  it('writes pprof that `go tool pprof` understands', { skip: noGo }, () => {
    const top = execFileSync('go', ['tool', 'pprof', '-top', '-sample_index=cpu', pprofFile], {
      encoding: 'utf8',
    });
    assert.match(top, /Type: cpu/);
    assert.match(top, /spend_seventy/);
  });

  it('writes collapsed stacks, root first', async () => {
    const folded = join(directory, 'split.folded');
    const record = startHearthscope(['record', `--output=${folded}`, '--frequency=199', '--', program, '2']);
    assert.equal(await record.exit, 0, record.output());
    const lines = readFileSync(folded, 'utf8').trim().split('\n');
    assert.ok(lines.every((line) => /^.+ \d+$/.test(line)));
    assert.ok(
      lines.some((line) => /main;spend_seventy/.test(line)),
      lines.slice(0, 5).join('\n'),
    );
  });

  it('passes the exit code of the command on', async () => {
    const record = startHearthscope([
      'record',
      `--output=${join(directory, 'x.folded')}`,
      '--',
      'sh',
      '-c',
      'exit 37',
    ]);
    assert.equal(await record.exit, 37, record.output());
  });

  it('follows descendants', async () => {
    const folded = join(directory, 'descendants.folded');
    const script = `sh -c '${program} 1 >/dev/null; true'; true`;
    const record = startHearthscope(['record', `--output=${folded}`, '--', 'sh', '-c', script]);
    assert.equal(await record.exit, 0, record.output());
    assert.match(readFileSync(folded, 'utf8'), /main;spend_seventy/);
  });
});
