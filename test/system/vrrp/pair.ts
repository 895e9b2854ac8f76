// SPDX-License-Identifier: MIT
// Two routers on one switch, in namespaces of their own: lvsd's VRRP process, and keepalived or a second lvsd.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Namespace, Topology, until } from '../../../lab/topology.ts';
import type { InstanceConfiguration } from '../../../src/vrrp/configuration.ts';
import type { FromVrrp, InstanceStatus, ToVrrp } from '../../../src/vrrp/messages.ts';
import type { Tracked } from '../../../src/vrrp/tracking.ts';

const SECOND = 1_000_000;
const AF_INET = 2;
const AF_INET6 = 10;
/** An emulated CPU takes seconds to start Node, several at a time more. */
const START = 120_000;

/** A mode of the protocol. */
export interface Mode {
  name: string;
  version: 2 | 3;
  ipv6: boolean;
  unicast: boolean;
  password?: string;
  /** The advert interval in microseconds. */
  interval: number;
}

export const MODES: readonly Mode[] = [
  { name: 'version 2', version: 2, ipv6: false, unicast: false, interval: SECOND },
  { name: 'version 2, password', version: 2, ipv6: false, unicast: false, password: 'lvsdtest', interval: SECOND },
  { name: 'version 3', version: 3, ipv6: false, unicast: false, interval: SECOND },
  { name: 'version 3, 100 ms', version: 3, ipv6: false, unicast: false, interval: SECOND / 10 },
  { name: 'version 3, IPv6', version: 3, ipv6: true, unicast: false, interval: SECOND / 10 },
  { name: 'version 3, unicast', version: 3, ipv6: false, unicast: true, interval: SECOND / 10 },
  { name: 'version 3, IPv6, unicast', version: 3, ipv6: true, unicast: true, interval: SECOND / 10 },
];

const VIRTUAL = { ipv4: '10.9.0.100', ipv6: 'fe80::100' };
const NODES = [
  { ipv4: '10.9.0.1', ipv6: 'fd09::1' },
  { ipv4: '10.9.0.2', ipv6: 'fd09::2' },
] as const;

/** A router, lvsd or keepalived, in its namespace. */
export interface Node {
  namespace: Namespace;
  start(priority: number): Promise<void>;
  /** Stops it properly (SIGTERM), or kills it. */
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>;
}

export class Pair {
  readonly topology = new Topology();
  readonly mode: Mode;
  readonly lvsd: LvsdNode;
  /** A second lvsd instead of keepalived. */
  readonly other: LvsdNode;
  readonly keepalived: KeepalivedNode;
  /** keepalived in the place of `lvsd`. */
  readonly firstKeepalived: KeepalivedNode;
  readonly switch: Namespace;
  readonly virtual: string;

  /** `number` makes the names of namespaces unique. */
  constructor(mode: Mode, number: number) {
    this.mode = mode;
    this.virtual = mode.ipv6 ? VIRTUAL.ipv6 : VIRTUAL.ipv4;
    const middle = this.topology.namespace(`vs${number}`);
    this.switch = middle;
    const [a, b] = [this.topology.namespace(`va${number}`), this.topology.namespace(`vb${number}`)];
    for (const [index, end] of [a, b].entries()) {
      const node = NODES[index] ?? assert.fail();
      // Otherwise the kernel removes the IPv6 source address when the link goes down.
      end.run(['sysctl', '-qw', 'net.ipv6.conf.default.keep_addr_on_down=1']);
      const addresses = [`${node.ipv4}/24`, `${node.ipv6}/64`];
      this.topology.link({ in: end, device: 'eth0', addresses }, { in: middle, device: `port${index}` });
    }
    this.topology.bridge(middle, 'br0', ['port0', 'port1']);
    this.lvsd = new LvsdNode(a, mode, this.virtual, 0);
    this.other = new LvsdNode(b, mode, this.virtual, 1);
    this.keepalived = new KeepalivedNode(b, mode, this.virtual, 1);
    this.firstKeepalived = new KeepalivedNode(a, mode, this.virtual, 0);
  }

