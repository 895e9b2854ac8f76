// SPDX-License-Identifier: MIT
// lab: --stock --uml=plain
// Addresses of lvsd and of other programs on real devices: adding and deleting them, their properties in the kernel,
// and which are never deleted.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { after, afterEach, before, test } from 'node:test';
import { parseAddress } from '../../../src/base/addresses.ts';
import { LvsdError, NetlinkError } from '../../../src/base/errors.ts';
import { Addresses, IFAPROT_LVSD, type WantedAddress } from '../../../src/net/index.ts';
import { NetlinkClient } from '../../../src/netlink/index.ts';

const NETNS = 'net-test';
const PATH = `/run/netns/${NETNS}`;
const NETLINK_ROUTE = 0;
const RTM_GETADDR = 22;
const IFA_LOCAL = 2;
const IFA_ADDRESS = 1;
const IFA_PROTO = 11;
let addresses: Addresses;

function ip(line: string): string {
  const { status, stdout, stderr } = spawnSync('ip', ['-n', NETNS, ...line.split(' ')], { encoding: 'utf8' });
  assert.equal(status, 0, `ip ${line}: ${stderr}`);
  return stdout;
}

interface Shown {
  local: string;
  prefixlen: number;
  scope: string;
  label?: string;
  deprecated?: boolean;
  nodad?: boolean;
  noprefixroute?: boolean;
  tentative?: boolean;
  preferred_life_time: number;
  valid_life_time: number;
}

function shown(device: string, local: string): Shown | undefined {
  const [link] = JSON.parse(ip(`-j address show dev ${device}`)) as { addr_info: Shown[] }[];
  return link?.addr_info.find((one) => one.local === local);
}

function wanted(text: string, purpose: WantedAddress['purpose'] = 'virtual', device = 'eth0'): WantedAddress {
  const [address = '', prefix] = text.split('/');
  const found = parseAddress(address);
  assert.ok(found);
  return { device, family: found.family, address: found.bytes, prefix: Number(prefix), purpose };
}

const listed = async (text: string, device = 'eth0') => {
  const one = wanted(text, 'virtual', device);
  const same = (await addresses.list()).filter(
    (other) =>
      other.device === device && other.prefix === one.prefix && Buffer.compare(other.address, one.address) === 0,
  );
  assert.ok(same.length < 2);
  return same[0];
};

before(() => {
  assert.equal(spawnSync('ip', ['netns', 'add', NETNS]).status, 0);
  ip('link set lo up');
  ip('link add eth0 type veth peer name eth1');
  ip('link set eth0 up');
  ip('link set eth1 up');
  addresses = new Addresses({ netns: PATH });
});
afterEach(() => {
  ip('address flush dev eth0');
  ip('address flush dev lo');
});
after(() => {
  addresses.close();
  spawnSync('ip', ['netns', 'del', NETNS]);
});

test('an address is added, recognised as ours and deleted', async () => {
  for (const text of ['192.0.2.10/32', '2001:db8::10/128']) {
    assert.equal(await addresses.add(wanted(text)), 'added');
    assert.equal((await listed(text))?.ours, true);
    assert.ok(shown('eth0', text.split('/')[0] ?? ''));
    assert.equal(await addresses.add(wanted(text)), 'there');
    assert.equal(await addresses.delete(wanted(text)), 'deleted');
    assert.equal(await listed(text), undefined);
    assert.equal(await addresses.delete(wanted(text)), 'gone');
  }
});

