// SPDX-License-Identifier: MIT
// lab: --stock
// lvsadm sends the same bytes as Debian's ipvsadm from the generic netlink header on, and node-netlink decodes both the
// same.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { GenericNetlink } from '../../../src/netlink/index.ts';
import { Capture, type Request } from '../netlink/capture.ts';

const NLA_F_NESTED = 0x8000;
const GENERIC_HEADER = 4;
const IPVS_CMD_GET_INFO = 15;
/** IPVS_CMD_ATTR_SERVICE, _DEST and _DAEMON contain attributes. */
const NESTS = [1, 2, 3];

const COMMANDS = `
-A -t 192.0.2.1:443 -s sh -p 360 -M 255.255.255.0 -b sh-port
-A -u 192.0.2.1:53 -s rr -o
-A -t [2001:db8::80]:80 -s mh -p 300 -M 64
-A -f 7 -s rr
-A -f 8 -6
-A -u 192.0.2.1:5060 -p 60 --pe sip
-a -t 192.0.2.1:443 -r 10.0.0.3:8080 -m -w 5 -x 100 -y 50
-a -t 192.0.2.1:443 -r 10.0.0.12 -i --tun-type gue --tun-port 6080 --tun-remcsum
-a -t [2001:db8::80]:80 -r [2001:db8::2]:80
-a -f 7 -r 10.0.0.2
-e -t 192.0.2.1:443 -r 10.0.0.3:8080 -m -w 6
-E -t 192.0.2.1:443 -s wrr
-Z
-Z -t 192.0.2.1:443
-Ln
-Ln -t 192.0.2.1:443
-L --timeout
-L --daemon
-Sn
-d -t 192.0.2.1:443 -r 10.0.0.3:8080
-D -t 192.0.2.1:443
-D -f 7
--set 100 200 300
--set 0 0 7
--start-daemon master --mcast-interface lo --syncid 5
--start-daemon backup --mcast-interface lo --mcast-group ff02::85 --mcast-port 8850 --mcast-ttl 2 --sync-maxlen 1000
--stop-daemon master
--stop-daemon backup
--start-daemon backup --mcast-interface lo --mcast-group 224.0.0.85 --mcast-port 8850
--stop-daemon backup
-C
`
  .split('\n')
  .filter((line) => line !== '');

let family = 0;
let capture: Capture;
const netlink = new GenericNetlink();

before(async () => {
  spawnSync('modprobe', ['ip_vs']);
  family = (await netlink.family('IPVS')).id;
  capture = new Capture();
});
after(() => {
  capture.close();
  netlink.close();
});

function sentBy(program: string, line: string): Request[] {
  const { stderr, error } = spawnSync(program, line.split(' '), { encoding: 'utf8' });
  assert.ifError(error);
  const requests = capture.take(family).filter(({ command }) => command !== IPVS_CMD_GET_INFO);
  assert.ok(requests.length > 0, `${program} ${line} sent nothing: ${stderr}`);
  return requests;
}

/** The payload without NLA_F_NESTED in the types of the outer attributes. */
function masked({ payload }: Request): string {
  const bytes = Buffer.from(payload);
  for (let at = GENERIC_HEADER; at + 4 <= bytes.length; at += (bytes.readUInt16LE(at) + 3) & ~3)
    bytes.writeUInt16LE(bytes.readUInt16LE(at + 2) & ~NLA_F_NESTED, at + 2);
  return bytes.toString('hex');
}

interface PeerAttribute {
  type: number;
  data: Buffer;
}
const peer = createRequire(import.meta.url)('netlink/dist/structs.js') as {
  parseAttributes(bytes: Buffer, item: (attribute: PeerAttribute) => void): void;
};

/** The attributes as node-netlink reads them. */
function tree({ payload }: Request): unknown {
  const read = (bytes: Buffer, outer: boolean) => {
    const attributes: unknown[] = [];
    peer.parseAttributes(bytes, ({ type, data }) => {
      const nest = outer && NESTS.includes(type & ~NLA_F_NESTED);
      attributes.push([type & ~NLA_F_NESTED, nest ? read(data, false) : data.toString('hex')]);
    });
    return attributes;
  };
  return [payload[0], read(payload.subarray(GENERIC_HEADER), true)];
}

for (const line of COMMANDS)
  test(`${line} sends the same requests`, () => {
    // The kernel refuses the second of two equal changes, but the request is still captured.
    const original = sentBy('ipvsadm', line);
    const ours = sentBy('lvsadm', line);
    assert.deepEqual(ours.map(masked), original.map(masked));
    assert.deepEqual(ours.map(tree), original.map(tree));
  });

test('our nested attributes carry NLA_F_NESTED', () => {
  const [request] = sentBy('lvsadm', '-A -t 192.0.2.1:80');
  assert.ok(request);
  assert.equal(request.payload.readUInt16LE(GENERIC_HEADER + 2), NLA_F_NESTED | 1);
});
