// SPDX-License-Identifier: MIT
// Captures of whole segments, whose checksums tshark's dissectors judge.
import { spawnSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Namespace, until } from '../../lab/topology.ts';

export interface Verdict {
  segments: number;
  /** tshark's lines on the packets whose IP or TCP checksum is not good. */
  bad: string[];
}

/** Captures TCP at a device from now on; the result ends the capture and judges it. */
export async function capture(where: Namespace, device: string): Promise<() => Promise<Verdict>> {
  const file = join(mkdtempSync(join(tmpdir(), 'capture-')), 'pcap');
  // -Z: the user that it would change to may not exist here.
  const tcpdump = where.spawn([
    'tcpdump',
    '-Z',
    'root',
    '-i',
    device,
    '-p',
    '-s',
    '0',
    '-B',
    '32768',
    '-w',
    file,
    'tcp',
  ]);
  await until('tcpdump', () => tcpdump.stderr().includes('listening on'), 60_000);
  return async () => {
    // What is still in tcpdump's ring is written within its time-out of a second.
    await new Promise((done) => setTimeout(done, 1500));
    await tcpdump.stop('SIGINT');
    if (!/^0 packets dropped by kernel/m.test(tcpdump.stderr())) throw new Error(`${device}: ${tcpdump.stderr()}`);
    return judge(file);
  };
}

function judge(file: string): Verdict {
  const words = ['-n', '-r', file, '-o', 'tcp.check_checksum:TRUE', '-o', 'ip.check_checksum:TRUE'];
  const fields = ['ip.checksum.status', 'tcp.checksum.status', 'frame.number', '_ws.col.Info'];
  const { status, stdout, stderr } = spawnSync(
    'tshark',
    [...words, '--disable-protocol', 'http', '-T', 'fields', ...fields.flatMap((field) => ['-e', field])],
    { encoding: 'utf8', maxBuffer: 256 << 20 },
  );
  if (status !== 0) throw new Error(`tshark: ${stderr}`);
  const lines = stdout.split('\n').filter(Boolean);
  // 1 is `Good` in tshark's table of checksum states; an unverified one is not good enough.
  return { segments: lines.length, bad: lines.filter((line) => !line.startsWith('1\t1\t')) };
}
