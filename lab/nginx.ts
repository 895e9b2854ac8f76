// SPDX-License-Identifier: MIT
import { existsSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Namespace } from './namespace.ts';

export interface Nginx {
  /** Folder of the files that it serves below `/`. */
  root: string;
  /** The access log's lines so far: ADDRESS PORT REQUEST STATUS BYTES. */
  log: () => { address: string; port: number; request: string; status: number; bytes: number }[];
  clearLog: () => void;
  stop: () => void;
}

/**
 * Starts Debian's nginx, unmodified, in a namespace; it listens when this returns. `/` answers with the text `hello`
 * (default: the namespace's name and a newline); files of `root` are served below /. `server` are further directives of
 * its server block.
 */
export function startNginx(
  where: Namespace,
  options: { listen?: string[]; hello?: string; server?: string } = {},
): Nginx {
  const dir = `/run/nginx-${where.name}`;
  const root = join(dir, 'www');
  const pid = join(dir, 'pid');
  const access = join(dir, 'access.log');
  mkdirSync(root, { recursive: true });
  writeFileSync(join(root, 'index.html'), options.hello ?? `${where.name}\n`);
  const listens = (options.listen ?? ['80', '[::]:80']).map((at) => `listen ${at} backlog=4096;`).join(' ');
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${dir}/${name};`,
  );
  writeFileSync(
    join(dir, 'nginx.conf'),
    `user root; worker_processes 1; worker_rlimit_nofile 65536; pid ${pid}; error_log ${dir}/error.log warn;
events { worker_connections 32768; }
http {
  log_format lab '$remote_addr $remote_port $status $body_bytes_sent $request';
  access_log ${access} lab;
  ${temporary.join(' ')}
  default_type text/plain; sendfile on; tcp_nopush on; keepalive_timeout 65s; keepalive_requests 100000;
  server { ${listens} root ${root}; ${options.server ?? ''} }
}
`,
  );
  where.run(['nginx', '-c', join(dir, 'nginx.conf'), '-p', dir]);
  return {
    root,
    log: () =>
      readFileSync(access, 'utf8')
        .split('\n')
        .filter(Boolean)
        .map((line) => {
          const [address = '', port, status, bytes, ...request] = line.split(' ');
          return {
            address,
            port: Number(port),
            status: Number(status),
            bytes: Number(bytes),
            request: request.join(' '),
          };
        }),
    clearLog: () => truncateSync(access),
    stop: () => {
      if (existsSync(pid)) process.kill(Number(readFileSync(pid, 'utf8')), 'SIGTERM');
    },
  };
}
