// SPDX-License-Identifier: MIT
// lab: --uml
// Traffic of known size through a NAT, a FULLNAT and a direct service: lvsctl metrics has what clients and servers moved
// and what ipvsadm shows, also after a restart of lvsd; the read-only socket allows reading to its group, and no more.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { appendFileSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { type Running, until } from '../../../lab/topology.ts';
import { ControlClient } from '../../../src/control/client.ts';
import type { Detail } from '../../../src/control/metrics/stats.ts';
import { metricsText } from '../../../src/control/metrics/text.ts';
import type { LiveMessage } from '../../../src/web/page/messages.ts';
import { alerts, panelExpressions } from '../../support/dashboard.ts';
import { eventually } from './daemon.ts';
import { Site } from './site.ts';

const BODY = 4 << 20;
const DATAGRAMS = 7;
const DATAGRAM = 1000;
/** IP and UDP. */
const HEADERS = 28;
const GID = 987;
const NAMES = ['connections', 'incoming_packets', 'outgoing_packets', 'incoming_bytes', 'outgoing_bytes'];

let site: Site;
/** lvsd web in the balancer's namespace. */
let web: Running | undefined;
before(() => {
  if (!/^lvsd:/m.test(readFileSync('/etc/group', 'utf8'))) appendFileSync('/etc/group', `lvsd:x:${GID}:\n`);
  site = new Site({ name: 'metrics' });
});
after(async () => {
  await web?.stop();
  await site?.close();
});

const page = () =>
  site.lvs.balancer.run(['curl', '-sS', '-m', '60', 'http://127.0.0.1:5873/metrics?detail=full']).stdout;

/** Samples by name and labels, as `lvsctl metrics` writes them; without a process for each reading. */
async function metrics(detail?: Detail): Promise<Map<string, number>> {
  const client = await ControlClient.open(site.lvsd.socket);
  const text = await client
    .stats(detail === undefined ? {} : { detail })
    .then((stats) => [...metricsText(stats, { detail })].join(''));
  client.close();
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.split(' ').at(-1))]));
}

/** Rows of `ipvsadm --stats`, by "TCP 10.99.0.11:80" and "TCP 10.99.0.11:80 10.31.4.2:80". */
function ipvsadmStats(): Map<string, number[]> {
  const rows = new Map<string, number[]>();
  let service = '';
  for (const line of site.lvs.balancer.run(['ipvsadm', '-Ln', '--stats', '--exact']).stdout.split('\n')) {
    const [first = '', second = '', ...numbers] = line.trim().split(/\s+/);
    if (/^(TCP|UDP)$/.test(first)) service = `${first} ${second}`;
    if (service !== '' && /^(TCP|UDP|->)$/.test(first))
      rows.set(first === '->' ? `${service} ${second}` : service, numbers.map(Number));
  }
  return rows;
}

/** The same by metrics. */
async function metricsStats(): Promise<Map<string, number[]>> {
  const samples = await metrics('full');
  const rows = new Map<string, number[]>();
  for (const [series] of samples) {
    const [, kind = '', labels = ''] = /^lvsd_(service|real_server)_connections_total\{(.*)\}$/.exec(series) ?? [];
    const [, virtual = '', server = ''] = /virtual="(.*?)"(?:,real_server="(.*?)")?/.exec(labels) ?? [];
    if (virtual === '') continue;
    const key = `${virtual.replace(/^\w+/, (word) => word.toUpperCase())}${server && ` ${server}`}`;
    rows.set(
      key,
      NAMES.map((name) => samples.get(`lvsd_${kind}_${name}_total{${labels}}`) ?? Number.NaN),
    );
  }
  return rows;
}

const sorted = (rows: Map<string, number[]>) => [...rows].sort(([a], [b]) => (a < b ? -1 : 1));

/**
 * Waits until both agree and `complete` holds: the kernel sums its counters every 2 s, readings are shared for some
 * seconds, and the last packets of connections come late.
 */
const agree = (complete: (rows: Map<string, number[]>) => boolean = () => true) =>
  eventually(
    'metrics and ipvsadm to agree',
    async () => {
      const shown = sorted(ipvsadmStats());
      const measured = sorted(await metricsStats());
      const rows = new Map(measured);
      return JSON.stringify(shown) === JSON.stringify(measured) && complete(rows) ? rows : undefined;
    },
    60_000,
  ).catch(async (error: Error) => {
    assert.deepEqual(sorted(await metricsStats()), sorted(ipvsadmStats()), error.message);
    throw error;
  });

