// SPDX-License-Identifier: MIT
/*
 * Preloaded into Debian's ipvsadm where there is no IPVS: opening it succeeds, and the first request after that ends the
 * program with status 77. What it refuses by itself it refuses as ever.
 */
#include <stdio.h>
#include <unistd.h>

#define AT_THE_DOOR 77

static int requests;

int genl_connect(void *socket)
{
	(void)socket;
	return 0;
}

int genl_ctrl_resolve(void *socket, const char *name)
{
	(void)socket;
	(void)name;
	return 30;
}

/* The first request is for the version, which every run begins with. */
int nl_send_auto_complete(void *socket, void *message)
{
	(void)socket;
	(void)message;
	if (requests++) {
		fflush(NULL);
		_exit(AT_THE_DOOR);
	}
	return 0;
}

int nl_recvmsgs_default(void *socket)
{
	(void)socket;
	return 0;
}
