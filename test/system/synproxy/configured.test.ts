// SPDX-License-Identifier: MIT
// lab: --uml
// SYN proxy as lvsadm and lvsd configure it: what reaches the kernel, and how the table is listed and saved.
import assert from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { type Namespace, Topology } from '../../../lab/topology.ts';
import { Ipvs } from '../../../src/ipvs/index.ts';
import { run, serviceConfig } from '../fullnat/rig.ts';
import { netnsPath } from '../fullnat/wire.ts';
import { eventually, Lvsd } from '../lvsd/daemon.ts';

const network = new Topology();
const vip = '10.99.0.10';
const key = serviceConfig(vip, 80);
const DEFAULTS = { enabled: true, mss: 0, windowScale: 7, sack: true, timestamps: true, window: 2896 };
let where: Namespace;
let ipvs: Ipvs;
let lvsd: Lvsd;

before(() => {
  if (!existsSync('/proc/net/ip_vs')) run('modprobe', 'ip_vs');
  where = network.namespace('lb');
  where.ip('link set lo up', `addr add ${vip}/32 dev lo`, 'addr add 10.31.3.101/32 dev lo');
  ipvs = new Ipvs({ netns: netnsPath(where) });
  lvsd = new Lvsd(where, 'synproxy');
});

after(async () => {
  await lvsd?.stop();
  ipvs?.close();
  await network.destroy();
});

const lvsadm = (words: string, input = '') => where.run(['lvsadm', ...words.split(' ')], { input }).stdout;
const synProxy = async () => (await ipvs.service(key)).synProxy;

test('lvsadm: -j and its settings are listed, saved and restored', async () => {
  lvsadm(`-A -t ${vip}:80 -s rr -j enable --synproxy-opts mss=1400,wscale=none,timestamps=off`);
  const settings = { ...DEFAULTS, mss: 1400, windowScale: 255, timestamps: false };
  assert.deepEqual(await synProxy(), settings);
  assert.match(lvsadm('-Ln'), /TCP {2}10\.99\.0\.10:80 rr synproxy/);
  const rules = lvsadm('-Sn');
  assert.equal(rules, `-A -t ${vip}:80 -s rr -j enable --synproxy-opts mss=1400,wscale=none,timestamps=off\n`);
  lvsadm(`-E -t ${vip}:80 -s wrr`);
  assert.deepEqual(await synProxy(), settings, 'an edit without -j');
  lvsadm(`-E -t ${vip}:80 -s wrr -j disable`);
  assert.equal(await synProxy(), undefined);
  lvsadm('-C');
  lvsadm('-R', rules);
  assert.deepEqual(await synProxy(), settings);
  assert.equal(lvsadm('-Sn'), rules);
  await ipvs.flush();
});

test('lvsadm: the defence of a service is listed, saved and restored', async () => {
  const defence = async () => (await ipvs.service(key)).defence;
  const set = { dropStrays: true, dropFragments: true, synRate: 5000, synBurst: 500 };
  lvsadm(`-A -t ${vip}:80 -s rr --defence drop-strays,drop-fragments,syn-rate=5000,syn-burst=500`);
  assert.deepEqual(await defence(), set);
  assert.deepEqual(JSON.parse(lvsadm('-L --json')).services[0].defence, set);
  const rules = lvsadm('-Sn');
  assert.equal(rules, `-A -t ${vip}:80 -s rr --defence drop-strays,drop-fragments,syn-rate=5000,syn-burst=500\n`);
  lvsadm(`-E -t ${vip}:80 -s wrr`);
  assert.deepEqual(await defence(), set, 'an edit without --defence');
  lvsadm(`-E -t ${vip}:80 -s wrr --defence none`);
  assert.equal(await defence(), undefined);
  lvsadm('restore --atomic -', rules);
  assert.deepEqual(await defence(), set);
  await ipvs.flush();
});

