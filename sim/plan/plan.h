/* SPDX-License-Identifier: MIT */
/*
 * The plan: everything that has to be done to the kernel to build a lab, as an
 * ordered list of plain values. Made from the model alone, so it can be printed
 * without privilege and compared in tests.
 *
 * The order is chosen for the builder: all namespaces, then the core and the
 * switch with the links that hang on them, then node by node what is inside, so
 * that one netlink batch serves each stretch, and all rules last.
 */
#ifndef NATSIM_PLAN_PLAN_H
#define NATSIM_PLAN_PLAN_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/addr.h"
#include "base/diag.h"
#include "nft-rules/nat.h"
#include "topo/topo.h"

#define PLAN_IFNAME_MAX 16       /* bytes with the NUL: IFNAMSIZ */
#define PLAN_SYSCTL_VALUE_MAX 16 /* bytes with the NUL */

/* Namespaces of the plan: the nodes by their index in the model, then the two below if needed. */
struct plan_namespace {
	char *name;  /* the node's name; "(internet)", after its network, for the core; "(switch)"
			for the bridges */
	size_t node; /* index into the model, TOPO_NONE for the core and the switch */
};

enum plan_kind {
	PLAN_NAMESPACE, /* create namespace `space` */
	PLAN_SYSCTL,    /* in `space`: sysctl.key = sysctl.value */
	PLAN_BRIDGE,    /* in `space`: a bridge `bridge.name`, up */
	PLAN_LINK,      /* a veth: link.name in `space`, up and in link.master; link.peer_name in
			   link.peer_space */
	PLAN_ADDRESS,   /* in `space`: address.prefix on address.device */
	PLAN_UP,        /* in `space`: up.device */
	PLAN_ROUTE,     /* in `space`: to route.to, via/dev, or a blackhole */
	PLAN_RULES,     /* in `space`: the router's nftables ruleset */
	PLAN_KINDS
};

struct plan_step {
	enum plan_kind kind;
	size_t space; /* index into plan.spaces */
	union {
		struct {
			const char
				*key; /* static; under /proc/sys, slashes: "net/ipv4/ip_forward" */
			char value[PLAN_SYSCTL_VALUE_MAX];
			bool optional; /* absent on some kernels: then there is nothing to set */
		} sysctl;
		struct {
			char name[PLAN_IFNAME_MAX];
		} bridge;
		struct {
			char name[PLAN_IFNAME_MAX];
			size_t peer_space;
			char peer_name[PLAN_IFNAME_MAX];
			char master[PLAN_IFNAME_MAX]; /* bridge in `space` that gets `name`; "" for
							 none */
			bool isolated; /* in a bridge: not heard by others that are */
		} link;
		struct {
			char device[PLAN_IFNAME_MAX];
			struct prefix prefix;
		} address;
		struct {
			char device[PLAN_IFNAME_MAX];
		} up;
		struct {
			struct prefix to;             /* len 0: default */
			struct addr via;              /* AF_UNSPEC: directly on the device */
			char device[PLAN_IFNAME_MAX]; /* "" with via: the kernel finds it; both
							 empty: blackhole */
		} route;
		struct {
			const struct nat *nat; /* owned by the model */
			char outside[PLAN_IFNAME_MAX];
			const struct addr *externals; /* owned by the model, as many as: */
			size_t external_count;
		} rules;
	};
};

struct plan {
	struct plan_namespace *spaces;
	size_t space_count;
	struct plan_step *steps;
	size_t step_count;
};

/* The address the internet core speaks from: RFC 7600 section 4.8's IPv4 dummy address. */
#define PLAN_CORE_ADDRESS "192.0.0.8"

/* Returns 0 and a plan that borrows from @topo, or -ENOMEM. */
int plan_make(const struct topo *topo, struct plan **ret);
void plan_free(struct plan *plan);
DEFINE_CLEANUP(struct plan *, plan_free)

/* The index of @node's namespace. */
size_t plan_space_of(const struct plan *plan, size_t node);

/* One line without newline, as `natsim plan` and error messages show it: "router1: route default
 * via 192.0.0.8". */
int plan_step_format(const struct plan *plan, const struct plan_step *step, char *text,
		     size_t size);

/* All steps, numbered from 1, one a line. */
int plan_print(const struct plan *plan, FILE *out);

#endif
