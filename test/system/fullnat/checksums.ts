// SPDX-License-Identifier: MIT
// Captures whole segments and has tshark check their checksums. One tshark checks all of them: on an emulated CPU its
// start takes longer than reading thousands of segments.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Namespace, until } from '../../../lab/topology.ts';

export interface Verdict {
  segments: number;
  /** tshark's lines for packets whose IP or TCP checksum is wrong. */
  bad: string[];
}

/** Bytes of a pcap file's header, and of each packet's. */
const fileHeader = 24;
const packetHeader = 16;

export class Captures {
  private readonly dir = mkdtempSync(join(tmpdir(), 'capture-'));
  private readonly files = new Map<string, string>();

  /** Captures TCP at a device until the returned function is called. */
  async start(label: string, where: Namespace, device: string): Promise<() => Promise<void>> {
    const file = join(this.dir, `${this.files.size}.pcap`);
    this.files.set(label, file);
    // -Z: the user that it would change to may not exist here.
    const words = ['-Z', 'root', '-i', device, '-p', '-s', '0', '-B', '32768', '-w', file, 'tcp'];
    const tcpdump = where.spawn(['tcpdump', ...words]);
    await until('tcpdump', () => tcpdump.stderr().includes('listening on'), 60_000);
    return async () => {
      // tcpdump writes the rest of its ring within its time-out of a second.
      await new Promise((done) => setTimeout(done, 1500));
      await tcpdump.stop('SIGINT');
      if (!/^0 packets dropped by kernel/m.test(tcpdump.stderr())) throw new Error(`${device}: ${tcpdump.stderr()}`);
    };
  }

  /** Verifies all captures so far, by their labels. */
  verify(): Map<string, Verdict> {
    const verdicts = new Map<string, Verdict>();
    const contents = [...this.files].map(([label, file]) => ({ label, bytes: readFileSync(file) }));
    const owners = contents.flatMap(({ label, bytes }) => {
      verdicts.set(label, { segments: 0, bad: [] });
      return Array<string>(countPackets(bytes)).fill(label);
    });
    const all = join(this.dir, 'all.pcap');
    writeFileSync(
      all,
      Buffer.concat(contents.map(({ bytes }, index) => (index === 0 ? bytes : bytes.subarray(fileHeader)))),
    );
    const lines = dissect(all);
    if (lines.length !== owners.length) throw new Error(`${owners.length} packets, tshark printed ${lines.length}`);
    for (const [index, line] of lines.entries()) {
      const verdict = verdicts.get(owners[index] ?? '');
      if (verdict === undefined) continue;
      verdict.segments += 1;
      if (!isGood(line)) verdict.bad.push(line);
    }
    return verdicts;
  }
}

/**
 * 1 is `Good` in tshark's table of checksum states; unverified ones do not count. One segment in 65,536 has the sum
 * zero, which Linux's skb_checksum_help() writes as 0xffff: the same number in one's complement, which every receiver
 * accepts (RFC 1071), but tshark expects 0.
 */
function isGood(line: string): boolean {
  return line.startsWith('1\t1\t') || (line.startsWith('1\t') && line.includes('[TCP CHECKSUM 0xFFFF]'));
}

function countPackets(pcap: Buffer): number {
  let count = 0;
  for (let at = fileHeader; at < pcap.length; at += packetHeader + pcap.readUInt32LE(at + 8)) count += 1;
  return count;
}

function dissect(file: string): string[] {
  const words = ['-n', '-r', file, '-o', 'tcp.check_checksum:TRUE', '-o', 'ip.check_checksum:TRUE'];
  const fields = ['ip.checksum.status', 'tcp.checksum.status', 'frame.number', '_ws.col.Info'];
  const { status, stdout, stderr } = spawnSync(
    'tshark',
    [...words, '--disable-protocol', 'http', '-T', 'fields', ...fields.flatMap((field) => ['-e', field])],
    { encoding: 'utf8', maxBuffer: 256 << 20 },
  );
  if (status !== 0) throw new Error(`tshark: ${stderr}`);
  return stdout.split('\n').filter(Boolean);
}
