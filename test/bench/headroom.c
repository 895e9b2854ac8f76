// SPDX-License-Identifier: MIT
/*
 * Gives frames that a veth device receives the headroom of a network card's.
 *
 *	headroom NETNS DEVICE...
 *
 * Frames of a packet socket come through a veth with 16 bytes of headroom, those of a network card with 64 and more; a
 * header that grows would cost a reallocation that no card causes. An XDP program makes veth copy each frame to one with
 * XDP_PACKET_HEADROOM (256 bytes). This attaches one that passes everything on, writes "ready", and detaches it when
 * stdin ends.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static void fail(const char *what)
{
	fprintf(stderr, "headroom: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int bpf(enum bpf_cmd command, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, command, attr, sizeof(*attr));
}

int main(int argc, char **argv)
{
	static const struct bpf_insn pass[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_PASS },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr load = {
		.prog_type = BPF_PROG_TYPE_XDP,
		.insns = (uint64_t)(uintptr_t)pass,
		.insn_cnt = 2,
		.license = (uint64_t)(uintptr_t)"GPL",
	};
	char path[128];
	int ns, program;

	if (argc < 3) {
		fprintf(stderr, "usage: headroom NETNS DEVICE...\n");
		return 2;
	}
	snprintf(path, sizeof(path), "/run/netns/%s", argv[1]);
	ns = open(path, O_RDONLY | O_CLOEXEC);
	if (ns < 0 || setns(ns, CLONE_NEWNET)) fail(path);
	program = bpf(BPF_PROG_LOAD, &load);
	if (program < 0) fail("BPF_PROG_LOAD");
	for (int i = 2; i < argc; i++) {
		union bpf_attr link = { .link_create = { .prog_fd = (uint32_t)program, .attach_type = BPF_XDP } };

		link.link_create.target_ifindex = if_nametoindex(argv[i]);
		/* The link exists as long as its descriptor, so as long as this process. */
		if (link.link_create.target_ifindex == 0 || bpf(BPF_LINK_CREATE, &link) < 0) fail(argv[i]);
	}
	puts("ready");
	fflush(stdout);
	while (getchar() != EOF) continue;
	return 0;
}
