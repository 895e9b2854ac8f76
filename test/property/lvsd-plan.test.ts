// SPDX-License-Identifier: MIT
// Random actual and desired tables: after apply the plan is empty, nothing else was changed, and meanwhile no service was
// without real servers and no virtual address without its services. On a model; test/system/plan/plan.test.ts uses real
// kernels.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { NetlinkError } from '../../src/base/errors.ts';
import { IP_VS_CONN_F_FULLNAT, serviceKeyText } from '../../src/ipvs/index.ts';
import { changes, DESTINATION_FIELDS, SERVICE_FIELDS, same } from '../../src/plan/fields.ts';
import { apply, describe, difference, drift, toJson } from '../../src/plan/index.ts';
import { addressKey, bytesKey } from '../../src/plan/keys.ts';
import type { Actual, Desired, Operation, OperationResult, Ownership } from '../../src/plan/types.ts';
import { KernelModel, type Request } from '../support/kernel-model.ts';
import { desiredTables, ownerships, related, type World } from '../support/tables.ts';

const WORLD: World = { patched: true, engines: ['sip'], devices: ['eth0', 'lo'] };
const RUNS = process.env.LVSD_COUNTS === 'full' ? 20_000 : 200;
const cases = fc.tuple(related(WORLD), ownerships());
const check = (property: fc.IAsyncProperty<unknown> | fc.IProperty<unknown>) =>
  fc.assert(property as fc.IAsyncProperty<unknown>, {
    numRuns: RUNS,
    includeErrorInReport: true,
    interruptAfterTimeLimit: 3_000_000,
  });

interface Case {
  desired: Desired;
  actual: Actual;
  ownership: Ownership;
}

function planOf({ desired, ownership }: Case, kernel: KernelModel) {
  return difference(desired, kernel.read(), ownership);
}

/** Plans and applies. */
async function applyPlan(which: Case, kernel: KernelModel): Promise<OperationResult[]> {
  return apply(planOf(which, kernel).operations, { ipvs: kernel, addresses: kernel.addresses });
}

test('after apply the plan is empty, also once connections have ended', () =>
  check(
    fc.asyncProperty(cases, async ([{ desired, actual }, ownership]) => {
      const which = { desired, actual, ownership };
      const kernel = new KernelModel(actual);
      for (const { operation, error } of await applyPlan(which, kernel)) assert.equal(error, undefined, operation.op);
      const { operations, waiting } = planOf(which, kernel);
      assert.deepEqual(operations, []);
      kernel.endConnections();
      const last = planOf(which, kernel).operations;
      for (const { op } of last) assert.ok(['delete-local-address', 'delete-address'].includes(op), op);
      assert.equal(last.filter(({ op }) => op === 'delete-local-address').length, waiting.length);
      await applyPlan(which, kernel);
      assert.deepEqual(planOf(which, kernel), { operations: [], waiting: [] });
      assertDesired(which, kernel.read());
    }),
  ));

/** Compares the table with the desired one independently of `difference`. */
function assertDesired({ desired, actual, ownership }: Case, now: Actual): void {
  const found = new Map(now.services.map((one) => [serviceKeyText(one.service), one]));
  for (const wanted of desired.services) {
    const is = found.get(serviceKeyText(wanted));
    assert.ok(is);
    assert.equal(is.service.scheduler, wanted.scheduler);
    assert.equal(is.service.flags, wanted.flags | 2);
    assert.equal(is.service.portMin, wanted.portMin);
    const text = (list: readonly { address: Uint8Array; port: number; weight: number; method: number }[]) =>
      list.map(({ address, port, weight, method }) => `${bytesKey(address)}/${port} ${weight} ${method}`).sort();
    assert.deepEqual(text(is.destinations), text(wanted.destinations));
    assert.deepEqual(
      is.localAddresses.map(({ address }) => bytesKey(address)).sort(),
      wanted.localAddresses.map(bytesKey).sort(),
    );
    assert.ok(is.localAddresses.every(({ draining }) => !draining));
  }
  const wanted = new Set(desired.services.map(serviceKeyText));
  const before = new Map(actual.services.map((one) => [serviceKeyText(one.service), one]));
  for (const [key, one] of before) {
    if (wanted.has(key)) continue;
    const ours = ownership.all || ownership.services.has(key);
    assert.equal(found.has(key), !ours);
    if (!ours) assert.deepEqual(found.get(key)?.destinations, one.destinations);
  }
  for (const key of found.keys()) assert.ok(wanted.has(key) || before.has(key));
  const addresses = new Set(now.addresses.map(addressKey));
  for (const one of desired.addresses) assert.ok(addresses.has(addressKey(one)));
  for (const one of actual.addresses) if (!one.ours) assert.ok(addresses.has(addressKey(one)));
}

