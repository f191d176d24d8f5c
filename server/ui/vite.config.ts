// SPDX-License-Identifier: Apache-2.0
//
// Builds the page into server/dist/ui, where the server finds it. The base is relative, so that the page works under
// any path a reverse proxy puts it at.

import { defaultClientConditions, defineConfig } from 'vite';

export default defineConfig({
  base: './',
  // `source` makes the build read the TypeScript of @hearthscope/profile, so that no build order is needed.
  resolve: { conditions: ['source', ...defaultClientConditions] },
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    outDir: '../dist/ui',
    emptyOutDir: true,
    target: 'es2023',
    // Every asset is a file, and nothing is inlined: a Content-Security-Policy of `default-src 'self'` holds.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
});
