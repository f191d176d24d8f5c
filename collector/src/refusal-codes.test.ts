// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { codeOfReason, isToldToClient } from './refusal-codes.ts';

test('what ends by itself may be tried again, all else is wrong with the profile', () => {
  for (const reason of ['rate_limited', 'ingest_limit_reached', 'series_limit']) {
    assert.equal(codeOfReason(reason), 'resource_exhausted');
  }
  for (const reason of ['malformed_profile', 'not_in_ingestion_window', 'anything']) {
    assert.equal(codeOfReason(reason), 'invalid_argument');
  }
});

test('what the operator wants left out is no error to the client', () => {
  assert.equal(isToldToClient('dropped_by_relabel_rules'), false);
  assert.equal(isToldToClient('dropped_by_sampling_rules'), false);
  assert.equal(isToldToClient('rate_limited'), true);
});
