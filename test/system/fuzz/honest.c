// SPDX-License-Identifier: MIT
/*
 * Honest connections: the bytes that a client sends follow from a seed that its first message carries. The server
 * checks each byte and answers it, and compares the client's address that it sees with the one in that message.
 *
 * For FULLNAT this address comes from TOA: where the module toa is loaded, accept() returns it; elsewhere the server
 * reads the option from the packets.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"

#define STALLED 60.0
#define SERVED 512
#define TRAILER 4000

enum ending { CLIENT_CLOSES, SERVER_CLOSES, CLIENT_RESETS, CLIENT_SHUTS_DOWN, ENDINGS };

struct hello {
	uint32_t magic, address, seed, length;
	uint16_t port, slot;
	uint32_t ending;
};

#define MAGIC 0x6c767364

static uint8_t byte_at(uint32_t seed, uint32_t at)
{
	uint64_t z = (uint64_t)seed << 32 | (at >> 3);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z >> (8 * (at & 7));
}

static void fill(uint8_t *to, uint32_t seed, uint32_t at, size_t length, uint8_t mask)
{
	for (size_t i = 0; i < length; i++)
		to[i] = byte_at(seed, at + i) ^ mask;
}

static bool same(const uint8_t *bytes, uint32_t seed, uint32_t at, size_t length, uint8_t mask)
{
	for (size_t i = 0; i < length; i++)
		if (bytes[i] != (byte_at(seed, at + i) ^ mask))
			return false;
	return true;
}

static const char *text(uint32_t address)
{
	static char texts[4][16];
	static int turn;
	char *into = texts[turn++ & 3];

	snprintf(into, 16, "%u.%u.%u.%u", address >> 24, address >> 16 & 255, address >> 8 & 255, address & 255);
	return into;
}

/* The server */

struct toa_client {
	uint32_t address;
	uint16_t port;
};

/* The client of each local address and port, from the last TOA received from there. */
static struct toa_client toa_clients[3][2][FULLNAT_SERVICES][65536];
static int wire;

static struct toa_client *toa_client_of(uint32_t laddr, uint16_t lport, uint32_t server, uint16_t port)
{
	uint32_t l = laddr - LADDR(0), s = server - REAL_SERVER(0);

	if (l > 2 || s > 1 || !is_fullnat(port))
		return NULL;
	return &toa_clients[l][s][fullnat_index(port)][lport];
}

static uint16_t get16(const uint8_t *at) { return at[0] << 8 | at[1]; }
static uint32_t get32(const uint8_t *at) { return (uint32_t)get16(at) << 16 | get16(at + 2); }

static void read_toa(const uint8_t *frame, size_t n)
{
	const uint8_t *ip = frame + 14, *tcp;
	size_t header, options;
	struct toa_client *entry;

	if (n < 54 || ip[0] >> 4 != 4 || ip[9] != 6 || get16(ip + 6) & 0x1fff)
		return;
	header = (ip[0] & 15) * 4;
	tcp = ip + header;
	if (14 + header + 20 > n)
		return;
	options = (tcp[12] >> 4) * 4;
	entry = toa_client_of(get32(ip + 12), get16(tcp), get32(ip + 16), get16(tcp + 2));
	if (!entry || 14 + header + options > n)
		return;
	for (size_t at = 20; at + 1 < options && tcp[at];) {
		size_t length = tcp[at] == 1 ? 1 : tcp[at + 1];

		if (length == 0 || at + length > options)
			break;
		if (tcp[at] == 254 && length == 8)
			*entry = (struct toa_client){ get32(tcp + at + 4), get16(tcp + at + 2) };
		at += length;
	}
}

/* The packet socket sees each packet before its data reach a TCP socket. */
static void read_wire(void)
{
	read_packets(wire, read_toa);
}

struct served {
	int fd;
	uint16_t service;
	uint32_t got, echoed;
	bool greeted, ended;
	size_t have;
	struct hello hello;
	uint8_t held[4096];
};

