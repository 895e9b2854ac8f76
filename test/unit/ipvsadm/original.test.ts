// SPDX-License-Identifier: MIT
// lvsadm parses as Debian's ipvsadm does: thousands of command lines are run by the real program, which is stopped at
// its first access of the kernel. The lab compares the rest (test/system/lvsadm/record.test.ts).
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { programLayer } from '../../../lab/programs.ts';
import { parse } from '../../../src/ipvsadm/command-line/grammar.ts';
import { Fatal, Rejected } from '../../../src/ipvsadm/errors.ts';
import { HostNeeded, Lookup } from '../../../src/ipvsadm/lookup.ts';
import type { Answer } from '../../system/lvsadm/answers.ts';
import { DIFFERENCES } from '../../system/lvsadm/differences.ts';
import { ForkServer, REACHED_KERNEL } from '../../system/lvsadm/forkserver.ts';
import { allCases, type Case, caseText } from '../../system/lvsadm/grammar.ts';

/** No resolver here: both programs find no address for a name. */
class NoNames extends Lookup {
  override host(name: string): Uint8Array | undefined {
    return name === 'localhost' ? new Uint8Array([127, 0, 0, 1]) : undefined;
  }
}

const cases = allCases().filter(({ words, input }) => input === undefined && !/^(-R|--restore)$/.test(words[0] ?? ''));
/** ipvsadm's warning about the version of the missing IPVS. */
const VERSION = /^Warning: IPVS version mismatch[\s\S]*?\n\n/;
const lookup = new NoNames();
let original: ForkServer;

before(async () => {
  const layer = await programLayer();
  const libraries = join(layer, 'usr/lib', 'x86_64-linux-gnu');
  original = new ForkServer(join(layer, 'usr/sbin/ipvsadm'), { libraries, parseOnly: true });
});
after(() => original.close());

function byOurs({ words }: Case): Answer {
  const answer = { status: REACHED_KERNEL, stdout: '', stderr: '', table: '' };
  try {
    const { command } = parse(words, lookup, 'ipvsadm');
    return command === 'help' || command === 'version' ? { ...answer, status: 0 } : answer;
  } catch (error) {
    assert.ok(!(error instanceof HostNeeded));
    assert.ok(error instanceof Fatal || error instanceof Rejected, String(error));
    return { ...answer, status: error.status, stderr: `${error.message}\n` };
  }
}

test(`${cases.length} command lines are parsed as by ipvsadm`, async () => {
  assert.ok(cases.length > 3000);
  let refused = 0;
  for (const one of cases) {
    const { status, stderr } = await original.ask(one);
    const theirs: Answer = { status, stdout: '', stderr: stderr.replace(VERSION, ''), table: '' };
    // Connections are read from /proc, where the file is missing, too.
    if (theirs.stderr === 'cannot open file /proc/net/ip_vs_conn\n') {
      theirs.stderr = '';
      theirs.status = REACHED_KERNEL;
    }
    if (theirs.status !== REACHED_KERNEL) refused++;
    const ours = byOurs(one);
    const known = DIFFERENCES.find((entry) => entry.applies(one, theirs));
    assert.deepEqual(ours, known ? known.expected(theirs, ours) : theirs, caseText(one));
  }
  assert.ok(refused > 1000 && refused < cases.length - 500, `${refused} refused`);
});