test('objects that are as desired get no request, others at most one, or two if SYN proxy has to wait', () =>
  check(
    fc.asyncProperty(cases, async ([{ desired, actual }, ownership]) => {
      const which = { desired, actual, ownership };
      const kernel = new KernelModel(actual);
      await applyPlan(which, kernel);
      const wanted = new Map(desired.services.map((one) => [serviceKeyText(one), one]));
      const before = new Map(actual.services.map((one) => [serviceKeyText(one.service), one]));
      const seen = new Set<string>();
      for (const { command, service, part } of kernel.requests) {
        const [verb = ''] = command.split('-', 1);
        // An object is edited, not deleted and added; except for an IPv6 address with another prefix.
        const drain = command.startsWith('drain') || command.endsWith('-address') ? command : '';
        const once = `${drain} ${service} ${part}`;
        const is = before.get(service ?? '');
        const should = wanted.get(service ?? '');
        // SYN proxy is switched apart from other settings if both have to wait for other destinations.
        const waits = command === 'set-service' && (is?.service.synProxy || should?.synProxy);
        const again = seen.has(once);
        assert.ok(!again || (waits && !seen.has(`${once} again`)), `${verb}: ${once} twice`);
        seen.add(again ? `${once} again` : once);
        if (service === undefined) continue;
        if (!should)
          assert.ok(is && command === 'delete-service' && (ownership.all || ownership.services.has(service)));
        else if (command === 'add-service') assert.equal(is, undefined);
        else if (command === 'set-service') assert.ok(is && !same(SERVICE_FIELDS, is.service, should));
      }
      for (const [key, should] of wanted) {
        const is = before.get(key);
        const text = (value: unknown) =>
          JSON.stringify(value, (_, one: unknown) => (typeof one === 'bigint' ? String(one) : one));
        const plain = is && { ...is.service, flags: is.service.flags & ~2 };
        if (
          is &&
          plain &&
          same(SERVICE_FIELDS, plain, should) &&
          text(
            is.destinations.map(
              ({ activeConnections, inactiveConnections, persistentConnections, stats, ...one }) => one,
            ),
          ) === text(should.destinations) &&
          text(is.localAddresses.filter(({ draining }) => !draining).map(({ address }) => address)) ===
            text(should.localAddresses) &&
          is.localAddresses.length === should.localAddresses.length
        )
          assert.ok(!kernel.requests.some(({ service }) => service === key), `${key} got a request`);
      }
    }),
  ));

test('meanwhile no service is without real servers and no virtual address without its services', () =>
  check(
    fc.asyncProperty(cases, async ([{ desired, actual }, ownership]) => {
      const which = { desired, actual, ownership };
      const kernel = new KernelModel(actual);
      kernel.watch = (request) => assertServiceable(which, kernel.read(), request);
      for (const { error } of await applyPlan(which, kernel))
        assert.ok(!(error instanceof assert.AssertionError), String(error));
    }),
  ));

const serves = (list: readonly { weight: number }[]) => list.some(({ weight }) => weight > 0);

