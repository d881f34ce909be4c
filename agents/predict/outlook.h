/* SPDX-License-Identifier: MIT */
/*
 * What a peer knows of its NAT's ports and is ready to do about them, as it tells the other
 * one (OFFER_PATTERN in rendezvous/offer.h).
 */
#ifndef NATSIM_AGENTS_PREDICT_OUTLOOK_H
#define NATSIM_AGENTS_PREDICT_OUTLOOK_H

#include "agents/detect/classify.h"
#include "agents/predict/pattern.h"
#include "agents/rendezvous/offer.h"

struct outlook {
	enum behaviour mapping;
	struct port_pattern pattern;
	double busy;        /* ports that others take between two of its own packets */
	uint16_t low, high; /* where its NAT's ports are, as far as it knows */

	/* 0 for what it is not ready to do. */
	uint16_t window;  /* how many predicted ports it would try */
	uint16_t sockets; /* birthday: how many it would open where its own ports are drawn */
	uint16_t probes;  /* birthday: how many ports it would try where the other's are */
	uint16_t rate;    /* of these a second */
};

/* Judge @busy from the pattern. */
double outlook_busy(const struct port_pattern *pattern);

void outlook_put(const struct outlook *outlook, struct offer *offer);

/* False when @bytes, an offer, has none that is whole and makes sense. */
bool outlook_find(const uint8_t *bytes, size_t length, struct outlook *ret);

#endif
