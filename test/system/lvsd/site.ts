// SPDX-License-Identifier: MIT
// The lab's network for the daemon's tests: a balancer with an empty table, two hosts with real servers whose health
// checks can be made to fail, and a client that downloads.
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type LvsTopology, lvsTopology, type Namespace, type Nginx, startNginx } from '../../../lab/topology.ts';
import { within } from '../fullnat/rig.ts';
import { Lvsd } from './daemon.ts';

/** Both machines have a real server on each of these ports. */
export const PORTS = [80, 8001, 8002, 8003, 8004];
const BODY = 4 << 20;

/** `/body?rate=64k` sends the body at this rate; `/healthz` answers 200, or 503 where setHealthy() switched it off. */
const server = (root: string) => `
  location = /body { limit_rate $arg_rate; }
  location = /healthz { if (-f ${root}/sick/$server_port) { return 503; } return 200 "well\\n"; }`;

export interface SiteOptions {
  name?: string;
  /** Further arguments of nginx's `listen`. */
  listen?: string[];
  /** Further directives of nginx's server. */
  server?: string;
}

export class Site {
  readonly lvs: LvsTopology;
  readonly nginx: { rs1: Nginx; rs2: Nginx };
  readonly lvsd: Lvsd;
  readonly #dir: string;
  readonly #hash: string;
  readonly #blocked = new Set<'rs1' | 'rs2'>();
  #downloads = 0;

