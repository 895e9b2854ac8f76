// SPDX-License-Identifier: MIT
// Debian's ipvsadm and keepalived, unmodified, on the patched modules: the kernel's table and real connections.
import assert from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import { after, afterEach, before, describe, test } from 'node:test';
import { type LvsTopology, lvsTopology, type Running, startNginx, until } from '../../../lab/topology.ts';

let lvs: LvsTopology;

before(() => {
  lvs = lvsTopology();
  lvs.balancer.run('modprobe ip_vs && modprobe xt_ipvs');
  assert.ok(existsSync('/proc/net/ip_vs_ext_stats'), 'these are not the patched modules');
  startNginx(lvs.rs1);
  // Plain NAT: the real servers send everything back through the balancer.
  for (const [rs, gateway] of [
    [lvs.rs1, '10.31.4.1'],
    [lvs.rs2, '10.31.5.1'],
  ] as const) {
    rs.ip(`route add default via ${gateway}`);
  }
  lvs.inside.ip('route add default via 10.31.3.2');
});
after(() => lvs.destroy());

const ipvsadm = (line: string, input?: string) =>
  lvs.balancer.run(['ipvsadm', ...line.split(' ')], input === undefined ? {} : { input }).stdout;
const rules = () => ipvsadm('-Sn').trim().split('\n').filter(Boolean);
const fetch = () => lvs.client.run(['curl', '-s', '--max-time', '20', `http://${lvs.vip}/`]).stdout;

describe('ipvsadm', () => {
  afterEach(() => ipvsadm('-C'));

  test('adds, edits, lists, saves, restores and deletes', () => {
    const wanted = [
      '-A -t 10.99.0.10:80 -s wlc -p 300 -M 255.255.255.0',
      '-a -t 10.99.0.10:80 -r 10.31.4.2:80 -m -w 3 -x 100 -y 50',
      '-a -t 10.99.0.10:80 -r 10.31.5.2:80 -g -w 1',
      '-A -u 10.99.0.10:53 -s rr -o',
      '-a -u 10.99.0.10:53 -r 10.31.4.2:53 -i -w 1 --tun-type ipip',
      '-A -t [2001:db8::10]:80 -s sh -b sh-port',
      '-a -t [2001:db8::10]:80 -r [2001:db8:1::2]:80 -m -w 1',
      '-A -f 7 -s mh -b mh-fallback,mh-port',
    ];
    for (const line of wanted) ipvsadm(line);
    // -S prints no thresholds, on any kernel.
    const saved = wanted.map((line) => line.replace(' -x 100 -y 50', ''));
    assert.deepEqual(rules().sort(), saved.sort());
    assert.match(ipvsadm('-Ln --thresholds'), /10\.31\.4\.2:80 +100 +50 /);

    ipvsadm('-E -t 10.99.0.10:80 -s rr');
    ipvsadm('-e -t 10.99.0.10:80 -r 10.31.5.2:80 -m -w 9');
    const listed = ipvsadm('-Ln -t 10.99.0.10:80');
    assert.match(
      listed,
      /^TCP {2}10\.99\.0\.10:80 rr persistent 300 mask 255\.255\.255\.0$|^TCP {2}10\.99\.0\.10:80 rr$/m,
    );
    assert.match(listed, /-> 10\.31\.4\.2:80 +Masq +3 /);
    assert.match(listed, /-> 10\.31\.5\.2:80 +Masq +9 /);

    const before = rules();
    ipvsadm('-C');
    assert.deepEqual(rules(), []);
    ipvsadm('-R', `${before.join('\n')}\n`);
    assert.deepEqual(rules().sort(), before.sort());
    ipvsadm('-d -t 10.99.0.10:80 -r 10.31.5.2:80');
    ipvsadm('-D -f 7');
    assert.equal(rules().length, before.length - 2);
  });

  test('its errors are unchanged', () => {
    ipvsadm('-A -t 10.99.0.10:80 -s rr');
    const twice = lvs.balancer.run(['ipvsadm', '-A', '-t', '10.99.0.10:80', '-s', 'rr'], { accept: 'any' });
    assert.notEqual(twice.status, 0);
    assert.match(twice.stderr, /Service already exists/);
    const missing = lvs.balancer.run(['ipvsadm', '-d', '-t', '10.99.0.10:80', '-r', '10.0.0.1:80'], { accept: 'any' });
    assert.match(missing.stderr, /No such destination/);
  });

  test('a NAT service carries connections, counts them and lists them', async () => {
    ipvsadm('-A -t 10.99.0.10:80 -s rr');
    ipvsadm('-a -t 10.99.0.10:80 -r 10.31.4.2:80 -m');
    for (let n = 0; n < 5; n += 1) assert.equal(fetch(), 'rs1\n');
    // The kernel sums its per-CPU counters every two seconds.
    await until('5 connections in --stats', () => /10\.31\.4\.2:80 +5 /.test(ipvsadm('-Ln --stats')));
    assert.match(ipvsadm('-Lnc'), /TCP .* 10\.1\.0\.2:\d+ +10\.99\.0\.10:80 +10\.31\.4\.2:80/);
    ipvsadm('--set 901 121 301');
    assert.match(ipvsadm('-L --timeout'), /901 121 301/);
    ipvsadm('--set 900 120 300');
  });

  test("iptables' ipvs match sees the connections", () => {
    ipvsadm('-A -t 10.99.0.10:80 -s rr');
    ipvsadm('-a -t 10.99.0.10:80 -r 10.31.4.2:80 -m');
    const rule = '-p tcp -m ipvs --vaddr 10.99.0.10/32 --vport 80 --vmethod MASQ -j ACCEPT';
    lvs.balancer.run(`iptables -t filter -A POSTROUTING ${rule} || iptables -t mangle -A POSTROUTING ${rule}`);
    assert.equal(fetch(), 'rs1\n');
    const listed = lvs.balancer.run('iptables -t mangle -nvxL POSTROUTING').stdout;
    assert.match(listed, /^ *[1-9]\d* +\d+ ACCEPT .*vmethod MASQ/m, listed);
    lvs.balancer.run('iptables -t mangle -F');
  });
});

