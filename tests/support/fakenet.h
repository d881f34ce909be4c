/* SPDX-License-Identifier: MIT */
/*
 * A network that exists only in memory and on a clock that jumps: datagrams in
 * flight with delay, jitter, loss and doubles, and NATs of every mapping and filtering.
 * The same seed gives the same run, so a test with losses fails always or never.
 *
 *     host --fake_send()--> [its NAT, outwards] ~~~~ delay, loss ~~~~
 *                       ~~~~> [the other's NAT, inwards] --fake_arrive()--> host
 */
#ifndef NATSIM_TESTS_SUPPORT_FAKENET_H
#define NATSIM_TESTS_SUPPORT_FAKENET_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "agents/net/clock.h"
#include "agents/net/random.h"
#include "base/addr.h"

enum fake_behaviour { FAKE_ENDPOINT_INDEPENDENT, FAKE_ADDRESS, FAKE_ADDRESS_AND_PORT };

enum { FAKE_NATS = 4, FAKE_MAPPINGS = 1024, FAKE_PERMITS = 2048, FAKE_PACKETS = 512 };

enum { FAKE_UNFRAGMENTED = 1500 - 28 }; /* what Ethernet carries in one piece, less the headers */

struct fake_mapping {
	struct endpoint inside, outside, remote;
	uint64_t touched; /* when it was last used in a way that refreshes it */
};

struct fake_permit {
	uint16_t port; /* external */
	struct endpoint remote;
};

struct fake_nat {
	struct addr external;  /* for a firewall: the host's own address */
	struct addr inside[4]; /* whom it hides */
	size_t inside_count;
	enum fake_behaviour mapping, filtering;
	bool firewall, blocks, changes_ports, filters_by_host;
	bool no_hairpin, hairpins_inside; /* it does, with the external source, if neither */
	bool no_fragments_out, no_fragments_in;
	uint64_t life; /* of an idle mapping and its permissions; 0: for ever */
	bool no_outbound_refresh, inbound_refresh;
	struct fake_mapping mappings[FAKE_MAPPINGS];
	size_t mapping_count;
	struct fake_permit permits[FAKE_PERMITS];
	size_t permit_count;
	/* How it chooses a port where it does not keep the internal one: from `low` (20000) to
	 * `high` (65535), `step` (1) beyond the one before, or at random. */
	uint16_t low, high;
	int step;
	bool draws_ports;
	uint64_t seed;
	uint16_t last_port;
};

struct fake_packet {
	uint64_t when;
	struct endpoint from, to;
	size_t length;
	uint8_t bytes[2048];
};

struct fakenet {
	uint64_t now;
	uint64_t seed;
	uint64_t delay, jitter; /* one way, nanoseconds */
	unsigned int loss;      /* per thousand, each datagram */
	unsigned int doubles;   /* per thousand */
	struct addr far;        /* an address that is `far_delay` farther away than others */
	uint64_t far_delay;
	struct addr dead; /* nothing from or to this address arrives */
	struct fake_nat nats[FAKE_NATS];
	size_t nat_count;
	struct fake_packet packets[FAKE_PACKETS];
	size_t packet_count;
	size_t sent, lost;
};

static inline uint64_t fake_random(struct fakenet *net)
{
	net->seed ^= net->seed << 13; /* xorshift64 */
	net->seed ^= net->seed >> 7;
	net->seed ^= net->seed << 17;
	return net->seed;
}

static inline void fake_fill(void *context, void *bytes, size_t length)
{
	struct fakenet *net = context;
	uint8_t *at = bytes;

	while (length-- > 0)
		*at++ = (uint8_t)(fake_random(net) >> 24);
}

static inline struct random_source fake_random_source(struct fakenet *net)
{
	return (struct random_source){.fill = fake_fill, .context = net};
}

static inline bool fake_same(enum fake_behaviour behaviour, const struct endpoint *a,
			     const struct endpoint *b)
{
	switch (behaviour) {
	case FAKE_ENDPOINT_INDEPENDENT:
		return true;
	case FAKE_ADDRESS:
		return addr_equal(&a->addr, &b->addr);
	case FAKE_ADDRESS_AND_PORT:
		return endpoint_equal(a, b);
	}
	return false;
}

