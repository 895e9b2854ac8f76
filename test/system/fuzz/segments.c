// SPDX-License-Identifier: MIT
/*
 * segments SEED COUNT CHANGES [toa]: sends COUNT malformed or forged segments to a balancer, from the client's side and
 * from the real servers' side, while honest connections run (honest.c). Meanwhile it changes sysctls, and services by
 * the netlink messages in the file CHANGES (each after its length, 32 bits). Prints a line of JSON; exits with 1 if an
 * honest connection failed.
 *
 * The segments follow from the seed; only sequence numbers taken from answers (to the fuzzer's own connections) depend
 * on timing.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fuzz.h"

enum flag { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16, URG = 32 };

/* Seconds between lines of progress. */
#define PROGRESS 60

#define FLOWS 256
#define FLOW_PORT 40000

/* A connection of the fuzzer itself, from an address that no host has, with the sequence numbers of the answers. */
struct flow {
	uint16_t service;
	uint32_t next, peer_next, stamp;
	bool open;
};

struct shared *shared;
static struct random random_;
static struct random *const r = &random_;
static struct flow flows[FLOWS];
static struct {
	uint64_t sent, refused, flows_open, changes, sysctls;
} count;

/* One segment under construction. */
struct segment {
	uint32_t source, dest, seq, ack;
	uint16_t sport, dport;
	uint8_t flags;
	uint8_t options[40];
	int options_length;
	int payload;
};

/*
 * For how many seconds forged SYNs may disturb a handshake. A forger who knows a client's tuple can keep its connection
 * from being opened by sending SYNs, as without a balancer: while the real server waits for the end of the forged
 * handshake, it answers the client's SYN with a challenge. The client sends its sixth SYN after 31 s, which has to
 * succeed.
 */
#define DISTURBED 20.0

/* Segments sent, by as few system calls as possible, before answers are read. */
#define BATCH 128
/* Enough if every segment of a batch is in the maximum number of fragments. */
#define QUEUED (BATCH * 3)

/* Frames to be sent into one side's network. */
struct side {
	int fd, queued;
	struct mmsghdr messages[QUEUED];
	struct iovec parts[QUEUED];
	uint8_t frames[QUEUED][3000];
};

static struct side client_side, server_side;
static uint8_t frame[3000];

void enter_netns(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || setns(fd, CLONE_NEWNET))
		die(path);
	close(fd);
}

int packet_socket(const char *device, int only_incoming)
{
	/* TCP between the ports of the services, and nothing else: `tcp and portrange 8001-8019`, either side. */
	static struct sock_filter code[] = {
		{ 0x30, 0, 0, 23 },     { 0x15, 0, 9, 6 },      { 0xb1, 0, 0, 14 },     { 0x48, 0, 0, 14 },
		{ 0x35, 0, 1, 8001 },   { 0x25, 0, 3, 8019 },   { 0x48, 0, 0, 16 },     { 0x35, 0, 3, 8001 },
		{ 0x25, 2, 0, 8019 },   { 0x06, 0, 0, 0xffff }, { 0x06, 0, 0, 0xffff }, { 0x06, 0, 0, 0 },
	};
	struct sock_fprog program = { sizeof(code) / sizeof(code[0]), code };
	struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP) };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_IP)), size = 32 << 20;

	at.sll_ifindex = if_nametoindex(device);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &only_incoming, sizeof(only_incoming));
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) ||
	    bind(fd, (void *)&at, sizeof(at)))
		die(device);
	return fd;
}

/* A packet socket that receives nothing. */
static void open_side(struct side *side, const char *device)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_ifindex = if_nametoindex(device) };
	int one = 1;

	side->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (side->fd < 0 || bind(side->fd, (void *)&at, sizeof(at)) ||
	    setsockopt(side->fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof(one)))
		die(device);
	for (int i = 0; i < QUEUED; i++) {
		side->parts[i].iov_base = side->frames[i];
		side->messages[i].msg_hdr = (struct msghdr){ .msg_iov = &side->parts[i], .msg_iovlen = 1 };
	}
}

