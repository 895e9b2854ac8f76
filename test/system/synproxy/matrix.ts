// SPDX-License-Identifier: MIT
// Connections of every option set of clients to every one of real servers, as tshark decodes them on both sides of the
// balancer. Both ends are Linux, set by sysctls.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import type { Namespace } from '../../../lab/topology.ts';
import type { SynProxy } from '../../../src/ipvs/index.ts';
import type { Icmp, Segment } from '../fullnat/packets.ts';
import { within } from '../fullnat/rig.ts';
import { closed, dial, listen, readAll } from '../fullnat/tcp.ts';
import { Capture, eventually, type Seen, savePcap } from '../fullnat/wire.ts';
import { type Balancer, type Balancers, clientAddress, type Method, realServer, vip } from './balancers.ts';

interface Options {
  sack: boolean;
  timestamps: boolean;
  scale: boolean;
}

interface RealServerSet {
  name: string;
  stack: Options;
  /** Largest receive buffer, on which the scale depends. */
  buffer: number;
  /** What the service offers because of it. */
  offer: Partial<SynProxy>;
}

const all: Options = { sack: true, timestamps: true, scale: true };
const scaleOffered = 7;
const usualBuffer = 6 << 20;

/** All eight combinations of three options. */
export const clientSets: Options[] = Array.from({ length: 8 }, (_, bits) => ({
  sack: (bits & 1) !== 0,
  timestamps: (bits & 2) !== 0,
  scale: (bits & 4) !== 0,
}));

export const realServerSets: RealServerSet[] = [
  { name: 'all options', stack: all, buffer: usualBuffer, offer: {} },
  {
    name: 'no timestamps, which the service does not offer',
    stack: { ...all, timestamps: false },
    buffer: usualBuffer,
    offer: { timestamps: false },
  },
  { name: 'no SACK, a larger scale', stack: { ...all, sack: false }, buffer: 32 << 20, offer: {} },
  { name: 'no window scale', stack: { ...all, scale: false }, buffer: usualBuffer, offer: {} },
];

const optionNames = ['sack', 'timestamps', 'scale'] as const;

export const nameOf = (options: Options): string =>
  optionNames.filter((name) => options[name]).join(', ') || 'no option';

/** Sets what a namespace's stack offers and agrees to. */
export function setStack(where: Namespace, { sack, timestamps, scale }: Options, buffer: number): void {
  within(where, () => {
    for (const [name, value] of Object.entries({
      tcp_sack: Number(sack),
      tcp_timestamps: Number(timestamps),
      tcp_window_scaling: Number(scale),
      tcp_rmem: `4096 131072 ${buffer}`,
    }))
      writeFileSync(`/proc/sys/net/ipv4/${name}`, String(value));
  });
}

/** `length` bytes, by `seed`. */
function pattern(length: number, seed: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let i = 0; i < length; i++) bytes[i] = (i * 31 + seed * 17 + (i >> 8)) & 255;
  return bytes;
}

const REQUEST = 300;
const RESPONSE = 20_000;
const UPLOAD = 20_000;

/** A server that sends a response to the first bytes, and closes once it has the rest. Returns what it received. */
async function serve(where: Namespace, port: number): Promise<() => Buffer> {
  let received = Buffer.alloc(0);
  await listen(where, port, (socket) => {
    received = Buffer.alloc(0);
    socket.on('data', (data) => {
      if (received.length === 0) socket.write(pattern(RESPONSE, 2));
      received = Buffer.concat([received, data]);
      if (received.length === REQUEST + UPLOAD) socket.end('end');
    });
  });
  return () => received;
}

/** A line of tshark's. */
interface Decoded {
  stream: number;
  fromClient: boolean;
  syn: boolean;
  ack: boolean;
  /** Relative to the stream's first numbers. */
  numbers: string;
  /** In bytes, scaled. */
  window: number;
  mss: number | undefined;
  shift: number | undefined;
  sack: boolean;
  tsval: number | undefined;
  tsecr: number | undefined;
  remarks: string;
  checksums: string;
}

const fields = [
  ...['tcp.stream', 'ip.src', 'tcp.flags', 'tcp.seq', 'tcp.ack', 'tcp.len', 'tcp.window_size', 'tcp.options.mss_val'],
  ...['tcp.options.wscale.shift', 'tcp.options.sack_perm', 'tcp.options.timestamp.tsval'],
  ...['tcp.options.timestamp.tsecr', 'ip.checksum.status', 'tcp.checksum.status'],
  ...['_ws.expert.severity', '_ws.expert.message'],
];
/** Severity of remarks that tshark makes on ordinary segments, such as "Connection establish request (SYN)". */
const CHAT = 0x200000;
/** The only remarks of a higher severity that every connection gets: on its two FINs. */
const closing = /^This frame (initiates|undergoes) the connection closing$/;