  holds(node: Node): boolean {
    return node.namespace.run(['ip', '-o', 'addr', 'show', 'dev', 'eth0']).stdout.includes(` ${this.virtual}/`);
  }

  /** Captures the packets of a port of the switch, by default that of the first router; the returned function ends the capture and returns the path. */
  async capture(port = 'port0'): Promise<() => Promise<string>> {
    const path = join(mkdtempSync(join(tmpdir(), 'lvsd-vrrp-')), `${port}.pcap`);
    const tcpdump = this.switch.spawn(['tcpdump', '-Z', 'root', '--immediate-mode', '-U', '-i', port, '-w', path]);
    await until('tcpdump', () => tcpdump.stderr().includes('listening on'), 60_000);
    return async () => {
      await tcpdump.stop('SIGINT');
      return path;
    };
  }

  /** Waits until this node has the address, whatever the other one has. */
  async holdsSoon(node: Node): Promise<void> {
    await until('the takeover', () => this.holds(node), 60_000);
  }

  /** Waits until exactly this node has the address. */
  async settles(master: Node, seconds = 60): Promise<void> {
    const isFirst = master === this.lvsd || master === this.firstKeepalived;
    const other = isFirst ? this.other : this.lvsd;
    const name = isFirst ? 'the first router' : master === this.keepalived ? 'keepalived' : 'the second lvsd';
    await until(`${name} to have the address alone`, () => this.holds(master) && !this.holds(other), 1000 * seconds);
  }

  async destroy(): Promise<void> {
    await this.lvsd.end('SIGKILL');
    await this.other.end('SIGKILL');
    await this.keepalived.end('SIGKILL');
    await this.firstKeepalived.end('SIGKILL');
    await this.topology.destroy();
  }
}

export class LvsdNode implements Node {
  readonly namespace: Namespace;
  readonly messages: FromVrrp[] = [];
  readonly #mode: Mode;
  readonly #virtual: string;
  readonly #index: 0 | 1;
  /** The interfaces and services that it tracks, from the next start or `configure` on. */
  track: readonly Tracked[] = [];
  #child: ChildProcess | undefined;
  #request = 0;
  /** Further settings of its configuration. */
  more: Partial<InstanceConfiguration> = {};
  /** Options of Node.js. */
  nodeOptions: readonly string[] = [];

  constructor(namespace: Namespace, mode: Mode, virtual: string, index: 0 | 1) {
    this.namespace = namespace;
    this.#mode = mode;
    this.#virtual = virtual;
    this.#index = index;
  }

  get pid(): number {
    return this.#child?.pid ?? assert.fail('not started');
  }