static void check_client(struct served *s)
{
	struct sockaddr_in peer, own;
	socklen_t length = sizeof(peer);
	uint32_t address;
	uint16_t port;
	struct toa_client *entry;

	if (getpeername(s->fd, (void *)&peer, &length))
		return;
	length = sizeof(own);
	getsockname(s->fd, (void *)&own, &length);
	address = ntohl(peer.sin_addr.s_addr);
	port = ntohs(peer.sin_port);
	if (is_fullnat(s->service) && !shared->toa_module) {
		read_wire();
		entry = toa_client_of(address, port, ntohl(own.sin_addr.s_addr), s->service);
		if (s->hello.slot < HONEST) {
			struct honest_slot *slot = &shared->slots[s->hello.slot];

			slot->laddr = address;
			slot->lport = port;
			slot->server = ntohl(own.sin_addr.s_addr);
		}
		if (!entry || !entry->address) {
			failure("service %u: no TOA received for the client behind %s:%u", s->service, text(address), port);
			return;
		}
		address = entry->address;
		port = entry->port;
	}
	if (address != s->hello.address || port != s->hello.port)
		failure("service %u: client seen as %s:%u, it is %s:%u", s->service, text(address), port,
			text(s->hello.address), s->hello.port);
	__atomic_fetch_add(&shared->clients_checked, 1, __ATOMIC_RELAXED);
}

/* Returns true while the connection goes on. Data of the fuzzer's own connections is not checked. */
static bool serve(struct served *s)
{
	uint8_t data[4096];
	ssize_t n;

	if (!s->greeted) {
		n = recv(s->fd, (uint8_t *)&s->hello + s->have, sizeof(s->hello) - s->have, 0);
		if (n <= 0)
			return n < 0 && errno == EAGAIN;
		s->have += n;
		if (s->have < sizeof(s->hello))
			return true;
		if (s->hello.magic != MAGIC)
			return false;
		s->greeted = true;
		check_client(s);
	}
	while (s->got < s->hello.length || s->hello.ending == CLIENT_SHUTS_DOWN || s->hello.ending == CLIENT_CLOSES ||
	       s->hello.ending == CLIENT_RESETS) {
		n = recv(s->fd, data, sizeof(data), 0);
		if (n < 0 && errno == EAGAIN)
			return true;
		if (n < 0) {
			if (s->hello.ending != CLIENT_RESETS || s->got < s->hello.length)
				failure("service %u: server after %u of %u bytes: %s", s->service, s->got, s->hello.length,
					strerror(errno));
			return false;
		}
		if (n == 0) {
			if (s->got != s->hello.length)
				failure("service %u: server sees the end after %u of %u bytes", s->service, s->got,
					s->hello.length);
			if (s->hello.ending == CLIENT_SHUTS_DOWN) {
				fill(data, s->hello.seed, s->got, TRAILER, 0xa5);
				if (send(s->fd, data, TRAILER, MSG_NOSIGNAL) != TRAILER)
					failure("service %u: no trailer: %s", s->service, strerror(errno));
			}
			return false;
		}
		if (s->got + n > s->hello.length || !same(data, s->hello.seed, s->got, n, 0))
			failure("service %u: wrong bytes reach the server at %u of %u", s->service, s->got, s->hello.length);
		for (ssize_t i = 0; i < n; i++)
			data[i] ^= 0x5a;
		s->got += n;
		/* The client never has more than 4 KB unanswered, so that the send buffer suffices. */
		if (send(s->fd, data, n, MSG_NOSIGNAL) != n && s->hello.ending != CLIENT_RESETS)
			failure("service %u: server cannot answer: %s", s->service, strerror(errno));
	}
	return false;
}

static int listen_on(uint16_t port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd < 0 || bind(fd, (void *)&at, sizeof(at)) || listen(fd, 1024))
		die("listen");
	return fd;
}

