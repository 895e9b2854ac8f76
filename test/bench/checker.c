// SPDX-License-Identifier: MIT
/*
 * checker tcp|http PORT TARGETS INTERVAL: checks TARGETS addresses from
 * 127.1.0.1 on, each every INTERVAL milliseconds, until it is killed. A minimal
 * checker: one thread, epoll, ticks of 20 ms, for each target an address, a
 * state and a streak. A tcp check ends with RST, as lvsd's does; an http check
 * sends lvsd's request and reads the answer to its end.
 * Writes the number of checks done so far once a second.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define TICK 20

struct target {
	struct sockaddr_in address;
	int fd;
	int up;
	int streak;
	int good;
	double started;
};

static int http;
static int epoll;
static unsigned long done;

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1e3 + time.tv_nsec * 1e-6;
}

static void end(struct target *target, int good)
{
	close(target->fd);
	target->fd = -1;
	if (good == target->up) {
		target->streak = 0;
	} else if (++target->streak >= 2) {
		target->up = good;
		target->streak = 0;
	}
	done++;
}

static void start(struct target *target)
{
	struct epoll_event event = { .events = EPOLLOUT, .data.ptr = target };
	const struct linger reset = { 1, 0 };

	target->good = 0;
	target->started = now();
	target->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (target->fd < 0) {
		perror("checker: socket");
		exit(1);
	}
	if (!http)
		setsockopt(target->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	if (connect(target->fd, (struct sockaddr *)&target->address,
		    sizeof(target->address)) && errno != EINPROGRESS)
		end(target, 0);
	else if (epoll_ctl(epoll, EPOLL_CTL_ADD, target->fd, &event))
		perror("checker: epoll_ctl");
}

static void send_request(struct target *target)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = target };
	char request[256];
	int length = snprintf(request, sizeof(request),
			      "GET /healthz HTTP/1.1\r\nHost: %s:%d\r\n"
			      "User-Agent: lvsd\r\nAccept: */*\r\n"
			      "Accept-Encoding: identity\r\nConnection: close\r\n\r\n",
			      inet_ntoa(target->address.sin_addr),
			      ntohs(target->address.sin_port));

	if (write(target->fd, request, length) != length)
		end(target, 0);
	else if (epoll_ctl(epoll, EPOLL_CTL_MOD, target->fd, &event))
		perror("checker: epoll_ctl");
}

static void read_answer(struct target *target)
{
	char answer[4096];
	ssize_t length = read(target->fd, answer, sizeof(answer));

	if (length > 12) {
		target->good = !memcmp(answer, "HTTP/1.1 2", 10);
		return;
	}
	if (length < 0 && errno == EAGAIN)
		return;
	end(target, target->good && length == 0);
}

static void handle(struct target *target, unsigned int events)
{
	int error = 0;
	socklen_t size = sizeof(error);

	if (!(events & EPOLLIN)) {
		getsockopt(target->fd, SOL_SOCKET, SO_ERROR, &error, &size);
		if (http && !error)
			send_request(target);
		else
			end(target, !error);
	} else {
		read_answer(target);
	}
}

int main(int argc, char **argv)
{
	struct rlimit files = { 65536, 65536 };
	struct epoll_event events[512];
	struct target *targets;
	double begun, interval, printed = 0;
	unsigned long next = 0;
	int count, port;

	if (argc != 5) {
		fputs("usage: checker tcp|http PORT TARGETS INTERVAL\n", stderr);
		return 2;
	}
	http = !strcmp(argv[1], "http");
	port = atoi(argv[2]);
	count = atoi(argv[3]);
	interval = atof(argv[4]);
	targets = calloc(count, sizeof(*targets));
	epoll = epoll_create1(0);
	if (!targets || epoll < 0) {
		perror("checker");
		return 1;
	}
	setrlimit(RLIMIT_NOFILE, &files);
	for (int i = 0; i < count; i++) {
		targets[i].address.sin_family = AF_INET;
		targets[i].address.sin_port = htons(port);
		targets[i].address.sin_addr.s_addr = htonl(0x7f010001 + i);
		targets[i].fd = -1;
	}
	begun = now();
	for (;;) {
		double elapsed = now() - begun;
		int ready;

		for (; next * interval / count < elapsed; next++) {
			struct target *target = &targets[next % count];

			if (target->fd < 0)
				start(target);
		}
		if (elapsed - printed >= 1000) {
			printed = elapsed;
			printf("%lu\n", done);
			fflush(stdout);
		}
		ready = epoll_wait(epoll, events, 512, TICK);
		for (int i = 0; i < ready; i++)
			handle(events[i].data.ptr, events[i].events);
	}
}
