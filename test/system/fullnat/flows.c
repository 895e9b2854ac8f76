// SPDX-License-Identifier: MIT
/*
 * Many concurrent HTTP connections, each verified byte by byte; the server's X-Peer header has the client's address as
 * the server sees it.
 *
 *   flows get|put ADDR[,ADDR...] VIP[,VIP...] PORT PATH FILE COUNT PARALLEL LENGTH SECONDS
 *
 * Connection i goes from ADDR i to VIP i (each in turn). It reads LENGTH bytes of PATH from an offset of its own (a
 * range request), or writes such bytes of FILE to PATH/i; FILE has the content of PATH at the server, at least LENGTH +
 * 65536 bytes. Even connections are closed by the server, odd ones by the client. Prints one JSON object; exit status 0
 * even if connections failed, which the caller finds in the figures.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SPREAD 65521
#define MAX_EXAMPLES 5

struct flow {
	int fd, id;
	size_t sent, got;		/* bytes of the request, and of the body of the reply */
	size_t requestLen, replyLen;	/* of the texts below */
	int headDone, status;
	char request[512], reply[2048], local[32];
};

static struct {
	int put, count, parallel, sources, vips, started, live;
	struct in_addr source[64], vip[64];
	in_port_t port;
	const char *path, *file;
	size_t length;
} job;

static struct {
	int ok, failed, wrongBytes, wrongPeer, examples;
	uint64_t bytes;
	char example[MAX_EXAMPLES][256];
} result;

static struct flow *flows;
static int epoll;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static void die(const char *what)
{
	fprintf(stderr, "flows: %s: %s\n", what, strerror(errno));
	exit(1);
}

static size_t offset(const struct flow *flow)
{
	return (size_t)flow->id * 4099 % SPREAD;
}

static void note(const struct flow *flow, const char *format, ...)
{
	va_list args;
	char what[160];

	if (result.examples == MAX_EXAMPLES)
		return;
	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	for (char *c = what; *c; c++)
		if (*c < ' ' || *c == '"' || *c == '\\')
			*c = '?';
	snprintf(result.example[result.examples++], sizeof(result.example[0]), "connection %d from %s: %s", flow->id,
		 flow->local, what);
}

static void finish(struct flow *flow)
{
	close(flow->fd);
	flow->fd = -1;
	job.live--;
}

#define FAIL(flow, counter, ...) do { result.counter++; note(flow, __VA_ARGS__); finish(flow); } while (0)

static void watch(struct flow *flow, int op, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = flow };

	if (epoll_ctl(epoll, op, flow->fd, &event))
		die("epoll_ctl");
}

