// SPDX-License-Identifier: MIT
// The states of a translation and the windows of its connection: the files of ip_vs.ko, compiled for user space with the
// address and undefined-behaviour sanitizers.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const top = fileURLToPath(new URL('../..', import.meta.url));
const dir = mkdtempSync(join(tmpdir(), 'lvsd-xlat-'));
const program = join(dir, 'xlat');
const blindSegments = process.env.LVSD_COUNTS === 'full' ? 1_000_000_000 : 10_000_000;

function run(command: string, args: string[], input = ''): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd: top, encoding: 'utf8', input });
  assert.equal(status, 0, `${command} ${args.join(' ')}: ${error?.message ?? stderr}`);
  return stdout;
}

before(() => {
  const ipvs = join(run('kernel-patches/build', ['--print-src']).trim(), 'net/netfilter/ipvs');
  const sanitize = ['-fsanitize=address,undefined', '-fno-sanitize-recover=all'];
  const sources = ['test/fuzz/xlat.c', join(ipvs, 'ip_vs_tcpwin.c'), join(ipvs, 'ip_vs_xlat_state.c')];
  run('gcc', [
    ...['-O2', '-g', '-Wall', '-Werror', ...sanitize, '-Itest/fuzz/shim', `-I${ipvs}`, '-o', program],
    ...sources,
  ]);
});

after(() => rmSync(dir, { recursive: true, force: true }));

const events = ['SYN', 'RESYN', 'REPROP', 'ANSWER', 'ACCEPT', 'STRANGE', 'PROGRESS', 'OVER', 'TAKEN'];

/** Steps of each state in the order of `events`: `ACTION` if the state stays, else `ACTION>STATE`. */
const transitions: Record<string, string> = {
  NONE: 'START>SYN START>SYN START>SYN DROP DROP DROP DROP DROP DROP>LOST',
  SYN: 'PROPOSE>SYN_PROP MOVE PASS MOVE>SYNACK PASS STALE MOVE>OPEN MOVE>CLOSING DROP>LOST',
  SYN_PROP: 'PROPOSE MOVE PASS MOVE>SYNACK_PROP COMMIT>SYNACK STALE MOVE>OPEN_PROP MOVE>CLOSING DROP>LOST',
  SYNACK: 'PROPOSE>SYNACK_PROP MOVE PASS MOVE PASS PASS MOVE>OPEN MOVE>CLOSING DROP>LOST',
  SYNACK_PROP: 'PROPOSE MOVE PASS MOVE COMMIT>SYNACK PASS MOVE>OPEN_PROP MOVE>CLOSING DROP>LOST',
  OPEN: 'PROPOSE>OPEN_PROP PROPOSE>OPEN_PROP PASS PASS PASS PASS MOVE MOVE>CLOSING DROP>LOST',
  OPEN_PROP: 'PROPOSE PROPOSE PASS PASS COMMIT>SYNACK PASS MOVE MOVE>CLOSING DROP>LOST',
  CLOSING: 'START>SYN START>SYN START>SYN PASS PASS PASS MOVE MOVE DROP>LOST',
  LOST: 'DROP DROP DROP DROP DROP DROP DROP DROP DROP',
};

test('the transitions of a translation', () => {
  const expected = Object.entries(transitions).flatMap(([state, steps]) =>
    steps.split(' ').map((step, index) => {
      const [action, next = state] = step.split('>');
      return `${state} ${events[index]} ${next} ${action}`;
    }),
  );
  assert.deepEqual(run(program, ['table']).trim().split('\n'), expected);
});

test('blind segments never change the translation in use', () => {
  const steps = run(program, ['table'])
    .trim()
    .split('\n')
    .map((line) => line.split(' ') as [string, string, string, string]);
  for (const [state, event, next, action] of steps) {
    const what = `${state} ${event}`;
    if (action === 'START') assert.ok(['NONE', 'CLOSING'].includes(state), what);
    if (action === 'COMMIT') assert.ok(event === 'ACCEPT' && state.endsWith('_PROP'), what);
    if (action === 'PROPOSE') assert.ok(next.endsWith('_PROP'), what);
    // Only a SYN proposes; only the real server's acceptance or the connection's end removes a proposal.
    if (next.endsWith('_PROP') && !state.endsWith('_PROP')) assert.equal(action, 'PROPOSE', what);
    if (state.endsWith('_PROP') && !next.endsWith('_PROP'))
      assert.ok(['ACCEPT', 'OVER', 'TAKEN'].includes(event), what);
    if (action === 'STALE') assert.ok(state.startsWith('SYN') && !state.startsWith('SYNACK'), what);
    if (state === 'LOST') assert.deepEqual([next, action], ['LOST', 'DROP'], what);
    assert.equal(next === 'LOST', state === 'LOST' || event === 'TAKEN', what);
  }
});