void read_packets(int wire, void (*each)(const uint8_t *frame, size_t length))
{
	static uint8_t frames[64][HEADERS];
	static struct iovec parts[64];
	static struct mmsghdr messages[64];
	int n;

	for (int i = 0; i < 64; i++) {
		parts[i] = (struct iovec){ frames[i], HEADERS };
		messages[i].msg_hdr = (struct msghdr){ .msg_iov = &parts[i], .msg_iovlen = 1 };
	}
	do {
		n = recvmmsg(wire, messages, 64, MSG_DONTWAIT, NULL);
		for (int i = 0; i < n; i++)
			each(frames[i], messages[i].msg_len);
	} while (n == 64);
}

/* With LVSD_FUZZ_CAPTURE=FOLDER: captures a device's packets of both directions to a pcap file. */
static void capture(const char *folder, const char *name)
{
	static const uint32_t header[] = { 0xa1b2c3d4, 0x00040002, 0, 0, 2000, 1 };
	static uint8_t packet[70000];
	/* both directions */
	struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	char path[300];
	int wire;
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s.pcap", folder, name);
	if (fork() != 0)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	wire = packet_socket("eth0", 0);
	at.sll_ifindex = if_nametoindex("eth0");
	if (bind(wire, (void *)&at, sizeof(at)))
		die(name);
	file = fopen(path, "w");
	if (!file || !fwrite(header, sizeof(header), 1, file))
		die(path);
	for (;;) {
		ssize_t n = recv(wire, packet, sizeof(packet), 0);
		struct timespec t;

		if (n <= 0)
			continue;
		n = n < 2000 ? n : 2000;
		clock_gettime(CLOCK_REALTIME, &t);
		fwrite((uint32_t[]){ t.tv_sec, t.tv_nsec / 1000, n, n }, 16, 1, file);
		fwrite(packet, n, 1, file);
		fflush(file);
	}
}

static void put16(uint8_t *at, uint16_t v) { at[0] = v >> 8; at[1] = v; }
static void put32(uint8_t *at, uint32_t v) { put16(at, v >> 16); put16(at + 2, v); }
static uint16_t get16(const uint8_t *at) { return at[0] << 8 | at[1]; }
static uint32_t get32(const uint8_t *at) { return (uint32_t)get16(at) << 16 | get16(at + 2); }

static uint32_t sum(const uint8_t *at, int length, uint32_t s)
{
	for (; length > 1; at += 2, length -= 2)
		s += get16(at);
	return length ? s + (at[0] << 8) : s;
}

static uint16_t fold(uint32_t s)
{
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return ~s;
}

static uint32_t wild(void)
{
	static const uint32_t edges[] = { 0, 1, 0x7fffffff, 0x80000000, 0xffffffff };

	return chance(r, 10) ? edges[below(r, 5)] : (uint32_t)random_next(r);
}

static uint16_t some_service(void)
{
	return HONEST_PORT_FIRST + below(r, SERVICES);
}

static uint32_t some_address(void)
{
	switch (below(r, 12)) {
	case 0: return VIP;
	case 1: return LADDR(below(r, 3));
	case 2: return REAL_SERVER(below(r, 3));
	case 3: return CLIENT;
	case 4: return IP(127, 0, 0, 1);
	case 5: return IP(224, 0, 0, 1) + below(r, 300);
	case 6: return random_next(r);
	case 7: return 0xffffffff - below(r, 2);
	default: return NOBODY(below(r, 200));
	}
}

static uint16_t some_port(void)
{
	static const uint16_t edges[] = { 0, 0, 1, 1023, 1024, 5000, 65534, 65535 };

	return chance(r, 30) ? edges[below(r, 8)] : random_next(r);
}

