// SPDX-License-Identifier: MIT
/** Leaves the role of a VRRP process that died: its adverts of priority 0, then its addresses. */
import { Addresses } from '../net/index.ts';
import { AdvertSocket } from './advert-socket.ts';
import { addressBytes } from './configuration.ts';
import type { LastMessage } from './messages.ts';
import { Placement, PROTOCOL } from './placement.ts';

/** Resolves with the number of addresses that were removed. Errors go to `failed`. */
export async function withdraw(messages: readonly LastMessage[], failed: (text: string) => void): Promise<number> {
  const addresses = new Addresses({ protocol: PROTOCOL });
  try {
    for (const message of messages) sendOnce(message, failed);
    return await new Placement(addresses, failed).withdrawAll();
  } catch (error) {
    failed((error as Error).message);
    return 0;
  } finally {
    addresses.close();
  }
}

function sendOnce(last: LastMessage, failed: (text: string) => void): void {
  let socket: AdvertSocket | undefined;
  try {
    socket = new AdvertSocket(last.family, { name: last.device, index: last.index }, () => {});
    const message = Buffer.from(last.message, 'base64');
    socket.send(message, addressBytes(last.source), addressBytes(last.destination));
  } catch (error) {
    failed(`advert of priority 0 on ${last.device}: ${(error as Error).message}`);
  } finally {
    socket?.close();
  }
}