test('connections and bytes are those that clients moved, and those of ipvsadm', async () => {
  const { client, inside } = site.lvs;
  const nat = { address: '10.99.0.11', port: 80, device: 'vip0', scheduler: 'rr', check: 'none' };
  const both = ['10.31.4.2:80', '10.31.5.2:80'];
  await site.lvsd.start({
    version: 1,
    local_addresses: { inner: { device: 'in0', addresses: ['10.31.3.101'] } },
    services: {
      nat: { ...nat, real_servers: both },
      full: { ...nat, address: '10.99.0.12', real_servers: both, forward: 'fullnat', local_addresses: 'inner' },
      direct: {
        ...nat,
        address: '10.99.0.13',
        port: 5000,
        protocol: 'udp',
        real_servers: ['10.31.3.1:5000'],
        forward: 'direct',
      },
    },
  });
  for (const [address, count] of [
    ['10.99.0.11', 3],
    ['10.99.0.12', 2],
  ] as const)
    for (let i = 0; i < count; i++) {
      client.run(['curl', '-sf', '-m', '60', '-o', '/run/metrics-body', `http://${address}/body`]);
      assert.equal(statSync('/run/metrics-body').size, BODY);
    }
  inside.ip('addr add 10.99.0.13/32 dev lo');
  const receive = `let n = 0, b = 0; require('dgram').createSocket('udp4').on('message', (m) => console.log(++n, b += m.length)).bind(5000, () => console.log('ready'))`;
  const receiver = inside.spawn([process.execPath, '-e', receive]);
  await until('the receiver', () => receiver.stdout().includes('ready'), 30_000);
  const send = `const s = require('dgram').createSocket('udp4'); let n = 0; const next = () => n++ < ${DATAGRAMS} ? s.send(Buffer.alloc(${DATAGRAM}), 5000, '10.99.0.13', next) : s.close(); next()`;
  client.run([process.execPath, '-e', send]);
  const whole = `${DATAGRAMS} ${DATAGRAMS * DATAGRAM}\n`;
  await until('every datagram', () => receiver.stdout().includes(whole), 30_000);
  await receiver.stop();

  // The datagrams were the last traffic.
  const rows = await agree((all) => all.get('UDP 10.99.0.13:5000')?.[1] === DATAGRAMS);
  const of = (key: string) => rows.get(key) ?? assert.fail(`${key} in ${[...rows.keys()]}`);
  for (const [key, count] of [
    ['TCP 10.99.0.11:80', 3],
    ['TCP 10.99.0.12:80', 2],
  ] as const) {
    const [connections, , , inBytes = 0, outBytes = 0] = of(key);
    assert.equal(connections, count, key);
    // Headers take 52 of at most 1500 bytes; handshakes and the answers' heads are small.
    assert.ok(outBytes > count * BODY && outBytes < 1.1 * count * BODY, `${key}: ${outBytes}`);
    assert.ok(inBytes > count * 100 && inBytes < 0.2 * outBytes, `${key}: ${inBytes}`);
    const servers = both.map((server) => of(`${key} ${server}`));
    assert.deepEqual(
      of(key),
      NAMES.map((_, index) => servers.reduce((sum, numbers) => sum + (numbers[index] ?? 0), 0)),
    );
  }
  const udp = [1, DATAGRAMS, 0, DATAGRAMS * (DATAGRAM + HEADERS), 0];
  assert.deepEqual(of('UDP 10.99.0.13:5000'), udp);
  assert.deepEqual(of('UDP 10.99.0.13:5000 10.31.3.1:5000'), udp);

  const samples = await metrics();
  const whole5 = NAMES.map((name) => samples.get(`lvsd_ipvs_${name}_total`));
  const services = ['TCP 10.99.0.11:80', 'TCP 10.99.0.12:80', 'UDP 10.99.0.13:5000'].map(of);
  assert.deepEqual(
    whole5,
    NAMES.map((_, index) => services.reduce((sum, numbers) => sum + (numbers[index] ?? 0), 0)),
  );
  assert.equal(samples.get('lvsd_services'), 3);
  assert.equal(samples.get('lvsd_local_address_ports_exhausted_total{pool="inner",local_address="10.31.3.101"}'), 0);
  assert.ok((samples.get('lvsd_service_local_ports{service="full",virtual="tcp 10.99.0.12:80"}') ?? 0) > 1000);
  // What lvsd has done so far: three services with five real servers, and nothing twice.
  const operations = (operation: string) =>
    samples.get(`lvsd_kernel_operations_total{operation="${operation}",result="done"}`);
  assert.deepEqual(['add-service', 'add-destination', 'delete-service'].map(operations), [3, 5, undefined]);
  assert.equal(samples.get('lvsd_plan_operations'), 0);
  assert.ok((samples.get('lvsd_reconcile_cycles_total{result="done"}') ?? 0) >= 1);
});

