/* SPDX-License-Identifier: MIT */
/*
 * What a NAT says about the picture: which hosts inside get what, and whether there is a
 * pool of addresses outside.
 *
 * Read in two goes. Ports and protocols are read with the rest of the NAT; whom a name
 * means is known once every node and every way is, and by then the file has no mistake
 * so far, so that lists in it and in the model are equally long.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "topo/nat.h"
#include "topo/scalar.h"
#include "topo/suggest.h"

/* "pc1:80" or "pc1": the part after the colon, NULL without one. */
static const char *port_of(const char *to)
{
	const char *colon = strrchr(to, ':');

	return colon ? colon + 1 : NULL;
}

static bool read_protocol(struct source *source, const struct yaml *value, enum nat_protocol *ret)
{
	const char *word;

	if (!read_text(source, value, "protocol", &word))
		return false;
	if (strcmp(word, "udp") == 0)
		*ret = NAT_UDP;
	else if (strcmp(word, "tcp") == 0)
		*ret = NAT_TCP;
	else
		mistake(source, value->span, "protocol is udp or tcp, not \"%.64s\"", word);
	return true;
}

static void read_target(struct source *source, const struct yaml *value, uint16_t port,
			struct nat_forward *forward)
{
	const char *text, *digits;
	unsigned long number = 0;

	if (!read_text(source, value, "to", &text))
		return;
	digits = port_of(text);
	forward->to.port = port;
	if (!digits)
		return;
	if (digits[0] != '\0' && strspn(digits, "0123456789") == strlen(digits) &&
	    strlen(digits) <= 5)
		number = strtoul(digits, NULL, 10);
	if (number == 0 || number > 65535)
		mistake(source, value->span,
			"\"%.64s\" is no HOST:PORT with a port from 1 to 65535", text);
	forward->to.port = (uint16_t)number;
}

static void load_forward(struct loader *loader, const struct yaml *map, struct nat_forward *forward)
{
	static const char *const known[] = {"protocol", "port", "to", NULL};
	struct source *source = loader->source;
	unsigned long port = 0;
	size_t i;

	if (!read_map(source, map, "a forward"))
		return;
	refuse_unknown_keys(source, map, "a forward", known);
	for (i = 0; known[i]; i++) {
		if (!yaml_get(map, known[i])) {
			mistake(source, map->span, "a forward has no %s", known[i]);
			remedy(source,
			       "write, for example, {protocol: tcp, port: 8080, to: \"pc1:80\"}");
			return;
		}
	}
	read_protocol(source, yaml_get(map, "protocol"), &forward->protocol);
	if (!read_port(source, yaml_get(map, "port"), "port", &port))
		return;
	forward->port = (uint16_t)port;
	read_target(source, yaml_get(map, "to"), (uint16_t)port, forward);
}

static void tell_twice(struct loader *loader, const struct yaml *list, const struct nat *nat)
{
	const struct nat_forward *forward, *before;
	size_t i, j;

	for (i = 0; i < nat->forward_count; i++) {
		forward = &nat->forwards[i];
		for (j = 0; forward->port && j < i; j++) {
			before = &nat->forwards[j];
			if (before->protocol != forward->protocol || before->port != forward->port)
				continue;
			mistake(loader->source, list->items[i]->span,
				"%s port %u is forwarded twice",
				nat_protocol_name(forward->protocol), forward->port);
			remedy(loader->source, "it is first forwarded on line %u",
			       list->items[j]->place.line);
			break;
		}
	}
}

void load_forwards(struct loader *loader, const struct yaml *list, struct nat *nat)
{
	size_t i;

	nat->forward_count = 0;
	if (!read_list(loader->source, list, "forwards"))
		return;
	if (list->count > NAT_FORWARDS_MAX) {
		mistake(loader->source, list->items[NAT_FORWARDS_MAX]->span,
			"a router has at most %d forwards", NAT_FORWARDS_MAX);
		return;
	}
	memset(nat->forwards, 0, sizeof(nat->forwards));
	for (i = 0; i < list->count; i++)
		load_forward(loader, list->items[i], &nat->forwards[nat->forward_count++]);
	tell_twice(loader, list, nat);
}

void load_dmz(struct loader *loader, const struct yaml *value, struct nat *nat)
{
	const char *name;

	if (read_text(loader->source, value, "dmz", &name))
		nat->dmz.family = AF_INET; /* who it is follows in check_nats() */
}

