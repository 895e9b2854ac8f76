// SPDX-License-Identifier: MIT
// lab: --stock
// also: --kernel 6.12
// FULLNAT on a stock kernel, which would silently misread it: refused before anything is sent.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { after, before, test } from 'node:test';
import { KernelLacksError } from '../../../src/base/errors.ts';
import { Ipvs } from '../../../src/ipvs/index.ts';

const run = (program: string, words: string, input = '') => {
  const { status, stdout, stderr } = spawnSync(program, words.split(' '), { encoding: 'utf8', input });
  return { status, stdout, stderr };
};
const NO_FULLNAT = "the running ip_vs does not support FULLNAT: load lvsd's ip_vs modules, see docs/kernel.md\n";
const NO_DRAIN = NO_FULLNAT.replace('FULLNAT', 'draining of local addresses');
const key = { family: 2, protocol: 6, address: new Uint8Array([192, 0, 2, 1]), port: 80, fwmark: 0 } as const;

before(() => {
  run('lvsadm', '-C');
  assert.equal(run('lvsadm', '-A -t 192.0.2.1:80 -s rr').status, 0);
});
after(() => run('lvsadm', '-C'));

for (const [words, complaint] of [
  ['-a -t 192.0.2.1:80 -r 10.0.0.2:8080 -b', NO_FULLNAT],
  ['-e -t 192.0.2.1:80 -r 10.0.0.2:8080 -b', NO_FULLNAT],
  ['-P -t 192.0.2.1:80 -z 10.1.0.1', NO_FULLNAT],
  ['-Q -t 192.0.2.1:80 -z 10.1.0.1', NO_FULLNAT],
  ['-Q -t 192.0.2.1:80 -z 10.1.0.1 --drain', NO_DRAIN],
  ['-G', NO_FULLNAT],
  ['--secret /dev/null', NO_FULLNAT.replace('FULLNAT', 'secret for sequence numbers')],
  ['-G -t 192.0.2.1:80', NO_FULLNAT],
] as const)
  test(`lvsadm ${words} is refused`, () => {
    assert.deepEqual(run('lvsadm', words), { status: 5, stdout: '', stderr: complaint });
    assert.equal(run('ipvsadm', '-Sn').stdout, '-A -t 192.0.2.1:80 -s rr\n');
  });

test('a restore ends at the first rule that the kernel does not support', () => {
  const rules =
    '-a -t 192.0.2.1:80 -r 10.0.0.3 -m\n-a -t 192.0.2.1:80 -r 10.0.0.4 -b\n-a -t 192.0.2.1:80 -r 10.0.0.5 -m\n';
  assert.deepEqual(run('lvsadm', '-R', rules), { status: 5, stdout: '', stderr: NO_FULLNAT });
  assert.equal(run('ipvsadm', '-Sn').stdout, '-A -t 192.0.2.1:80 -s rr\n-a -t 192.0.2.1:80 -r 10.0.0.3:80 -m -w 1\n');
});

test('the client throws a typed error and sends no attribute of ours', async () => {
  const ipvs = new Ipvs();
  const lacks = (error: unknown) => error instanceof KernelLacksError && error.code === 'ERR_LVSD_KERNEL_LACKS';
  const server = { family: 2, address: new Uint8Array([10, 0, 0, 9]), port: 80, weight: 1 } as const;
  const rest = { upperThreshold: 0, lowerThreshold: 0, tunnelType: 0, tunnelPort: 0, tunnelFlags: 0 };
  await assert.rejects(ipvs.addDestination(key, { ...server, ...rest, method: 5 }), lacks);
  await assert.rejects(ipvs.addLocalAddress(key, server.address), lacks);
  await assert.rejects(ipvs.localAddresses(key), lacks);
  const service = { ...key, scheduler: 'rr', timeout: 0, netmask: 0xffffffff, peName: '' };
  await assert.rejects(ipvs.setService({ ...service, flags: 0x8000 }), lacks);
  assert.deepEqual([...(await ipvs.features())], []);
  assert.deepEqual(
    (await ipvs.destinations(key)).map(({ address }) => [...address]),
    [[10, 0, 0, 3]],
  );
  ipvs.close();
});
