// SPDX-License-Identifier: MIT
/*
 * Preloaded into Debian's ipvsadm on a machine without IPVS: opening its netlink family succeeds, and the first request
 * ends the program with status 77. Command lines that ipvsadm itself rejects are rejected as usual.
 */
#include <stdio.h>
#include <unistd.h>

#define REACHED_KERNEL 77

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

/* Every run begins with a request for the version, which does not count. */
int nl_send_auto_complete(void *socket, void *message)
{
	(void)socket;
	(void)message;
	if (requests++) {
		fflush(NULL);
		_exit(REACHED_KERNEL);
	}
	return 0;
}

int nl_recvmsgs_default(void *socket)
{
	(void)socket;
	return 0;
}
