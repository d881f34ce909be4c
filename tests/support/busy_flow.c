/* SPDX-License-Identifier: MIT */
#include "support/busy_flow.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "kern/conntrack.h"
#include "nft-rules/ruleset.h"

struct counts busy_counted(struct natbed *bed)
{
	struct endpoint host = bed_endpoint(HOST), peer = bed_endpoint(PEER);
	AUTO_DIAG struct diag d = {0};
	struct counts counts = {0};
	struct flow *flows;
	size_t count, i;

	cr_assert(conntrack_dump(bed->side[BED_ROUTER], &flows, &count, &d) == 0);
	for (i = 0; i < count; i++) {
		if (bed_same(&flows[i].source, &host) && bed_same(&flows[i].destination, &peer))
			counts = (struct counts){flows[i].packets, flows[i].reply_packets};
		if (bed_same(&flows[i].reply_source, &host) &&
		    bed_same(&flows[i].reply_destination, &peer))
			counts = (struct counts){flows[i].reply_packets, flows[i].packets};
	}
	free(flows);
	return counts;
}

void busy_same(const struct endpoint *a, const struct endpoint *b, const char *what)
{
	cr_assert(bed_same(a, b), "%s %s, not %s", what, BED_TEXT(a), BED_TEXT(b));
}

void busy_pass(int from, const struct endpoint *to, int at, const struct endpoint *expected)
{
	struct sockaddr_storage address;
	socklen_t size;
	struct endpoint seen;
	int i;

	size = endpoint_to_sockaddr(to, &address);
	for (i = 0; i < BUSY_MANY; i++)
		cr_assert(sendto(from, "x", 1, 0, (struct sockaddr *)&address, size) == 1);
	for (i = 0; i < BUSY_MANY; i++) {
		cr_assert(bed_readable(at, bed_now() + BED_DEADLINE_MS), "%d of %d arrived", i,
			  BUSY_MANY);
		size = sizeof(address);
		cr_assert(recvfrom(at, &(char){0}, 1, 0, (struct sockaddr *)&address, &size) == 1);
		cr_assert(endpoint_from_sockaddr(&address, &seen));
		busy_same(&seen, expected, "it comes from");
	}
}

struct endpoint busy_make(struct natbed *bed, int host, int peer)
{
	const struct endpoint to = bed_endpoint(PEER);
	struct endpoint external = bed_pass(host, &to, peer);
	struct counts before, after;
	int exchanged;

	for (exchanged = 0; exchanged < RULESET_COUNTED; exchanged += BUSY_MANY) {
		busy_pass(host, &to, peer, &external);
		busy_pass(peer, &external, host, &to);
	}
	before = busy_counted(bed);
	cr_assert(before.out >= RULESET_COUNTED && before.back >= RULESET_COUNTED,
		  "known after %d and %d packets", (int)before.out, (int)before.back);
	do { /* to read conntrack's table takes longer than all these */
		cr_assert(exchanged < BUSY_PATIENCE * RULESET_COUNTED, "the flow is never known");
		before = busy_counted(bed);
		busy_pass(host, &to, peer, &external);
		busy_pass(peer, &external, host, &to);
		after = busy_counted(bed);
		exchanged += BUSY_MANY;
	} while (after.out == before.out + BUSY_MANY || after.back == before.back + BUSY_MANY);
	return external;
}