test('drift, a rejected file, checks and processes are counted', async () => {
  const { balancer } = site.lvs;
  const sha256 = async () => {
    const series = [...(await metrics('summary')).keys()].find((key) => key.startsWith('lvsd_config_info'));
    return /sha256="([0-9a-f]{12})"/.exec(series ?? '')?.[1] ?? assert.fail(series);
  };
  const first = await sha256();
  const good = readFileSync(site.lvsd.file, 'utf8');
  assert.equal(first, createHash('sha256').update(good).digest('hex').slice(0, 12));
  writeFileSync(site.lvsd.file, 'version: 7\n');
  assert.notEqual((await site.lvsd.ctl('reload')).status, 0);
  assert.equal(await sha256(), first);
  writeFileSync(site.lvsd.file, `${good}\n# changed\n`);
  assert.equal((await site.lvsd.ctl('reload')).status, 0);
  assert.notEqual(await sha256(), first);
  balancer.run(['ipvsadm', '-e', '-t', '10.99.0.11:80', '-r', '10.31.4.2:80', '-m', '-w', '5']);
  await eventually('the drift', async () => {
    const samples = await metrics('summary');
    return samples.get('lvsd_drift_total{object="real_server"}') === 1 || undefined;
  });
  const samples = await metrics('summary');
  const reloads = (result: string) => samples.get(`lvsd_config_reloads_total{result="${result}"}`);
  assert.deepEqual(['done', 'refused', 'rejected'].map(reloads), [1, 0, 1]);
  assert.equal(samples.get('lvsd_drift_total{object="service"}'), 0);
  for (const name of ['resident_memory_bytes', 'open_fds', 'max_fds', 'start_time_seconds'])
    assert.ok((samples.get(`lvsd_process_${name}{process="daemon"}`) ?? 0) > 0, name);
  assert.equal(samples.get('lvsd_control_clients{socket="control"}'), 1);
});

/** Values of node_exporter's ipvs collector in the balancer's namespace. */
async function nodeExporter(): Promise<Map<string, number>> {
  const { balancer } = site.lvs;
  const words = ['--collector.disable-defaults', '--collector.ipvs', '--web.listen-address=127.0.0.1:9100'];
  const exporter = balancer.spawn(['prometheus-node-exporter', ...words]);
  const get = () => balancer.run('curl -s -m 30 http://127.0.0.1:9100/metrics || true').stdout;
  await until('node_exporter', () => /^node_ipvs_connections_total /m.test(get()), 60_000);
  const text = get();
  await exporter.stop();
  const lines = text.split('\n').filter((line) => line.startsWith('node_ipvs_'));
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.split(' ').at(-1))]));
}

test('node_exporter counts the same', async () => {
  await agree();
  const theirs = await nodeExporter();
  const samples = await metrics('full');
  assert.deepEqual(
    NAMES.map((name) => theirs.get(`node_ipvs_${name}_total`)),
    NAMES.map((name) => samples.get(`lvsd_ipvs_${name}_total`)),
  );
  const weights = [...theirs].filter(([series]) => series.startsWith('node_ipvs_backend_weight{'));
  assert.equal(weights.length, 5);
  for (const [series, weight] of weights) {
    const label = (name: string) => new RegExp(`\\b${name}="([^"]*)"`).exec(series)?.[1] ?? '';
    const [proto, local, remote] = [label('proto').toLowerCase(), label('local_port'), label('remote_port')];
    const of = `virtual="${proto} ${label('local_address')}:${local}",real_server="${label('remote_address')}:${remote}"`;
    const ours = (name: string) =>
      [...samples].find(([one]) => one.startsWith(`lvsd_real_server_${name}{`) && one.includes(of))?.[1];
    assert.equal(ours('weight'), weight, series);
    const active = theirs.get(series.replace('_weight{', '_connections_active{'));
    assert.equal(ours('active_connections'), active, series);
  }
});

