/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The client's address in a TCP option: finding and decoding it.
 *
 * Works on option bytes only, not on sockets or packets, so that the same source
 * is also built and fuzzed in user space (test/option-fuzz.c).
 */
#ifndef _TOA_OPTION_H
#define _TOA_OPTION_H

#include <linux/types.h>
#include <linux/in6.h>
#ifdef __KERNEL__
#include <linux/string.h>
#else
#include <string.h>
#endif

/* One end of a connection. IPv4 addresses are stored v4-mapped. */
struct toa_end {
	struct in6_addr addr;
	__be16 port;
};

/* A layout of the option: kind, length, port, address. */
struct toa_form {
	__u8 kind;
	__u8 len;
	__u8 addrlen;		/* 4 or 16 */
};

enum toa_verdict {
	TOA_NONE,
	TOA_FOUND,
	TOA_MALFORMED,
};

#define TOA_OPT_EOL	0
#define TOA_OPT_NOP	1
/* kind, len, port; the address follows */
#define TOA_ADDR_OFF	4

static inline void toa_end_set_v4(struct toa_end *end, const void *addr,
				  __be16 port)
{
	memset(&end->addr, 0, sizeof(end->addr));
	end->addr.s6_addr[10] = 0xff;
	end->addr.s6_addr[11] = 0xff;
	memcpy(&end->addr.s6_addr[12], addr, 4);
	end->port = port;
}

static inline int toa_all_zero(const __u8 *p, unsigned int len)
{
	while (len--)
		if (*p++)
			return 0;
	return 1;
}

/* False for port 0 and for the unspecified address, which no client has. */
static inline int toa_decode(const struct toa_form *form, const __u8 *opt,
			     struct toa_end *client)
{
	__be16 port;

	memcpy(&port, opt + 2, sizeof(port));
	if (!port || toa_all_zero(opt + TOA_ADDR_OFF, form->addrlen))
		return 0;
	if (form->addrlen == 4) {
		toa_end_set_v4(client, opt + TOA_ADDR_OFF, port);
	} else {
		memcpy(&client->addr, opt + TOA_ADDR_OFF, form->addrlen);
		client->port = port;
	}
	return 1;
}

/*
 * Walk the @len option bytes at @opt. The first option that matches one of
 * @forms wins: the balancer puts its option before all others.
 *
 * TOA_MALFORMED: the list ends in the middle of an option, or an option of a TOA
 * kind has a length that no form has or contents that no client can have. Other
 * uses of kind 254 (experiments, RFC 6994) look like that too; a valid TOA after
 * such an option is still found.
 */
static inline enum toa_verdict toa_scan(const __u8 *opt, unsigned int len,
					const struct toa_form *forms,
					unsigned int n_forms,
					struct toa_end *client)
{
	enum toa_verdict verdict = TOA_NONE;
	unsigned int i, olen;

	while (len) {
		if (opt[0] == TOA_OPT_EOL)
			break;
		if (opt[0] == TOA_OPT_NOP) {
			opt++;
			len--;
			continue;
		}
		if (len < 2)
			return TOA_MALFORMED;
		olen = opt[1];
		if (olen < 2 || olen > len)
			return TOA_MALFORMED;
		for (i = 0; i < n_forms; i++) {
			if (opt[0] != forms[i].kind)
				continue;
			verdict = TOA_MALFORMED;
			if (olen == forms[i].len &&
			    toa_decode(&forms[i], opt, client))
				return TOA_FOUND;
		}
		opt += olen;
		len -= olen;
	}
	return verdict;
}

#endif /* _TOA_OPTION_H */