  configuration(priority: number): InstanceConfiguration {
    const { version, ipv6, unicast, password, interval } = this.#mode;
    const [own, peer] = [NODES[this.#index], NODES[1 - this.#index] ?? assert.fail()];
    return {
      name: 'edge',
      interface: 'eth0',
      family: ipv6 ? AF_INET6 : AF_INET,
      virtualRouterId: 51,
      settings: {
        version,
        priority,
        interval,
        downAfter: 3,
        preempt: true,
        preemptDelay: 0,
        startDelay: 0,
        answerLower: true,
      },
      addresses: [{ address: this.#virtual, prefix: ipv6 ? 128 : 32 }],
      extraAddresses: [],
      track: this.track,
      localAddresses: [],
      fromAnywhere: false,
      checksumWithoutPseudoHeader: false,
      announce: { repeat: 5, interval: 20, delay: 5000 },
      ...(unicast ? { peers: [{ address: ipv6 ? peer.ipv6 : peer.ipv4 }], source: ipv6 ? own.ipv6 : own.ipv4 } : {}),
      ...(password === undefined ? {} : { password }),
      ...this.more,
    };
  }

  /** `configure`: sends another configuration than that of one instance. */
  async start(priority: number, configure = () => this.configure(priority)): Promise<void> {
    const worker = join(import.meta.dirname, '../../../dist/workers/vrrp.cjs');
    const [file = '', ...args] = this.namespace.inside([process.execPath, ...this.nodeOptions, worker]);
    this.messages.length = 0;
    const child = spawn(file, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    child.on('message', (message: FromVrrp) => this.messages.push(message));
    this.#child = child;
    await until('the start of the process', () => this.messages.some(({ type }) => type === 'started'), START);
    configure();
  }

  configure(priority: number): void {
    this.send({ type: 'configure', instances: [this.configuration(priority)] });
  }

  send(message: ToVrrp): void {
    this.#child?.send(message);
  }

  async status(): Promise<InstanceStatus> {
    this.#request += 1;
    const request = this.#request;
    this.send({ type: 'status', request });
    const answer = () => this.messages.find((one) => one.type === 'status' && one.request === request);
    const found = await until('the status', answer);
    assert.ok(found.type === 'status' && found.instances[0] !== undefined);
    return found.instances[0];
  }

  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    if (signal === 'SIGKILL') child.kill(signal);
    else child.disconnect();
    await ended;
    this.#child = undefined;
    if (signal === 'SIGKILL') crashed(this.namespace, this.#mode, this.#virtual);
  }
}

export class KeepalivedNode implements Node {
  readonly namespace: Namespace;
  readonly #mode: Mode;
  readonly #virtual: string;
  readonly #index: 0 | 1;
  /** Further lines of its configuration. */
  further: readonly string[] = [];
  #child: ChildProcess | undefined;

  constructor(namespace: Namespace, mode: Mode, virtual: string, index: 0 | 1) {
    this.namespace = namespace;
    this.#mode = mode;
    this.#virtual = virtual;
    this.#index = index;
  }

  async start(priority: number): Promise<void> {
    const { version, ipv6, unicast, password, interval } = this.#mode;
    const dir = mkdtempSync(join(tmpdir(), 'lvsd-keepalived-'));
    const [own, peer] = [NODES[this.#index], NODES[1 - this.#index] ?? assert.fail()];
    const lines = [
      'global_defs {',
      '  router_id lvsd_test',
      `  vrrp_version ${version}`,
      '}',
      'vrrp_instance edge {',
      '  interface eth0',
      '  virtual_router_id 51',
      `  priority ${priority}`,
      `  advert_int ${interval / SECOND}`,
      ...(password === undefined
        ? []
        : ['  authentication {', '    auth_type PASS', `    auth_pass ${password}`, '  }']),
      ...(unicast
        ? [
            `  unicast_src_ip ${ipv6 ? own.ipv6 : own.ipv4}`,
            '  unicast_peer {',
            `    ${ipv6 ? peer.ipv6 : peer.ipv4}`,
            '  }',
          ]
        : []),
      '  virtual_ipaddress {',
      `    ${this.#virtual}/${ipv6 ? 128 : 32} dev eth0`,
      '  }',
      '}',
      ...this.further,
    ];
    const path = join(dir, 'keepalived.conf');
    writeFileSync(path, `${lines.join('\n')}\n`);
    const pids = ['-p', join(dir, 'main.pid'), '-r', join(dir, 'vrrp.pid')];
    const words = ['keepalived', '-n', '-l', '-D', '-P', '-f', path, ...pids];
    const [file = '', ...args] = this.namespace.inside(words);
    // In a process group of its own, since keepalived runs VRRP in a child process, and SIGKILL must end both.
    const log = openSync(join(dir, 'log'), 'w');
    this.#child = spawn(file, args, { stdio: ['ignore', log, log], detached: true });
    closeSync(log);
  }

  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const child = this.#child;
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    process.kill(signal === 'SIGKILL' ? -child.pid : child.pid, signal);
    await ended;
    this.#child = undefined;
    if (signal === 'SIGKILL') crashed(this.namespace, this.#mode, this.#virtual);
  }
}

/** Removes the address, which a process that is killed leaves behind, as a crash of the machine would. */
function crashed(namespace: Namespace, { ipv6 }: Mode, address: string): void {
  namespace.run(['ip', 'addr', 'del', `${address}/${ipv6 ? 128 : 32}`, 'dev', 'eth0'], { accept: 'any' });
}
