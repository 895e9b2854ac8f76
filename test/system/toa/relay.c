// SPDX-License-Identifier: MIT
/*
 * A balancer in user space for the tests of the toa module: between a TUN device in its own namespace, the client's,
 * and one in the server's it rewrites both addresses and adds TOA to the client's segments. The last byte of the
 * address that the client dials selects whether it does so correctly (enum mode).
 *
 *   relay SERVER_NETNS    devices cli0 and srv0; prints "ready", ends with its standard input
 *
 * Client 10.7.0.0/16 -> 10.8.0.MODE:p becomes 10.9.0.254:lport (untrusted: 10.9.1.254) -> 10.9.0.10:p.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum mode {
	GOOD = 1,
	NO_TOA = 2,
	BAD_LENGTH = 3,		/* kind 254 with the length 6 */
	TRUNCATED = 4,		/* the list ends in the middle of an option */
	PORT_ZERO = 5,
	DATA_ONLY = 6,		/* TOA only on segments that carry data */
	LAST = 7,		/* TOA after the other options */
	AFTER_EXPERIMENT = 8,	/* after another experiment's option of kind 254 */
	KIND_200 = 9,
	UNTRUSTED = 10,
	FORGED_SECOND = 11,	/* a client's own TOA after the balancer's */
};

#define SERVER 0x0a09000a
#define LOCAL 0x0a0900fe
#define LOCAL_UNTRUSTED 0x0a0901fe
#define FIRST_PORT 2000
#define SLOTS 60000

/* A slot is a connection; the local port follows from its number. */
static struct conn {
	uint32_t caddr, vaddr;
	uint16_t cport, vport;
} conns[SLOTS];

