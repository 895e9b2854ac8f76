// SPDX-License-Identifier: MIT
// Random tables in a real kernel: written by ipvsadm and ip, changed by a plan to a random desired table, and read back
// by ipvsadm and ip. The model of the property tests has to reach the same state.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { formatAddress } from '../../../src/base/addresses.ts';
import {
  canonicalDestination,
  type Destination,
  type DestinationConfig,
  IP_VS_CONN_F_FULLNAT,
  IP_VS_SVC_F_ONEPACKET,
  IP_VS_SVC_F_PERSISTENT,
  IPPROTO_UDP,
  Ipvs,
  type Service,
  serviceKeyText,
} from '../../../src/ipvs/index.ts';
import { destinationRule, localAddressRule, serviceRule } from '../../../src/ipvsadm/print/save.ts';
import { Addresses } from '../../../src/net/index.ts';
import { apply, difference, readActual } from '../../../src/plan/index.ts';
import { addressKey, bytesKey, destinationKeyText } from '../../../src/plan/keys.ts';
import type { Actual, ActualService, Desired, DesiredService, Ownership } from '../../../src/plan/types.ts';
import { KernelModel } from '../../support/kernel-model.ts';
import { ownerships, related, type World } from '../../support/tables.ts';

const NETNS = 'plan';
const DEVICES = ['eth0', 'lo'];

/** A namespace with two devices and an empty table. */
export class Kernel {
  readonly ipvs: Ipvs;
  readonly addresses: Addresses;
  readonly patched: boolean;
  readonly world: World;

  constructor(patched: boolean) {
    this.patched = patched;
    ok(spawnSync('modprobe', ['ip_vs'], { encoding: 'utf8' }));
    ok(spawnSync('ip', ['netns', 'add', NETNS], { encoding: 'utf8' }));
    this.ip('link set lo up', 'link add eth0 type veth peer name eth1', 'link set eth0 up', 'link set eth1 up');
    const engines = spawnSync('modprobe', ['ip_vs_pe_sip']).status === 0 ? ['sip'] : [];
    this.world = { patched, engines, devices: DEVICES };
    const netns = `/run/netns/${NETNS}`;
    this.ipvs = new Ipvs({ netns });
    this.addresses = new Addresses({ netns });
  }

  close(): void {
    this.ipvs.close();
    this.addresses.close();
    spawnSync('ip', ['netns', 'del', NETNS]);
  }

  run(program: string, words: string[], input = ''): { status: number | null; stdout: string; stderr: string } {
    return spawnSync('nsenter', [`--net=/run/netns/${NETNS}`, '--', program, ...words], { encoding: 'utf8', input });
  }

  /** Runs all lines in one process. */
  ip(...lines: string[]): void {
    ok(spawnSync('ip', ['-n', NETNS, '-force', '-batch', '-'], { encoding: 'utf8', input: `${lines.join('\n')}\n` }));
  }

