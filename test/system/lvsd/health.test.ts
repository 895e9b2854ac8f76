// SPDX-License-Identifier: MIT
// lab: --uml=plain
// Checks of real servers and their effect on traffic: every type of check down and up, inhibit and removal, quorum and
// sorry server, withdrawn addresses, draining.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { after, afterEach, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../../../lab/topology.ts';
import { type Conf, eventually, type Lvsd } from './daemon.ts';
import { Site } from './site.ts';

const CERTIFICATE = '/run/lvsd-health-tls';
const SCRIPT = '/run/lvsd-health-script';
let site: Site;
let lvsd: Lvsd;

before(() => {
  const words = `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=shop.example
    -addext subjectAltName=DNS:shop.example -keyout ${CERTIFICATE}.key -out ${CERTIFICATE}.pem`;
  execFileSync('openssl', words.split(/\s+/), { stdio: 'pipe' });
  site = new Site({
    name: 'health',
    listen: ['8443 ssl'],
    server: `ssl_certificate ${CERTIFICATE}.pem; ssl_certificate_key ${CERTIFICATE}.key;`,
  });
  lvsd = site.lvsd;
  // Fails while there is a file with the real server's address and port in its name.
  writeFileSync(SCRIPT, `#!/bin/sh\n[ ! -e "/run/down-$LVSD_ADDRESS-$LVSD_PORT" ]\n`);
  chmodSync(SCRIPT, 0o755);
});
afterEach(async () => {
  await lvsd.stop();
  site.lvs.balancer.sysctl({ 'net.ipv4.vs.expire_quiescent_template': 0, 'net.ipv4.vs.expire_nodest_conn': 0 });
  site.clear();
});
after(async () => {
  await site?.close();
  for (const path of [SCRIPT, `${CERTIFICATE}.key`, `${CERTIFICATE}.pem`]) rmSync(path, { force: true });
});

const pace = { interval: '500ms', timeout: '450ms', rise: 2, fall: 2 };
/** For checks with programs and handshakes, which are slow on an emulated CPU. */
const slow = { interval: '2s', timeout: '1900ms', rise: 1, fall: 2 };
const http = { ...pace, type: 'http', path: '/healthz' };
const shop = { address: '10.99.0.11', port: 80, device: 'vip0', scheduler: 'rr', check: http };
const both = ['10.31.4.2', '10.31.5.2'];
const one = (more: Conf = {}): Conf => ({ version: 1, services: { shop: { ...shop, real_servers: both, ...more } } });

const IN = '-a -t 10.99.0.11:80 -r 10.31.5.2:80 -m -w 1';
const OUT = '-a -t 10.99.0.11:80 -r 10.31.5.2:80 -m -w 0';
const rs2In = () => until('rs2 to be in', () => site.rules().includes(IN), 20_000);
const rs2Gone = () => until('rs2 to be gone', () => !site.rules().some((rule) => rule.includes('10.31.5.2:')), 20_000);
const state = async (server: string) => (await lvsd.server('shop', server)).state;

