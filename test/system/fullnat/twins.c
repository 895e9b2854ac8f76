// SPDX-License-Identifier: MIT
/*
 * SYNs that reach the balancer on two CPUs at once.
 *
 *   twins SOURCE OTHER DESTINATION PORT STEP FIRST COUNT DELAY
 *
 * COUNT times, two threads, each on its own CPU, send a SYN with different numbers at the same moment: one from SOURCE,
 * one from OTHER, which may be the same; first from source port FIRST to PORT, then from the next source port to the
 * port STEP further on. The one from SOURCE is delayed by up to DELAY turns of an empty loop. Needs CAP_NET_RAW.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static struct in_addr sources[2], destination;
static int port, step, first, count, delay;
static int arrived;

static uint16_t checksum(const void *from, size_t length, uint32_t sum)
{
	const uint16_t *words = from;

	for (size_t i = 0; i < length / 2; i++)
		sum += words[i];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

static void *send_all(void *cpu)
{
	struct {
		struct iphdr ip;
		struct tcphdr tcp;
	} packet = {
		.ip = { .version = 4, .ihl = 5, .ttl = 64, .frag_off = htons(IP_DF), .protocol = IPPROTO_TCP,
			.tot_len = htons(sizeof(packet)), .saddr = sources[(intptr_t)cpu].s_addr, .daddr = destination.s_addr },
		.tcp = { .doff = 5, .syn = 1, .window = htons(30000) },
	};
	const struct {
		uint32_t saddr, daddr;
		uint16_t protocol, length;
	} pseudo = { sources[(intptr_t)cpu].s_addr, destination.s_addr, htons(IPPROTO_TCP), htons(sizeof(packet.tcp)) };
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr = destination };
	int fd = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((intptr_t)cpu, &set);
	if (fd < 0 || sched_setaffinity(0, sizeof(set), &set)) {
		perror("twins");
		exit(1);
	}
	for (int i = 0; i < count; i++) {
		packet.tcp.source = htons(first + i);
		packet.tcp.dest = htons(port + i * step);
		packet.tcp.seq = htonl(i * 1000 + (intptr_t)cpu * 100000000);
		packet.tcp.check = 0;
		packet.tcp.check = checksum(&packet.tcp, sizeof(packet.tcp), (uint16_t)~checksum(&pseudo, sizeof(pseudo), 0));
		__atomic_add_fetch(&arrived, 1, __ATOMIC_SEQ_CST);
		while (__atomic_load_n(&arrived, __ATOMIC_SEQ_CST) < 2 * (i + 1))
			continue;
		/* every delay up to the longest, in no order */
		if (delay && !cpu)
			for (volatile int turns = (int)(i * 7919L % delay); turns > 0; turns--)
				continue;
		if (sendto(fd, &packet, sizeof(packet), 0, (struct sockaddr *)&to, sizeof(to)) < 0) {
			perror("twins: sendto");
			exit(1);
		}
	}
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t threads[2];

	if (argc != 9 || !inet_aton(argv[1], &sources[0]) || !inet_aton(argv[2], &sources[1]) ||
	    !inet_aton(argv[3], &destination))
		return 2;
	port = atoi(argv[4]);
	step = atoi(argv[5]);
	first = atoi(argv[6]);
	count = atoi(argv[7]);
	delay = atoi(argv[8]);
	for (intptr_t cpu = 0; cpu < 2; cpu++)
		if (pthread_create(&threads[cpu], NULL, send_all, (void *)cpu))
			return 1;
	for (int cpu = 0; cpu < 2; cpu++)
		pthread_join(threads[cpu], NULL);
	return 0;
}
