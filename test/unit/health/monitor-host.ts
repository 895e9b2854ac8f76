// SPDX-License-Identifier: MIT
/** A process with a monitor, which a test ends. */
import { SILENT_LOG } from '../../../src/base/log.ts';
import { HealthMonitor } from '../../../src/health/monitor.ts';
import { EXEC, target } from '../../support/probes.ts';

const monitor = new HealthMonitor({ concurrency: 10, log: SILENT_LOG });
monitor.configure(
  [target({ ...EXEC, command: ['/bin/sleep', '60'], interval: 60_000, timeout: 60_000 }, 1)].map((one) => ({
    ...one,
    check: { ...one.check, interval: 100 },
  })),
);
await monitor.states();
process.stdout.write('ready\n');
