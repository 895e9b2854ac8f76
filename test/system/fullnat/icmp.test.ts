// SPDX-License-Identifier: MIT
// also: --kernel 6.12
// full: --uml
// ICMP errors through FULLNAT, in both directions and from every hop: each end gets an error about its own packet, and
// reacts.
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { after, before, beforeEach, test } from 'node:test';
import { ACK, type Icmp, icmpError, mss, PSH, RST, type Segment, SYN } from './packets.ts';
import { fullnatRig, type Rig, run } from './rig.ts';
import { closeAll, closed, DialError, dial, listen } from './tcp.ts';
import { Capture, eventually, type RawFlow, RawHost, type Seen, savePcap } from './wire.ts';

const port = 80;
const rawAddress = '10.1.0.3';
const [unreachable, exceeded] = [3, 11];
const [hostUnreachable, portUnreachable, fragNeeded] = [1, 3, 4];
const megabyte = 1 << 20;

let rig: Rig;
let raw: RawHost;
let rs: Capture;
/** Errors of all tests, which tshark checks at the end. */
const met: Buffer[] = [];
const received = { bytes: 0 };
let nextPort = 40_000;

before(async () => {
  rig = await fullnatRig({ port });
  for (const each of [rig.router, rig.balancer, rig.inside]) each.sysctl({ 'net.ipv4.icmp_ratelimit': 0 });
  raw = new RawHost(rig.client, 'eth0', rawAddress);
  rs = new Capture(rig.rs1, 'eth0');
  // 'u': receives a megabyte, then sends 'done'; 'g': sends 'hello' first; 'd': sends a megabyte.
  await listen(rig.rs1, port, (socket: Socket) => {
    let mode = '';
    let got = 0;
    socket.on('data', (data) => {
      if (mode === '') {
        mode = String.fromCharCode(data[0] ?? 0);
        if (mode === 'g') socket.write('hello');
        if (mode === 'd') socket.end(Buffer.alloc(megabyte, 'd'));
      }
      got += data.length;
      received.bytes = got;
      if (mode !== 'd' && got >= megabyte) socket.end('done');
    });
  });
});

beforeEach(() => {
  raw.capture.clear();
  rs.clear();
});

after(async () => {
  closeAll();
  await rig.destroy();
});

const flow = (): RawFlow => raw.flow(rig.vip, port, ++nextPort);
const errorsAt = (capture: Capture) => capture.icmp.filter(({ outgoing }) => !outgoing);
const isError = (type: number, code: number) => (icmp: Icmp) => icmp.type === type && icmp.code === code;

/** The last segment at the real server that satisfies `test`. */
const lastAtServer = (test: (segment: Segment & Seen) => boolean) => rs.segments.filter(test).at(-1);

/** Asserts that an error at the client is about the client's own packet, and comes from the virtual address. */
function aboutClient(icmp: Icmp, client: string, clientPort: number, seqs: number[]): void {
  met.push(icmp.bytes);
  assert.ok(icmp.checksumsRight);
  assert.equal(icmp.source, rig.vip);
  assert.equal(icmp.destination, client);
  const quoted = icmp.quoted;
  assert.ok(quoted?.checksumRight);
  assert.deepEqual(
    [quoted.source, quoted.sourcePort, quoted.destination, quoted.destinationPort],
    [client, clientPort, rig.vip, port],
  );
  assert.ok(seqs.includes(quoted.seq), `quotes sequence number ${quoted.seq}`);
}

/** Asserts that an error at the real server is about its own packet, and comes from the local address. */
function aboutServer(icmp: Icmp, segment: Segment): void {
  met.push(icmp.bytes);
  assert.ok(icmp.checksumsRight);
  assert.equal(icmp.source, segment.destination);
  assert.equal(icmp.destination, rig.rs1Address);
  const quoted = icmp.quoted;
  assert.ok(quoted?.checksumRight);
  assert.deepEqual(
    [quoted.source, quoted.sourcePort, quoted.destination, quoted.destinationPort, quoted.seq],
    [rig.rs1Address, port, segment.destination, segment.destinationPort, segment.seq],
  );
}

