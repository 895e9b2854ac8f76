// SPDX-License-Identifier: MIT
/*
 * answerer PORT: answers each request on 127.0.0.0/8 with "200 OK" and closes
 * the connection. The first bytes of a request are taken for the whole, as a
 * check on loopback sends it at once.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static const char answer[] =
	"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";

static int fail(const char *what)
{
	perror(what);
	return 1;
}

static void accept_all(int epoll, int listener)
{
	struct epoll_event event = { .events = EPOLLIN };

	for (;;) {
		event.data.fd = accept4(listener, NULL, NULL,
					SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (event.data.fd < 0)
			return;
		if (epoll_ctl(epoll, EPOLL_CTL_ADD, event.data.fd, &event))
			perror("answerer: epoll_ctl");
	}
}

/* Does not wait for the peer's FIN. */
static void serve(int fd)
{
	char request[4096];

	/* A client that has given up resets the connection. */
	if (read(fd, request, sizeof(request)) > 0 &&
	    send(fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL) < 0 &&
	    errno != ECONNRESET && errno != EPIPE)
		perror("answerer: send");
	close(fd);
}

int main(int argc, char **argv)
{
	struct sockaddr_in here = { .sin_family = AF_INET };
	struct epoll_event event = { .events = EPOLLIN }, events[256];
	int one = 1, listener, epoll;

	if (argc != 2) {
		fputs("usage: answerer PORT\n", stderr);
		return 2;
	}
	here.sin_port = htons(atoi(argv[1]));
	listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (listener < 0 ||
	    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    bind(listener, (struct sockaddr *)&here, sizeof(here)) ||
	    listen(listener, 4096))
		return fail("answerer");
	epoll = epoll_create1(0);
	event.data.fd = listener;
	if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event))
		return fail("answerer: epoll");
	puts("ready");
	fflush(stdout);
	for (;;) {
		int count = epoll_wait(epoll, events, 256, -1);

		for (int i = 0; i < count; i++) {
			if (events[i].data.fd == listener)
				accept_all(epoll, listener);
			else
				serve(events[i].data.fd);
		}
	}
}
