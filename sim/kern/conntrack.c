/* SPDX-License-Identifier: MIT */
/*
 * libnetfilter_conntrack parses a flow, with one exception: it keeps a single ICMP
 * identifier per flow, while a NAT may give the reply direction another. That one
 * is read here from the message itself.
 */
#include "kern/conntrack.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack_tcp.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	MESSAGE_BYTES = 256,
	REPLY_BYTES = 16384, /* the kernel fills at most a page, or 16 KiB if offered */
};

struct table {
	struct flow *flows;
	size_t count, room;
};

static const char *tcp_state(const struct nf_conntrack *entry)
{
	static const char *const names[] = {
		[TCP_CONNTRACK_NONE] = "NONE",         [TCP_CONNTRACK_SYN_SENT] = "SYN_SENT",
		[TCP_CONNTRACK_SYN_RECV] = "SYN_RECV", [TCP_CONNTRACK_ESTABLISHED] = "ESTABLISHED",
		[TCP_CONNTRACK_FIN_WAIT] = "FIN_WAIT", [TCP_CONNTRACK_CLOSE_WAIT] = "CLOSE_WAIT",
		[TCP_CONNTRACK_LAST_ACK] = "LAST_ACK", [TCP_CONNTRACK_TIME_WAIT] = "TIME_WAIT",
		[TCP_CONNTRACK_CLOSE] = "CLOSE",       [TCP_CONNTRACK_SYN_SENT2] = "SYN_SENT2",
	};
	uint8_t state;

	if (!nfct_attr_is_set(entry, ATTR_TCP_STATE))
		return "";
	state = nfct_get_attr_u8(entry, ATTR_TCP_STATE);
	return state < sizeof(names) / sizeof(names[0]) && names[state] ? names[state] : "";
}

static struct endpoint endpoint_of(const struct nf_conntrack *entry, enum nf_conntrack_attr address,
				   enum nf_conntrack_attr port)
{
	struct endpoint ret = {.addr = addr_from_ipv4(nfct_get_attr_u32(entry, address))};

	if (nfct_attr_is_set(entry, port))
		ret.port = ntohs(nfct_get_attr_u16(entry, port));
	return ret;
}

struct wanted {
	uint16_t type;
	const struct nlattr *found;
};

static int find_attribute(const struct nlattr *attribute, void *data)
{
	struct wanted *wanted = data;

	if (mnl_attr_get_type(attribute) == wanted->type)
		wanted->found = attribute;
	return MNL_CB_OK;
}

/* The identifier of the reply direction, 0 when the message has none. */
static uint16_t reply_icmp_id(const struct nlmsghdr *header)
{
	struct wanted tuple = {.type = CTA_TUPLE_REPLY};
	struct wanted protocol = {.type = CTA_TUPLE_PROTO};
	struct wanted id = {.type = CTA_PROTO_ICMP_ID};

	mnl_attr_parse(header, sizeof(struct nfgenmsg), find_attribute, &tuple);
	if (tuple.found)
		mnl_attr_parse_nested(tuple.found, find_attribute, &protocol);
	if (protocol.found)
		mnl_attr_parse_nested(protocol.found, find_attribute, &id);
	if (!id.found || mnl_attr_validate(id.found, MNL_TYPE_U16) < 0)
		return 0;
	return ntohs(mnl_attr_get_u16(id.found));
}

static void set_icmp_ids(struct flow *flow, const struct nf_conntrack *entry,
			 const struct nlmsghdr *header)
{
	uint16_t reply = reply_icmp_id(header);

	if (!nfct_attr_is_set(entry, ATTR_ICMP_ID))
		return;
	flow->source.port = ntohs(nfct_get_attr_u16(entry, ATTR_ICMP_ID));
	flow->destination.port = flow->source.port;
	flow->reply_source.port = reply;
	flow->reply_destination.port = reply;
}

static uint64_t counter(const struct nf_conntrack *entry, enum nf_conntrack_attr attribute)
{
	return nfct_attr_is_set(entry, attribute) ? nfct_get_attr_u64(entry, attribute) : 0;
}

