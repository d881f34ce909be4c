/* SPDX-License-Identifier: MIT */
/*
 * Keeping what a daemon gives away from everybody else
 *
 * A NAT's rules claim a port for each mapping they make; miniupnpd knows nothing of claims. So
 * the rules of each router that runs it are followed: when they have changed, they are read anew,
 * and each port they name is claimed for its host (nft-rules/mapped.h).
 *
 * When: before it is told that a program has ended or printed a line. The kernel's word about a
 * rule came before whatever the program made of the answer, so a later step never finds the port
 * unclaimed. Not at once, although that would serve programs of the same moment, too: a change of
 * ours while the daemon lists its rules for its client's next question spoils that list, and the
 * daemon does not ask again. What two hosts get that act at the same moment says
 * nft-rules/port_mapping.c.
 */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lab/internal.h"
#include "nft-rules/mapped.h"

struct port_watch {
	int fd; /* notifications */
	size_t node;
	struct granted {
		struct mapped_port port;
		bool claimed; /* else another host's mapping has it */
	} ports[MAPPED_MAX];
	int count;
	struct port_watch *next;
};

/* Whether @port is still, or already, in a list; NULL if not. */
static const struct granted *find(const struct granted *ports, int count,
				  const struct mapped_port *port)
{
	int i;

	for (i = 0; i < count; i++)
		if (ports[i].port.protocol == port->protocol &&
		    ports[i].port.external == port->external &&
		    endpoint_equal(&ports[i].port.inside, &port->inside))
			return &ports[i];
	return NULL;
}

/* Read the rules anew and let the claims follow. What cannot be claimed stays as it is. */
static int follow(struct lab *lab, struct port_watch *watch)
{
	const struct node *node = &lab->topo->nodes[watch->node];
	const struct interface *outside = &node->interfaces[node->uplink];
	const struct nat_router router = {.nat = &node->nat,
					  .externals = outside->addresses,
					  .external_count = outside->address_count};
	struct mapped_port ports[MAPPED_MAX];
	struct granted now[MAPPED_MAX];
	const struct granted *before;
	struct mnl_socket *socket;
	int i, count, r;

	r = netns_netfilter(lab_netns(lab, watch->node), &socket, NULL);
	if (r < 0)
		return r;
	count = mapped_list(socket, ports);
	if (count < 0)
		return count;
	for (i = 0; i < count; i++) {
		before = find(watch->ports, watch->count, &ports[i]);
		now[i] = (struct granted){ports[i], before && before->claimed};
	}
	for (i = 0; i < watch->count; i++)
		if (watch->ports[i].claimed && !find(now, count, &watch->ports[i].port))
			(void)mapped_claim(&router, socket, &watch->ports[i].port, false);
	for (i = 0; i < count; i++)
		if (!find(watch->ports, watch->count, &ports[i]))
			now[i].claimed = mapped_claim(&router, socket, &ports[i], true) == 0;
	memcpy(watch->ports, now, (size_t)count * sizeof(now[0]));
	watch->count = count;
	return 0;
}

static int hear(struct lab *lab, struct port_watch *watch)
{
	bool changed = false;
	_Alignas(struct nlmsghdr) char buffer[16384];
	ssize_t n;

	do {
		n = recv(watch->fd, buffer, sizeof(buffer), MSG_DONTWAIT);
		if (n > 0)
			changed |= mapped_changed(buffer, (size_t)n);
		else if (n < 0 && errno == ENOBUFS) /* some were lost */
			changed = true;
	} while (n > 0 || (n < 0 && (errno == ENOBUFS || errno == EINTR)));
	return changed ? follow(lab, watch) : 0;
}

int port_claims_catch_up(struct lab *lab)
{
	struct port_watch *watch;
	int r = 0;

	for (watch = lab->watches; watch && r == 0; watch = watch->next)
		r = hear(lab, watch);
	return r;
}

int port_claims_watch(struct lab *lab, size_t node, struct diag *d)
{
	struct sockaddr_nl own = {.nl_family = AF_NETLINK};
	int group = NFNLGRP_NFTABLES, r;
	struct port_watch *watch = calloc(1, sizeof(*watch));

	if (!watch)
		return -ENOMEM;
	watch->node = node;
	watch->next = lab->watches;
	lab->watches = watch; /* whatever becomes of it, port_claims_close() frees it */
	r = netns_socket(lab_netns(lab, node), AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER);
	watch->fd = r;
	if (r >= 0 &&
	    (bind(r, (struct sockaddr *)&own, sizeof(own)) < 0 ||
	     setsockopt(r, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0))
		r = -errno;
	return r < 0 ? diag_system(d, -r, "cannot watch the rules of %s",
				   lab->topo->nodes[node].name)
		     : 0;
}

void port_claims_close(struct lab *lab)
{
	struct port_watch *watch;

	while (lab->watches) {
		watch = lab->watches;
		lab->watches = watch->next;
		if (watch->fd >= 0)
			close(watch->fd);
		free(watch);
	}
}
