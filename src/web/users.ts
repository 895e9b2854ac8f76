// SPDX-License-Identifier: MIT
/**
 * HTTP Basic authentication. Hashes are slow on purpose: positive results are kept for a minute, few are computed at a time,
 * and an address with many failures has to wait.
 */
import { createHmac, randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { AF_INET6, parseAddress } from '../base/addresses.ts';
import { isPassword, NOBODY, type PasswordHash } from '../base/password.ts';
import type { Refusal } from './requests.ts';

/** Milliseconds for which a right password is not hashed again, and in which failures count. */
const KEPT = 60_000;
const MOST_KEPT = 1000;
const MOST_HASHES = 4;
const MOST_FAILURES = 10;
const MOST_ADDRESSES = 10_000;

const UNKNOWN: Refusal = {
  status: 401,
  text: 'a user and a password are needed\n',
  headers: { 'WWW-Authenticate': 'Basic realm="lvsd", charset="UTF-8"' },
};
const TOO_MANY: Refusal = { status: 429, text: 'too many failures\n', headers: { 'Retry-After': '60' } };
const BUSY: Refusal = { status: 503, text: 'too many passwords are being checked\n', headers: { 'Retry-After': '1' } };

export class Users {
  readonly #now: () => number;
  #users: ReadonlyMap<string, PasswordHash>;
  /** Under which passwords are kept: of this process. */
  readonly #key = randomBytes(32);
  /** Until when, by a MAC of name and password. */
  readonly #known = new Map<string, number>();
  /** By address, of IPv6 its first 64 bits, the oldest first. */
  readonly #failures = new Map<string, { since: number; count: number }>();
  #hashes = 0;

  constructor(users: ReadonlyMap<string, PasswordHash>, now: () => number = () => performance.now()) {
    this.#users = users;
    this.#now = now;
  }

  /** From now on only these. */
  replace(users: ReadonlyMap<string, PasswordHash>): void {
    this.#users = users;
    this.#known.clear();
  }

  /** Why the request is not answered; undefined: its user is known. */
  async refusal(request: Pick<IncomingMessage, 'headers' | 'socket'>): Promise<Refusal | undefined> {
    const [, given = ''] = /^basic ([a-z0-9+/]{1,2000}={0,2})$/i.exec(request.headers.authorization ?? '') ?? [];
    const decoded = Buffer.from(given, 'base64').toString('utf8');
    const colon = decoded.indexOf(':');
    if (colon < 0) return UNKNOWN;
    const now = this.#now();
    const mac = createHmac('sha256', this.#key).update(decoded).digest('base64');
    if ((this.#known.get(mac) ?? Number.NEGATIVE_INFINITY) > now) {
      this.#known.set(mac, now + KEPT);
      return undefined;
    }
    const address = networkOf(request.socket.remoteAddress ?? '');
    const failures = this.#failuresOf(address, now);
    if (failures.count >= MOST_FAILURES) return TOO_MANY;
    if (this.#hashes >= MOST_HASHES) return BUSY;
    const users = this.#users;
    const user = users.get(decoded.slice(0, colon));
    this.#hashes++;
    // Before the result is known: many requests at once are as many attempts.
    failures.count++;
    let right: boolean;
    try {
      right = (await isPassword(decoded.slice(colon + 1), user ?? NOBODY)) && user !== undefined;
    } finally {
      this.#hashes--;
    }
    if (!right || users !== this.#users) return UNKNOWN;
    failures.count--;
    if (this.#known.size >= MOST_KEPT) this.#known.clear();
    this.#known.set(mac, this.#now() + KEPT);
    return undefined;
  }

  #failuresOf(address: string, now: number): { since: number; count: number } {
    for (const [other, { since }] of this.#failures) {
      if (now - since < KEPT && this.#failures.size < MOST_ADDRESSES) break;
      this.#failures.delete(other);
    }
    let failures = this.#failures.get(address);
    if (!failures) {
      failures = { since: now, count: 0 };
      this.#failures.set(address, failures);
    }
    return failures;
  }
}

/** One host may have all addresses of an IPv6 network of 64 bits. */
function networkOf(address: string): string {
  const found = address.startsWith('::ffff:') ? undefined : parseAddress(address);
  return found?.family === AF_INET6 ? Buffer.from(found.bytes.subarray(0, 8)).toString('hex') : address;
}