function decode(path: string, packets: readonly Buffer[]): Decoded[] {
  savePcap(path, packets);
  const words = ['-n', '-r', path, '-o', 'tcp.check_checksum:TRUE', '-o', 'ip.check_checksum:TRUE'];
  const { status, stdout, stderr } = spawnSync(
    'tshark',
    [
      ...[...words, '--disable-protocol', 'http', '-T', 'fields', '-E', 'separator=|'],
      ...fields.flatMap((field) => ['-e', field]),
    ],
    { encoding: 'utf8', maxBuffer: 256 << 20 },
  );
  assert.equal(status, 0, `tshark: ${stderr}`);
  const lines = stdout.split('\n').filter(Boolean);
  assert.equal(lines.length, packets.length, 'tshark decodes every packet');
  const number = (text = '') => (text === '' ? undefined : Number(text));
  return lines.map((line) => {
    const [stream, source, flags, seq, ack, length, window, mss, shift, sack, tsval, tsecr, ...rest] = line.split('|');
    const [ipSum, tcpSum, severities = '', messages = ''] = rest;
    const bits = Number(flags);
    const remarks = messages.split(',');
    const found = remarks.filter((text, index) => Number(severities.split(',')[index]) > CHAT && !closing.test(text));
    return {
      stream: Number(stream),
      fromClient: source !== vip && source !== realServer,
      syn: (bits & 2) !== 0,
      ack: (bits & 16) !== 0,
      numbers: `seq ${seq} ack ${ack} length ${length}`,
      window: Number(window),
      mss: number(mss),
      shift: number(shift),
      sack: sack !== '',
      tsval: number(tsval),
      tsecr: number(tsecr),
      remarks: found.join(', '),
      checksums: `${ipSum}${tcpSum}`,
    };
  });
}

/** One connection on both sides of the balancer. */
interface Crossing {
  client: Options;
  outside: Buffer[];
  inside: Buffer[];
}

/** Makes a connection of each of the client's sets, with bytes both ways. */
async function connections(network: Balancers, port: number, received: () => Buffer): Promise<Crossing[]> {
  // Clients of earlier tests may still send to other ports.
  const isOurs = (packet: Segment | Icmp) =>
    packet.kind === 'tcp' && (packet.sourcePort === port || packet.destinationPort === port);
  const captures = {
    outside: new Capture(network.client, 'eth0', isOurs),
    inside: new Capture(network.server, 'eth0', isOurs),
  };
  const crossings: Crossing[] = [];
  for (const client of clientSets) {
    setStack(network.client, client, usualBuffer);
    for (const capture of Object.values(captures)) capture.clear();
    const { socket } = await dial(network.client, vip, port, { from: clientAddress });
    const response = readAll(socket);
    socket.write(pattern(REQUEST, 1));
    socket.once('data', () => socket.write(pattern(UPLOAD, 3)));
    const expected = Buffer.concat([pattern(RESPONSE, 2), Buffer.from('end')]).toString('latin1');
    assert.ok((await response) === expected, `client with ${nameOf(client)}: the bytes that it received`);
    const sent = Buffer.concat([pattern(REQUEST, 1), pattern(UPLOAD, 3)]);
    assert.ok(received().equals(sent), `client with ${nameOf(client)}: the bytes that the real server received`);
    await closed(socket);
    // The last ACK of a FIN, which both sides see.
    const ends = (capture: Capture) => capture.segments.filter(({ flags }) => flags & 1).length >= 2;
    await eventually('both ends', () => ends(captures.outside) && ends(captures.inside));
    await eventually('the last ACK', () => isQuiet(captures.inside) && isQuiet(captures.outside));
    const bytes = ({ segments }: Capture) => segments.map((segment: Seen) => segment.bytes);
    crossings.push({ client, outside: bytes(captures.outside), inside: bytes(captures.inside) });
  }
  for (const capture of Object.values(captures)) capture.close();
  return crossings;
}

/** Whether the last segment acknowledges the last FIN. */
function isQuiet(capture: Capture): boolean {
  const last = capture.segments.at(-1);
  return last !== undefined && (last.flags & 1) === 0 && last.payload.length === 0;
}

/** A window of `bytes` as an end without a scale, or with `shift`, is told. */
function windowTold(bytes: number, shift: number | undefined): number {
  const unit = 2 ** (shift ?? 0);
  const told = Math.min(65_535, Math.floor(bytes / unit));
  return (bytes > 0 ? Math.max(told, 1) : 0) * unit;
}

/** Every echoed timestamp has been sent by the other side before, and time does not go back. */
function checkClock(segments: Decoded[], what: string): void {
  for (const fromClient of [true, false]) {
    const seen = new Set<number>();
    let latest = 0;
    for (const one of segments) {
      if (one.tsval === undefined) continue;
      if (one.fromClient === fromClient) {
        assert.ok(one.tsval >= latest, `${what}: timestamp ${one.tsval} after ${latest}`);
        latest = one.tsval;
        seen.add(one.tsval);
      } else if (one.ack) {
        assert.ok(seen.has(one.tsecr ?? -1), `${what}: echo ${one.tsecr} of no timestamp (${one.numbers})`);
      }
    }
  }
}

