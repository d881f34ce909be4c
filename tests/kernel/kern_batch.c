/* SPDX-License-Identifier: MIT */
/* Requests sent together do what they would do alone, and a refusal finds its request. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include "kern/address.h"
#include "kern/batch.h"
#include "kern/link.h"
#include "kern/netns.h"
#include "kern/route.h"
#include "support/in_netns.h"

enum { MANY = 2000 };

static struct prefix numbered(uint32_t number, uint8_t length)
{
	return (struct prefix){addr_from_ipv4(htonl(0x0a000000 + number)), length};
}

static int add_route(struct batch *batch, size_t tag, uint32_t number)
{
	struct route route = {.to = numbered(number, 32)}; /* a blackhole */

	return route_add(batch, tag, &route);
}

static int body_many(void)
{
	CLEANUP(netns_free_cleanup) struct netns *netns = NULL;
	CLEANUP(batch_free_cleanup) struct batch *batch = NULL;
	size_t tag = 0;
	uint32_t i;

	EXPECT(netns_new(&netns, NULL) == 0 && batch_new(&batch) == 0, "prepare");
	EXPECT(batch_commit(batch, netns, &tag, NULL) == 0, "nothing to do is no error");
	for (i = 0; i < MANY; i++)
		EXPECT(add_route(batch, i, i) == 0, "add");
	EXPECT(batch_commit(batch, netns, &tag, NULL) == 0, "%u routes, the one with tag %zu", MANY,
	       tag);
	/* Each is there: adding it again is refused. */
	for (i = 0; i < MANY; i += 37) {
		EXPECT(add_route(batch, 5000 + i, i) == 0, "add");
		EXPECT(batch_commit(batch, netns, &tag, NULL) == -EEXIST && tag == 5000 + i,
		       "route %u is not there", i);
	}
	return 0;
}

Test(batch, of_any_size_is_executed_whole, .timeout = 20)
{
	in_netns(body_many);
}

static int body_first_refusal(void)
{
	CLEANUP(netns_free_cleanup) struct netns *netns = NULL;
	CLEANUP(batch_free_cleanup) struct batch *batch = NULL;
	AUTO_DIAG struct diag d = {0};
	size_t tag = 0;
	uint32_t i;

	EXPECT(netns_new(&netns, NULL) == 0 && batch_new(&batch) == 0, "prepare");
	for (i = 0; i < 20; i++) /* 7 and 13 come twice */
		EXPECT(add_route(batch, 100 + i, i == 8 ? 7 : i == 14 ? 13 : i) == 0, "add");
	EXPECT(batch_commit(batch, netns, &tag, &d) == -EEXIST, "accepted");
	EXPECT(tag == 108, "tag %zu instead of the first refused, 108", tag);
	EXPECT(d.count == 1 && strstr(d.entries[0].message, "File exists"), "%zu entries: %s",
	       d.count, d.count ? d.entries[0].message : "");
	EXPECT(add_route(batch, 1, 99) == 0 && batch_commit(batch, netns, &tag, NULL) == 0,
	       "the batch cannot be used again");
	return 0;
}

Test(batch, tells_the_first_refused_request_by_its_tag, .timeout = 20)
{
	in_netns(body_first_refusal);
}

static int body_all_refused(void)
{
	CLEANUP(netns_free_cleanup) struct netns *netns = NULL;
	CLEANUP(batch_free_cleanup) struct batch *batch = NULL;
	struct route route = {.to = numbered(1, 32)};
	AUTO_DIAG struct diag d = {0};
	size_t tag = 0;
	uint32_t i;

	EXPECT(netns_new(&netns, NULL) == 0 && batch_new(&batch) == 0, "prepare");
	route.via = numbered(2, 32).addr;
	for (i = 0; i < MANY; i++)
		EXPECT(route_add(batch, i, &route) == 0, "add");
	EXPECT(batch_commit(batch, netns, &tag, &d) == -ENETUNREACH && tag == 0, "tag %zu", tag);
	EXPECT(d.count == 1 && strstr(d.entries[0].message, "Nexthop has invalid gateway"),
	       "%zu entries, the kernel's own words are missing: %s", d.count,
	       d.count ? d.entries[0].message : "");
	return 0;
}

Test(batch, of_refusals_only_ends_too, .timeout = 20)
{
	in_netns(body_all_refused);
}