void honest_server(void)
{
	static struct served served[SERVED];
	static struct pollfd polls[HONEST_SERVICES + SERVED];
	int used = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	wire = packet_socket("eth0", 1);
	for (int i = 0; i < HONEST_SERVICES; i++)
		polls[i] = (struct pollfd){ .fd = listen_on(HONEST_PORT_FIRST + i), .events = POLLIN };
	shared->ready = true;
	for (;;) {
		struct pollfd *of = polls + HONEST_SERVICES;

		for (int i = 0; i < used; i++)
			of[i] = (struct pollfd){ .fd = served[i].fd, .events = POLLIN };
		/* Does not wait for the packet socket: 100 ms is too short for its buffer to fill. */
		poll(polls, HONEST_SERVICES + used, 100);
		read_wire();
		for (int i = used - 1; i >= 0; i--) {
			if (!of[i].revents || serve(&served[i]))
				continue;
			close(served[i].fd);
			served[i] = served[--used];
		}
		for (int i = 0; i < HONEST_SERVICES; i++) {
			int fd;

			while (polls[i].revents && (fd = accept4(polls[i].fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
				/* The oldest connection without a hello is one of the fuzzer's. */
				for (int j = 0; used == SERVED && j < used; j++) {
					if (served[j].greeted)
						continue;
					close(served[j].fd);
					memmove(served + j, served + j + 1, (--used - j) * sizeof(served[0]));
				}
				served[used++] = (struct served){ .fd = fd, .service = HONEST_PORT_FIRST + i };
			}
		}
	}
}

/* The clients */

enum phase { IDLE, CONNECTING, TALKING, DRAINING };

struct talk {
	int fd, slot;
	enum phase phase;
	struct random random;
	struct hello hello;
	uint16_t service, last_port;
	uint32_t sent, answered, trailer;
	double progress, next;
};

#define say_failure(t, format, ...)                                                                           \
	failure("service %u port %u, %u of %u sent, %u answered: " format, (t)->service, (t)->hello.port, (t)->sent, \
		(t)->hello.length, (t)->answered, ##__VA_ARGS__)

static void finish(struct talk *t, bool well)
{
	if (well) {
		__atomic_fetch_add(&shared->closed[t->service - HONEST_PORT_FIRST], 1, __ATOMIC_RELAXED);
		__atomic_fetch_add(&shared->bytes[t->service - HONEST_PORT_FIRST], t->answered, __ATOMIC_RELAXED);
	}
	shared->slots[t->slot].alive = false;
	close(t->fd);
	t->phase = IDLE;
	/* The next connection may follow at once, from the same port. */
	t->next = now() + below(&t->random, 4) * 0.05;
}

static void open_talk(struct talk *t)
{
	struct random *r = &t->random;
	struct sockaddr_in vip = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(VIP) };
	struct sockaddr_in own = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(CLIENT) };
	socklen_t length = sizeof(own);
	int one = 1;

	t->service = HONEST_PORT_FIRST + below(r, HONEST_SERVICES);
	vip.sin_port = htons(t->service);
	t->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	setsockopt(t->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(t->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	own.sin_port = htons(t->last_port && is_fullnat(t->service) && chance(r, 40) ? t->last_port : 10000 + below(r, 20000));
	if (bind(t->fd, (void *)&own, sizeof(own))) {
		own.sin_port = 0;
		if (bind(t->fd, (void *)&own, sizeof(own)))
			die("bind");
	}
	getsockname(t->fd, (void *)&own, &length);
	t->last_port = ntohs(own.sin_port);
	t->hello = (struct hello){ .magic = MAGIC, .address = CLIENT, .seed = random_next(r), .slot = t->slot,
				   .length = chance(r, 20) ? below(r, 60000) + 1 : below(r, 8000) + 1,
				   .port = t->last_port, .ending = below(r, ENDINGS) };
	t->sent = t->answered = t->trailer = 0;
	t->phase = CONNECTING;
	t->progress = now();
	shared->slots[t->slot] = (struct honest_slot){
		.port = t->last_port, .service = t->service, .alive = true, .since = t->progress,
	};
	if (connect(t->fd, (void *)&vip, sizeof(vip)) && errno != EINPROGRESS) {
		/* The port is still in TIME_WAIT for this service. */
		if (errno != EADDRNOTAVAIL)
			say_failure(t, "connect: %s", strerror(errno));
		t->last_port = 0;
		return finish(t, false);
	}
	__atomic_fetch_add(&shared->opened[t->service - HONEST_PORT_FIRST], 1, __ATOMIC_RELAXED);
}

/* Sends the next bytes; at most 4 KB are unanswered at any time. */
static void speak(struct talk *t)
{
	uint8_t data[2000];
	uint32_t left = t->hello.length - t->sent, room = 4000 - (t->sent - t->answered), length;

	if (!left || room < 1000 || now() < t->next)
		return;
	length = below(&t->random, 1999) + 1;
	length = length < left ? length : left;
	length = length < room ? length : room;
	fill(data, t->hello.seed, t->sent, length, 0);
	if (send(t->fd, data, length, MSG_NOSIGNAL) != (ssize_t)length) {
		say_failure(t, "send: %s", strerror(errno));
		return finish(t, false);
	}
	t->sent += length;
	if (chance(&t->random, 10))
		t->next = now() + below(&t->random, 100) * 0.01;
}

static void say_goodbye(struct talk *t)
{
	struct linger reset = { .l_onoff = 1 };

	switch (t->hello.ending) {
	case CLIENT_RESETS:
		setsockopt(t->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		return finish(t, true);
	case CLIENT_CLOSES:
		return finish(t, true);
	case CLIENT_SHUTS_DOWN:
		shutdown(t->fd, SHUT_WR);
	}
	t->phase = DRAINING;
}

static void talk_on(struct talk *t, short events)
{
	uint8_t data[8192];
	int error = 0;
	socklen_t length = sizeof(error);
	ssize_t n;

	if (t->phase == CONNECTING && events) {
		getsockopt(t->fd, SOL_SOCKET, SO_ERROR, &error, &length);
		if (error) {
			say_failure(t, "connect: %s", strerror(error));
			return finish(t, false);
		}
		t->phase = TALKING;
		shared->slots[t->slot].established = true;
		t->progress = now();
		if (send(t->fd, &t->hello, sizeof(t->hello), MSG_NOSIGNAL) != sizeof(t->hello))
			say_failure(t, "hello: %s", strerror(errno));
	}
	if (t->phase == CONNECTING)
		goto patience;
	while ((n = recv(t->fd, data, sizeof(data), 0)) > 0) {
		t->progress = now();
		if (t->phase == DRAINING) {
			if (!same(data, t->hello.seed, t->hello.length + t->trailer, n, 0xa5))
				say_failure(t, "wrong bytes in the trailer");
			t->trailer += n;
			continue;
		}
		if (t->answered + n > t->sent || !same(data, t->hello.seed, t->answered, n, 0x5a))
			say_failure(t, "wrong bytes reach the client");
		t->answered += n;
	}
	if (n < 0 && errno != EAGAIN) {
		say_failure(t, "recv: %s", strerror(errno));
		return finish(t, false);
	}
	if (n == 0) {
		bool well = t->answered == t->hello.length &&
			    (t->phase == DRAINING || t->hello.ending == SERVER_CLOSES) &&
			    t->trailer == (t->hello.ending == CLIENT_SHUTS_DOWN ? TRAILER : 0);

		if (!well)
			say_failure(t, "the end comes too early");
		return finish(t, well);
	}
	if (t->phase == TALKING && t->answered == t->hello.length)
		return say_goodbye(t);
	if (t->phase == TALKING)
		speak(t);
patience:
	if (t->phase != IDLE && now() > t->progress + STALLED) {
		say_failure(t, "stalled in phase %d", t->phase);
		finish(t, false);
	}
}

void honest_clients(uint64_t seed)
{
	static struct talk talks[HONEST];
	static struct pollfd polls[HONEST];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (int i = 0; i < HONEST; i++)
		talks[i] = (struct talk){ .slot = i, .random.state = seed * 1000 + i };
	for (bool busy = true; busy;) {
		busy = false;
		for (int i = 0; i < HONEST; i++) {
			struct talk *t = &talks[i];

			if (t->phase == IDLE && !shared->stop && now() >= t->next)
				open_talk(t);
			busy |= t->phase != IDLE || !shared->stop;
			polls[i] = (struct pollfd){ .fd = t->phase == IDLE ? -1 : t->fd,
						    .events = t->phase == CONNECTING ? POLLOUT : POLLIN };
		}
		poll(polls, HONEST, 20);
		for (int i = 0; i < HONEST; i++)
			if (talks[i].phase != IDLE)
				talk_on(&talks[i], polls[i].revents);
	}
	exit(0);
}
