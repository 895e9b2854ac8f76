// SPDX-License-Identifier: MIT
/** Schema of VRRP instances. */
import { Type } from '@sinclair/typebox';
import { address, choice, count, duration } from '../../base/schema-words.ts';
import { DEFAULTS } from '../limits.ts';
import { device, LATER } from './common.ts';

const PLACED = 'an address, or ADDRESS/LENGTH';

const placed = Type.Union(
  [
    Type.String({ title: PLACED, examples: ['10.99.0.10/24'] }),
    Type.Object(
      {
        address: Type.String({ title: PLACED, description: 'The address.', examples: ['10.99.0.11/32'] }),
        device: Type.Optional(device('Device that has the address. Without this key: `interface`.')),
        label: Type.Optional(
          Type.String({
            pattern: '^[!-~]{1,15}$',
            title: 'up to 15 characters without blanks',
            description:
              'Label of an IPv4 address, as in `ip addr add ... label`. Used whenever the address is added: a reload does not change the label of an address that is there.',
            examples: ['eth1:web'],
          }),
        ),
        scope: Type.Optional(
          Type.Union([Type.Literal('global'), Type.Literal('link'), Type.Literal('host')], {
            title: 'global, link or host',
            description:
              'Scope of an IPv4 address. With link or host, the balancer chooses it as the source of its own packets only to destinations of that scope. Used as `label` is.',
            default: 'global',
            examples: ['link'],
          }),
        ),
      },
      {
        additionalProperties: false,
        title: 'a map with address',
        description: 'An address on another device, or with a label or scope.',
      },
    ),
  ],
  { title: `${PLACED}, or a map with address` },
);

const WEIGHT =
  'Added to the priority while it is up if positive, and while it is down if negative. -253 to 253, not 0.';

const weight = (fallback: string) =>
  Type.Optional(
    Type.Integer({
      minimum: -253,
      maximum: 253,
      title: 'a whole number from -253 to 253',
      description: `${WEIGHT} ${fallback}`,
      examples: [-20],
    }),
  );

const track = Type.Object(
  {
    interfaces: Type.Optional(
      Type.Array(
        Type.Union(
          [
            device('Name of the interface.'),
            Type.Object(
              {
                interface: device('Name of the interface.'),
                weight: weight('Without this key: the instance is in fault while the interface is down.'),
              },
              {
                additionalProperties: false,
                title: 'a map with interface',
                description: 'An interface with a weight.',
              },
            ),
          ],
          { title: 'the name of a network device, or a map with interface' },
        ),
        {
          maxItems: 64,
          title: 'a list of interfaces',
          description: 'Interfaces besides `interface`, which is always tracked. One is down without carrier.',
          default: [],
          examples: [['eth1', { interface: 'eth2', weight: -20 }]],
        },
      ),
    ),
    services: Type.Optional(
      Type.Array(
        Type.Union(
          [
            Type.String({ title: 'the name of a service', examples: ['shop'] }),
            Type.Object(
              {
                service: Type.String({
                  title: 'the name of a service',
                  description: 'A service of this file.',
                  examples: ['shop'],
                }),
                weight: weight(`Without this key: ${DEFAULTS.serviceWeight}.`),
                fault: Type.Optional(
                  Type.Boolean({
                    title: 'true or false',
                    description: '`true`: the instance is in fault while the service has no quorum.',
                    default: false,
                    examples: [true],
                  }),
                ),
              },
              { additionalProperties: false, title: 'a map with service', description: 'A service with a weight.' },
            ),
          ],
          { title: 'the name of a service, or a map with service' },
        ),
        {
          maxItems: 256,
          title: 'a list of services',
          description:
            'Services of this file. One is down while it has no quorum, or one of its ports has none; until its checks have decided it counts as up.',
          default: [],
          examples: [['shop', { service: 'dns', fault: true }]],
        },
      ),
    ),
  },
  {
    additionalProperties: false,
    title: 'a map with interfaces and services',
    description: 'What this virtual router depends on: it lowers the priority, or is a fault, while it is down.',
    default: {},
    examples: [{ interfaces: ['eth1'], services: ['shop'] }],
    'x-later': LATER.track,
  },
);

const announcement = Type.Object(
  {
    repeat: Type.Optional(count(1, 100, { description: 'Rounds over all addresses.', default: 5, examples: [3] })),
    interval: Type.Optional(
      duration({ description: 'Between two rounds. 0s to 1s.', default: '20ms', examples: ['50ms'] }),
    ),
    delay: Type.Optional(
      duration({
        description: 'Until all rounds are repeated. 0s: they are not. 0s to 60s.',
        default: '5s',
        examples: ['10s'],
      }),
    ),
  },
  {
    additionalProperties: false,
    description: 'Gratuitous ARP and neighbor advertisements after a takeover.',
    default: {},
    examples: [{ repeat: 3, delay: '10s' }],
  },
);

