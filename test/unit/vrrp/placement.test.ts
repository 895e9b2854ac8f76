// SPDX-License-Identifier: MIT
// Addresses follow the latest wanted state; changes that are outdated are not made.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Addresses } from '../../../src/net/index.ts';
import { Placement } from '../../../src/vrrp/placement.ts';

/** A kernel whose changes end when the test says so. */
class SlowKernel {
  readonly made: string[] = [];
  readonly has = new Set<string>();
  #ends: (() => void)[] = [];

  #change(sign: string, { address }: { address: Uint8Array }): Promise<void> {
    const text = address.join('.');
    this.made.push(`${sign}${text}`);
    if (sign === '+') this.has.add(text);
    else this.has.delete(text);
    return new Promise((resolve) => this.#ends.push(resolve));
  }

  add = (one: { address: Uint8Array }) => this.#change('+', one);
  delete = (one: { address: Uint8Array }) => this.#change('-', one);

  async end(): Promise<void> {
    const ends = this.#ends;
    this.#ends = [];
    for (const end of ends) end();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const list = (count: number, first = 0) =>
  Array.from({ length: count }, (_, i) => ({ address: `10.0.${(first + i) >> 8}.${(first + i) & 255}`, prefix: 32 }));

function start() {
  const kernel = new SlowKernel();
  const placement = new Placement(kernel as unknown as Addresses, (text) => assert.fail(text));
  return { kernel, placement };
}

test('a router that changes its role 1,000 times while one change is made makes one more change', async () => {
  const { kernel, placement } = start();
  const addresses = list(3);
  void placement.place(addresses, 'eth0');
  for (let i = 0; i < 1000; i++) {
    void placement.withdraw(addresses, 'eth0');
    void placement.place(addresses, 'eth0');
  }
  void placement.withdraw(addresses, 'eth0');
  let settled = false;
  void placement.settled().then(() => {
    settled = true;
  });
  await kernel.end();
  assert.equal(settled, false);
  await kernel.end();
  assert.ok(settled);
  assert.deepEqual(kernel.made, [...list(3).map(sign('+')), ...list(3).map(sign('-'))]);
});

const sign = (text: string) => (one: { address: string }) => `${text}${one.address}`;

test('a change that is wanted no more does not wait for thousands of addresses', async () => {
  const { kernel, placement } = start();
  void placement.place(list(4000), 'eth0');
  assert.ok(kernel.made.length < 500, `${kernel.made.length}`);
  const done = placement.withdraw(list(4000), 'eth0');
  let over = false;
  void done.then(() => {
    over = true;
  });
  for (let i = 0; i < 100 && !over; i++) await kernel.end();
  assert.ok(over);
  assert.equal(kernel.has.size, 0);
  assert.ok(kernel.made.filter((text) => text.startsWith('+')).length < 500);
});

test('an empty list waits for what was asked for before, not for what comes later', async () => {
  const { kernel, placement } = start();
  void placement.place(list(1), 'eth0');
  void placement.place(list(256, 10), 'eth0');
  let before = false;
  void placement.place([], 'eth0').then(() => {
    before = true;
  });
  void placement.place(list(1, 600), 'eth0');
  void placement.place(list(300, 700), 'eth0');
  await kernel.end();
  assert.equal(before, false);
  await kernel.end();
  assert.equal(before, true);
  assert.ok(!kernel.has.has('10.0.3.231'), 'the last of those that came later');
});

test('the same address on two devices is two addresses, and errors are reported', async () => {
  const made: string[] = [];
  const failed: string[] = [];
  const kernel = {
    add: ({ device }: { device: string }) => {
      made.push(device);
      return device === 'eth1' ? Promise.reject(new Error('no device')) : Promise.resolve();
    },
  };
  const placement = new Placement(kernel as unknown as Addresses, (text) => failed.push(text));
  void placement.place(list(1), 'eth0');
  await placement.place(list(1), 'eth1');
  assert.deepEqual(made, ['eth0', 'eth1']);
  assert.deepEqual(failed, ['10.0.0.0/32: no device']);
});
