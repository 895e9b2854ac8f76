// SPDX-License-Identifier: MIT
// The shared network with FULLNAT on its balancer, under the conditions of one row.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type LvsTopology, lvsTopology, type Namespace, type Nginx, startNginx } from '../../../lab/topology.ts';
import { invalidDrop } from './conntrack.ts';
import { OddOptions } from './odd-options.ts';
import type { Row } from './rows.ts';

/** Output of flows.c for a set of connections. */
export interface Report {
  connections: number;
  ok: number;
  failed: number;
  wrongBytes: number;
  wrongPeer: number;
  bytes: number;
  seconds: number;
  examples: string[];
}

export interface Load {
  count: number;
  parallel: number;
  /** Bytes that each connection carries. */
  length: number;
  /** Connections that last longer have failed; 120 by default. */
  seconds?: number;
}

export interface Programs {
  flows: string;
  oddOptions: string;
}

/** Compiles the C programs next to this file. */
export function compile(): Programs {
  const dir = mkdtempSync(join(tmpdir(), 'fullnat-'));
  const one = (name: string) => {
    const out = join(dir, name);
    execFileSync('cc', ['-O1', '-Wall', '-Wextra', '-Werror', '-o', out, join(import.meta.dirname, `${name}.c`)]);
    return out;
  };
  return { flows: one('flows'), oddOptions: one('odd-options') };
}

/** Largest offset of a connection, see flows.c. */
const spread = 65536;

/** Pseudo-random bytes, always the same, so that misplaced pieces are detected. */
export function randomFile(path: string, length: number): Buffer {
  const words = new Uint32Array(Math.ceil((length + spread) / 4));
  // xorshift: an emulated CPU makes a megabyte of it in milliseconds.
  let state = 2463534242;
  for (let index = 0; index < words.length; index += 1) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[index] = state;
  }
  const bytes = Buffer.from(words.buffer);
  writeFileSync(path, bytes);
  return bytes;
}

const clients: [string, string] = ['10.1.0.2', '10.1.0.3'];

const secondVip = '10.99.0.11';

interface Service {
  vip: string;
  laddrs: string[];
  servers: string[];
}

/**
 * One service with both real servers; or two services without common addresses if the MTU is lowered, as ends store the
 * MTU of a path by address and each of the two paths has to be discovered.
 */
function planServices(lvs: LvsTopology, row: Row): Service[] {
  const [laddr1 = '', laddr2 = ''] = lvs.laddrs;
  if (row.mtu === '1500') return [{ vip: lvs.vip, laddrs: lvs.laddrs, servers: [lvs.rs1Address, lvs.rs2Address] }];
  return [
    { vip: lvs.vip, laddrs: [laddr1], servers: [lvs.rs1Address] },
    { vip: secondVip, laddrs: [laddr2], servers: [lvs.rs2Address] },
  ];
}

export class Site {
  readonly lvs: LvsTopology;
  readonly row: Row;
  /** The router's device towards the client. */
  readonly clientLeg: string;
  readonly nginx: Nginx[];
  readonly odd: OddOptions | undefined;
  private readonly services: Service[];
  private readonly programs: Programs;
  private readonly body: { path: string; bytes: Buffer };

  private constructor(lvs: LvsTopology, row: Row, programs: Programs, length: number, odd: OddOptions | undefined) {
    this.lvs = lvs;
    this.row = row;
    this.programs = programs;
    this.odd = odd;
    this.services = planServices(lvs, row);
    this.clientLeg = odd === undefined ? 'client0' : odd.device;
    // With 200 concurrent connections one may have to wait longer than nginx's defaults.
    const server = `send_timeout 600s; client_body_timeout 600s; add_header X-Peer "$remote_addr:$remote_port" always; client_max_body_size 0;
      location /up { dav_methods PUT; create_full_put_path on; }`;
    this.nginx = [lvs.rs1, lvs.rs2].map((rs) => startNginx(rs, { server }));
    const [first, second] = this.nginx.map(({ root }) => join(root, 'body')) as [string, string];
    this.body = { path: first, bytes: randomFile(first, length) };
    writeFileSync(second, this.body.bytes);
  }

  /** `length` is that of the longest load. */
  static async open(row: Row, programs: Programs, length: number): Promise<Site> {
    const lvs = lvsTopology({ laddrs: 2, forward: false });
    lvs.client.ip(`addr add ${clients[1]}/24 dev eth0`);
    lvs.balancer.ip(`addr add ${secondVip}/32 dev lo`);
    lvs.router.ip(`route add ${secondVip}/32 via 10.2.0.2`);
    const odd = row.options === 'odd' ? await OddOptions.start(lvs, programs.oddOptions, clients) : undefined;
    const site = new Site(lvs, row, programs, length, odd);
    site.setEnds();
    site.setOffloads();
    site.lowerMtu();
    if (row.conntrack !== 'absent') {
      lvs.balancer.sysctl({ 'net.ipv4.vs.conntrack': row.conntrack });
      lvs.balancer.run(['nft', '-f', '-'], { input: invalidDrop(site.vips, lvs.laddrs, row.conntrack === '0') });
    }
    const lines = site.services.flatMap(({ vip, laddrs, servers }) => [
      `-A -t ${vip}:80 -s rr`,
      ...laddrs.map((laddr) => `-P -t ${vip}:80 -z ${laddr}`),
      ...servers.map((rs) => `-a -t ${vip}:80 -r ${rs}:80 -b`),
    ]);
    lvs.balancer.run(['lvsadm', '-R'], { input: `${lines.join('\n')}\n` });
    site.impair();
    return site;
  }

