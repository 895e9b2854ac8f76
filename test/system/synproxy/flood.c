// SPDX-License-Identifier: MIT
/*
 * flood KIND VIP PORT COUNT RATE: sends COUNT segments without a connection to VIP:PORT from random addresses in
 * 198.18.0.0/15, RATE a second. KIND: syn, ack, rst, data. Prints how many it sent and the milliseconds that took.
 */
#include <arpa/inet.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PAYLOAD 100

struct packet {
	struct iphdr ip;
	struct tcphdr tcp;
	char payload[PAYLOAD];
};

static uint64_t state = 88172645463325252ULL;

static uint32_t any(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state >> 16;
}

static uint32_t sum(const void *from, size_t len, uint32_t total)
{
	const uint8_t *p = from;

	for (size_t i = 0; i < len; i += 2)
		total += p[i] << 8 | p[i + 1];
	return total;
}

static uint16_t fold(uint32_t total)
{
	while (total >> 16)
		total = (total & 0xffff) + (total >> 16);
	return htons(~total & 0xffff);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	struct packet p = { .ip = { .version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_TCP } };
	int fd = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
	unsigned long count, sent = 0;
	double start, rate;
	size_t len;

	if (argc != 6 || fd < 0 || inet_pton(AF_INET, argv[2], &to.sin_addr) != 1) {
		fprintf(stderr, "usage: flood syn|ack|rst|data VIP PORT COUNT RATE, as root\n");
		return 2;
	}
	count = strtoul(argv[4], NULL, 10);
	rate = strtod(argv[5], NULL);
	len = sizeof(p.tcp) + (strcmp(argv[1], "data") ? 0 : PAYLOAD);
	p.ip.tot_len = htons(sizeof(p.ip) + len);
	p.ip.daddr = to.sin_addr.s_addr;
	p.tcp.dest = htons(atoi(argv[3]));
	p.tcp.doff = 5;
	p.tcp.window = htons(64240);
	p.tcp.syn = !strcmp(argv[1], "syn");
	p.tcp.rst = !strcmp(argv[1], "rst");
	p.tcp.ack = !p.tcp.syn && !p.tcp.rst;
	start = now();
	for (unsigned long i = 0; i < count; i++) {
		uint32_t total;

		p.ip.saddr = htonl(0xc6120000 | (any() & 0x1ffff));
		p.tcp.source = htons(1024 + any() % 64000);
		p.tcp.seq = any();
		p.tcp.ack_seq = p.tcp.ack ? any() : 0;
		p.tcp.check = 0;
		total = sum(&p.ip.saddr, 8, IPPROTO_TCP + len);
		p.tcp.check = fold(sum(&p.tcp, len, total));
		sent += sendto(fd, &p, sizeof(p.ip) + len, 0, (struct sockaddr *)&to, sizeof(to)) > 0;
		while (i / rate > now() - start)
			usleep(1000);
	}
	printf("%lu %.0f\n", sent, (now() - start) * 1000);
	return 0;
}
