// SPDX-License-Identifier: MIT
/**
 * The configuration file: the one source of its types (`Static`), of the JSON Schema that editors use, of the compiled
 * validator and of the reference in docs/configuration.md. Build time only, because of TypeBox: what runs imports types
 * from here and nothing else.
 */
import { type Static, Type } from '@sinclair/typebox';
import { address, choice, count, duration, port } from '../base/schema-words.ts';
import { execCheckKeys, execCheckSchema } from '../health/exec/schema.ts';
import { httpCheckKeys, httpCheckSchema, httpsCheckSchema, tlsKeys } from '../health/http/schema.ts';
import { tcpCheckSchema } from '../health/tcp/schema.ts';
import { DEFAULTS, ENGINES, SCHEDULER_FLAGS, SCHEDULERS } from './limits.ts';
import { LOG_AREAS } from './types.ts';

/*
 * Keywords of our own: `x-part` names what the build moves to `definitions`, `x-later` keys that later versions will
 * have, `x-name` says in words what a map's keys may be.
 */

/** By the map that they will stand in. */
const LATER = {
  root: ['vrrp', 'connection_sync'],
  service: ['syn_proxy'],
  pool: ['follow'],
};

const NAME = '^(?![0-9]+$)[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$';
const NAME_WORDS =
  'a name of letters, digits, dot, dash and underscore (at most 64, not digits alone, beginning with a letter, a digit or _)';
const LOG_LEVELS = ['error', 'warn', 'info', 'debug'] as const;

const device = (description: string) =>
  Type.String({
    title: 'the name of a network device (at most 15 characters, without blanks and slashes)',
    pattern: '^(?!\\.{1,2}$)[!-.0-9;-~]{1,15}$',
    description,
    examples: ['eth1'],
  });

const checkSchema = Type.Union(
  [
    Type.Literal('none'),
    tcpCheckSchema,
    httpCheckSchema,
    httpsCheckSchema,
    execCheckSchema,
    Type.Object(Type.Partial(Type.Object({ ...httpCheckKeys, ...tlsKeys, ...execCheckKeys })).properties, {
      additionalProperties: false,
      title: 'a check without `type`',
      description: 'Keys to lay over the check that is inherited; it gives the type.',
    }),
  ],
  {
    title: 'none, or a map with `type: tcp`, `http`, `https` or `exec`',
    description:
      'How real servers are checked; `none`: not at all, they always count as up. Laid over the check that is inherited, if that is close kin, else in its place: see “Checks”.',
    default: 'none',
    examples: [{ type: 'http', path: '/healthz' }],
    'x-part': 'check',
  },
);

const forwardSchema = Type.Union(
  [
    choice(['masquerade', 'nat', 'direct', 'tunnel', 'fullnat'], { description: 'The method alone.' }),
    Type.Object(
      {
        method: Type.Literal('tunnel', { description: 'The method that has options.', examples: ['tunnel'] }),
        type: Type.Optional(
          choice(['ipip', 'gue', 'gre'], {
            description: 'What packets are wrapped in.',
            default: DEFAULTS.tunnelType,
            examples: ['gue'],
          }),
        ),
        port: Type.Optional(
          port({ description: 'UDP port on the real server; `gue` only, and needed there.', examples: [5555] }),
        ),
        checksum: Type.Optional(
          choice(['none', 'checksum', 'remote'], {
            description: 'Checksum of the outer header: `gre` knows `checksum`, `gue` also `remote`.',
            default: DEFAULTS.tunnelChecksum,
            examples: ['checksum'],
          }),
        ),
      },
      { additionalProperties: false, description: 'A tunnel with its options.' },
    ),
    Type.Object(
      {
        method: choice(['masquerade', 'nat', 'direct', 'fullnat'], {
          description: 'A method that has none.',
          examples: ['direct'],
        }),
      },
      { additionalProperties: false, description: 'The same, as a map.' },
    ),
  ],
  {
    title: 'masquerade (or nat), direct, tunnel, fullnat, or a map with `method`',
    description:
      'How packets reach the real server. `masquerade` (or `nat`): its address is written in, and it answers through the balancer. `direct`: by its MAC address, it answers by itself. `tunnel`: wrapped. `fullnat`: both addresses are written, so that it may be anywhere; needs `local_addresses` and lvsd’s kernel modules.',
    default: DEFAULTS.forward,
    examples: ['fullnat', { method: 'tunnel', type: 'gue', port: 5555 }],
    'x-part': 'forward',
  },
);