  /** Writes the table and the addresses, except for what these tools refuse. */
  async write(table: Actual): Promise<void> {
    this.run('ipvsadm', ['-C']);
    const lines: string[] = [];
    const ours: string[] = [];
    for (const { service, destinations, localAddresses } of table.services) {
      const rule = serviceRule(writable(service), undefined);
      if (service.synProxy) ours.push(rule);
      else lines.push(serviceRule(writable({ ...service, defence: undefined }), undefined));
      if (service.defence && !service.synProxy) ours.push(rule.replace('-A', '-E'));
      for (const one of localAddresses) ours.push(localAddressRule(service, one, undefined));
      for (const one of destinations) {
        const rule = destinationRule(service, { ...one, ...canonicalDestination(one) }, undefined).trimEnd();
        const line = `${rule} -x ${one.upperThreshold} -y ${one.lowerThreshold}\n`;
        (one.method === IP_VS_CONN_F_FULLNAT ? ours : lines).push(line);
      }
      for (const one of localAddresses)
        if (one.draining)
          ours.push(localAddressRule(service, one, undefined).replace('-P', '-Q').replace('\n', ' --drain\n'));
    }
    const { stderr } = this.run('ipvsadm', ['-R'], lines.join(''));
    // ipvsadm sets the service's port unless the method is masquerading, so that two destinations may become the same.
    assert.match(stderr, /^(Destination already exists\n)*$/, lines.join(''));
    if (ours.length > 0) this.run('lvsadm', ['-R'], ours.join(''));
    const { tcp, tcpFin, udp } = table.timeouts;
    this.run('ipvsadm', ['--set', String(tcp), String(tcpFin), String(udp)]);
    const theirs = table.addresses.filter(({ ours: mine }) => !mine);
    this.ip(
      ...DEVICES.map((device) => `address flush dev ${device}`),
      ...theirs.map(({ device, family, address, prefix }) => {
        const text = `${formatAddress(family, address)}/${prefix}`;
        return `address add ${text} dev ${device}${family === 2 ? '' : ' nodad'}`;
      }),
    );
    // iproute2 6.1 cannot set IFA_PROTO.
    for (const one of table.addresses) if (one.ours) await this.addresses.add({ ...one, purpose: 'virtual' });
  }

  read(): Promise<Actual> {
    return readActual(this.ipvs, this.addresses);
  }

  /** The rules that Debian's ipvsadm saves, sorted. */
  saved(): string[] {
    const { stdout, stderr } = this.run('ipvsadm', ['-Sn']);
    assert.equal(stderr, '');
    return stdout.split('\n').filter(Boolean).sort();
  }

  /** "device address/prefix" of all addresses but link-local ones, which the kernel adds. */
  seen(): string[] {
    const { stdout } = this.run('ip', ['-j', 'address']);
    const links = JSON.parse(stdout) as {
      ifname: string;
      addr_info: { local: string; prefixlen: number }[];
    }[];
    return links
      .flatMap(({ ifname, addr_info: found }) =>
        found
          .filter(({ local }) => !local.startsWith('fe80:'))
          .map(({ local, prefixlen }) => `${ifname} ${local}/${prefixlen}`),
      )
      .sort();
  }
}

function ok({ status, stderr }: { status: number | null; stderr: string }): void {
  assert.equal(status, 0, stderr);
}

/** The service without the combinations that ipvsadm refuses; the generated tables have every combination. */
function writable(service: Service): Service {
  const { protocol, port, fwmark } = service;
  const flags = protocol === IPPROTO_UDP ? service.flags : service.flags & ~IP_VS_SVC_F_ONEPACKET;
  const persistent = port === 0 && fwmark === 0 ? IP_VS_SVC_F_PERSISTENT : 0;
  return { ...service, flags: flags | persistent, timeout: service.timeout || 300 };
}

/** Plans and applies the way from a random table to another, and compares the result with the model, ipvsadm and ip. */
export async function round(kernel: Kernel, seed: number): Promise<void> {
  const sample = fc.tuple(related(kernel.world), ownerships());
  const [found] = fc.sample(sample, { seed, numRuns: 1 });
  assert.ok(found);
  const [{ desired, actual }, ownership] = found;
  await kernel.write(actual);
  const before = await kernel.read();
  assert.equal(before.services.length, actual.services.length, 'ipvsadm wrote fewer services');
  const plan = difference(desired, before, ownership);
  const model = new KernelModel(before);
  await apply(plan.operations, { ipvs: model, addresses: model.addresses });
  for (const { operation, error } of await apply(plan.operations, kernel))
    assert.equal(error, undefined, `seed ${seed}: ${operation.op}: ${error instanceof Error ? error.message : error}`);
  const now = await kernel.read();
  assert.deepEqual(difference(desired, now, ownership), { operations: [], waiting: [] }, `seed ${seed}: not empty`);
  assert.deepEqual(comparable(now), comparable(model.read()), `seed ${seed}: the model differs`);
  checkWithTools(kernel, { desired, before, ownership }, seed);
}

