// SPDX-License-Identifier: MIT
/*
 * A client and a real server of raw frames, on the two sides of a balancer, for the instruction counts.
 *
 *	segments OUTNS OUTDEV OUTMAC CLIENT DEST:PORT INNS INDEV INMAC PACKETS LENGTH ROUNDS [proxied|listener]
 *
 * Opens one TCP connection from CLIENT to DEST:PORT: SYN, SYN-ACK and so on are written as frames to the devices that
 * face the balancer (OUTMAC and INMAC are its addresses there), and read on the other side, so that it works with any
 * translation of addresses and numbers. Data goes both ways once, and is compared.
 * With `proxied` the balancer itself answers the client's SYN, and opens the connection to the real server after its
 * ACK; with `listener` it is the other end, and no data is sent: only the command syn works then.
 * Then it reads commands from stdin, one a line:
 *
 *	in | out	sends PACKETS segments of that connection with LENGTH bytes of data each, one after the other, ROUNDS
 *			times, from the client or from the real server
 *	open N		opens N more connections, each from a client port of its own: SYN, SYN-ACK, ACK
 *	whole N		the same, and each carries 100 bytes both ways and is closed by a FIN of either side: 9 segments
 *	syn N		sends the SYNs of N more connections, and nothing else
 *	flooded N	as whole, and before each connection FLOOD SYNs of connections that go no further
 *
 * For each round it writes a line: COMMAND NANOSECONDS. The clock is CLOCK_MONOTONIC_RAW.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX_DATA = 1400, WARM_UP = 200, FIRST_PORT = 10000, PORTS = 50000, FLOOD = 100 };

/* The balancer answers SYNs itself; it is the other end. */
static bool proxied, listener;

struct frame {
	struct ether_header eth;
	struct iphdr ip;
	struct tcphdr tcp;
	uint8_t rest[64 + MAX_DATA]; /* options and data */
} __attribute__((packed));

/* One side: a device that faces the balancer, and the connection as that side sees it. */
struct side {
	const char *ns, *device;
	uint8_t mac[6];
	int fd;
	uint32_t saddr, daddr; /* network byte order, as are the ports */
	uint16_t sport, dport;
	uint32_t seq, ack, tsval, tsecr;
};

static void fail(const char *what)
{
	fprintf(stderr, "segments: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void fail_with(const char *what)
{
	fprintf(stderr, "segments: %s\n", what);
	exit(1);
}

static void enter(const char *name)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/run/netns/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET)) fail(path);
	close(fd);
}

/* A socket for frames of the device. A receiving one is for all protocols, because only those get frames that are
 * dropped at ingress. A sending one receives nothing, which would cost instructions. */
static void open_side(struct side *s, bool receive)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = receive ? htons(ETH_P_ALL) : 0 };
	struct timeval patience = { .tv_sec = 10 };

	enter(s->ns);
	at.sll_ifindex = (int)if_nametoindex(s->device);
	s->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (s->fd < 0 || at.sll_ifindex == 0 || bind(s->fd, (void *)&at, sizeof(at))) fail(s->device);
	setsockopt(s->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
}

static uint32_t sum(const void *data, size_t length, uint32_t from)
{
	const uint8_t *bytes = data;

	for (size_t i = 0; i < length; i++) from += i % 2 ? bytes[i] : (uint32_t)bytes[i] << 8;
	return from;
}

static uint16_t fold(uint32_t value)
{
	while (value >> 16) value = (value & 0xffff) + (value >> 16);
	return htons((uint16_t)~value);
}

static uint8_t *put32(uint8_t *p, uint32_t value)
{
	value = htonl(value);
	memcpy(p, &value, 4);
	return p + 4;
}

/* Flags of a segment, as build() and pass() take them. */
enum { SYN = 1, ACK = 2, FIN = 4 };

/* Builds the side's next segment; returns the frame's length. Like Linux: MSS, SACK and timestamps with SYN, else
 * timestamps. Data is the bytes 0, 1, 2, ... */
