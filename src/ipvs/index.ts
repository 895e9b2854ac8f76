// SPDX-License-Identifier: MIT
/** The kernel's IPVS table: its types, and the client that reads and changes it. */
export type { BulkService } from './bulk-add.ts';
export type { BulkWriter } from './bulk-writer.ts';
export { Ipvs, lacksFeature, type ReadOptions } from './client.ts';
export * from './constants.ts';
export { bytesText, compareDestinations, compareServices, serviceKeyText } from './keys.ts';
export {
  FORWARDING,
  namesByNumber,
  numbersByName,
  PROTOCOLS,
  TUNNEL_CHECKSUMS,
  TUNNELS,
  tunnelChecksum,
} from './names.ts';
export {
  addedDestination,
  addedService,
  canonicalDefence,
  canonicalDestination,
  canonicalService,
  completeSynProxy,
  defaultDestination,
  defaultService,
  isDefended,
  NO_DEFENCE,
  SERVICE_FLAGS,
} from './shapes.ts';
export { destinationKey, STATISTICS, type Statistic, StatisticsTable } from './statistics.ts';
export * from './types.ts';