static inline struct fake_nat *fake_nat_of(struct fakenet *net, const struct addr *inside)
{
	size_t i, j;

	for (i = 0; i < net->nat_count; i++) {
		for (j = 0; j < net->nats[i].inside_count; j++) {
			if (addr_equal(&net->nats[i].inside[j], inside))
				return &net->nats[i];
		}
	}
	return NULL;
}

static inline bool fake_port_taken(const struct fake_nat *nat, uint16_t port)
{
	size_t i;

	for (i = 0; i < nat->mapping_count; i++) {
		if (nat->mappings[i].outside.port == port)
			return true;
	}
	return false;
}

static inline uint16_t fake_new_port(struct fake_nat *nat)
{
	int low = nat->low ? nat->low : 20000, high = nat->high ? nat->high : UINT16_MAX;
	int size = high - low + 1, step = nat->step ? nat->step : 1;
	int port;

	if (nat->draws_ports) {
		nat->seed = nat->seed * UINT64_C(6364136223846793005) + 1442695040888963407;
		return (uint16_t)(low + (int)((nat->seed >> 33) % (uint64_t)size));
	}
	port = nat->last_port ? nat->last_port + step : step > 0 ? low : high;
	nat->last_port = (uint16_t)(port > high ? port - size : port < low ? port + size : port);
	return nat->last_port;
}

/* The external endpoint of @inside towards @remote, mapped now if it was not. */
static inline struct endpoint fake_map(struct fake_nat *nat, const struct endpoint *inside,
				       const struct endpoint *remote)
{
	struct fake_mapping *mapping;
	size_t i;

	for (i = 0; i < nat->mapping_count; i++) {
		mapping = &nat->mappings[i];
		if (endpoint_equal(&mapping->inside, inside) &&
		    fake_same(nat->mapping, &mapping->remote, remote))
			return mapping->outside;
	}
	if (nat->mapping_count == FAKE_MAPPINGS)
		return *inside;
	mapping = &nat->mappings[nat->mapping_count++];
	*mapping = (struct fake_mapping){
		.inside = *inside,
		.remote = *remote,
		.outside = {.addr = nat->external, .port = inside->port},
	};
	if (nat->firewall)
		return mapping->outside;
	if (nat->changes_ports)
		mapping->outside.port = 0;
	nat->mapping_count--; /* look for a free port without seeing the new one */
	while (mapping->outside.port == 0 || fake_port_taken(nat, mapping->outside.port))
		mapping->outside.port = fake_new_port(nat);
	nat->mapping_count++;
	return mapping->outside;
}

static inline struct fake_mapping *fake_mapping_at(struct fake_nat *nat, uint16_t port)
{
	size_t i;

	for (i = 0; i < nat->mapping_count; i++) {
		if (nat->mappings[i].outside.port == port)
			return &nat->mappings[i];
	}
	return NULL;
}

/* Forget what has been idle for too long, permissions too. */
static inline void fake_expire(struct fake_nat *nat, uint64_t now)
{
	size_t i, j, kept;

	for (i = 0; nat->life && i < nat->mapping_count;) {
		if (nat->mappings[i].touched + nat->life > now) {
			i++;
			continue;
		}
		for (j = kept = 0; j < nat->permit_count; j++) {
			if (nat->permits[j].port != nat->mappings[i].outside.port)
				nat->permits[kept++] = nat->permits[j];
		}
		nat->permit_count = kept;
		nat->mappings[i] = nat->mappings[--nat->mapping_count];
	}
}

static inline void fake_permit(struct fake_nat *nat, uint16_t port, const struct endpoint *remote)
{
	if (nat->permit_count < FAKE_PERMITS)
		nat->permits[nat->permit_count++] =
			(struct fake_permit){.port = port, .remote = *remote};
}

static inline bool fake_permitted(const struct fake_nat *nat, uint16_t port,
				  const struct endpoint *remote)
{
	size_t i;

	for (i = 0; i < nat->permit_count; i++) {
		if ((nat->permits[i].port == port || nat->filters_by_host) &&
		    fake_same(nat->filtering, &nat->permits[i].remote, remote))
			return true;
	}
	return nat->firewall && nat->filtering == FAKE_ENDPOINT_INDEPENDENT;
}

