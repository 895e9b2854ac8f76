// SPDX-License-Identifier: MIT
// The daemon's part of the demo: a file, traffic, a failing real server, a reload, a flushed table, a killed daemon.
import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { type LvsTopology, type Running, startNginx, until } from '../../lab/topology.ts';
import { request, type Servers } from './plain-nat.ts';
import type { Story } from './story.ts';

export const file = '/run/demo/lvsd.yaml';
const serve = `lvsd run -f ${file}`;

/** The file of the demo; `servers` are the lines of its real servers. */
export function yaml(servers: readonly string[]): string {
  return `version: 1
defaults:
  scheduler: rr
  check: { type: http, path: /healthz, status: [200], interval: 500ms, timeout: 400ms, rise: 2, fall: 2 }
local_addresses:
  inner: { addresses: [10.31.3.101-10.31.3.102] }
services:
  web:
    address: 10.99.0.10
    port: 80
    forward: fullnat
    local_addresses: inner
    real_servers:
${servers.map((server) => `      - ${server}\n`).join('')}`;
}

/** Checks are answered, and leave the access log to the clients. */
export const quietHealth = 'location = /healthz { access_log off; return 200; }';

export const both = ['10.31.4.2:80', '10.31.5.2:80'];

export class Balancer {
  readonly #story: Story;
  readonly #lvs: LvsTopology;
  #daemon: Running | undefined;

  constructor(story: Story, lvs: LvsTopology) {
    this.#story = story;
    this.#lvs = lvs;
  }

  async start(): Promise<void> {
    this.#daemon = this.#lvs.balancer.spawn(serve.split(' '));
    await until(
      'the daemon to answer',
      () => this.#lvs.balancer.run('lvsctl status', { accept: 'any' }).status === 0,
      20_000,
    );
  }

  /** Kills the daemon with SIGKILL. */
  async kill(): Promise<void> {
    await this.#daemon?.stop('SIGKILL');
  }

  stop(): Promise<void> {
    return this.#daemon?.stop() ?? Promise.resolve();
  }

  table(): string {
    return this.#lvs.balancer.run('lvsadm -Ln').stdout;
  }

  /** The weight of a real server in the kernel's table; undefined when it is not there. */
  weight(server: string): number | undefined {
    const found = new RegExp(`-> ${server.replaceAll('.', '\\.')}:?\\S*\\s+FullNat\\s+(\\d+)`).exec(this.table());
    return found ? Number(found[1]) : undefined;
  }

  async reload(servers: readonly string[]): Promise<void> {
    writeFileSync(file, yaml(servers));
    this.#story.show(this.#lvs.balancer, 'lvsctl reload');
  }
}

/** FULLNAT by one file instead of six commands. */
export async function programByFile(story: Story, lvs: LvsTopology, balancer: Balancer): Promise<void> {
  story.step(
    'FULLNAT, by one file',
    `FULLNAT rewrites the source as well: to the real server, the balancer itself is the client, from one of its local
addresses, so that the answer needs no special route. The balancer need not even forward packets. lvsd reads one file,
programs the kernel, and checks the real servers from then on.`,
  );
  story.show(lvs.balancer, 'lvsadm -C; sysctl -w net.ipv4.ip_forward=0');
  lvs.balancer.run('mkdir -p /run/demo');
  writeFileSync(file, yaml(both).replace('forward: fullnat', 'forward: fulnat'));
  const wrong = story.show(lvs.balancer, `lvsd check -f ${file}`);
  story.claim(
    'a mistake in the file is reported with its place, the value and a suggestion',
    wrong.status === 2 && /lvsd\.yaml:11:14: .*fullnat/.test(wrong.stdout + wrong.stderr),
  );
  writeFileSync(file, yaml(both));
  story.show(lvs.balancer, `cat ${file}`);
  const plan = story.show(lvs.balancer, `lvsd plan -f ${file}`);
  story.claim('the plan names what would change (exit status 3: not empty)', plan.status === 3);
  story.say(`${serve} &`);
  await balancer.start();
  story.show(lvs.balancer, 'lvsctl status');
  const table = story.show(lvs.balancer, 'lvsadm -Ln').stdout;
  const rows = table.match(/-> 10\.31\.[45]\.2:80\s+FullNat\s+1\s/g) ?? [];
  story.claim('the table has both real servers, forwarding FullNat', rows.length === 2, table);
}

/** Failures and changes, one after the other, under traffic. */
export async function daemonStory(story: Story, lvs: LvsTopology, servers: Servers, balancer: Balancer): Promise<void> {
  await deadServer(story, lvs, servers, balancer);
  await reloaded(story, lvs, balancer);
  await flushed(story, lvs, balancer);
  await killed(story, lvs, balancer);
}

/** Sends requests one after the other, each over a connection of its own, until `stop`. */
export function requests(lvs: LvsTopology): { count: () => number; stop: () => Promise<string[]> } {
  const loop = `while [ ! -e /run/demo/stop ]; do curl -s -o /dev/null -m 5 -w '%{http_code}\\n' http://10.99.0.10/; sleep 0.1; done`;
  lvs.client.run('rm -f /run/demo/stop');
  const running = lvs.client.spawn(loop);
  return {
    count: () => running.stdout().split('\n').length - 1,
    stop: async () => {
      writeFileSync('/run/demo/stop', '');
      await running.ended;
      return running.stdout().trim().split('\n');
    },
  };
}