describe('keepalived', () => {
  const dir = '/run/peers';
  const config = (servers: string[]) => `
global_defs {
  checker_log_all_failures
}
virtual_server 10.99.0.10 80 {
  delay_loop 1
  lvs_sched wrr
  lvs_method NAT
  protocol TCP
${servers.map((address) => `  real_server ${address} 80 {\n    weight 2\n    TCP_CHECK {\n      connect_timeout 3\n      retry 1\n      delay_before_retry 1\n    }\n  }`).join('\n')}
}
`;
  const row = (address: string) => `-a -t 10.99.0.10:80 -r ${address}:80 -m -w 2`;
  const service = '-A -t 10.99.0.10:80 -s wrr';
  let daemon: Running;

  /** Waits for the table to become `wanted`; fails with keepalived's output if it does not. */
  const settles = async (wanted: string[]) => {
    const same = () => JSON.stringify(rules()) === JSON.stringify(wanted);
    await until('the table', same, 60_000).catch(() => {
      assert.deepEqual(rules(), wanted, daemon.stdout() + daemon.stderr());
    });
  };

  before(() => {
    lvs.balancer.run(`mkdir -p ${dir}`);
    writeFileSync(`${dir}/keepalived.conf`, config([lvs.rs1Address, lvs.rs2Address]));
    const words = ['-n', '-l', '-D', '-C', '-f', `${dir}/keepalived.conf`, '-p', `${dir}/pid`, '-c', `${dir}/checkers`];
    daemon = lvs.balancer.spawn(['keepalived', ...words]);
  });

  test('writes its service and drops the server that does not answer', async () => {
    await settles([service, row(lvs.rs1Address)]);
    assert.equal(fetch(), 'rs1\n');
  });

  test('adds the server when it answers, and removes it when it stops', async () => {
    const second = startNginx(lvs.rs2);
    await settles([service, row(lvs.rs1Address), row(lvs.rs2Address)]);
    assert.deepEqual([fetch(), fetch()].sort(), ['rs1\n', 'rs2\n']);
    second.stop();
    await settles([service, row(lvs.rs1Address)]);
  });

  test('reloads its file on SIGHUP', async () => {
    writeFileSync(`${dir}/keepalived.conf`, config([lvs.rs1Address]).replace('wrr', 'sh'));
    daemon.child.kill('SIGHUP');
    await settles(['-A -t 10.99.0.10:80 -s sh', row(lvs.rs1Address)]);
    assert.equal(fetch(), 'rs1\n');
  });

  test('leaves the table empty', async () => {
    await daemon.stop();
    assert.deepEqual(rules(), []);
  });
});
