// SPDX-License-Identifier: MIT
/**
 * /proc/net/ip_vs: the destinations of all services in one text. Over netlink they take a request per service, and ten
 * thousand requests take longer than all the rest of a listing. The file shows the columns of the default layout only.
 *
 *     TCP  C0000201:0050 wrr
 *       -> AC100002:1F90      Masq    1      2          3
 */
import { readFileSync } from 'node:fs';
import { AF_INET, AF_INET6, parseIpv6 } from '../../base/addresses.ts';
import { MalformedError } from '../../base/errors.ts';
import {
  addedDestination,
  type Destination,
  defaultDestination,
  FORWARDING,
  namesByNumber,
  numbersByName,
  PROTOCOLS,
  type Service,
} from '../../ipvs/index.ts';

const PATH = '/proc/net/ip_vs';
const TITLE_LINES = 3;
const ROW = '  -> ';

const protocols = namesByNumber(PROTOCOLS, 'kernel');
const methods = numbersByName(FORWARDING, 'ipvsadm');

export class ProcTable {
  readonly #lines: readonly string[];
  /** For each service, the index of the line below it. */
  readonly #starts: ReadonlyMap<Service, number>;

  private constructor(lines: readonly string[], starts: ReadonlyMap<Service, number>) {
    this.#lines = lines;
    this.#starts = starts;
  }

  /** Reads the file. Undefined if it cannot be read, or does not list exactly these services, in this order. */
  static read(services: readonly Service[]): ProcTable | undefined {
    try {
      return ProcTable.parse(readFileSync(PATH, 'latin1'), services);
    } catch {
      return undefined;
    }
  }

  static parse(text: string, services: readonly Service[]): ProcTable | undefined {
    const lines = text.split('\n');
    const starts = new Map<Service, number>();
    let next = 0;
    for (let index = TITLE_LINES; index < lines.length - 1; index++) {
      const line = lines[index] as string;
      if (line.startsWith(ROW) && next > 0) continue;
      const service = services[next++];
      if (!service || !line.startsWith(`${serviceName(service)} `)) return undefined;
      starts.set(service, index + 1);
    }
    return next === services.length ? new ProcTable(lines, starts) : undefined;
  }

  /** In the kernel's order. Throws MalformedError. */
  destinations(service: Service): Destination[] {
    const destinations: Destination[] = [];
    for (let index = this.#starts.get(service) ?? 0; this.#lines[index]?.startsWith(ROW); index++)
      destinations.push(parseRow(this.#lines[index] as string));
    return destinations;
  }
}

/** As the file names a service. */
function serviceName({ family, protocol, address, port, fwmark }: Service): string {
  if (fwmark) return `FWM  ${hex(fwmark, 8)}`;
  const digits = Buffer.from(address).toString('hex');
  const host = family === AF_INET6 ? `[${digits.replace(/(.{4})(?!$)/g, '$1:')}]` : digits.toUpperCase();
  return `${protocols[protocol] ?? protocol}  ${host}:${hex(port, 4)}`;
}

const hex = (value: number, digits: number): string => value.toString(16).toUpperCase().padStart(digits, '0');

const FIELDS = /^ {2}-> (?:([0-9A-F]{8})|\[([0-9a-f:]{39})\]):([0-9A-F]{4}) +(\w+) +(\d+) +(\d+) +(\d+) *$/;

function parseRow(line: string): Destination {
  const [, ipv4, ipv6 = '', port = '', label = '', weight, active, inactive] = FIELDS.exec(line) ?? [];
  const method = methods[label as keyof typeof methods];
  const address = ipv4 === undefined ? parseIpv6(ipv6) : ipv4Bytes(Number.parseInt(ipv4, 16));
  if (!address || method === undefined) throw new MalformedError(`${PATH}: ${line}`);
  const key = { family: ipv4 === undefined ? AF_INET6 : AF_INET, address, port: Number.parseInt(port, 16) } as const;
  const destination = addedDestination(defaultDestination(key));
  destination.method = method;
  destination.weight = Number(weight);
  destination.activeConnections = Number(active);
  destination.inactiveConnections = Number(inactive);
  return destination;
}

function ipv4Bytes(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  for (let i = 0; i < 4; i++) bytes[i] = value >>> (24 - 8 * i);
  return bytes;
}
