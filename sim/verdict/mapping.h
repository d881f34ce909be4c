/* SPDX-License-Identifier: MIT */
/* A tracked flow as its NAT sees it: inside -> outside -> remote. */
#ifndef NATSIM_VERDICT_MAPPING_H
#define NATSIM_VERDICT_MAPPING_H

#include <stdbool.h>
#include <stdio.h>

#include "kern/conntrack.h"
#include "observe/timeline.h"

struct mapping {
	uint8_t protocol;
	struct endpoint inside, outside,
		remote;          /* outside equals inside when nothing is translated */
	uint64_t sent, received; /* packets, as the inside counts */
	bool from_outside;       /* the first packet came from the remote */
};

/* A flow read by what was translated; an untranslated one counts as opened from inside. */
struct mapping mapping_of(const struct flow *flow);

/* The flow of @protocol that @view has between @inside and @remote, whoever opened it: the busiest
 * if there are more. */
bool mapping_find(const struct router_view *view, uint8_t protocol, const struct endpoint *inside,
		  const struct endpoint *remote, struct mapping *ret);

/*
 * How many of @messages a table is sure to have counted. Of a UDP flow that is RULESET_COUNTED each
 * way at most: what comes afterwards may have passed conntrack by (nft-rules/known.c). So
 * this, not @messages, is what `sent` and `received` are compared with.
 */
uint64_t mapping_counted(uint8_t protocol, uint64_t messages);

/* "192.168.1.1:7777 -> 1.2.3.4:7777 -> 5.6.7.8:8888", without the middle when nothing is
 * translated. */
#define MAPPING_TEXT_MAX (3 * (ENDPOINT_TEXT_MAX + 4))
const char *mapping_format(const struct mapping *mapping, char text[MAPPING_TEXT_MAX]);

/* "udp", "tcp", "icmp", or the number in @buffer. */
const char *protocol_name(uint8_t protocol, char buffer[8]);

/* The view of @node in an array of them, or NULL. */
const struct router_view *router_view_of(const struct router_view *views, size_t count,
					 size_t node);

#endif