test('every type of check takes a real server out and in again, and reports the reason', async () => {
  const at = (port: number, check: Conf, real = port) => ({
    ...{ address: '10.99.0.11', port, check: { ...slow, ...check }, device: 'vip0' },
    real_servers: [{ address: '10.31.5.2', port: real }],
  });
  const tls = { type: 'https', path: '/healthz', host: 'shop.example' };
  await lvsd.start({
    version: 1,
    services: {
      tcp: at(8001, { type: 'tcp' }),
      http: at(8002, { type: 'http', path: '/healthz', status: [200], body: { matches: '^well' } }),
      https: at(8443, { ...tls, tls: { ca: `${CERTIFICATE}.pem` } }),
      // The same server with a name that its certificate does not have: never in.
      wrong: { ...at(8444, { ...tls, tls: { ca: `${CERTIFICATE}.pem`, server_name: 'other.example' } }, 8443) },
      exec: at(8004, { type: 'exec', command: [SCRIPT] }),
    },
  });
  const states = async () => {
    const { services } = await lvsd.status();
    return services.map(({ name, realServers: [first] }) => `${name} ${first?.state}`).join(', ');
  };
  const become = (wanted: string) =>
    eventually(wanted, async () => (await states()) === wanted, 40_000).catch(async () => {
      assert.equal(await states(), wanted, lvsd.log);
    });
  await become('tcp up, http up, https up, wrong down, exec up');
  assert.match((await lvsd.server('wrong', '10.31.5.2:8443')).reason ?? '', /other\.example|name/i);

  site.block('rs2', [8001], 'reset');
  site.setHealthy('rs2:8002', false);
  site.setHealthy('rs2:8443', false);
  writeFileSync('/run/down-10.31.5.2-8004', '');
  await become('tcp down, http down, https down, wrong down, exec down');
  assert.equal(site.rules().filter((rule) => rule.startsWith('-a')).length, 0);
  const reason = async (service: string, server: string) => (await lvsd.server(service, server)).reason ?? '';
  assert.match(await reason('tcp', '10.31.5.2:8001'), /refused/i);
  assert.match(await reason('http', '10.31.5.2:8002'), /503/);
  assert.match(await reason('https', '10.31.5.2:8443'), /503/);
  assert.match(await reason('exec', '10.31.5.2:8004'), /status 1/);

  // Without an answer the server is down as well.
  site.block('rs2', [8001], 'silence');
  site.setHealthy('rs2:8002', true);
  site.setHealthy('rs2:8443', true);
  rmSync('/run/down-10.31.5.2-8004');
  await become('tcp down, http up, https up, wrong down, exec up');
  await eventually('the new reason', async () => /time|answer/i.test(await reason('tcp', '10.31.5.2:8001')));
  site.block('rs2', [], undefined);
  await become('tcp up, http up, https up, wrong down, exec up');
});

describe('a real server that is down', () => {
  test('is removed; requests then go to the other one without an error', async () => {
    await lvsd.start(one());
    site.setHealthy('rs2:80', false);
    await rs2Gone();
    const answers = await Promise.all([1, 2, 3, 4].map(() => site.get('http://10.99.0.11/')));
    assert.deepEqual(answers, ['rs1', 'rs1', 'rs1', 'rs1']);
    site.setHealthy('rs2:80', true);
    await rs2In();
    const again = [await site.get('http://10.99.0.11/'), await site.get('http://10.99.0.11/')];
    assert.deepEqual(again.sort(), ['rs1', 'rs2']);
  });

  test('is inhibited: its downloads go on, new connections go to the other one', async () => {
    await lvsd.start(one({ on_failure: 'inhibit' }));
    const downloads = await site.downloads('10.99.0.11', 4, 8);
    site.setHealthy('rs2:80', false);
    await until('weight 0', () => site.rules().includes(OUT), 20_000);
    assert.deepEqual([await site.get('http://10.99.0.11/'), await site.get('http://10.99.0.11/')], ['rs1', 'rs1']);
    assert.equal(await downloads.whole(), 'whole');
    site.setHealthy('rs2:80', true);
    await rs2In();
  });

  test('with start: down it is added after its first successful check, on a new service as well', async () => {
    site.setHealthy('rs2:80', false);
    await lvsd.start(one({ check: { ...http, start: 'down', rise: 1 } }));
    await until('rs1', () => site.rules().includes(IN.replace('5.2', '4.2')), 20_000);
    assert.equal(await state('10.31.5.2:80'), 'down');
    assert.ok(!site.rules().includes(IN));
    site.setHealthy('rs2:80', true);
    await rs2In();
  });

  test('a real server that a reload adds to a service is used after its first successful check', async () => {
    await lvsd.start(one({ real_servers: ['10.31.4.2'] }));
    site.setHealthy('rs2:80', false);
    await lvsd.reload(one());
    await sleep(1500);
    assert.ok(!site.rules().some((rule) => rule.includes('10.31.5.2:')));
    site.setHealthy('rs2:80', true);
    await rs2In();
  });
});

test('one probe for each target, however many services use it', async () => {
  const shared = { ...shop, real_servers: both, check: { ...http, interval: '1s', timeout: '900ms' } };
  await lvsd.start({
    version: 1,
    // Both services have the same two real servers, and so the same targets.
    services: { shop: shared, other: { ...shared, address: '10.99.0.12' } },
  });
  await sleep(1500);
  site.nginx.rs1.clearLog();
  const started = Date.now();
  await sleep(4000);
  const probes = site.nginx.rs1.log().filter(({ request }) => request.includes('/healthz')).length;
  const seconds = (Date.now() - started) / 1000;
  assert.ok(probes >= 2 && probes <= Math.ceil(seconds) + 1, `${probes} probes in ${seconds} s`);
  site.setHealthy('rs1:80', false);
  await until(
    'both services to be without it',
    () => !site.rules().some((rule) => rule.includes('10.31.4.2:80')),
    20_000,
  );
  await lvsd.logs(/shop: .*10\.31\.4\.2:80.* is down/);
  await lvsd.logs(/other: .*10\.31\.4\.2:80.* is down/);
});