static void start(struct flow *flow)
{
	struct sockaddr_in from = { .sin_family = AF_INET }, to = { .sin_family = AF_INET, .sin_port = job.port };
	int on = 1;
	const char *end = job.started & 1 ? "keep-alive" : "close";

	memset(flow, 0, sizeof(*flow));
	flow->id = job.started++;
	job.live++;
	flow->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (flow->fd < 0)
		die("socket");
	from.sin_addr = job.source[flow->id % job.sources];
	to.sin_addr = job.vip[flow->id % job.vips];
	setsockopt(flow->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	if (bind(flow->fd, (struct sockaddr *)&from, sizeof(from)))
		die("bind");
	if (job.put)
		snprintf(flow->request, sizeof(flow->request),
			 "PUT %s/%d HTTP/1.1\r\nHost: t\r\nConnection: %s\r\nContent-Length: %zu\r\n\r\n", job.path,
			 flow->id, end, job.length);
	else
		snprintf(flow->request, sizeof(flow->request),
			 "GET %s HTTP/1.1\r\nHost: t\r\nConnection: %s\r\nRange: bytes=%zu-%zu\r\n\r\n", job.path, end,
			 offset(flow), offset(flow) + job.length - 1);
	flow->requestLen = strlen(flow->request);
	if (connect(flow->fd, (struct sockaddr *)&to, sizeof(to)) && errno != EINPROGRESS) {
		FAIL(flow, failed, "connect: %s", strerror(errno));
		return;
	}
	watch(flow, EPOLL_CTL_ADD, EPOLLOUT);
}

/* Handles the first event. Returns whether the connection is open. */
static int connected(struct flow *flow)
{
	struct sockaddr_in local;
	socklen_t len = sizeof(local), errLen = sizeof(int);
	int problem = 0;

	getsockopt(flow->fd, SOL_SOCKET, SO_ERROR, &problem, &errLen);
	getsockname(flow->fd, (struct sockaddr *)&local, &len);
	snprintf(flow->local, sizeof(flow->local), "%s:%u", inet_ntoa(local.sin_addr), ntohs(local.sin_port));
	if (problem) {
		FAIL(flow, failed, "connect: %s", strerror(problem));
		return 0;
	}
	return 1;
}

/* Sends the rest of the request. */
static void push(struct flow *flow)
{
	size_t total = flow->requestLen + (job.put ? job.length : 0);

	while (flow->sent < total) {
		const char *from = flow->request + flow->sent;
		size_t left = flow->requestLen - flow->sent;
		ssize_t n;

		if (flow->sent >= flow->requestLen) {
			from = job.file + offset(flow) + flow->sent - flow->requestLen;
			left = total - flow->sent;
		}
		n = send(flow->fd, from, left, MSG_NOSIGNAL | (flow->sent < flow->requestLen && job.put ? MSG_MORE : 0));
		if (n < 0 && errno == EAGAIN) {
			return;
		} else if (n < 0) {
			FAIL(flow, failed, "send after %zu bytes: %s", flow->sent, strerror(errno));
			return;
		}
		flow->sent += n;
	}
	watch(flow, EPOLL_CTL_MOD, EPOLLIN);
}

/* The value of a field of the reply's header, or an empty string. */
static const char *field(const struct flow *flow, const char *name, char *out, size_t size)
{
	const char *at = strcasestr(flow->reply, name);

	out[0] = 0;
	if (at)
		snprintf(out, size, "%.*s", (int)strcspn(at + strlen(name), "\r\n"), at + strlen(name));
	return out;
}

/* Checks the header. Returns whether the connection continues. */
static int checkHead(struct flow *flow)
{
	char peer[64], length[32];

	field(flow, "\r\nX-Peer: ", peer, sizeof(peer));
	field(flow, "\r\nContent-Length: ", length, sizeof(length));
	flow->status = atoi(flow->reply + strlen("HTTP/1.1 "));
	if (job.put ? flow->status != 201 : flow->status != 206 || strtoul(length, NULL, 10) != job.length) {
		FAIL(flow, failed, "status %d, length %s", flow->status, length);
		return 0;
	}
	if (strcmp(peer, flow->local)) {
		FAIL(flow, wrongPeer, "the real server sees %s", peer);
		return 0;
	}
	return 1;
}

/* Handles n bytes of the reply. Returns whether the connection continues. */
static int take(struct flow *flow, const char *data, size_t n)
{
	size_t want = job.put ? 0 : job.length;

	if (!flow->headDone) {
		size_t room = sizeof(flow->reply) - 1 - flow->replyLen, part = n < room ? n : room;
		char *end;

		memcpy(flow->reply + flow->replyLen, data, part);
		end = strstr(flow->reply, "\r\n\r\n");
		if (!end && part < n) {
			FAIL(flow, failed, "a reply without end of header");
			return 0;
		}
		if (!end) {
			flow->replyLen += part;
			return 1;
		}
		part = end + 4 - (flow->reply + flow->replyLen);
		memset(end + 2, 0, flow->reply + sizeof(flow->reply) - (end + 2));
		flow->headDone = 1;
		data += part;
		n -= part;
		if (!checkHead(flow))
			return 0;
	}
	if (flow->got + n > want || memcmp(data, job.file + offset(flow) + flow->got, n)) {
		FAIL(flow, wrongBytes, "wrong bytes behind %zu", flow->got);
		return 0;
	}
	flow->got += n;
	return 1;
}

static void pull(struct flow *flow)
{
	static char buf[256 << 10];
	size_t want = job.put ? 0 : job.length;
	int complete;
	ssize_t n;

	for (;;) {
		n = recv(flow->fd, buf, sizeof(buf), 0);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) {
			FAIL(flow, failed, "after %zu bytes: %s", flow->got, strerror(errno));
			return;
		}
		complete = flow->headDone && flow->got == want;
		if (!n && !complete) {
			FAIL(flow, failed, "closed after %zu of %zu bytes", flow->got, want);
			return;
		}
		if (n && !take(flow, buf, n))
			return;
		complete = flow->headDone && flow->got == want;
		if (complete && (!n || flow->id & 1)) {
			result.ok++;
			result.bytes += job.length;
			finish(flow);
			return;
		}
	}
}

