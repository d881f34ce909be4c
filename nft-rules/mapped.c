/* SPDX-License-Identifier: MIT */
#include "nft-rules/mapped.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <libnftnl/common.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "nft-rules/element.h"

enum {
	ANSWER_BYTES = 16384,
	REQUEST_BYTES = 4096,
	IP_PROTOCOL_OFFSET = 9, /* RFC 791 section 3.1 */
	DESTINATION_PORT_OFFSET = 2,
};

bool mapped_changed(const void *messages, size_t length)
{
	const struct nlmsghdr *message = messages;
	int left = (int)length;

	for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left))
		if (message->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWRULE) ||
		    message->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_DELRULE))
			return true;
	return false;
}

/* ---- reading rules ---- */

/* One rule while its expressions are gone through: "protocol, port: dnat to address, port". */
struct reading {
	uint32_t base, offset;     /* of the newest load */
	uint32_t registers[32][4]; /* what immediates have put there */
	uint8_t protocol;
	uint16_t external; /* network order */
	bool translates;
	uint32_t address;
	uint16_t port; /* network order */
};

static void read_compare(struct reading *r, const struct nftnl_expr *expr)
{
	uint32_t length;
	const void *data = nftnl_expr_get(expr, NFTNL_EXPR_CMP_DATA, &length);

	if (!data)
		return;
	if (r->base == NFT_PAYLOAD_NETWORK_HEADER && r->offset == IP_PROTOCOL_OFFSET && length == 1)
		memcpy(&r->protocol, data, 1);
	if (r->base == NFT_PAYLOAD_TRANSPORT_HEADER && r->offset == DESTINATION_PORT_OFFSET &&
	    length == 2)
		memcpy(&r->external, data, 2);
}

static void read_immediate(struct reading *r, const struct nftnl_expr *expr)
{
	uint32_t reg = nftnl_expr_get_u32(expr, NFTNL_EXPR_IMM_DREG), length;
	const void *data = nftnl_expr_get(expr, NFTNL_EXPR_IMM_DATA, &length);

	if (data && reg < 32 && length <= sizeof(r->registers[0]))
		memcpy(r->registers[reg], data, length);
}

static void read_nat(struct reading *r, const struct nftnl_expr *expr)
{
	uint32_t address = nftnl_expr_get_u32(expr, NFTNL_EXPR_NAT_REG_ADDR_MIN);
	uint32_t port = nftnl_expr_get_u32(expr, NFTNL_EXPR_NAT_REG_PROTO_MIN);

	r->translates = address < 32 && port < 32 &&
			nftnl_expr_get_u32(expr, NFTNL_EXPR_NAT_TYPE) == NFT_NAT_DNAT;
	if (!r->translates)
		return;
	memcpy(&r->address, r->registers[address], 4);
	memcpy(&r->port, r->registers[port], 2);
}

static int read_expression(struct nftnl_expr *expr, void *data)
{
	const char *name = nftnl_expr_get_str(expr, NFTNL_EXPR_NAME);
	struct reading *r = data;

	if (strcmp(name, "payload") == 0) {
		r->base = nftnl_expr_get_u32(expr, NFTNL_EXPR_PAYLOAD_BASE);
		r->offset = nftnl_expr_get_u32(expr, NFTNL_EXPR_PAYLOAD_OFFSET);
	} else if (strcmp(name, "cmp") == 0) {
		read_compare(r, expr);
	} else if (strcmp(name, "immediate") == 0) {
		read_immediate(r, expr);
	} else if (strcmp(name, "nat") == 0) {
		read_nat(r, expr);
	} else if (strcmp(name, "meta") == 0) {
		r->base = UINT32_MAX; /* what is compared next is no field of the packet */
	}
	return 0;
}

struct list {
	struct mapped_port *ports;
	int count;
};

static int read_rule(const struct nlmsghdr *message, void *data)
{
	struct nftnl_rule *rule = nftnl_rule_alloc();
	struct reading r = {.base = UINT32_MAX};
	struct list *list = data;

	if (!rule)
		return MNL_CB_ERROR;
	if (nftnl_rule_nlmsg_parse(message, rule) == 0)
		nftnl_expr_foreach(rule, read_expression, &r);
	nftnl_rule_free(rule);
	if (r.translates && r.external && list->count < MAPPED_MAX &&
	    (r.protocol == IPPROTO_UDP || r.protocol == IPPROTO_TCP))
		list->ports[list->count++] = (struct mapped_port){
			.protocol = r.protocol == IPPROTO_TCP ? NAT_TCP : NAT_UDP,
			.external = ntohs(r.external),
			.inside = {addr_from_ipv4(r.address), ntohs(r.port)},
		};
	return MNL_CB_OK;
}

/*
 * One message of an answer. Returns 1 to go on, 0 after the last, or -errno. A change of the
 * ruleset while it is listed is told in passing, and kept in *ret_torn.
 */
static int take_message(const struct nlmsghdr *message, mnl_cb_t take, void *data, bool *ret_torn)
{
	const struct nlmsgerr *error;

	if (message->nlmsg_flags & NLM_F_DUMP_INTR)
		*ret_torn = true;
	if (message->nlmsg_type == NLMSG_DONE)
		return 0;
	if (message->nlmsg_type == NLMSG_ERROR) {
		error = mnl_nlmsg_get_payload(message);
		return error->error;
	}
	return take && take(message, data) == MNL_CB_ERROR ? -ENOMEM : 1;
}