describe('a quorum', () => {
  const four = [8001, 8002].flatMap((port) => both.map((address) => ({ address, port })));
  const names = ['rs1:8001', 'rs2:8001', 'rs1:8002', 'rs2:8002'];

  test('is lost below quorum - hysteresis, gained at quorum + hysteresis; the sorry server serves in between', async () => {
    const sorry = { sorry_server: '10.31.5.2:8004', quorum: 3, hysteresis: 1 };
    await lvsd.start(one({ ...sorry, real_servers: four }));
    const serving = () => site.rules().filter((rule) => rule.startsWith('-a') && !rule.endsWith('-w 0')).length;
    const sorryServes = () => site.rules().some((rule) => rule.includes('10.31.5.2:8004'));
    site.setHealthy('rs1:8001', false);
    site.setHealthy('rs2:8001', false);
    await until('two to be out', () => serving() === 2, 20_000);
    // 2 is not below 3 - 1.
    assert.equal((await lvsd.status()).services[0]?.quorum.up, true);
    site.setHealthy('rs1:8002', false);
    await until('the sorry server', sorryServes, 20_000);
    // The server that is up stays with weight 0, for its connections.
    assert.equal(serving(), 1);
    assert.ok(site.rules().some((rule) => rule.includes('10.31.5.2:8002') && rule.endsWith('-w 0')));
    assert.equal(await site.get('http://10.99.0.11/'), 'rs2');
    const { services } = await lvsd.status();
    assert.deepEqual([services[0]?.sorry, services[0]?.quorum], [true, { needed: 3, weight: 1, up: false }]);
    // 3 is below 3 + 1.
    for (const name of ['rs1:8001', 'rs2:8001']) site.setHealthy(name, true);
    await eventually('weight 3', async () => (await lvsd.status()).services[0]?.quorum.weight === 3);
    assert.ok(sorryServes());
    site.setHealthy('rs1:8002', true);
    await until('all four', () => serving() === 4 && !sorryServes(), 20_000);
    await lvsd.logs(/lost its quorum: weight 1, needs 2; sorry server in use/);
    await lvsd.logs(/reached its quorum: weight 4, needs 4; sorry server removed/);
  });

  test('lost with a sorry server: connections to real servers that are up or inhibited continue', async () => {
    await lvsd.start(one({ sorry_server: '10.31.5.2:8004', quorum: 2, on_failure: 'inhibit' }));
    const downloads = await site.downloads('10.99.0.11', 4, 4);
    site.setHealthy('rs1:80', false);
    const rules = () => site.rules().map((rule) => rule.replace(/.* -r | -m/g, ''));
    const wanted = ['10.31.4.2:80 -w 0', '10.31.5.2:80 -w 0', '10.31.5.2:8004 -w 1'].join();
    await until('the sorry server', () => rules().slice(1).join() === wanted, 20_000);
    assert.equal(await downloads.whole(), 'whole');
  });

  test('lost without a sorry server withdraws the address; it returns with the quorum', async () => {
    await lvsd.start(one({ quorum: 3, real_servers: four }));
    assert.deepEqual(site.addresses(), ['10.99.0.11/32 on vip0']);
    for (const name of names.slice(0, 2)) site.setHealthy(name, false);
    await until('the address to go', () => site.addresses().length === 0, 20_000);
    assert.equal(await site.get('http://10.99.0.11/'), '');
    site.setHealthy('rs1:8001', true);
    await until('the address', () => site.addresses().length === 1, 20_000);
    assert.match(await site.get('http://10.99.0.11/'), /^rs[12]$/);
  });
});

