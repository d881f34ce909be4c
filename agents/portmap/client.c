/* SPDX-License-Identifier: MIT */
#include "agents/portmap/client.h"

#include <stdio.h>
#include <string.h>

#include "agents/net/clock.h"

/* RFC 6886 section 3.1. It says nine tries, two minutes: our timeout comes first. */
#define NAT_PMP_FIRST (250 * MSEC)
/* RFC 6887 section 8.1.1. */
#define PCP_FIRST (3 * SEC)
#define PCP_LONGEST (1024 * SEC)

/* Between two renewals in any case (RFC 6887 section 11.2.1). */
#define RENEWAL_MIN (4 * SEC)

static bool is_pcp(const struct portmap *portmap)
{
	return portmap->config.protocol == PORTMAP_PCP;
}

/* RFC 6887 section 8.1.1: repetitions of many clients shall not coincide. */
static uint64_t jittered(const struct portmap *portmap, uint64_t interval)
{
	uint8_t random;

	if (!is_pcp(portmap))
		return interval;
	random_fill(&portmap->config.random, &random, 1);
	return interval - interval / 10 + interval / 5 * random / 255;
}

static void ask(struct portmap *portmap, uint64_t now)
{
	portmap->asking = true;
	portmap->asked = portmap->due = now;
	portmap->interval = 0;
}

static void end(struct portmap *portmap, enum portmap_outcome outcome)
{
	portmap->phase = PORTMAP_OVER;
	portmap->outcome = outcome;
	portmap->asking = false;
	portmap->due = UINT64_MAX;
}

void portmap_start(struct portmap *portmap, const struct portmap_config *config, uint64_t now)
{
	*portmap = (struct portmap){.config = *config, .began = now};
	if (!config->has_nonce)
		random_fill(&config->random, portmap->config.nonce, PORTMAP_NONCE_SIZE);
	portmap->phase = config->wish.lifetime ? PORTMAP_ASKING : PORTMAP_DELETING;
	portmap->knows_address = is_pcp(portmap) || !config->wish.lifetime;
	ask(portmap, now);
}

static void give_up(struct portmap *portmap)
{
	snprintf(portmap->reason, sizeof(portmap->reason),
		 "the gateway did not answer %s within %.10g s",
		 is_pcp(portmap) ? "PCP" : "NAT-PMP", to_ms(portmap->config.timeout) / 1000);
	end(portmap, PORTMAP_UNANSWERED);
}

/* What has come about by itself. */
static void pass_time(struct portmap *portmap, uint64_t now)
{
	if (portmap->phase == PORTMAP_OVER)
		return;
	if (portmap->phase == PORTMAP_HELD && !portmap->asking && now >= portmap->due) {
		ask(portmap, now); /* also when we have overslept its end: it may be had again */
	} else if (portmap->phase == PORTMAP_HELD && portmap->asking && portmap->interval &&
		   now >= portmap->expires && now >= portmap->due) {
		snprintf(portmap->reason, sizeof(portmap->reason),
			 "the gateway did not renew the mapping before its end");
		end(portmap, PORTMAP_EXPIRED);
	} else if (portmap->phase != PORTMAP_HELD &&
		   now - portmap->asked >= portmap->config.timeout) {
		give_up(portmap);
	}
}

static struct portmap_wish wish_now(const struct portmap *portmap)
{
	struct portmap_wish wish = portmap->config.wish;

	if (portmap->external.port)
		wish.external = portmap->external.port; /* a renewal asks for what it has */
	if (portmap->phase == PORTMAP_DELETING)
		wish.lifetime = 0;
	return wish;
}

bool portmap_send(struct portmap *portmap, uint64_t now, struct datagram *ret)
{
	uint64_t first = is_pcp(portmap) ? PCP_FIRST : NAT_PMP_FIRST;
	struct portmap_wish wish;

	pass_time(portmap, now);
	wish = wish_now(portmap);
	if (!portmap->asking || now < portmap->due)
		return false;
	ret->socket = 0;
	ret->to = portmap->config.gateway;
	ret->length = portmap->knows_address
			      ? portmap_encode_wish(portmap->config.protocol, &wish,
						    &portmap->config.client, portmap->config.nonce,
						    ret->bytes)
			      : portmap_encode_address(ret->bytes);
	portmap->sent++;
	portmap->interval = portmap->interval ? 2 * portmap->interval : first;
	if (is_pcp(portmap) && portmap->interval > PCP_LONGEST)
		portmap->interval = PCP_LONGEST;
	portmap->due = now + jittered(portmap, portmap->interval);
	return true;
}

uint64_t portmap_due(const struct portmap *portmap)
{
	const uint64_t last = portmap->asked + portmap->config.timeout;

	if (portmap->phase == PORTMAP_OVER)
		return UINT64_MAX;
	if (portmap->phase == PORTMAP_HELD)
		return portmap->due;
	return portmap->due < last ? portmap->due : last;
}

