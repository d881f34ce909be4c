/* SPDX-License-Identifier: MIT */
#include "verdict/mapping.h"

#include <netinet/in.h>

#include "nft-rules/ruleset.h"

struct mapping mapping_of(const struct flow *flow)
{
	struct mapping mapping = {
		.protocol = flow->protocol,
		.inside = flow->source,
		.outside = flow->reply_destination,
		.remote = flow->destination,
		.sent = flow->packets,
		.received = flow->reply_packets,
	};

	/* Only the destination was changed: a stranger's packet, let in to a mapping. */
	if (endpoint_equal(&flow->source, &flow->reply_destination) &&
	    !endpoint_equal(&flow->destination, &flow->reply_source)) {
		mapping.inside = flow->reply_source;
		mapping.outside = flow->destination;
		mapping.remote = flow->source;
		mapping.sent = flow->reply_packets;
		mapping.received = flow->packets;
		mapping.from_outside = true;
	}
	return mapping;
}

/* The flow as @inside sees it, if it is one between @inside and @remote. */
static bool match(const struct flow *flow, const struct endpoint *inside,
		  const struct endpoint *remote, struct mapping *ret)
{
	struct mapping mapping = {.protocol = flow->protocol, .inside = *inside, .remote = *remote};

	if (endpoint_equal(&flow->source, inside) && endpoint_equal(&flow->destination, remote)) {
		mapping.outside = flow->reply_destination;
		mapping.sent = flow->packets;
		mapping.received = flow->reply_packets;
	} else if (endpoint_equal(&flow->reply_source, inside) &&
		   endpoint_equal(&flow->reply_destination, remote)) {
		mapping.outside = flow->destination;
		mapping.sent = flow->reply_packets;
		mapping.received = flow->packets;
		mapping.from_outside = true;
	} else {
		return false;
	}
	*ret = mapping;
	return true;
}

bool mapping_find(const struct router_view *view, uint8_t protocol, const struct endpoint *inside,
		  const struct endpoint *remote, struct mapping *ret)
{
	struct mapping mapping;
	bool found = false;
	size_t i;

	for (i = 0; i < view->flow_count; i++) {
		if (view->flows[i].protocol != protocol ||
		    !match(&view->flows[i], inside, remote, &mapping))
			continue;
		if (!found || mapping.sent + mapping.received > ret->sent + ret->received)
			*ret = mapping;
		found = true;
	}
	return found;
}

uint64_t mapping_counted(uint8_t protocol, uint64_t messages)
{
	return protocol == IPPROTO_UDP && messages > RULESET_COUNTED ? RULESET_COUNTED : messages;
}

const char *mapping_format(const struct mapping *mapping, char text[MAPPING_TEXT_MAX])
{
	char inside[ENDPOINT_TEXT_MAX], outside[ENDPOINT_TEXT_MAX], remote[ENDPOINT_TEXT_MAX];
	bool same = endpoint_equal(&mapping->inside, &mapping->outside);

	endpoint_format(&mapping->inside, inside);
	endpoint_format(&mapping->outside, outside);
	endpoint_format(&mapping->remote, remote);
	snprintf(text, MAPPING_TEXT_MAX, "%s%s%s -> %s", inside, same ? "" : " -> ",
		 same ? "" : outside, remote);
	return text;
}

const char *protocol_name(uint8_t protocol, char buffer[8])
{
	switch (protocol) {
	case IPPROTO_UDP:
		return "udp";
	case IPPROTO_TCP:
		return "tcp";
	case IPPROTO_ICMP:
		return "icmp";
	}
	snprintf(buffer, 8, "%u", protocol);
	return buffer;
}

const struct router_view *router_view_of(const struct router_view *views, size_t count, size_t node)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (views[i].node == node)
			return &views[i];
	return NULL;
}
