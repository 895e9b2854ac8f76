// SPDX-License-Identifier: MIT
/* Shared by the parts of the segment fuzzer: random numbers, the network, and the table of honest connections. */
#ifndef FUZZ_H
#define FUZZ_H

#include <arpa/inet.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* splitmix64: every decision follows from the seed alone. */
struct random {
	uint64_t state;
};

static inline uint64_t random_next(struct random *r)
{
	uint64_t z = (r->state += 0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

static inline uint32_t below(struct random *r, uint32_t limit)
{
	return (random_next(r) >> 32) * limit >> 32;
}

static inline bool chance(struct random *r, uint32_t percent)
{
	return below(r, 100) < percent;
}

/* The network that network.ts makes. Addresses are in host byte order throughout. */
#define IP(a, b, c, d) ((uint32_t)(a) << 24 | (b) << 16 | (c) << 8 | (d))
#define VIP IP(10, 99, 0, 10)
#define CLIENT IP(10, 1, 0, 2)
#define LADDR(n) (IP(10, 31, 3, 101) + (n))
#define REAL_SERVER(n) (IP(10, 31, 3, 11) + (n))
/* Addresses that are routed to the client and not in use: nothing answers there. */
#define NOBODY(n) (IP(10, 1, 1, 1) + (n))

/* Services of honest connections; network.ts configures them, and others for the fuzzer only. */
#define HONEST_PORT_FIRST 8001
#define HONEST_SERVICES 7
#define SERVICES 19
/* FULLNAT; the last one with SYN proxy. */
#define FULLNAT_SERVICES 4

/* Which of the FULLNAT services of honest connections a port belongs to, or -1. */
static inline int fullnat_index(uint16_t port)
{
	return port >= 8001 && port <= 8003 ? port - 8001 : port == 8007 ? 3 : -1;
}

#define is_fullnat(port) (fullnat_index(port) >= 0)

#define HONEST 16

/* An honest connection, open or closed, at which the fuzzer sends segments. */
struct honest_slot {
	uint16_t port, service;
	bool alive, established;
	double since;
	/* FULLNAT: its tuple at the real server. */
	uint32_t laddr, server;
	uint16_t lport;
};

struct shared {
	volatile bool stop, ready;
	volatile bool toa_module;
	struct honest_slot slots[HONEST];
	volatile uint64_t opened[HONEST_SERVICES], closed[HONEST_SERVICES], bytes[HONEST_SERVICES];
	volatile uint64_t clients_checked;
	volatile int failures;
	char failure[16][200];
};

extern struct shared *shared;

/* Records a failure; the first sixteen are reported. */
#define failure(...)                                                                                          \
	do {                                                                                                  \
		int at_ = __atomic_fetch_add(&shared->failures, 1, __ATOMIC_RELAXED);                         \
		if (at_ < 16)                                                                                 \
			snprintf(shared->failure[at_], sizeof(shared->failure[at_]), __VA_ARGS__);            \
	} while (0)

static inline void __attribute__((noreturn)) die(const char *what)
{
	perror(what);
	exit(3);
}

static inline double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

void enter_netns(const char *path);
/* A packet socket on a device for packets from or to the services' TCP ports. */
int packet_socket(const char *device, int only_incoming);
/* Reads the frames that have arrived; `each` gets the first bytes of one, with its headers, and their number. */
#define HEADERS 192
void read_packets(int wire, void (*each)(const uint8_t *frame, size_t length));

void honest_server(void);
void honest_clients(uint64_t seed);

#endif