export const vrrpSchema = Type.Object(
  {
    interface: device('Interface that adverts are sent and received on.'),
    virtual_router_id: count(1, 255, {
      description: 'Number of the virtual router, the same on all of its nodes.',
      examples: [51],
    }),
    version: Type.Optional(
      Type.Union([Type.Literal(2), Type.Literal(3)], {
        title: '2 or 3',
        description: 'Version of the protocol. 2 is for IPv4 only.',
        default: DEFAULTS.vrrpVersion,
        examples: [2],
      }),
    ),
    priority: Type.Optional(
      Type.Union([Type.Integer({ minimum: 1, maximum: 254 }), Type.Literal('owner')], {
        title: 'a number from 1 to 254, or owner',
        description:
          'The router with the highest priority is master. `owner`: this node has the addresses on its interface by itself, and is always master while it runs.',
        default: DEFAULTS.vrrpPriority,
        examples: [150],
      }),
    ),
    advert_interval: Type.Optional(
      duration({
        description:
          'Between two adverts of a master. Version 3: 10ms to 40950ms in steps of 10ms; version 2: 1s to 255s in whole seconds, the same on all nodes.',
        default: '1s',
        examples: ['100ms'],
      }),
    ),
    down_after: Type.Optional(
      count(1, 100, {
        description: 'Adverts that may be missing until a backup takes over.',
        default: DEFAULTS.vrrpDownAfter,
        examples: [5],
      }),
    ),
    addresses: Type.Array(placed, {
      minItems: 1,
      maxItems: 255,
      title: 'a list of addresses',
      description:
        'Virtual addresses, of one family, which the adverts list. The master has them. Every node must have the same list.',
      examples: [['10.99.0.10/24', { address: '10.99.0.11/32', device: 'eth1' }]],
    }),
    extra_addresses: Type.Optional(
      Type.Array(placed, {
        maxItems: 4096,
        title: 'a list of addresses',
        description: 'Virtual addresses of any family that the adverts do not list.',
        default: [],
        examples: [['2001:db8::10/64']],
      }),
    ),
    source: Type.Optional(
      address({
        description:
          'Address of the interface that adverts are sent from. Without this key: the lowest one, for IPv6 multicast the lowest link-local one.',
        examples: ['10.99.0.1'],
      }),
    ),
    unicast: Type.Optional(
      Type.Object(
        {
          peers: Type.Array(address({ description: 'Address of another node.', examples: ['10.99.0.2'] }), {
            minItems: 1,
            maxItems: 255,
            title: 'a list of addresses',
            description:
              'Addresses of the other nodes. Addresses of this node are left out, so that all nodes can have one list.',
            examples: [['10.99.0.1', '10.99.0.2']],
          }),
          min_ttl: Type.Optional(
            Type.Integer({
              minimum: 1,
              maximum: 255,
              title: 'a number from 1 to 255',
              description:
                'Lowest TTL, or hop limit, of adverts that are accepted. 255: from the same link only. keepalived sends IPv6 unicast with 64. Without this key: any.',
              examples: [255],
            }),
          ),
          from_anywhere: Type.Optional(
            Type.Boolean({
              title: 'true or false',
              description: 'Also accept adverts of senders that are not in `peers`.',
              default: false,
              examples: [true],
            }),
          ),
        },
        {
          additionalProperties: false,
          title: 'a map with peers',
          description: 'Send adverts to single addresses instead of the multicast group. Needs `source`.',
          examples: [{ peers: ['10.99.0.1', '10.99.0.2'] }],
        },
      ),
    ),
    password: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 8,
        pattern: '^[!-~]*$',
        title: 'a password of 1 to 8 ASCII characters',
        description: 'Version 2 only. It is sent in the clear: it protects from mistakes, not from attackers.',
        examples: ['edge1'],
      }),
    ),
    preempt: Type.Optional(
      Type.Union(
        [
          Type.Boolean(),
          Type.Object(
            {
              delay: Type.Optional(
                duration({
                  description: 'How long the lower master is left in place. 0s to 1000s.',
                  default: '0s',
                  examples: ['30s'],
                }),
              ),
              after: Type.Optional(
                choice(['now', 'ready', 'synced'], {
                  description:
                    '`ready`: not before the real servers of the tracked services have been checked once, or a minute has passed. `synced`: also not before the lower master has sent its connections for 30s. Without this key: `synced` if `connection_sync` follows this virtual router, else `ready` if services are tracked, else `now`.',
                  examples: ['now'],
                }),
              ),
            },
            { additionalProperties: false },
          ),
        ],
        {
          title: 'true, false, or a map with delay and after',
          description: 'Whether this node takes over from a master of lower priority.',
          default: true,
          examples: [false],
        },
      ),
    ),
    start_delay: Type.Optional(
      duration({
        description:
          'Time after the start, and after the end of a fault, before the wait for a master begins. 0s to 1000s. Without this key: three advert intervals if the interface has had carrier for less than 10s, else 0s.',
        examples: ['5s'],
      }),
    ),
    lower_priority_advert: Type.Optional(
      Type.Boolean({
        title: 'true or false',
        description: 'Answer an advert of lower priority with an advert (RFC 9568); `false`: ignore it (RFC 5798).',
        default: true,
        examples: [false],
      }),
    ),
    track: Type.Optional(track),
    announce: Type.Optional(announcement),
  },
  {
    additionalProperties: false,
    title: 'a map with interface, virtual_router_id and addresses',
    description: 'A virtual router (VRRP): addresses that one of several nodes has.',
    'x-later': LATER.vrrp,
    'x-part': 'vrrp',
  },
);

export const vrrpGroupSchema = Type.Object(
  {
    instances: Type.Array(Type.String({ title: 'the name of a virtual router', examples: ['edge'] }), {
      minItems: 1,
      maxItems: 255,
      title: 'a list of virtual routers',
      description: 'Members, which have the same priority and `preempt`.',
      examples: [['edge', 'inside']],
    }),
    track: Type.Optional(track),
  },
  {
    additionalProperties: false,
    title: 'a map with instances',
    description: 'Virtual routers that have one role: all are master on one node.',
    'x-later': LATER.group,
    'x-part': 'vrrpGroup',
  },
);
