// SPDX-License-Identifier: MIT
/** `lvsadm save --full`: rules that lose nothing, for `lvsadm restore` and `lvsadm diff`. Always in numbers. */
import { formatAddress } from '../../base/addresses.ts';
import type { Destination } from '../../ipvs/index.ts';
import type { ActualService } from '../../plan/index.ts';
import { readTable } from '../listing.ts';
import type { Output } from '../output.ts';
import { destinationRule, localAddressRule, serviceRule } from '../save.ts';
import type { Connected } from '../session.ts';
import { daemonOptions } from './state.ts';
import { daemonName } from './table.ts';

export async function saveFull({ ipvs, info }: Connected, output: Output): Promise<void> {
  const { tcp, tcpFin, udp } = await ipvs.timeouts();
  const daemons = new Map((await ipvs.daemons()).map((daemon) => [daemonName(daemon), daemon]));
  output.out('# Everything of IPVS in this network namespace, by lvsadm save --full.\n');
  output.out('# lvsadm diff FILE compares, lvsadm restore --atomic FILE restores.\n');
  output.out(`--set ${tcp} ${tcpFin} ${udp}\n`);
  for (const name of ['master', 'backup'] as const) {
    const daemon = daemons.get(name);
    output.out(daemon ? `--start-daemon ${name} ${daemonOptions(daemon)}\n` : `--stop-daemon ${name}\n`);
  }
  const fullnat = info.features.has('FULLNAT');
  for await (const { service, destinations } of readTable(ipvs, { stats: false, sort: true })) {
    const pool = fullnat && service.numLocalAddresses ? await ipvs.localAddresses(service) : [];
    output.out(fullRules({ service, destinations, localAddresses: pool }));
  }
}

/** One service with all that belongs to it. */
export function fullRules({ service, destinations, localAddresses }: ActualService): string {
  const { portMin, portMax } = service;
  const ports = portMin || portMax ? ` --local-ports ${portMin ?? 0}-${portMax ?? 0}` : '';
  return [
    `${serviceRule(service, undefined).trimEnd()}${ports}\n`,
    ...localAddresses.map((one) =>
      one.draining
        ? `# ${formatAddress(one.family, one.address)} drains and is not kept\n`
        : localAddressRule(service, one, undefined),
    ),
    ...destinations.map((dest) => `${destinationRule(service, dest, undefined).trimEnd()}${thresholds(dest)}\n`),
  ].join('');
}

function thresholds({ upperThreshold, lowerThreshold }: Destination): string {
  return `${upperThreshold ? ` -x ${upperThreshold}` : ''}${lowerThreshold ? ` -y ${lowerThreshold}` : ''}`;
}