test('a restart of lvsd keeps the counters of the kernel; lvsd web says lvsd_up 0 meanwhile', async () => {
  const { balancer } = site.lvs;
  web = balancer.spawn(['lvsd', 'web', '--socket', `${site.lvsd.dir}/read.sock`]);
  await until('lvsd web', () => web?.stderr().includes('listening on http://127.0.0.1:5873'), 60_000);
  assert.match(page(), /^lvsd_up 1$/m);
  const before = sorted(await agree());
  await site.lvsd.stop();
  assert.match(page(), /^lvsd_up 0$/m);
  const { status, stdout } = await site.lvsd.ctl('metrics');
  assert.equal(status, 1);
  assert.match(stdout, /^lvsd_up 0$/m);
  await site.lvsd.start();
  assert.deepEqual(sorted(await agree()), before);
  assert.match(page(), /^lvsd_up 1$/m);
});

test('lvsd web serves the same text', async () => {
  const kernel = (text: string) => text.split('\n').filter((line) => /^lvsd_(service|real_server|ipvs)_/.test(line));
  const found = kernel(page());
  assert.ok(found.length > 30, `${found.length}`);
  const { stdout } = await site.lvsd.ctl('metrics', '--detail', 'full');
  assert.deepEqual(found, kernel(stdout));
});

/** Panels of what this site has not: checks that were made, virtual routers; after its restart lvsd had nothing to change. */
const EMPTY = [
  'Changes of the kernel',
  'Failed checks by reason',
  'State',
  'Effective priority',
  'Adverts',
  'Incidents, and timers that were late',
  'Duration of checks',
  'Checks by result',
];

// With the debug kernel, Prometheus alone takes minutes.
const skip = process.env.LVSD_COUNTS !== 'full' && 'full counts only';

test('a real Prometheus scrapes it, and every expression of alerts and panels is answered', { skip }, async () => {
  const { balancer } = site.lvs;
  const job = { job_name: 'lvsd', scrape_interval: '20s', params: { detail: ['full'] } };
  const config = { scrape_configs: [{ ...job, static_configs: [{ targets: ['127.0.0.1:5873'] }] }] };
  writeFileSync('/run/metrics-prometheus.json', JSON.stringify(config));
  const words = ['--config.file=/run/metrics-prometheus.json', '--storage.tsdb.path=/run/metrics-prometheus'];
  const prometheus = balancer.spawn(['prometheus', ...words, '--web.listen-address=127.0.0.1:9090']);
  interface Answer {
    status: string;
    error?: string;
    data?: { result: { value: [number, string] }[] };
  }
  const query = (expr: string): Answer | undefined => {
    const url = `http://127.0.0.1:9090/api/v1/query?query=${encodeURIComponent(expr)}`;
    const { stdout } = balancer.run(['curl', '-s', '-m', '60', url], { accept: 'any' });
    return stdout.startsWith('{') ? (JSON.parse(stdout) as Answer) : undefined;
  };
  const scrapes = () => Number(query('count_over_time(lvsd_up[5m])')?.data?.result[0]?.value[1] ?? 0);
  await until('two scrapes', () => scrapes() >= 2, 240_000).catch((error: Error) => {
    throw new Error(`${error.message}: ${prometheus.stderr()}`);
  });
  for (const { title, expr } of alerts) assert.equal(query(expr)?.status, 'success', title);
  for (const { title, expr } of panelExpressions) {
    const { status, error, data } = query(expr) ?? assert.fail(title);
    assert.equal(status, 'success', `${title}: ${error}`);
    assert.ok((data?.result.length ?? 0) > 0 || EMPTY.includes(title), `${title}: nothing for ${expr}`);
  }
  await prometheus.stop();
});

test('members of the group read, and nobody else does', () => {
  const socket = `${site.lvsd.dir}/read.sock`;
  const { mode, gid } = statSync(socket);
  assert.deepEqual([mode & 0o777, gid], [0o660, GID]);
  const as = (groups: string, ...words: string[]) =>
    site.lvs.balancer.run(
      ['setpriv', '--reuid=65534', '--regid=65534', groups, 'lvsctl', '--socket', socket, ...words],
      { accept: 'any' },
    );
  const read = as(`--groups=${GID}`, 'metrics', '--detail', 'summary');
  assert.equal(read.status, 0, read.stderr);
  assert.match(read.stdout, /^lvsd_up 1$/m);
  const refused = as(`--groups=${GID}`, 'pause', 'on');
  assert.deepEqual([refused.status, refused.stderr], [4, 'lvsctl: not permitted on read.sock; use control.sock\n']);
  assert.equal(as('--clear-groups', 'metrics').status, 4);
});

