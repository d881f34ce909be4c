/* SPDX-License-Identifier: MIT */
/*
 * Why nothing else may be sent in between: the ports that are predicted are the ones that
 * follow those of the questions. So the blind dial, whose mapping is of no use, comes before
 * them; the Join that carries the offer goes where a mapping is already; and the first packets
 * after "go" are those to the ports that were predicted, private endpoints last.
 *
 * When to give up. A prediction is right or wrong at the first packet, so a second is
 * plenty, unless packets get lost or more ports are to be tried. A birthday attack has as many
 * rounds as it takes for each packet to be sent ROUNDS times. What is hopeless gets the time in
 * which a plain punch succeeds, if the filters are milder than the mappings.
 */
#include "agents/punch/aim.h"

#include "agents/net/clock.h"

enum { ROUNDS = 3, SWEEPS = 2, PORTS_LOW = 1024, PORTS_HIGH = 65535 };

#define ROUND_MIN (200 * MSEC)
#define PATIENCE SEC
#define SWEEP_AFTER (50 * MSEC)

size_t aim_sockets(const struct aim_config *config)
{
	if (config->birthday)
		return config->sockets > AIM_MEASURED ? config->sockets : AIM_MEASURED;
	return config->predict ? AIM_MEASURED - 1 : 0;
}

static bool is_asked_for(const struct aim_config *config)
{
	return config->predict || config->birthday;
}

void aim_start(struct aim *aim, const struct aim_config *config,
	       const struct introduction *introduction, const struct endpoint *rendezvous,
	       uint64_t round_trip, const struct random_source *random, uint64_t now)
{
	struct measure_config measure = {
		.server = config->stun,
		.rendezvous = *rendezvous,
		.seen = introduction->mapped,
		.round_trip = round_trip,
		.random = *random,
	};
	size_t i, wanted = config->birthday ? AIM_MEASURED_FOR_BIRTHDAY : AIM_MEASURED;

	*aim = (struct aim){.config = *config, .random = *random, .round_trip = round_trip};
	if (!is_asked_for(config))
		return;
	for (i = 0; i < wanted && i <= config->fresh_count; i++) {
		measure.sockets[i] = i == 0 ? 0 : config->first_fresh + i - 1;
		measure.internal[i] = config->internal[i];
	}
	measure.socket_count = i;
	aim->started = true;
	measure_start(&aim->measure, &measure, now);
}

/* What has been learnt, exactly as the peer will hear it: both must decide the same. */
static void conclude(struct aim *aim, uint64_t now)
{
	struct outlook own = {
		.mapping = measure_mapping(&aim->measure),
		.pattern = measure_pattern(&aim->measure),
		.low = aim->config.low ? aim->config.low : PORTS_LOW,
		.high = aim->config.high ? aim->config.high : PORTS_HIGH,
		.window = aim->config.predict ? aim->config.window : 0,
		.sockets = aim->config.birthday ? aim->config.sockets : 0,
		.probes = aim->config.birthday ? aim->config.probes : 0,
		.rate = aim->config.rate,
	};
	struct offer offer = {.length = 0};

	own.busy = outlook_busy(&own.pattern);
	outlook_put(&own, &offer);
	aim->own = own;
	(void)outlook_find(offer.bytes, offer.length, &aim->own);
	aim->measured = true;
	aim->measured_at = now;
}

bool aim_send(struct aim *aim, uint64_t now, struct datagram *ret)
{
	if (!aim->started || aim->measured)
		return false;
	if (measure_send(&aim->measure, now, ret))
		return true;
	if (aim->measure.over)
		conclude(aim, now);
	return false;
}

uint64_t aim_due(const struct aim *aim)
{
	if (!aim->started)
		return UINT64_MAX;
	return aim->measured ? aim->measured_at + aim->config.hesitate : measure_due(&aim->measure);
}

bool aim_receive(struct aim *aim, const struct endpoint *from, const struct stun_message *message,
		 uint64_t now)
{
	if (!aim->started || !measure_receive(&aim->measure, from, message, now))
		return false;
	if (aim->measure.over && !aim->measured)
		conclude(aim, now);
	return true;
}

