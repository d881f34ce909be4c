/* SPDX-License-Identifier: MIT */
/* Inside the loader: how `nat:` and `nats:` are read. */
#ifndef NATSIM_TOPO_NAT_H
#define NATSIM_TOPO_NAT_H

#include "nft-rules/nat.h"
#include "topo/loader.h"

enum { TOPO_NATS_MAX = 256 };

/* An entry of the file's `nats:`, read when somebody needs it or when its turn comes. */
struct own_nat {
	const struct yaml *key, *value;
	struct nat nat;
	enum { OWN_UNREAD, OWN_READING, OWN_READ } state;
	bool used;
};

/*
 * nat_axes.c: read every axis of @map over @nat, which is what the base says, and tell
 * what contradicts. @shared is an entry of `nats:`, which may not name hosts.
 */
void load_axes(struct loader *loader, const struct yaml *map, bool shared, struct nat *nat);
/* "did you mean": what people call an axis' word elsewhere, or NULL. */
const char *nat_dialect(const char *word);

/* nat_ports.c */
bool read_port(struct source *source, const struct yaml *value, const char *what,
	       unsigned long *ret);
bool read_range(struct source *source, const struct yaml *value, struct nat_ports *ports);
bool read_step(struct source *source, const struct yaml *value, int *ret);
bool read_block(struct source *source, const struct yaml *value, unsigned int *ret);

/* forwards.c: what can be read without knowing the picture; check_nats() does the rest */
void load_forwards(struct loader *loader, const struct yaml *list, struct nat *nat);
void load_dmz(struct loader *loader, const struct yaml *value, struct nat *nat);

/* port_mapping.c: of a node whose uplink is known */
void check_port_mapping(struct loader *loader, const struct yaml *value, const struct node *node);

#endif