test('ip shows IFA_PROTO of added addresses', async () => {
  await addresses.add(wanted('192.0.2.10/32'));
  await addresses.add(wanted('2001:db8::10/128'));
  ip('address add 192.0.2.11/32 dev eth0');
  const raw = new NetlinkClient(NETLINK_ROUTE, { netns: PATH });
  const found = await raw.dump(
    RTM_GETADDR,
    (writer) => writer.raw(Buffer.alloc(8)),
    (view) => {
      const attributes = view.attributes(8);
      const one = { address: '', protocol: 0 };
      while (attributes.next()) {
        if (attributes.type === IFA_PROTO) one.protocol = attributes.u8();
        else if (attributes.type === IFA_LOCAL || (attributes.type === IFA_ADDRESS && !one.address))
          one.address = Buffer.from(attributes.bytes()).toString('hex');
      }
      return one;
    },
  );
  raw.close();
  const protocolOf = (hex: string) => found.find(({ address }) => address === hex)?.protocol;
  assert.equal(protocolOf('c000020a'), IFAPROT_LVSD);
  assert.equal(protocolOf('20010db8000000000000000000000010'), IFAPROT_LVSD);
  assert.equal(protocolOf('c000020b'), 0);
});

test('IPv6 is usable at once and deprecated; local IPv4 has scope link; no label', async () => {
  await addresses.add(wanted('2001:db8::10/128', 'local'));
  const v6 = shown('eth0', '2001:db8::10');
  assert.deepEqual(
    [v6?.deprecated, v6?.nodad, v6?.noprefixroute, v6?.tentative, v6?.preferred_life_time],
    [true, true, true, undefined, 0],
  );
  assert.equal(v6?.valid_life_time, 0xffffffff);
  await addresses.add(wanted('192.0.2.10/32', 'virtual'));
  await addresses.add(wanted('192.0.2.11/32', 'local'));
  await addresses.add(wanted('192.0.2.12/32', 'local', 'lo'));
  assert.deepEqual(
    [shown('eth0', '192.0.2.10')?.scope, shown('eth0', '192.0.2.11')?.scope, shown('lo', '192.0.2.12')?.scope],
    ['global', 'link', 'host'],
  );
  assert.equal(shown('eth0', '192.0.2.10')?.label, 'eth0');
});

test('route look-ups do not choose a local address as source, even if it was added first', async () => {
  const sourceOf = (to: string) => / src (\S+)/.exec(ip(`route get ${to}`))?.[1];
  await addresses.add(wanted('10.9.0.1/32', 'local'));
  ip('address add 10.9.1.1/24 dev eth0');
  ip('route add default via 10.9.1.254');
  assert.equal(sourceOf('198.51.100.1'), '10.9.1.1');
  assert.equal(sourceOf('10.9.1.7'), '10.9.1.1');
  await addresses.add(wanted('2001:db8:9::1/128', 'local'));
  ip('address add 2001:db8:9::2/64 dev eth0 nodad');
  assert.equal(sourceOf('2001:db8:9::7'), '2001:db8:9::2');
});

test('an address added by others counts as present, and stays', async () => {
  for (const text of ['192.0.2.10/32', '2001:db8::10/128']) {
    ip(`address add ${text} dev eth0`);
    assert.equal(await addresses.add(wanted(text)), 'there');
    assert.equal((await listed(text))?.ours, false);
    await assert.rejects(
      addresses.delete(wanted(text)),
      (error: unknown) =>
        error instanceof LvsdError &&
        error.message === `${text} on eth0 was not added by lvsd: not deleted` &&
        error.code === 'ERR_LVSD_NOT_OURS',
    );
    assert.ok(await listed(text));
  }
});

test('the first address of a subnet stays while deleting it would delete others', async () => {
  await addresses.add(wanted('192.0.2.10/24'));
  ip('address add 192.0.2.11/24 dev eth0');
  await assert.rejects(
    addresses.delete(wanted('192.0.2.10/24')),
    /not deleting 192\.0\.2\.10\/24 from eth0: the kernel would delete \d+ addresses/,
  );
  assert.ok(await listed('192.0.2.11/24'));
  ip('address del 192.0.2.11/24 dev eth0');
  assert.equal(await addresses.delete(wanted('192.0.2.10/24')), 'deleted');
});

