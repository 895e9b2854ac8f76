// SPDX-License-Identifier: MIT
// lvsadm's additions to ipvsadm, on the patched kernel: JSON, filters, rule files.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

interface Ran {
  status: number | null;
  stdout: string;
  stderr: string;
}
const run = (words: string, input = ''): Ran => {
  const { status, stdout, stderr } = spawnSync('lvsadm', words.split(' '), {
    encoding: 'utf8',
    input,
    maxBuffer: 64 << 20,
  });
  return { status, stdout, stderr };
};
const done = (words: string, input?: string): string => {
  const { status, stdout, stderr } = run(words, input);
  assert.deepEqual([status, stderr], [0, ''], words);
  return stdout;
};
const dir = mkdtempSync(join(tmpdir(), 'lvsadm-'));
const file = (name: string, text: string): string => {
  writeFileSync(join(dir, name), text);
  return join(dir, name);
};

const RULES = `-A -t 192.0.2.1:80 -s rr
-P -t 192.0.2.1:80 -z 10.1.0.1
-P -t 192.0.2.1:80 -z 10.1.0.2
-a -t 192.0.2.1:80 -r 10.0.0.2:8080 -b -w 100 -x 50 -y 20
-a -t 192.0.2.1:80 -r 10.0.0.3:80 -m -w 1
-A -t 192.0.2.1:443 -s sh -p 360 -M 255.255.255.0 -b sh-port
-a -t 192.0.2.1:443 -r 10.0.0.4:443 -i -w 5 --tun-type gue --tun-port 6080 --tun-remcsum
-A -u 192.0.2.1:53 -s rr -o
-a -u 192.0.2.1:53 -r 10.0.0.5:53 -g -w 0
-A -t [2001:db8::80]:80 -s mh -p 300 -M 64
-a -t [2001:db8::80]:80 -r [2001:db8::2]:8080 -m -w 3
-A -f 7 -s wlc
-a -f 7 -r 10.0.0.6:0 -g -w 1
-A -f 8 -6 -s wlc
`;

before(() => {
  spawnSync('modprobe', ['ip_vs']);
  done('-C');
});
after(() => {
  run('-C');
  for (const state of ['master', 'backup']) run(`--stop-daemon ${state}`);
  rmSync(dir, { recursive: true, force: true });
});

test('restore --atomic writes the table, diff finds no difference, save --full returns the rules', () => {
  const rules = file('rules', RULES);
  assert.equal(done(`restore --atomic ${rules}`), '');
  assert.deepEqual(run(`diff ${rules}`), { status: 0, stdout: '', stderr: '' });
  const saved = done('save --full');
  for (const line of RULES.trimEnd().split('\n')) assert.ok(saved.includes(`${line}\n`), `${line} in\n${saved}`);
  done('-C');
  done('restore --atomic -', saved);
  assert.equal(done('save --full'), saved);
});

test('listings as JSON have the content of the text', () => {
  const { services } = JSON.parse(done('-L --json'));
  assert.equal(services.length, 6);
  const [fullnat] = services.filter((one: { port?: number }) => one.port === 80);
  assert.deepEqual(
    fullnat.localAddresses.map(({ address }: { address: string }) => address),
    ['10.1.0.1', '10.1.0.2'],
  );
  const [server] = fullnat.realServers;
  assert.deepEqual(
    [server.address, server.port, server.forward, server.weight, server.upperThreshold, server.lowerThreshold],
    ['10.0.0.2', 8080, 'fullnat', 100, 50, 20],
  );
  assert.equal(server.stats.connections, 0);
  assert.deepEqual(JSON.parse(done('-L --timeout --json')).timeouts, { tcp: 900, tcpFin: 120, udp: 300 });
  assert.deepEqual(JSON.parse(done('-L --daemon --json')).daemons, []);
  assert.deepEqual(JSON.parse(done('-L -c --json')).connections, []);
  assert.equal(JSON.parse(done('-G --json')).services.length, 6);
  assert.equal(JSON.parse(done('-L -t 192.0.2.1:443 --json')).services[0].realServers[0].tunnel.port, 6080);
  assert.deepEqual(run('-L -t 192.0.2.9:1 --json'), { status: 1, stdout: '', stderr: 'No such service\n' });
});

