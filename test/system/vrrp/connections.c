// SPDX-License-Identifier: MIT
/*
 * connections ADDRESS PORT RATE: opens RATE connections a second to ADDRESS:PORT, each for one request and one answer that
 * ends with "server\n", within five seconds. Writes "made" to stderr once it has begun more than RATE of them. After
 * SIGTERM it begins as many again, then prints each as "BEGUN ENDED ERROR" (milliseconds since 1970; ERROR: "-", an errno's
 * name, "timeout" or "short").
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define REQUEST "GET / HTTP/1.0\r\n\r\n"
#define END "server\n"
#define PATIENCE 5000
#define MOST 1000000

struct attempt {
	double begun;
	double ended;
	const char *error;
	int fd;
	char last[sizeof(END)];
};

static struct attempt *attempts;
static int epoll, made, ended;
static volatile sig_atomic_t terminated;

static double now(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return 1000.0 * t.tv_sec + t.tv_nsec / 1e6;
}

static void terminate(int number)
{
	(void)number;
	terminated = 1;
}

static void end(struct attempt *a, const char *error)
{
	close(a->fd);
	a->fd = -1;
	a->ended = now(CLOCK_REALTIME);
	a->error = error;
	ended++;
}

static void begin(const struct sockaddr_in *to)
{
	struct attempt *a = &attempts[made];
	struct epoll_event event = { .events = EPOLLOUT, .data.u32 = made++ };

	a->begun = now(CLOCK_REALTIME);
	a->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (a->fd < 0 || (connect(a->fd, (const void *)to, sizeof(*to)) && errno != EINPROGRESS)) {
		end(a, strerrorname_np(errno));
		return;
	}
	epoll_ctl(epoll, EPOLL_CTL_ADD, a->fd, &event);
}

/* Keeps the last bytes of the answer. */
static void keep(struct attempt *a, const char *bytes, size_t n)
{
	size_t size = sizeof(END) - 1, old = strlen(a->last);
	char both[2 * sizeof(END)];

	if (n > size) {
		bytes += n - size;
		n = size;
	}
	memcpy(both, a->last, old);
	memcpy(both + old, bytes, n);
	n += old;
	old = n > size ? n - size : 0;
	memcpy(a->last, both + old, n - old);
	a->last[n - old] = 0;
}

static void go_on(struct attempt *a, struct epoll_event *event)
{
	socklen_t size = sizeof(int);
	char bytes[4096];
	int error = 0;
	ssize_t n;

	if (event->events & EPOLLOUT) {
		getsockopt(a->fd, SOL_SOCKET, SO_ERROR, &error, &size);
		if (!error && send(a->fd, REQUEST, strlen(REQUEST), MSG_NOSIGNAL) < 0)
			error = errno;
		if (error) {
			end(a, strerrorname_np(error));
			return;
		}
		event->events = EPOLLIN;
		epoll_ctl(epoll, EPOLL_CTL_MOD, a->fd, event);
		return;
	}
	n = recv(a->fd, bytes, sizeof(bytes), 0);
	if (n > 0)
		keep(a, bytes, n);
	else if (n == 0)
		end(a, strcmp(a->last, END) ? "short" : "-");
	else if (errno != EAGAIN)
		end(a, strerrorname_np(errno));
}

int main(int argc, char **argv)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	int last = MOST, oldest = 0;
	double start, rate;

	if (argc != 4 || inet_pton(AF_INET, argv[1], &to.sin_addr) != 1 || atof(argv[3]) <= 0) {
		fprintf(stderr, "usage: connections ADDRESS PORT RATE\n");
		return 2;
	}
	to.sin_port = htons(atoi(argv[2]));
	rate = atof(argv[3]);
	attempts = calloc(MOST, sizeof(*attempts));
	epoll = epoll_create1(0);
	if (!attempts || epoll < 0)
		return 3;
	signal(SIGTERM, terminate);
	start = now(CLOCK_MONOTONIC);
	while (made < last || ended < made) {
		struct epoll_event events[64];
		int n = epoll_wait(epoll, events, 64, 5);

		for (int i = 0; i < n; i++)
			go_on(&attempts[events[i].data.u32], &events[i]);
		if (terminated && last == MOST)
			last = made + (int)rate + 1 < MOST ? made + (int)rate + 1 : MOST;
		while (made < last && made < (now(CLOCK_MONOTONIC) - start) * rate / 1000) {
			begin(&to);
			if (made == (int)rate + 1)
				fprintf(stderr, "made\n");
		}
		for (; oldest < made; oldest++) {
			struct attempt *a = &attempts[oldest];

			if (a->fd >= 0 && now(CLOCK_REALTIME) - a->begun < PATIENCE)
				break;
			if (a->fd >= 0)
				end(a, "timeout");
		}
	}
	for (int i = 0; i < made; i++)
		printf("%.0f %.0f %s\n", attempts[i].begun, attempts[i].ended, attempts[i].error);
	return 0;
}