static inline void fake_enqueue(struct fakenet *net, const struct endpoint *from,
				const struct endpoint *to, const void *bytes, size_t length)
{
	struct fake_packet *packet;

	net->sent++;
	if (fake_random(net) % 1000 < net->loss || addr_equal(&from->addr, &net->dead) ||
	    addr_equal(&to->addr, &net->dead) || net->packet_count == FAKE_PACKETS ||
	    length > sizeof(packet->bytes)) {
		net->lost++;
		return;
	}
	packet = &net->packets[net->packet_count++];
	packet->when = net->now + net->delay;
	if (net->jitter)
		packet->when += fake_random(net) % net->jitter;
	if (addr_equal(&from->addr, &net->far) || addr_equal(&to->addr, &net->far))
		packet->when += net->far_delay;
	packet->from = *from;
	packet->to = *to;
	packet->length = length;
	memcpy(packet->bytes, bytes, length);
}

/* @from is the sender's own endpoint. */
static inline void fake_send(struct fakenet *net, const struct endpoint *from,
			     const struct endpoint *to, const void *bytes, size_t length)
{
	struct fake_nat *nat = fake_nat_of(net, &from->addr);
	struct endpoint source = *from;
	struct fake_mapping *mapping;

	/* Neighbours behind one NAT reach each other directly. */
	if (nat && nat != fake_nat_of(net, &to->addr)) {
		if (nat->blocks || (nat->no_fragments_out && length > FAKE_UNFRAGMENTED) ||
		    (nat->no_hairpin && addr_equal(&to->addr, &nat->external)))
			return;
		fake_expire(nat, net->now);
		source = fake_map(nat, from, to);
		mapping = fake_mapping_at(nat, source.port);
		if (mapping && (mapping->touched == 0 || !nat->no_outbound_refresh))
			mapping->touched = net->now;
		fake_permit(nat, source.port, to);
	}
	fake_enqueue(net, &source, to, bytes, length);
	if (fake_random(net) % 1000 < net->doubles)
		fake_enqueue(net, &source, to, bytes, length);
}

/* When the next datagram arrives; UINT64_MAX with none in flight. */
static inline uint64_t fake_due(const struct fakenet *net)
{
	uint64_t due = UINT64_MAX;
	size_t i;

	for (i = 0; i < net->packet_count; i++) {
		if (net->packets[i].when < due)
			due = net->packets[i].when;
	}
	return due;
}

/* Past the receiver's NAT: false when it drops the packet. */
static inline bool fake_admit(struct fakenet *net, struct fake_packet *packet)
{
	struct fake_mapping *mapping, *sender;
	size_t i;

	for (i = 0; i < net->nat_count; i++) {
		struct fake_nat *nat = &net->nats[i];

		if (!addr_equal(&nat->external, &packet->to.addr))
			continue;
		fake_expire(nat, net->now);
		if (nat->no_fragments_in && packet->length > FAKE_UNFRAGMENTED)
			return false;
		if (nat->blocks || !fake_permitted(nat, packet->to.port, &packet->from))
			return false;
		mapping = fake_mapping_at(nat, packet->to.port);
		if (!mapping)
			return nat->firewall;
		packet->to = mapping->inside;
		if (nat->inbound_refresh)
			mapping->touched = net->now;
		sender = addr_equal(&packet->from.addr, &nat->external)
				 ? fake_mapping_at(nat, packet->from.port)
				 : NULL;
		if (sender && nat->hairpins_inside)
			packet->from = sender->inside;
		return true;
	}
	/* A private address is reached from its own network only. */
	return !fake_nat_of(net, &packet->to.addr) ||
	       fake_nat_of(net, &packet->to.addr) == fake_nat_of(net, &packet->from.addr);
}

/* Take the next datagram that has arrived by now and was let in; false for none. */
static inline bool fake_arrive(struct fakenet *net, struct fake_packet *ret)
{
	uint64_t due;

	while ((due = fake_due(net)) <= net->now) {
		size_t i = 0;

		while (net->packets[i].when != due)
			i++;
		*ret = net->packets[i];
		/* Keep the order of those that arrive at the same time. */
		memmove(&net->packets[i], &net->packets[i + 1],
			(net->packet_count - i - 1) * sizeof(*net->packets));
		net->packet_count--;
		if (fake_admit(net, ret))
			return true;
	}
	return false;
}

#endif
