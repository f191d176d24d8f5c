// SPDX-License-Identifier: Apache-2.0
//
// The genuine Java agent of Pyroscope: what it sends is kept and read, then it sends to a whole server, which is asked
// for the functions, labels and spans of the program.

import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { delimiter } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { normaliseIngestRequest } from '@hearthscope/collector/ingest/ingest-request';
import { readMultipartForm } from '@hearthscope/collector/ingest/multipart-form';
import { DEFAULT_TENANT_LIMITS } from '@hearthscope/collector/limits/tenant-limits';
import type { NormalisedProfile } from '@hearthscope/collector/normalised-profile';
import { profileText } from '@hearthscope/profile/codecs/jfr/testing/profile-text';
import { labelValue } from '@hearthscope/profile/labels';
import { type ClientProgram, startClientProgram } from '../../harness/client-program.ts';
import { eventually } from '../../harness/hearthscope.ts';
import { findFunction, startConformanceServer } from '../../harness/profiled-service.ts';
import { CPU_PROFILE_TYPE, flameGraph } from '../../harness/querier.ts';
import { temporaryDirectory } from '../../harness/temporary-directory.ts';
import { agentMissing, fetchAgent } from './java-agent.ts';
import { compileJava, javaMissing } from './java-tools.ts';
import { type SinkRequest, startRequestSink } from './request-sink.ts';

/** The program ends by itself then, whatever becomes of the test. */
const MAX_SECONDS = 120;
const UPLOAD_MILLIS = 60_000;
/** What the program does: see `programs/AgentWork.java`. */
const SPAN_ID = '0123456789abcdef';
const TRACE_ID = '00112233445566778899aabbccddeeff';
const METHODS = ['labelled', 'spanned', 'plain'] as const;

const AGENT_SETTINGS = {
  PYROSCOPE_APPLICATION_NAME: 'shop',
  PYROSCOPE_FORMAT: 'jfr',
  PYROSCOPE_UPLOAD_INTERVAL: '2s',
  PYROSCOPE_LABELS: 'region=eu',
};
/** A timer as the sampler's clock needs no perf events, which containers often forbid. */
const ASYNC_PROFILER = {
  PYROSCOPE_PROFILER_EVENT: 'itimer',
  PYROSCOPE_PROFILER_ALLOC: '64k',
  PYROSCOPE_PROFILER_LOCK: '1us',
};

function normalise({ url, contentType, body }: SinkRequest) {
  return normaliseIngestRequest(
    { query: new URL(url, 'http://sink').search.slice(1), contentType, body },
    { tenant: 'test', limits: DEFAULT_TENANT_LIMITS, now: Date.now, indexedAttributes: [] },
  );
}