test('TTL counts the balancer as one hop, both ways', async () => {
  const one = flow();
  const answer = await one.handshake();
  const syn = lastAtServer(({ outgoing, flags }) => !outgoing && flags === SYN);
  assert.equal(syn?.ttl, 64 - 3);
  assert.equal(answer.ttl, 64 - 3);
  one.send(RST | ACK);
});

test('a SYN whose TTL ends at the balancer, or behind it: the client gets an error about its own packet', async () => {
  for (const ttl of [2, 3]) {
    raw.capture.clear();
    const one = flow();
    const seq = one.seq;
    one.send(SYN, { ttl });
    const icmp = await eventually(`time exceeded for TTL ${ttl}`, () =>
      errorsAt(raw.capture).find(isError(exceeded, 0)),
    );
    aboutClient(icmp, rawAddress, one.from, [seq]);
  }
});

test('data whose TTL ends at the balancer, or behind it, in the TOA phase and after: the client gets an error', async () => {
  const one = flow();
  await one.handshake();
  for (const phase of ['in the TOA phase', 'after it']) {
    const seq = one.seq;
    for (const ttl of [2, 3]) {
      raw.capture.clear();
      one.send(PSH | ACK, { ttl, payload: Buffer.from('u') });
      const icmp = await eventually(`time exceeded ${phase}`, () => errorsAt(raw.capture).find(isError(exceeded, 0)));
      aboutClient(icmp, rawAddress, one.from, [seq]);
      one.seq = seq;
    }
    one.send(PSH | ACK, { payload: Buffer.from('g') });
    await eventually('an answer', () => one.received().some(({ flags, ack }) => flags & ACK && ack !== seq));
  }
  one.send(RST | ACK);
});

test('a SYN-ACK whose TTL ends at the balancer, or behind it: the real server gets an error about its own packet', async () => {
  for (const ttl of [2, 3]) {
    rs.clear();
    rig.rs1.sysctl({ 'net.ipv4.ip_default_ttl': ttl });
    try {
      const one = flow();
      one.send(SYN);
      const icmp = await eventually(`time exceeded for TTL ${ttl}`, () => errorsAt(rs).find(isError(exceeded, 0)));
      const answer = lastAtServer(({ outgoing, flags }) => outgoing && (flags & (SYN | ACK)) === (SYN | ACK));
      assert.ok(answer);
      aboutServer(icmp, answer);
      assert.deepEqual(one.received(), []);
    } finally {
      rig.rs1.sysctl({ 'net.ipv4.ip_default_ttl': 64 });
    }
  }
});

test('errors of the client and of its routers about a reply are translated, and cut to the translated part', async () => {
  const one = flow();
  const answer = await one.handshake(mss(1460));
  const sent = lastAtServer(({ outgoing, flags }) => outgoing && (flags & SYN) !== 0);
  assert.ok(sent);
  for (const [from, type, code, quote] of [
    [rawAddress, unreachable, portUnreachable, 8],
    ['10.1.0.77', unreachable, hostUnreachable, 24],
    ['10.1.0.77', exceeded, 0, 24],
  ] as const) {
    rs.clear();
    raw.send(icmpError({ source: from, destination: rig.vip }, type, code, answer.bytes, { quote }));
    const icmp = await eventually('the error', () => errorsAt(rs).find(isError(type, code)));
    aboutServer(icmp, sent);
    assert.equal(icmp.bytes.length, 20 + 8 + 20 + 8);
  }
  one.send(RST | ACK);
});

test('an error about a packet of no connection is dropped', async () => {
  const one = flow();
  const answer = await one.handshake();
  rs.clear();
  const strange = Buffer.from(answer.bytes);
  strange.writeUInt16BE(9, 22);
  raw.send(icmpError({ source: '10.1.0.77', destination: rig.vip }, exceeded, 0, strange));
  await raw.flow(rig.vip, port, ++nextPort).handshake();
  assert.deepEqual(errorsAt(rs), []);
  one.send(RST | ACK);
});

async function dialError(): Promise<string> {
  const outcome = await dial(rig.client, rig.vip, port, { timeout: 5000 }).then(
    ({ socket }) => {
      socket.destroy();
      return 'connected';
    },
    (problem: unknown) => problem,
  );
  return outcome instanceof DialError ? outcome.code : String(outcome);
}

