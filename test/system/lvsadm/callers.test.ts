// SPDX-License-Identifier: MIT
// lab: --stock --uml=plain
// Callers of ipvsadm with lvsadm in its place: ldirectord, Debian's ipvsadm-save, ipvsadm-restore and init script. Each
// runs with both programs and leaves the same table. A table written by keepalived is listed the same.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Ipvs } from '../../../src/ipvs/index.ts';
import { byBoth, LVSADM } from './in-place.ts';
import { reset, tableLines } from './known-table.ts';

const dir = mkdtempSync('/tmp/callers-');
let ipvs: Ipvs;

function run(command: string, words: readonly string[], input = '') {
  const { status, stdout, stderr, error } = spawnSync(command, words, { encoding: 'utf8', input });
  if (error) throw error;
  return { status, stdout, stderr };
}

before(() => {
  spawnSync('modprobe', ['ip_vs']);
  spawnSync('ip', ['link', 'set', 'lo', 'up']);
  ipvs = new Ipvs();
});
after(async () => {
  await ipvs.flush();
  ipvs.close();
});

/** Waits for a table that meets the condition, and returns it. */
async function tableThat(meets: (lines: readonly string[]) => boolean): Promise<string[]> {
  const until = Date.now() + 300_000;
  for (;;) {
    const lines = await tableLines(ipvs);
    if (meets(lines)) return lines;
    assert.ok(Date.now() < until, `the table does not meet the condition:\n${lines.join('\n')}`);
    await sleep(200);
  }
}

const LDIRECTORD = `checktimeout=5
checkinterval=1
quiescent=yes
logfile="${dir}/ldirectord.log"
virtual=192.0.2.1:80
	real=127.0.0.2:8001 masq 3
	real=127.0.0.3:8001 masq 4 "<u:100>" "<l:50>"
	fallback=127.0.0.1:80 gate
	service=http
	scheduler=wrr
	persistent=600
	netmask=255.255.255.0
	protocol=tcp
	checktype=connect
virtual=7
	real=10.0.0.4 gate
	scheduler=rr
	protocol=fwm
	checktype=on
virtual=192.0.2.1:53
	real=10.0.0.5:53 ipip 2
	scheduler=wlc
	protocol=udp
	checktype=on
`;

async function listening(host: string): Promise<Server> {
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => server.listen(8001, host, resolve));
  return server;
}

const weight = (lines: readonly string[], server: string) =>
  lines
    .find((line) => line.includes(`> ${server} `))
    ?.split(' ')
    .at(-6);

test('ldirectord writes and changes the same table', async () => {
  writeFileSync(join(dir, 'ldirectord.cf'), LDIRECTORD, { mode: 0o600 });
  const { original, ours } = await byBoth(async () => {
    await ipvs.flush();
    const servers = [await listening('127.0.0.2'), await listening('127.0.0.3')];
    const words = ['/usr/sbin/ldirectord', '-d', join(dir, 'ldirectord.cf'), 'start'];
    const daemon = spawn('perl', words, { cwd: dir, stdio: ['ignore', 'ignore', 'ignore'] });
    const ended = new Promise((resolve) => daemon.on('exit', resolve));
    try {
      const tables: string[][] = [];
      const both = (lines: readonly string[]) =>
        weight(lines, '127.0.0.2') === '3' && weight(lines, '127.0.0.3') === '4';
      const all = (lines: readonly string[]) =>
        both(lines) && ['10.0.0.4', '10.0.0.5'].every((one) => weight(lines, one));
      tables.push(await tableThat(all));
      servers[1]?.close();
      tables.push(await tableThat((lines) => weight(lines, '127.0.0.3') === '0'));
      servers[1] = await listening('127.0.0.3');
      tables.push(await tableThat(both));
      daemon.kill('SIGTERM');
      tables.push(await tableThat((lines) => lines.length === 1));
      return tables;
    } finally {
      daemon.kill('SIGKILL');
      await ended;
      for (const server of servers) server.close();
    }
  });
  assert.equal(original[0]?.filter((line) => line.includes('>')).length, 4);
  assert.deepEqual(ours, original);
});

