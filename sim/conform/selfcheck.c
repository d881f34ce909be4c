/* SPDX-License-Identifier: MIT */
#include "conform/selfcheck.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conform/conform.h"

/* The router's inside is its first interface that is not the way out. */
struct subject self_check_subject(const struct topo *topo, size_t index)
{
	const struct node *node = &topo->nodes[index];
	const struct interface *outside = &node->interfaces[node->uplink], *inside = NULL;
	size_t i;

	for (i = 0; i < node->interface_count && !inside; i++)
		if (i != node->uplink)
			inside = &node->interfaces[i];
	if (!inside)
		inside = outside;
	return (struct subject){
		.nat = &node->nat,
		.outside = topo->networks[outside->network].name,
		.inside = topo->networks[inside->network].name,
		.lan = {inside->addresses[0], topo->networks[inside->network].subnet.len},
		.externals = outside->addresses,
		.external_count = outside->address_count,
	};
}

/* Is there an earlier router that declares the same? Padding may differ: then it is checked again.
 */
static bool repeats(const struct topo *topo, size_t index)
{
	const struct node *node = &topo->nodes[index], *other;
	size_t i;

	for (i = 0; i < index; i++) {
		other = &topo->nodes[i];
		if (other->has_nat &&
		    other->interfaces[other->uplink].address_count ==
			    node->interfaces[node->uplink].address_count &&
		    memcmp(&other->nat, &node->nat, sizeof(node->nat)) == 0)
			return true;
	}
	return false;
}

static int complain(const struct node *node, const struct axis_result *axis, struct diag *d)
{
	diag_error(d, EIO,
		   "self-check: %s's NAT, %s, does not do what it declares: %s%s%s: declared %s, "
		   "observed %s (%s)",
		   node->name, node->nat.name, axis->axis, axis->protocol[0] ? " for " : "",
		   axis->protocol, axis->declared, axis->observed, axis->evidence);
	diag_help(d, "no verdict of this lab can be trusted; \"natsim conform\" tells all, "
		     "--no-self-check runs it nevertheless");
	return -EIO;
}

/* Probe and judge. *ret_broken is the first axis that is not held, in @axes, or NULL. */
static int probe_once(const struct subject *subject, struct observed *observed,
		      struct axis_result axes[AXIS_RESULTS_MAX], struct self_check *check,
		      const struct axis_result **ret_broken, struct diag *d)
{
	int r = conform_observe(subject, CONFORM_CHEAP, 0, observed, d);
	size_t i, count;

	*ret_broken = NULL;
	if (r < 0)
		return r;
	count = judge_axes(subject->nat, subject->external_count, observed, axes);
	check->axes = 0;
	for (i = 0; i < count; i++) {
		check->axes += axes[i].holding == AXIS_HELD;
		if (axes[i].holding == AXIS_BROKEN && !*ret_broken)
			*ret_broken = &axes[i];
	}
	check->packets += observed->packets;
	check->ms += observed->ms;
	return 0;
}

/*
 * Ports drawn at random can look like something else once in many runs, and a machine in
 * need can lose a packet. A NAT that lies does so every time: what is not held is
 * probed once more in a new bed, and counts when it is not held there either.
 */
static int check_node(const struct topo *topo, size_t index, struct self_check *ret, struct diag *d)
{
	const struct node *node = &topo->nodes[index];
	struct subject subject = self_check_subject(topo, index);
	AUTO_FREE struct observed *observed = calloc(1, sizeof(*observed));
	struct axis_result axes[AXIS_RESULTS_MAX];
	const struct axis_result *broken;
	int r;

	*ret = (struct self_check){.router = node->name};
	memcpy(ret->nat, node->nat.name, sizeof(ret->nat));
	if (node->nat.kind == NAT_CUSTOM && !node->nat.declares) {
		ret->none = true;
		return 0;
	}
	if (!observed)
		return -ENOMEM;
	r = probe_once(&subject, observed, axes, ret, &broken, d);
	if (r == 0 && broken) {
		ret->repeated = true;
		r = probe_once(&subject, observed, axes, ret, &broken, d);
	}
	if (r < 0)
		diag_while(d, "self-check of %s's NAT", node->name);
	else if (broken)
		r = complain(node, broken, d);
	return r;
}

int self_check(const struct topo *topo, struct self_checks *ret, struct diag *d)
{
	size_t i;
	int r = 0;

	*ret = (struct self_checks){.checks = calloc(topo->node_count + 1, sizeof(*ret->checks))};
	if (!ret->checks)
		return -ENOMEM;
	for (i = 0; i < topo->node_count && r == 0; i++)
		if (topo->nodes[i].has_nat && !repeats(topo, i))
			r = check_node(topo, i, &ret->checks[ret->count++], d);
	return r;
}

void self_checks_clear(struct self_checks *checks)
{
	free(checks->checks);
	*checks = (struct self_checks){0};
}
