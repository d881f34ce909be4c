/* SPDX-License-Identifier: MIT */
/*
 *     internet
 *     |-- server   9.9.9.9 9.9.9.10
 *     `-- router1  1.2.3.4           NAT port-restricted-cone
 *         `-- home1  192.168.1.0/24, router1 is 192.168.1.254
 *             `-- pc1  192.168.1.1
 *
 * Every node hangs below the network of its uplink, every network below the router
 * whose uplink leads away from it. What is connected to nothing above it starts a tree
 * of its own. Each thing is drawn once, so a ring in the picture cannot be drawn for ever.
 */
#include "verdict/picture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/cleanup.h"
#include "nft-rules/words.h"

enum { DEPTH_MAX = 256 }; /* characters of indentation, four a level */

struct pen {
	const struct topo *topo;
	const char *indent;
	FILE *out;
	bool *network_done, *node_done;
	int name_width, address_width;
	char stem[DEPTH_MAX + 1]; /* what continues from the levels above */
};

/* What the axes of mappings say, where the mappings are ours. */
static void write_translation(const struct nat *nat, FILE *out)
{
	const struct nat usual = nat_default();

	fprintf(out, "mapping %s, filtering %s, ports %s", nat_dependence_name(nat->mapping),
		nat_dependence_name(nat->filtering), nat_allocation_name(nat->ports.allocation));
	nat_write_details(nat, &usual, out);
}

void nat_words(const struct nat *nat, FILE *out)
{
	fprintf(out, "%s: ", nat->name);
	switch (nat->kind) {
	case NAT_TRANSLATE:
		write_translation(nat, out);
		break;
	case NAT_MASQUERADE:
		fputs("the kernel's masquerade", out);
		break;
	case NAT_FIREWALL:
		fputs("stateful, no translation", out);
		break;
	case NAT_CUSTOM:
		fprintf(out, "rules from %s", nat->rules);
		break;
	}
}

/* The NAT's name, and shortly what of it is not as its name says. */
static void draw_nat(const struct nat *nat, FILE *out)
{
	const struct nat_named *named = nat_find(nat->name);
	const struct nat usual = named ? named->nat : nat_default();

	fprintf(out, "%s %s", nat->kind == NAT_FIREWALL ? "filter" : "NAT", nat->name);
	if (nat->kind == NAT_CUSTOM) {
		fprintf(out, ", rules from %s", nat->rules);
		if (nat->declares)
			fprintf(out, ", declared: mapping %s, filtering %s",
				nat_dependence_name(nat->mapping),
				nat_dependence_name(nat->filtering));
		return;
	}
	if (nat->kind == usual.kind) {
		if (nat->mapping != usual.mapping)
			fprintf(out, ", mapping %s", nat_dependence_name(nat->mapping));
		if (nat->filtering != usual.filtering)
			fprintf(out, ", filtering %s", nat_dependence_name(nat->filtering));
		if (nat->ports.allocation != usual.ports.allocation)
			fprintf(out, ", ports %s", nat_allocation_name(nat->ports.allocation));
		nat_write_details(nat, &usual, out);
	}
}

static void print_addresses(const struct interface *interface, char *text, size_t size)
{
	char address[ADDR_TEXT_MAX];
	size_t i, used = 0;
	int n;

	text[0] = '\0';
	for (i = 0; i < interface->address_count && used < size; i++) {
		n = snprintf(text + used, size - used, "%s%s", i ? " " : "",
			     addr_format(&interface->addresses[i], address));
		used += n > 0 ? (size_t)n : 0;
	}
}

/* Go one level in; false when the page is not wide enough. */
static bool push(struct pen *pen, bool last)
{
	if (strlen(pen->stem) + 4 > DEPTH_MAX)
		return false;
	strcat(pen->stem, last ? "    " : "|   ");
	return true;
}

static void pop(struct pen *pen)
{
	pen->stem[strlen(pen->stem) - 4] = '\0';
}

static void branch(const struct pen *pen, bool last)
{
	fprintf(pen->out, "%s%s%s", pen->indent, pen->stem, last ? "`-- " : "|-- ");
}

static void draw_network(struct pen *pen, size_t network, size_t via);

/* Networks of @node that lie inward and are not drawn yet. */
static bool is_inward(const struct pen *pen, const struct node *node, size_t i)
{
	return i != node->uplink && !pen->network_done[node->interfaces[i].network];
}

static void draw_inward(struct pen *pen, size_t index)
{
	const struct node *node = &pen->topo->nodes[index];
	size_t i, left = 0;

	for (i = 0; i < node->interface_count; i++)
		left += is_inward(pen, node, i);
	for (i = 0; i < node->interface_count; i++) {
		if (!is_inward(pen, node, i))
			continue;
		branch(pen, --left == 0);
		if (push(pen, left == 0)) {
			draw_network(pen, node->interfaces[i].network, index);
			pop(pen);
		}
	}
}