static struct flow flow_of(const struct nf_conntrack *entry, const struct nlmsghdr *header)
{
	uint32_t status = nfct_get_attr_u32(entry, ATTR_STATUS);
	struct flow flow = {
		.protocol = nfct_get_attr_u8(entry, ATTR_ORIG_L4PROTO),
		.source = endpoint_of(entry, ATTR_ORIG_IPV4_SRC, ATTR_ORIG_PORT_SRC),
		.destination = endpoint_of(entry, ATTR_ORIG_IPV4_DST, ATTR_ORIG_PORT_DST),
		.reply_source = endpoint_of(entry, ATTR_REPL_IPV4_SRC, ATTR_REPL_PORT_SRC),
		.reply_destination = endpoint_of(entry, ATTR_REPL_IPV4_DST, ATTR_REPL_PORT_DST),
		.seen_reply = status & IPS_SEEN_REPLY,
		.assured = status & IPS_ASSURED,
		.packets = counter(entry, ATTR_ORIG_COUNTER_PACKETS),
		.reply_packets = counter(entry, ATTR_REPL_COUNTER_PACKETS),
		.bytes = counter(entry, ATTR_ORIG_COUNTER_BYTES),
		.reply_bytes = counter(entry, ATTR_REPL_COUNTER_BYTES),
		.timeout = nfct_get_attr_u32(entry, ATTR_TIMEOUT),
		.state = tcp_state(entry),
	};

	if (flow.protocol == IPPROTO_ICMP)
		set_icmp_ids(&flow, entry, header);
	return flow;
}

static int table_add(struct table *table, const struct flow *flow)
{
	size_t room = table->room ? 2 * table->room : 64;
	struct flow *flows;

	if (table->count == table->room) {
		flows = reallocarray(table->flows, room, sizeof(*flows));
		if (!flows)
			return -ENOMEM;
		table->flows = flows;
		table->room = room;
	}
	table->flows[table->count++] = *flow;
	return 0;
}

static int read_entry(const struct nlmsghdr *header, void *data)
{
	struct nf_conntrack *entry = nfct_new();
	struct flow flow;
	int r;

	if (!entry) {
		errno = ENOMEM;
		return MNL_CB_ERROR;
	}
	if (nfct_nlmsg_parse(header, entry) < 0) {
		nfct_destroy(entry);
		errno = EBADMSG;
		return MNL_CB_ERROR;
	}
	flow = flow_of(entry, header);
	nfct_destroy(entry);
	r = table_add(data, &flow);
	if (r < 0) {
		errno = -r;
		return MNL_CB_ERROR;
	}
	return MNL_CB_OK;
}

/*
 * Read the kernel's table once. Entries may come and go meanwhile: the kernel walks
 * its hash table without holding it still, and calls no such pass inconsistent.
 */
static int dump(struct mnl_socket *socket, struct table *table)
{
	_Alignas(struct nlmsghdr) char request[MESSAGE_BYTES];
	_Alignas(struct nlmsghdr) char reply[REPLY_BYTES];
	unsigned int port = mnl_socket_get_portid(socket);
	struct nlmsghdr *header = mnl_nlmsg_put_header(request);
	struct nfgenmsg *family = mnl_nlmsg_put_extra_header(header, sizeof(*family));
	int r = MNL_CB_OK;
	ssize_t n;

	header->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET;
	header->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	header->nlmsg_seq = (uint32_t)time(NULL);
	family->nfgen_family = AF_INET;
	family->version = NFNETLINK_V0;
	if (mnl_socket_sendto(socket, header, header->nlmsg_len) < 0)
		return -errno;
	while (r > MNL_CB_STOP) {
		n = mnl_socket_recvfrom(socket, reply, sizeof(reply));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		r = mnl_cb_run(reply, (size_t)n, header->nlmsg_seq, port, read_entry, table);
		if (r < 0)
			return -errno;
	}
	return 0;
}

static int compare_endpoints(const struct endpoint *a, const struct endpoint *b)
{
	int r = memcmp(a->addr.bytes, b->addr.bytes, sizeof(a->addr.bytes));

	return r ? r : (a->port > b->port) - (a->port < b->port);
}

static int compare_flows(const void *left, const void *right)
{
	const struct flow *a = left, *b = right;
	int r = (a->protocol > b->protocol) - (a->protocol < b->protocol);

	if (r == 0)
		r = compare_endpoints(&a->source, &b->source);
	if (r == 0)
		r = compare_endpoints(&a->destination, &b->destination);
	return r;
}

int conntrack_dump(struct netns *netns, struct flow **ret, size_t *ret_count, struct diag *d)
{
	struct mnl_socket *socket;
	struct table table = {0};
	int r;

	r = netns_netfilter(netns, &socket, d);
	if (r < 0)
		return r;
	r = dump(socket, &table);
	if (r == 0 && !table.flows) {
		table.flows = calloc(1, sizeof(*table.flows)); /* "none" is an array too */
		r = table.flows ? 0 : -ENOMEM;
	}
	if (r < 0) {
		free(table.flows);
		diag_system(d, -r, "cannot read the table of tracked flows");
		if (r == -EINVAL)
			diag_help(d, "the kernel lacks CONFIG_NF_CT_NETLINK: try modprobe "
				     "nf_conntrack_netlink");
		return r;
	}
	qsort(table.flows, table.count, sizeof(*table.flows), compare_flows);
	*ret = table.flows;
	*ret_count = table.count;
	return 0;
}
