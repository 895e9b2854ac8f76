// SPDX-License-Identifier: MIT
// Scripts of examples/: the webhook, run by lvsd's own hooks against a real HTTP server, and the statistics of toa.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { HookRunner } from '../../src/daemon/hooks/hooks.ts';
import { virtualServices } from '../../src/daemon/model/virtual-services.ts';
import { prometheus } from '../support/prometheus.ts';
import { recordingLog } from '../support/recording-log.ts';
import { config, realServer, service } from '../support/specs.ts';

const examples = fileURLToPath(new URL('../../examples', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'lvsd-examples-'));
after(() => rmSync(folder, { recursive: true, force: true }));

test('scripts are for any POSIX shell', () => {
  const scripts = readdirSync(examples, { recursive: true }).filter((name) => String(name).endsWith('.sh'));
  assert.ok(scripts.length >= 2);
  for (const script of scripts) {
    const path = join(examples, String(script));
    assert.match(readFileSync(path, 'utf8'), /^#!\/bin\/sh\n/);
    const { status, stderr } = spawnSync('sh', ['-n', path], { encoding: 'utf8' });
    assert.equal(status, 0, stderr);
    const checked = spawnSync('shellcheck', [path], { encoding: 'utf8' });
    if (checked.error === undefined) assert.equal(checked.status, 0, checked.stdout);
  }
});

test('the webhook posts each change as JSON, and again until it is accepted', { timeout: 120_000 }, async () => {
  const bodies: string[] = [];
  let failures = 1;
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => {
      body += String(chunk);
    });
    request.on('end', () => {
      response.statusCode = failures-- > 0 ? 503 : 204;
      if (response.statusCode === 204) bodies.push(body);
      response.end();
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/lvsd?team=a`;
  const command = [join(examples, 'hooks/webhook.sh'), url];
  const hooks = { up: command, down: command, quorum: command, user: undefined, timeout: 60_000 };
  const [shop] = virtualServices(config([service('shop', [realServer(1, { name: 'web1' })], { hooks })]));
  const web1 = shop?.realServers[0];
  assert.ok(shop && web1);
  const runner = new HookRunner(recordingLog());
  const reason = 'status 503: "no\\nt \x07ready", \u00fc\n{"a": 1}';
  runner.server(shop, web1, { id: '', up: false, reason, at: 0 });
  runner.quorum({ service: shop, up: false, weight: 0 });
  const end = performance.now() + 90_000;
  while (runner.runs.done < 2 && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 50));
  runner.close();
  server.close();
  assert.deepEqual(runner.runs, { done: 2, failed: 0, timeout: 0, lost: 0 });
  const [first, second] = bodies.map((body) => JSON.parse(body) as Record<string, unknown>);
  const { time, node, ...rest } = first ?? {};
  assert.ok(Math.abs(Date.parse(String(time)) - Date.now()) < 120_000 && typeof node === 'string');
  assert.deepEqual(rest, {
    event: 'server',
    state: 'down',
    service: 'shop',
    virtual: 'tcp 10.99.0.1:80',
    reason,
    server: 'web1',
    address: '10.31.0.1',
    port: '80',
    skipped: 0,
  });
  assert.deepEqual([second?.event, second?.state, second?.server], ['quorum', 'down', undefined]);
});

test('toa-textfile.sh writes the statistics of a real server, summed over CPUs, or nothing', async () => {
  // As toa_stats_show() writes them.
  const rows = {
    syn_recv_sock_toa: [5, 6],
    syn_recv_sock_no_toa: [1, 0],
    getname_toa_ok: [4294967295, 4294967295],
    getname_toa_mismatch: [0, 0],
    getname_toa_bypass: [2, 3],
    getname_toa_empty: [0, 1],
    syn_recv_sock_untrusted: [7, 0],
    toa_malformed: [0, 8],
    toa_not_kept: [0, 9],
    probe_missed: [10, 0],
    entries: [11, 0],
  };
  const line = ([name, counts]: [string, number[]]) =>
    `${name.padEnd(25)}:${counts.map((count) => `${String(count).padStart(10)} `).join('')}\n`;
  const stats = join(folder, 'toa_stats');
  writeFileSync(stats, `${' '.repeat(34)}CPU0       CPU1       \n${Object.entries(rows).map(line).join('')}`);
  const run = (from: string) =>
    spawnSync(join(examples, 'toa-textfile.sh'), [folder], {
      encoding: 'utf8',
      timeout: 20_000,
      env: { ...process.env, TOA_STATS: from },
    });
  const missing = run(join(folder, 'nowhere'));
  assert.equal(missing.status, 1);
  assert.match(missing.stderr, /cannot read .*nowhere: is the module toa loaded\?/);
  const mask = process.umask(0o077);
  const { status, stderr } = run(stats);
  process.umask(mask);
  assert.equal(status, 0, stderr);
  assert.deepEqual(readdirSync(folder).sort(), ['toa.prom', 'toa_stats']);
  assert.equal(statSync(join(folder, 'toa.prom')).mode & 0o777, 0o644, 'node_exporter can read it');
  const text = readFileSync(join(folder, 'toa.prom'), 'utf8');
  assert.deepEqual(
    text.split('\n').filter((one) => one !== '' && !one.startsWith('#')),
    [
      'toa_handshakes_total{result="toa"} 11',
      'toa_handshakes_total{result="no_toa"} 1',
      'toa_handshakes_total{result="untrusted"} 7',
      'toa_handshakes_total{result="malformed"} 8',
      'toa_answers_total{result="ok"} 8589934590',
      'toa_answers_total{result="mismatch"} 0',
      'toa_answers_total{result="bypass"} 5',
      'toa_answers_total{result="empty"} 1',
      'toa_not_kept_total 9',
      'toa_probe_missed_total 10',
      'toa_entries 11',
    ],
  );
  const good = readFileSync(stats, 'utf8');
  const wrong = [
    // A module without this row.
    good.replace(/getname_toa_bypass.*\n/, ''),
    '',
    'CPU0\n',
    // A row that is cut off, and counts that are none.
    good.slice(0, good.indexOf('entries')),
    good.replace(/ 9 \n/, ' 5\\nfoo 7 \n'),
    good.replace(/ 9 \n/, ' 1e300 \n'),
    good.replace(/ 9 \n/, ' -1 \n'),
    good.replace(/ 9 \n/, ' 0x9 \n'),
    good.replace(/ 9 \n/, ` ${'9'.repeat(30)} \n`),
    good.replace(/ 9 \n/, ' 9 : 9 \n'),
    good.replace(/toa_not_kept +:.*/, 'toa_not_kept:'),
    `${good}foo 7\n`,
    `${good}entries: 12\n`,
    `${good}toa_"}: 12\n`,
  ];
  const input = join(folder, 'wrong');
  for (const content of wrong) {
    writeFileSync(input, content);
    const { status, stderr } = run(input);
    assert.equal(status, 1, content);
    assert.match(
      stderr,
      /^toa-textfile\.sh: (line \d+ of .*wrong is not one of toa_stats|.*wrong has no row \w+); nothing is written\n$/,
    );
    assert.equal(readFileSync(join(folder, 'toa.prom'), 'utf8'), text, content);
    assert.deepEqual(readdirSync(folder).sort(), ['toa.prom', 'toa_stats', 'wrong']);
  }
  const fifo = join(folder, 'fifo');
  spawnSync('mkfifo', [fifo]);
  assert.match(run(fifo).stderr, /cannot read .*fifo/);
  const promtool = spawnSync(join(await prometheus(), 'promtool'), ['check', 'metrics'], {
    input: text,
    encoding: 'utf8',
  });
  assert.equal(promtool.status, 0, promtool.stderr);
});
