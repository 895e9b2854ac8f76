// SPDX-License-Identifier: MIT
// Through random reloads and restarts a real server that answers keeps its connections: it stays in the table, if only
// with weight 0, for the time of `drain`.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { type Config, loadConfig } from '../../src/config/index.ts';
import { desiredState } from '../../src/daemon/model/desired-state.ts';
import { RuntimeState } from '../../src/daemon/model/runtime-state.ts';
import { targets } from '../../src/daemon/model/targets.ts';
import { virtualServices } from '../../src/daemon/model/virtual-services.ts';
import { fromState, toState } from '../../src/daemon/state/snapshot.ts';
import { unknown } from '../../src/health/machine.ts';
import type { TargetState } from '../../src/health/types.ts';
import { serviceKeyText } from '../../src/ipvs/index.ts';
import { destinationKeyText } from '../../src/plan/keys.ts';
import type { ActualService } from '../../src/plan/types.ts';
import { Random } from '../support/random.ts';
import { KEPT, randomConf } from '../support/worlds.ts';

const worlds = process.env.LVSD_COUNTS === 'full' ? 500 : 10;
const RELOADS = 60;
const dir = mkdtempSync(join(tmpdir(), 'lvsd-reloads-'));
const file = join(dir, 'lvsd.yaml');
after(() => rmSync(dir, { recursive: true, force: true }));

/** The daemon's model without a kernel and without probes: every target that is probed answers. */
class World {
  runtime = new RuntimeState();
  health = new Map<string, TargetState>();
  table = new Map<string, ActualService>();
  readonly random: Random;
  #config: Config;
  #now = 0;

  constructor(random: Random) {
    this.random = random;
    this.#config = this.#next();
    this.#configure();
  }

  #next(): Config {
    writeFileSync(file, JSON.stringify(randomConf(this.random)));
    return loadConfig(file);
  }

  reload(): void {
    this.#config = this.#next();
    this.#configure();
  }

  /** Restarts from the state file, with the same configuration or another one. */
  restart(): void {
    const other = this.random.chance(50);
    const memory = fromState(toState(this.runtime, new Set(), this.health));
    this.runtime = new RuntimeState();
    this.health = new Map(memory.health);
    if (other) this.#config = this.#next();
    const entries = virtualServices(this.#config);
    this.runtime.configure(entries, this.#now);
    this.runtime.restore(memory);
    this.runtime.adopt(new Set(this.table.keys()), (key) => this.table.get(key), this.#now);
    this.#check();
    // Checks that changed while the daemon was down have no state before their first results.
    if (other) this.#answers(100);
  }

  #configure(): void {
    this.runtime.configure(virtualServices(this.#config), this.#now);
    this.#check();
  }

  #check(): void {
    const { runtime, health } = this;
    const wanted = targets(
      runtime.services,
      (key) => this.table.get(key),
      (id) => health.get(id),
      (id) => runtime.inherited(id),
    );
    this.health = new Map(
      wanted.map(({ id, initiallyUp }) => {
        const is = health.get(id);
        return [id, is && (is.up || is.probed || !initiallyUp) ? is : unknown(id, initiallyUp, 0)];
      }),
    );
    for (const { id, up } of this.health.values()) runtime.setTarget(id, up);
    runtime.keepTargets(new Set(this.health.keys()));
    this.settle();
  }

  /** Time goes by; some targets have answered. */
  probe(): void {
    this.#now += this.random.below(3000);
    this.#answers(20);
  }

  #answers(percent: number): void {
    for (const state of this.health.values()) {
      if (!this.random.chance(percent)) continue;
      this.health.set(state.id, { ...state, up: true, probed: true });
      this.runtime.setTarget(state.id, true);
    }
    this.settle();
  }

  /** Gives the kernel's table the desired state. */
  settle(): void {
    this.runtime.updateQuorums();
    const counts = { activeConnections: 1, inactiveConnections: 0, persistentConnections: 0, stats: undefined };
    this.table = new Map(
      desiredState(this.#config, this.runtime).services.map((service) => [
        serviceKeyText(service),
        {
          service: { ...service, numLocalAddresses: 0, stats: undefined },
          destinations: service.destinations.map((one) => ({ ...one, ...counts })),
          localAddresses: [],
        },
      ]),
    );
  }

  /** Weights of the real servers of a service ("10.99.0.11:80"). */
  servers(at: string): Map<string, number> {
    const found = [...this.table.values()].find(({ service }) => `${service.address.join('.')}:${service.port}` === at);
    const destinations = found?.destinations ?? [];
    return new Map(destinations.map((one) => [destinationKeyText(one), one.weight]));
  }
}

test(`${worlds} times ${RELOADS} random reloads and restarts keep every real server that served`, () => {
  let others = 0;
  for (let seed = 1; seed <= worlds; seed++) {
    const world = new World(new Random(seed));
    const served = new Map(Object.values(KEPT).map((at) => [at, new Set<string>()]));
    for (let i = 0; i < RELOADS; i++) {
      if (world.random.chance(10)) world.restart();
      else if (world.random.chance(60)) world.reload();
      else world.probe();
      for (const [key, keys] of served) {
        const now = world.servers(key);
        assert.ok(now.size >= 2, `${key} has ${now.size} real servers`);
        for (const [server, weight] of now) if (weight > 0) keys.add(server);
        for (const server of keys) assert.ok(now.has(server), `seed ${seed}, step ${i}: ${server} of ${key} is gone`);
      }
    }
    for (const keys of served.values()) others += keys.size - 2;
  }
  assert.ok(others >= 2 * worlds, `${others} others have served`);
});
