// SPDX-License-Identifier: MIT
// lvsadm and its client on the patched kernel: FULLNAT real servers, local addresses, save and restore. Debian's
// ipvsadm lists everything but FULLNAT.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { after, before, test } from 'node:test';
import { NetlinkError } from '../../../src/base/errors.ts';
import { Ipvs } from '../../../src/ipvs/index.ts';

interface Ran {
  status: number | null;
  stdout: string;
  stderr: string;
}
const run = (program: string, words: string, input = ''): Ran => {
  const { status, stdout, stderr } = spawnSync(program, words.split(' '), { encoding: 'utf8', input });
  return { status, stdout, stderr };
};
const done = (words: string, input?: string): string => {
  const { status, stdout, stderr } = run('lvsadm', words, input);
  assert.deepEqual([status, stderr], [0, ''], words);
  return stdout;
};
const key = { family: 2, protocol: 6, address: new Uint8Array([192, 0, 2, 1]), port: 80, fwmark: 0 } as const;
const RULES = `-A -t 192.0.2.1:80 -s rr
-P -t 192.0.2.1:80 -z 10.1.0.1
-P -t 192.0.2.1:80 -z 10.1.0.2
-a -t 192.0.2.1:80 -r 10.0.0.2:8080 -b -w 100
-a -t 192.0.2.1:80 -r 10.0.0.3:80 -m -w 1
-A -u 192.0.2.1:53 -s rr
-a -u 192.0.2.1:53 -r 10.0.0.4:53 -g -w 1
`;

before(() => {
  spawnSync('modprobe', ['ip_vs']);
  done('-C');
});
after(() => done('-C'));

test('save returns the restored rules', () => {
  assert.equal(done('-R', RULES), '');
  assert.equal(done('-Sn'), RULES);
  done('-C');
  done('-R', RULES);
  assert.equal(done('-Sn'), RULES);
});

test('the listing shows FullNat and is otherwise ipvsadm’s', () => {
  const ours = done('-Ln');
  assert.match(ours, /^ {2}-> 10\.0\.0\.2:8080 {16}FullNat 100 {4}0 {10}0 {9}$/m);
  const original = run('ipvsadm', '-Ln').stdout;
  assert.equal(ours.replace('FullNat', '(null) '), original);
});

test('-G lists local addresses', () => {
  const table =
    'VIP:VPORT            TOTAL    SNAT_IP              CONFLICTS  CONNS     \n' +
    '192.0.2.1:80         2        \n' +
    '                              10.1.0.1             0          0         \n' +
    '                              10.1.0.2             0          0         \n';
  assert.equal(done('-G -t 192.0.2.1:80'), table);
  assert.equal(done('-G'), `${table}192.0.2.1:53         0        \n`);
  assert.deepEqual(run('lvsadm', '-G -t 192.0.2.1:81'), { status: 1, stdout: '', stderr: 'No such service\n' });
});

test('local addresses are added and deleted', () => {
  done('-P -t 192.0.2.1:80 -z 10.1.0.3');
  const refused = (words: string, stderr: string) =>
    assert.deepEqual(run('lvsadm', words), { status: 255, stdout: '', stderr: `${stderr}\n` });
  refused('-P -t 192.0.2.1:80 -z 10.1.0.3', 'Local address already exists');
  refused('-P -t 192.0.2.1:81 -z 10.1.0.3', 'Service not defined');
  done('-Q -t 192.0.2.1:80 -z 10.1.0.3');
  refused('-Q -t 192.0.2.1:80 -z 10.1.0.3', 'No such Local address');
});

test('a draining local address is listed until deleted, is not saved, and can be added again', () => {
  const third = '-P -t 192.0.2.1:80 -z 10.1.0.4\n';
  done('-P -t 192.0.2.1:80 -z 10.1.0.4');
  done('-Q -t 192.0.2.1:80 -z 10.1.0.4 --drain');
  assert.match(done('-G'), /10\.1\.0\.4/);
  assert.equal(done('-Sn'), RULES);
  done('-P -t 192.0.2.1:80 -z 10.1.0.4');
  assert.ok(done('-Sn').includes(third));
  done('-Q -t 192.0.2.1:80 -z 10.1.0.4 --drain');
  done('-Q -t 192.0.2.1:80 -z 10.1.0.4');
  assert.doesNotMatch(done('-G'), /10\.1\.0\.4/);
});

test('FULLNAT with UDP is rejected with the text of the kernel’s extended ACK', () => {
  const { status, stderr } = run('lvsadm', '-a -u 192.0.2.1:53 -r 10.0.0.5:53 -b');
  assert.equal(status, 255);
  assert.match(stderr, /^Invalid operation\. .*: \S.*\n$/);
});

test('the netlink client reads back what it wrote', async () => {
  const ipvs = new Ipvs();
  const { features, generation, buildId } = await ipvs.info();
  for (const feature of ['FULLNAT', 'TOA', 'LADDR_DRAIN'] as const) assert.ok(features.has(feature), feature);
  assert.equal(typeof generation, 'number');
  assert.ok(buildId);
  const service = await ipvs.service(key);
  assert.equal(service.numLocalAddresses, 2);
  await ipvs.setService({ ...service, portMin: 20_000, portMax: 20_099 });
  const changed = await ipvs.service(key);
  assert.deepEqual([changed.portMin, changed.portMax], [20_000, 20_099]);
  const [first] = await ipvs.localAddresses(key);
  assert.deepEqual([...(first?.address ?? [])], [10, 1, 0, 1]);
  assert.equal(first?.draining, false);
  await assert.rejects(
    ipvs.addLocalAddress(key, new Uint8Array([10, 1, 0, 1])),
    (error: unknown) => error instanceof NetlinkError && error.errnoName === 'EEXIST',
  );
  assert.notEqual((await ipvs.info()).generation, generation);
  ipvs.close();
});