function checkWithTools(
  kernel: Kernel,
  { desired, before, ownership }: { desired: Desired; before: Actual; ownership: Ownership },
  seed: number,
): void {
  const wanted = new Set(desired.services.map(serviceKeyText));
  const foreign = before.services.filter(({ service }) => {
    const key = serviceKeyText(service);
    return !wanted.has(key) && !ownership.all && !ownership.services.has(key);
  });
  const rules = [...desired.services.map(asActual), ...foreign].flatMap(({ service, destinations }) => [
    // Debian's ipvsadm shows neither SYN proxy nor a defence.
    serviceRule({ ...service, synProxy: undefined, defence: undefined }, undefined),
    ...destinations.map((one) =>
      destinationRule(service, { ...one, ...canonicalDestination(one) }, undefined)
        // Debian's ipvsadm does not support FULLNAT.
        .replace(' -b -w', ' (null) -w'),
    ),
  ]);
  assert.deepEqual(kernel.saved(), rules.map((rule) => rule.trimEnd()).sort(), `seed ${seed}: ipvsadm differs`);
  const seen = kernel.seen();
  const text = (one: { device: string; family: 2 | 10; address: Uint8Array; prefix: number }) =>
    `${one.device} ${formatAddress(one.family, one.address)}/${one.prefix}`;
  for (const one of before.addresses)
    if (!one.ours && formatAddress(one.family, one.address).startsWith('fe80:') === false)
      assert.ok(seen.includes(text(one)), `seed ${seed}: ${text(one)} was added by another program`);
  for (const one of desired.addresses) assert.ok(seen.includes(text(one)), `seed ${seed}: ${text(one)} is missing`);
  const desiredKeys = new Set(desired.addresses.map(addressKey));
  const inUse = new Set(desired.services.flatMap(({ localAddresses }) => localAddresses.map(bytesKey)));
  for (const { localAddresses } of foreign) for (const { address } of localAddresses) inUse.add(bytesKey(address));
  for (const one of before.addresses)
    if (one.ours && !desiredKeys.has(addressKey(one)) && !inUse.has(bytesKey(one.address)))
      assert.ok(!seen.includes(text(one)), `seed ${seed}: ${text(one)} was left behind`);
}

function asActual(wanted: DesiredService): ActualService {
  const stats = { numLocalAddresses: undefined, stats: undefined };
  return { service: { ...wanted, ...stats }, destinations: wanted.destinations.map(counted), localAddresses: [] };
}

function counted(one: DestinationConfig): Destination {
  return { ...one, activeConnections: 0, inactiveConnections: 0, persistentConnections: 0, stats: undefined };
}

/** The part of a table that the model has, sorted. */
function comparable({ services, addresses, timeouts }: Actual): unknown {
  return {
    timeouts,
    services: services
      .map(({ service, destinations, localAddresses }) => {
        const { numLocalAddresses: _, stats: __, ...config } = service;
        return {
          key: serviceKeyText(service),
          // An engine that none is has no name there, and no ports are none.
          config: {
            ...config,
            protocol: service.fwmark ? 0 : service.protocol,
            portMin: config.portMin,
            portMax: config.portMax,
          },
          destinations: destinations
            .map(({ stats: ___, ...one }) => one)
            .sort((a, b) => (destinationKeyText(a) < destinationKeyText(b) ? -1 : 1)),
          localAddresses: localAddresses
            .map(({ address, draining }) => `${bytesKey(address)} ${draining ? 'drains' : ''}`)
            .sort(),
        };
      })
      .sort((a, b) => (a.key < b.key ? -1 : 1)),
    addresses: addresses.map((one) => `${addressKey(one)}/${one.prefix} ${one.ours ? 'ours' : ''}`).sort(),
  };
}
