// SPDX-License-Identifier: MIT
/** The daemon's sockets to the kernel. */
import { Ipvs } from '../ipvs/index.ts';
import { Addresses } from '../net/index.ts';

export interface Kernel {
  ipvs: Ipvs;
  addresses: Addresses;
  close(): void;
}

export function openKernel(): Kernel {
  const ipvs = new Ipvs();
  const addresses = new Addresses();
  return {
    ipvs,
    addresses,
    close: () => {
      ipvs.close();
      addresses.close();
    },
  };
}
