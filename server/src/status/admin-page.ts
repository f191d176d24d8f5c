// SPDX-License-Identifier: Apache-2.0
//
// The page that lists what an operator can ask. Links are relative, so that they work behind a prefix.

const DESCRIPTIONS: Readonly<Record<string, string>> = {
  '/': 'User interface',
  '/ready': 'Whether requests are taken',
  '/metrics': 'Metrics of this server',
  '/api/v1/status/buildinfo': 'Version',
  '/api/v1/status/config': 'Configuration, with defaults',
  '/api/v1/status/config/diff': 'Configuration that differs from the defaults',
  '/api/v1/status/config/default': 'Defaults of the configuration',
  '/api/swagger.json': 'OpenAPI description of the status endpoints',
  '/runtime_config': 'Limits of single tenants, in full',
  '/api/v1/tenant_limits': 'Write limits of the tenant that asks',
  '/debug/pprof/': 'Profiles of this server itself',
};

/** @param paths of status pages; those that have no description here are reached from another one */
export function adminPage(version: string, paths: readonly string[]): string {
  const shown = new Set(['/', '/ready', '/metrics', ...paths]);
  const items = Object.entries(DESCRIPTIONS)
    .filter(([path]) => shown.has(path))
    .map(([path, description]) => `<li><a href=".${path}">${description}</a> <code>${path}</code></li>`);
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Hearthscope: administration</title>
<h1>Hearthscope ${escaped(version)}</h1>
<ul>
${items.join('\n')}
</ul>
</html>
`;
}

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}
