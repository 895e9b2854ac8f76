// SPDX-License-Identifier: MIT
// Numbers of virtual routers for metrics: of a real VRRP process, and without its answer.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { loadConfig } from '../../../src/config/index.ts';
import { EventLog } from '../../../src/control/events/log.ts';
import { Reporter } from '../../../src/daemon/control/reporter.ts';
import { RuntimeState } from '../../../src/daemon/model/runtime-state.ts';
import { Vrrp } from '../../../src/daemon/vrrp.ts';
import { recordingLog } from '../../support/recording-log.ts';

const folder = mkdtempSync(join(tmpdir(), 'lvsd-vrrp-numbers-'));
after(() => rmSync(folder, { recursive: true, force: true }));

test('a process that does not answer has no instances, and is counted when it runs again', {
  timeout: 120_000,
}, async () => {
  const file = join(folder, 'lvsd.yaml');
  const router = 'edge: { interface: nowhere0, virtual_router_id: 51, addresses: [10.99.0.99/32] }';
  writeFileSync(file, `version: 1\nservices: {}\nvrrp: { ${router} }\n`);
  const log = recordingLog();
  const vrrp = new Vrrp({
    runtime: new RuntimeState(),
    states: async () => new Map(),
    reporter: new Reporter(() => log, new EventLog()),
    log,
    onRole: () => {},
    saveLastMessages: async () => {},
  });
  try {
    vrrp.configure(loadConfig(file));
    const until = async (what: string, holds: (numbers: Awaited<ReturnType<Vrrp['numbers']>>) => boolean) => {
      for (const end = Date.now() + 60_000; ; await sleep(50)) {
        const numbers = await vrrp.numbers();
        if (holds(numbers)) return numbers;
        assert.ok(Date.now() < end, `${what}: ${JSON.stringify(numbers)}`);
      }
    };
    const { pid, lateness } = await until('a fault', ({ instances: [edge] }) => edge?.state === 'fault');
    assert.deepEqual(
      lateness.map(([name]) => name),
      ['edge'],
    );
    // It is killed and started again, as it shows no sign of life; until then it does not answer.
    process.kill(pid ?? assert.fail(), 'SIGSTOP');
    const silent = await vrrp.numbers();
    assert.deepEqual([silent.instances, silent.lateness], [[], []]);
    const again = await until('another one', ({ instances: [edge] }) => edge?.state === 'fault');
    assert.ok(again.restarts >= 1 && again.pid !== pid);
    assert.ok((again.transitions.find(([name, to]) => name === 'edge' && to === 'fault')?.[2] ?? 0) >= 2);
  } finally {
    await vrrp.stop();
  }
});