/* TCP options: valid ones, forged addresses, wrong lengths, random bytes. */
static int add_option(uint8_t *at, int room)
{
	uint8_t option[40] = { 1 };
	int length = 1;

	switch (below(r, 16)) {
	case 0: case 1: /* MSS */
		option[0] = 2, length = 4, put16(option + 2, chance(r, 70) ? 1460 : some_port());
		break;
	case 2: case 3: /* window scale */
		option[0] = 3, length = 3, option[2] = chance(r, 80) ? 7 : below(r, 256);
		break;
	case 4: /* SACK permitted */
		option[0] = 4, length = 2;
		break;
	case 5: case 6: /* timestamps */
		option[0] = 8, length = 10, put32(option + 2, wild()), put32(option + 6, wild());
		break;
	case 7: { /* SACK */
		int blocks = below(r, 5);

		option[0] = 5, length = 2 + 8 * blocks;
		for (int i = 0; i < 2 * blocks; i++)
			put32(option + 2 + 4 * i, wild());
		break;
	}
	case 8: case 9: case 10: { /* forged TOA and similar options */
		static const uint8_t kinds[] = { 254, 254, 254, 253, 200, 28 };

		option[0] = kinds[below(r, 6)], length = chance(r, 80) ? 8 : 20;
		put16(option + 2, some_port()), put32(option + 4, some_address());
		break;
	}
	case 11: /* fast open */
		option[0] = 34, length = 2 + 2 * below(r, 9);
		break;
	case 12: /* MD5 */
		option[0] = 19, length = 18;
		break;
	case 13: /* noise */
		option[0] = below(r, 256), length = below(r, 12) + 2;
		for (int i = 2; i < length; i++)
			option[i] = below(r, 256);
		break;
	default:
		break;
	}
	if (length > room)
		return 0;
	if (length > 1)
		option[1] = chance(r, 95) ? length : (int)below(r, 256);
	memcpy(at, option, length);
	return length;
}

static void add_options(struct segment *s)
{
	int wanted = chance(r, 40) ? 0 : below(r, 6);

	for (int i = 0; i < wanted; i++)
		s->options_length += add_option(s->options + s->options_length, 40 - s->options_length);
	if (chance(r, 3))
		for (int i = 0; i < 40; i++)
			s->options[s->options_length = i] = below(r, 256);
	while (s->options_length & 3)
		s->options[s->options_length++] = chance(r, 50);
}

/* Chooses the addresses, ports and numbers of a segment. */
static void aim_at_flow(struct segment *s)
{
	int index = below(r, FLOWS);
	struct flow *flow = &flows[index];

	s->source = NOBODY(index & 3), s->sport = FLOW_PORT + index, s->dest = VIP, s->dport = flow->service;
	if (!flow->open || chance(r, 5)) {
		if (chance(r, 60)) {
			*flow = (struct flow){ .service = some_service(), .next = random_next(r) };
			s->dport = flow->service;
			s->flags = SYN, s->seq = flow->next, s->ack = 0, s->payload = 0;
			flow->next++;
			return;
		}
	}
	s->flags |= ACK;
	if (chance(r, 70)) {
		s->seq = flow->next, s->ack = flow->peer_next;
		if (s->flags & (SYN | RST) && chance(r, 80))
			s->flags &= ~(SYN | RST);
		flow->next += s->payload + !!(s->flags & FIN);
		if (s->flags & (FIN | RST))
			flow->open = false;
	} else if (chance(r, 50)) {
		s->seq = flow->next + below(r, 200000) - 100000, s->ack = flow->peer_next + below(r, 200000) - 100000;
	}
}

/* Takes the addresses and ports of an honest connection, with random sequence numbers. */
static void aim_at_honest(struct segment *s)
{
	struct honest_slot slot = shared->slots[below(r, HONEST)];

	/*
	 * With sloppy_tcp, mainline makes two entries for one connection if a segment arrives on another CPU at the same
	 * moment as the SYN.
	 */
	if (!is_fullnat(slot.service) && !slot.established)
		return aim_at_flow(s);
	if (slot.alive && !slot.established && now() > slot.since + DISTURBED)
		return aim_at_flow(s);
	s->source = CLIENT, s->sport = slot.port, s->dest = VIP, s->dport = slot.service;
	if (slot.laddr && chance(r, 25))
		s->source = slot.server, s->sport = slot.service, s->dest = slot.laddr, s->dport = slot.lport;
	else if (chance(r, 5))
		s->sport = 0;
	else if (chance(r, 5))
		s->dport = 0;
	s->seq = random_next(r), s->ack = random_next(r);
}

