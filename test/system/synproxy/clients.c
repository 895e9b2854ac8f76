// SPDX-License-Identifier: MIT
/*
 * clients VIP PORT COUNT INTERVAL PATIENCE LIMIT: opens COUNT connections to VIP:PORT, one every INTERVAL milliseconds
 * and at most LIMIT at a time. Each sends "number N" and expects "ADDRESS:PORT said number N", with its own address, and then the end, all within PATIENCE
 * milliseconds. Prints how many were served and how many got wrong bytes, and on stderr the errors of the others.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MOST 2000

struct client {
	int fd;
	int sent;
	long deadline;
	size_t got;
	char text[200];
};

static struct client clients[MOST];
static struct pollfd polls[MOST];
static struct sockaddr_in vip;
static int served, wrong;

static long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void begin(struct client *c, long patience)
{
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	c->deadline = now() + patience;
	if (c->fd < 0 || (connect(c->fd, (void *)&vip, sizeof(vip)) && errno != EINPROGRESS)) {
		perror("connect");
		exit(3);
	}
}

/* Returns 0 when the connection is over. */
static int go_on(struct client *c, int n)
{
	struct sockaddr_in own;
	socklen_t length = sizeof(own);
	char text[100];
	int error = 0;
	ssize_t got;

	if (!c->sent) {
		socklen_t size = sizeof(error);

		getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size);
		snprintf(text, sizeof(text), "number %d", n);
		if (error || send(c->fd, text, strlen(text), MSG_NOSIGNAL) != (ssize_t)strlen(text)) {
			fprintf(stderr, "number %d: %s\n", n, strerror(error ? error : errno));
			return 0;
		}
		c->sent = 1;
		return 1;
	}
	got = recv(c->fd, c->text + c->got, sizeof(c->text) - 1 - c->got, 0);
	if (got > 0) {
		c->got += got;
		return 1;
	}
	if (got < 0 && errno == EAGAIN)
		return 1;
	if (got < 0) {
		fprintf(stderr, "number %d: %s\n", n, strerror(errno));
		return 0;
	}
	getsockname(c->fd, (void *)&own, &length);
	snprintf(text, sizeof(text), "%s:%u said number %d", inet_ntoa(own.sin_addr), ntohs(own.sin_port), n);
	if (!strcmp(text, c->text)) {
		served++;
	} else {
		wrong++;
		fprintf(stderr, "%s: got %s\n", text, c->text);
	}
	return 0;
}

int main(int argc, char **argv)
{
	int count, limit, begun = 0, open = 0;
	long interval, patience, next = now();

	if (argc != 7 || inet_pton(AF_INET, argv[1], &vip.sin_addr) != 1 || atoi(argv[3]) > MOST) {
		fprintf(stderr, "usage: clients VIP PORT COUNT INTERVAL PATIENCE LIMIT\n");
		return 2;
	}
	vip.sin_family = AF_INET;
	vip.sin_port = htons(atoi(argv[2]));
	count = atoi(argv[3]);
	interval = atol(argv[4]);
	patience = atol(argv[5]);
	limit = atoi(argv[6]);
	for (int i = 0; i < count; i++)
		polls[i].fd = -1;
	while (begun < count || open > 0) {
		for (; begun < count && open < limit && now() >= next; next += interval, open++)
			begin(&clients[begun++], patience);
		for (int i = 0; i < begun; i++) {
			polls[i].fd = clients[i].fd;
			polls[i].events = clients[i].sent ? POLLIN : POLLOUT;
		}
		poll(polls, begun, open < limit && interval < 20 ? interval : 20);
		for (int i = 0; i < begun; i++) {
			struct client *c = &clients[i];

			if (c->fd < 0 || (!polls[i].revents && now() < c->deadline))
				continue;
			if (polls[i].revents && now() < c->deadline && go_on(c, i))
				continue;
			close(c->fd);
			c->fd = -1;
			open--;
		}
	}
	printf("%d %d\n", served, wrong);
	return 0;
}