const ENDPOINT_WORDS = 'ADDRESS, ADDRESS:PORT or "[IPV6]:PORT"';

const endpointText = Type.String({ title: ENDPOINT_WORDS, examples: ['10.31.4.3:8443'] });

const thresholdsSchema = Type.Object(
  {
    upper: Type.Optional(
      count(0, 0xffffffff, {
        description: 'No new connection from this many on; 0: no limit.',
        default: 0,
        examples: [1000],
      }),
    ),
    lower: Type.Optional(
      count(0, 0xffffffff, {
        description: 'New ones again below this many; 0: three quarters of `upper`.',
        default: 0,
        examples: [800],
      }),
    ),
  },
  {
    additionalProperties: false,
    description: 'Limits on its connections, active and inactive.',
    examples: [{ upper: 1000, lower: 800 }],
  },
);

const weightSchema = count(0, 65535, {
  description: 'Share of new connections, for schedulers that look at it; 0: none.',
  default: DEFAULTS.weight,
  examples: [2],
});

const realServerSchema = Type.Union(
  [
    endpointText,
    Type.Object(
      {
        address: address({ description: 'Its address.', examples: ['10.31.4.2', '2001:db8:4::2'] }),
        port: Type.Optional(
          port({
            description: 'Its port, where that is not the service’s. `masquerade` and `fullnat` only.',
            examples: [8443],
          }),
        ),
        weight: Type.Optional(weightSchema),
        name: Type.Optional(
          Type.String({
            title: NAME_WORDS,
            pattern: NAME,
            description: 'What lvsctl and logs call it. Without this key: ADDRESS:PORT.',
            examples: ['web1'],
          }),
        ),
        forward: Type.Optional(forwardSchema),
        thresholds: Type.Optional(thresholdsSchema),
        check: Type.Optional(checkSchema),
      },
      { additionalProperties: false, description: 'A real server with its own settings.' },
    ),
  ],
  { title: `${ENDPOINT_WORDS}, or a map with \`address\``, 'x-part': 'realServer' },
);

const sorrySchema = Type.Union(
  [
    endpointText,
    Type.Object(
      {
        address: address({ description: 'Its address.', examples: ['10.31.9.9'] }),
        port: Type.Optional(port({ description: 'Its port, where that is not the service’s.', examples: [8443] })),
        forward: Type.Optional(forwardSchema),
      },
      { additionalProperties: false },
    ),
  ],
  {
    title: `${ENDPOINT_WORDS}, or a map with \`address\``,
    description: 'Serves while the quorum is lost, in place of the real servers. It is not checked.',
    examples: ['10.31.9.9:8443'],
    'x-part': 'sorryServer',
  },
);

const protocol = choice(['tcp', 'udp'], { description: 'One protocol.' });

/** Keys that `defaults` and a service both have. */
const inherited = {
  protocol: Type.Union([protocol, Type.Array(protocol, { minItems: 1, maxItems: 2, title: 'a list of tcp and udp' })], {
    title: 'tcp, udp or [tcp, udp]',
    description: 'Each protocol of a list is a service of its own to the kernel.',
    default: DEFAULTS.protocol,
    examples: ['udp', ['tcp', 'udp']],
  }),
  device: device(
    'Device that carries the virtual address as long as the service has its quorum (as /32 or /128). Without this key the address is not lvsd’s to place.',
  ),
  scheduler: choice(SCHEDULERS, {
    description: 'The kernel’s scheduler.',
    default: DEFAULTS.scheduler,
    examples: ['wrr'],
  }),
  forward: forwardSchema,
  local_addresses: Type.String({
    title: 'the name of a pool under the top-level local_addresses',
    description: 'Pool of local addresses; `fullnat` needs one, no other method uses it.',
    examples: ['inner'],
  }),
  timeouts: Type.Object(
    {
      established: Type.Optional(
        duration({
          description: 'Of established connections of this service, in whole seconds. Needs lvsd’s kernel modules.',
          examples: ['15m'],
        }),
      ),
    },
    { additionalProperties: false, description: 'Timeouts of the service’s own.', examples: [{ established: '15m' }] },
  ),
  quorum: count(1, 0xffffffff, {
    description: 'Sum of the weights of real servers that are up, from which on the service counts as served.',
    default: DEFAULTS.quorum,
    examples: [2],
  }),
  hysteresis: count(0, 0xffffffff, {
    description: 'The quorum is gained at quorum + hysteresis and lost below quorum - hysteresis.',
    default: DEFAULTS.hysteresis,
    examples: [1],
  }),
  on_failure: choice(['remove', 'inhibit'], {
    description:
      'What becomes of a real server that is down. `remove`: it leaves the table, its connections end. `inhibit`: it stays with weight 0, for the connections that it has.',
    default: DEFAULTS.onFailure,
    examples: ['inhibit'],
  }),
  drain: duration({
    description:
      'How long a real server taken out of the file stays with weight 0, for the connections that it has; `0s`: gone at once.',
    default: '0s',
    examples: ['5m'],
  }),
  check: checkSchema,
};

