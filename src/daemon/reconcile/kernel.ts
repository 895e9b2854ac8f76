// SPDX-License-Identifier: MIT
/** The daemon's sockets to the kernel. */
import { Ipvs } from '../../ipvs/index.ts';
import { Addresses } from '../../net/index.ts';

export interface Kernel {
  ipvs: Ipvs;
  /** The same on its own sockets: a read of the whole table may take seconds and must not delay changes. */
  reader: Ipvs;
  addresses: Addresses;
  close(): void;
}

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