/* The address by which @router reaches @host on its inside without passing another NAT. */
static const struct addr *inside_address(const struct topo *topo, size_t router, size_t host)
{
	const struct node *r = &topo->nodes[router], *node = &topo->nodes[host];
	const struct interface *there;
	size_t i, left = topo->node_count;

	if (host == router)
		return NULL;
	for (i = 0; i < r->interface_count; i++) {
		there = topo_interface_on(node, r->interfaces[i].network);
		if (i != r->uplink && there)
			return &there->addresses[0];
	}
	for (; left-- && node->gateway != TOPO_NONE; node = &topo->nodes[node->gateway]) {
		if (node->gateway == router)
			return &topo->nodes[host].interfaces[topo->nodes[host].uplink].addresses[0];
		if (topo->nodes[node->gateway].has_nat &&
		    topo->nodes[node->gateway].nat.kind != NAT_FIREWALL)
			break;
	}
	return NULL;
}

/* The NAT between @router and @host on the way outward from @host; TOPO_NONE if there is none. */
static size_t nat_between(const struct topo *topo, size_t router, size_t host)
{
	size_t left = topo->node_count, found = TOPO_NONE;

	for (; left-- && topo->nodes[host].gateway != TOPO_NONE;) {
		host = topo->nodes[host].gateway;
		if (host == router)
			return found;
		if (topo->nodes[host].has_nat)
			found = host;
	}
	return TOPO_NONE;
}

static void tell_not_inside(struct loader *loader, const struct yaml *value, size_t router,
			    size_t host)
{
	const struct topo *topo = loader->topo;
	size_t between = nat_between(topo, router, host);

	if (host == router) {
		mistake(loader->source, value->span, "\"%s\" cannot forward to itself",
			topo->nodes[host].name);
		return;
	}
	mistake(loader->source, value->span, "\"%s\" is not inside \"%s\"", topo->nodes[host].name,
		topo->nodes[router].name);
	if (between != TOPO_NONE)
		remedy(loader->source,
		       "it is behind the NAT of \"%s\": forward to that, and there on",
		       topo->nodes[between].name);
}

static void resolve_host(struct loader *loader, const struct yaml *value, size_t router,
			 struct addr *ret)
{
	const struct topo *topo = loader->topo;
	const char *port = port_of(value->text);
	int length = port ? (int)(port - value->text) - 1 : (int)strlen(value->text);
	const struct addr *inside;
	struct suggestion near;
	char name[64];
	size_t host, i;

	snprintf(name, sizeof(name), "%.*s", length, value->text);
	host = topo_find_node(topo, name);
	if (host != TOPO_NONE) {
		inside = inside_address(topo, router, host);
		if (inside)
			*ret = *inside;
		else
			tell_not_inside(loader, value, router, host);
		return;
	}
	mistake(loader->source, value->span, "no node is called \"%s\"", name);
	near = suggest_for(name);
	for (i = 0; i < topo->node_count; i++)
		if (inside_address(topo, router, i))
			suggest(&near, topo->nodes[i].name);
	if (near.best)
		remedy(loader->source, "did you mean \"%s\"?", near.best);
}

static void check_pool(struct loader *loader, const struct yaml *value, const struct node *node)
{
	const struct yaml *key = yaml_get_key(value, "pool");

	if (node->interfaces[node->uplink].address_count > 1 ||
	    (!key && node->nat.pooling == POOLING_PAIRED))
		return;
	mistake(loader->source, key ? key->span : value->span,
		"\"%s\" has one address outside: a pool needs at least two", node->name);
	remedy(loader->source, "give its interface on \"%s\" a list of addresses",
	       loader->topo->networks[node->interfaces[node->uplink].network].name);
}

void check_nats(struct loader *loader)
{
	struct node *node;
	const struct yaml *value, *forwards;
	size_t n, i;

	for (n = 0; n < loader->topo->node_count; n++) {
		node = &loader->topo->nodes[n];
		if (!node->has_nat || node->uplink == TOPO_NONE)
			continue;
		value = yaml_get(loader->nodes->items[n], "nat");
		check_pool(loader, value, node);
		check_port_mapping(loader, value, node);
		forwards = yaml_get(value, "forwards");
		for (i = 0; forwards && i < node->nat.forward_count; i++)
			resolve_host(loader, yaml_get(forwards->items[i], "to"), n,
				     &node->nat.forwards[i].to.addr);
		if (yaml_get(value, "dmz"))
			resolve_host(loader, yaml_get(value, "dmz"), n, &node->nat.dmz);
	}
}
