/* SPDX-License-Identifier: MIT */
#include "bench/nat_bed.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <libnftnl/common.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "kern/address.h"
#include "kern/batch.h"
#include "kern/link.h"
#include "kern/route.h"
#include "nft-rules/expr.h"
#include "nft-rules/hooks.h"
#include "nft-rules/ruleset.h"

/* Only after the C library's <netinet/in.h>, whose types it defines too. */
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

enum { HOME = LINK_FIRST_FREE, INTERNET = LINK_FIRST_FREE + 1, HOST = LINK_FIRST_FREE };
enum { LINKS_DEADLINE_MS = 3000 };

static const char *const addresses[NAT_SIDES] = {
	[NAT_INSIDE] = "192.168.1.1", [NAT_OUTSIDE] = "9.9.9.9", [NAT_ROUTER] = "1.2.3.4"};

static struct addr parse(const char *text)
{
	struct addr addr = {0};

	addr_parse(text, &addr);
	return addr;
}

static int add_address(struct batch *batch, int index, const char *text, uint8_t length)
{
	struct prefix prefix = {.addr = parse(text), .len = length};

	return address_add(batch, 0, index, &prefix);
}

static int add_default(struct batch *batch, const char *via, int index)
{
	struct route route = {.to.addr.family = AF_INET, .via = parse(via), .index = index};

	return route_add(batch, 0, &route);
}

static int set_up_router(struct nat_bed *bed, struct diag *d)
{
	CLEANUP(batch_free_cleanup) struct batch *batch = NULL;
	const struct link_end home = {"home", HOME}, internet = {"internet", INTERNET},
			      host = {"eth0", HOST};
	size_t tag;
	int r = batch_new(&batch);

	if (r < 0 ||
	    (r = link_add_veth(batch, 0, &home, 0, &host, bed->side[NAT_INSIDE]->fd)) < 0 ||
	    (r = link_add_veth(batch, 0, &internet, 0, &host, bed->side[NAT_OUTSIDE]->fd)) < 0 ||
	    (r = add_address(batch, HOME, "192.168.1.254", 24)) < 0 ||
	    (r = add_address(batch, INTERNET, "1.2.3.4", 32)) < 0 ||
	    (r = add_default(batch, "9.9.9.9", INTERNET)) < 0)
		return r;
	r = batch_commit(batch, bed->side[NAT_ROUTER], &tag, d);
	if (r < 0 || (r = netns_sysctl(bed->side[NAT_ROUTER], "net/ipv4/ip_forward", "1")) < 0)
		return r;
	/* As in a lab, whichever rules there are. */
	return netns_sysctl(bed->side[NAT_ROUTER], "net/netfilter/nf_conntrack_acct", "1");
}

static int set_up_host(struct nat_bed *bed, enum nat_side side, uint8_t length, const char *via,
		       struct diag *d)
{
	CLEANUP(batch_free_cleanup) struct batch *batch = NULL;
	size_t tag;
	int r = batch_new(&batch);

	if (r < 0 || (r = link_set_up(batch, 0, HOST)) < 0 ||
	    (r = add_address(batch, HOST, addresses[side], length)) < 0 ||
	    (r = add_default(batch, via, HOST)) < 0)
		return r;
	return batch_commit(batch, bed->side[side], &tag, d);
}

struct sockaddr_in nat_bed_address(enum nat_side side, uint16_t port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};

	inet_pton(AF_INET, addresses[side], &address.sin_addr);
	return address;
}

int nat_bed_socket(struct nat_bed *bed, enum nat_side side, int type, uint16_t port)
{
	struct sockaddr_in address = nat_bed_address(side, port);
	int fd = netns_socket(bed->side[side], AF_INET, type, 0);
	int r;

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	r = -errno;
	close(fd);
	return r;
}

static long long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* A new link drops what it is given until the kernel has, in its own time, seen its carrier. */
static int await_links(struct nat_bed *bed, struct diag *d)
{
	const struct sockaddr_in server = nat_bed_address(NAT_OUTSIDE, 999);
	AUTO_CLOSE int inside = nat_bed_socket(bed, NAT_INSIDE, SOCK_DGRAM, 999);
	AUTO_CLOSE int outside = nat_bed_socket(bed, NAT_OUTSIDE, SOCK_DGRAM, 999);
	struct pollfd poller = {.fd = outside, .events = POLLIN};
	long long deadline = now_ms() + LINKS_DEADLINE_MS;

	if (inside < 0 || outside < 0)
		return diag_system(d, EIO, "cannot open sockets");
	while (now_ms() < deadline) {
		if (sendto(inside, "", 1, 0, (const struct sockaddr *)&server, sizeof(server)) < 0)
			return diag_system(d, errno, "cannot send");
		if (poll(&poller, 1, 1) == 1)
			return 0;
	}
	return diag_error(d, ETIMEDOUT, "the links do not come up within %d ms", LINKS_DEADLINE_MS);
}

