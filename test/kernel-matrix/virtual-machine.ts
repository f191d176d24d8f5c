// SPDX-License-Identifier: Apache-2.0
//
// One boot of a kernel in QEMU, without hardware help (TCG): what the guest prints on its serial console comes back.

import { spawn } from 'node:child_process';

export const QEMU = 'qemu-system-x86_64';

export interface Boot {
  readonly kernel: string;
  readonly initramfs: string;
  readonly memoryMegabytes: number;
  readonly timeoutMillis: number;
}

/** All that the guest printed until it switched itself off, or was ended for taking too long. */
export function boot(options: Boot): Promise<{ output: string; timedOut: boolean }> {
  const machine = spawn(
    QEMU,
    [
      ...['-accel', 'tcg,thread=multi'],
      ...['-cpu', 'max'],
      ...['-m', `${options.memoryMegabytes}`],
      ...['-smp', '2'],
      '-nographic',
      '-no-reboot',
      '-nodefaults',
      ...['-serial', 'stdio'],
      ...['-kernel', options.kernel],
      ...['-initrd', options.initramfs],
      ...['-append', 'console=ttyS0 panic=-1 quiet'],
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let output = '';
  for (const stream of [machine.stdout, machine.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk;
    });
  }
  const killAtExit = () => machine.kill('SIGKILL');
  process.once('exit', killAtExit);
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    machine.kill('SIGKILL');
  }, options.timeoutMillis);
  return new Promise((resolve, reject) => {
    machine.once('error', reject);
    machine.once('close', () => {
      clearTimeout(timer);
      process.off('exit', killAtExit);
      resolve({ output, timedOut });
    });
  });
}