static size_t build(const struct side *s, struct frame *f, int flags, size_t length)
{
	uint8_t *p = f->rest;
	size_t tcplen;

	memset(f, 0, sizeof(*f));
	memcpy(f->eth.ether_dhost, s->mac, 6);
	memcpy(f->eth.ether_shost, "\x02\0\0\0\0\1", 6);
	f->eth.ether_type = htons(ETHERTYPE_IP);
	if (flags & SYN) {
		p = put32(p, 2u << 24 | 4 << 16 | 1460);
		p = put32(p, 4u << 24 | 2 << 16 | 8 << 8 | 10);
	} else {
		p = put32(p, 1u << 24 | 1 << 16 | 8 << 8 | 10);
	}
	p = put32(p, s->tsval);
	p = put32(p, s->tsecr);
	f->tcp.doff = (unsigned)(sizeof(f->tcp) + (size_t)(p - f->rest)) / 4 & 15;
	for (size_t i = 0; i < length; i++) *p++ = (uint8_t)i;
	tcplen = sizeof(f->tcp) + (size_t)(p - f->rest);

	f->tcp.source = s->sport;
	f->tcp.dest = s->dport;
	f->tcp.seq = htonl(s->seq);
	f->tcp.ack_seq = htonl(flags & ACK ? s->ack : 0);
	f->tcp.syn = !!(flags & SYN);
	f->tcp.ack = !!(flags & ACK);
	f->tcp.fin = !!(flags & FIN);
	f->tcp.psh = length > 0;
	f->tcp.window = htons(64000);

	f->ip.version = 4;
	f->ip.ihl = 5;
	f->ip.ttl = 64;
	f->ip.protocol = IPPROTO_TCP;
	f->ip.frag_off = htons(0x4000);
	f->ip.tot_len = htons((uint16_t)(sizeof(f->ip) + tcplen));
	f->ip.saddr = s->saddr;
	f->ip.daddr = s->daddr;
	f->ip.check = fold(sum(&f->ip, sizeof(f->ip), 0));
	f->tcp.check = fold(sum(&f->tcp, tcplen, sum(&f->ip.saddr, 8, IPPROTO_TCP + (uint32_t)tcplen)));
	return sizeof(f->eth) + sizeof(f->ip) + tcplen;
}

static void send_frame(const struct side *s, const struct frame *f, size_t length)
{
	if (send(s->fd, f, length, 0) != (ssize_t)length) fail("send");
}

/* Waits for the segment that the other side sent, and takes from it the addresses and numbers of the answer. */
static void receive(struct side *s, int flags, size_t length)
{
	struct frame f;

	for (;;) {
		struct sockaddr_ll from;
		socklen_t fromlen = sizeof(from);
		ssize_t got = recvfrom(s->fd, &f, sizeof(f), 0, (void *)&from, &fromlen);
		size_t hdrlen, data;

		if (got < 0) fail("no segment came through");
		if (from.sll_pkttype == PACKET_OUTGOING || (size_t)got < sizeof(f) - sizeof(f.rest)) continue;
		if (f.eth.ether_type != htons(ETHERTYPE_IP) || f.ip.protocol != IPPROTO_TCP || f.tcp.syn != !!(flags & SYN)) continue;
		hdrlen = f.tcp.doff * 4u;
		data = ntohs(f.ip.tot_len) - sizeof(f.ip) - hdrlen;
		if (f.tcp.rst) fail_with("the connection was reset");
		if (data != length) continue;
		for (size_t i = 0; i < data; i++) {
			if (f.rest[hdrlen - sizeof(f.tcp) + i] != (uint8_t)i) fail_with("data came through altered");
		}
		/* The device of a listener computes checksums, and a veth device leaves that out. */
		if (!listener && fold(sum(&f.tcp, hdrlen + data, sum(&f.ip.saddr, 8, IPPROTO_TCP + (uint32_t)(hdrlen + data)))) != 0)
			fail_with("a segment came through with a wrong checksum");
		s->saddr = f.ip.daddr;
		s->daddr = f.ip.saddr;
		s->sport = f.tcp.dest;
		s->dport = f.tcp.source;
		s->ack = ntohl(f.tcp.seq) + (uint32_t)data + (flags & (SYN | FIN) ? 1 : 0);
		for (const uint8_t *p = f.rest; p + 6 <= f.rest + hdrlen - sizeof(f.tcp);) {
			if (p[0] == 8) memcpy(&s->tsecr, p + 2, 4), s->tsecr = ntohl(s->tsecr);
			if (p[0] == 0) break;
			p += p[0] == 1 || p[1] < 2 ? 1 : p[1];
		}
		return;
	}
}

static void give(struct side *from, int flags, size_t length)
{
	struct frame f;
	size_t framelen = build(from, &f, flags, length);

	send_frame(from, &f, framelen);
	from->seq += (uint32_t)length + (flags & (SYN | FIN) ? 1 : 0);
}

/* One segment from side to side. */
static void pass(struct side *from, struct side *to, int flags, size_t length)
{
	give(from, flags, length);
	receive(to, flags, length);
}

/* The handshake of one side with the balancer. */
static void shake_hands(struct side *client)
{
	give(client, SYN, 0);
	receive(client, SYN | ACK, 0);
	give(client, ACK, 0);
}

static void open_connection(struct side *client, struct side *server)
{
	if (proxied) {
		shake_hands(client);
		receive(server, SYN, 0);
		give(server, SYN | ACK, 0);
		receive(server, ACK, 0);
		/* The window is open. */
		receive(client, ACK, 0);
		return;
	}
	pass(client, server, SYN, 0);
	pass(server, client, SYN | ACK, 0);
	pass(client, server, ACK, 0);
}

/* Data both ways, so that the handshake is over for both sides and the balancer. */
static void exchange(struct side *client, struct side *server)
{
	pass(client, server, ACK, 100);
	pass(server, client, ACK, 100);
	pass(client, server, ACK, 0);
}