const serviceSchema = Type.Object(
  {
    address: Type.Optional(
      address({ description: 'What clients connect to.', examples: ['203.0.113.10', '2001:db8::10'] }),
    ),
    port: Type.Optional(
      Type.Union(
        [
          Type.Integer({ minimum: 0, maximum: 65535 }),
          Type.String({ pattern: '^[1-9][0-9]{0,4}-[1-9][0-9]{0,4}$', title: 'a range such as "8000-8009"' }),
        ],
        {
          title: 'a port (1 to 65535), a range such as "8000-8009", or 0 for all ports',
          description:
            'Port, or range of ports, each of them a service of its own to the kernel. 0: all ports, which needs `persistence`.',
          examples: [443, '8000-8009'],
        },
      ),
    ),
    fwmark: Type.Optional(
      count(1, 0xffffffff, {
        description: 'Instead of address and port: packets with this firewall mark, of any protocol.',
        examples: [7],
      }),
    ),
    family: Type.Optional(
      choice(['ipv4', 'ipv6'], {
        description: 'With `fwmark` only. Without this key: that of the real servers.',
        examples: ['ipv6'],
      }),
    ),
    ...Type.Partial(Type.Object(inherited)).properties,
    scheduler_flags: Type.Optional(
      Type.Array(choice(SCHEDULER_FLAGS, { description: 'One flag.' }), {
        maxItems: 3,
        title: 'a list of scheduler flags',
        description:
          'Flags of the scheduler, under ipvsadm’s names: `sh-…` with sh only, `mh-…` with mh only, `flag-1` to `flag-3` with any.',
        default: [],
        examples: [['sh-port', 'sh-fallback']],
      }),
    ),
    one_packet: Type.Optional(
      Type.Boolean({
        description: 'Each packet is scheduled by itself; udp and firewall marks only.',
        default: false,
        examples: [true],
      }),
    ),
    persistence: Type.Optional(
      Type.Object(
        {
          timeout: Type.Optional(
            duration({
              description: 'How long a client is kept at its real server, in whole seconds.',
              default: '5m',
              examples: ['1h'],
            }),
          ),
          granularity: Type.Optional(
            count(1, 128, {
              description:
                'Prefix length of what counts as one client. Without this key 32 with IPv4, 128 with IPv6: each address.',
              examples: [24],
            }),
          ),
          engine: Type.Optional(
            choice(ENGINES, {
              description: 'Persistence by what packets say rather than by address; udp only.',
              examples: ['sip'],
            }),
          ),
        },
        {
          additionalProperties: false,
          description: 'A client stays with the real server that it had. `{}` will do.',
          examples: [{ timeout: '1h', granularity: 24 }],
        },
      ),
    ),
    sorry_server: Type.Optional(sorrySchema),
    real_servers: Type.Array(realServerSchema, {
      maxItems: 65536,
      title: 'a list of real servers',
      description: 'Where connections go: `ADDRESS`, `ADDRESS:PORT`, `"[IPV6]:PORT"` or a map each.',
      examples: [['10.31.4.3:8443']],
    }),
  },
  {
    additionalProperties: false,
    title: 'a map with address, port and real_servers',
    description: 'A virtual service and its real servers.',
    'x-later': LATER.service,
    'x-part': 'service',
  },
);