/** Starts slow downloads; resolves with their hashes. */
function downloads(lvs: LvsTopology, count: number): Promise<string[]> {
  const one = 'curl -s --limit-rate 2M --max-time 120 http://10.99.0.10/large | sha256sum';
  return Promise.all(
    Array.from({ length: count }, async () => (await lvs.client.exec(one, { timeout: 150_000 })).stdout),
  );
}

async function deadServer(story: Story, lvs: LvsTopology, servers: Servers, balancer: Balancer): Promise<void> {
  story.step(
    'A real server dies',
    'nginx on rs2 is stopped while requests go on. Two checks must fail, half a second apart.',
  );
  const traffic = requests(lvs);
  await sleep(1000);
  servers.rs2.stop();
  const killedAt = Date.now();
  await until('rs2 to leave the table', () => balancer.weight('10.31.5.2') === undefined, 20_000);
  const seconds = (Date.now() - killedAt) / 1000;
  // One more may be running.
  const before = traffic.count() + 1;
  await sleep(2500);
  const codes = await traffic.stop();
  story.show(lvs.balancer, 'lvsctl status');
  story.say(`out after ${seconds.toFixed(1)} s; the client meanwhile got: ${summary(codes)}`);
  story.claim('it was out within its fall time (1.9 s, and 2 s for an emulated CPU)', seconds < 3.9, `${seconds} s`);
  story.claim(
    'requests after that went on without an error',
    codes.length > before + 2 && codes.slice(before).every((code) => code === '200'),
    codes.join(' '),
  );
  startNginx(lvs.rs2, { server: quietHealth });
  await until('rs2 to be back', () => balancer.weight('10.31.5.2') === 1, 20_000);
  story.claim('it is back in the table once two checks have succeeded', true);
}

const summary = (codes: readonly string[]) => {
  const counts = new Map<string, number>();
  for (const code of codes) counts.set(code, (counts.get(code) ?? 0) + 1);
  return [...counts].map(([code, count]) => `${count} x ${code === '000' ? 'no answer' : code}`).join(', ');
};

async function reloaded(story: Story, lvs: LvsTopology, balancer: Balancer): Promise<void> {
  story.step('The file changes', 'While eight downloads run: a third real server, and another weight for the first.');
  startNginx(lvs.inside, { listen: ['10.31.3.1:8080'], hello: 'rs3\n', server: quietHealth });
  lvs.inside.run('cp /run/nginx-rs1/www/large /run/nginx-inside/www/');
  const right = lvs.rs1.run('sha256sum < /run/nginx-rs1/www/large').stdout;
  const running = downloads(lvs, 8);
  await sleep(1500);
  await balancer.reload(['{ address: 10.31.4.2, port: 80, weight: 3 }', '10.31.5.2:80', '10.31.3.1:8080']);
  await until('the third server', () => balancer.weight('10.31.3.1') === 1, 20_000);
  const status = story.show(lvs.balancer, 'lvsctl status').stdout;
  story.claim(
    'the table has the new weight and the new server',
    balancer.weight('10.31.4.2') === 3 && status.includes('10.31.3.1:8080'),
  );
  const hashes = await running;
  story.claim(
    'all eight downloads are whole',
    hashes.every((hash) => hash === right),
    hashes.join(''),
  );
}

async function flushed(story: Story, lvs: LvsTopology, balancer: Balancer): Promise<void> {
  story.step('The table is flushed', 'After one ipvsadm -C, keepalived would serve no client until its restart.');
  story.show(lvs.balancer, 'ipvsadm -C');
  await until('the repair', () => balancer.weight('10.31.4.2') === 3, 40_000);
  const events = story.show(lvs.balancer, 'lvsctl events', (line) => /drift/.test(line)).stdout;
  story.claim(
    'lvsd has detected, reported and repaired it',
    /table\.drift +.*10\.99\.0\.10:80.* was deleted/.test(events),
    events,
  );
  story.claim('the client is served', /rs\d/.test(story.show(lvs.client, request(20031)).stdout));
}

async function killed(story: Story, lvs: LvsTopology, balancer: Balancer): Promise<void> {
  story.step('lvsd itself is killed', 'kill -9 while eight downloads run; then it is started again.');
  const right = lvs.rs1.run('sha256sum < /run/nginx-rs1/www/large').stdout;
  const before = balancer.table().replace(/ +\d+ +\d+ *$/gm, '');
  const running = downloads(lvs, 8);
  await sleep(1500);
  await balancer.kill();
  story.claim('the kernel continues without it', /rs\d/.test(story.show(lvs.client, request(20041)).stdout));
  await balancer.start();
  const hashes = await running;
  story.claim(
    'no download was lost',
    hashes.every((hash) => hash === right),
    hashes.join(''),
  );
  story.claim('the table is as it was', balancer.table().replace(/ +\d+ +\d+ *$/gm, '') === before, balancer.table());
}
