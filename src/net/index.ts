// SPDX-License-Identifier: MIT
/** Addresses and links of the machine. */
export { Addresses, type DeviceAddress, type WantedAddress, type Watch } from './addresses.ts';
export { IFAPROT_LVSD, type Purpose } from './rtnetlink.ts';
