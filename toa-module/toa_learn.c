// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stores the client from the packet that completes a handshake, and removes it
 * when the socket is destroyed.
 *
 * Every passive open calls tcp_child_process(parent, child, skb) with the new
 * socket and the packet that created it: IPv4 and IPv6 listeners, SYN cookies,
 * the data packet of TCP_DEFER_ACCEPT. The child is still locked there, so
 * accept() and getpeername(), which take that lock, cannot read it earlier. An
 * entry hook suffices; no return has to be intercepted.
 *
 * The hooks are ftrace's function-entry hooks rather than the kprobes built on
 * them. A kprobe is skipped while the CPU runs the handler of another one, with
 * interrupts enabled: a soft interrupt during the getname() handler would lose
 * the clients of all its handshakes and leave its destroyed sockets in the
 * table. Plain ftrace hooks have no such state. PERMANENT makes
 * "sysctl kernel.ftrace_enabled=0" fail instead of disabling the hooks.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/ftrace.h>
#include <linux/ip.h>
#include <linux/module.h>
#include <linux/ptrace.h>
#include <linux/tcp.h>
#include <net/inet_sock.h>

#include "toa.h"

/* Changed only by the parameter kind=, before the hooks are installed. */
static struct toa_form toa_forms[] = {
	{ .kind = 254, .len = 8, .addrlen = 4 },
};

module_param_named(kind, toa_forms[0].kind, byte, 0444);
MODULE_PARM_DESC(kind, "TCP option kind of an IPv4 client (default 254)");

static enum toa_verdict toa_read(const struct sk_buff *skb,
				 struct toa_end *client)
{
	const struct tcphdr *th = tcp_hdr(skb);

	/* TCP has checked that doff is at least 5 and pulled the header. */
	return toa_scan((const __u8 *)(th + 1), th->doff * 4 - sizeof(*th),
			toa_forms, ARRAY_SIZE(toa_forms), client);
}

static enum toa_stat toa_learn(struct sock *child, const struct sk_buff *skb)
{
	struct toa_end client, known;
	__be32 saddr = child->sk_daddr;

	if (skb->protocol != htons(ETH_P_IP))
		return TOA_SYN_NO_TOA;
	switch (toa_read(skb, &client)) {
	case TOA_NONE:
		return TOA_SYN_NO_TOA;
	case TOA_MALFORMED:
		return TOA_SYN_MALFORMED;
	case TOA_FOUND:
		break;
	}
	if (!toa_trusts(saddr))
		return TOA_SYN_UNTRUSTED;

	/*
	 * A socket without a reference to its namespace belongs to the kernel.
	 * It gets no entry, which could outlive the namespace's counters.
	 */
	toa_end_set_v4(&known, &saddr, child->sk_dport);
	if (child->sk_net_refcnt && toa_peers_add(child, &client, &known))
		toa_stat_inc(sock_net(child), TOA_NOT_KEPT);
	return TOA_SYN_TOA;
}

static void toa_on_child(unsigned long ip, unsigned long parent_ip,
			 struct ftrace_ops *op, struct ftrace_regs *fregs)
{
	struct pt_regs *regs = ftrace_get_regs(fregs);
	struct sock *child = (void *)regs_get_kernel_argument(regs, 1);
	struct sk_buff *skb = (void *)regs_get_kernel_argument(regs, 2);

	toa_peers_del(child);
	toa_stat_inc(sock_net(child), toa_learn(child, skb));
}

static void toa_on_destruct(unsigned long ip, unsigned long parent_ip,
			    struct ftrace_ops *op, struct ftrace_regs *fregs)
{
	struct pt_regs *regs = ftrace_get_regs(fregs);
	struct sock *sk = (void *)regs_get_kernel_argument(regs, 0);

	if (sk->sk_protocol == IPPROTO_TCP)
		toa_peers_del(sk);
}

static struct toa_hook {
	char symbol[24];
	struct ftrace_ops ops;
} toa_hooks[] = {
	{
		.symbol = "inet_sock_destruct",
		.ops = {
			.func = toa_on_destruct,
			.flags = FTRACE_OPS_FL_SAVE_REGS |
				 FTRACE_OPS_FL_PERMANENT,
		},
	}, {
		.symbol = "tcp_child_process",
		.ops = {
			.func = toa_on_child,
			.flags = FTRACE_OPS_FL_SAVE_REGS |
				 FTRACE_OPS_FL_PERMANENT,
		},
	},
};

/* Returns once the hook no longer runs on any CPU. */
static void toa_hook_remove(struct toa_hook *hook)
{
	unregister_ftrace_function(&hook->ops);
	ftrace_free_filter(&hook->ops);
}

static int toa_hook_add(struct toa_hook *hook)
{
	int err;

	err = ftrace_set_filter(&hook->ops, hook->symbol,
				strlen(hook->symbol), 1);
	if (err) {
		pr_err("cannot hook %s: no such function in this kernel (%d)\n",
		       hook->symbol, err);
		return err;
	}
	err = register_ftrace_function(&hook->ops);
	if (err) {
		pr_err("cannot hook %s (%d)%s\n", hook->symbol, err,
		       err == -EBUSY ? ": is kernel.ftrace_enabled 0?" : "");
		ftrace_free_filter(&hook->ops);
	}
	return err;
}

/* Kinds that TCP itself uses; kind= rejects them. */
static bool toa_kind_taken(u8 kind)
{
	switch (kind) {
	case 0 ... 5:	/* end, no-operation, MSS, window scale, SACK */
	case 8:		/* timestamps */
	case 19:	/* MD5 */
	case 29:	/* authentication */
	case 30:	/* MPTCP */
	case 34:	/* Fast Open */
		return true;
	}
	return false;
}

int toa_learn_init(void)
{
	int i, err;

	if (toa_kind_taken(toa_forms[0].kind)) {
		pr_err("kind=%u is already used by another TCP option\n",
		       toa_forms[0].kind);
		return -EINVAL;
	}
	for (i = 0; i < ARRAY_SIZE(toa_hooks); i++) {
		err = toa_hook_add(&toa_hooks[i]);
		if (err)
			goto undo;
	}
	return 0;

undo:
	while (i--)
		toa_hook_remove(&toa_hooks[i]);
	return err;
}

/* In reverse order: no entry may be added once the removing hook is gone. */
void toa_learn_exit(void)
{
	int i;

	for (i = ARRAY_SIZE(toa_hooks); i--; )
		toa_hook_remove(&toa_hooks[i]);
}
