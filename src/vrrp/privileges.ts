// SPDX-License-Identifier: MIT
/** Takes capabilities that VRRP does not need from its process, which reads what others send. */
import { isSystemError, native } from '../base/native.ts';

/** Bits of linux/capability.h: addresses, raw sockets, and the priority of threads that come later. */
const CAP_NET_ADMIN = 1 << 12;
const CAP_NET_RAW = 1 << 13;
const CAP_SYS_NICE = 1 << 23;

/** The last argument of a process that has been through it. */
const DONE = 'few-capabilities';

/**
 * Starts the program again, in the same process and with the same channel to the daemon, with only these capabilities.
 * Returns in the process that has them; or the reason why this one could not be started again.
 */
export function dropCapabilities(): string | undefined {
  if (process.argv.at(-1) === DONE) return undefined;
  const block = (strings: readonly string[]) => Buffer.from(strings.map((one) => `${one}\0`).join(''));
  const { channel } = process as { channel?: { fd?: number } };
  if (channel?.fd === undefined) return 'there is no channel to the daemon';
  const args = block([process.execPath, ...process.execArgv, ...process.argv.slice(1), DONE]);
  const variables = Object.entries({ ...process.env, NODE_CHANNEL_FD: String(channel.fd) });
  const environment = block(variables.map(([name, value]) => `${name}=${value}`));
  try {
    native().execute(process.execPath, args, environment, channel.fd, CAP_NET_ADMIN | CAP_NET_RAW | CAP_SYS_NICE);
    return undefined;
  } catch (error) {
    if (!isSystemError(error)) throw error;
    return error.message;
  }
}
