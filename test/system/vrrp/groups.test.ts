// SPDX-License-Identifier: MIT
// lab: --stock --uml=plain
// Two virtual routers of one group, beside keepalived with a vrrp_sync_group: they move together.
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { until } from '../../../lab/topology.ts';
import { MODES, type Node, Pair } from './pair.ts';

const FAST = MODES.find(({ name }) => name === 'version 3, 100 ms') ?? assert.fail();
const pair = new Pair(FAST, 51);
const { lvsd, keepalived } = pair;
const SECOND_ADDRESS = '10.9.0.101';

keepalived.further = [
  'vrrp_instance inside {',
  '  interface eth0',
  '  virtual_router_id 52',
  '  priority 120',
  '  advert_int 0.1',
  '  virtual_ipaddress {',
  `    ${SECOND_ADDRESS}/32 dev eth0`,
  '  }',
  '}',
  'vrrp_sync_group pair {',
  '  group {',
  '    edge',
  '    inside',
  '  }',
  '}',
];

/** Both instances of lvsd; only the second one tracks eth1. */
function configure(priority: number): void {
  const edge = lvsd.configuration(priority);
  const group = { group: 'pair', settings: { ...edge.settings, grouped: true } };
  const inside = {
    ...edge,
    ...group,
    name: 'inside',
    virtualRouterId: 52,
    addresses: [{ address: SECOND_ADDRESS, prefix: 32 }],
    track: [{ kind: 'interface', name: 'eth1' }] as const,
  };
  lvsd.send({ type: 'configure', instances: [{ ...edge, ...group }, inside] });
}

/** Which of both addresses a node has. */
function addresses({ namespace }: Node): string {
  const { stdout } = namespace.run(['ip', '-o', 'addr', 'show', 'dev', 'eth0']);
  return [pair.virtual, SECOND_ADDRESS].filter((address) => stdout.includes(` ${address}/`)).join(' ');
}

const BOTH = `${pair.virtual} ${SECOND_ADDRESS}`;
const moves = (master: Node, backup: Node) =>
  until('both addresses on one node', () => addresses(master) === BOTH && addresses(backup) === '', 60_000);

before(async () => {
  lvsd.namespace.ip('link add eth1 type veth peer name eth1p');
  lvsd.namespace.ip('link set eth1p up');
  lvsd.namespace.ip('link set eth1 up');
  await keepalived.start(120);
  await moves(keepalived, lvsd);
  await lvsd.start(150, () => configure(150));
});
beforeEach(() => moves(lvsd, keepalived));
after(() => pair.destroy());

test('a fault of one member moves both, and priority 0 of both makes that fast', async () => {
  lvsd.namespace.ip('link set eth1 down');
  await moves(keepalived, lvsd);
  const faults = () => lvsd.messages.flatMap((one) => (one.type === 'state' && one.to === 'fault' ? [one] : []));
  await until('the messages of both', () => faults().length >= 2);
  assert.deepEqual(
    faults()
      .map(({ instance, from, reason }) => [instance, from, reason])
      .sort(),
    [
      ['edge', 'master', 'inside: eth1 is down'],
      ['inside', 'master', 'eth1 is down'],
    ],
  );
  lvsd.namespace.ip('link set eth1 up');
  await moves(lvsd, keepalived);
});

test('both move by priority, and back', async () => {
  configure(100);
  await moves(keepalived, lvsd);
  configure(150);
  await moves(lvsd, keepalived);
});

test('a yield of one member moves both', async () => {
  lvsd.send({ type: 'yield', instance: 'inside', hold: 3000 });
  await moves(keepalived, lvsd);
});

test('a group that is dissolved leaves both instances as they are', async () => {
  // Messages of the transitions before.
  await lvsd.status();
  const since = lvsd.messages.length;
  const edge = lvsd.configuration(150);
  const inside = {
    ...edge,
    name: 'inside',
    virtualRouterId: 52,
    addresses: [{ address: SECOND_ADDRESS, prefix: 32 }],
  };
  lvsd.send({ type: 'configure', instances: [edge, inside] });
  await lvsd.status();
  configure(150);
  await lvsd.status();
  const transitions = lvsd.messages.slice(since).filter(({ type }) => type === 'state');
  assert.deepEqual(transitions, []);
});