describe('the Java agent', { skip: javaMissing() || agentMissing(), timeout: 600_000 }, () => {
  const directory = temporaryDirectory('java-agent');
  let agent: string | undefined;
  let classes = '';

  before(async () => {
    agent = await fetchAgent();
    if (agent !== undefined) classes = await compileJava('AgentWork', directory, agent);
  });
  after(() => rmSync(directory, { recursive: true, force: true }));

  /** Starts the program, or skips the test. */
  function start(
    test: TestContext,
    serverAddress: string,
    settings: Readonly<Record<string, string>>,
  ): ClientProgram | undefined {
    if (agent === undefined) {
      test.skip('SKIPPED: the Java agent could not be fetched from the package registry');
      return undefined;
    }
    const classPath = [classes, agent].join(delimiter);
    const parameters = [`-javaagent:${agent}`, '-cp', classPath, 'AgentWork', String(MAX_SECONDS)];
    return startClientProgram('java', parameters, {
      ...AGENT_SETTINGS,
      ...settings,
      PYROSCOPE_SERVER_ADDRESS: serverAddress,
    });
  }

  /** The first upload of an agent with these settings that has CPU time of all methods of the program, and what
   * becomes of it; undefined when there is no agent. The first of all may be from before the program has begun. */
  async function upload(test: TestContext, settings: Readonly<Record<string, string>>) {
    await using sink = await startRequestSink();
    using program = start(test, sink.baseUrl, settings);
    if (program === undefined) return undefined;
    let next = 0;
    return await eventually('an upload with all methods', UPLOAD_MILLIS, async () => {
      for (; next < sink.requests.length; next++) {
        const request = sink.requests[next]!;
        const { accepted, rejected } = await normalise(request);
        assert.deepEqual(rejected, []);
        /** The series of a profile type that a method of the program is in. */
        const seriesOf = (method: string, type: string) =>
          accepted.find(
            ({ labels, profile }) =>
              labelValue(labels, '__profile_type__') === type &&
              profileText(profile).some((line) => line.includes(`AgentWork.${method}:`)),
          );
        if (METHODS.every((method) => seriesOf(method, CPU_PROFILE_TYPE) !== undefined)) {
          return { request, accepted, seriesOf };
        }
      }
      return undefined;
    }).catch((error: unknown) => {
      throw new Error(`${error}\n${program.output()}`, { cause: error });
    });
  }

  function assertLabelled(
    seriesOf: (method: string, type: string) => NormalisedProfile | undefined,
    type: string,
  ) {
    const [labelled, spanned, plain] = METHODS.map((method) => {
      const found = seriesOf(method, type);
      assert.ok(found !== undefined, `${method} is not in ${type}`);
      return found;
    }) as [NormalisedProfile, NormalisedProfile, NormalisedProfile];
    assert.equal(labelValue(labelled.labels, 'step'), 'labelled');
    assert.equal(labelValue(plain.labels, 'step'), '');
    assert.equal(labelValue(spanned.labels, 'span_name'), 'checkout');
    assert.deepEqual(spanned.profile.links.slice(1), [{ traceId: TRACE_ID, spanId: SPAN_ID }]);
  }

  it('sends forms with a recording and its labels, which become labelled series with spans', async (test) => {
    const sent = await upload(test, ASYNC_PROFILER);
    if (sent === undefined) return;
    const { request, accepted, seriesOf } = sent;
    assert.equal(request.method, 'POST');
    const { pathname, searchParams } = new URL(request.url, 'http://sink');
    assert.equal(pathname, '/ingest');
    assert.equal(searchParams.get('format'), 'jfr');
    assert.equal(searchParams.get('spyName'), 'javaspy');
    assert.equal(searchParams.get('sampleRate'), '100');
    assert.match(searchParams.get('name')!, /^shop\{.*region=eu/);
    const form = await readMultipartForm(request.body, request.contentType);
    assert.deepEqual([...form.keys()].sort(), ['jfr', 'labels']);
    assert.equal(gunzipSync(form.get('jfr')!).subarray(0, 4).toString('latin1'), 'FLR\0');

    for (const { labels } of accepted) {
      assert.equal(labelValue(labels, 'service_name'), 'shop');
      assert.equal(labelValue(labels, 'region'), 'eu');
      assert.equal(labelValue(labels, 'pyroscope_spy'), 'javaspy');
      assert.equal(labelValue(labels, 'jfr_event'), 'itimer');
    }
    assertLabelled(seriesOf, CPU_PROFILE_TYPE);
    assert.ok(seriesOf('main', 'memory:alloc_in_new_tlab_bytes:bytes:space:bytes') !== undefined);
  });

  it('sends samples of the wall clock and live objects', async (test) => {
    const settings = { ...ASYNC_PROFILER, PYROSCOPE_PROFILER_EVENT: 'wall', PYROSCOPE_ALLOC_LIVE: 'true' };
    const sent = await upload(test, settings);
    if (sent === undefined) return;
    assertLabelled(sent.seriesOf, 'wall:wall:nanoseconds:wall:nanoseconds');
    assertLabelled(sent.seriesOf, CPU_PROFILE_TYPE);
    assert.ok(sent.seriesOf('main', 'memory:live:count:objects:count') !== undefined);
  });

  it("sends recordings of the JDK's own recorder", async (test) => {
    const settings = { PYROSCOPE_PROFILER_TYPE: 'JFR', PYROSCOPE_PROFILER_EVENT: 'cpu' };
    const sent = await upload(test, settings);
    if (sent === undefined) return;
    for (const { labels } of sent.accepted) {
      assert.equal(labelValue(labels, 'service_name'), 'shop');
      assert.equal(labelValue(labels, 'jfr_event'), '');
    }
  });

  it('sends to the server, which finds its functions by label and by span', async (test) => {
    await using server = await startConformanceServer();
    using program = start(test, server.url, ASYNC_PROFILER);
    if (program === undefined) return;

    const find = (functionName: string, labels: string, spanId?: string, profileTypeID = CPU_PROFILE_TYPE) =>
      findFunction(
        server.url,
        {
          labelSelector: `{service_name="shop"${labels}}`,
          profileTypeID,
          functionName,
          ...(spanId !== undefined && { spanId }),
        },
        program.output,
      );
    /** Those of the program's methods that a selection has. */
    const methodsOf = async (labels: string, spanSelector: string[] = []) => {
      const nodes = await flameGraph(server.url, `{service_name="shop"${labels}}`, { spanSelector });
      return METHODS.filter((method) => nodes.some(({ name }) => name === `AgentWork.${method}`));
    };
    for (const method of METHODS) await find(`AgentWork.${method}`, ', region="eu"');
    await find('AgentWork.labelled', ', step="labelled"');
    assert.deepEqual(await methodsOf(', step="labelled"'), ['labelled']);
    await find('AgentWork.spanned', ', span_name="checkout"', SPAN_ID);
    assert.deepEqual(await methodsOf(', span_name="checkout"'), ['spanned']);
    assert.deepEqual(await methodsOf('', [SPAN_ID]), ['spanned']);
    await find('AgentWork.main', '', undefined, 'memory:alloc_in_new_tlab_bytes:bytes:space:bytes');
    assert.deepEqual(new Set(await methodsOf('')), new Set(METHODS));
  });
});
