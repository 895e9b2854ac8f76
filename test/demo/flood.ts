// SPDX-License-Identifier: MIT
// A flood of SYNs from forged addresses, without and with SYN proxy.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type LvsTopology, until } from '../../lab/topology.ts';
import { both, file, yaml } from './lvsd.ts';
import type { Story } from './story.ts';

const requests = 20;
/** SYNs, and how many a second: they go on for longer than the requests wait. */
const syns = 14_000;
const rate = 2000;
const program = '/run/demo/flood';
const flood = `${program} syn 10.99.0.10 80 ${syns} ${rate}`;
/** The requests, all at once, each with so many seconds. */
const ask = (seconds: number) =>
  `curl -s -Z --parallel-immediate -m ${seconds} -H 'Connection: close' -o /dev/null -w '%{http_code}\\n' 'http://10.99.0.10/?[1-${requests}]'`;

/** The file of the demo, with few local ports, and checks that a busy emulated CPU does not fail. */
function floodYaml(synProxy: boolean): string {
  return yaml(both)
    .replace('interval: 500ms, timeout: 400ms', 'interval: 5s, timeout: 5s')
    .replace('10.31.3.101-10.31.3.102] }', '10.31.3.101-10.31.3.102], ports: 5000-5099 }')
    .replace('    local_addresses: inner\n', `    local_addresses: inner\n${synProxy ? '    syn_proxy: true\n' : ''}`);
}

/** Connections in the kernel's table whose handshake is not complete. */
const halfOpen = (lvs: LvsTopology) =>
  Number(lvs.balancer.run('grep -c SYN_RECV /proc/net/ip_vs_conn', { accept: 'any' }).stdout);

/** Requests while a flood runs: how many were answered, and the largest number of half-open connections. */
async function underFlood(
  story: Story,
  lvs: LvsTopology,
  seconds: number,
): Promise<{ answered: number; open: number }> {
  story.say(`${flood} &`);
  const running = lvs.client.spawn(flood.split(' '));
  await sleep(1000);
  const codes = story
    .show(lvs.client, ask(seconds), () => false)
    .stdout.trim()
    .split('\n');
  const open = halfOpen(lvs);
  const still = running.child.exitCode === null;
  const answered = codes.filter((code) => code === '200').length;
  story.say(`${answered} of ${requests} requests were answered; ${open} connections were half open`);
  story.claim('the flood lasted longer than the requests', still);
  await running.ended;
  return { answered, open };
}

export async function synFlood(story: Story, lvs: LvsTopology): Promise<void> {
  story.step(
    'A flood of SYNs',
    `${rate} SYNs a second from forged addresses, which never answer. The pool has only 200 local ports here for each real
server, so that a small flood shows what a large one does.`,
  );
  execFileSync('cc', ['-O1', '-o', program, join(import.meta.dirname, '../system/synproxy/flood.c')]);
  story.show(lvs.balancer, 'sysctl -w net.ipv4.vs.timeout_synrecv=3');
  writeFileSync(file, floodYaml(false));
  story.show(lvs.balancer, 'lvsctl reload');
  const without = await underFlood(story, lvs, 4);
  story.claim('most requests get no answer', without.answered < requests / 2, String(without.answered));
  story.claim('each SYN held a connection and a local port', without.open > 100, String(without.open));
  await until('the half-open connections to end', () => halfOpen(lvs) === 0, 30_000);

  story.step(
    'The same flood, with SYN proxy',
    `One line in the file. The balancer answers SYNs itself, with a cookie instead of a connection, and makes the connection
when the client acknowledges the cookie, which a forged address cannot.`,
  );
  writeFileSync(file, floodYaml(true));
  story.show(lvs.balancer, 'lvsctl reload');
  story.show(lvs.balancer, 'lvsadm -Ln', (line) => /synproxy/.test(line));
  const proxied = await underFlood(story, lvs, 30);
  story.claim('every request is answered', proxied.answered === requests, String(proxied.answered));
  story.claim('no SYN held a connection', proxied.open === 0, String(proxied.open));
  const counters = story.show(lvs.balancer, 'cat /proc/net/ip_vs_ext_stats', (line) =>
    /synproxy_(syn_cnt|ok_ack)/.test(line),
  ).stdout;
  const counted = (name: string) =>
    (new RegExp(`^\\s*${name}\\s*:(.*)$`, 'm').exec(counters)?.[1] ?? '')
      .trim()
      .split(/\s+/)
      .reduce((sum, value) => sum + Number(value), 0);
  story.claim(
    'every SYN was answered, and only those of the requests were acknowledged',
    counted('synproxy_syn_cnt') >= syns + requests && counted('synproxy_ok_ack') === requests,
    counters,
  );
}
