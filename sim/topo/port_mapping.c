/* SPDX-License-Identifier: MIT */
/*
 * Whether a router can grant what `port-mapping:` promises.
 *
 * miniupnpd refuses every mapping while its outside address is none that the whole
 * internet can reach (its own list, which is IANA's of special-purpose addresses). On the
 * internet of a topology that is a mistake; behind another NAT it is how things are, and what
 * a host hears there is worth a topology. Inside it is the other way round: it serves no
 * network whose addresses the whole internet could reach.
 */
#include "topo/nat.h"

static const char *const reserved[] = {
	"0.0.0.0/8",      "10.0.0.0/8",     "100.64.0.0/10",   "127.0.0.0/8",     "169.254.0.0/16",
	"172.16.0.0/12",  "192.0.0.0/24",   "192.0.2.0/24",    "192.31.196.0/24", "192.52.193.0/24",
	"192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15",   "198.51.100.0/24",
	"203.0.113.0/24", "224.0.0.0/4",    "240.0.0.0/4",
};

/* The reserved prefix that @addr is in, or NULL. */
static const char *reserved_by(const struct addr *addr)
{
	struct prefix prefix;
	size_t i;

	for (i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++)
		if (prefix_parse(reserved[i], &prefix) && prefix_contains(&prefix, addr))
			return reserved[i];
	return NULL;
}

static void check_inside(struct loader *loader, struct span span, const struct node *node)
{
	const struct interface *inside;
	char text[ADDR_TEXT_MAX];
	size_t i;

	for (i = 0; i < node->interface_count; i++) {
		inside = &node->interfaces[i];
		if (i == node->uplink || reserved_by(&inside->addresses[0]))
			continue;
		mistake(loader->source, span,
			"\"%s\" could grant no port: its address on \"%s\", %s, is public, and "
			"miniupnpd serves private networks only",
			node->name, loader->topo->networks[inside->network].name,
			addr_format(&inside->addresses[0], text));
	}
}

void check_port_mapping(struct loader *loader, const struct yaml *value, const struct node *node)
{
	const struct interface *outside = &node->interfaces[node->uplink];
	const struct yaml *key = yaml_get_key(value, "port-mapping");
	const char *prefix;
	char text[ADDR_TEXT_MAX];

	if (!node->nat.port_mapping)
		return;
	check_inside(loader, key ? key->span : value->span, node);
	if (loader->topo->networks[outside->network].type != NETWORK_INTERNET)
		return;
	prefix = reserved_by(&outside->addresses[0]);
	if (!prefix)
		return;
	mistake(loader->source, key ? key->span : value->span,
		"\"%s\" could grant no port: its address outside, %s, is reserved (%s), and "
		"miniupnpd "
		"then refuses every mapping",
		node->name, addr_format(&outside->addresses[0], text), prefix);
	remedy(loader->source, "give it an address that could be anybody's, such as 1.2.3.4");
}
