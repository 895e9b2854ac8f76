// SPDX-License-Identifier: MIT
/** Schemas of services, their defaults, and pools of local addresses. */
import { Type } from '@sinclair/typebox';
import { address, choice, count, duration } from '../../base/schema-words.ts';
import { DEFAULTS, ENGINES, MOST_SYNS, SCHEDULER_FLAGS, SCHEDULERS, SMALLEST_MSS } from '../limits.ts';
import { device, follow } from './common.ts';
import { hooksSchema } from './hooks.ts';
import { checkSchema, checksSchema, forwardSchema, realServerSchema, sorrySchema } from './servers.ts';

const protocol = choice(['tcp', 'udp'], { description: 'One protocol.' });

/** Keys of both `defaults` and services. */
export const inherited = {
  protocol: Type.Union([protocol, Type.Array(protocol, { minItems: 1, maxItems: 2, title: 'a list of tcp and udp' })], {
    title: 'tcp, udp or [tcp, udp]',
    description: 'One protocol or a list; the kernel gets one service per protocol.',
    default: DEFAULTS.protocol,
    examples: ['udp', ['tcp', 'udp']],
  }),
  device: device(
    'Device that carries the virtual address as long as the service has its quorum (as /32 or /128). Without this key lvsd does not manage the address.',
  ),
  scheduler: choice(SCHEDULERS, {
    description: 'The kernel’s scheduler.',
    default: DEFAULTS.scheduler,
    examples: ['wrr'],
  }),
  forward: forwardSchema,
  local_addresses: Type.String({
    title: 'the name of a pool under the top-level local_addresses',
    description: 'Pool of local addresses. Required by `fullnat`, unused by other methods.',
    examples: ['inner'],
  }),
  timeouts: Type.Object(
    {
      established: Type.Optional(
        duration({
          description:
            'Of established connections of this service, in whole seconds. No kernel supports it yet, not even with lvsd’s modules: plan says so.',
          examples: ['15m'],
        }),
      ),
    },
    { additionalProperties: false, description: 'Timeouts of this service.', examples: [{ established: '15m' }] },
  ),
  quorum: count(1, 0xffffffff, {
    description: 'Total weight of healthy real servers at which the service counts as available.',
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
      'Treatment of a real server that is down. `remove`: it is removed from the table, its connections end. `inhibit`: it stays with weight 0 for its existing connections.',
    default: DEFAULTS.onFailure,
    examples: ['inhibit'],
  }),
  drain: duration({
    description:
      'Time for which a real server that was removed from the file stays with weight 0 for its existing connections; `0s`: it is removed immediately.',
    default: '0s',
    examples: ['5m'],
  }),
  check: checkSchema,
  hooks: hooksSchema,
};

const synProxySchema = Type.Union(
  [
    Type.Boolean(),
    Type.Object(
      {
        mss: Type.Optional(
          count(SMALLEST_MSS, 65535, {
            description:
              'Largest MSS that clients are offered; the client’s address in TOA takes 8 bytes of it. Default: what checks of the real servers have negotiated, and without checks what the route to the client allows.',
            examples: [1400],
          }),
        ),
        window_scale: Type.Optional(
          Type.Union([Type.Integer({ minimum: 0, maximum: 14 }), Type.Literal('none')], {
            title: 'a number from 0 to 14, or none',
            description:
              'Window scale that clients are offered; a real server with another one is translated. Default: the largest that checks of the real servers have negotiated, and 7 without checks.',
            examples: [8, 'none'],
          }),
        ),
        sack: Type.Optional(
          Type.Boolean({
            description:
              'Offer selective acknowledgements. Without use if real servers do not support them. Default: whether checks of all real servers have negotiated them, and without checks yes.',
            examples: [false],
          }),
        ),
        timestamps: Type.Optional(
          Type.Boolean({
            description:
              'Offer timestamps. Must be `false` if a real server does not use them: its connections would be reset. Default: whether checks of all real servers have negotiated them, and without checks yes.',
            examples: [false],
          }),
        ),
        window: Type.Optional(
          count(0, 65535, {
            description: 'Bytes that a client may send before the real server has answered; up to 4096 are held.',
            default: DEFAULTS.window,
            examples: [4096],
          }),
        ),
      },
      { additionalProperties: false, title: 'a map of what clients are offered' },
    ),
  ],
  {
    title: 'true, false or a map with mss, window_scale, sack, timestamps or window',
    description:
      'Answer SYNs with cookies, and create a connection when the client has acknowledged one (docs/synproxy.md). With fullnat and masquerade. A map switches it on, and sets what clients are offered.',
    default: false,
    examples: [true, { window_scale: 8, timestamps: false }],
  },
);