/* With the methods of mainline, every FIN or RST ends a connection, whatever its sequence numbers, and so does a
 * segment without flags: an honest client's retransmitted SYN would then go to the other real server.
 */
static void spare_mainline(struct segment *s)
{
	if (s->source == CLIENT && s->dport >= HONEST_PORT_FIRST && s->dport < HONEST_PORT_FIRST + HONEST_SERVICES &&
	    !is_fullnat(s->dport))
		s->flags = (s->flags & ~(SYN | FIN | RST)) | ACK;
}

static bool inside(const struct segment *s)
{
	return s->source >= REAL_SERVER(0) && s->source <= REAL_SERVER(9);
}

static struct segment some_segment(void)
{
	static const uint8_t likely[] = { SYN, SYN, SYN, ACK, ACK, ACK | PSH, ACK | PSH, FIN | ACK, FIN | ACK, RST, RST | ACK,
					  SYN | ACK, 0, FIN, 63 };
	struct segment s = { .seq = wild(), .ack = wild() };

	s.flags = chance(r, 90) ? likely[below(r, sizeof(likely))] : below(r, 256);
	s.payload = chance(r, 50) ? 0 : chance(r, 80) ? (int)below(r, 64) : (int)below(r, 1460);
	switch (below(r, 10)) {
	case 0: case 1: case 2: case 3:
		aim_at_flow(&s);
		break;
	case 4: case 5: case 6:
		aim_at_honest(&s);
		break;
	case 7: /* a client of some service */
		s.source = some_address(), s.sport = some_port(), s.dest = VIP, s.dport = some_service();
		break;
	case 8: /* a real server that answers */
		s.source = REAL_SERVER(below(r, 3)), s.sport = some_service(), s.dest = LADDR(below(r, 3)), s.dport = some_port();
		break;
	default:
		s.source = some_address(), s.sport = some_port(), s.dest = some_address(), s.dport = some_port();
	}
	spare_mainline(&s);
	add_options(&s);
	if (s.options_length + s.payload > 1400)
		s.payload = 1400 - s.options_length;
	return s;
}

static int put_tcp(uint8_t *tcp, const struct segment *s)
{
	int header = 20 + s->options_length, length = header + s->payload;

	put16(tcp, s->sport), put16(tcp + 2, s->dport), put32(tcp + 4, s->seq), put32(tcp + 8, s->ack);
	tcp[12] = header / 4 << 4, tcp[13] = s->flags;
	put16(tcp + 14, chance(r, 80) ? 64240 : random_next(r)), put16(tcp + 16, 0), put16(tcp + 18, 0);
	memcpy(tcp + 20, s->options, s->options_length);
	for (int i = header; i < length; i++)
		tcp[i] = i;
	if (chance(r, 3))
		tcp[12] = below(r, 256);
	put16(tcp + 16, fold(sum(tcp, length, 6 + length + (s->source >> 16) + (s->source & 0xffff) + (s->dest >> 16) +
				 (s->dest & 0xffff))));
	if (chance(r, 3))
		put16(tcp + 16, random_next(r));
	return length;
}

static int put_ip(uint8_t *ip, uint32_t source, uint32_t dest, int protocol, int payload)
{
	ip[0] = 0x45, ip[1] = chance(r, 95) ? 0 : below(r, 256);
	put16(ip + 2, 20 + payload), put16(ip + 4, random_next(r)), put16(ip + 6, chance(r, 80) ? 0x4000 : 0);
	ip[8] = chance(r, 95) ? 64 : below(r, 3), ip[9] = protocol;
	put32(ip + 12, source), put32(ip + 16, dest);
	put16(ip + 10, 0), put16(ip + 10, fold(sum(ip, 20, 0)));
	return 20 + payload;
}

