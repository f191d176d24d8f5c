// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { frameColour } from './colour.ts';
import { type FlameTree, treeArbitrary, treeMessage } from './flame-tree.test-support.ts';
import { FRAME_KINDS, type FrameKind, packageOf } from './frame-kind.ts';
import { isKernelEntry } from './kernel-entry.ts';
import { ancestry, layoutFlameGraph, nodeAtPath } from './layout.ts';

/** The kinds along one stack, outermost frame first. */
function kindsOf(...stack: string[]): FrameKind[] {
  const tree = stack.reduceRight<FlameTree | undefined>(
    (callee, name) => ({ name, self: 1, children: callee === undefined ? [] : [callee] }),
    undefined,
  );
  const layout = layoutFlameGraph(treeMessage({ name: 'total', self: 0, children: [tree!] }));
  const nodes = ancestry(layout, nodeAtPath(layout, stack)).slice(1);
  assert.equal(nodes.length, stack.length);
  return nodes.map((node) => FRAME_KINDS[layout.kind[node]!]!);
}

test('what runs below a kernel entry is the kernel, whatever its name', () => {
  assert.deepEqual(kindsOf('main', 'read', 'entry_SYSCALL_64_after_hwframe', 'do_syscall_64', 'vfs_read'), [
    'user',
    'user',
    'kernel',
    'kernel',
    'kernel',
  ]);
  assert.deepEqual(kindsOf('main', 'asm_exc_page_fault', 'memcpy'), ['user', 'kernel', 'kernel']);
  assert.deepEqual(kindsOf('ret_from_fork_asm', 'ret_from_fork', 'kthread', 'main'), [
    'kernel',
    'kernel',
    'kernel',
    'kernel',
  ]);
  assert.deepEqual(kindsOf('start', 'el0t_64_sync', 'el0_svc'), ['user', 'kernel', 'kernel']);
});

test('without an entry above it a function is of user code', () => {
  assert.deepEqual(kindsOf('main', 'vfs_read', 'memcpy'), ['user', 'user', 'user']);
});

test('a marked frame is the kernel, and so is what it calls', () => {
  assert.deepEqual(kindsOf('main', 'tcp_sendmsg_[k]', 'memcpy'), ['user', 'kernel', 'kernel']);
});

test('a frame without a symbol and what the server merged stay what they are, in the kernel too', () => {
  assert.deepEqual(kindsOf('[unknown]', 'libc.so.6+0x1f2a', 'other'), [
    'unresolved',
    'unresolved',
    'truncated',
  ]);
  assert.deepEqual(kindsOf('asm_exc_page_fault', '[nf_tables]+0xffffffffc0212345', 'memcpy', 'other'), [
    'kernel',
    'unresolved',
    'kernel',
    'truncated',
  ]);
  assert.deepEqual(kindsOf('main', '[kernel.kallsyms]+0xffffffff81000130', 'memcpy'), [
    'user',
    'unresolved',
    'kernel',
  ]);
});

test('in any tree a frame is the kernel if and only if an entry is on its path', () => {
  fc.assert(
    fc.property(treeArbitrary, (tree) => {
      const layout = layoutFlameGraph(treeMessage(tree));
      for (let node = 0; node < layout.length; node++) {
        const path = ancestry(layout, node).map((at) => layout.names[layout.name[at]!]!);
        const isKernel = path.some((name) => name.endsWith('_[k]') || isKernelEntry(name));
        assert.equal(FRAME_KINDS[layout.kind[node]!], isKernel ? 'kernel' : 'user');
      }
    }),
  );
});

test('a package is what languages make of it', () => {
  const cases = {
    'libcrypto.so.3+0x9be10': 'libcrypto.so.3',
    '[unknown]': '[unknown]',
    'net/http.(*conn).serve': 'net/http',
    'github.com/acme/gateway/auth.Verify': 'github.com/acme/gateway/auth',
    'runtime.mallocgc': 'runtime',
    'std::vector<json::Value>::push_back(json::Value&&)': 'std',
    '<alloc::vec::Vec<T> as core::ops::Drop>::drop': 'alloc',
    'java.util.HashMap.get': 'java.util.HashMap',
    _PyEval_EvalFrameDefault: 'PyEval',
    'tcp_sendmsg_[k]': 'tcp',
    __libc_send: 'libc',
    main: 'main',
    '': '',
  };
  for (const [name, expected] of Object.entries(cases)) assert.equal(packageOf(name), expected, name);
});

test('frames of a package share a colour, kernel and user frames never do', () => {
  assert.equal(frameColour('user', 'json::read', 'light'), frameColour('user', 'json::write', 'light'));
  assert.notEqual(frameColour('user', 'json::read', 'light'), frameColour('user', 'json::read', 'dark'));
  const hue = (kind: FrameKind, name: string) =>
    Number(/ (\d+)\)$/.exec(frameColour(kind, name, 'light'))![1]);
  for (let index = 0; index < 200; index++) {
    assert.ok(hue('user', `prefix${index}_f`) < 200);
    assert.ok(hue('kernel', `prefix${index}_f`) > 200);
  }
});
