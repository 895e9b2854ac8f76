// SPDX-License-Identifier: MIT
// lab: --uml=plain
// Invariants of the daemon: at start, at stop, after drift, after kill -9, when the kernel refuses an operation, and
// for users other than root.
import assert from 'node:assert/strict';
import { copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { after, afterEach, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../../../lab/topology.ts';
import { type Conf, eventually, type Lvsd } from './daemon.ts';
import { Site } from './site.ts';
import { Trace } from './trace.ts';

let site: Site;
let trace: Trace;
let lvsd: Lvsd;

before(async () => {
  site = new Site({ name: 'invariants' });
  lvsd = site.lvsd;
  trace = await Trace.open(site.lvs.balancer);
});
/** Each test begins without a daemon, a table and state. */
afterEach(async () => {
  await lvsd.stop();
  site.clear();
  trace.take();
});
after(async () => {
  trace?.close();
  await site?.close();
});

const check = { type: 'tcp', interval: '500ms', timeout: '450ms', rise: 2, fall: 2 };
const shop = {
  ...{ address: '10.99.0.11', port: 80, device: 'vip0', scheduler: 'rr' },
  real_servers: ['10.31.4.2', '10.31.5.2'],
};
const conf = (more: Conf = {}, services: Conf = { shop }): Conf => ({ version: 1, services, ...more });
const checked = conf({ defaults: { check } });

const RULES = [
  '-A -t 10.99.0.11:80 -s rr',
  '-a -t 10.99.0.11:80 -r 10.31.4.2:80 -m -w 1',
  '-a -t 10.99.0.11:80 -r 10.31.5.2:80 -m -w 1',
];
const FOREIGN = ['-A -t 10.99.0.99:99 -s wlc', '-a -t 10.99.0.99:99 -r 10.31.4.2:99 -m -w 1'];
const restore = (rules: string[]) =>
  site.lvs.balancer.run(['ipvsadm', '-R'], { input: rules.map((rule) => `${rule}\n`).join('') });

describe('start', () => {
  test('keeps the table that it finds: only the difference is sent to the kernel', async () => {
    restore([...RULES.slice(0, 2), '-a -t 10.99.0.11:80 -r 10.31.5.2:80 -m -w 7', ...FOREIGN]);
    trace.take();
    await lvsd.start(conf());
    assert.deepEqual(trace.take(), ['SET_DEST tcp 10.99.0.11:80 10.31.5.2:80 nat w1', 'NEW_ADDR 10.99.0.11/32 vip0']);
    assert.deepEqual(site.rules(), [...RULES, ...FOREIGN].sort());
  });

  test('manage: all removes services that the file does not name, at the start', async () => {
    restore([...RULES, ...FOREIGN]);
    trace.take();
    await lvsd.start(conf({ manage: 'all' }));
    assert.deepEqual(trace.take(), ['NEW_ADDR 10.99.0.11/32 vip0', 'DEL_SERVICE tcp 10.99.0.99:99']);
  });

  test('a service that leaves the file is removed, also if this happens while lvsd does not run', async () => {
    const both = conf({}, { shop, other: { ...shop, port: 8001 } });
    await lvsd.start(both);
    restore(FOREIGN);
    await lvsd.stop();
    trace.take();
    await lvsd.start(conf());
    assert.deepEqual(trace.take(), ['DEL_SERVICE tcp 10.99.0.11:8001']);
    await lvsd.reload(both);
    trace.take();
    await lvsd.reload(conf());
    assert.deepEqual(trace.take(), ['DEL_SERVICE tcp 10.99.0.11:8001']);
    assert.deepEqual(site.rules(), [...RULES, ...FOREIGN].sort());
  });

  test('on_stop: keep changes nothing, and traffic goes on', async () => {
    await lvsd.start(conf());
    trace.take();
    await lvsd.stop();
    assert.deepEqual(trace.take(), []);
    assert.match(await site.get('http://10.99.0.11/'), /^rs[12]$/);
  });

  test('on_stop: remove removes the addresses, then the services, of lvsd only', async () => {
    await lvsd.start(conf({ on_stop: 'remove' }));
    restore(FOREIGN);
    trace.take();
    await lvsd.stop();
    assert.deepEqual(trace.take(), ['DEL_ADDR 10.99.0.11/32 vip0', 'DEL_SERVICE tcp 10.99.0.11:80']);
    assert.deepEqual(site.rules(), FOREIGN);
  });

  test('two daemons on one socket: the second one ends, and the first goes on', async () => {
    await lvsd.start(conf());
    const second = await lvsd.run('lvsd', 'run', '-f', lvsd.file, '--socket', lvsd.socket, '--state', '/run/second');
    assert.equal(second.status, 1);
    assert.match(second.stderr, /control\.sock/);
    assert.doesNotMatch(second.stderr, /\n +at /);
    assert.equal((await lvsd.client.call('ping', {})).pid, lvsd.pid);
  });
});

describe('programs', () => {
  test('plan and apply work without a daemon and with one', async () => {
    lvsd.write(conf());
    site.lvs.balancer.run(['sysctl', '-qw', 'net.ipv4.vs.expire_nodest_conn=0']);
    const plan = await lvsd.run('lvsd', 'plan', ...lvsd.paths);
    assert.equal(plan.status, 3, plan.stderr);
    assert.equal(
      plan.stdout,
      `+ tcp 10.99.0.11:80 scheduler rr
+ tcp 10.99.0.11:80 real server 10.31.4.2:80 forward masquerade, weight 1
+ tcp 10.99.0.11:80 real server 10.31.5.2:80 forward masquerade, weight 1
+ virtual address 10.99.0.11/32 on vip0
~ net.ipv4.vs.expire_nodest_conn 0 → 1
4 to add, 1 to change, 0 to remove
`,
    );
    const json = await lvsd.run('lvsd', 'plan', '--json', ...lvsd.paths);
    assert.deepEqual(JSON.parse(json.stdout).lines.at(-1), {
      sign: '~',
      text: 'net.ipv4.vs.expire_nodest_conn 0 → 1',
    });
    assert.deepEqual(trace.take(), []);
    const apply = await lvsd.run('lvsd', 'apply', ...lvsd.paths);
    assert.deepEqual([apply.status, apply.stdout], [0, plan.stdout], apply.stderr);
    assert.deepEqual(site.rules(), RULES);
    const again = await lvsd.run('lvsd', 'plan', ...lvsd.paths);
    assert.deepEqual([again.status, again.stdout], [0, 'no difference\n'], again.stderr);
    trace.take();

    await lvsd.start();
    assert.deepEqual(trace.take(), []);
    lvsd.write(conf({}, { shop: { ...shop, scheduler: 'wrr', on_failure: 'inhibit' } }));
    const planned = await lvsd.run('lvsd', 'plan', ...lvsd.paths);
    assert.equal(planned.status, 3);
    assert.match(planned.stdout, /^~ net\.ipv4\.vs\.expire_nodest_conn 1 → 0$/m);
    assert.match(planned.stdout, /^~ tcp 10\.99\.0\.11:80 scheduler rr → wrr$/m);
    const reloaded = await lvsd.run('lvsd', 'apply', ...lvsd.paths);
    assert.deepEqual([reloaded.status, reloaded.stderr], [0, '']);
    assert.deepEqual(trace.take(), ['SET_SERVICE tcp 10.99.0.11:80 wrr']);
  });

  test('run --once applies the file and ends', async () => {
    lvsd.write(checked);
    const once = await lvsd.run('lvsd', 'run', '--once', ...lvsd.paths);
    assert.equal(once.status, 0, once.stderr);
    assert.deepEqual(site.rules(), RULES);
    assert.deepEqual(await lvsd.run('lvsd', 'plan', ...lvsd.paths).then(({ status }) => status), 0);
  });

  test('an unprivileged user may check a file, but not plan', async () => {
    lvsd.write(conf());
    const file = '/tmp/lvsd-nobody.yaml';
    copyFileSync(lvsd.file, file);
    const asNobody = (line: string) =>
      site.lvs.balancer.exec(['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', 'sh', '-c', line], {
        accept: 'any',
      });
    const right = await asNobody(`lvsd check -f ${file}`);
    assert.equal(right.status, 0, right.stderr);
    const plan = await asNobody(`lvsd plan -f ${file} --socket /run/none.sock --state /run/none.json`);
    assert.equal(plan.status, 4, plan.stderr + plan.stdout);
    assert.match(plan.stderr, /needs root or CAP_NET_ADMIN \(EPERM\): run it with sudo/);
    assert.equal(plan.stderr.trim().split('\n').length, 1, plan.stderr);
    rmSync(file);
  });
});

describe('drift', () => {
  const pool = { inner: { device: 'in0', addresses: ['10.31.3.101'] } };
  const fast = conf({ resync: '2s', defaults: { check }, local_addresses: pool });
  const placed = '10.31.3.101/32 on in0,10.99.0.11/32 on vip0';
  const repaired = async (command: string, message: RegExp) => {
    const already = lvsd.log.length;
    site.lvs.balancer.run(command);
    await lvsd.logs(message, already);
    await until('the repair', () => JSON.stringify(site.rules()) === JSON.stringify(RULES), 20_000);
    await until('the addresses', () => site.addresses().join() === placed, 20_000);
    assert.deepEqual(await lvsd.plan(), []);
  };

  test('of every kind is described in the log and repaired', async () => {
    await lvsd.start(fast);
    await repaired('ipvsadm -D -t 10.99.0.11:80', /changed by another program: tcp 10\.99\.0\.11:80 was deleted/);
    await repaired(
      'ipvsadm -e -t 10.99.0.11:80 -r 10.31.4.2:80 -m -w 5',
      /changed by another program: weight of real server 10\.31\.4\.2:80 of tcp 10\.99\.0\.11:80 is 5, not 1/,
    );
    await repaired(
      'ipvsadm -d -t 10.99.0.11:80 -r 10.31.4.2:80',
      /changed by another program: real server 10\.31\.4\.2:80 of tcp 10\.99\.0\.11:80 was deleted/,
    );
    await repaired(
      'ipvsadm -E -t 10.99.0.11:80 -s wlc -p 60',
      /changed by another program: scheduler of tcp 10\.99\.0\.11:80 is wlc, not rr/,
    );
    await repaired(
      'ip addr del 10.99.0.11/32 dev vip0',
      /changed by another program: address 10\.99\.0\.11\/32 on vip0 was deleted/,
    );
    await repaired(
      'ip addr del 10.31.3.101/32 dev in0',
      /changed by another program: address 10\.31\.3\.101\/32 on in0 was deleted/,
    );
    const events = await lvsd.events();
    assert.equal(events.filter(({ kind }) => kind === 'table.drift').length >= 6, true);
    assert.ok(!/ is down/.test(lvsd.log), lvsd.log);
  });

  test('the whole table cleared: repaired, and services added by others are left alone', async () => {
    const two = conf({ resync: '2s' }, { shop, other: { ...shop, port: 8001 } });
    await lvsd.start(two);
    const rules = site.rules();
    site.ipvsadm('-C');
    await lvsd.logs(/changed by another program: the whole table was cleared/);
    await until('the repair', () => JSON.stringify(site.rules()) === JSON.stringify(rules), 20_000);
    restore(FOREIGN);
    trace.take();
    await sleep(3000);
    assert.deepEqual(trace.take(), []);
  });

  test('while paused nothing is written; the difference is applied on resume', async () => {
    await lvsd.start(fast);
    await lvsd.client.call('pause', { on: true });
    site.ipvsadm('-C');
    trace.take();
    await sleep(3000);
    assert.deepEqual(trace.take(), []);
    lvsd.write(conf({}, { shop: { ...shop, scheduler: 'wrr' } }));
    const plan = await lvsd.ctl('plan');
    assert.deepEqual(
      [plan.status, plan.stderr],
      [3, 'lvsctl: lvsd is paused: nothing of this is written until lvsctl resume\n'],
    );
    const apply = await lvsd.run('lvsd', 'apply', ...lvsd.paths);
    assert.equal(apply.status, 1, apply.stderr);
    assert.match(apply.stderr, /accepted, but lvsd is paused/);
    assert.deepEqual(trace.take(), []);
    await lvsd.reload(fast);
    await lvsd.client.call('pause', { on: false });
    assert.deepEqual(site.rules(), RULES);
  });

  test('the clock is set: status shows correct ages, before and after a restart', async () => {
    await lvsd.start(checked);
    const step = (by: string) => site.lvs.balancer.run(['date', '-s', by]);
    const shown = async () => {
      const { stdout } = await lvsd.ctl('status');
      // The age of the daemon, and of each real server that is checked.
      return [/pid \d+, for (.*)$/m.exec(stdout)?.[1] ?? '?', ...(stdout.match(/ up +(?:\d+\w )?\d+\w /g) ?? [])];
    };
    await sleep(2000);
    const steps = ['+2 hours', '-5 hours', '+3 hours'];
    for (const [index, by] of steps.entries()) {
      step(by);
      if (index === 1) {
        await lvsd.stop();
        await lvsd.start();
      }
      const [daemon, ...servers] = await shown();
      // A daemon that has just been started again is 0 s old.
      assert.match(daemon ?? '', /^\d\d?s$|^\dm/, by);
      assert.equal(servers.length, 2);
      for (const server of servers) assert.match(server, /^ up +(?:[1-9]|\d\d)s $|^ up +\dm/, by);
    }
  });
});

describe('kill -9', () => {
  test('the next start writes nothing, connections go on, and every server keeps its state', async () => {
    await lvsd.start(checked);
    site.block('rs2', [80], 'reset');
    await until('rs2 to be out', () => !site.table().includes('0A1F0502'), 20_000);
    const downloads = await site.downloads('10.99.0.11', 4, 12);
    // The state file is written with a delay.
    await sleep(1500);
    await lvsd.kill();
    trace.take();
    const already = lvsd.log.length;
    await lvsd.start();
    await sleep(3000);
    assert.deepEqual(trace.take(), []);
    assert.doesNotMatch(lvsd.log.slice(already), / is (up|down)/);
    assert.equal((await lvsd.server('shop', '10.31.5.2:80')).state, 'down');
    assert.equal((await lvsd.server('shop', '10.31.4.2:80')).state, 'up');
    site.block('rs2', [], undefined);
    await until('rs2 to be back', () => site.table().includes('0A1F0502'), 20_000);
    assert.equal(await downloads.whole(), 'whole');
  });

  test('without its state file, lvsd takes the states from the table', async () => {
    await lvsd.start(checked);
    site.block('rs2', [80], 'reset');
    await until('rs2 to be out', () => !site.table().includes('0A1F0502'), 20_000);
    await lvsd.kill();
    rmSync(lvsd.state);
    trace.take();
    await lvsd.start();
    await sleep(2000);
    assert.deepEqual(trace.take(), []);
    assert.equal((await lvsd.server('shop', '10.31.5.2:80')).state, 'down');
  });

  test('a damaged state file is reported and ignored', async () => {
    await lvsd.start(checked);
    await lvsd.kill();
    const text = readFileSync(lvsd.state, 'utf8');
    const damaged = text.replace('"up":true', '"up":null');
    assert.notEqual(damaged, text);
    writeFileSync(lvsd.state, damaged);
    const already = lvsd.log.length;
    await lvsd.start();
    await lvsd.logs(/state\.json ignored, starting without state: its checksum is wrong/, already);
    assert.deepEqual(site.rules(), RULES);
  });
});

describe('one operation that the kernel refuses', () => {
  test('a missing device: reported, other services work, and the address is added once the device exists', async () => {
    const lost = { ...shop, address: '10.99.0.12', device: 'vip9' };
    await lvsd.start(conf({}, { lost, shop }));
    await lvsd.logs(/10\.99\.0\.12\/32 on vip9: .*vip9.*attempt 1, next one in 1 s/);
    assert.match(await site.get('http://10.99.0.11/'), /^rs[12]$/);
    const { services } = await lvsd.status();
    assert.match(services.find(({ name }) => name === 'lost')?.error ?? '', /vip9/);
    assert.equal(services.find(({ name }) => name === 'shop')?.error, undefined);
    await lvsd.logs(/attempt 3, next one in 4 s/);
    site.lvs.balancer.ip('link add vip9 type dummy', 'link set vip9 up');
    await until('the address', () => site.addresses().includes('10.99.0.12/32 on vip9'), 10_000);
    await eventually('no service to have an error', async () =>
      (await lvsd.status()).services.every(({ error }) => !error),
    );
    assert.deepEqual(await lvsd.plan(), []);
    site.lvs.balancer.ip('link del vip9');
  });

  test('a scheduler whose module cannot be loaded: the service is retried, others are not affected', async () => {
    const modules = '/run/modprobe.d/lvsd-test.conf';
    site.lvs.balancer.run(
      `rmmod ip_vs_ovf 2>/dev/null; mkdir -p /run/modprobe.d; echo 'install ip_vs_ovf /bin/false' > ${modules}`,
    );
    const odd = { ...shop, port: 8001, scheduler: 'ovf' };
    await lvsd.start(conf({}, { odd, shop }));
    await lvsd.logs(/tcp 10\.99\.0\.11:8001 scheduler ovf: .*attempt 1, next one in 1 s/);
    assert.deepEqual(site.rules(), RULES);
    // Meanwhile operations of other services are done, and the failed one is not repeated.
    await lvsd.reload(conf({}, { odd, shop: { ...shop, scheduler: 'wrr' } }));
    assert.match(site.rules().join('\n'), /10\.99\.0\.11:80 -s wrr/);
    rmSync(modules);
    await until('the service', () => site.rules().includes('-A -t 10.99.0.11:8001 -s ovf'), 20_000);
    await lvsd.logs(/odd: recovered/);
  });
});
