// SPDX-License-Identifier: MIT
/** `web`, `metrics` and `events`: how lvsd is observed. */
import { Type } from '@sinclair/typebox';
import { choice, count, duration } from '../../base/schema-words.ts';
import { DEFAULT_WEB, WEB_PARTS } from '../../base/web-settings.ts';
import { DEFAULTS } from '../limits.ts';

const listen = Type.String({ minLength: 1, maxLength: 200, title: 'ADDRESS:PORT, unix:PATH or systemd' });
const file = (description: string, examples: string[]) =>
  Type.String({ title: 'the absolute path of a file', pattern: '^/', description, examples });

export const webSchema = Type.Object(
  {
    listen: Type.Optional(
      Type.Union([listen, Type.Array(listen, { minItems: 1, maxItems: 16, title: 'a list of addresses' })], {
        title: 'ADDRESS:PORT, unix:PATH, systemd, or a list of them',
        description:
          'Where it listens. Other addresses than those of loopback need `tls` and `users`. `systemd`: on the socket that the service manager passes.',
        default: DEFAULT_WEB.listen[0],
        examples: ['[::1]:5873', ['unix:/run/lvsd-web/web.sock', '10.31.0.5:5873']],
      }),
    ),
    serve: Type.Optional(
      Type.Array(choice(WEB_PARTS, { description: 'One part.' }), {
        minItems: 1,
        maxItems: WEB_PARTS.length,
        title: 'a list of metrics, events and page',
        description: 'What it serves: /metrics, /events, the page.',
        default: [...WEB_PARTS],
        examples: [['metrics']],
      }),
    ),
    hosts: Type.Optional(
      Type.Array(Type.String({ pattern: '^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$', title: 'a host name' }), {
        maxItems: 100,
        title: 'a list of host names',
        description:
          'Names by which it may be asked, besides its address, localhost and the addresses of loopback; requests with another `Host` are refused.',
        default: [],
        examples: [['lb1.example.net']],
      }),
    ),
    tls: Type.Optional(
      Type.Object(
        {
          certificate: file('Certificate, followed by those of the authorities between, as PEM.', [
            '/etc/lvsd/web.crt',
          ]),
          key: file('Its private key, as PEM, that group and others cannot read.', ['/etc/lvsd/web.key']),
          client_ca: Type.Optional(
            file('Authorities of the certificates that clients must have. Then `users` are not needed.', [
              '/etc/lvsd/clients.pem',
            ]),
          ),
        },
        {
          additionalProperties: false,
          title: 'a map with certificate and key',
          description: 'TLS 1.2 and 1.3 on every TCP address. Files are read again when they change.',
          examples: [{ certificate: '/etc/lvsd/web.crt', key: '/etc/lvsd/web.key' }],
        },
      ),
    ),
    users: Type.Optional(
      file(
        'File with a line of `lvsd password` for each user (HTTP Basic), that group and others cannot read. It applies to every TCP address.',
        ['/etc/lvsd/web.users'],
      ),
    ),
    insecure: Type.Optional(
      Type.Boolean({
        description: 'Other addresses than those of loopback may be served without TLS and users: in a closed network.',
        default: DEFAULT_WEB.insecure,
        examples: [true],
      }),
    ),
  },
  {
    additionalProperties: false,
    description:
      'Where `lvsd web`, a process and unit of its own, serves metrics, events and a page: see docs/web.md. It follows reloads.',
    default: {},
    examples: [{ listen: '10.31.0.5:5873', hosts: ['lb1.example.net'], users: '/etc/lvsd/web.users' }],
  },
);

export const metricsSchema = Type.Object(
  {
    detail: Type.Optional(
      choice(['summary', 'services', 'real_servers', 'full'], {
        description: 'How much is written, unless a request says otherwise: see docs/metrics.md.',
        default: DEFAULTS.metricsDetail,
        examples: ['services'],
      }),
    ),
    max_series: Type.Optional(
      count(1, 10_000_000, {
        description: 'With more series the next lower detail is written.',
        default: DEFAULTS.maxSeries,
        examples: [100_000],
      }),
    ),
    min_interval: Type.Optional(
      duration({
        description: 'The kernel’s counters are read no more often than this. 1s to 10m.',
        default: '5s',
        examples: ['15s'],
      }),
    ),
  },
  {
    additionalProperties: false,
    description: 'Metrics.',
    default: {},
    examples: [{ detail: 'full' }],
  },
);

export const eventsSchema = Type.Object(
  {
    keep: Type.Optional(
      Type.String({
        pattern: '^[0-9]{1,6}(KiB|MiB|GiB)$',
        title: 'a size with its unit, such as 8MiB',
        description:
          'Size of the stored events, of which the oldest are dropped. 64KiB to 4GiB. After a restart of lvsd.',
        default: '32MiB',
        examples: ['8MiB'],
      }),
    ),
    directory: Type.Optional(
      Type.String({
        title: 'the absolute path of a folder',
        pattern: '^/',
        description: 'Folder of the stored events; default: /var/lib/lvsd/events. After a restart of lvsd.',
        examples: ['/var/lib/lvsd/events'],
      }),
    ),
  },
  {
    additionalProperties: false,
    description: 'Stored events.',
    default: {},
    examples: [{ keep: '8MiB' }],
  },
);