static void draw_node(struct pen *pen, size_t index, const struct interface *interface)
{
	const struct node *node = &pen->topo->nodes[index];
	char addresses[TOPO_ADDRESSES_MAX * ADDR_TEXT_MAX];

	print_addresses(interface, addresses, sizeof(addresses));
	if (node->has_nat) {
		fprintf(pen->out, "%-*s  %-*s  ", pen->name_width, node->name, pen->address_width,
			addresses);
		draw_nat(&node->nat, pen->out);
		fputc('\n', pen->out);
	} else {
		fprintf(pen->out, "%-*s  %s\n", pen->name_width, node->name, addresses);
	}
	pen->node_done[index] = true;
}

/* A node that belongs below @network in the tree. */
static const struct interface *below(const struct pen *pen, size_t index, size_t network)
{
	const struct node *node = &pen->topo->nodes[index];
	const struct interface *interface = topo_interface_on(node, network);

	if (!interface || pen->node_done[index])
		return NULL;
	if (node->uplink == TOPO_NONE || node->interfaces[node->uplink].network == network)
		return interface;
	return NULL;
}

/* The caller has drawn the branch; @via is the router it hangs on, TOPO_NONE for a root. */
static void draw_network(struct pen *pen, size_t network, size_t via)
{
	const struct network *net = &pen->topo->networks[network];
	const struct interface *interface;
	char text[PREFIX_TEXT_MAX], address[TOPO_ADDRESSES_MAX * ADDR_TEXT_MAX];
	size_t n, left = 0;

	pen->network_done[network] = true;
	fputs(net->name, pen->out);
	if (net->type == NETWORK_LAN)
		fprintf(pen->out, "  %s%s", prefix_format(&net->subnet, text),
			net->isolated ? ", isolated" : "");
	if (via != TOPO_NONE) {
		print_addresses(topo_interface_on(&pen->topo->nodes[via], network), address,
				sizeof(address));
		fprintf(pen->out, "  (%s is %s)", pen->topo->nodes[via].name, address);
	}
	fputc('\n', pen->out);
	for (n = 0; n < pen->topo->node_count; n++)
		left += below(pen, n, network) != NULL;
	for (n = 0; n < pen->topo->node_count; n++) {
		interface = below(pen, n, network);
		if (!interface)
			continue;
		branch(pen, --left == 0);
		draw_node(pen, n, interface);
		if (push(pen, left == 0)) {
			draw_inward(pen, n);
			pop(pen);
		}
	}
}

static void draw_root(struct pen *pen, size_t network)
{
	if (pen->network_done[network])
		return;
	fputs(pen->indent, pen->out);
	draw_network(pen, network, TOPO_NONE);
}

/* Does any node lead from @network to somewhere nearer to the internet? */
static bool has_way_out(const struct topo *topo, size_t network)
{
	const struct node *node;
	size_t n;

	for (n = 0; n < topo->node_count; n++) {
		node = &topo->nodes[n];
		if (topo_interface_on(node, network) && node->uplink != TOPO_NONE &&
		    node->interfaces[node->uplink].network != network)
			return true;
	}
	return false;
}

static void measure(struct pen *pen)
{
	const struct topo *topo = pen->topo;
	char text[TOPO_ADDRESSES_MAX * ADDR_TEXT_MAX];
	size_t n, i;

	for (n = 0; n < topo->node_count; n++) {
		if ((int)strlen(topo->nodes[n].name) > pen->name_width)
			pen->name_width = (int)strlen(topo->nodes[n].name);
		for (i = 0; i < topo->nodes[n].interface_count; i++) {
			print_addresses(&topo->nodes[n].interfaces[i], text, sizeof(text));
			if ((int)strlen(text) > pen->address_width && strlen(text) <= 32)
				pen->address_width = (int)strlen(text);
		}
	}
}

int picture_print(const struct topo *topo, const char *indent, FILE *out)
{
	AUTO_FREE bool *network_done = calloc(topo->network_count + 1, sizeof(*network_done));
	AUTO_FREE bool *node_done = calloc(topo->node_count + 1, sizeof(*node_done));
	struct pen pen = {.topo = topo,
			  .indent = indent,
			  .out = out,
			  .network_done = network_done,
			  .node_done = node_done};
	size_t i;

	if (!network_done || !node_done)
		return -ENOMEM;
	measure(&pen);
	if (topo->internet != TOPO_NONE)
		draw_root(&pen, topo->internet);
	for (i = 0; i < topo->network_count; i++)
		if (!has_way_out(topo, i))
			draw_root(&pen, i);
	for (i = 0; i < topo->network_count; i++)
		draw_root(&pen, i);
	return 0;
}
