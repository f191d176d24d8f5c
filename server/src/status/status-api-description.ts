// SPDX-License-Identifier: Apache-2.0
//
// The status endpoints in OpenAPI 2, for tools that read such descriptions.

const TAG = 'StatusService';

export function statusApiDescription(version: string): object {
  return {
    swagger: '2.0',
    info: { title: 'Hearthscope status', version },
    consumes: ['application/json'],
    produces: ['application/json'],
    paths: {
      '/api/v1/status/buildinfo': {
        get: operation('GetBuildInfo', 'Which version runs.', 'application/json', {
          type: 'object',
          properties: {
            status: { type: 'string' },
            data: { type: 'object', properties: strings(BUILD_INFO_FIELDS) },
          },
        }),
      },
      '/api/v1/status/config': yamlPath('GetConfig', 'The configuration, with defaults.'),
      '/api/v1/status/config/diff': yamlPath('GetDiffConfig', 'What differs from the defaults.'),
      '/api/v1/status/config/default': yamlPath('GetDefaultConfig', 'The defaults.'),
    },
  };
}

const BUILD_INFO_FIELDS = ['version', 'revision', 'branch', 'buildUser', 'buildDate', 'goVersion'];

function yamlPath(id: string, summary: string): object {
  return { get: operation(id, summary, 'text/yaml', { type: 'string' }) };
}

function operation(id: string, summary: string, contentType: string, schema: object): object {
  return {
    operationId: `${TAG}_${id}`,
    summary,
    produces: [contentType],
    responses: { 200: { description: 'It is answered.', schema } },
    tags: [TAG],
  };
}

function strings(names: readonly string[]): object {
  return Object.fromEntries(names.map((name) => [name, { type: 'string' }]));
}