test('what is secret in the file is in no answer of the read-only socket, nor on the page of lvsd web', async () => {
  const { balancer } = site.lvs;
  const script = '/run/canary-script';
  writeFileSync(script, '#!/bin/sh\nexit 1\n', { mode: 0o755 });
  writeFileSync('/run/canary-secret', 'c'.repeat(16), { mode: 0o600 });
  const pace = { interval: '1s', timeout: '900ms', fall: 1 };
  await site.lvsd.stop();
  await site.lvsd.start({
    version: 1,
    vrrp: {
      edge: {
        interface: 'vip0',
        version: 2,
        virtual_router_id: 51,
        password: 'canary51',
        addresses: ['10.99.0.99/32'],
      },
    },
    services: {
      web: {
        address: '10.99.0.11',
        port: 80,
        device: 'vip0',
        hooks: { down: [script, 'canary-hook'], up: [script, 'canary-hook'] },
        real_servers: [
          {
            address: '10.31.4.2',
            check: {
              type: 'http',
              ...pace,
              path: '/healthz?canary-query',
              headers: { Authorization: 'canary-header' },
            },
          },
          { address: '10.31.5.2', check: { type: 'exec', ...pace, command: [script, 'canary-argument'] } },
        ],
      },
    },
  });
  await eventually(
    'a failure of the program',
    async () => (await site.lvsd.server('web', '10.31.5.2:80')).state === 'down',
    60_000,
  );
  // Counted by the health worker, and the hook by lvsd.
  await eventually(
    'the counts of checks and hooks',
    async () => {
      const samples = await metrics('summary');
      const value = (series: string) => samples.get(`lvsd_${series}`) ?? 0;
      const failed = value('check_failures_total{type="exec",reason="exit_status"}');
      const measured = value('check_duration_seconds_count{type="exec"}');
      return (
        (failed > 0 &&
          failed === value('check_results_total{type="exec",result="failed"}') &&
          measured >= failed &&
          value('transitions_total{to="down"}') > 0 &&
          value('hook_runs_total{result="failed"}') > 0 &&
          value('process_resident_memory_bytes{process="health"}') > 0 &&
          value('process_resident_memory_bytes{process="exec"}') > 0 &&
          value('check_lateness_seconds_count{lane="programs"}') > 0) ||
        undefined
      );
    },
    60_000,
  );
  const socket = `${site.lvsd.dir}/read.sock`;
  const answers = ['status', 'metrics', 'plan', 'events', 'vrrp'].map((verb) => {
    const { stdout, stderr } = balancer.run(['lvsctl', '--json', '--socket', socket, verb], { accept: 'any' });
    assert.ok(stdout.length > 2, `${verb}: ${stderr}`);
    return stdout;
  });
  answers.push(balancer.run(['curl', '-sS', '-m', '60', 'http://127.0.0.1:5873/metrics?detail=full']).stdout);
  answers.push(balancer.run('curl -sS -m 3 http://127.0.0.1:5873/events || true').stdout);
  // Events, which are asked for by themselves, come with the first answer or after it.
  const live = balancer.run(`curl -sSN -m 60 'http://127.0.0.1:5873/live?open=web' | sed -u '/"events":/q'`).stdout;
  answers.push(live);
  for (const answer of answers) assert.doesNotMatch(answer, /canary-(hook|query|header|argument)|canary51|cccccccc/);
  // The places of programs and files are not secret, and say which one failed.
  assert.match(answers.join('\n'), /exit status 1/);
  // The page has the service, its reason, and its real servers with numbers of the kernel.
  const messages = live
    .split('\n\n')
    .flatMap((part) => (part.startsWith('data: ') ? [JSON.parse(part.slice(6)) as LiveMessage] : []));
  const found = <T>(what: (message: LiveMessage) => T | undefined | null) =>
    messages.map(what).find((one) => one !== undefined && one !== null) ?? assert.fail(live);
  const [row, ...rest] = found(({ rows }) => rows?.rows);
  assert.deepEqual([row?.name, row?.virtual, row?.realServers, rest], ['web', 'tcp 10.99.0.11:80', 2, []]);
  assert.match(row?.why ?? '', /10\.31\.5\.2: exit status 1/);
  const servers = found(({ open }) => open?.realServers);
  assert.deepEqual(
    servers.map(({ name }) => name),
    ['10.31.4.2', '10.31.5.2'],
  );
  const failed = servers[1];
  // lvsd has removed it from the kernel's table.
  assert.deepEqual([failed?.state, failed?.weight, failed?.reason], ['down', null, 'exit status 1']);
  assert.equal(found(({ side }) => side?.vrrp)[0]?.name, 'edge');
  assert.ok(found(({ events }) => events).some(({ kind }) => kind === 'real_server.down'));
});