test('errors name the cause', async () => {
  await assert.rejects(addresses.add(wanted('192.0.2.10/32', 'virtual', 'nosuch0')), {
    code: 'ERR_LVSD_NO_DEVICE',
    message: 'no such network device: nosuch0',
  });
  await assert.rejects(
    addresses.add({ ...wanted('192.0.2.10/32'), prefix: 33 }),
    (error: unknown) => error instanceof NetlinkError && error.errnoName === 'EINVAL',
  );
});

test('thousands of addresses at once', async () => {
  const many = Array.from({ length: 2000 }, (_, index) => wanted(`10.10.${index >> 8}.${index & 255}/32`, 'local'));
  assert.deepEqual(new Set(await Promise.all(many.map((one) => addresses.add(one)))), new Set(['added']));
  assert.equal((await addresses.list()).filter(({ ours }) => ours).length, many.length);
  assert.deepEqual(new Set(await Promise.all(many.map((one) => addresses.delete(one)))), new Set(['deleted']));
  assert.equal((await addresses.list()).filter(({ ours }) => ours).length, 0);
});

test('changes by others are reported, our own are not, a burst causes few calls', async () => {
  let calls = 0;
  const watch = addresses.subscribe(() => {
    calls++;
  });
  const settled = async () => {
    const before = calls;
    await new Promise((done) => setTimeout(done, 200));
    return calls - before;
  };
  await settled();
  calls = 0;
  await addresses.add(wanted('192.0.2.10/32'));
  await addresses.delete(wanted('192.0.2.10/32'));
  await settled();
  assert.equal(calls, 0);
  ip('address add 192.0.2.11/32 dev eth0');
  await settled();
  assert.ok(calls >= 1);
  calls = 0;
  ip('address add 2001:db8::11/128 dev eth0 nodad');
  await settled();
  assert.ok(calls >= 1);
  calls = 0;
  ip('link set eth1 down');
  await settled();
  assert.ok(calls >= 1);
  ip('link set eth1 up');
  await settled();
  calls = 0;
  const lines = Array.from(
    { length: 3000 },
    (_, index) => `address add 10.11.${index >> 8}.${index & 255}/32 dev eth0`,
  );
  spawnSync('ip', ['-n', NETNS, '-batch', '-'], { input: `${lines.join('\n')}\n` });
  await settled();
  assert.ok(calls >= 1 && calls < 100, `${calls} calls`);
  watch.close();
  calls = 0;
  ip('address flush dev eth0');
  await settled();
  assert.equal(calls, 0);
});

test('an overrun of the socket is reported as a change', async () => {
  const small = new Addresses({ netns: PATH, receiveBuffer: 4096 });
  let calls = 0;
  const watch = small.subscribe(() => {
    calls++;
  });
  const lines = Array.from(
    { length: 2000 },
    (_, index) => `address add 10.12.${index >> 8}.${index & 255}/32 dev eth0`,
  );
  // spawnSync blocks the event loop, so that nothing is read meanwhile.
  spawnSync('ip', ['-n', NETNS, '-batch', '-'], { input: `${lines.join('\n')}\n` });
  await new Promise((done) => setTimeout(done, 300));
  assert.ok(calls >= 1);
  calls = 0;
  ip('address add 192.0.2.12/32 dev eth0');
  await new Promise((done) => setTimeout(done, 300));
  assert.ok(calls >= 1, 'no change is reported after the overrun');
  watch.close();
  small.close();
});

test('an IPv4 address has the label and scope that it is given', async () => {
  for (const scope of ['global', 'link', 'host'] as const) {
    const one = { ...wanted('10.77.1.1/24'), label: 'eth0:web', scope };
    assert.equal(await addresses.add(one), 'added');
    const { label, scope: given } = shown('eth0', '10.77.1.1') ?? assert.fail();
    assert.deepEqual([label, given], ['eth0:web', scope]);
    assert.equal(await addresses.delete(one), 'deleted');
  }
});