static void die(const char *what)
{
	fprintf(stderr, "relay: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int open_tun(const char *netns, const char *name)
{
	char path[128];
	struct ifreq ifr = { .ifr_flags = IFF_TUN | IFF_NO_PI };
	int ns, fd;

	if (netns) {
		snprintf(path, sizeof(path), "/run/netns/%s", netns);
		ns = open(path, O_RDONLY | O_CLOEXEC);
		if (ns < 0 || setns(ns, CLONE_NEWNET))
			die(path);
		close(ns);
	}
	fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		die("/dev/net/tun");
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	if (ioctl(fd, TUNSETIFF, &ifr))
		die(name);
	return fd;
}

static uint32_t sum(const void *data, size_t len, uint32_t start)
{
	const uint8_t *p = data;
	size_t i;

	for (i = 0; i + 1 < len; i += 2)
		start += p[i] << 8 | p[i + 1];
	if (len & 1)
		start += p[len - 1] << 8;
	return start;
}

static uint16_t fold(uint32_t s)
{
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return htons(~s);
}

static void checksums(struct iphdr *ip, struct tcphdr *th, size_t tcp_len)
{
	ip->check = 0;
	ip->check = fold(sum(ip, sizeof(*ip), 0));
	th->check = 0;
	th->check = fold(sum(th, tcp_len, sum(&ip->saddr, 8, IPPROTO_TCP + tcp_len)));
}

/* The local port of a connection, a new one for a new connection. */
static uint16_t local_port(const struct iphdr *ip, const struct tcphdr *th)
{
	struct conn key = { ip->saddr, ip->daddr, th->source, th->dest };
	uint32_t slot = (ntohl(key.caddr) * 2654435761u ^ ntohs(key.cport) * 40503u ^ ntohl(key.vaddr) * 97u) % SLOTS;
	int tries;

	for (tries = 0; tries < SLOTS; tries++, slot = (slot + 1) % SLOTS) {
		if (!conns[slot].caddr)
			conns[slot] = key;
		if (!memcmp(&conns[slot], &key, sizeof(key)))
			return FIRST_PORT + slot;
	}
	fprintf(stderr, "relay: no port is left\n");
	exit(1);
}

/* Writes the options to add; returns their length, a multiple of 4. */
static int make_toa(enum mode mode, const struct iphdr *ip, const struct tcphdr *th, int has_data, uint8_t *o)
{
	uint8_t good[8] = { 254, 8 };

	memcpy(good + 2, &th->source, 2);
	memcpy(good + 4, &ip->saddr, 4);
	memcpy(o, good, 8);
	switch (mode) {
	case NO_TOA:
		return 0;
	case BAD_LENGTH:
		o[1] = 6;
		o[6] = o[7] = 1;
		return 8;
	case TRUNCATED:
		/* added after the other options, see add_toa() */
		memcpy(o, (uint8_t[]){ 1, 1, 77, 30 }, 4);
		return 4;
	case PORT_ZERO:
		o[2] = o[3] = 0;
		return 8;
	case DATA_ONLY:
		return has_data ? 8 : 0;
	case AFTER_EXPERIMENT:
		memcpy(o, (uint8_t[]){ 254, 4, 0xab, 0xcd }, 4);
		memcpy(o + 4, good, 8);
		return 12;
	case KIND_200:
		o[0] = 200;
		return 8;
	case FORGED_SECOND:
		memcpy(o + 8, (uint8_t[]){ 254, 8, 0, 99, 192, 0, 2, 66 }, 8);
		return 16;
	default:
		return 8;
	}
}

/* Adds the option to the segment at `ip`; returns the packet's new length. */
static int add_toa(enum mode mode, struct iphdr *ip, int len)
{
	struct tcphdr *th = (void *)(ip + 1);
	uint8_t *options = (uint8_t *)(th + 1), *end = (uint8_t *)th + th->doff * 4;
	uint8_t toa[16];
	int has_data = (uint8_t *)ip + len > end;
	int n = make_toa(mode, ip, th, has_data, toa);
	uint8_t *at = mode == LAST || mode == TRUNCATED ? end : options;

	if (th->doff * 4 + n > 60) {
		fprintf(stderr, "relay: no room in the header\n");
		exit(1);
	}
	memmove(at + n, at, (uint8_t *)ip + len - at);
	memcpy(at, toa, n);
	th->doff += n / 4;
	ip->tot_len = htons(len + n);
	return len + n;
}

static void to_server(int fd, struct iphdr *ip, int len)
{
	struct tcphdr *th = (void *)(ip + 1);
	enum mode mode = ntohl(ip->daddr) & 0xff;
	uint16_t port = local_port(ip, th);

	len = add_toa(mode, ip, len);
	ip->saddr = htonl(mode == UNTRUSTED ? LOCAL_UNTRUSTED : LOCAL);
	ip->daddr = htonl(SERVER);
	th->source = htons(port);
	checksums(ip, th, len - sizeof(*ip));
	if (write(fd, ip, len) != len)
		die("srv0");
}

static void to_client(int fd, struct iphdr *ip, int len)
{
	struct tcphdr *th = (void *)(ip + 1);
	unsigned int slot = ntohs(th->dest) - FIRST_PORT;
	const struct conn *conn;

	if (slot >= SLOTS || !conns[slot].caddr)
		return;
	conn = &conns[slot];
	ip->saddr = conn->vaddr;
	th->source = conn->vport;
	ip->daddr = conn->caddr;
	th->dest = conn->cport;
	checksums(ip, th, len - sizeof(*ip));
	if (write(fd, ip, len) != len)
		die("cli0");
}

int main(int argc, char **argv)
{
	static uint32_t buf[4096];
	struct iphdr *ip = (void *)buf;
	struct pollfd fds[3] = { { .events = POLLIN }, { .events = POLLIN }, { .events = POLLIN } };
	int i, len;

	if (argc != 2) {
		fprintf(stderr, "usage: relay SERVER_NETNS\n");
		return 2;
	}
	fds[0].fd = open_tun(NULL, "cli0");
	fds[1].fd = open_tun(argv[1], "srv0");
	fds[2].fd = 0;
	puts("ready");
	fflush(stdout);
	for (;;) {
		if (poll(fds, 3, -1) < 0)
			die("poll");
		if (fds[2].revents)
			return 0;
		for (i = 0; i < 2; i++) {
			if (!fds[i].revents)
				continue;
			len = read(fds[i].fd, buf, sizeof(buf) - 64);
			if (len < 0)
				die("read");
			if (len < 40 || ip->version != 4 || ip->ihl != 5 || ip->protocol != IPPROTO_TCP)
				continue;
			if (i == 0)
				to_server(fds[1].fd, ip, len);
			else
				to_client(fds[0].fd, ip, len);
		}
	}
}