/* An ICMP error that quotes a segment or random bytes: from either side, short or long, of any type. */
static int put_icmp(uint8_t *ip, const struct segment *about)
{
	static const uint8_t types[] = { 3, 3, 3, 3, 11, 12, 4, 5, 8, 0, 13 };
	static const uint16_t mtus[] = { 0, 1, 67, 68, 552, 576, 583, 584, 1280, 1400, 1499, 1500, 1501, 65535 };
	uint8_t *icmp = ip + 20, *quoted = icmp + 8;
	int whole = put_tcp(quoted + 20, about), length;

	put_ip(quoted, about->source, about->dest, chance(r, 90) ? 6 : below(r, 256), whole);
	if (chance(r, 10)) /* a later fragment */
		put16(quoted + 6, random_next(r));
	if (chance(r, 5))
		quoted[0] = below(r, 256);
	length = 8 + (chance(r, 50) ? 28 : chance(r, 50) ? (int)below(r, 61) : 20 + whole);
	icmp[0] = types[below(r, sizeof(types))], icmp[1] = chance(r, 50) ? 4 : below(r, 17);
	icmp[4] = 0, icmp[5] = chance(r, 80) ? 0 : below(r, 256);
	put16(icmp + 6, mtus[below(r, 14)]);
	put16(icmp + 2, 0), put16(icmp + 2, fold(sum(icmp, length, 0)));
	if (chance(r, 3))
		put16(icmp + 2, random_next(r));
	return put_ip(ip, chance(r, 80) ? about->dest : some_address(), about->source, 1, length);
}

static void send_ip(struct side *side, int length)
{
	memcpy(side->frames[side->queued], frame, 14 + length);
	side->parts[side->queued++].iov_len = 14 + length;
	count.sent++;
}

/* Frames that the device does not take are counted and dropped. */
static void send_queued(struct side *side)
{
	int sent = 0;

	while (sent < side->queued) {
		int n = sendmmsg(side->fd, side->messages + sent, side->queued - sent, 0);

		count.refused += n < 0;
		sent += n < 0 ? 1 : n;
	}
	side->queued = 0;
}

/* Sends the packet in fragments of any size, in any order, with gaps and overlaps. */
static void send_fragments(struct side *side, int length)
{
	static uint8_t whole[3000];
	uint8_t *ip = frame + 14;
	int pieces = below(r, 3) + 1, payload = length - 20;

	memcpy(whole, ip, length);
	for (int i = 0; i < pieces; i++) {
		int at = below(r, payload / 8 + 1) * 8, piece = below(r, payload - at + 1);

		if (i == 0 && chance(r, 70))
			at = 0;
		memcpy(ip + 20, whole + 20 + at, piece);
		put16(ip + 2, 20 + piece), put16(ip + 6, at / 8 | (chance(r, 70) ? 0x2000 : 0));
		put16(ip + 10, 0), put16(ip + 10, fold(sum(ip, 20, 0)));
		send_ip(side, 20 + piece);
	}
}

static void send_some(uint8_t addresses[2][12])
{
	uint8_t *ip = frame + 14;
	struct segment s = some_segment();
	bool from_inside = inside(&s);
	int length;

	switch (below(r, 20)) {
	case 0: case 1: { /* quotes a packet of the other direction */
		struct segment back = s;

		if (chance(r, 80)) {
			back.source = s.dest, back.dest = s.source, back.sport = s.dport, back.dport = s.sport;
			length = put_icmp(ip, &back);
		} else {
			length = put_icmp(ip, &s);
			from_inside = chance(r, 50);
		}
		break;
	}
	case 2: { /* another protocol */
		static const uint8_t protocols[] = { 17, 17, 17, 132, 50, 51, 4, 47, 41, 2 };

		length = put_ip(ip, s.source, s.dest, protocols[below(r, 10)], put_tcp(ip + 20, &s));
		break;
	}
	default:
		length = put_ip(ip, s.source, s.dest, 6, put_tcp(ip + 20, &s));
	}
	if (chance(r, 2)) /* a wrong length */
		put16(ip + 2, below(r, length + 20)), put16(ip + 10, 0), put16(ip + 10, fold(sum(ip, 20, 0)));
	memcpy(frame, addresses[from_inside], 12);
	put16(frame + 12, ETH_P_IP);
	if (chance(r, 3))
		send_fragments(from_inside ? &server_side : &client_side, length);
	else
		send_ip(from_inside ? &server_side : &client_side, length);
}

