// SPDX-License-Identifier: MIT
/**
 * The configuration file: the one source of its types (`Static`), of the JSON Schema that editors use, of the compiled
 * validator and of the reference in docs/configuration.md. Used at build time only, because of TypeBox: programs
 * import only types from here.
 */
import { type Static, Type } from '@sinclair/typebox';
import { choice, count, duration } from '../base/schema-words.ts';
import { DEFAULTS } from './limits.ts';
import { device, follow, NAME, NAME_WORDS } from './schema/common.ts';
import type { hooksSchema } from './schema/hooks.ts';
import {
  type checkSchema,
  type forwardSchema,
  type realServerSchema,
  type sorrySchema,
  weightSchema,
} from './schema/servers.ts';
import { inherited, poolSchema, serviceSchema } from './schema/service.ts';
import { vrrpGroupSchema, vrrpSchema } from './schema/vrrp.ts';
import { eventsSchema, metricsSchema, webSchema } from './schema/web.ts';
import { LOG_AREAS } from './types.ts';

const LOG_LEVELS = ['error', 'warn', 'info', 'debug'] as const;

/** Keys that included files and `nodes` may have as well. */
const shared = {
  local_addresses: Type.Record(Type.String({ pattern: NAME }), poolSchema, {
    additionalProperties: false,
    'x-name': NAME_WORDS,
    title: 'a map of pools by name',
    description: 'Pools of local addresses, by name.',
    default: {},
    examples: [{ inner: { device: 'eth1', addresses: ['10.31.3.101-10.31.3.116'] } }],
  }),
  services: Type.Record(Type.String({ pattern: NAME }), serviceSchema, {
    additionalProperties: false,
    'x-name': NAME_WORDS,
    title: 'a map of services by name',
    description: 'Virtual services, by name; the name is the identity that logs, lvsctl and overrides use.',
    examples: [{ shop: { address: '203.0.113.10', port: 443, real_servers: ['10.31.4.3:8443'] } }],
  }),
};

const settings = {
  manage: choice(['named', 'all'], {
    description:
      '`named`: lvsd changes only services that are in the file or that it has added. `all`: lvsd owns the whole IPVS table and removes from it what is not in the file.',
    default: DEFAULTS.manage,
    examples: ['all'],
  }),
  on_stop: choice(['keep', 'remove'], {
    description:
      'Services and addresses of lvsd when it stops. `keep`: they stay, and traffic continues. `remove`: they are removed.',
    default: DEFAULTS.onStop,
    examples: ['remove'],
  }),
  defaults: Type.Object(
    { ...Type.Partial(Type.Object(inherited)).properties, weight: Type.Optional(weightSchema) },
    {
      additionalProperties: false,
      description: 'Default values for the keys of services.',
      default: {},
      examples: [{ scheduler: 'wrr', check: { type: 'tcp' } }],
    },
  ),
  timeouts: Type.Object(
    {
      tcp: Type.Optional(duration({ description: 'Of established TCP connections.', examples: ['15m'] })),
      tcp_fin: Type.Optional(duration({ description: 'Of TCP connections after a FIN.', examples: ['2m'] })),
      udp: Type.Optional(duration({ description: 'Of UDP flows.', examples: ['5m'] })),
    },
    {
      additionalProperties: false,
      description:
        'The kernel’s timeouts for all services, in whole seconds. lvsd does not change one that is not in the file.',
      default: {},
      examples: [{ tcp: '15m', tcp_fin: '2m', udp: '5m' }],
    },
  ),
  log: Type.Object(
    {
      level: Type.Optional(
        choice(LOG_LEVELS, {
          description: 'Messages of this level and of more severe ones are logged.',
          default: DEFAULTS.logLevel,
          examples: ['warn'],
        }),
      ),
      format: Type.Optional(
        choice(['text', 'json'], {
          description: 'Form of the lines.',
          default: DEFAULTS.logFormat,
          examples: ['json'],
        }),
      ),
      levels: Type.Optional(
        Type.Object(
          Type.Partial(
            Type.Object(
              Object.fromEntries(
                LOG_AREAS.map((area) => [
                  area,
                  choice(LOG_LEVELS, { description: `Level of the area “${area}”.`, examples: ['debug'] }),
                ]),
              ) as Record<(typeof LOG_AREAS)[number], ReturnType<typeof choice<typeof LOG_LEVELS>>>,
            ),
          ).properties,
          {
            additionalProperties: false,
            description: 'Levels of single areas, instead of `level`.',
            default: {},
            examples: [{ health: 'debug' }],
          },
        ),
      ),
    },
    {
      additionalProperties: false,
      description: 'Logging.',
      default: {},
      examples: [{ level: 'warn', format: 'json' }],
    },
  ),
  checks: Type.Object(
    {
      concurrency: Type.Optional(
        count(1, 65536, {
          description:
            'Maximum of simultaneous probes, within the limit of open files. Further probes wait, those of unresponsive servers longest.',
          default: DEFAULTS.checkConcurrency,
          examples: [2000],
        }),
      ),
    },
    {
      additionalProperties: false,
      description: 'Settings of all checks together.',
      default: {},
      examples: [{ concurrency: 2000 }],
    },
  ),
  vrrp: Type.Record(Type.String({ pattern: NAME }), vrrpSchema, {
    additionalProperties: false,
    'x-name': NAME_WORDS,
    title: 'a map of virtual routers by name',
    description: 'Virtual routers (VRRP), by name: see docs/vrrp.md.',
    default: {},
    examples: [{ edge: { interface: 'eth0', virtual_router_id: 51, addresses: ['10.99.0.10/24'] } }],
  }),
  vrrp_groups: Type.Record(Type.String({ pattern: NAME }), vrrpGroupSchema, {
    additionalProperties: false,
    'x-name': NAME_WORDS,
    title: 'a map of groups by name',
    description: 'Groups of virtual routers that move together, by name: see docs/vrrp.md.',
    default: {},
    examples: [{ pair: { instances: ['edge', 'inside'] } }],
  }),
  connection_sync: Type.Object(
    {
      device: device('Device that the messages are sent and received on, by multicast.'),
      id: Type.Optional(
        count(0, 255, {
          description: 'Number of the group of nodes; messages with another one are ignored.',
          default: DEFAULTS.syncId,
          examples: [51],
        }),
      ),
      follow: Type.Optional(
        follow(
          'Virtual router whose master sends its connections. Without this key this node always sends them, for nodes that all serve at the same time.',
        ),
      ),
    },
    {
      additionalProperties: false,
      title: 'a map with device',
      description:
        'Connection synchronization by the kernel: this node receives the connections of the other nodes, so that they go on after a takeover. Without this key lvsd leaves the kernel’s sync daemons alone.',
      examples: [{ device: 'eth1', id: 51, follow: 'edge' }],
    },
  ),
  syn_proxy_secret: Type.String({
    title: 'the absolute path of a file',
    pattern: '^/',
    description:
      'File with the secret of SYN cookies, 16 bytes or 32 hexadecimal digits, that only lvsd’s user can read. Balancers that serve one address need the same. Without this key each uses a random one.',
    examples: ['/etc/lvsd/cookies.secret'],
  }),
  web: webSchema,
  metrics: metricsSchema,
  events: eventsSchema,
  resync: duration({
    description:
      'Interval at which the kernel’s table is read and compared with the file, in addition to every change. 1s to 1d.',
    default: '30s',
    examples: ['10s'],
  }),
};

