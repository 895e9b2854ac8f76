// SPDX-License-Identifier: MIT
// lvsd doctor on the patched kernel, in prepared states.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { fullnatRig, ip4, type Rig } from '../fullnat/rig.ts';
import { closeAll, dial, listen } from '../fullnat/tcp.ts';
import { eventually } from './daemon.ts';

interface Check {
  check: string;
  verdict: string;
  text: string;
  remedy?: string[];
}

let rig: Rig;

before(async () => {
  rig = await fullnatRig();
});
after(async () => {
  closeAll();
  await rig.destroy();
});

async function doctor(): Promise<{ status: number; checks: Check[] }> {
  // Through a shell, since a status other than 0 is an expected result here.
  const { stdout } = await rig.balancer.exec(['sh', '-c', 'lvsd doctor --json; echo "$?"']);
  const at = stdout.trimEnd().lastIndexOf('\n');
  return { status: Number(stdout.slice(at)), checks: (JSON.parse(stdout.slice(0, at)) as { checks: Check[] }).checks };
}

test('a correct service: no problem, and the loaded module is the installed one', async () => {
  const { status, checks } = await doctor();
  assert.deepEqual(
    checks.map(({ check, verdict }) => `${check} ${verdict}`),
    [
      ...['module', 'build', 'installed', 'services', 'addresses', 'routes', 'rp_filter'],
      ...['laddrs', 'ports', 'conntrack', 'sysctl', 'table', 'others'],
    ].map((name) => `${name} ok`),
  );
  assert.equal(status, 0);
  const { buildId } = await rig.ipvs.info();
  assert.ok(checks[1]?.text.includes(buildId ?? 'none'), checks[1]?.text);
});

test('a local address that the host does not have, and no local address, are problems', async () => {
  await rig.ipvs.addLocalAddress(rig.key, ip4('10.31.3.99'));
  const foreign = await doctor();
  assert.equal(foreign.status, 1);
  const laddrs = foreign.checks.find(({ check }) => check === 'laddrs');
  assert.equal(laddrs?.verdict, 'problem');
  assert.match(laddrs?.text ?? '', /^10\.99\.0\.10:80: 10\.31\.3\.99 not an address of this host/);
  for (const each of ['10.31.3.99', ...rig.laddrs]) await rig.ipvs.deleteLocalAddress(rig.key, ip4(each));
  const none = await doctor();
  assert.equal(none.status, 1);
  assert.match(none.checks.find(({ check }) => check === 'laddrs')?.text ?? '', /has no local address/);
  for (const each of rig.laddrs) await rig.ipvs.addLocalAddress(rig.key, ip4(each));
});

test('masquerade without forwarding, direct behind a gateway, no route, a strict rp_filter, keepalived running', async () => {
  const { balancer } = rig;
  const line = async (...checks: string[]) => {
    const found = await doctor();
    return found.checks
      .filter(({ check }) => checks.includes(check))
      .map(({ check, verdict }) => `${check} ${verdict}`);
  };
  balancer.run('ipvsadm -A -t 10.99.0.10:81; ipvsadm -a -t 10.99.0.10:81 -r 10.31.4.2 -m');
  const before = balancer.run(['sysctl', '-n', 'net.ipv4.ip_forward']).stdout.trim();
  balancer.sysctl({ 'net.ipv4.ip_forward': 0 });
  assert.deepEqual(await line('forwarding'), ['forwarding problem']);
  balancer.sysctl({ 'net.ipv4.ip_forward': 1 });
  assert.deepEqual(await line('forwarding'), ['forwarding ok']);
  balancer.sysctl({ 'net.ipv4.ip_forward': Number(before) });
  // The real servers are behind a router.
  balancer.run('ipvsadm -e -t 10.99.0.10:81 -r 10.31.4.2 -g');
  assert.deepEqual(await line('direct', 'real-servers'), ['direct problem', 'real-servers note']);
  balancer.run('ip route add unreachable 10.77.0.0/16; ipvsadm -a -t 10.99.0.10:81 -r 10.77.0.1 -i');
  assert.deepEqual(await line('routes'), ['routes problem']);
  balancer.run('ipvsadm -A -t 10.99.0.77:81; ipvsadm -a -t 10.99.0.77:81 -r 10.31.4.2 -m');
  assert.deepEqual(await line('addresses'), ['addresses problem']);
  balancer.run('ipvsadm -D -t 10.99.0.77:81; ipvsadm -D -t 10.99.0.10:81; ip route del unreachable 10.77.0.0/16');
  balancer.sysctl({ 'net.ipv4.conf.all.rp_filter': 1 });
  assert.deepEqual(await line('rp_filter'), ['rp_filter note']);
  balancer.sysctl({ 'net.ipv4.conf.all.rp_filter': 0 });
  balancer.run('printf "" >/run/doctor-keepalived.conf');
  const keepalived = balancer.spawn([
    'keepalived',
    '-n',
    '-l',
    '-f',
    '/run/doctor-keepalived.conf',
    '-p',
    '/run/doctor.pid',
  ]);
  await eventually('keepalived to be seen', async () => (await line('others'))[0] === 'others note', 20_000);
  await keepalived.stop();
  assert.deepEqual(await line('others'), ['others ok']);
});

test('conntrack enabled: prints rules that nft accepts', async () => {
  rig.balancer.run(['nft', '-f', '-'], {
    input: 'table ip t { chain c { type filter hook input priority 0; ct state new counter; }; }',
  });
  await listen(rig.rs1, 80, (socket) => socket.end('x'));
  // A connection of the balancer itself.
  await dial(rig.balancer, rig.rs1Address, 80);
  const { status, checks } = await doctor();
  const conntrack = checks.find(({ check }) => check === 'conntrack');
  assert.equal(conntrack?.verdict, 'note', conntrack?.text);
  assert.equal(status, 0);
  rig.balancer.run(['nft', '-f', '-'], { input: `${conntrack?.remedy?.join('\n')}\n` });
  const rules = rig.balancer.run(['nft', 'list', 'table', 'ip', 'lvsd_notrack']).stdout;
  for (const address of [rig.vip, ...rig.laddrs]) assert.ok(rules.includes(address), rules);
});

test('exit status 2 for wrong usage, 4 without permission; text output', async () => {
  const status = async (line: string) =>
    (await rig.balancer.exec(['sh', '-c', `${line}; echo "$?"`])).stdout.trim().split('\n').at(-1);
  assert.equal(await status('lvsd'), '2');
  assert.equal(await status('lvsd doctor --jsno'), '2');
  assert.equal(await status('setpriv --bounding-set -all --inh-caps -all lvsd doctor'), '4');
  const { stdout } = await rig.balancer.exec(['lvsd', 'doctor']);
  assert.match(stdout, /^ok +module +ip_vs 1\.2\.1 is loaded on 6\.1\./m);
});