int nat_bed_new(struct nat_bed *ret, struct diag *d)
{
	int side, r = 0;

	for (side = 0; r == 0 && side < NAT_SIDES; side++)
		r = netns_new(&ret->side[side], d);
	if (r < 0 || (r = set_up_router(ret, d)) < 0 ||
	    (r = set_up_host(ret, NAT_INSIDE, 24, "192.168.1.254", d)) < 0 ||
	    (r = set_up_host(ret, NAT_OUTSIDE, 32, "1.2.3.4", d)) < 0)
		return r;
	r = nat_bed_install(ret, NULL, d);
	return r < 0 ? r : await_links(ret, d);
}

/* The last of what was sent through @socket was acknowledged with 0 or -errno. */
static int answer(struct mnl_socket *socket)
{
	_Alignas(struct nlmsghdr) char buffer[1024];
	const struct nlmsghdr *header = (const struct nlmsghdr *)buffer;
	ssize_t length = mnl_socket_recvfrom(socket, buffer, sizeof(buffer));

	if (length < 0)
		return -errno;
	if (!mnl_nlmsg_ok(header, (int)length) || header->nlmsg_type != NLMSG_ERROR)
		return -EPROTO;
	return ((const struct nlmsgerr *)mnl_nlmsg_get_payload(header))->error;
}

/* Without a family and a name: every table of the namespace. Its sets' elements go too. */
static int delete_tables(struct mnl_socket *socket)
{
	_Alignas(struct nlmsghdr) char buffer[512] = {0};
	struct nlmsghdr *header;
	size_t length;

	nftnl_batch_begin(buffer, 1);
	length = NLMSG_ALIGN(((struct nlmsghdr *)buffer)->nlmsg_len);
	header = nftnl_nlmsg_build_hdr(buffer + length, NFT_MSG_DELTABLE, NFPROTO_UNSPEC, NLM_F_ACK,
				       2);
	length += NLMSG_ALIGN(header->nlmsg_len);
	nftnl_batch_end(buffer + length, 3);
	length += NLMSG_ALIGN(((struct nlmsghdr *)(buffer + length))->nlmsg_len);
	if (mnl_socket_sendto(socket, buffer, length) < 0)
		return -errno;
	return answer(socket);
}

int nat_bed_forget(struct nat_bed *bed, struct diag *d)
{
	_Alignas(struct nlmsghdr) char buffer[128] = {0};
	struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
	struct mnl_socket *socket;
	struct nfgenmsg *family;
	int r = netns_netfilter(bed->side[NAT_ROUTER], &socket, d);

	if (r < 0)
		return r;
	header->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE;
	header->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	family = mnl_nlmsg_put_extra_header(header, sizeof(*family));
	family->nfgen_family = AF_INET;
	r = mnl_socket_sendto(socket, buffer, header->nlmsg_len) < 0 ? -errno : answer(socket);
	return r < 0 ? diag_system(d, -r, "cannot empty conntrack's table") : 0;
}

static int plain_masquerade(struct ruleset **ret)
{
	CLEANUP(ruleset_free_cleanup) struct ruleset *ruleset = ir_new();
	struct builder b;

	if (!ruleset)
		return -ENOMEM;
	b = expr_rule(ruleset, ir_add_chain(ruleset, &hook_srcnat, "", "postrouting"), NULL);
	expr_match_oifname(&b, "internet", true);
	expr_masquerade(&b);
	if (ruleset->error)
		return ruleset->error;
	*ret = STEAL(ruleset);
	return 0;
}

int nat_bed_time_install(struct nat_bed *bed, const struct nat *nat, size_t count, double *ret_ms,
			 struct diag *d)
{
	CLEANUP(ruleset_free_cleanup) struct ruleset *ruleset = NULL;
	struct addr externals[NAT_POOL_MAX];
	const struct nat_router router = {.nat = nat,
					  .outside = "internet",
					  .externals = externals,
					  .external_count = count,
					  .wordless = true};
	struct mnl_socket *socket;
	struct timespec begin, end;
	size_t i;
	int r = netns_netfilter(bed->side[NAT_ROUTER], &socket, d);

	if (r < 0)
		return r;
	externals[0] = parse(addresses[NAT_ROUTER]);
	for (i = 1; i < count; i++)
		externals[i] = addr_from_ipv4(addr_to_ipv4(&externals[0]) + htonl((uint32_t)i));
	r = delete_tables(socket);
	if (r < 0)
		return diag_system(d, -r, "cannot delete the rules");
	clock_gettime(CLOCK_MONOTONIC, &begin);
	r = nat ? ruleset_build(&router, &ruleset, d) : plain_masquerade(&ruleset);
	if (r == 0)
		r = ruleset_apply(ruleset, socket, d);
	clock_gettime(CLOCK_MONOTONIC, &end);
	*ret_ms = (double)(end.tv_sec - begin.tv_sec) * 1e3 +
		  (double)(end.tv_nsec - begin.tv_nsec) / 1e6;
	return r;
}

int nat_bed_install(struct nat_bed *bed, const struct nat *nat, struct diag *d)
{
	double ignored;

	return nat_bed_time_install(bed, nat, 1, &ignored, d);
}