describe('draining', () => {
  test('by lvsctl: connections continue to their end; the drain survives reload and restart', async () => {
    await lvsd.start(one());
    const downloads = await site.downloads('10.99.0.11', 4, 15);
    const drained = await lvsd.ctl('drain', 'shop', '10.31.5.2:80');
    assert.deepEqual([drained.status, drained.stdout], [0, 'shop 10.31.5.2:80: drained\n'], drained.stderr);
    assert.ok(site.rules().includes(OUT));
    assert.deepEqual([await site.get('http://10.99.0.11/'), await site.get('http://10.99.0.11/')], ['rs1', 'rs1']);
    await lvsd.reload(one({ scheduler: 'wrr' }));
    assert.ok(site.rules().includes(OUT));
    await sleep(1000);
    await lvsd.kill();
    await lvsd.start(one());
    assert.ok(site.rules().includes(OUT));
    const { state: now, override } = await lvsd.server('shop', '10.31.5.2:80');
    assert.deepEqual([now, override], ['draining', 'drain']);
    assert.match((await lvsd.ctl('status')).stdout, / draining .* drained by the operator/);
    assert.equal(await downloads.whole(), 'whole');
    const undrained = await lvsd.ctl('undrain', '10.31.5.2:80');
    assert.equal(undrained.status, 0, undrained.stderr);
    assert.ok(site.rules().includes(IN));
    assert.equal((await lvsd.ctl('drain', 'shop', '10.31.6.6:80')).status, 2);
  });

  test('weight, disable and force-up: shown with user, time and reason; kept over reload, restart and reboot', async () => {
    const overrides = `${lvsd.dir}/overrides.json`;
    rmSync(overrides, { force: true });
    const start = () => lvsd.start(one(), '--overrides', overrides);
    const rules = () => site.rules().filter((rule) => rule.includes(' -r '));
    const rule = (rs: string, weight: number) => `-a -t 10.99.0.11:80 -r ${rs}:80 -m -w ${weight}`;
    const [rs1, rs2] = ['10.31.4.2', '10.31.5.2'] as const;
    await start();
    const ctl = async (...words: string[]) => {
      const { status, stderr } = await lvsd.ctl(...words);
      assert.equal(status, 0, stderr);
      return stderr;
    };
    await ctl('weight', 'shop', `${rs1}:80`, '7', '--reason', 'CHG-123');
    assert.deepEqual(rules(), [rule(rs1, 7), rule(rs2, 1)]);
    await ctl('disable', `${rs2}:80`);
    assert.deepEqual(rules(), [rule(rs1, 7)]);
    await ctl('force-up', `${rs2}:80`);
    site.block('rs2', [80], 'reset');
    await lvsd.reload(one({ scheduler: 'wrr' }));
    await sleep(3000);
    assert.deepEqual(rules(), [rule(rs1, 7), rule(rs2, 1)]);
    // After a reboot there is neither the state file nor the table.
    await lvsd.stop();
    rmSync(lvsd.state);
    site.ipvsadm('-C');
    await start();
    await sleep(3000);
    assert.deepEqual(rules(), [rule(rs1, 7), rule(rs2, 1)]);
    const { overrides: listed, weight, effectiveWeight } = await lvsd.server('shop', `${rs1}:80`);
    const [{ at, ...override } = {}] = listed ?? [];
    assert.deepEqual(
      [override, weight, effectiveWeight],
      [{ kind: 'weight', weight: 7, by: 'root', reason: 'CHG-123' }, 1, 7],
    );
    assert.ok(Math.abs(Date.now() - (at ?? 0)) < 600_000);
    const shown = (await lvsd.ctl('status')).stdout;
    assert.match(shown, / 7 of 1 .* weight set by the operator: 7 \(root, \d+\w( \d+\w)? ago: CHG-123\)/);
    assert.match(shown, / up .* forced up by the operator \(root, /);
    await ctl('enable', `${rs2}:80`);
    await until('the check to decide', () => rules().length === 1, 20_000);
    assert.match(await ctl('drain', `${rs1}:80`), /shop \(tcp 10\.99\.0\.11:80\) has no quorum: weight 0, needs 1/);
    site.block('rs2', [], undefined);
    // The server leaves the file: its overrides are shown and can be ended.
    await lvsd.reload(one({ real_servers: [rs2] }));
    await lvsd.logs(
      /the override "drain" of real server 10\.31\.4\.2:80 is kept without effect: the file has no such server/,
    );
    assert.match((await lvsd.ctl('status')).stdout, /^not in the file: shop 10\.31\.4\.2:80: drained by the operator/m);
    await ctl('undrain', `${rs1}:80`);
    await ctl('weight', `${rs1}:80`, 'reset');
    assert.equal((await lvsd.status()).orphans?.length, 0);
    // A service that is renamed keeps its overrides.
    await ctl('drain', `${rs2}:80`);
    await lvsd.reload({ ...one(), services: { renamed: { ...shop, real_servers: both } } });
    assert.equal((await lvsd.server('renamed', `${rs2}:80`)).override, 'drain');
    await ctl('undrain', 'renamed', `${rs2}:80`);
    rmSync(overrides);
  });

  test('on a full disk an override is in effect, shown as not saved, and saved once there is room', async () => {
    const disk = `${lvsd.dir}/disk`;
    mkdirSync(disk, { recursive: true });
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8k', 'none', disk]);
    try {
      writeFileSync(`${disk}/full`, Buffer.alloc(8192));
      await lvsd.start(one(), '--overrides', `${disk}/overrides.json`);
      const { status, stdout, stderr } = await lvsd.ctl('drain', 'shop', '10.31.4.2:80');
      assert.equal(status, 1);
      assert.match(stdout, /^shop 10\.31\.4\.2:80: drained$/m);
      assert.match(stderr, /in effect, but not saved, so that a reboot would end it; lvsd tries again: ENOSPC/);
      assert.ok(site.rules().some((rule) => rule.includes(' -r 10.31.4.2:80 -m -w 0')));
      assert.match((await lvsd.ctl('status')).stdout, /^overrides are not saved for .*ENOSPC/m);
      rmSync(`${disk}/full`);
      await lvsd.logs(/the overrides are saved again/);
      assert.match(readFileSync(`${disk}/overrides.json`, 'utf8'), /"server":"10\.31\.4\.2:80","kind":"drain"/);
      assert.deepEqual((await lvsd.status()).files, []);
      // A file that others may write is not used after a reboot, shown, and kept when it is replaced.
      await lvsd.stop();
      rmSync(lvsd.state);
      chmodSync(`${disk}/overrides.json`, 0o666);
      await lvsd.start(one(), '--overrides', `${disk}/overrides.json`);
      assert.match((await lvsd.ctl('status')).stdout, /overrides\.json was ignored at the start, .*may write to it$/m);
      assert.equal((await lvsd.ctl('drain', 'shop', '10.31.4.2:80')).status, 0);
      assert.ok(readdirSync(disk).some((name) => name.startsWith('overrides.json.ignored-')));
    } finally {
      await lvsd.stop();
      execFileSync('umount', ['-l', disk]);
    }
  });

  test('of all real servers: the quorum is lost, connections continue', async () => {
    await lvsd.start(one());
    const downloads = await site.downloads('10.99.0.11', 4, 4);
    for (const server of ['10.31.4.2:80', '10.31.5.2:80'])
      assert.equal((await lvsd.ctl('drain', 'shop', server)).status, 0);
    await lvsd.logs(/lost its quorum: weight 0/);
    assert.deepEqual(site.addresses(), ['10.99.0.11/32 on vip0']);
    assert.equal(await site.get('http://10.99.0.11/'), '');
    assert.equal(await downloads.whole(), 'whole');
  });

  test('of a real server that left the file: weight 0 while it has connections, removed at once without any', async () => {
    await lvsd.start(one({ drain: '20s' }));
    const downloads = await site.downloads('10.99.0.11', 4, 8);
    await lvsd.reload(one({ drain: '20s', real_servers: ['10.31.4.2'] }));
    assert.ok(site.rules().includes(OUT));
    assert.deepEqual(await lvsd.plan(), []);
    assert.equal(await state('10.31.5.2:80'), 'draining');
    // The drain continues after a restart.
    await sleep(1000);
    await lvsd.kill();
    await lvsd.start();
    assert.ok(site.rules().includes(OUT));
    assert.equal(await downloads.whole(), 'whole');
    await rs2Gone();
    // A real server without connections is removed at once.
    await lvsd.reload(one({ drain: '10m', port: 8001 }));
    await lvsd.reload(one({ drain: '10m', port: 8001, real_servers: ['10.31.4.2'] }));
    await rs2Gone();
  });

  test('of a local address: listed while it has connections, then removed from service and device', async () => {
    const full = (addresses: string[]): Conf => ({
      version: 1,
      timeouts: { tcp_fin: '1s' },
      local_addresses: { inner: { device: 'in0', addresses } },
      services: { shop: { ...shop, real_servers: both, forward: 'fullnat', local_addresses: 'inner' } },
    });
    await lvsd.start(full(['10.31.3.101', '10.31.3.102']));
    const downloads = await site.downloads('10.99.0.11', 4, 6);
    await lvsd.reload(full(['10.31.3.102']));
    const listed = site.lvs.balancer.run('lvsadm -G').stdout;
    assert.match(listed, /10\.31\.3\.101/);
    assert.ok(site.addresses().includes('10.31.3.101/32 on in0'));
    assert.equal(await downloads.whole(), 'whole');
    await until('the device to be without it', () => !site.addresses().includes('10.31.3.101/32 on in0'), 30_000);
    assert.doesNotMatch(site.lvs.balancer.run('lvsadm -G').stdout, /10\.31\.3\.101/);
    assert.match(await site.get('http://10.99.0.11/'), /^rs[12]$/);
  });
});

describe('settings of the kernel', () => {
  const sysctl = (name: string) => site.lvs.balancer.run(['sysctl', '-n', `net.ipv4.vs.${name}`]).stdout.trim();
  const values = () => [sysctl('expire_quiescent_template'), sysctl('expire_nodest_conn')];
  const persistent = { persistence: { timeout: '5m' }, on_failure: 'inhibit' };

  test('with persistence a real server that is inhibited or drained gets no new connection', async () => {
    await lvsd.start(one(persistent));
    assert.deepEqual(values(), ['1', '0']);
    const first = await site.get('http://10.99.0.11/');
    const [address, other] = first === 'rs1' ? ['10.31.4.2:80', 'rs2'] : ['10.31.5.2:80', 'rs1'];
    assert.equal(await site.get('http://10.99.0.11/'), first);
    site.setHealthy(`${first}:80`, false);
    await until('weight 0', () => site.rules().some((rule) => rule.includes(`${address} -m -w 0`)), 20_000);
    assert.equal(await site.get('http://10.99.0.11/'), other);
    site.setHealthy(`${first}:80`, true);
    await until('weight 1', () => site.rules().every((rule) => !rule.endsWith('-w 0')), 20_000);
    await lvsd.ctl('drain', other === 'rs1' ? '10.31.4.2:80' : '10.31.5.2:80');
    assert.equal(await site.get('http://10.99.0.11/'), first);
  });

  test('on_failure: remove ends the connections of the real server', async () => {
    await lvsd.start(one({ scheduler: 'wrr' }));
    assert.deepEqual(values(), ['0', '1']);
    // A request a second over one connection; after a reset curl opens another.
    const words = ['curl', '-s', '-m', '4', '--rate', '1/s', 'http://10.99.0.11/?[1-15]'];
    const running = site.lvs.client.spawn(words);
    await until('answers', () => running.stdout().length > 6, 20_000);
    const first = running.stdout().slice(0, 3);
    site.setHealthy(`${first}:80`, false);
    const status = await new Promise((done) => running.child.once('close', done));
    const answers = running.stdout().match(/rs[12]/g) ?? [];
    assert.deepEqual([status, answers.length], [0, 15], running.stdout() + running.stderr());
    assert.equal(answers.at(-1), first === 'rs1' ? 'rs2' : 'rs1');
  });

  test('are set again if another program changes them, and reset by on_stop: remove', async () => {
    await lvsd.start({ ...one(persistent), on_stop: 'remove' });
    site.lvs.balancer.sysctl({ 'net.ipv4.vs.expire_quiescent_template': 0 });
    await until('the setting', () => values()[0] === '1', 10_000);
    await lvsd.logs(/changed by another program: net\.ipv4\.vs\.expire_quiescent_template was set to 0/);
    await lvsd.kill();
    await lvsd.start();
    await lvsd.stop();
    assert.deepEqual(values(), ['0', '0']);
  });
});

test('the number of open files does not grow with checks, and no process outlives its daemon', async () => {
  await lvsd.start(one({ check: { ...http, interval: '100ms', timeout: '100ms' } }));
  const open = () => site.lvs.balancer.run(`ls /proc/${lvsd.pid}/fd | wc -l`).stdout.trim();
  await sleep(1000);
  const before = Number(open());
  await sleep(2000);
  assert.ok(Number(open()) <= before + 3, `${before} open files, then ${open()}`);
  const children = site.lvs.balancer.run(`pgrep -P ${lvsd.pid} || true`).stdout.split('\n').filter(Boolean);
  assert.ok(children.length > 0);
  await lvsd.kill();
  await until('its processes to end', () => children.every((pid) => !existsSync(`/proc/${pid}`)), 10_000);
});