/** Checks the table after one request. */
function assertServiceable({ desired, actual }: Case, now: Actual, request: Request): void {
  const found = new Map(now.services.map((one) => [serviceKeyText(one.service), one]));
  const onDevices = new Set(now.addresses.map(({ address }) => bytesKey(address)));
  const wantedOnDevices = new Set(desired.addresses.map(({ address }) => bytesKey(address)));
  const before = new Map(actual.services.map((one) => [serviceKeyText(one.service), one]));
  for (const wanted of desired.services) {
    const key = serviceKeyText(wanted);
    const is = found.get(key);
    const was = before.get(key);
    if (was) assert.ok(is, `${key} was deleted`);
    if (was && serves(was.destinations) && serves(wanted.destinations))
      assert.ok(serves(is?.destinations ?? []), `${key} was empty at ${request.command}`);
    // Invariant 6: addresses first, on the device and in the pool.
    if (request.service !== key || !request.command.endsWith('destination') || wanted.localAddresses.length === 0)
      continue;
    const fullnat = is?.destinations.filter(({ method }) => method === IP_VS_CONN_F_FULLNAT) ?? [];
    const had = was?.destinations.some(({ method }) => method === IP_VS_CONN_F_FULLNAT);
    if (had || fullnat.length === 0) continue;
    for (const address of wanted.localAddresses) {
      const pool = is?.localAddresses.find((one) => bytesKey(one.address) === bytesKey(address));
      assert.ok(pool && !pool.draining, 'a FULLNAT destination before its local addresses');
      assert.ok(
        !wantedOnDevices.has(bytesKey(address)) || onDevices.has(bytesKey(address)),
        'before they are on a device',
      );
    }
  }
  const [address = ''] = request.part?.split('@') ?? [];
  if (request.command === 'add-address') {
    const served = desired.services.filter((one) => !one.fwmark && bytesKey(one.address) === address);
    for (const one of served) {
      const is = found.get(serviceKeyText(one));
      assert.ok(is, 'an address before its service');
      assert.ok(!serves(one.destinations) || serves(is.destinations), 'an address before its real servers');
    }
  }
  if (request.command === 'delete-address')
    for (const one of now.services)
      assert.ok(!one.localAddresses.some((pool) => bytesKey(pool.address) === address) || onDevices.has(address));
  if (request.command === 'delete-service') {
    const gone = before.get(request.service ?? '');
    if (!gone || gone.service.fwmark) return;
    const vip = bytesKey(gone.service.address);
    const left = now.addresses.some((one) => one.ours && bytesKey(one.address) === vip);
    assert.ok(!left || wantedOnDevices.has(vip) || poolHas(now, vip), 'an address outlives its service');
  }
}

function poolHas(now: Actual, address: string): boolean {
  return now.services.some((one) => one.localAddresses.some((pool) => bytesKey(pool.address) === address));
}

test('rejected requests affect their service only, and are applied once the kernel accepts them', () =>
  check(
    fc.asyncProperty(
      cases,
      fc.nat(),
      fc.infiniteStream(fc.nat({ max: 3 })),
      async ([{ desired, actual }, ownership], pick, dice) => {
        const which = { desired, actual, ownership };
        const kernel = new KernelModel(actual);
        const keys = desired.services.map(serviceKeyText);
        const victim = keys[pick % Math.max(1, keys.length)];
        kernel.refuse = ({ service, command }) => {
          if (service === victim && service !== undefined && command !== 'delete-service' && dice.next().value === 0)
            throw new NetlinkError(12);
        };
        kernel.watch = ({ service }) => assertServing(which, kernel, service);
        for (const { operation, error } of await applyPlan(which, kernel)) {
          assert.ok(!(error instanceof assert.AssertionError), String(error));
          if (error && 'service' in operation) assert.equal(serviceKeyText(operation.service), victim);
        }
        const left = planOf(which, kernel).operations;
        for (const operation of left)
          if ('service' in operation) assert.equal(serviceKeyText(operation.service), victim, operation.op);
        kernel.refuse = () => {};
        await converge(which, kernel, 2);
      },
    ),
  ));

async function converge(which: Case, kernel: KernelModel, rounds: number): Promise<void> {
  for (let round = 0; round < rounds; round++) await applyPlan(which, kernel);
  kernel.endConnections();
  await applyPlan(which, kernel);
  assert.deepEqual(planOf(which, kernel), { operations: [], waiting: [] });
}

