// SPDX-License-Identifier: MIT
/** The daemon's sockets to the kernel. */
import { Ipvs } from '../../ipvs/index.ts';
import { Addresses } from '../../net/index.ts';
import { type Obstacle, obstacles } from '../../plan/index.ts';
import type { Desired } from '../../plan/types.ts';
import { absentSchedulers } from './schedulers.ts';

export interface Kernel {
  ipvs: Ipvs;
  /** The same on its own sockets: a read of the whole table may take seconds and must not delay changes. */
  reader: Ipvs;
  addresses: Addresses;
  close(): void;
}

/** Features, devices and schedulers that the desired state needs and this machine lacks. Throws NetlinkError. */
export async function findObstacles({ reader, addresses }: Kernel, desired: Desired): Promise<Obstacle[]> {
  const [features, devices] = await Promise.all([reader.features(), addresses.devices()]);
  const schedulers = absentSchedulers(desired.services.map(({ scheduler }) => scheduler));
  return obstacles(desired, { features, devices, absentSchedulers: schedulers });
}

/** Opens no socket yet: each is opened at its first use. */
export function openKernel(): Kernel {
  const ipvs = new Ipvs();
  const reader = new Ipvs();
  const addresses = new Addresses();
  return {
    ipvs,
    reader,
    addresses,
    close: () => {
      ipvs.close();
      reader.close();
      addresses.close();
    },
  };
}