test('connect() fails at once if the real server cannot be reached', async () => {
  rig.inside.ip(`route add unreachable ${rig.rs1Address}/32`);
  try {
    assert.equal(await dialError(), 'EHOSTUNREACH');
  } finally {
    rig.inside.ip(`route del unreachable ${rig.rs1Address}/32`);
  }
  const rule = 'type filter hook input priority 0\ntcp dport 80 reject with icmp type port-unreachable';
  rig.rs1.run(['nft', '-f', '-'], { input: `table ip no {\nchain in {\n${rule}\n}\n}\n` });
  try {
    assert.equal(await dialError(), 'ECONNREFUSED');
  } finally {
    rig.rs1.run(['nft', 'delete', 'table', 'ip', 'no']);
  }
});

/** Uploads a megabyte; `greeted`: after the real server's first data, so after the TOA phase. */
async function upload(greeted: boolean): Promise<Capture> {
  // The balancer stores the path's MTU, too.
  for (const each of [rig.client, rig.balancer]) each.run(['ip', 'route', 'flush', 'cache']);
  const wire = new Capture(rig.client, 'eth0');
  const { socket } = await dial(rig.client, rig.vip, port);
  let received = '';
  socket.setEncoding('utf8').on('data', (text: string) => {
    received += text;
  });
  if (greeted) {
    socket.write('g');
    await eventually('the greeting', () => received === 'hello');
    socket.write(Buffer.alloc(megabyte, 'u'));
  } else {
    socket.write(Buffer.alloc(megabyte, 'u'));
  }
  await eventually('the end of the upload', () => received.endsWith('done'), 30_000);
  socket.end();
  await closed(socket);
  return wire;
}

async function download(): Promise<void> {
  const { socket } = await dial(rig.client, rig.vip, port);
  let got = 0;
  socket.on('data', (data) => {
    got += data.length;
  });
  socket.write('d');
  await closed(socket).then(() => assert.equal(got, megabyte));
}

function pathMtu(): number | undefined {
  const [route] = JSON.parse(rig.client.run(['ip', '-j', 'route', 'get', rig.vip]).stdout) as {
    metrics?: { mtu?: number }[];
  }[];
  return route?.metrics?.[0]?.mtu;
}

/** `toa`: the only MTU that may be reported before the real server has acknowledged data. */
function checkUploads(wire: Capture, mtus: number[], toa?: number): void {
  const errors = errorsAt(wire).filter(isError(unreachable, fragNeeded));
  assert.ok(errors.length > 0, 'no frag-needed came');
  if (toa !== undefined) {
    const first = wire.segments.find(({ outgoing, payload }) => outgoing && payload.length > 0);
    const acknowledged = ({ outgoing, ack }: Segment & Seen) =>
      !outgoing && first !== undefined && ((ack - first.seq) | 0) > 0;
    const open = wire.packets.findIndex((packet) => packet.kind === 'tcp' && acknowledged(packet));
    const early = errors.filter((icmp) => wire.packets.indexOf(icmp) < open);
    assert.ok(early.length > 0, 'no frag-needed came in the TOA phase');
    for (const icmp of early) assert.equal(icmp.mtu, toa, 'in the TOA phase');
  }
  const sent = wire.segments.filter(({ outgoing }) => outgoing);
  const seqs = new Set(sent.map(({ seq }) => seq));
  for (const icmp of errors) {
    assert.ok(mtus.includes(icmp.mtu), `frag-needed says ${icmp.mtu}`);
    const quoted = icmp.quoted;
    assert.ok(quoted);
    // Super-packets are segmented on their way, so that a number within one may be quoted.
    const near = sent.some(
      ({ seq, payload }) => quoted.seq - seq >= 0 && quoted.seq - seq < Math.max(payload.length, 1),
    );
    aboutClient(icmp, rig.clientAddress, sent[0]?.sourcePort ?? 0, seqs.has(quoted.seq) || near ? [quoted.seq] : []);
  }
  // A client does not increase a path's MTU.
  assert.equal(pathMtu(), Math.min(...errors.map(({ mtu }) => mtu)));
  wire.close();
}

