// SPDX-License-Identifier: MIT
/*
 * Sends each client its address as the kernel reports it: "ACCEPT GETPEERNAME\n" on connecting, and "GETPEERNAME\n" for
 * each byte that the client sends. For the byte "r" it connects the same socket to 10.9.0.10:9 instead, prints
 * "reconnected GETPEERNAME" on its own standard output, and closes.
 *
 *   server PORT [6] [defer]   6: one AF_INET6 socket for both families; defer: TCP_DEFER_ACCEPT. Prints "ready".
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

union addr {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

static const char *text(const union addr *addr, char *out, size_t size)
{
	char name[INET6_ADDRSTRLEN];

	if (addr->sa.sa_family == AF_INET) {
		inet_ntop(AF_INET, &addr->in.sin_addr, name, sizeof(name));
		snprintf(out, size, "%s:%u", name, ntohs(addr->in.sin_port));
	} else {
		inet_ntop(AF_INET6, &addr->in6.sin6_addr, name, sizeof(name));
		snprintf(out, size, "[%s]:%u", name, ntohs(addr->in6.sin6_port));
	}
	return out;
}

static const char *peer(int fd, char *out, size_t size)
{
	union addr addr;
	socklen_t len = sizeof(addr);

	if (getpeername(fd, &addr.sa, &len))
		return "none";
	return text(&addr, out, size);
}

static void reconnect(int fd)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	struct sockaddr_in other = { .sin_family = AF_INET, .sin_port = htons(9) };
	char out[80];

	inet_pton(AF_INET, "10.9.0.10", &other.sin_addr);
	if (connect(fd, &none, sizeof(none)) || connect(fd, (struct sockaddr *)&other, sizeof(other)))
		perror("server: reconnect");
	printf("reconnected %s\n", peer(fd, out, sizeof(out)));
	fflush(stdout);
}

static void say(int fd, const char *line)
{
	if (send(fd, line, strlen(line), MSG_NOSIGNAL) < 0)
		perror("server: send");
}

static void answer(int fd)
{
	char in[64], out[80], line[128];
	ssize_t n = recv(fd, in, sizeof(in), 0);

	if (n <= 0) {
		close(fd);
		return;
	}
	if (in[0] == 'r') {
		reconnect(fd);
		close(fd);
		return;
	}
	snprintf(line, sizeof(line), "%s\n", peer(fd, out, sizeof(out)));
	while (n--)
		say(fd, line);
}

static void welcome(int epoll, int listener)
{
	struct epoll_event event = { .events = EPOLLIN };
	union addr addr;
	socklen_t len = sizeof(addr);
	char a[80], g[80], line[200];
	int fd = accept4(listener, &addr.sa, &len, SOCK_CLOEXEC);

	if (fd < 0)
		return;
	snprintf(line, sizeof(line), "%s %s\n", text(&addr, a, sizeof(a)), peer(fd, g, sizeof(g)));
	say(fd, line);
	event.data.fd = fd;
	epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

static int listen_on(int port, int six, int defer)
{
	union addr any = { 0 };
	int on = 1, off = 0, seconds = 30;
	int fd = socket(six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (six) {
		any.in6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons(port) };
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	} else {
		any.in = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port) };
	}
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (defer)
		setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, sizeof(seconds));
	if (bind(fd, &any.sa, six ? sizeof(any.in6) : sizeof(any.in)) || listen(fd, 4096)) {
		perror("server: listen");
		exit(1);
	}
	return fd;
}

int main(int argc, char **argv)
{
	struct epoll_event event = { .events = EPOLLIN };
	int six = 0, defer = 0, i, listener, epoll;

	for (i = 2; i < argc; i++) {
		six |= !strcmp(argv[i], "6");
		defer |= !strcmp(argv[i], "defer");
	}
	listener = listen_on(atoi(argv[1]), six, defer);
	epoll = epoll_create1(EPOLL_CLOEXEC);
	event.data.fd = listener;
	epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
	puts("ready");
	fflush(stdout);
	while (epoll_wait(epoll, &event, 1, -1) >= 0) {
		if (event.data.fd == listener)
			welcome(epoll, listener);
		else
			answer(event.data.fd);
	}
	return 1;
}
