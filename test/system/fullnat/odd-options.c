// SPDX-License-Identifier: MIT
/*
 * Makes the TCP options of a client start at odd offsets, which no kernel does: between a TUN device in the client's
 * namespace and one in the router's it moves all options of the client's segments behind a single NOP, without
 * alignment.
 *
 *   odd-options CLIENT_NETNS ROUTER_NETNS    devices odd0 in both; prints "ready", ends with its standard input and then
 *                                            prints how many segments it has changed
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

static void die(const char *what)
{
	fprintf(stderr, "odd-options: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int openTun(const char *netns)
{
	char path[128];
	struct ifreq ifr = { .ifr_name = "odd0", .ifr_flags = IFF_TUN | IFF_NO_PI };
	int ns, fd;

	snprintf(path, sizeof(path), "/run/netns/%s", netns);
	ns = open(path, O_RDONLY | O_CLOEXEC);
	if (ns < 0 || setns(ns, CLONE_NEWNET))
		die(path);
	close(ns);
	fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		die("/dev/net/tun");
	if (ioctl(fd, TUNSETIFF, &ifr))
		die("odd0");
	return fd;
}

static uint32_t sum(const uint8_t *p, int len)
{
	uint32_t total = 0;

	/* An option area is a multiple of four bytes. */
	for (; len > 0; len -= 2, p += 2)
		total += p[0] << 8 | p[1];
	return total;
}

/* Moves the options of a segment, in an area of the same length. Returns whether they changed. */
static int makeOdd(struct iphdr *ip, int len)
{
	struct tcphdr *th = (void *)((uint8_t *)ip + ip->ihl * 4);
	uint8_t *opt = (uint8_t *)(th + 1), laid[40];
	int area, from = 0, to = 1;
	uint32_t check;

	if (ip->protocol != IPPROTO_TCP || ip->frag_off & htons(0x1fff) || len < ip->ihl * 4 + (int)sizeof(*th))
		return 0;
	area = th->doff * 4 - sizeof(*th);
	if (area <= 0 || opt + area > (uint8_t *)ip + len)
		return 0;
	memset(laid, 1, sizeof(laid));
	while (from < area && opt[from]) {
		if (opt[from] == 1) {
			from++;
			continue;
		}
		if (from + 1 >= area || opt[from + 1] < 2 || from + opt[from + 1] > area || to + opt[from + 1] > area)
			return 0;
		memcpy(laid + to, opt + from, opt[from + 1]);
		to += opt[from + 1];
		from += opt[from + 1];
	}
	if (to == 1 || !memcmp(opt, laid, area))
		return 0;
	check = (uint16_t)~ntohs(th->check) + sum(laid, area) + 0xffff * 20 - sum(opt, area);
	while (check >> 16)
		check = (check & 0xffff) + (check >> 16);
	th->check = htons(~check);
	memcpy(opt, laid, area);
	return 1;
}

int main(int argc, char **argv)
{
	static uint32_t buf[16384];
	struct pollfd fds[3] = { { .events = POLLIN }, { .events = POLLIN }, { .events = POLLIN } };
	unsigned long changed = 0;
	int i, len;

	if (argc != 3) {
		fprintf(stderr, "usage: odd-options CLIENT_NETNS ROUTER_NETNS\n");
		return 2;
	}
	fds[0].fd = openTun(argv[1]);
	fds[1].fd = openTun(argv[2]);
	fds[2].fd = 0;
	puts("ready");
	fflush(stdout);
	for (;;) {
		if (poll(fds, 3, -1) < 0)
			die("poll");
		if (fds[2].revents) {
			printf("%lu\n", changed);
			return 0;
		}
		for (i = 0; i < 2; i++) {
			while ((len = read(fds[i].fd, buf, sizeof(buf))) > 0) {
				if (i == 0 && len >= 40)
					changed += makeOdd((struct iphdr *)buf, len);
				/* A device that is down or full loses packets, as any network may. */
				if (write(fds[!i].fd, buf, len) < 0 && errno != EIO && errno != ENOBUFS && errno != EAGAIN)
					die("write");
			}
		}
	}
}
