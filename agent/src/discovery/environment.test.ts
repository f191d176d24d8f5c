// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MAX_NAME_CHARACTERS, parseServiceEnvironment } from './environment.ts';

function environ(...variables: string[]): Buffer {
  return Buffer.from(variables.map((variable) => `${variable}\0`).join(''));
}

describe('parseServiceEnvironment', () => {
  it('finds the two variables wherever they are', () => {
    const found = parseServiceEnvironment(
      environ(
        'HOME=/root',
        'OTEL_SERVICE_NAME=checkout',
        'SECRET=x',
        'OTEL_RESOURCE_ATTRIBUTES=service.version=1.2',
      ),
    );
    assert.equal(found.serviceName, 'checkout');
    assert.deepEqual([...found.attributes], [['service.version', '1.2']]);
    assert.equal(found.malformed, false);
  });

  it('takes service.name of the attributes, unless OTEL_SERVICE_NAME is set', () => {
    const attributes = 'OTEL_RESOURCE_ATTRIBUTES=service.name=from-list';
    assert.equal(parseServiceEnvironment(environ(attributes)).serviceName, 'from-list');
    assert.equal(parseServiceEnvironment(environ(attributes, 'OTEL_SERVICE_NAME=own')).serviceName, 'own');
    assert.equal(parseServiceEnvironment(environ(attributes, 'OTEL_SERVICE_NAME=')).serviceName, 'from-list');
  });

  it('matches whole names only', () => {
    assert.equal(parseServiceEnvironment(environ('MY_OTEL_SERVICE_NAME=a')).serviceName, '');
    assert.equal(parseServiceEnvironment(environ('A=OTEL_SERVICE_NAME=a')).serviceName, '');
    assert.equal(parseServiceEnvironment(environ('OTEL_SERVICE_NAMES=a')).serviceName, '');
  });

  it('takes the first of two, as getenv does', () => {
    assert.equal(
      parseServiceEnvironment(environ('OTEL_SERVICE_NAME=first', 'OTEL_SERVICE_NAME=second')).serviceName,
      'first',
    );
  });

  it('decodes percent encoding of keys and values', () => {
    const found = parseServiceEnvironment(
      environ('OTEL_RESOURCE_ATTRIBUTES= service.name = a%2Cb%3Dc%20d ,k8s%2Epod.name=p%C3%A4'),
    );
    assert.equal(found.serviceName, 'a,b=c d');
    assert.deepEqual([...found.attributes], [['k8s.pod.name', 'pä']]);
  });

  it('discards a malformed list as a whole and says so', () => {
    for (const list of ['service.name=a,broken', '=a', 'service.name=%zz', 'service.name=%ff']) {
      const found = parseServiceEnvironment(environ(`OTEL_RESOURCE_ATTRIBUTES=${list}`));
      assert.deepEqual([found.serviceName, found.attributes.size, found.malformed], ['', 0, true], list);
    }
  });

  it('keeps bounded attributes only', () => {
    const list =
      'service.instance.id=7f,k8s.pod.uid=1,k8s.pod.name=p,password=x,container.id=c,container.name=n';
    const found = parseServiceEnvironment(environ(`OTEL_RESOURCE_ATTRIBUTES=${list}`));
    assert.deepEqual([...found.attributes.keys()], ['k8s.pod.name', 'container.name']);
  });

  it('does not take what is no name', () => {
    for (const name of [' ', 'a\nb', 'x'.repeat(MAX_NAME_CHARACTERS + 1)]) {
      assert.equal(parseServiceEnvironment(environ(`OTEL_SERVICE_NAME=${name}`)).serviceName, '');
    }
    const longest = 'x'.repeat(MAX_NAME_CHARACTERS);
    assert.equal(parseServiceEnvironment(environ(`OTEL_SERVICE_NAME=${longest}`)).serviceName, longest);
  });

  it('reads a cut environment', () => {
    assert.equal(parseServiceEnvironment(Buffer.from('A=1\0OTEL_SERVICE_NAME=cu')).serviceName, 'cu');
    assert.equal(parseServiceEnvironment(Buffer.alloc(0)).serviceName, '');
  });
});