  private get vips(): string[] {
    return this.services.map(({ vip }) => vip);
  }

  private setEnds(): void {
    this.lvs.client.sysctl({
      'net.ipv4.tcp_timestamps': this.row.timestamps === 'on' ? 1 : 0,
      'net.ipv4.tcp_sack': this.row.sack === 'on' ? 1 : 0,
      'net.ipv4.ip_local_port_range': '1024 65535',
    });
  }

  private setOffloads(): void {
    const { client, router, balancer, inside, rs1, rs2 } = this.lvs;
    const devices: [Namespace, string[]][] = [
      ...[client, rs1, rs2].map((each): [Namespace, string[]] => [each, ['eth0']]),
      [router, ['client0', 'lb0']],
      [inside, ['lb0', 'rs1', 'rs2']],
      [balancer, ['out0', 'in0']],
    ];
    for (const [where, names] of devices) {
      let words: string;
      if (this.row.offload === 'gso') continue;
      else if (this.row.offload === 'off') words = 'tx off tso off gso off gro off';
      else words = where === balancer ? 'gro on rx-gro-list on' : 'tso off gso off';
      where.run(names.map((name) => `ethtool -K ${name} ${words}`).join(' && '));
    }
  }

  /**
   * Each leg has an MTU of 1400 twice: for the first service at a router, whose errors pass the balancer, for the
   * second one at the balancer, which sends the errors.
   */
  private lowerMtu(): void {
    const { router, balancer, inside, vip } = this.lvs;
    if (this.row.mtu === 'client') {
      router.ip(
        `route replace ${clients[0]}/32 dev ${this.clientLeg} mtu 1400`,
        `route replace ${vip}/32 via 10.2.0.2 mtu 1400`,
      );
      balancer.ip(`route add ${clients[1]}/32 via 10.2.0.1 mtu 1400`);
    }
    if (this.row.mtu === 'server') {
      inside.ip('route replace 10.31.4.0/24 dev rs1 mtu 1400', 'route replace 10.31.3.0/24 dev lb0 mtu 1400');
      balancer.ip('route add 10.31.5.0/24 via 10.31.3.1 mtu 1400');
    }
  }

  private impair(): void {
    const words = 'delay 4ms reorder 25% 50% loss 1% limit 20000';
    const { router, inside } = this.lvs;
    if (this.row.loss === 'client') for (const device of [this.clientLeg, 'lb0']) router.netem(device, words);
    if (this.row.loss === 'server') for (const device of ['lb0', 'rs1', 'rs2']) inside.netem(device, words);
  }

  /**
   * Connections that read from (`get`) or write to (`put`) the real servers; written files are verified and removed.
   */
  async flows(direction: 'get' | 'put', load: Load): Promise<Report> {
    // Clears the stored MTUs, so that these connections have to discover them.
    if (this.row.mtu !== '1500') {
      for (const end of [this.lvs.client, this.lvs.rs1, this.lvs.rs2]) end.ip('route flush cache');
    }
    const seconds = load.seconds ?? 120;
    const { stdout } = await this.lvs.client.exec(
      [
        ...[
          this.programs.flows,
          direction,
          clients.join(','),
          this.vips.join(','),
          '80',
          direction === 'get' ? '/body' : '/up',
        ],
        ...[this.body.path, load.count, load.parallel, load.length, seconds].map(String),
      ],
      { timeout: (seconds + 30) * 1000 },
    );
    const report = JSON.parse(stdout) as Report;
    if (direction === 'put') this.verifyWritten(report, load.length);
    return report;
  }

  private verifyWritten(report: Report, length: number): void {
    let files = 0;
    for (const { root } of this.nginx) {
      const dir = join(root, 'up');
      if (!existsSync(dir)) continue;
      for (const name of readdirSync(dir)) {
        const offset = (Number(name) * 4099) % 65521;
        files += 1;
        if (readFileSync(join(dir, name)).equals(this.body.bytes.subarray(offset, offset + length))) continue;
        report.wrongBytes += 1;
        report.examples.push(`connection ${name}: the file at the real server differs`);
      }
      rmSync(dir, { recursive: true });
    }
    if (files < report.ok) report.examples.push(`${report.ok} writes acknowledged, ${files} files written`);
    report.failed += Math.max(0, report.ok - files);
  }

  async close(): Promise<void> {
    await this.odd?.stop();
    await this.lvs.destroy();
  }
}