/* Takes the sequence numbers from an answer to one of the fuzzer's own connections. */
static void learn(const uint8_t *answer, size_t length)
{
	const uint8_t *ip = answer + 14, *tcp = ip + (ip[0] & 15) * 4;
	struct flow *flow;
	int index, payload;

	if (length < 54 || get32(ip + 12) != VIP || ip[9] != 6)
		return;
	index = get16(tcp + 2) - FLOW_PORT;
	if (index < 0 || index >= FLOWS || get16(tcp) != flows[index].service)
		return;
	flow = &flows[index];
	payload = get16(ip + 2) - (ip[0] & 15) * 4 - (tcp[12] >> 4) * 4;
	if (tcp[13] & RST) {
		flow->open = false;
	} else if (tcp[13] & SYN) {
		count.flows_open += !flow->open;
		flow->open = true;
		flow->peer_next = get32(tcp + 4) + 1;
		flow->next = get32(tcp + 8);
	} else {
		flow->peer_next = get32(tcp + 4) + payload + !!(tcp[13] & FIN);
	}
}

/* Changes of services, written by network.ts */

static struct {
	uint8_t *bytes;
	size_t length, at;
	int netlink;
} changes;

static void read_changes(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	off_t length = lseek(fd, 0, SEEK_END);

	changes.netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
	if (fd < 0 || length < 0 || changes.netlink < 0)
		die(path);
	changes.length = length;
	if (length > 0)
		changes.bytes = mmap(NULL, length, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
}

static void change_service(void)
{
	static uint8_t answer[65536];
	uint32_t length;

	if (changes.length == 0)
		return;
	memcpy(&length, changes.bytes + changes.at, 4);
	if (send(changes.netlink, changes.bytes + changes.at + 4, length, 0) < 0)
		die("send a change");
	recv(changes.netlink, answer, sizeof(answer), 0);
	changes.at = (changes.at + 4 + length) % changes.length;
	count.changes++;
}

/* Sysctls that must not disturb honest connections. */
static void change_sysctl(void)
{
	static const struct {
		const char *name;
		int low, high;
	} settings[] = {
		{ "conntrack", 0, 1 },	      { "sloppy_tcp", 0, 1 },	    { "expire_nodest_conn", 0, 1 },
		{ "nat_icmp_send", 0, 1 },    { "schedule_icmp", 0, 1 },    { "expire_quiescent_template", 0, 1 },
		{ "conn_reuse_mode", 0, 1 },  { "pmtu_disc", 0, 1 },	    { "snat_reroute", 0, 1 },
		{ "timeout_synrecv", 1, 30 }, { "timeout_timewait", 1, 9 }, { "timeout_close", 1, 9 },
		{ "timeout_finwait", 5, 60 }, { "conn_expire_tcp_rst", 0, 1 }, { "fullnat_exhaust_drop", 0, 1 },
		{ "fullnat_mss_adjust_entry", 0, 1 },
	};
	int which = below(r, sizeof(settings) / sizeof(settings[0]));
	int value = settings[which].low + below(r, settings[which].high - settings[which].low + 1);
	char path[200];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/sys/net/ipv4/vs/%s", settings[which].name);
	file = fopen(path, "we");
	if (!file)
		return;
	fprintf(file, "%d\n", value);
	if (fclose(file) == 0)
		count.sysctls++;
}

static void device_addresses(const char *device, uint8_t *own)
{
	struct ifreq request;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", device);
	if (fd < 0 || ioctl(fd, SIOCGIFHWADDR, &request))
		die(device);
	memcpy(own, request.ifr_hwaddr.sa_data, 6);
	close(fd);
}

static pid_t start(void (*run)(uint64_t), uint64_t seed)
{
	pid_t child = fork();

	if (child < 0)
		die("fork");
	if (child == 0)
		run(seed);
	return child;
}

static void serve(uint64_t seed)
{
	(void)seed;
	honest_server();
}

static void report(uint64_t seed, double seconds)
{
	printf("{\"seed\":%llu,\"segments\":%llu,\"refused\":%llu,\"flows\":%llu,\"changes\":%llu,\"sysctls\":%llu,"
	       "\"seconds\":%.1f,\"clientsChecked\":%llu,\"opened\":[",
	       (unsigned long long)seed, (unsigned long long)count.sent, (unsigned long long)count.refused,
	       (unsigned long long)count.flows_open, (unsigned long long)count.changes, (unsigned long long)count.sysctls,
	       seconds, (unsigned long long)shared->clients_checked);
	for (int i = 0; i < HONEST_SERVICES; i++)
		printf("%s%llu", i ? "," : "", (unsigned long long)shared->opened[i]);
	printf("],\"closed\":[");
	for (int i = 0; i < HONEST_SERVICES; i++)
		printf("%s%llu", i ? "," : "", (unsigned long long)shared->closed[i]);
	printf("],\"bytes\":[");
	for (int i = 0; i < HONEST_SERVICES; i++)
		printf("%s%llu", i ? "," : "", (unsigned long long)shared->bytes[i]);
	printf("],\"failures\":%d,\"messages\":[", shared->failures);
	for (int i = 0; i < shared->failures && i < 16; i++)
		printf("%s\"%s\"", i ? "," : "", shared->failure[i]);
	printf("]}\n");
}

int main(int argc, char **argv)
{
	uint64_t seed = argc > 3 ? strtoull(argv[1], NULL, 0) : 0, wanted = argc > 3 ? strtoull(argv[2], NULL, 0) : 0;
	uint8_t addresses[2][12];
	double started = now(), next = started + PROGRESS;
	pid_t server, clients;
	int wire;

	if (argc < 4)
		return 2;
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		die("mmap");
	shared->toa_module = argc > 4;
	random_.state = seed;
	for (int i = 0; i < FLOWS; i++)
		flows[i].service = some_service();

	/* A process's sockets stay in the namespace where they were made: [side] = { to the balancer, from us }. */
	enter_netns("/run/netns/fuzz-b");
	device_addresses("out0", addresses[0]);
	device_addresses("in0", addresses[1]);
	read_changes(argv[3]);
	enter_netns("/run/netns/fuzz-s");
	device_addresses("eth0", addresses[1] + 6);
	open_side(&server_side, "eth0");
	if (getenv("LVSD_FUZZ_CAPTURE"))
		capture(getenv("LVSD_FUZZ_CAPTURE"), "servers");
	server = start(serve, 0);
	enter_netns("/run/netns/fuzz-c");
	device_addresses("eth0", addresses[0] + 6);
	open_side(&client_side, "eth0");
	wire = packet_socket("eth0", 1);
	while (!shared->ready)
		usleep(1000);
	if (getenv("LVSD_FUZZ_CAPTURE"))
		capture(getenv("LVSD_FUZZ_CAPTURE"), "client");
	clients = start(honest_clients, seed);
	enter_netns("/run/netns/fuzz-b");

	while (count.sent < wanted && shared->failures == 0) {
		if (now() >= next) {
			fprintf(stderr, "%llu of %llu segments after %.0f s\n", (unsigned long long)count.sent,
				(unsigned long long)wanted, now() - started);
			next = now() + PROGRESS;
		}
		for (int i = 0; i < BATCH; i++)
			send_some(addresses);
		send_queued(&client_side);
		send_queued(&server_side);
		read_packets(wire, learn);
		if (chance(r, 80))
			change_service();
		if (chance(r, 80))
			change_sysctl();
		sched_yield();
	}
	shared->stop = true;
	if (waitpid(clients, NULL, 0) != clients)
		die("waitpid");
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	/* the captures lag behind */
	if (getenv("LVSD_FUZZ_CAPTURE"))
		sleep(1);
	report(seed, now() - started);
	return shared->failures > 0;
}