const defenceSchema = Type.Object(
  {
    drop_strays: Type.Optional(
      Type.Boolean({
        description:
          'Drop segments that have no connection and begin none (ACK, FIN, RST, data), except ACKs of SYN proxy’s cookies. A hundred a second are answered with a reset all the same, so that clients whose connection is lost are told.',
        default: false,
        examples: [true],
      }),
    ),
    drop_fragments: Type.Optional(
      Type.Boolean({
        description:
          'Drop fragments of TCP packets to the service’s address, which also concerns other TCP services of that address. IPv4 only.',
        default: false,
        examples: [true],
      }),
    ),
    syn_rate: Type.Optional(
      count(1, MOST_SYNS, {
        description: 'SYNs a second that may make a connection; with SYN proxy none does. Default: no limit.',
        examples: [5000],
      }),
    ),
    syn_burst: Type.Optional(
      count(1, MOST_SYNS, {
        description: 'SYNs at once, with `syn_rate`. Default: as many as in a second.',
        examples: [500],
      }),
    ),
  },
  {
    additionalProperties: false,
    title: 'a map with drop_strays, drop_fragments, syn_rate or syn_burst',
    description:
      'Defence of a tcp service against floods, of every forwarding method (docs/synproxy.md). Needs lvsd’s kernel modules.',
    examples: [{ drop_strays: true, syn_rate: 5000 }],
  },
);

export const serviceSchema = Type.Object(
  {
    address: Type.Optional(
      address({ description: 'Address that clients connect to.', examples: ['203.0.113.10', '2001:db8::10'] }),
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
        description: 'Firewall mark of the packets to balance, instead of address and port; any protocol.',
        examples: [7],
      }),
    ),
    family: Type.Optional(
      choice(['ipv4', 'ipv6'], {
        description: 'Address family, only with `fwmark`. Default: that of the real servers.',
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
        description: 'Schedule each packet separately; only for udp and firewall marks.',
        default: false,
        examples: [true],
      }),
    ),
    persistence: Type.Optional(
      Type.Object(
        {
          timeout: Type.Optional(
            duration({
              description: 'Time for which a client keeps its real server, in whole seconds.',
              default: '5m',
              examples: ['1h'],
            }),
          ),
          granularity: Type.Optional(
            count(1, 128, {
              description:
                'Prefix length of the addresses that count as one client. Default: 32 for IPv4, 128 for IPv6.',
              examples: [24],
            }),
          ),
          engine: Type.Optional(
            choice(ENGINES, {
              description: 'Engine that identifies clients by packet contents instead of address; only for udp.',
              examples: ['sip'],
            }),
          ),
        },
        {
          additionalProperties: false,
          description: 'Send a client to the real server that it used before. `{}` uses the defaults.',
          examples: [{ timeout: '1h', granularity: 24 }],
        },
      ),
    ),
    syn_proxy: Type.Optional(synProxySchema),
    defence: Type.Optional(defenceSchema),
    sorry_server: Type.Optional(sorrySchema),
    checks: Type.Optional(checksSchema),
    real_servers: Type.Array(realServerSchema, {
      maxItems: 65536,
      title: 'a list of real servers',
      description: 'Real servers, each `ADDRESS`, `ADDRESS:PORT`, `"[IPV6]:PORT"` or a map.',
      examples: [['10.31.4.3:8443']],
    }),
  },
  {
    additionalProperties: false,
    title: 'a map with address, port and real_servers',
    description: 'A virtual service and its real servers.',
    'x-part': 'service',
  },
);

export const poolSchema = Type.Object(
  {
    device: Type.Optional(
      device(
        'Device that lvsd adds the addresses to, and deletes them from after their last connection has ended. Without this key the addresses must be there already, and lvsd does not change them.',
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
    follow: Type.Optional(
      follow(
        'Virtual router whose master has the addresses on `device`; the other nodes do not have them. Needs `device`.',
      ),
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
    description: 'Addresses of the balancer, the source addresses of FULLNAT connections to real servers.',
    'x-part': 'pool',
  },
);