static void handle(struct flow *flow, uint32_t events)
{
	if (!flow->local[0] && !connected(flow))
		return;
	if (events & EPOLLOUT)
		push(flow);
	if (flow->fd >= 0 && events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		pull(flow);
}

static void loop(double deadline)
{
	struct epoll_event events[256];
	int i, n;

	for (i = 0; i < job.parallel; i++)
		flows[i].fd = -1;
	while (job.started < job.count || job.live) {
		for (i = 0; i < job.parallel && job.started < job.count; i++)
			if (flows[i].fd < 0)
				start(&flows[i]);
		n = epoll_wait(epoll, events, 256, 1000);
		for (i = 0; i < n; i++)
			handle(events[i].data.ptr, events[i].events);
		if (now() < deadline)
			continue;
		for (i = 0; i < job.parallel; i++)
			if (flows[i].fd >= 0)
				FAIL(&flows[i], failed, "out of time, %zu bytes sent, %zu received", flows[i].sent, flows[i].got);
		return;
	}
}

static int readAddresses(char *list, struct in_addr *out)
{
	char *one;
	int count = 0;

	for (one = strtok(list, ","); one && count < 64; one = strtok(NULL, ","))
		if (!inet_aton(one, &out[count++]))
			die(one);
	return count;
}

static void readJob(char **argv)
{
	struct stat st;
	int fd;

	job.put = !strcmp(argv[1], "put");
	job.sources = readAddresses(argv[2], job.source);
	job.vips = readAddresses(argv[3], job.vip);
	job.port = htons(atoi(argv[4]));
	job.path = argv[5];
	job.count = atoi(argv[7]);
	job.parallel = atoi(argv[8]);
	job.length = strtoul(argv[9], NULL, 10);
	fd = open(argv[6], O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) || (size_t)st.st_size < job.length + SPREAD)
		die(argv[6]);
	job.file = mmap(NULL, st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (job.file == MAP_FAILED)
		die("mmap");
}

int main(int argc, char **argv)
{
	double began = now();
	int i;

	if (argc != 11) {
		fprintf(stderr, "usage: flows get|put ADDR[,ADDR...] VIP[,VIP...] PORT PATH FILE COUNT PARALLEL LENGTH SECONDS\n");
		return 2;
	}
	readJob(argv);
	flows = calloc(job.parallel, sizeof(*flows));
	epoll = epoll_create1(EPOLL_CLOEXEC);
	if (!flows || epoll < 0)
		die("set-up");
	loop(began + atof(argv[10]));
	printf("{\"connections\":%d,\"ok\":%d,\"failed\":%d,\"wrongBytes\":%d,\"wrongPeer\":%d,\"bytes\":%llu,"
	       "\"seconds\":%.2f,\"examples\":[", job.started, result.ok, result.failed, result.wrongBytes,
	       result.wrongPeer, (unsigned long long)result.bytes, now() - began);
	for (i = 0; i < result.examples; i++)
		printf("%s\"%s\"", i ? "," : "", result.example[i]);
	puts("]}");
	return 0;
}
