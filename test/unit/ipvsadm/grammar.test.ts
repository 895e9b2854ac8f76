// SPDX-License-Identifier: MIT
// Additions to ipvsadm's grammar, and effects of the order of options.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse } from '../../../src/ipvsadm/command-line/grammar.ts';
import { Fatal, Rejected } from '../../../src/ipvsadm/errors.ts';
import { HostNeeded, Lookup } from '../../../src/ipvsadm/lookup.ts';

const lookup = new Lookup();
const read = (line: string) => parse(line.split(' '), lookup, 'lvsadm');
const refused = (line: string, message: string, status = 2) =>
  assert.throws(
    () => read(line),
    (error: Fatal) => {
      assert.equal(error.message, message);
      assert.equal(error.status, status);
      return true;
    },
  );

test('-b is FULLNAT after -a and -e, and --sched-flags elsewhere', () => {
  assert.equal(read('-a -t 192.0.2.1:80 -r 10.0.0.2:8080 -b').destination.method, 5);
  assert.equal(read('-a -t 192.0.2.1:80 -r 10.0.0.2:8080 --fullnat -w 3').destination.port, 8080);
  assert.equal(read('-e -t 192.0.2.1:80 -br 10.0.0.2').destination.port, 80);
  assert.equal(read('-A -t 192.0.2.1:80 -s sh -b sh-port').service.flags, 0x10);
  assert.equal(read('-E -t 192.0.2.1:80 -s mh -b mh-fallback,mh-port').service.flags, 0x18);
  refused('-a -t 192.0.2.1:80 -r 10.0.0.2 -b -m', "multiple 'forwarding-method' options specified");
  refused(
    '-a -t 192.0.2.1:80 -r 10.0.0.2 --sched-flags flag-1',
    "Illegal 'sched-flags' option with the 'add-server' command",
  );
});

test('options of local addresses', () => {
  const { localAddress, command } = read('-P -t 192.0.2.1:80 -z 10.1.0.1');
  assert.equal(command, 'add-laddr');
  assert.deepEqual(localAddress, new Uint8Array([10, 1, 0, 1]));
  assert.equal(read('-P -t [2001:db8::80]:80 --laddr 2001:db8::1').localAddress?.length, 16);
  assert.ok(read('-Q -f 7 -z 10.1.0.1 --drain').options.has('drain'));
  assert.equal(read('-G').command, 'get-laddr');
  refused('-P -t 192.0.2.1:80', "You need to supply the 'laddr' option for the 'add-laddr' command");
  refused('-P -z 10.1.0.1', "You need to supply the 'service-address' option for the 'add-laddr' command");
  refused('-P -t 192.0.2.1:80 -z 10.1.0.1 --drain', "Illegal 'drain' option with the 'add-laddr' command");
  refused('-A -t 192.0.2.1:80 -z 10.1.0.1', "Illegal 'laddr' option with the 'add-service' command");
  refused('-G -n', "Illegal 'numeric' option with the 'get-laddr' command");
  refused('-P -t 192.0.2.1:80 -z 10.1', 'illegal local address specified');
  refused('-P -t 192.0.2.1:80 -z 2001:db8::1', 'the local address must be of the same family as the service');
});

test('the order of options matters', () => {
  assert.equal(read('-a -t 192.0.2.1:80 -r 10.0.0.2 -m').destination.port, 80);
  assert.equal(read('-a -r 10.0.0.2 -t 192.0.2.1:80 -m').destination.port, 0);
  assert.equal(read('-A -f 7 -6').service.family, 10);
  refused('-A -6 -f 7', '-6 used before -f\n');
});

test('a host name has to be looked up first', async () => {
  assert.throws(
    () => read('-A -t localhost:80'),
    (error: HostNeeded) => error instanceof HostNeeded && error.host === 'localhost',
  );
  await lookup.fetchHost('localhost');
  await lookup.fetchHost('no.such.host.invalid');
  assert.deepEqual(read('-A -t localhost:80').service.address, new Uint8Array([127, 0, 0, 1]));
  refused('-A -t no.such.host.invalid:80', 'illegal virtual server address[:port] specified');
});

test('unknown options and usage errors have different statuses', () => {
  refused('nothing', "Try `lvsadm -h' or 'lvsadm --help' for more information.", 255);
  assert.throws(
    () => read('-A --nonsense'),
    (error: Rejected) => error instanceof Rejected && error.status === 255,
  );
  assert.throws(
    () => read('-A -w 1'),
    (error: Fatal) => error instanceof Fatal && error.status === 2,
  );
});