static void close_connection(struct side *client, struct side *server)
{
	pass(client, server, FIN | ACK, 0);
	pass(server, client, FIN | ACK, 0);
	pass(client, server, ACK, 0);
}

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_RAW, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void segment_rounds(const char *name, const struct side *s, long packets, size_t length, long count)
{
	struct frame f;
	size_t framelen = build(s, &f, ACK, length);

	for (long i = 0; i < WARM_UP; i++) send_frame(s, &f, framelen);
	while (count-- > 0) {
		uint64_t start = now(), end;

		for (long i = 0; i < packets; i++) send_frame(s, &f, framelen);
		end = now();
		printf("%s %llu\n", name, (unsigned long long)(end - start));
	}
	fflush(stdout);
}

static unsigned long made;

/* The next client: an address and port that no connection has had. */
static void next_client(const struct side *first, struct side *from)
{
	from->saddr = htonl(ntohl(first->saddr) + 1 + (uint32_t)(made / PORTS));
	from->sport = htons((uint16_t)(FIRST_PORT + made % PORTS));
	made++;
}

static void send_syns(const struct side *client, struct side *from, long count)
{
	for (long i = 0; i < count; i++) {
		struct frame f;

		next_client(client, from);
		send_frame(from, &f, build(from, &f, SYN, 0));
	}
}

static void syns(const struct side *client, long count)
{
	struct side c = *client;
	uint64_t start, end;

	open_side(&c, false);
	start = now();
	send_syns(client, &c, count);
	end = now();
	close(c.fd);
	printf("syn %llu\n", (unsigned long long)(end - start));
	fflush(stdout);
}

/* COUNT connections, one after the other. They have sockets that receive, as a handshake has to be answered; the flood
 * beside them has one of its own, which does not.
 */
static void connections(const char *name, const struct side *client, const struct side *server, long count, bool whole,
			long flood)
{
	struct side c = *client, s = *server, attacker = *client;
	uint64_t start, end;

	open_side(&c, true);
	open_side(&s, true);
	open_side(&attacker, false);
	start = now();
	for (long i = 0; i < count; i++) {
		struct side from = c, to = s;

		send_syns(client, &attacker, flood);
		next_client(client, &from);
		open_connection(&from, &to);
		if (!whole) continue;
		exchange(&from, &to);
		close_connection(&from, &to);
	}
	end = now();
	close(attacker.fd);
	close(c.fd);
	close(s.fd);
	printf("%s %llu\n", name, (unsigned long long)(end - start));
	fflush(stdout);
}

static void parse_mac(const char *text, uint8_t *mac)
{
	if (sscanf(text, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", mac, mac + 1, mac + 2, mac + 3, mac + 4, mac + 5) != 6)
		fail_with("a hardware address has six bytes");
}

int main(int argc, char **argv)
{
	struct side client = { .sport = htons(40000), .seq = 1000000, .tsval = 5000 };
	struct side server = { .seq = 2000000, .tsval = 7000 };
	struct side client_start, server_start;
	long packets, count;
	char line[32], *colon;
	size_t length;

	if ((argc != 12 && argc != 13) || !(colon = strchr(argv[5], ':'))) fail_with("wrong arguments");
	proxied = argc == 13 && strcmp(argv[12], "proxied") == 0;
	listener = argc == 13 && strcmp(argv[12], "listener") == 0;
	if (argc == 13 && !proxied && !listener) fail_with("wrong arguments");
	/* A SYN of a tuple that has an open connection would go to the real server. */
	if (proxied) client.sport = htons((uint16_t)(40000 + getpid() % 20000));
	client.ns = argv[1];
	client.device = argv[2];
	parse_mac(argv[3], client.mac);
	client.saddr = inet_addr(argv[4]);
	*colon = '\0';
	client.daddr = inet_addr(argv[5]);
	client.dport = htons((uint16_t)atoi(colon + 1));
	server.ns = argv[6];
	server.device = argv[7];
	parse_mac(argv[8], server.mac);
	packets = atol(argv[9]);
	length = (size_t)atol(argv[10]);
	count = atol(argv[11]);
	if (packets <= 0 || length > MAX_DATA || count <= 0) fail_with("wrong numbers");

	open_side(&client, true);
	open_side(&server, true);
	client_start = client;
	server_start = server;
	if (listener) {
		shake_hands(&client);
	} else {
		open_connection(&client, &server);
		exchange(&client, &server);
	}
	close(client.fd);
	close(server.fd);
	open_side(&client, false);
	open_side(&server, false);
	puts("ready");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "open ", 5) == 0)
			connections("open", &client_start, &server_start, atol(line + 5), false, 0);
		else if (strncmp(line, "whole ", 6) == 0)
			connections("whole", &client_start, &server_start, atol(line + 6), true, 0);
		else if (strncmp(line, "flooded ", 8) == 0)
			connections("flooded", &client_start, &server_start, atol(line + 8), true, FLOOD);
		else if (strncmp(line, "syn ", 4) == 0)
			syns(&client_start, atol(line + 4));
		else
			segment_rounds(line, strcmp(line, "out") == 0 ? &server : &client, packets, length, count);
	}
	return 0;
}
