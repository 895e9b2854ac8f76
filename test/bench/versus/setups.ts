// SPDX-License-Identifier: MIT
// One set of services as lvsd's YAML and as keepalived's file, equivalent as far as the two models allow.

export interface TcpCheck {
  type: 'tcp';
}

export interface HttpCheck {
  type: 'http' | 'https';
  path: string;
  /** Path of a PEM file; keepalived does not verify certificates. */
  ca?: string;
  host?: string;
}

/** Times of every check, in seconds. `failures` in a row take a server down, one success brings it up. */
export interface Pace {
  interval: number;
  timeout: number;
  failures: number;
}

export interface SetupService {
  name: string;
  address: string;
  port: number;
  check: TcpCheck | HttpCheck | undefined;
  /** Instead of that of all. */
  pace?: Pace;
  servers: readonly { address: string; port: number; weight: number }[];
}

export interface Setup {
  pace: Pace;
  services: readonly SetupService[];
}

export function lvsdFile({ pace, services }: Setup): string {
  const checkOf = ({ check, pace: own }: SetupService) => {
    if (!check) return 'none';
    const { interval, timeout, failures } = own ?? pace;
    const common = `interval: ${interval * 1000}ms, timeout: ${timeout * 1000}ms, rise: 1, fall: ${failures}`;
    if (check.type === 'tcp') return `{ type: tcp, ${common} }`;
    const host = check.host === undefined ? '' : `, host: ${check.host}`;
    const tls = check.ca === undefined ? '' : `, tls: { ca: ${check.ca} }`;
    return `{ type: ${check.type}, path: ${check.path}${host}${tls}, ${common} }`;
  };
  const lines = ['version: 1', 'defaults: { scheduler: wrr, forward: masquerade }', 'services:'];
  for (const service of services) {
    lines.push(
      `  ${service.name}:`,
      `    address: ${service.address}`,
      `    port: ${service.port}`,
      `    check: ${checkOf(service)}`,
      '    real_servers:',
      ...service.servers.map(
        ({ address, port, weight }) => `      - { address: ${address}, port: ${port}, weight: ${weight} }`,
      ),
    );
  }
  return `${lines.join('\n')}\n`;
}

export function keepalivedFile({ pace, services }: Setup): string {
  const checkOf = ({ check, pace: own }: SetupService) => {
    if (!check) return [];
    const { interval, timeout, failures } = own ?? pace;
    const common = [
      `connect_timeout ${timeout}`,
      `retry ${failures - 1}`,
      `delay_before_retry ${interval}`,
      `delay_loop ${interval}`,
      `warmup ${interval}`,
    ];
    if (check.type === 'tcp') return ['TCP_CHECK {', ...common, '}'];
    const host = check.host === undefined ? [] : [`virtualhost ${check.host}`];
    const url = ['url {', `path ${check.path}`, 'status_code 200-299', '}'];
    return [check.type === 'http' ? 'HTTP_GET {' : 'SSL_GET {', ...host, ...url, ...common, '}'];
  };
  const lines = ['global_defs {', 'router_id bench', '}'];
  for (const service of services) {
    lines.push(
      `virtual_server ${service.address} ${service.port} {`,
      'protocol TCP',
      'lvs_sched wrr',
      'lvs_method NAT',
    );
    for (const { address, port, weight } of service.servers)
      lines.push(`real_server ${address} ${port} {`, `weight ${weight}`, ...checkOf(service), '}');
    lines.push('}');
  }
  return `${lines.join('\n')}\n`;
}
