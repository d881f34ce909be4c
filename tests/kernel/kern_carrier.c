/* SPDX-License-Identifier: MIT */
/* A link that is said to carry does, and one that never will is named. */
#include <criterion/criterion.h>
#include <errno.h>

#include "kern/address.h"
#include "kern/carrier.h"
#include "kern/link.h"
#include "support/in_netns.h"

enum { LINK = LINK_FIRST_FREE, TIMEOUT_MS = 5000, PAIRS = 30 };

/* A veth between two new namespaces; the far end stays down unless @far_up. */
static int connect_pair(struct netns **ret_near, struct netns **ret_far, bool far_up)
{
	CLEANUP(batch_free_cleanup) struct batch *batch = NULL;
	const struct link_end near = {"near", LINK}, far = {"far", LINK};
	struct prefix address = {.len = 24};
	size_t tag;

	EXPECT(netns_new(ret_near, NULL) == 0 && netns_new(ret_far, NULL) == 0, "namespaces");
	EXPECT(batch_new(&batch) == 0, "batch");
	EXPECT(link_add_veth(batch, 0, &near, 0, &far, (*ret_far)->fd) == 0, "veth");
	EXPECT(addr_parse("10.0.0.1", &address.addr), "address");
	EXPECT(address_add(batch, 0, LINK, &address) == 0, "address");
	EXPECT(batch_commit(batch, *ret_near, &tag, NULL) == 0, "near end");
	if (!far_up)
		return 0;
	EXPECT(addr_parse("10.0.0.2", &address.addr), "address");
	EXPECT(address_add(batch, 0, LINK, &address) == 0, "address");
	EXPECT(link_set_up(batch, 0, LINK) == 0, "up");
	EXPECT(batch_commit(batch, *ret_far, &tag, NULL) == 0, "far end");
	return 0;
}

/* Does the first datagram that the near end sends arrive? */
static int first_packet(const struct netns *near, const struct netns *far)
{
	struct endpoint to = {.port = 7777};
	struct sockaddr_storage address;
	struct timeval patience = {.tv_sec = 2};
	int from = netns_socket(near, AF_INET, SOCK_DGRAM, 0);
	int at = netns_socket(far, AF_INET, SOCK_DGRAM, 0);
	socklen_t length;
	char byte = 'x';

	EXPECT(from >= 0 && at >= 0 && addr_parse("10.0.0.2", &to.addr), "sockets");
	length = endpoint_to_sockaddr(&to, &address);
	EXPECT(bind(at, (struct sockaddr *)&address, length) == 0, "bind");
	EXPECT(setsockopt(at, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) == 0, "wait");
	EXPECT(sendto(from, &byte, 1, 0, (struct sockaddr *)&address, length) == 1, "send");
	EXPECT(recv(at, &byte, 1, 0) == 1, "the first packet was swallowed");
	close(from);
	close(at);
	return 0;
}

static int body_first_packet(void)
{
	int i;

	for (i = 0; i < PAIRS; i++) {
		CLEANUP(netns_free_cleanup) struct netns *near = NULL;
		CLEANUP(netns_free_cleanup) struct netns *far = NULL;

		if (connect_pair(&near, &far, true))
			return 1;
		EXPECT(carrier_await(near, LINK, TIMEOUT_MS, NULL) == 0, "near end");
		if (first_packet(near, far))
			return 1;
	}
	return 0;
}

Test(carrier, once_awaited_the_first_packet_arrives, .timeout = 60)
{
	in_netns(body_first_packet);
}

static int body_never(void)
{
	CLEANUP(netns_free_cleanup) struct netns *near = NULL;
	CLEANUP(netns_free_cleanup) struct netns *far = NULL;
	AUTO_DIAG struct diag d = {0};

	if (connect_pair(&near, &far, false))
		return 1;
	EXPECT(carrier_await(near, LINK, 20, &d) == -ETIMEDOUT, "its partner is down");
	EXPECT(d.count == 1 && strstr(d.entries[0].message, "link 101 is up but carries nothing"),
	       "%s", d.count ? d.entries[0].message : "no words");
	EXPECT(carrier_await(near, LINK + 1, 20, NULL) == -ENODEV, "there is no such link");
	return 0;
}

Test(carrier, a_link_without_a_partner_that_is_up_is_named, .timeout = 20)
{
	in_netns(body_never);
}
