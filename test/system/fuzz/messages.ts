// SPDX-License-Identifier: MIT
// Random netlink messages of the IPVS family, made from our own attribute tables: valid ones, and half of them then
// damaged in one or several ways. A new attribute in the tables is fuzzed without a change here.
import { isIPv4 } from 'node:net';
import { COMMAND } from '../../../src/ipvs/tables.ts';
import type { Scalar, Table } from '../../../src/netlink/index.ts';
import type { Random } from '../../support/random.ts';

/** An attribute before encoding. `length` is the length in its header, if that is to differ from the true one. */
interface Node {
  type: number;
  length?: number;
  content: Buffer | Node[];
}

const addresses = ['0.0.0.0', '127.0.0.1', '224.0.0.1', '255.255.255.255', 'fd00::1', 'fd00::2', '::', 'ff02::1'].map(
  inet,
);
/** Plausible addresses, by the nested attribute that contains them. */
const fitting: Record<string, readonly Buffer[]> = {
  service: ['10.99.0.1', '10.99.0.1', '10.99.0.2', 'fd00::1'].map(inet),
  dest: ['10.31.4.1', '10.31.4.2', '10.31.4.3'].map(inet),
  localAddress: ['10.31.3.101', '10.31.3.102'].map(inet),
};
const strange = [0, 1, 2, 3, 127, 128, 255, 256, 0x7fff, 0x8000, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff];

/** Plausible values, by the attribute's name in the tables: few, so that messages refer to the same services. */
const likely: Record<string, readonly (number | string)[]> = {
  family: [2, 2, 2, 2, 2, 2, 2, 10],
  protocol: [6, 6, 6, 6, 17, 132],
  port: [80, 80, 80, 81, 0],
  scheduler: ['rr', 'wrr', 'sh', 'mh', 'lc', 'wlc', 'dh', 'rr', 'wrr', 'none', 'a-name-longer-than-any'],
  peName: ['', 'sip', 'none'],
  timeout: [0, 1, 300],
  netmask: [0xffffffff, 0x00ffffff, 128, 64],
  portMin: [0, 1024, 1025, 30_000],
  portMax: [0, 1025, 30_001, 65_535],
  method: [0, 1, 2, 3, 5, 5, 5, 5],
  weight: [0, 1, 1, 10],
  tunnelType: [0, 1, 2],
  state: [1, 2],
  interface: ['lo', 'veth0', 'none', ''],
  maxLength: [0, 1472],
  tcpTimeout: [0, 900],
  secretFlags: [0, 1],
};
/** Attributes that change a message's subject or that only answers carry: used seldom. */
const seldom = new Set(
  ['fwmark', 'peName', 'portMin', 'portMax', 'group', 'group6', 'flags', 'tcpTimeout', 'udpTimeout']
    .concat(['activeConnections', 'inactiveConnections', 'persistentConnections', 'conflicts', 'connections'])
    .concat([
      'numLocalAddresses',
      'portsInUse',
      'portsTotal',
      'exhausted',
      'tunnelFlags',
      'tunnelPort',
      'tcpFinTimeout',
    ]),
);

function inet(text: string): Buffer {
  const bytes = Buffer.alloc(16);
  if (isIPv4(text)) bytes.set(text.split('.').map(Number));
  else if (text !== '::') {
    const [head = '', tail = ''] = text.split('::');
    bytes.writeUInt16BE(Number.parseInt(head, 16), 0);
    bytes.writeUInt16BE(Number.parseInt(tail || '0', 16), 14);
  }
  return bytes;
}

/** The number of every message made here (messages.c). */
const SEQUENCE = 0x6c767364;

const widths = { u8: 1, u16: 2, be16: 2, u32: 4, be32: 4, u64: 8 } as const;

export class Messages {
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  #noise(length: number): Buffer {
    return Buffer.from(Array.from({ length }, () => this.#random.below(256)));
  }

  #number(kind: keyof typeof widths, value: number): Buffer {
    const bytes = Buffer.alloc(8);
    if (kind.startsWith('be')) {
      bytes.writeUIntBE(value % 2 ** (8 * widths[kind]), 0, widths[kind]);
    } else bytes.writeUInt32LE(value >>> 0, 0);
    return bytes.subarray(0, widths[kind]);
  }

