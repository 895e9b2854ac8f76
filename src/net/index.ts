// SPDX-License-Identifier: MIT
/** Addresses and links of the machine. */
export { Addresses, type AddressesOptions, type DeviceAddress, type WantedAddress, type Watch } from './addresses.ts';
export { IFAPROT_LVSD, IFAPROT_VRRP, type Link, type Purpose, type Scope } from './rtnetlink.ts';