/* a -- bridge -- b, with an address each. */
static int body_bridge(void)
{
	const struct link_end bridge = {"lan", 101}, port_a = {"a", 102}, port_b = {"b", 103};
	const struct link_end far = {"eth", 101};
	CLEANUP(netns_free_cleanup) struct netns *middle = NULL, *a = NULL, *b = NULL;
	CLEANUP(batch_free_cleanup) struct batch *batch = NULL;
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(7000)};
	struct prefix of_a = numbered(1, 24), of_b = numbered(2, 24);
	struct pollfd arrival = {.events = POLLIN};
	AUTO_CLOSE int from = -1, at = -1;
	size_t tag = 0;

	EXPECT(netns_new(&middle, NULL) == 0 && netns_new(&a, NULL) == 0 &&
		       netns_new(&b, NULL) == 0 && batch_new(&batch) == 0,
	       "prepare");
	EXPECT(link_add_bridge(batch, 1, &bridge) == 0 &&
		       link_add_veth(batch, 2, &port_a, bridge.index, &far, a->fd) == 0 &&
		       link_add_veth(batch, 3, &port_b, bridge.index, &far, b->fd) == 0 &&
		       batch_commit(batch, middle, &tag, NULL) == 0,
	       "links, tag %zu", tag);
	EXPECT(link_set_up(batch, 4, far.index) == 0 &&
		       address_add(batch, 5, far.index, &of_a) == 0 &&
		       batch_commit(batch, a, &tag, NULL) == 0,
	       "a, tag %zu", tag);
	EXPECT(link_set_up(batch, 6, far.index) == 0 &&
		       address_add(batch, 7, far.index, &of_b) == 0 &&
		       batch_commit(batch, b, &tag, NULL) == 0,
	       "b, tag %zu", tag);
	from = netns_socket(a, AF_INET, SOCK_DGRAM, 0);
	at = netns_socket(b, AF_INET, SOCK_DGRAM, 0);
	to.sin_addr.s_addr = addr_to_ipv4(&of_b.addr);
	EXPECT(bind(at, (struct sockaddr *)&to, sizeof(to)) == 0, "bind");
	EXPECT(sendto(from, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)) == 1, "send");
	arrival.fd = at;
	/* A bridge with spanning tree would listen and learn for 30 s first. */
	EXPECT(poll(&arrival, 1, 2000) == 1, "a new bridge does not forward at once");
	return 0;
}

Test(link, a_bridge_forwards_from_its_first_moment, .timeout = 20)
{
	in_netns(body_bridge);
}

static int body_routes(void)
{
	const struct link_end near = {"near", 101}, far = {"far", 101};
	CLEANUP(netns_free_cleanup) struct netns *here = NULL, *there = NULL;
	CLEANUP(batch_free_cleanup) struct batch *batch = NULL;
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9)};
	struct route blackhole = {.to = numbered(0, 24)};
	struct route onlink = {.to = {.addr = {.family = AF_INET}, .len = 0}, .index = near.index};
	struct prefix own = numbered(0x50000, 32);
	AUTO_CLOSE int fd = -1;
	size_t tag = 0;

	EXPECT(netns_new(&here, NULL) == 0 && netns_new(&there, NULL) == 0 &&
		       batch_new(&batch) == 0,
	       "prepare");
	addr_parse("192.0.0.8", &onlink.via);
	EXPECT(link_add_veth(batch, 1, &near, 0, &far, there->fd) == 0 &&
		       address_add(batch, 2, near.index, &own) == 0 &&
		       route_add(batch, 3, &blackhole) == 0 && route_add(batch, 4, &onlink) == 0 &&
		       batch_commit(batch, here, &tag, NULL) == 0,
	       "tag %zu", tag);
	fd = netns_socket(here, AF_INET, SOCK_DGRAM, 0);
	to.sin_addr.s_addr = htonl(0x0a000001);
	EXPECT(sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)) < 0 && errno == EINVAL,
	       "a blackhole swallows (EINVAL for the sender itself), not %s", strerror(errno));
	to.sin_addr.s_addr = htonl(0x08080808);
	EXPECT(sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)) == 1,
	       "a gateway outside all subnets: %s", strerror(errno));
	return 0;
}

Test(route, blackholes_and_gateways_outside_every_subnet, .timeout = 20)
{
	in_netns(body_routes);
}