/** Runs lines of `DIRECTION FLAGS SEQ ACK WINDOW LENGTH VERDICT` after a handshake: ISNs 1000 and 5000. */
function follow(text: string, { client = 65_535, server = 65_535, scales = [-1, -1], isn = 1000, rsIsn = 5000 } = {}) {
  const lines = text
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/));
  const relative = (base: number, value = '0') => (base + Number(value)) >>> 0;
  const script = [
    `syn ${isn} 0 ${client} ${scales[0]} 0`,
    `synack ${rsIsn} ${relative(isn, '1')} ${server} ${scales[1]} 0`,
    ...lines.map(([dir = '', flags = '', seq, ack, window = '', length = '']) => {
      const [mine, other] = dir === 'c' ? [isn, rsIsn] : [rsIsn, isn];
      return `${dir} ${flags} ${relative(mine, seq)} ${relative(other, ack)} ${window} ${length}`;
    }),
  ];
  const verdicts = run(program, ['script'], `${script.join('\n')}\n`)
    .trim()
    .split('\n')
    .slice(2);
  assert.deepEqual(
    lines.map((words, index) => `${words.slice(0, 6).join(' ')} ${verdicts[index]}`),
    lines.map((words) => words.join(' ')),
  );
}

const cases: [string, string, Parameters<typeof follow>[1]?][] = [
  [
    'request, answer, close',
    `c A 1 1 65535 0 good
     c A 1 1 65535 100 good
     s A 1 101 65535 1000 good
     s FA 1001 101 65535 0 good
     c A 101 1002 65535 0 good
     c FA 101 1002 65535 0 good
     s A 1002 102 65535 0 good`,
  ],
  [
    'retransmitted, reordered and probing segments are good',
    `c A 1 1 65535 100 good
     c A 201 1 65535 100 good
     c A 101 1 65535 100 good
     s A 1 301 65535 0 good
     c A 1 1 65535 100 good
     s A 0 301 65535 0 good
     c A 300 1 65535 0 good
     c A 300 1 65535 1 good`,
  ],
  [
    'a closed window is probed with one byte, not with more',
    `c A 1 1 0 0 good
     s A 1 1 65535 65535 good
     c A 1 65536 0 0 good
     s A 65536 1 65535 1 good
     s A 65538 1 65535 1 bad`,
  ],
  [
    'segments beyond the window, old ones, and acknowledgements of data never sent are bad',
    `c A 1 1 1000 0 good
     c A 65536 1 1000 0 good
     c A 65537 1 1000 1 bad
     s A 3000 1 1000 0 good
     c A 1 3001 1000 0 bad
     c A 1 3000 1000 0 good
     c A 4294900000 3000 1000 10 bad
     s A 70000 1 1000 0 bad
     s A 1 200000 1000 0 bad`,
    { client: 5000, server: 65_535 },
  ],
  [
    'a reset is good only from the acknowledged number to the last sent',
    `c A 1 1 65535 100 good
     c R 0 0 0 0 bad
     c R 1 0 0 0 good
     c R 50 0 0 0 good
     c R 101 0 0 0 good
     c R 102 0 0 0 bad
     s A 1 101 65535 0 good
     c R 100 0 0 0 bad
     c R 101 0 0 0 good
     s R 0 0 0 0 bad
     s R 1 0 0 0 good
     s R 2 0 0 0 bad`,
  ],
  [
    'windows are scaled if both ends offer it',
    `c A 1 1 1000 0 good
     s A 1 1 1000 60000 good
     s A 128001 1 1000 0 good
     s A 128002 1 1000 0 bad
     c A 16001 1 1000 10 good
     c A 70000 1 1000 10 bad`,
    { client: 1000, server: 1000, scales: [7, 4] },
  ],
  [
    'windows are not scaled if only one end offers it',
    `c A 1 1 1000 0 good
     s A 1002 1 1000 0 bad
     s A 1001 1 1000 0 good`,
    { client: 1000, server: 1000, scales: [7, -1] },
  ],
  [
    'sequence numbers wrap around',
    `c A 1 1 65535 100 good
     s A 1 101 65535 1000 good
     c A 101 1001 65535 60000 good
     s A 1001 60101 65535 60000 good
     c R 60101 0 0 0 good
     c R 60102 0 0 0 bad`,
    { isn: 4_294_967_200, rsIsn: 4_294_960_000 },
  ],
  [
    'an acknowledgement of the real server for unseen data is good',
    `s A 1 201 65535 0 good
     c A 201 1 65535 10 good`,
  ],
  [
    'a segment without ACK is bad',
    `c F 1 0 65535 0 bad
     c - 1 0 65535 10 bad`,
  ],
];

for (const [name, text, options] of cases) test(`windows: ${name}`, () => follow(text, options));

test(`of ${blindSegments} blind segments of each kind at most five in 10^9 are plausible`, () => {
  const hits = Object.fromEntries(
    run(program, ['blind', String(blindSegments), '7', '65535'])
      .trim()
      .split('\n')
      .map((line) => line.split(' ')),
  );
  // A reset needs one number of 2^32, everything else two windows of 64 KB: once in 10^9.
  for (const [kind, count] of Object.entries(hits))
    assert.ok(Number(count) <= 1 + (5 * blindSegments) / 1e9, `${kind}: ${count}`);
});