  constructor({ name = 'lvsd', listen = [], server: more = '' }: SiteOptions = {}) {
    this.lvs = lvsTopology({ laddrs: 0 });
    const { client, router, balancer, inside, rs1, rs2 } = this.lvs;
    balancer.run('modprobe ip_vs && ipvsadm -C');
    // lvsd adds the virtual addresses. Plain NAT: all answers go back through the balancer.
    balancer.ip('addr del 10.99.0.10/32 dev lo', 'link add vip0 type dummy', 'link set vip0 up');
    router.ip('route del 10.99.0.10/32', 'route add 10.99.0.0/24 via 10.2.0.2');
    rs1.ip('route add default via 10.31.4.1');
    rs2.ip('route add default via 10.31.5.1');
    inside.ip('route add default via 10.31.3.2');
    client.sysctl({ 'net.ipv4.tcp_syn_retries': 2 });
    const body = Buffer.alloc(BODY);
    for (let at = 0; at < BODY; at += 4) body.writeUInt32LE(Math.imul(at, 2654435761) >>> 0, at);
    this.#hash = createHash('sha256').update(body).digest('hex');
    const start = (where: Namespace) => {
      const root = `/run/nginx-${where.name}/www`;
      rmSync(join(root, 'sick'), { recursive: true, force: true });
      mkdirSync(join(root, 'sick'), { recursive: true });
      writeFileSync(join(root, 'body'), body);
      const ports = PORTS.flatMap((port) => [`${port}`, `[::]:${port}`]);
      return startNginx(where, { listen: [...ports, ...listen], server: `${server(root)} ${more}` });
    };
    this.nginx = { rs1: start(rs1), rs2: start(rs2) };
    this.#dir = `/run/downloads-${name}`;
    rmSync(this.#dir, { recursive: true, force: true });
    mkdirSync(this.#dir);
    rmSync(`/run/lvsd-${name}`, { recursive: true, force: true });
    this.lvsd = new Lvsd(balancer, name);
  }

  /** Makes /healthz of a real server, such as "rs1:8001", answer 200 or 503. */
  setHealthy(one: string, healthy: boolean): void {
    const [machine = '', port = ''] = one.split(':');
    const path = `/run/nginx-${machine}/www/sick/${port}`;
    if (healthy) rmSync(path, { force: true });
    else writeFileSync(path, '');
  }

  /** Makes a machine reset or ignore connections to these ports; undefined ends this. */
  block(machine: 'rs1' | 'rs2', ports: number[], how: 'reset' | 'silence' | undefined): void {
    const verdict = how === 'reset' ? 'reject with tcp reset' : 'drop';
    const rule =
      how && ports.length > 0
        ? `add chain inet sick in { type filter hook input priority 0; }\nadd rule inet sick in tcp dport { ${ports.join(', ')} } ${verdict}\n`
        : '';
    if (rule) this.#blocked.add(machine);
    else this.#blocked.delete(machine);
    this.lvs[machine].run(['nft', '-f', '-'], {
      input: `add table inet sick\ndelete table inet sick\nadd table inet sick\n${rule}`,
    });
  }

  /** Removes the table, the addresses of lvsd and its state file, and makes every check pass. lvsd must not run. */
  clear(): void {
    for (const machine of this.#blocked) this.block(machine, [], undefined);
    for (const { root } of Object.values(this.nginx))
      for (const port of PORTS) rmSync(join(root, 'sick', String(port)), { force: true });
    this.lvs.balancer.run(
      'ipvsadm -C; ip addr flush dev vip0; ip addr flush dev lo scope global; ip addr flush dev in0 scope link',
    );
    rmSync(this.lvsd.state, { force: true });
  }

  /** The answer's body, or '' if there is none within three seconds. */
  async get(url: string): Promise<string> {
    const { stdout } = await this.lvs.client.exec(['curl', '-s', '-m', '3', url], { accept: 'any' });
    return stdout.trim();
  }

  /** The kernel's table as rules of Debian's ipvsadm, sorted. */
  rules(): string[] {
    return this.lvs.balancer.run(['ipvsadm', '-Sn']).stdout.split('\n').filter(Boolean).sort();
  }

  /** The kernel's table without its connection counts; quick, since no process is started. */
  table(): string {
    const text = within(this.lvs.balancer, () => readFileSync('/proc/net/ip_vs', 'utf8'));
    const lines = text.split('\n').slice(3);
    return lines.map((line) => line.replace(/^( {2}-> \S+ +\S+ +\d+).*$/, '$1').trimEnd()).join('\n');
  }

  ipvsadm(line: string): void {
    this.lvs.balancer.run(['ipvsadm', ...line.split(' ')]);
  }

  /** "10.99.0.11/32 on lo": IPv4 addresses of the balancer beside those of its links. */
  addresses(): string[] {
    const links = JSON.parse(this.lvs.balancer.run(['ip', '-j', '-4', 'address']).stdout) as {
      ifname: string;
      addr_info: { local: string; prefixlen: number }[];
    }[];
    return links
      .flatMap(({ ifname, addr_info: found }) => found.map((one) => `${one.local}/${one.prefixlen} on ${ifname}`))
      .filter((text) => !/^(127\.0\.0\.1|10\.2\.0\.2|10\.31\.3\.2)\//.test(text))
      .sort();
  }

  /** Starts downloads from ADDRESS:PORT that take about `seconds`; resolves when all have begun. */
  async downloads(from: string, count: number, seconds: number): Promise<Downloads> {
    const dir = join(this.#dir, String(this.#downloads++));
    mkdirSync(dir);
    const url = `http://${from}/body?rate=${Math.ceil(BODY / seconds)}&n=[1-${count}]`;
    const words = [
      'curl',
      '-s',
      '--no-progress-meter',
      '-S',
      '--parallel',
      '--parallel-immediate',
      '--parallel-max',
      String(count),
      '--fail',
    ];
    const running = this.lvs.client.exec([...words, '-o', `${dir}/#1`, url], {
      accept: 'any',
      timeout: 60_000 + 4000 * seconds,
    });
    const names = Array.from({ length: count }, (_, index) => join(dir, String(index + 1)));
    const begun = () => names.filter((name) => sizeOf(name) > 0).length;
    for (let waited = 0; begun() < count; waited += 100) {
      if (waited > 30_000) throw new Error(`${begun()} of ${count} downloads have begun: ${(await running).stderr}`);
      await sleep(100);
    }
    const whole = async () => {
      const { status, stderr } = await running;
      const broken = names.filter(
        (name) => createHash('sha256').update(readFileSync(name)).digest('hex') !== this.#hash,
      );
      const sizes = broken.map(sizeOf).join(', ');
      const table = broken.length > 0 ? this.lvs.balancer.run('ipvsadm -Lnc; lvsadm -G; ip -4 -br address').stdout : '';
      rmSync(dir, { recursive: true });
      if (broken.length === 0 && status === 0) return 'whole';
      return `${broken.length} of ${count} are broken (of ${BODY} bytes: ${sizes}), curl ended with ${status}: ${stderr}${table}`;
    };
    return { whole };
  }

  async close(): Promise<void> {
    await this.lvsd.stop();
    await this.lvs.destroy();
  }
}

export interface Downloads {
  /** Waits for their end; resolves to 'whole', or to a description of the failure. */
  whole: () => Promise<string>;
}

function sizeOf(path: string): number {
  try {
    return statSync(path).size;
  } catch {
    return 0;
  }
}