test('--where filters services', () => {
  const names = (words: string) =>
    JSON.parse(done(`-L --json ${words}`)).services.map(
      ({ fwmark, port, realServers }: { fwmark?: number; port: number; realServers: unknown[] }) =>
        `${fwmark ? `fwmark ${fwmark}` : port}/${realServers.length}`,
    );
  assert.deepEqual(names('--where dest=10.0.0.3'), ['80/1']);
  assert.deepEqual(names('--where laddr=10.1.0.2'), ['80/2']);
  assert.deepEqual(names('--where laddr=10.1.0.9'), []);
  assert.deepEqual(names('--where service=2001:db8::/32'), ['80/1']);
  assert.deepEqual(names('--where protocol=udp --where protocol=fwmark'), ['53/1', 'fwmark 7/1', 'fwmark 8/0']);
  const text = done('-Ln --where service=fwmark:7');
  assert.deepEqual(text.split('\n').slice(3), [
    'FWM  7 wlc',
    '  -> 10.0.0.6:0                   Route   1      0          0         ',
    '',
  ]);
  assert.equal(done('-G --where laddr=10.1.0.2').trimEnd().split('\n').length, 3);
});

test('--watch lists until its reader closes', async () => {
  const child = spawn('lvsadm', ['-L', '--json', '--watch=0.1'], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  for await (const chunk of child.stdout) {
    text += chunk;
    if (text.split('\n').length > 3) break;
  }
  const documents = text.split('\n').slice(0, 3);
  for (const document of documents) assert.equal(JSON.parse(document).services.length, 6);
  // Leaving the loop has closed our end of the pipe.
  const [status] = await once(child, 'exit');
  assert.equal(status, 0);
});

test('diff reports differences and changes nothing', () => {
  const unchanged = done('save --full');
  const text = RULES.replace('-w 100', '-w 99').replace(/^-A -f 8.*\n/m, '-A -f 9 -s rr\n');
  const wanted = file('wanted', `${text}--set 901 0 0\n`);
  const { status, stdout } = run(`diff ${wanted}`);
  assert.equal(status, 3);
  assert.deepEqual(stdout.trimEnd().split('\n').sort(), [
    '+ fwmark 9 scheduler rr',
    '- fwmark 8 IPv6',
    '~ tcp 192.0.2.1:80 real server 10.0.0.2:8080 weight 100 → 99',
    '~ timeouts tcp 15m → 901s',
  ]);
  assert.equal(JSON.parse(run(`diff --json ${wanted}`).stdout).differences.length, 4);
  assert.equal(done('save --full'), unchanged);
});

test('one invalid line among 10,000 is named, and nothing is changed', () => {
  const unchanged = done('save --full');
  const lines = Array.from({ length: 10_000 }, (_, i) => `-A -f ${i + 100} -s rr`);
  lines[7_000] = '-A -f 7100 -s rr -r 10.0.0.1';
  const rules = file('bad', lines.join('\n'));
  assert.deepEqual(run(`restore --atomic ${rules}`), {
    status: 2,
    stdout: '',
    stderr: `${rules}:7001: Illegal 'real-server' option with the 'add-service' command\nnothing was changed\n`,
  });
  assert.equal(done('save --full'), unchanged);
});

test('a line that the kernel rejects: earlier ones are rolled back', () => {
  done('--start-daemon master --mcast-interface lo --syncid 5');
  const unchanged = done('save --full');
  const rules = file(
    'refused',
    `-A -t 192.0.2.1:80 -s wrr\n-a -t 192.0.2.1:80 -r 10.0.0.3:80 -m -w 7\n-A -t 192.0.2.7:80 -s nosuch\n--set 1 2 3\n--stop-daemon master\n`,
  );
  const { status, stdout, stderr } = run(`restore --atomic ${rules}`);
  assert.deepEqual([status, stdout], [1, '']);
  assert.match(
    stderr,
    /refused:3: tcp 192\.0\.2\.7:80 scheduler nosuch: Scheduler not found .*\nnothing was changed\n$/,
  );
  assert.equal(done('save --full'), unchanged);
  const device = file('device', `${RULES}--start-daemon backup --mcast-interface nosuch\n`);
  assert.equal(run(`restore --atomic ${device}`).status, 1);
  assert.equal(done('save --full'), unchanged);
});

test('timeouts and daemons are restored', () => {
  const saved = done('save --full');
  done('--set 100 20 30');
  done('--stop-daemon master');
  done('--start-daemon backup --mcast-interface lo --syncid 9');
  done('-C');
  done('restore --atomic -', saved);
  assert.equal(done('save --full'), saved);
});

test('an unchanged service keeps its counters and its place', () => {
  done('-C');
  done('restore --atomic -', RULES);
  const order = done('-Ln --nosort');
  done('restore --atomic -', RULES.replace('-w 100', '-w 98'));
  assert.equal(done('-Ln --nosort'), order.replace('100   ', '98    '));
});
