// SPDX-License-Identifier: MIT
/** The daemon's sockets to the kernel. */
import { Ipvs } from '../../ipvs/index.ts';
import { Addresses } from '../../net/index.ts';

export interface Kernel {
  ipvs: Ipvs;
  /** The same over sockets of its own: looks at the whole table, which may take seconds, and holds nobody up. */
  lookout: Ipvs;
  addresses: Addresses;
  close(): void;
}

export function openKernel(): Kernel {
  const ipvs = new Ipvs();
  const lookout = new Ipvs();
  const addresses = new Addresses();
  return {
    ipvs,
    lookout,
    addresses,
    close: () => {
      ipvs.close();
      lookout.close();
      addresses.close();
    },
  };
}
