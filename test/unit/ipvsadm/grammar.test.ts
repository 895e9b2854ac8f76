// SPDX-License-Identifier: MIT
// Additions to ipvsadm's grammar, and effects of the order of options.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defenceOption } from '../../../src/ipvsadm/command-line/defence-option.ts';
import { parse } from '../../../src/ipvsadm/command-line/grammar.ts';
import { synProxyOptions } from '../../../src/ipvsadm/command-line/synproxy-options.ts';
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

test('SYN proxy: a switch, and what clients are offered', () => {
  const synProxy = (options: string) => read(`-E -t 192.0.2.1:80 ${options}`).service.synProxy;
  assert.equal(synProxy('-s rr'), undefined);
  assert.deepEqual(synProxy('-j enable'), { enabled: true });
  assert.deepEqual(synProxy('--synproxy disable'), { enabled: false });
  const options = '--synproxy-opts mss=1400,wscale=none,sack=off,timestamps=on,window=0';
  const all = { enabled: true, mss: 1400, windowScale: 255, sack: false, timestamps: true, window: 0 };
  assert.deepEqual(synProxy(`-j enable ${options}`), all);
  assert.deepEqual(synProxy(`${options} -j enable`), all);
  assert.deepEqual(synProxy('-j enable --synproxy-opts mss=0,wscale=14'), { enabled: true, mss: 0, windowScale: 14 });
  refused('-A -t 192.0.2.1:80 -j on', 'synproxy switch must be enable or disable');
  refused('-A -t 192.0.2.1:80 -j enable -j enable', "multiple 'synproxy' options specified");
  refused('-D -t 192.0.2.1:80 -j enable', "Illegal 'synproxy' option with the 'delete-service' command");
  for (const command of ['-A', '-E', '-E -j disable'])
    refused(`${command} -t 192.0.2.1:80 --synproxy-opts sack=off`, '--synproxy-opts is only for -j enable');
  for (const word of ['mss=215', 'wscale=15', 'wscale=', 'sack=1', 'timestamps', 'window=65536', 'ttl=1', ''])
    refused(
      `-A -t 192.0.2.1:80 -j enable --synproxy-opts ${word}${word && ','}`,
      `\`${word}' in --synproxy-opts: write mss=0|216-65535, wscale=0-14|none, sack=on|off, timestamps=on|off, window=0-65535`,
    );
});

test('a rule with SYN proxy is read as it was written', () => {
  for (const options of [
    '-j enable',
    '-j enable --synproxy-opts mss=1400,wscale=none,sack=off,timestamps=off,window=0',
  ])
    assert.equal(synProxyOptions(read(`-A -t 192.0.2.1:80 ${options}`).service.synProxy), ` ${options}`);
  assert.equal(
    synProxyOptions({ enabled: true, mss: 0, windowScale: 7, sack: true, timestamps: true, window: 2896 }),
    ' -j enable',
  );
  assert.equal(synProxyOptions({ enabled: false }), '');
  assert.equal(synProxyOptions(undefined), '');
});

test('the defence of a service, as it is written and read', () => {
  const defence = (list: string) => read(`-E -t 192.0.2.1:80 --defence ${list}`).service.defence;
  assert.equal(read('-E -t 192.0.2.1:80').service.defence, undefined);
  const none = { dropStrays: false, dropFragments: false, synRate: 0, synBurst: 1 };
  assert.deepEqual(defence('none'), none);
  assert.deepEqual(defence('drop-strays'), { ...none, dropStrays: true });
  assert.deepEqual(defence('syn-rate=5000'), { ...none, synRate: 5000, synBurst: 5000 });
  const all = { dropStrays: true, dropFragments: true, synRate: 5000, synBurst: 1 };
  assert.deepEqual(defence('syn-burst=1,drop-fragments,syn-rate=5000,drop-strays'), all);
  assert.equal(defenceOption(all), ' --defence drop-strays,drop-fragments,syn-rate=5000,syn-burst=1');
  assert.equal(defenceOption(none), '');
  assert.equal(defenceOption(undefined), '');
  for (const list of ['drop-strays', 'drop-fragments', 'syn-rate=7', 'drop-strays,syn-rate=1000000,syn-burst=2'])
    assert.equal(defenceOption(defence(list)), ` --defence ${list}`);
  const allowed = 'write none, or drop-strays, drop-fragments, syn-rate=1-1000000, syn-burst=1-1000000';
  for (const word of ['strays', 'drop-strays=1', 'syn-rate', 'syn-rate=0', 'syn-burst=1000001', 'none', ''])
    refused(`-A -t 192.0.2.1:80 --defence drop-fragments,${word}`, `\`${word}' in --defence: ${allowed}`);
  refused('-A -t 192.0.2.1:80 --defence drop-strays,drop-strays', `\`drop-strays' in --defence: ${allowed}`);
  refused('-A -t 192.0.2.1:80 --defence syn-burst=5', '--defence syn-burst=... needs syn-rate=...');
  refused('-D -t 192.0.2.1:80 --defence none', "Illegal 'defence' option with the 'delete-service' command");
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
