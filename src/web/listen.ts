// SPDX-License-Identifier: MIT
/** `--listen` of `lvsd web`. Pure. */
import { UsageError } from '../base/errors.ts';
import { isLoopback, type Listen, readListen } from '../base/listen-address.ts';

export type { Listen } from '../base/listen-address.ts';

/** Throws UsageError. Only loopback addresses: TLS and users are set in the configuration. */
export function parseListen(text: string): Listen {
  const found = readListen(text);
  if (typeof found === 'string') throw new UsageError(`--listen: ${found}`);
  if (found.kind === 'tcp' && !isLoopback(found.host))
    throw new UsageError(
      `--listen: ${text} can be reached from other machines; allowed: loopback addresses. Others need web: with tls and users in the configuration (docs/web.md)`,
    );
  return found;
}