const poolSchema = Type.Object(
  {
    device: Type.Optional(
      device(
        'Device that lvsd puts the addresses on, and takes them from when their last connection is gone. Without this key they are expected to be there, and not touched.',
      ),
    ),
    addresses: Type.Array(
      Type.String({ title: 'an IPv4 address, a range FIRST-LAST or a prefix', examples: ['10.31.3.101-10.31.3.116'] }),
      {
        minItems: 1,
        maxItems: 4096,
        title: 'a list of addresses, ranges and prefixes',
        description:
          'Single addresses, ranges (both ends included) and prefixes (every address in them). At most 4096 in all.',
        examples: [['10.31.3.101-10.31.3.116', '10.31.3.128/28']],
      },
    ),
    ports: Type.Optional(
      Type.String({
        title: 'a range of ports such as 5000-65535',
        pattern: '^[1-9][0-9]{0,4}-[1-9][0-9]{0,4}$',
        description:
          'Local ports that connections to real servers may use, from 1025 on. Without this key: the sysctls net.ipv4.vs.fullnat_lport_min and _max.',
        examples: ['5000-65535'],
      }),
    ),
  },
  {
    additionalProperties: false,
    title: 'a map with addresses',
    description: 'Addresses of the balancer that FULLNAT services use as their source towards real servers.',
    'x-later': LATER.pool,
    'x-part': 'pool',
  },
);

/** What included files and `nodes` may hold as well. */
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
      '`named`: lvsd touches only services that the file names, or that it remembers having made. `all`: the whole IPVS table is its own, anything else in it is removed.',
    default: DEFAULTS.manage,
    examples: ['all'],
  }),
  on_stop: choice(['keep', 'remove'], {
    description:
      'What becomes of services and addresses when lvsd stops: `keep` leaves all as it is, traffic goes on. `remove` takes away what is lvsd’s.',
    default: DEFAULTS.onStop,
    examples: ['remove'],
  }),
  defaults: Type.Object(
    { ...Type.Partial(Type.Object(inherited)).properties, weight: Type.Optional(weightSchema) },
    {
      additionalProperties: false,
      description: 'What services have unless they say otherwise.',
      default: {},
      examples: [{ scheduler: 'wrr', check: { type: 'tcp' } }],
      'x-later': LATER.service,
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
        'The kernel’s timeouts for all services, in whole seconds. One that is not written is left as the kernel has it.',
      default: {},
      examples: [{ tcp: '15m', tcp_fin: '2m', udp: '5m' }],
    },
  ),
  log: Type.Object(
    {
      level: Type.Optional(
        choice(LOG_LEVELS, {
          description: 'What is logged: this and everything more serious.',
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
          description: 'Most probes under way at once; others wait their turn.',
          default: DEFAULTS.checkConcurrency,
          examples: [2000],
        }),
      ),
    },
    {
      additionalProperties: false,
      description: 'The checkers together.',
      default: {},
      examples: [{ concurrency: 2000 }],
    },
  ),
  resync: duration({
    description:
      'How often the kernel’s table is compared with what it should be, besides whenever something happens. 1s to 1d.',
    default: '30s',
    examples: ['10s'],
  }),
};

const rest = { ...Type.Partial(Type.Object(settings)).properties, ...Type.Partial(Type.Object(shared)).properties };

/** The same schema with nothing in it required: what `nodes` lays over the rest. */
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
      'x-later': LATER.root,
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
          'More files, relative to this one; `*`, `?` and `[abc]` stand for parts of a file or folder name. They may hold `services`, `local_addresses`, `nodes` and `include`.',
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
          'By host name: what is laid over the rest on that node. Maps are merged key by key, everything else (lists too) is replaced. The name is compared with the whole host name, then with its part before the first dot.',
        default: {},
        examples: [{ lb1: { local_addresses: { inner: { addresses: ['10.31.3.101-10.31.3.108'] } } } }],
      }),
    ),
  },
  {
    $id: 'lvsd.schema.json',
    additionalProperties: false,
    title: 'the configuration of lvsd',
    description: 'The configuration file of lvsd.',
    'x-later': LATER.root,
  },
);

export type RawConfig = Static<typeof configSchema>;
export type RawDefaults = NonNullable<RawConfig['defaults']>;
export type RawService = Static<typeof serviceSchema>;
export type RawRealServer = Static<typeof realServerSchema>;
export type RawSorry = Static<typeof sorrySchema>;
export type RawPool = Static<typeof poolSchema>;
export type RawForward = Static<typeof forwardSchema>;
export type RawCheck = Static<typeof checkSchema>;