/** Each of `from` has its twin in `to`, with the window that `expected` says. */
function checkForwarded(from: Decoded[], to: Decoded[], expected: (window: number) => number, what: string): void {
  for (const one of from) {
    const twins = to.filter(({ numbers }) => numbers === one.numbers);
    const window = expected(one.window);
    assert.ok(
      twins.some((twin) => twin.window === window),
      `${what}: ${one.numbers}, window ${one.window}: expected ${window}, found ${twins.map((twin) => twin.window)}`,
    );
  }
}

/** One connection: the options of both handshakes, and everything after them. */
function checkConnection({ client, set, what }: Checked, outside: Decoded[], inside: Decoded[]): void {
  for (const one of [...outside, ...inside]) {
    assert.equal(one.remarks, '', `${what}: ${one.numbers}`);
    assert.equal(one.checksums, '11', `${what}: checksums of ${one.numbers}`);
  }
  const syns = (segments: Decoded[]) => {
    const [syn, answer, more] = segments.filter((segment) => segment.syn);
    assert.ok(syn && answer && !more && !syn.ack && answer.ack && syn.stream === answer.stream, `${what}: one SYN`);
    return [syn, answer] as const;
  };
  const [syn, answer] = syns(outside);
  const [onward, theirs] = syns(inside);
  const optionsOf = ({ sack, tsval, shift }: Decoded): Options => ({
    sack,
    timestamps: tsval !== undefined,
    scale: shift !== undefined,
  });
  assert.deepEqual(optionsOf(syn), client, `${what}: the client's SYN`);
  const offered = { sack: set.offer.sack ?? true, timestamps: set.offer.timestamps ?? true, scale: true };
  const both = (one: Options, other: Options): Options => ({
    sack: one.sack && other.sack,
    timestamps: one.timestamps && other.timestamps,
    scale: one.scale && other.scale,
  });
  const promised = both(client, offered);
  assert.deepEqual(optionsOf(answer), promised, `${what}: the answer to the client`);
  assert.deepEqual(optionsOf(onward), promised, `${what}: the SYN to the real server`);
  assert.deepEqual(optionsOf(theirs), both(promised, set.stack), `${what}: the real server's answer`);
  assert.equal(answer.mss, 1452, `${what}: MSS`);
  if (promised.scale) assert.deepEqual([answer.shift, onward.shift], [scaleOffered, syn.shift], `${what}: scales`);

  const after = (segments: Decoded[], fromClient: boolean) =>
    segments.filter((segment) => segment.fromClient === fromClient && !segment.syn);
  const scaled = promised.scale && set.stack.scale;
  checkForwarded(
    after(inside, false),
    after(outside, false),
    (window) => windowTold(window, promised.scale ? scaleOffered : undefined),
    `${what}: to the client`,
  );
  checkForwarded(
    after(outside, true),
    after(inside, true),
    (window) => (scaled ? window : Math.min(window, 65_535)),
    `${what}: to the real server`,
  );
  // The balancer itself sends the client one segment behind its answer: it opens the window.
  assert.equal(after(outside, false).length, after(inside, false).length + 1, `${what}: segments to the client`);
  checkClock(outside, `${what}, client's side`);
  checkClock(inside, `${what}, real server's side`);
}

interface Checked extends Crossing {
  method: Method;
  set: RealServerSet;
  what: string;
}

/** Connections, and what tshark says about all of them: its start takes longer than reading thousands of segments. */
export class Matrix {
  readonly #crossings: Checked[] = [];

  /** Connections of all clients to one set of real servers; `port` must be free. `holders` get all but the SYNs. */
  async connect(network: Balancers, port: number, method: Method, set: RealServerSet, holders: Balancer[]) {
    await network.serve(port, method, set.offer);
    const received = await serve(network.server, port);
    setStack(network.server, set.stack, set.buffer);
    for (const holder of holders) {
      network.steer(holder);
      const over = holder === network.first ? 'one balancer' : 'two balancers';
      for (const crossing of await connections(network, port, received)) {
        const what = `${method.name}, ${over}: client with ${nameOf(crossing.client)}, real server with ${set.name}`;
        this.#crossings.push({ ...crossing, method, set, what });
      }
    }
  }

  /** Checks all of them; `path` is for the capture. Returns how many. */
  check(path: string): number {
    const decoded = decode(
      path,
      this.#crossings.flatMap(({ outside, inside }) => [...outside, ...inside]),
    );
    for (const crossing of this.#crossings) {
      const outside = decoded.splice(0, crossing.outside.length);
      checkConnection(crossing, outside, decoded.splice(0, crossing.inside.length));
    }
    return this.#crossings.length;
  }
}