const rest = { ...Type.Partial(Type.Object(settings)).properties, ...Type.Partial(Type.Object(shared)).properties };

/** The same schema without required keys, for the overlays in `nodes`. */
function lax(schema: unknown, key = ''): unknown {
  if (key === 'examples' || key === 'default') return schema;
  if (key === 'x-part') return `${schema}Overlay`;
  if (Array.isArray(schema)) return schema.map((item) => lax(item));
  if (typeof schema !== 'object' || schema === null) return schema;
  const entries = Object.entries(schema).filter(([name]) => name !== 'required');
  return Object.fromEntries(entries.map(([name, value]) => [name, lax(value, name)]));
}

const overlaySchema = Type.Unsafe<Record<string, unknown>>(
  lax(
    Type.Object(rest, {
      additionalProperties: false,
      title: 'a map with keys of the top level',
    }),
  ) as object,
);

export const configSchema = Type.Object(
  {
    version: Type.Literal(1, {
      title: '1',
      description: 'Version of this format.',
      examples: [1],
    }),
    include: Type.Optional(
      Type.Array(Type.String({ minLength: 1, maxLength: 4096, title: 'a path or a pattern with * and ?' }), {
        maxItems: 1000,
        title: 'a list of paths and patterns',
        description:
          'More files, relative to this one; `*`, `?` and `[abc]` stand for parts of a file or folder name. They may contain `services`, `local_addresses`, `nodes` and `include`.',
        default: [],
        examples: [['conf.d/*.yaml']],
      }),
    ),
    ...rest,
    nodes: Type.Optional(
      Type.Record(Type.String({ pattern: '^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$' }), overlaySchema, {
        additionalProperties: false,
        'x-name': 'a host name',
        title: 'a map by host name',
        description:
          'Settings of single nodes, by host name, that replace those of the rest of the file on that node. Maps are merged key by key, all other values (lists too) are replaced. The name is compared with the whole host name, then with its part before the first dot.',
        default: {},
        examples: [{ lb1: { local_addresses: { inner: { addresses: ['10.31.3.101-10.31.3.108'] } } } }],
      }),
    ),
  },
  {
    $id: 'lvsd.schema.json',
    additionalProperties: false,
    title: 'the configuration of lvsd',
    description:
      'The configuration file of lvsd. Keys of the top level that begin with `x-` are ignored: they are a place for YAML anchors.',
    // Removed before the validation; this is for editors.
    patternProperties: { '^x-': {} },
  },
);

export type RawConfig = Static<typeof configSchema>;
export type RawDefaults = NonNullable<RawConfig['defaults']>;
export type RawService = Static<typeof serviceSchema>;
export type RawRealServer = Static<typeof realServerSchema>;
export type RawSorry = Static<typeof sorrySchema>;
export type RawPool = Static<typeof poolSchema>;
export type RawForward = Static<typeof forwardSchema>;
export type RawVrrp = Static<typeof vrrpSchema>;
export type RawVrrpGroup = Static<typeof vrrpGroupSchema>;
export type RawHooks = Static<typeof hooksSchema>;
export type RawCheck = Static<typeof checkSchema>;
