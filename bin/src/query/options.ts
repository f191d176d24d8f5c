// SPDX-License-Identifier: Apache-2.0
//
// The options of the commands that speak to a running server.

import type { Options } from 'yargs';

const text: Options = { type: 'string', requiresArg: true };

/** Whom to ask, and as whom. */
export const connectionOptions: Readonly<Record<string, Options>> = {
  url: {
    ...text,
    describe: 'Base URL of the server (variable HEARTHSCOPE_URL) [default: http://localhost:4040]',
  },
  tenant: {
    ...text,
    describe: 'Tenant, sent as X-Scope-OrgID; a query may name several, a|b [default: none]',
  },
  user: {
    ...text,
    describe: 'NAME:PASSWORD for basic authentication (variable HEARTHSCOPE_BASIC_AUTH) [default: none]',
  },
  token: { ...text, describe: 'Bearer token (variable HEARTHSCOPE_TOKEN) [default: none]' },
  timeout: { ...text, describe: 'How long an answer may take [default: 30s]' },
};

const output: Options = { ...text, alias: 'o', describe: 'File to write [default: standard output]' };

export const queryOptions: Readonly<Record<string, Options>> = {
  query: { ...text, alias: 'q', describe: 'Whose profiles: \'{service="a"}\', see below [default: {}]' },
  type: { ...text, describe: 'Profile type: `cpu`, `inuse_space`, … or all five parts [default: cpu]' },
  from: { ...text, describe: 'Begin: now-1h, seconds or milliseconds since 1970 [default: now-1h]' },
  until: { ...text, describe: 'End, as --from [default: now]' },
  format: {
    ...text,
    describe:
      'flamegraph: tree, collapsed, json, dot, table. diff: table, json. series: chart, table, json. labels: table, json [default: the first]',
  },
  'max-nodes': { ...text, describe: 'Nodes of a flame graph [default: what the server gives]' },
  step: { ...text, describe: 'Time between the points of a series [default: a sixtieth of the range]' },
  'group-by': {
    ...text,
    array: true,
    describe: 'Label whose values are series of their own; may be repeated [default: none]',
  },
  label: { ...text, describe: 'labels: print the values of this label [default: the names of all]' },
  output,
  ...connectionOptions,
};

export const queryEpilogue = `KIND is one of
  flamegraph  where the time or memory goes
  series      how much there was over time
  pprof       the merged profile as a pprof file, for other tools
  labels      what can be selected by
  diff        two selections beside each other

A query is a label selector, {service_name="api", env=~"prod.*"}. The type may stand in it, {service="api"}{type="cpu"},
and two are compared by "vs": {service="api"} vs {service="api", offset=7d}. For a server whose certificate is your
own, the variable NODE_EXTRA_CA_CERTS names its authority.`;

export const uploadOptions: Readonly<Record<string, Options>> = {
  'service-name': {
    ...text,
    describe: 'Service that the profile is of; required unless among the labels [default: none]',
  },
  label: { ...text, array: true, describe: 'Further label, NAME=VALUE; may be repeated [default: none]' },
  ...connectionOptions,
};
