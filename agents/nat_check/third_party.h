/* SPDX-License-Identifier: MIT */
/*
 * The role "third-party" of nat-check: a host nobody has spoken to, or a port of the server's host
 * that nobody has spoken to, sends to an endpoint that a client was seen at.
 */
#ifndef NATSIM_AGENTS_NAT_CHECK_THIRD_PARTY_H
#define NATSIM_AGENTS_NAT_CHECK_THIRD_PARTY_H

#include "agents/nat_check/wire.h"
#include "agents/stun/transaction.h"

struct third_party {
	struct endpoint to;
	struct transaction transaction;
	uint8_t id[STUN_ID_SIZE], check[CHECK_SIZE];
	bool over, reached;
	uint64_t started, ended;
};

void third_party_start(struct third_party *third, const struct endpoint *to, uint64_t timeout,
		       const struct random_source *random, uint64_t now);
bool third_party_send(struct third_party *third, uint64_t now, struct datagram *ret);
uint64_t third_party_due(const struct third_party *third);
void third_party_receive(struct third_party *third, const struct endpoint *from, const void *bytes,
			 size_t length, uint64_t now);

#endif