test('ipvsadm-save and ipvsadm-restore behave the same', async () => {
  const { original, ours } = await byBoth(async () => {
    await reset(ipvs);
    const saved = run('ipvsadm-save', ['-n']);
    await ipvs.flush();
    const restored = run('ipvsadm-restore', [], `# a remark\n${saved.stdout}`);
    const table = await tableLines(ipvs);
    // Existing services cannot be added, so the table is cleared first.
    const again = run('ipvsadm-restore', [], '-A -t 192.0.2.5:80\n-A -t 192.0.2.5:80\n');
    return { saved, restored, table, again, left: await tableLines(ipvs), wrong: run('ipvsadm-save', ['-x']) };
  });
  assert.equal(original.saved.status, 0);
  assert.match(original.saved.stdout, /-a -t 192\.0\.2\.1:80 /);
  assert.deepEqual(ours, original);
});

test('lvsadm-save and lvsadm-restore equal ipvsadm’s', async () => {
  const save = LVSADM.replace('.cjs', '-save.cjs');
  const restore = LVSADM.replace('.cjs', '-restore.cjs');
  await reset(ipvs);
  const original = run('ipvsadm-save', ['-n']);
  const saved = run(save, ['-n']);
  assert.deepEqual(saved, original);
  const feed = `# a remark\n${saved.stdout}-A -t 192.0.2.1:80\n`;
  const before = run('ipvsadm-restore', [], feed);
  const table = await tableLines(ipvs);
  assert.deepEqual(run(restore, [], feed), before);
  assert.deepEqual(await tableLines(ipvs), table);
  assert.equal(run(save, ['-x']).status, 1);
});

test("Debian's init script saves, loads and lists the same", async () => {
  const rules = '/etc/ipvsadm.rules';
  const { original, ours } = await byBoth(async () => {
    await reset(ipvs);
    const saved = run('sh', ['/etc/init.d/ipvsadm', 'save']);
    const text = readFileSync(rules, 'utf8');
    await ipvs.flush();
    const loaded = run('sh', ['/etc/init.d/ipvsadm', 'load']);
    const table = await tableLines(ipvs);
    const status = run('sh', ['/etc/init.d/ipvsadm', 'status']);
    return { saved, text, loaded, table, status, left: await tableLines(ipvs) };
  });
  assert.match(original.text, /-A -t 192\.0\.2\.1:/);
  assert.deepEqual(ours, original);
});

const KEEPALIVED = `global_defs {
  lvs_timeouts tcp 800
}
virtual_server 192.0.2.1 80 {
  lvs_sched sh
  sh-port
  lvs_method NAT
  protocol TCP
  persistence_timeout 50
  real_server 10.0.0.1 8080 {
    weight 3
    uthreshold 90
  }
  real_server 10.0.0.2 8080 {
    weight 4
  }
}
virtual_server fwmark 9 {
  lvs_sched rr
  lvs_method TUN
  real_server 10.0.0.3 0 {
    weight 5
  }
}
`;

test('a table written by keepalived is listed the same', async () => {
  await ipvs.flush();
  writeFileSync(join(dir, 'keepalived.conf'), KEEPALIVED);
  const words = ['-n', '-l', '-C', '-f', join(dir, 'keepalived.conf'), '-p', join(dir, 'pid'), '-c', join(dir, 'cpid')];
  const daemon = spawn('keepalived', words, { stdio: 'ignore' });
  const ended = new Promise((resolve) => daemon.on('exit', resolve));
  try {
    await tableThat((lines) => lines.filter((line) => line.includes('>')).length === 3);
    const listings = ['-Ln', '-Sn', '-Ln --thresholds', '-Ln --stats', '-L --timeout', '-Ln --persistent-conn'];
    const { original, ours } = await byBoth(() => listings.map((line) => run('/usr/sbin/ipvsadm', line.split(' '))));
    assert.match(original[0]?.stdout ?? '', /sh \(sh-port\) persistent 50/);
    assert.deepEqual(ours, original);
  } finally {
    daemon.kill('SIGTERM');
    await ended;
  }
});