bool aim_ready(const struct aim *aim, uint64_t now)
{
	return !aim->started || (aim->measured && now >= aim->measured_at + aim->config.hesitate);
}

void aim_offer(const struct aim *aim, struct offer *offer)
{
	if (aim->measured)
		outlook_put(&aim->own, offer);
}

static void start_spray(struct aim *aim, const struct introduction *peer, uint64_t now)
{
	const struct guess *guess = &aim->guess;
	struct spray_config config = {
		.to = peer->peer_public,
		.socket_count = 1,
		.low = PORTS_LOW,
		.high = PORTS_HIGH,
		.rate = guess->rate,
		.random = aim->random,
	};

	if (guess->probes > 0) {
		config.low = guess->low;
		config.high = guess->high;
		config.port_count = guess->probes;
		config.first = guess->first;
		config.step = guess->step;
	} else {
		config.first_socket = aim->config.first_fresh;
		config.socket_count = guess->sockets < aim->config.fresh_count
					      ? guess->sockets
					      : aim->config.fresh_count;
	}
	if (config.rate == 0 || config.socket_count == 0)
		return;
	aim->spraying = true;
	/* What was predicted gets the time to be right. */
	spray_start(&aim->spray, &config,
		    guess->kind == GUESS_PREDICTION ? now + SWEEP_AFTER + 2 * aim->round_trip
						    : now);
}

void aim_decide(struct aim *aim, const struct introduction *peer, uint64_t now)
{
	struct outlook theirs;

	if (!aim->measured || aim->decided)
		return;
	aim->decided = true;
	if (!outlook_find(peer->offer, peer->offer_length, &theirs))
		return;
	aim->guess = guess_make(&aim->own, &theirs, peer->role == ROLE_CONTROLLING);
	if (aim->guess.kind == GUESS_BIRTHDAY ||
	    (aim->guess.kind == GUESS_PREDICTION && aim->guess.probes > 0))
		start_spray(aim, peer, now);
}

void aim_add_candidates(const struct aim *aim, const struct introduction *peer,
			struct candidates *candidates, uint64_t now)
{
	struct endpoint to = peer->peer_public;
	size_t i;

	for (i = 0; i < aim->guess.port_count; i++) {
		to.port = aim->guess.ports[i];
		(void)candidates_add(candidates,
				     to.port == peer->peer_public.port ? CANDIDATE_PUBLIC
								       : CANDIDATE_PREDICTED,
				     &to, now);
	}
	(void)candidates_add(candidates, CANDIDATE_PUBLIC, &peer->peer_public, now);
	if (aim->guess.kind == GUESS_BIRTHDAY)
		candidates->unannounced = CANDIDATE_DRAWN;
	else if (aim->guess.probes > 0)
		candidates->unannounced = CANDIDATE_PREDICTED;
}

bool aim_spray(struct aim *aim, uint64_t now, size_t *ret_socket, struct endpoint *ret_to)
{
	return aim->spraying && spray_send(&aim->spray, now, ret_socket, ret_to);
}

uint64_t aim_spray_due(const struct aim *aim)
{
	return aim->spraying ? spray_due(&aim->spray) : UINT64_MAX;
}

uint64_t aim_patience(const struct aim *aim)
{
	uint64_t patience = PATIENCE + 8 * aim->round_trip, round = aim->guess.duration;

	switch (aim->guess.kind) {
	case GUESS_NOTHING:
		return UINT64_MAX;
	case GUESS_PREDICTION:
		return patience + SWEEPS * round;
	case GUESS_HOPELESS:
		return patience;
	case GUESS_BIRTHDAY:
		return patience + ROUNDS * (round > ROUND_MIN ? round : ROUND_MIN);
	}
	return patience;
}

uint64_t aim_probes(const struct aim *aim)
{
	if (aim->guess.probes == 0)
		return aim->guess.port_count;
	return aim->guess.port_count + aim->spray.sent;
}

size_t aim_sockets_used(const struct aim *aim)
{
	return aim->spraying ? aim->spray.config.socket_count : 1;
}
