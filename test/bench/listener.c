// SPDX-License-Identifier: MIT
/*
 * listener PORT: accepts every connection and closes it at once. A real server
 * that costs little, so that a bench of checks measures the checker.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct sockaddr_in any = { .sin_family = AF_INET };
	int one = 1, fd;

	if (argc != 2) {
		fputs("usage: listener PORT\n", stderr);
		return 2;
	}
	any.sin_port = htons(atoi(argv[1]));
	fd = socket(AF_INET, SOCK_STREAM, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    bind(fd, (struct sockaddr *)&any, sizeof(any)) || listen(fd, 4096)) {
		perror("listener");
		return 1;
	}
	for (;;) {
		int accepted = accept(fd, NULL, NULL);

		if (accepted >= 0)
			close(accepted);
		else if (errno != ECONNABORTED && errno != EINTR)
			perror("listener: accept");
	}
}
