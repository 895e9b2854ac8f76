// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { isDaemon } from '../../../src/daemon/commands/doctor/host.ts';
import { lockNamespace } from '../../../src/daemon/namespace-lock.ts';

const name = `@lvsd-test-${process.pid}`;
const never = (text: string) => assert.fail(text);

test('one lvsd a network namespace, whatever its socket; the lock ends with its process', async () => {
  const lock = lockNamespace(never, name);
  assert.throws(() => lockNamespace(never, name), {
    code: 'ERR_LVSD_RUNNING',
    message: `another lvsd is running in this network namespace (pid ${process.pid})`,
  });
  lock.close();
  const source = `import('${import.meta.dirname}/../../../src/daemon/namespace-lock.ts').then(({ lockNamespace }) => {
    lockNamespace(() => {}, '${name}'); console.log('locked'); setInterval(() => {}, 1000); })`;
  const child = spawn(process.execPath, ['--import', 'tsx', '-e', source], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  assert.throws(() => lockNamespace(never, name), { message: new RegExp(`\\(pid ${child.pid}\\)`) });
  child.kill('SIGKILL');
  await once(child, 'exit');
  lockNamespace(never, name).close();
});

test('a name that another user holds is reported, and keeps no lvsd from starting', {
  skip: process.geteuid?.() !== 0 && 'needs root',
}, async () => {
  const script = `socket(S, PF_UNIX, SOCK_STREAM, 0) and bind(S, sockaddr_un("\\0${name.slice(1)}")) and listen(S, 5) or die;
    $| = 1; print "bound\\n"; sleep 60`;
  const child = spawn('setpriv', ['--reuid=65534', '--clear-groups', 'perl', '-MSocket', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  const warnings: string[] = [];
  lockNamespace((text) => warnings.push(text), name).close();
  assert.match(warnings.join(), new RegExp(`is held by uid 65534, pid ${child.pid}: not used`));
  child.kill('SIGKILL');
  await once(child, 'exit');
});

test('the doctor recognises a daemon by its command line', () => {
  const words = (line: string) => line.split(' ');
  assert.ok(isDaemon(words('node --max-semi-space-size=1 --expose-gc /usr/local/bin/lvsd run --socket /x')));
  assert.ok(isDaemon(words('/usr/bin/node /opt/lvsd/dist/bin/lvsd.cjs run')));
  assert.ok(!isDaemon(words('node --max-semi-space-size=1 --expose-gc /usr/local/bin/lvsd doctor')));
  assert.ok(!isDaemon(words('bash /usr/local/bin/lvsd run')));
  assert.ok(!isDaemon(words('vi /etc/lvsd/run lvsd.yaml')));
});
