// SPDX-License-Identifier: MIT
// lab: --uml=plain
// Traffic over failovers. NAT with connection sync: downloads go on, new connections succeed. FULLNAT with local addresses
// that follow: new connections succeed within about the down interval; established ones end, since their state is not
// synchronized. In the full run the better balancer leaves the other one in place until it has its connections.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { until } from '../../../lab/topology.ts';
import { recordFigures } from '../../support/figures.ts';
import { type Balancer, Balancers, VIRTUAL } from './balancers.ts';
import { effect, Load } from './load.ts';

const full = process.env.LVSD_COUNTS === 'full';
/** `RATE`: connections a second over NAT; over FULLNAT there are `FEWER` beside them. */
const [DOWNLOADS, RATE, FEWER, SECONDS] = full ? [50, 200, 50, 60] : [10, 25, 25, 20];
const PORTS = { nat: 80, fullnat: 81 };

let site: Balancers;
let load: Load;
const figures: Record<string, object> = {};

before(async () => {
  site = new Balancers('traffic', full ? 'synced' : 'now');
  load = new Load(site);
  await site.start('both');
});
after(async () => {
  recordFigures('vrrp-traffic', { downloads: DOWNLOADS, rate: RATE, ...figures });
  load.close();
  await site.destroy();
});

/** Clients of established NAT connections in a balancer's table. */
const established = ({ namespace }: Balancer) =>
  [...namespace.run('ipvsadm -Lnc').stdout.matchAll(new RegExp(` ESTABLISHED +(\\S+) +${VIRTUAL}:80 `, 'g'))].map(
    ([, client = '']) => client,
  );

/** Traffic while the addresses move to the second balancer and back: `away` and `back` cause that. */
async function failover(name: string, away: () => void, back: () => void): Promise<void> {
  const { first, second } = site;
  await site.settles(first);
  const downloads = await load.downloads(DOWNLOADS, SECONDS);
  await until('the connections at the backup', () => established(second).length >= DOWNLOADS);
  const ends = {
    nat: await load.connections(PORTS.nat, RATE),
    fullnat: await load.connections(PORTS.fullnat, FEWER),
  };
  const at = Date.now();
  away();
  await site.settles(second);
  const over = Date.now();
  const [nat, fullnat] = await Promise.all([ends.nat(), ends.fullnat()]);
  const found = { nat: effect(nat, { at, over }), fullnat: effect(fullnat, { at, over }) };
  back();
  await site.settles(first);
  const whole = await downloads();
  figures[name] = { ...found, whole };
  assert.equal(whole, DOWNLOADS, JSON.stringify(found));
  for (const [kind, each] of Object.entries(found)) {
    const rate = kind === 'nat' ? RATE : FEWER;
    assert.ok(each.after > rate, JSON.stringify(found));
    assert.equal(each.failedAfter, 0, JSON.stringify(found));
    assert.ok(each.connections - each.after > rate, JSON.stringify(found));
  }
}

test('a balancer that loses both networks, and returns', () =>
  failover(
    'unplugged',
    () => site.plug(site.first, false),
    () => site.plug(site.first, true),
  ));

if (full) {
  test('a node that returns takes over once it has the connections that were made meanwhile', async () => {
    const { first, second } = site;
    await site.settles(first);
    site.plug(first, false);
    await site.settles(second);
    // Connections of earlier tests whose end was lost on the way stay here until they time out.
    const earlier = new Set(established(second));
    const downloads = await load.downloads(DOWNLOADS, 2 * SECONDS);
    const made = established(second).filter((one) => !earlier.has(one));
    assert.equal(made.length, DOWNLOADS);
    site.plug(first, true);
    await until(
      'the connections at the node that returned',
      () => {
        const known = new Set(established(first));
        return made.every((one) => known.has(one));
      },
      60_000,
    );
    assert.ok(!site.holds(first), 'before it takes over');
    await site.settles(first);
    assert.equal(await downloads(), DOWNLOADS);
  });

  test('a yield, and the return of the better one', () =>
    failover(
      'yield',
      () => site.first.namespace.run(`lvsctl --socket ${site.first.lvsd.socket} yield edge --for 15s`),
      () => {},
    ));

  for (const signal of ['KILL', 'STOP'])
    test(`SIG${signal} for the VRRP process`, () =>
      failover(
        `SIG${signal}`,
        () => site.first.namespace.run(`pkill -${signal} -P ${site.first.lvsd.pid} -f vrrp.cjs`),
        () => {},
      ));
}