/*
 * A gateway's epoch runs with our clock unless it has started anew (RFC 6886 section 3.6:
 * at least 7/8 as fast; RFC 6887 section 8.5: 15/16, and no faster than 17/16).
 */
static void hear_epoch(struct portmap *portmap, uint32_t epoch, uint64_t now)
{
	uint64_t passed = (now - portmap->epoch_at) / SEC;
	uint64_t least = portmap->epoch + (is_pcp(portmap) ? passed * 15 / 16 : passed * 7 / 8);

	portmap->forgot = portmap->epoch_at && (uint64_t)epoch + 2 < least;
	portmap->epoch = epoch;
	portmap->epoch_at = now;
}

static void hold(struct portmap *portmap, uint64_t now)
{
	uint64_t life = portmap->lifetime * SEC, half = life / 2;

	if (portmap->phase == PORTMAP_HELD)
		portmap->renewals++;
	portmap->phase = PORTMAP_HELD;
	portmap->asking = false;
	portmap->expires = now + life;
	portmap->due = now + (half < RENEWAL_MIN && life > RENEWAL_MIN ? RENEWAL_MIN : half);
	if (!portmap->config.keep)
		end(portmap, PORTMAP_GRANTED);
}

static void refuse(struct portmap *portmap, uint16_t result)
{
	snprintf(portmap->reason, sizeof(portmap->reason),
		 "the gateway granted no port: %s (%s %u)",
		 portmap_result(portmap->config.protocol, result),
		 is_pcp(portmap) ? "PCP result" : "NAT-PMP result", result);
	end(portmap, PORTMAP_REFUSED);
}

static void hear_mapping(struct portmap *portmap, const struct portmap_answer *answer, uint64_t now)
{
	if (answer->internal != portmap->config.wish.internal ||
	    answer->tcp != portmap->config.wish.tcp ||
	    (is_pcp(portmap) &&
	     memcmp(answer->nonce, portmap->config.nonce, PORTMAP_NONCE_SIZE) != 0))
		return; /* about something else */
	hear_epoch(portmap, answer->epoch, now);
	if (answer->result) {
		refuse(portmap, answer->result);
	} else if (portmap->phase == PORTMAP_DELETING) {
		if (answer->lifetime == 0)
			end(portmap, PORTMAP_DELETED);
	} else if (answer->lifetime && answer->external.port) {
		portmap->external.port = answer->external.port;
		if (is_pcp(portmap))
			portmap->external.addr = answer->external.addr;
		portmap->lifetime = answer->lifetime;
		hold(portmap, now);
	}
}

void portmap_receive(struct portmap *portmap, const struct endpoint *from, const void *bytes,
		     size_t length, uint64_t now)
{
	struct portmap_answer answer;

	if (!portmap->asking || !endpoint_equal(from, &portmap->config.gateway) ||
	    !portmap_decode(portmap->config.protocol, bytes, length, &answer))
		return;
	switch (answer.kind) {
	case PORTMAP_OTHER_VERSION:
		snprintf(portmap->reason, sizeof(portmap->reason),
			 "the gateway speaks %s only (version %u)",
			 answer.version ? "PCP" : "NAT-PMP", answer.version);
		end(portmap, PORTMAP_REFUSED);
		return;
	case PORTMAP_ADDRESS:
		if (portmap->knows_address)
			return;
		hear_epoch(portmap, answer.epoch, now);
		if (answer.result) {
			refuse(portmap, answer.result);
			return;
		}
		portmap->external.addr = answer.external.addr;
		portmap->knows_address = true;
		ask(portmap, now);
		return;
	case PORTMAP_MAPPING:
		if (portmap->knows_address)
			hear_mapping(portmap, &answer, now);
		return;
	}
}

void portmap_refused(struct portmap *portmap, const struct endpoint *to, uint64_t now)
{
	(void)now;
	/* While it is held the gateway may be starting anew: the repetitions will tell. */
	if (!portmap->asking || portmap->phase == PORTMAP_HELD ||
	    !endpoint_equal(to, &portmap->config.gateway))
		return;
	snprintf(portmap->reason, sizeof(portmap->reason),
		 "the gateway does not speak %s: its port %u is closed",
		 is_pcp(portmap) ? "PCP" : "NAT-PMP", to->port);
	end(portmap, PORTMAP_REFUSED);
}

/* It was asked for a port, and may have granted one. */
static bool may_be_granted(const struct portmap *portmap)
{
	return portmap->phase == PORTMAP_ASKING && portmap->knows_address && portmap->interval != 0;
}

void portmap_release(struct portmap *portmap, uint64_t now)
{
	if (portmap->phase == PORTMAP_HELD || may_be_granted(portmap)) {
		portmap->phase = PORTMAP_DELETING;
		ask(portmap, now);
	} else if (portmap->phase == PORTMAP_ASKING) {
		end(portmap, PORTMAP_DELETED);
	}
}
