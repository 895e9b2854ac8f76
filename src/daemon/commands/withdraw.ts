// SPDX-License-Identifier: MIT
/** `lvsd withdraw`: gives away what VRRP left on this machine when lvsd and its VRRP process were killed. */
import { EXIT } from '../../base/errors.ts';
import { printable } from '../../base/printable.ts';
import { count } from '../../base/words.ts';
import { withLock } from '../../control/listener.ts';
import { withdraw } from '../../vrrp/withdraw.ts';
import { lockNamespace } from '../namespace-lock.ts';
import { readSavedMessages, writeLastMessages } from '../state/vrrp-file.ts';

/**
 * Throws AlreadyRunningError while a daemon serves the socket, NamespaceTakenError while one with another socket runs in
 * this network namespace: its addresses must stay.
 */
export function withdrawVrrp({ socket, state }: { socket: string; state: string }): Promise<number> {
  return withLock(socket, async () => {
    const lock = lockNamespace(warn);
    try {
      return await withdrawAll(state);
    } finally {
      lock.close();
    }
  });
}

const warn = (text: string): void => void process.stderr.write(`lvsd: ${printable(text)}\n`);

async function withdrawAll(state: string): Promise<number> {
  const failures: string[] = [];
  const { messages, reason } = await readSavedMessages(state);
  if (reason !== undefined) failures.push(reason);
  const removed = await withdraw(messages, (text) => failures.push(text));
  if (messages.length > 0) {
    process.stdout.write(`sent ${count(messages.length, 'advert')} of priority 0\n`);
    await writeLastMessages(state, []);
  }
  if (removed > 0) process.stdout.write(`addresses of VRRP removed: ${removed}\n`);
  for (const text of failures) warn(text);
  return failures.length > 0 ? EXIT.RUNTIME : EXIT.OK;
}