test('lvsd: the key of a service, its settings, and a switch by another program', async () => {
  const defence = async () => (await ipvs.service(key)).defence;
  const conf = (value: unknown, against?: unknown) => ({
    version: 1,
    resync: '1s',
    local_addresses: { inner: { addresses: ['10.31.3.101'] } },
    services: {
      shop: {
        ...{ address: vip, port: 80, scheduler: 'rr', forward: 'fullnat', local_addresses: 'inner', check: 'none' },
        ...(value === undefined ? {} : { syn_proxy: value }),
        ...(against === undefined ? {} : { defence: against }),
        real_servers: ['10.31.4.2'],
      },
    },
  });
  await lvsd.start(conf(true));
  assert.deepEqual(await synProxy(), DEFAULTS);
  await lvsd.reload(conf({ window_scale: 9, sack: false }));
  assert.deepEqual(await synProxy(), { ...DEFAULTS, windowScale: 9, sack: false });
  await ipvs.setService({ ...key, scheduler: 'rr', synProxy: { enabled: false } });
  await eventually('lvsd switches it on again', async () => (await synProxy())?.windowScale === 9);
  await lvsd.reload(conf(undefined));
  assert.equal(await synProxy(), undefined);

  const wanted = { dropStrays: true, dropFragments: false, synRate: 5000, synBurst: 5000 };
  await lvsd.reload(conf(true, { drop_strays: true, syn_rate: 5000 }));
  assert.deepEqual(await defence(), wanted);
  await ipvs.setService({ ...key, scheduler: 'rr', defence: { ...wanted, dropStrays: false, dropFragments: true } });
  await eventually('lvsd restores it', async () => (await defence())?.dropStrays === true);
  assert.deepEqual(await defence(), wanted);
  await lvsd.reload(conf(true));
  assert.equal(await defence(), undefined);
});

test('without a daemon: lvsadm stages a secret of cookies and uses it, lvsd apply sets it', async () => {
  const there = network.namespace('lb2');
  const other = new Ipvs({ netns: netnsPath(there) });
  const path = '/run/lvsadm-cookies.secret';
  writeFileSync(path, 'd'.repeat(32), { mode: 0o600 });
  const keys = async () => (await other.info()).cookieKeys ?? [];
  const [random] = await keys();
  there.run(['lvsadm', '--cookie-secret', path, '--stage']);
  const [still, staged] = await keys();
  assert.equal(still, random);
  assert.ok(staged !== undefined);
  there.run(['lvsadm', '--cookie-secret', path]);
  assert.deepEqual(await keys(), [staged]);

  const file = '/run/lvsd-apply.yaml';
  const paths = ['-f', file, '--socket', '/run/lvsd-apply.sock', '--state', '/run/lvsd-apply.state'];
  const apply = () => JSON.parse(there.run(['lvsd', 'apply', '--json', ...paths]).stdout);
  writeFileSync(file, JSON.stringify({ version: 1, syn_proxy_secret: path, services: {} }));
  assert.deepEqual(apply(), { done: [], failed: [] }, 'it is in use already');
  writeFileSync(path, 'e'.repeat(32));
  const { done, failed } = apply();
  const [now] = await keys();
  assert.notEqual(now, staged);
  const text = `secret of SYN cookies set, fingerprint ${now?.toString(16).padStart(8, '0')}`;
  assert.deepEqual({ done, failed }, { done: [{ sign: '~', text }], failed: [] });
  other.close();
});

test('lvsd: the secret of cookies, staged and then used; a file that others can read is rejected', async () => {
  const secret = (name: string, byte: string, mode = 0o600) => {
    const path = `/run/lvsd-${name}.secret`;
    writeFileSync(path, byte.repeat(32), { mode });
    return path;
  };
  const path = secret('cookies', 'a');
  const next = secret('next', 'b');
  const keys = async () => (await ipvs.info()).cookieKeys ?? [];
  const [random] = await keys();
  await lvsd.reload({ version: 1, syn_proxy_secret: path, services: {} });
  const [used, none] = await keys();
  assert.notEqual(used, random);
  assert.equal(none, undefined);
  await lvsd.reload();
  assert.deepEqual(await keys(), [used], 'a reload changes nothing');
  // The kernel accepts no third secret for two minutes after a change.
  const early = await lvsd.ctl('secret', 'stage', next);
  assert.match(early.stderr, /stage the next one two minutes after the change/);
  writeFileSync(path, 'b'.repeat(32));
  const rotated = await lvsd.ctl('secret', 'rotate');
  const [now] = await keys();
  assert.notEqual(now, used);
  assert.equal(rotated.stdout, `in use: ${now?.toString(16).padStart(8, '0')}\n`);
  const shown = secret('shown', 'c', 0o644);
  await assert.rejects(
    lvsd.reload({ version: 1, syn_proxy_secret: shown, services: {} }),
    /must not be readable by group or others/,
  );
});