  #scalar(nest: string, name: string, kind: Scalar): Buffer {
    const random = this.#random;
    if (kind === 'inet') return random.pick((random.chance(90) && fitting[nest]) || addresses);
    if (kind === 'string') return Buffer.from(`${random.pick(likely[name] ?? ['', 'rr'])}\0`);
    if (kind === 'bytes') {
      if (name === 'secret' || name === 'cookieSecret') return this.#noise(random.chance(80) ? 16 : random.below(20));
      // struct ip_vs_flags.
      const flags = random.pick([0, 0, 1, 1, 2, 4, 8, 0x40, 0x8000]);
      return Buffer.concat([this.#number('u32', flags), this.#number('u32', random.pick([0xffffffff, 0, 0x8000]))]);
    }
    const known = random.chance(90) ? likely[name] : undefined;
    return this.#number(kind, Number(random.pick(known ?? strange)));
  }

  /** The attributes of a nest, each included with a chance of `percent`. */
  #nest(nest: string, table: Table, percent: (name: string) => number): Node[] {
    const nodes: Node[] = [];
    for (const [name, [type, kind]] of Object.entries(table)) {
      if (!this.#random.chance(percent(name))) continue;
      if (typeof kind === 'string') nodes.push({ type, content: this.#scalar(nest, name, kind) });
      else
        nodes.push({ type: type | 0x8000, content: this.#nest(name, kind, (part) => (seldom.has(part) ? 15 : 100)) });
    }
    return nodes;
  }

  /** The attributes that a command may have; most commands read only some. */
  #attributes(): Node[] {
    const percent: Record<string, number> = { service: 95, dest: 80, localAddress: 80, daemon: 25 };
    return this.#nest('', COMMAND, (name) => percent[name] ?? 10);
  }

  /** Makes one thing wrong, somewhere in the tree. */
  #spoil(nodes: Node[]): void {
    const random = this.#random;
    const at = random.below(nodes.length + 1);
    const node = nodes[at];
    if (node && Array.isArray(node.content) && random.chance(70)) {
      this.#spoil(node.content);
      return;
    }
    if (!node || random.chance(10)) {
      nodes.splice(at, 0, { type: random.below(48), content: this.#noise(random.pick([0, 1, 2, 4, 8, 16, 17, 300])) });
      return;
    }
    switch (random.below(10)) {
      case 0:
        nodes.splice(at, 1);
        break;
      case 1:
        nodes.splice(random.below(nodes.length), 0, node);
        break;
      case 2:
        nodes.splice(random.below(nodes.length), 0, ...nodes.splice(at, 1));
        break;
      case 3:
        node.type ^= random.pick([0x8000, 0x4000, 0xc000]);
        break;
      case 4:
        node.type = random.pick([0, random.below(48), 0x3fff, random.below(65536)]);
        break;
      case 5:
        node.length = random.pick([0, 1, 3, 4, 5, 8, 20, 0xffff, random.below(400)]);
        break;
      case 6: {
        // Nested in itself, some levels deep.
        let deep: Node = { ...node };
        for (let depth = random.below(12); depth > 0; depth--) deep = { type: node.type, content: [deep] };
        nodes[at] = deep;
        break;
      }
      default:
        node.content = this.#spoiledContent(node.content);
    }
  }

  #spoiledContent(content: Buffer | Node[]): Buffer {
    const random = this.#random;
    if (Array.isArray(content)) return this.#noise(random.below(40));
    if (random.chance(40)) return content.subarray(0, random.below(content.length + 1));
    if (random.chance(40)) return Buffer.concat([content, this.#noise(random.below(20) + 1)]);
    return this.#noise(content.length);
  }

  #bytes(nodes: Node[]): Buffer {
    return Buffer.concat(
      nodes.map(({ type, length, content }) => {
        const payload = Array.isArray(content) ? this.#bytes(content) : content;
        const header = Buffer.alloc(4);
        header.writeUInt16LE(Math.min(length ?? 4 + payload.length, 0xffff), 0);
        header.writeUInt16LE(type & 0xffff, 2);
        return Buffer.concat([header, payload, Buffer.alloc((4 - (payload.length % 4)) % 4)]);
      }),
    );
  }

  /** A message that netlink itself answers: of a reserved type, or of no family. */
  #another(): Buffer {
    const message = Buffer.alloc(16);
    message.writeUInt32LE(16, 0);
    message.writeUInt16LE(this.#random.pick([0, 1, 4, 8, 15, 17, 0xffff]), 4);
    message.writeUInt16LE(5, 6);
    return message;
  }

  /** One message for the family; half of them are valid. */
  next(family: number, version: number): Buffer {
    const random = this.#random;
    const nodes = this.#attributes();
    if (random.chance(50)) for (let times = random.below(4); times >= 0; times--) this.#spoil(nodes);
    const body = random.chance(2) ? this.#noise(random.below(200)) : this.#bytes(nodes);
    const dump = random.chance(15);
    const command = random.chance(97) ? random.pick(dump ? dumps : commands) : random.below(256);
    const header = Buffer.alloc(20);
    header.writeUInt32LE(20 + body.length, 0);
    header.writeUInt16LE(family, 4);
    header.writeUInt16LE(dump ? 0x305 : random.chance(95) ? 5 : random.below(0x1000) | 5, 6);
    header.writeUInt32LE(SEQUENCE, 8);
    header.writeUInt8(command, 16);
    header.writeUInt8(random.chance(98) ? version : random.below(256), 17);
    const message = Buffer.concat([header, body]);
    if (random.chance(1)) message.writeUInt32LE(random.below(message.length + 20), 0);
    if (random.chance(1))
      return Buffer.concat([message, Buffer.alloc((4 - (message.length % 4)) % 4), this.#another()]);
    return message;
  }
}

/** Commands that fill the table are frequent, those that empty it are rare. */
const commands = [
  1, 1, 1, 1, 1, 1, 2, 2, 3, 4, 5, 5, 5, 5, 5, 6, 6, 7, 8, 9, 10, 11, 12, 13, 15, 16, 18, 18, 18, 18, 19, 19, 20, 36,
];
const dumps = [4, 8, 11, 20];
