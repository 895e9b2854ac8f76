// SPDX-License-Identifier: MIT
/** `lvsadm save --full`: the complete table as rules, for `lvsadm restore` and `lvsadm diff`. Always numeric. */
import { formatAddress } from '../../base/addresses.ts';
import type { ActualService } from '../../plan/index.ts';
import type { Output } from '../output.ts';
import { destinationRule, localAddressRule, serviceRule, thresholdOptions } from '../print/save.ts';
import { readTable } from '../print/table.ts';
import type { Connected } from '../session.ts';
import { daemonOptions } from './state.ts';
import { daemonName } from './table.ts';

/** Prints timeouts, daemons, services, local addresses and real servers. Throws NetlinkError. */
export async function saveFull({ ipvs, info }: Connected, output: Output): Promise<void> {
  const { tcp, tcpFin, udp } = await ipvs.timeouts();
  const daemons = new Map((await ipvs.daemons()).map((daemon) => [daemonName(daemon), daemon]));
  output.out('# The IPVS configuration of this network namespace, by lvsadm save --full.\n');
  output.out('# Compare with: lvsadm diff FILE. Restore with: lvsadm restore --atomic FILE.\n');
  output.out(`--set ${tcp} ${tcpFin} ${udp}\n`);
  for (const name of ['master', 'backup'] as const) {
    const daemon = daemons.get(name);
    output.out(daemon ? `--start-daemon ${name} ${daemonOptions(daemon)}\n` : `--stop-daemon ${name}\n`);
  }
  const fullnat = info.features.has('FULLNAT');
  for await (const page of readTable(ipvs, { stats: false, sort: true }))
    for (const { service, destinations } of page) {
      const pool = fullnat && service.numLocalAddresses ? await ipvs.localAddresses(service) : [];
      output.out(fullRules({ service, destinations, localAddresses: pool }));
    }
}

/** The rules of one service. */
export function fullRules({ service, destinations, localAddresses }: ActualService): string {
  const { portMin, portMax } = service;
  const ports = portMin || portMax ? ` --local-ports ${portMin ?? 0}-${portMax ?? 0}` : '';
  return [
    `${serviceRule(service, undefined).trimEnd()}${ports}\n`,
    ...localAddresses.map((one) =>
      one.draining
        ? `# ${formatAddress(one.family, one.address)} is draining and not saved\n`
        : localAddressRule(service, one, undefined),
    ),
    ...destinations.map((dest) => `${destinationRule(service, dest, undefined).trimEnd()}${thresholdOptions(dest)}\n`),
  ].join('');
}
