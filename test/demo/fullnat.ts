// SPDX-License-Identifier: MIT
// FULLNAT in the same network: it works, and with the toa module the real servers see the client's address.
import { setTimeout as sleep } from 'node:timers/promises';
import { type LvsTopology, type Nginx, until } from '../../lab/topology.ts';
import { request, type Servers } from './plain-nat.ts';
import type { Story } from './story.ts';

const many = 60;
const megabytes = 10;

export async function fullnat(story: Story, lvs: LvsTopology, servers: Servers): Promise<void> {
  withoutToa(story, lvs, servers);
  withToa(story, lvs, servers);
  inParallel(story, lvs, servers);
  download(story, lvs, servers);
  await totals(story, lvs);
}

function withoutToa(story: Story, lvs: LvsTopology, servers: Servers): void {
  story.step(
    'The client gets answers',
    `The same requests as before, the same real servers, still without a route to the client:`,
  );
  const answers = [20011, 20012, 20013, 20014].map((port) => story.show(lvs.client, request(port)).stdout.trim());
  story.claim('four requests, four answers, two by each server', answers.sort().join(' ') === 'rs1 rs1 rs2 rs2');
  const sources = [...servers.rs1.log(), ...servers.rs2.log()].map((entry) => entry.address);
  show(story, servers);
  const local = sources.filter((address) => lvs.laddrs.includes(address)).length;
  story.claim("the real servers' logs name only the balancer's local addresses", local === 4 && sources.length === 4);
  const counts = story.show(lvs.balancer, 'lvsadm -G').stdout;
  story.claim(
    'both local addresses are listed, and both have been used',
    lvs.laddrs.every((laddr) => counts.includes(laddr)) && new Set(sources).size === 2,
    counts,
  );
}

/** The access logs so far, as nginx wrote them: address, port, status, bytes, request. */
function show(story: Story, servers: Servers): void {
  for (const [name, server] of Object.entries<Nginx>({ ...servers })) {
    story.say(
      `${name}'s access log:\n${server
        .log()
        .map((entry) => `  ${entry.address} port ${entry.port}: ${entry.request}, ${entry.status}`)
        .join('\n')}`,
    );
  }
}

function withToa(story: Story, lvs: LvsTopology, servers: Servers): void {
  story.step(
    'The real servers see the client',
    `The balancer also writes the client's address into a TCP option (TOA). The toa module on the real servers reads it and
makes accept() and getpeername() report it; trust= lists the senders whose option is accepted. nginx is Debian's, and
keeps running.`,
  );
  story.program(lvs.rs1, ['modprobe toa trust=10.31.3.0/24']);
  servers.rs1.clearLog();
  servers.rs2.clearLog();
  const ports = [20021, 20022, 20023, 20024];
  for (const port of ports) story.show(lvs.client, request(port));
  show(story, servers);
  const seen = [...servers.rs1.log(), ...servers.rs2.log()].map((entry) => `${entry.address}:${entry.port}`).sort();
  const wanted = ports.map((port) => `${lvs.clientAddress}:${port}`);
  story.claim(
    "every line names the client's own address and port",
    seen.join(' ') === wanted.join(' '),
    `logged: ${seen.join(' ')}\nused:   ${wanted.join(' ')}`,
  );
}

function inParallel(story: Story, lvs: LvsTopology, servers: Servers): void {
  story.step('Many at once', `${many} requests, twenty at a time, each over a connection of its own.`);
  servers.rs1.clearLog();
  servers.rs2.clearLog();
  const command = `curl -sS --no-progress-meter --parallel --parallel-max 20 -H 'Connection: close' -o /dev/null -w '%{http_code} %{local_port}\\n' 'http://10.99.0.10/?[1-${many}]'`;
  const { stdout } = story.show(lvs.client, command, () => false);
  const rows = stdout.trim().split('\n');
  const used = rows.map((row) => Number(row.split(' ')[1])).sort((a, b) => a - b);
  const entries = [...servers.rs1.log(), ...servers.rs2.log()];
  const logged = entries.map((entry) => entry.port).sort((a, b) => a - b);
  story.claim(`all ${many} are answered with status 200`, rows.filter((row) => row.startsWith('200 ')).length === many);
  story.claim(
    "the logs have exactly the client's address and the ports that it used",
    entries.every((entry) => entry.address === lvs.clientAddress) && logged.join() === used.join(),
    `logged: ${logged.join()}\nused:   ${used.join()}`,
  );
}

function download(story: Story, lvs: LvsTopology, servers: Servers): void {
  story.step('A large file', `${megabytes} MB of random bytes from either server, compared by their hash.`);
  story.show(
    lvs.rs1,
    `head -c ${megabytes}M /dev/urandom > ${servers.rs1.root}/large; cp ${servers.rs1.root}/large ${servers.rs2.root}/`,
  );
  const right = story.show(lvs.rs1, `sha256sum < ${servers.rs1.root}/large`).stdout;
  for (let time = 0; time < 2; time += 1) {
    const command = 'curl --silent --show-error --max-time 60 http://10.99.0.10/large | sha256sum';
    const got = story.show(lvs.client, command).stdout;
    story.claim('every byte is right', got === right && got.length > 64, got);
  }
}

async function totals(story: Story, lvs: LvsTopology): Promise<void> {
  const connections = 4 + 4 + many + 2;
  story.step('Totals', 'IPVS adds its counters up every two seconds; after a short wait:');
  await sleep(2500);
  const stats = story.show(lvs.balancer, 'lvsadm -Ln --stats').stdout;
  const row = /^TCP\s+10\.99\.0\.10:80\s+(\S+)\s+(\S+)\s+(\S+)/m.exec(stats) ?? [];
  story.claim(`${connections} connections were counted`, Number(row[1]) === connections, stats);
  const counters = story.show(lvs.balancer, 'cat /proc/net/ip_vs_ext_stats', (line) =>
    /^fullnat_(add_toa_ok|toa_lost|exhausted)\b/.test(line),
  ).stdout;
  const counted = (name: string) =>
    (new RegExp(`^${name}\\s*:(.*)$`, 'm').exec(counters)?.[1] ?? 'none')
      .trim()
      .split(/\s+/)
      .map(Number)
      .reduce((a, b) => a + b);
  story.claim("no connection lost its client's address (toa_lost is 0)", counted('fullnat_toa_lost') === 0, counters);
  story.claim(
    `each carried it (toa_ok is at least ${connections})`,
    counted('fullnat_add_toa_ok') >= connections,
    counters,
  );
  story.claim('no local port was missing', counted('fullnat_exhausted') === 0, counters);
  await until('the modules to be free', () => lvs.rs1.run('rmmod toa', { accept: 'any' }).status === 0);
  story.claim('the toa module unloads while nginx keeps running', true);
}