test('a smaller MTU behind the balancer: the client adapts, by the option’s length more in the TOA phase', async () => {
  rig.inside.mtu('rs1', 1200);
  try {
    checkUploads(await upload(false), [1192, 1200], 1192);
    checkUploads(await upload(true), [1200]);
  } finally {
    rig.inside.mtu('rs1', 1500);
  }
});

test('in the TOA phase every error has room for the option, also the one for a packet on a new route', async () => {
  rig.inside.mtu('rs1', 1200);
  try {
    rig.balancer.run(['ip', 'route', 'flush', 'cache']);
    const one = flow();
    await one.handshake(mss(1460));
    const seq = one.seq;
    const payload = Buffer.alloc(1400, 'u');
    // The first error comes from the router; the balancer stores the MTU, drops its route and sends the other errors.
    for (let sent = 1; sent <= 4; sent++) {
      one.seq = seq;
      // The client has stored the MTU, too, and would not send a larger packet.
      rig.client.run(['ip', 'route', 'flush', 'cache']);
      one.send(PSH | ACK, { payload });
      const errors = await eventually(`error ${sent}`, () => {
        const all = errorsAt(raw.capture).filter(isError(unreachable, fragNeeded));
        return all.length >= sent && all;
      });
      assert.deepEqual(
        errors.map(({ mtu }) => mtu),
        errors.map(() => 1192),
      );
    }
    one.send(RST | ACK);
  } finally {
    rig.inside.mtu('rs1', 1500);
  }
});

test('with an MTU below 584 bytes behind the balancer the address is sent in a segment of its own', async () => {
  rig.inside.mtu('rs1', 568);
  try {
    checkUploads(await upload(false), [568]);
  } finally {
    rig.inside.mtu('rs1', 1500);
  }
});

test('a smaller MTU of the balancer’s own inside device', async () => {
  rig.balancer.mtu('in0', 1300);
  try {
    checkUploads(await upload(false), [1292, 1300], 1292);
  } finally {
    rig.balancer.mtu('in0', 1500);
  }
});

for (const [name, device] of [
  ['on the client’s side of the balancer', 'router'],
  ['of the balancer’s own outside device', 'balancer'],
] as const) {
  test(`a smaller MTU ${name}: the real server adapts`, async () => {
    const [where, dev] = device === 'router' ? [rig.router, 'client0'] : [rig.balancer, 'out0'];
    rig.rs1.run(['ip', 'route', 'flush', 'cache']);
    where.mtu(dev, 1100);
    try {
      await download();
      const errors = errorsAt(rs).filter(isError(unreachable, fragNeeded));
      assert.ok(errors.length > 0, 'no frag-needed came');
      const sent = rs.segments.filter(({ outgoing }) => outgoing);
      for (const icmp of errors) {
        assert.equal(icmp.mtu, 1100);
        const { quoted } = icmp;
        assert.ok(quoted);
        const about = sent.find(({ seq, payload }) => quoted.seq - seq >= 0 && quoted.seq - seq < payload.length);
        assert.ok(about, `quotes sequence number ${quoted.seq}`);
        aboutServer(icmp, { ...about, seq: quoted.seq });
        assert.ok(rig.laddrs.includes(icmp.source));
      }
      const cached = rig.rs1.run(['ip', 'route', 'get', errors[0]?.source ?? '']).stdout;
      assert.match(cached, /mtu 1100/);
    } finally {
      where.mtu(dev, 1500);
    }
  });
}

test('tshark finds no wrong checksum in any of these errors', () => {
  const path = '/tmp/icmp.pcap';
  savePcap(path, met);
  const fields = ['-T', 'fields', '-e', 'ip.checksum.status', '-e', 'icmp.checksum.status'];
  const lines = run('tshark', '-n', '-r', path, '-o', 'ip.check_checksum:TRUE', ...fields)
    .split('\n')
    .filter(Boolean);
  assert.equal(lines.length, met.length);
  assert.ok(lines.length > 10);
  // 1 is good: the checksums of the IP header, of the quoted one and of ICMP. TCP is not quoted in full.
  for (const line of lines) assert.match(line, /^1,1\t1$/);
});
