// SPDX-License-Identifier: Apache-2.0
//
// Starts the page.

import { render } from 'preact';
import { createAdhocFiles } from './api/adhoc.ts';
import { bytesFetch, connectCall } from './api/connect.ts';
import { createExports } from './api/exports.ts';
import { createQuerier } from './api/querier.ts';
import { App } from './app.tsx';
import './styles/tokens.css';
import './styles/controls.css';
import './styles/header.css';
import './styles/panels.css';
import './styles/flamegraph.css';
import './styles/top-table.css';
import './styles/comparison.css';

const call = connectCall(document.baseURI);
const querier = createQuerier(call);
render(
  <App
    sources={{ querier, files: createAdhocFiles(call) }}
    exports={createExports(querier, bytesFetch(document.baseURI))}
  />,
  document.getElementById('app')!,
);
