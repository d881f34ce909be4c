/* SPDX-License-Identifier: MIT */
/* One question of a detection: a Binding request, what is special about it, and its answer. */
#ifndef NATSIM_AGENTS_DETECT_PROBE_H
#define NATSIM_AGENTS_DETECT_PROBE_H

#include "agents/net/datagram.h"
#include "agents/stun/message.h"
#include "agents/stun/transaction.h"

/* What is said besides the bare request; all zeros for nothing. */
struct probe_extras {
	uint32_t change;        /* CHANGE-REQUEST's flags */
	uint16_t response_port; /* RESPONSE-PORT */
	size_t padding;         /* PADDING, which comes back as long as it went */
	size_t ballast;         /* the same in something every server ignores */
};

struct probe {
	uint8_t id[STUN_ID_SIZE];
	size_t socket;
	struct endpoint to;
	struct probe_extras extras;
	struct transaction transaction; /* of one that is repeated until it is answered */
	bool running;                   /* asked, and neither answered nor given up */
	bool answered, failed;
	uint64_t first_sent, last_sent;
	unsigned int sent;
	/* The answer. */
	struct endpoint mapped;
	uint64_t answered_at;
};

/* A new question with an id of its own; it has not been asked yet. */
void probe_make(struct probe *probe, size_t socket, const struct endpoint *to,
		const struct random_source *random);

/* Repeat it from @now on, first after @first, for at most @limit. */
void probe_repeat(struct probe *probe, uint64_t first, uint64_t limit, uint64_t now);

/* True when it is to be sent at @now. `failed` is set when @limit is over. */
bool probe_step(struct probe *probe, uint64_t now);

/* When to call probe_step() next. */
uint64_t probe_due(const struct probe *probe);

/* Write it down, and note at @now that it was sent (again). */
void probe_emit(struct probe *probe, uint64_t now, struct datagram *ret);

/* Whether @message, a request or an answer, has its id. */
bool probe_is(const struct probe *probe, const struct stun_message *message);

/* The mapped endpoint in @message, an answer, is kept. False for one that has none. */
bool probe_answer(struct probe *probe, const struct stun_message *message, uint64_t now);

/* The code of an error response, 0 where there is none. */
unsigned int probe_error(const struct stun_message *message);

#endif