/* The answers to the request with @sequence, up to the last. -EINTR: they do not fit together. */
static int take_answers(struct mnl_socket *socket, uint32_t sequence, mnl_cb_t take, void *data)
{
	_Alignas(struct nlmsghdr) char buffer[ANSWER_BYTES];
	const struct nlmsghdr *message;
	bool torn = false;
	int r = 1, left;
	ssize_t n;

	while (r > 0) {
		n = mnl_socket_recvfrom(socket, buffer, sizeof(buffer));
		if (n < 0)
			return -errno;
		left = (int)n;
		for (message = (const struct nlmsghdr *)buffer;
		     r > 0 && mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left))
			if (message->nlmsg_seq == sequence)
				r = take_message(message, take, data, &torn);
	}
	return r == 0 && torn ? -EINTR : r;
}

static uint32_t next_sequence(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint32_t)now.tv_nsec;
}

static int list_once(struct mnl_socket *socket, struct list *list)
{
	const uint32_t sequence = next_sequence();
	struct nftnl_rule *rule = nftnl_rule_alloc();
	_Alignas(struct nlmsghdr) char buffer[REQUEST_BYTES];
	struct nlmsghdr *message;

	if (!rule)
		return -ENOMEM;
	message =
		nftnl_nlmsg_build_hdr(buffer, NFT_MSG_GETRULE, NFPROTO_INET, NLM_F_DUMP, sequence);
	nftnl_rule_set_str(rule, NFTNL_RULE_TABLE, RULESET_TABLE);
	nftnl_rule_set_str(rule, NFTNL_RULE_CHAIN, RULESET_MAPPED_TO);
	nftnl_rule_nlmsg_build_payload(message, rule);
	nftnl_rule_free(rule);
	if (mnl_socket_sendto(socket, message, message->nlmsg_len) < 0)
		return -errno;
	return take_answers(socket, sequence, read_rule, list);
}

int mapped_list(struct mnl_socket *socket, struct mapped_port ret[MAPPED_MAX])
{
	struct list list = {.ports = ret};
	int r;

	do {
		list.count = 0;
		r = list_once(socket, &list);
	} while (r == -EINTR); /* each time the daemon has written another rule meanwhile */
	return r < 0 ? r : list.count;
}

/* ---- claiming ---- */

/* One message as a transaction of its own. Returns 0 or -errno. */
static int transact(struct mnl_socket *socket, uint16_t type, uint16_t flags, struct nftnl_set *set)
{
	const uint32_t sequence = next_sequence();
	_Alignas(struct nlmsghdr) char buffer[REQUEST_BYTES];
	struct mnl_nlmsg_batch *batch = mnl_nlmsg_batch_start(buffer, sizeof(buffer));
	struct nlmsghdr *message;
	ssize_t sent;

	if (!batch)
		return -ENOMEM;
	nftnl_batch_begin(mnl_nlmsg_batch_current(batch), sequence);
	mnl_nlmsg_batch_next(batch);
	message = nftnl_nlmsg_build_hdr(mnl_nlmsg_batch_current(batch), type, NFPROTO_INET,
					(uint16_t)(flags | NLM_F_ACK), sequence + 1);
	nftnl_set_elems_nlmsg_build_payload(message, set);
	mnl_nlmsg_batch_next(batch);
	nftnl_batch_end(mnl_nlmsg_batch_current(batch), sequence + 2);
	mnl_nlmsg_batch_next(batch);
	sent = mnl_socket_sendto(socket, mnl_nlmsg_batch_head(batch), mnl_nlmsg_batch_size(batch));
	mnl_nlmsg_batch_stop(batch);
	return sent < 0 ? -errno : take_answers(socket, sequence + 1, NULL, NULL);
}

/* The claim as an element of its table; @timeout in milliseconds, 0 for none. */
static struct nftnl_set *claim_new(const struct nat_router *router, const struct mapped_port *port,
				   uint64_t timeout)
{
	const uint16_t external = htons(port->external), inside = htons(port->inside.port);
	const uint32_t address = addr_to_ipv4(&router->externals[0]);
	const uint32_t host = addr_to_ipv4(&port->inside.addr);
	/* Fields fill whole registers, but a key that is one port is two bytes. */
	uint32_t key[2] = {address}, data[5] = {address, host};
	const bool pool = router->external_count > 1;
	const bool independent = router->nat->mapping == ENDPOINT_INDEPENDENT;

	memcpy(&key[pool], &external, sizeof(external));
	memcpy(&data[2], &inside, sizeof(inside));
	return element_new(
		port->protocol == NAT_TCP ? "tcp_claim" : "udp_claim",
		(struct element_bytes){key, pool ? sizeof(key) : sizeof(external)},
		(struct element_bytes){data, independent ? 3 * sizeof(data[0]) : sizeof(data)},
		timeout);
}

int mapped_claim(const struct nat_router *router, struct mnl_socket *socket,
		 const struct mapped_port *port, bool given)
{
	const struct nat *nat = router->nat;
	struct nftnl_set *set;
	int r = 0;

	if (nat->kind != NAT_TRANSLATE || nat->ports.overloading)
		return 0;
	set = claim_new(router, port, given ? 0 : 2ULL * nat->timers.mapping[port->protocol]);
	if (!set)
		return -ENOMEM;
	if (!given)
		r = transact(socket, NFT_MSG_DELSETELEM, 0, set);
	if (r == 0)
		r = transact(socket, NFT_MSG_NEWSETELEM, NLM_F_CREATE, set);
	nftnl_set_free(set);
	return r;
}
