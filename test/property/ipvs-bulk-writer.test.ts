// SPDX-License-Identifier: MIT
// The bulk writer writes from templates the same bytes as the codec.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { AF_INET, AF_INET6, type Family } from '../../src/base/addresses.ts';
import { addServices } from '../../src/ipvs/bulk-add.ts';
import { BulkWriter, isBulkWritableDestination, isBulkWritableService } from '../../src/ipvs/bulk-writer.ts';
import { destinationAttributes, serviceAttributes } from '../../src/ipvs/codec.ts';
import {
  type BulkService,
  type DestinationConfig,
  IPVS_CMD_NEW_DEST,
  IPVS_CMD_NEW_SERVICE,
  type ServiceConfig,
} from '../../src/ipvs/index.ts';
import { COMMAND, type CommandAttributes } from '../../src/ipvs/tables.ts';
import { encodeTable } from '../../src/netlink/attributes.ts';
import { NLM_F_ACK, NLM_F_REQUEST } from '../../src/netlink/constants.ts';
import { MessageWriter } from '../../src/netlink/index.ts';

const FAMILY = { id: 33, version: 1 };
const numRuns = process.env.LVSD_COUNTS === 'full' ? 100_000 : 500;

const u16 = fc.nat({ max: 0xffff });
const u32 = fc.nat({ max: 0xffffffff });
const families = fc.constantFrom<Family>(AF_INET, AF_INET6);
const addressOf = (family: Family) =>
  family === AF_INET ? fc.uint8Array({ minLength: 4, maxLength: 4 }) : fc.uint8Array({ minLength: 16, maxLength: 16 });

const service: fc.Arbitrary<ServiceConfig> = families.chain((family) =>
  fc.record({
    family: fc.constant(family),
    protocol: fc.constantFrom(6, 17),
    address: addressOf(family),
    port: u16,
    fwmark: fc.constant(0),
    scheduler: fc.constantFrom('rr', 'wrr', 'a-name-of-15-ch'),
    flags: fc.constantFrom(0, 1, 4, 0x38),
    timeout: fc.constantFrom(0, 300),
    netmask: family === AF_INET ? fc.constantFrom(0xffffffff, 0xffffff00, 0) : fc.constantFrom(128, 64),
    peName: fc.constantFrom('', '', 'sip'),
  }),
);
const destination: fc.Arbitrary<DestinationConfig> = families.chain((family) =>
  fc.record({
    family: fc.constant(family),
    address: addressOf(family),
    port: u16,
    method: fc.constantFrom(0, 1, 2, 3, 4),
    weight: fc.nat({ max: 0x7fffffff }),
    upperThreshold: u32,
    lowerThreshold: u32,
    tunnelType: fc.nat({ max: 2 }),
    tunnelPort: u16,
    tunnelFlags: fc.nat({ max: 3 }),
  }),
);
const services = fc.array(
  fc.record({ service, destinations: fc.array(destination, { maxLength: 6 }) }) satisfies fc.Arbitrary<BulkService>,
  { maxLength: 8 },
);

function message(command: number, attributes: CommandAttributes, flags: number): Buffer {
  const writer = new MessageWriter().begin(FAMILY.id, flags);
  encodeTable(COMMAND, writer.genericHeader(command, FAMILY.version), attributes);
  return writer.finish();
}

/** The same requests written by the codec; only the last requests an ack. */
function expected(list: readonly BulkService[]): Buffer {
  const all = list.flatMap(({ service: of, destinations }) => [
    { command: IPVS_CMD_NEW_SERVICE, attributes: { service: serviceAttributes(of) } },
    ...destinations.map((one) => {
      const { family, protocol, address, port, fwmark } = of;
      const key = serviceAttributes({ family, protocol, address, port, fwmark });
      return { command: IPVS_CMD_NEW_DEST, attributes: { service: key, dest: destinationAttributes(one) } };
    }),
  ]);
  const flags = (index: number) => NLM_F_REQUEST | (index === all.length - 1 ? NLM_F_ACK : 0);
  return Buffer.concat(all.map(({ command, attributes }, index) => message(command, attributes, flags(index))));
}

test('what the writer does not know is left to the general code', () => {
  fc.assert(
    fc.property(service, destination, (of, dest) => {
      assert.ok(isBulkWritableService(of) && isBulkWritableDestination(dest));
      assert.ok(!isBulkWritableService({ ...of, portMin: 5000, portMax: 6000 }));
      const newer = { slowStart: 30 };
      assert.ok(!isBulkWritableService({ ...of, ...newer }));
      assert.ok(!isBulkWritableDestination({ ...dest, ...newer }));
      assert.ok(isBulkWritableDestination({ ...dest, ...{ slowStart: undefined } }));
    }),
    { numRuns: 100 },
  );
});

test('services and destinations are written as the codec writes them', () => {
  fc.assert(
    fc.property(services, (list) => {
      if (list.length === 0) return;
      const written = new BulkWriter(FAMILY);
      for (const { service: of, destinations } of list) {
        assert.ok(isBulkWritableService(of));
        written.addService(of);
        for (const one of destinations) {
          assert.ok(isBulkWritableDestination(one));
          written.addDestination(of, one);
        }
      }
      assert.deepEqual(written.finish(), expected(list));
    }),
    { numRuns },
  );
});

/** A kernel that rejects the messages with these numbers, and loses all of the batch with the number `broken`. */
class Wire {
  sent = 0;
  batches = 0;
  readonly #refused: ReadonlySet<number>;
  readonly #broken: number;

  constructor(refused: ReadonlySet<number>, broken: number) {
    this.#refused = refused;
    this.#broken = broken;
  }

  async bulkWriter(): Promise<BulkWriter> {
    return new BulkWriter(FAMILY);
  }

  async sendBulk(batch: BulkWriter): Promise<ReadonlyMap<number, never>> {
    const { count } = batch;
    assert.ok(count > 0 && batch.finish().length <= 65536);
    if (this.batches++ === this.#broken) {
      this.sent += count;
      throw new Error('messages were lost');
    }
    batch.clear();
    const places = Array.from({ length: count }, (_, place) => place).filter((one) =>
      this.#refused.has(this.sent + one),
    );
    this.sent += count;
    return new Map(places.map((place) => [place, undefined as never]));
  }
}

test('addServices returns the services of which a request failed or may have failed', async () => {
  const [of] = fc.sample(service, { numRuns: 1, seed: 1 });
  const [one] = fc.sample(destination, { numRuns: 1, seed: 1 });
  assert.ok(of && one);
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(fc.nat({ max: 1999 }), { maxLength: 5 }),
      fc.integer({ min: -1, max: 9 }),
      async (refused, broken) => {
        // Five messages each, so that some services are in two batches.
        const list = Array.from({ length: 400 }, () => ({ service: of, destinations: [one, one, one, one] }));
        const wire = new Wire(new Set(refused), broken);
        const found = await addServices(wire, list);
        assert.equal(wire.sent, 2000);
        for (const place of refused) assert.ok(found.has(Math.floor(place / 5)));
        if (broken < 0 || broken >= wire.batches) assert.ok(found.size <= refused.length);
        else assert.ok(found.size > refused.length && found.size < 400);
      },
    ),
    { numRuns: 50 },
  );
});
