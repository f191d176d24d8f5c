// SPDX-License-Identifier: Apache-2.0
//
// Starts the page.

import { render } from 'preact';
import { connectCall } from './api/connect.ts';
import { createQuerier } from './api/querier.ts';
import { App } from './app.tsx';
import './styles/tokens.css';
import './styles/controls.css';
import './styles/header.css';
import './styles/panels.css';
import './styles/flamegraph.css';
import './styles/top-table.css';

render(<App querier={createQuerier(connectCall(document.baseURI))} />, document.getElementById('app')!);
