// SPDX-License-Identifier: MIT
/*
 * Sends blind segments: given addresses and ports, random sequence numbers.
 *
 *   blind SOURCE PORT DESTINATION PORT FLAGS COUNT SEED [PAYLOAD [OPTIONS]]
 *
 * FLAGS is the byte of the header, PAYLOAD a number of bytes, OPTIONS hex digits. Needs CAP_NET_RAW.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static uint64_t state;

static uint32_t any(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state >> 16;
}

static uint32_t sum(const void *from, size_t length, uint32_t start)
{
	const uint8_t *bytes = from;

	for (size_t i = 0; i < length; i++)
		start += i & 1 ? bytes[i] : bytes[i] << 8;
	return start;
}

static uint16_t fold(uint32_t value)
{
	while (value >> 16)
		value = (value & 0xffff) + (value >> 16);
	return htons(~value);
}

int main(int argc, char **argv)
{
	struct {
		struct iphdr ip;
		struct tcphdr tcp;
		uint8_t rest[1400];
	} packet = {};
	struct sockaddr_in to = { .sin_family = AF_INET };
	size_t payload, options = 0, length;
	unsigned long count;
	int fd;

	if (argc < 8)
		return 2;
	inet_aton(argv[1], (struct in_addr *)&packet.ip.saddr);
	inet_aton(argv[3], (struct in_addr *)&packet.ip.daddr);
	packet.tcp.source = htons(atoi(argv[2]));
	packet.tcp.dest = htons(atoi(argv[4]));
	count = strtoul(argv[6], NULL, 0);
	state = strtoull(argv[7], NULL, 0) | 1;
	payload = argc > 8 ? strtoul(argv[8], NULL, 0) : 0;
	for (const char *hex = argc > 9 ? argv[9] : ""; *hex; hex += 2)
		sscanf(hex, "%2hhx", &packet.rest[options++]);

	to.sin_addr.s_addr = packet.ip.daddr;
	length = sizeof(packet.ip) + sizeof(packet.tcp) + options + payload;
	packet.ip.version = 4;
	packet.ip.ihl = 5;
	packet.ip.ttl = 64;
	packet.ip.frag_off = htons(IP_DF);
	packet.ip.protocol = IPPROTO_TCP;
	packet.ip.tot_len = htons(length);
	((uint8_t *)&packet.tcp)[13] = strtoul(argv[5], NULL, 0);
	packet.tcp.doff = (sizeof(packet.tcp) + options) / 4;
	packet.tcp.window = htons(30000);
	memset(packet.rest + options, 'X', payload);

	fd = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
	if (fd < 0) {
		perror("blind: socket");
		return 1;
	}
	for (unsigned long i = 0; i < count; i++) {
		uint32_t pseudo;

		packet.tcp.seq = htonl(any());
		packet.tcp.ack_seq = packet.tcp.ack ? htonl(any()) : 0;
		packet.tcp.check = 0;
		pseudo = sum(&packet.ip.saddr, 8, IPPROTO_TCP + length - sizeof(packet.ip));
		packet.tcp.check = fold(sum(&packet.tcp, length - sizeof(packet.ip), pseudo));
		while (sendto(fd, &packet, length, 0, (struct sockaddr *)&to, sizeof(to)) < 0) {
			if (errno == ENOBUFS)
				continue;
			perror("blind: sendto");
			return 1;
		}
	}
	return 0;
}
