/* SPDX-License-Identifier: MIT */
#include "nft-rules/stray.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <libnftnl/set.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <string.h>
#include <time.h>

#include "nft-rules/element.h"
#include "nft-rules/ruleset.h"

enum { ANSWER_BYTES = 4096 };

/* As guard.c writes it: each field fills a register. */
static struct nftnl_set *stray_new(bool pool, const struct endpoint *from,
				   const struct endpoint *at)
{
	const uint16_t ports[] = {htons(at->port), htons(from->port)};
	uint32_t key[4] = {addr_to_ipv4(&at->addr), 0, addr_to_ipv4(&from->addr)};
	const size_t skipped = pool ? 0 : 1;

	memcpy(&key[1], &ports[0], sizeof(ports[0]));
	memcpy(&key[3], &ports[1], sizeof(ports[1]));
	return element_new(
		"tcp_stray",
		(struct element_bytes){key + skipped,
				       (uint32_t)(sizeof(key) - skipped * sizeof(key[0]))},
		(struct element_bytes){0}, 0);
}

/* The answer is the element or an error. */
static int ask(struct mnl_socket *socket, uint16_t family, struct nftnl_set *set)
{
	_Alignas(struct nlmsghdr) char buffer[ANSWER_BYTES] = {0}; /* libmnl leaves gaps */
	const uint32_t sequence = (uint32_t)time(NULL);
	struct nlmsghdr *message =
		nftnl_nlmsg_build_hdr(buffer, NFT_MSG_GETSETELEM, family, 0, sequence);
	ssize_t n;

	nftnl_set_elems_nlmsg_build_payload(message, set);
	if (mnl_socket_sendto(socket, message, message->nlmsg_len) < 0)
		return -errno;
	do
		n = mnl_socket_recvfrom(socket, buffer, sizeof(buffer));
	while (n < 0 && errno == EINTR);
	if (n < 0 || mnl_cb_run(buffer, (size_t)n, sequence, 0, NULL, NULL) < 0)
		return -errno;
	return 1;
}

int stray_waits(const struct nat *nat, bool pool, struct mnl_socket *socket,
		const struct endpoint *from, const struct endpoint *at)
{
	const uint16_t family = nat->port_mapping ? NFPROTO_INET : NFPROTO_IPV4;
	struct nftnl_set *set = stray_new(pool, from, at);
	int r;

	if (!set)
		return -ENOMEM;
	r = ask(socket, family, set);
	nftnl_set_free(set);
	return r == -ENOENT ? 0 : r;
}