test('if only some operations are applied no service is without real servers, and the rest is applied later', () =>
  check(
    fc.asyncProperty(cases, fc.infiniteStream(fc.boolean()), async ([{ desired, actual }, ownership], dice) => {
      const which = { desired, actual, ownership };
      const kernel = new KernelModel(actual);
      kernel.watch = ({ service, part }) => {
        assertServing(which, kernel, service);
        const [address] = part?.split('@') ?? [];
        const on = (list: Actual['addresses']) => list.some((one) => bytesKey(one.address) === address);
        if (
          address?.length === 8 &&
          on(actual.addresses) &&
          desired.addresses.some((one) => bytesKey(one.address) === address)
        )
          assert.ok(on(kernel.read().addresses), 'an address was removed before it was added elsewhere');
      };
      const some = planOf(which, kernel).operations.filter(() => dice.next().value);
      for (const { error } of await apply(some, { ipvs: kernel, addresses: kernel.addresses }))
        assert.ok(!(error instanceof assert.AssertionError), String(error));
      await converge(which, kernel, 2);
    }),
  ));

/** A service that has real servers before and after has some now. */
function assertServing({ desired, actual }: Case, kernel: KernelModel, key: string | undefined): void {
  const is = kernel.read().services.find((one) => serviceKeyText(one.service) === key);
  const was = actual.services.find((one) => serviceKeyText(one.service) === key);
  const should = desired.services.find((one) => serviceKeyText(one) === key);
  if (is && was && should && serves(was.destinations) && serves(should.destinations))
    assert.ok(serves(is.destinations), 'a service was empty');
}

test('the table converges if another program changes it between reading and writing', () =>
  check(
    fc.asyncProperty(cases, desiredTables(WORLD), async ([{ desired, actual }, ownership], theirs) => {
      const which = { desired, actual, ownership };
      const kernel = new KernelModel(actual);
      const plan = planOf(which, kernel);
      const all: Ownership = { all: true };
      await apply(difference(theirs, kernel.read(), all).operations, { ipvs: kernel, addresses: kernel.addresses });
      // An object that exists already or no longer is not a failure; a missing or changed service may be.
      for (const { error } of await apply(plan.operations, { ipvs: kernel, addresses: kernel.addresses }))
        assert.ok(
          !(error instanceof Error && 'errno' in error && [2, 17].includes(Number(error.errno))),
          String(error),
        );
      await converge(which, kernel, 2);
    }),
  ));

test('drift lists exactly the differences', () =>
  check(
    fc.property(cases, ([{ desired, actual }, ownership]) => {
      assert.deepEqual(drift(actual, actual), []);
      const lines = drift(actual, { ...actual, timeouts: { ...actual.timeouts, udp: 7 } });
      assert.deepEqual(lines.length, 1);
      const cleared = drift(actual, { ...actual, services: [] });
      assert.equal(cleared.length, Math.min(1, actual.services.length));
      for (const { service } of actual.services) {
        const rest = actual.services.filter((one) => one.service !== service);
        assert.equal(drift(actual, { ...actual, services: rest }).length, 1);
        assert.equal(drift({ ...actual, services: rest }, actual).length, 1);
      }
      assert.ok(difference(desired, actual, ownership));
    }),
  ));

test('every operation has its own sentence, edits with old and new value', () =>
  check(
    fc.property(cases, ([{ desired, actual }, ownership]) => {
      const { operations } = difference(desired, actual, ownership);
      const lines = operations.map((operation: Operation) => {
        const { sign, text } = describe(operation);
        assert.match(text, /^\S[^\n]*\S$/);
        if (operation.op.startsWith('set-')) assert.match(text, / → /);
        assert.deepEqual(JSON.parse(JSON.stringify(toJson(operation))).text, text);
        return `${sign} ${text}`;
      });
      assert.equal(new Set(lines).size, lines.length, lines.join('\n'));
      for (const { service, destinations } of actual.services)
        for (const should of desired.services) {
          assert.equal(same(SERVICE_FIELDS, service, should), changes(SERVICE_FIELDS, service, should).length === 0);
          for (const one of destinations)
            for (const other of should.destinations)
              assert.equal(same(DESTINATION_FIELDS, one, other), changes(DESTINATION_FIELDS, one, other).length === 0);
        }
    }),
  ));
