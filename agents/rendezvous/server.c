/* SPDX-License-Identifier: MIT */
/*
 * How this works: sessions live in a fixed array, found by a chained hash of their
 * name and kept in a list ordered by when they were last spoken of, so that what is
 * idle is always at its head. All links are indices; nothing is allocated after
 * the start, and memory the table never used is never touched.
 *
 * A Join is idempotent: a peer is known by its random id, so repeating one (its answer
 * was lost) or saying more ("dialled") changes nothing twice. Whoever joins first
 * controls. The second peer completes the pair; a third id is refused. When both have
 * dialled, both are told to go. A peer still interested joins again every second, so one
 * that has been silent for some seconds has gone (or has its GO) and is no obstacle to
 * others who want the name. Nor to others who want the place: when the table is full, which anybody
 * can bring about with sources that are not his, the session spoken of least lately gives way as
 * soon as all its members are silent. So a flood hurts for some seconds, not for the idle time.
 *
 * The answer goes to the Join's source, and when a Join moves the session on, the other peer
 * is pushed the news as an indication. A lost push is made good by that peer's own next Join.
 *
 * A Relay is passed on to the other member's public endpoint, but only from the endpoint that its
 * sender last joined from: so nobody else can send through us, and what goes out is always less
 * than what came in. Each session may use a constant rate, a second of it at once.
 * Being relayed keeps a session from being idle, and a pause in it makes no one a deserter.
 */
#include "agents/rendezvous/server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agents/net/clock.h"
#include "agents/stun/integrity.h"

enum { PEERS = 2 };
#define NOBODY UINT32_MAX
#define SILENT_FOR (5 * SEC)

struct member {
	bool present;
	uint8_t id[PEER_ID_SIZE];
	uint8_t transaction[STUN_ID_SIZE]; /* of its last Join: a push shows that we know it */
	enum join_stage stage;
	uint64_t touched; /* its last Join */
	struct endpoint public;
	struct endpoint privates[PRIVATE_MAX];
	size_t private_count;
	uint8_t offer[OFFER_MAX];
	size_t offer_length;
};

struct session {
	uint8_t name[SESSION_NAME_MAX];
	size_t name_length;
	uint8_t token[TOKEN_SIZE];
	struct member members[PEERS]; /* [0] came first and controls */
	enum session_stage stage;
	uint64_t touched;
	bool relays;           /* its members speak through us, and not to us */
	uint64_t spent_until;  /* the rate of relaying is used up to then; at most a second ahead */
	uint32_t chain;        /* next of the same hash */
	uint32_t older, newer; /* the list by `touched` */
};

struct rendezvous {
	struct rendezvous_config config;
	struct session *sessions;
	uint32_t *buckets; /* as many as sessions; index + 1, 0 for none */
	uint32_t unused;   /* chain of freed ones */
	uint32_t fresh;    /* from here on never used */
	uint32_t oldest, newest;
	size_t count;
	uint64_t seed; /* so that nobody outside can aim at one chain */
};

int rendezvous_new(const struct rendezvous_config *config, struct rendezvous **ret)
{
	struct rendezvous *rendezvous;

	if (config->sessions == 0 || config->sessions >= NOBODY)
		return -EINVAL;
	rendezvous = calloc(1, sizeof(*rendezvous));
	if (!rendezvous)
		return -ENOMEM;
	rendezvous->config = *config;
	rendezvous->unused = rendezvous->oldest = rendezvous->newest = NOBODY;
	rendezvous->sessions = calloc(config->sessions, sizeof(*rendezvous->sessions));
	rendezvous->buckets = calloc(config->sessions, sizeof(*rendezvous->buckets));
	if (!rendezvous->sessions || !rendezvous->buckets) {
		rendezvous_free(rendezvous);
		return -ENOMEM;
	}
	random_fill(&config->random, &rendezvous->seed, sizeof(rendezvous->seed));
	*ret = rendezvous;
	return 0;
}

void rendezvous_free(struct rendezvous *rendezvous)
{
	if (!rendezvous)
		return;
	free(rendezvous->sessions);
	free(rendezvous->buckets);
	free(rendezvous);
}

size_t rendezvous_sessions(const struct rendezvous *rendezvous)
{
	return rendezvous->count;
}

static uint32_t *bucket_of(struct rendezvous *rendezvous, const uint8_t *name, size_t length)
{
	uint64_t hash = rendezvous->seed;
	size_t i;

	for (i = 0; i < length; i++) { /* FNV-1a's step, seeded, with the high half folded in */
		hash = (hash ^ name[i]) * UINT64_C(0x100000001b3);
		hash ^= hash >> 29;
	}
	return &rendezvous->buckets[hash % rendezvous->config.sessions];
}

static struct session *find(struct rendezvous *rendezvous, const struct join *join)
{
	uint32_t next = *bucket_of(rendezvous, join->session, join->session_length);

	while (next != 0) {
		struct session *session = &rendezvous->sessions[next - 1];

		if (session->name_length == join->session_length &&
		    memcmp(session->name, join->session, join->session_length) == 0)
			return session;
		next = session->chain;
	}
	return NULL;
}

static void list_remove(struct rendezvous *rendezvous, struct session *session)
{
	if (session->older == NOBODY)
		rendezvous->oldest = session->newer;
	else
		rendezvous->sessions[session->older].newer = session->newer;
	if (session->newer == NOBODY)
		rendezvous->newest = session->older;
	else
		rendezvous->sessions[session->newer].older = session->older;
}

static void list_append(struct rendezvous *rendezvous, struct session *session)
{
	uint32_t index = (uint32_t)(session - rendezvous->sessions);

	session->older = rendezvous->newest;
	session->newer = NOBODY;
	if (rendezvous->newest == NOBODY)
		rendezvous->oldest = index;
	else
		rendezvous->sessions[rendezvous->newest].newer = index;
	rendezvous->newest = index;
}

/* A new session called as @join says; there has to be room. */
static struct session *add(struct rendezvous *rendezvous, const struct join *join)
{
	uint32_t *bucket = bucket_of(rendezvous, join->session, join->session_length);
	struct session *session;
	uint32_t index = rendezvous->unused;

	if (index != NOBODY)
		rendezvous->unused = rendezvous->sessions[index].chain;
	else
		index = rendezvous->fresh++;
	session = &rendezvous->sessions[index];
	*session = (struct session){
		.stage = SESSION_WAITING, .name_length = join->session_length, .chain = *bucket};
	memcpy(session->name, join->session, join->session_length);
	random_fill(&rendezvous->config.random, session->token, sizeof(session->token));
	*bucket = index + 1;
	list_append(rendezvous, session);
	rendezvous->count++;
	return session;
}

static void forget(struct rendezvous *rendezvous, struct session *session)
{
	uint32_t index = (uint32_t)(session - rendezvous->sessions);
	uint32_t *link = bucket_of(rendezvous, session->name, session->name_length);

	while (*link != index + 1)
		link = &rendezvous->sessions[*link - 1].chain;
	*link = session->chain;
	list_remove(rendezvous, session);
	session->chain = rendezvous->unused;
	rendezvous->unused = index;
	rendezvous->count--;
}

uint64_t rendezvous_expire(struct rendezvous *rendezvous, uint64_t now)
{
	while (rendezvous->oldest != NOBODY) {
		struct session *session = &rendezvous->sessions[rendezvous->oldest];

		if (session->touched + rendezvous->config.idle > now)
			return session->touched + rendezvous->config.idle;
		forget(rendezvous, session);
	}
	return UINT64_MAX;
}

static struct member *member_of(struct session *session, const struct join *join)
{
	size_t i;

	for (i = 0; i < PEERS; i++) {
		if (session->members[i].present &&
		    memcmp(session->members[i].id, join->peer, PEER_ID_SIZE) == 0)
			return &session->members[i];
	}
	return NULL;
}

/* The known member of that id or, while the pair is not complete, a new one; NULL for a third. */
static struct member *admit(struct session *session, const struct join *join)
{
	struct member *member = member_of(session, join);
	size_t i;

	for (i = 0; !member && session->stage == SESSION_WAITING && i < PEERS; i++) {
		if (!session->members[i].present)
			member = &session->members[i];
	}
	if (!member)
		return NULL;
	if (!member->present)
		*member = (struct member){.present = true};
	memcpy(member->id, join->peer, PEER_ID_SIZE);
	return member;
}

/* A stranger asks for the name: has everybody who holds it gone? */
static bool deserted(const struct rendezvous *rendezvous, const struct session *session,
		     const struct join *join, uint64_t now)
{
	uint64_t silent_for = session->relays ? rendezvous->config.idle : SILENT_FOR;
	size_t i;

	for (i = 0; i < PEERS; i++) {
		const struct member *member = &session->members[i];

		if (member->present && (memcmp(member->id, join->peer, PEER_ID_SIZE) == 0 ||
					member->touched + silent_for > now))
			return false;
	}
	return true;
}

/* Where the session stands now that @session's members have said what they said. */
static enum session_stage stage_of(const struct session *session)
{
	const struct member *a = &session->members[0], *b = &session->members[1];

	if (session->stage == SESSION_GO || (session->stage == SESSION_PAIRED &&
					     a->stage == JOIN_DIALLED && b->stage == JOIN_DIALLED))
		return SESSION_GO;
	return a->present && b->present ? SESSION_PAIRED : SESSION_WAITING;
}

/* Room for one more session, made if need be; false when all there are are in use. */
static bool make_room(struct rendezvous *rendezvous, const struct join *join, uint64_t now)
{
	struct session *oldest;

	if (rendezvous->count < rendezvous->config.sessions)
		return true;
	oldest = &rendezvous->sessions[rendezvous->oldest];
	if (!deserted(rendezvous, oldest, join, now))
		return false;
	forget(rendezvous, oldest);
	return true;
}

static void introduce(const struct session *session, const struct member *member,
		      enum stun_class class, struct rendezvous_datagram *ret)
{
	size_t index = (size_t)(member - session->members);
	const struct member *other = &session->members[index ^ 1U];
	struct introduction introduction = {
		.mapped = member->public,
		.stage = session->stage,
		.role = index == 0 ? ROLE_CONTROLLING : ROLE_CONTROLLED,
		.peer_public = other->public,
		.private_count = other->private_count,
		.offer_length = other->offer_length,
	};

	memcpy(introduction.token, session->token, TOKEN_SIZE);
	memcpy(introduction.privates, other->privates, sizeof(introduction.privates));
	memcpy(introduction.offer, other->offer, sizeof(introduction.offer));
	ret->to = member->public;
	ret->length = introduction_write(&introduction, class, member->transaction, ret->bytes,
					 sizeof(ret->bytes));
}

static size_t refuse(const struct endpoint *to, const uint8_t id[STUN_ID_SIZE], unsigned int code,
		     const char *why, struct rendezvous_datagram *ret)
{
	struct stun_builder builder;

	ret->to = *to;
	stun_begin(&builder, ret->bytes, sizeof(ret->bytes), STUN_ERROR, METHOD_JOIN, id);
	stun_put_error(&builder, code, why);
	stun_put_fingerprint(&builder);
	ret->length = stun_end(&builder);
	return 1;
}

static void leave(struct rendezvous *rendezvous, const struct join *join)
{
	struct session *session = find(rendezvous, join);
	struct member *member = session ? member_of(session, join) : NULL;

	if (!member)
		return;
	member->present = false;
	if (!session->members[0].present && !session->members[1].present)
		forget(rendezvous, session);
}

static void touch(struct rendezvous *rendezvous, struct session *session, struct member *member,
		  uint64_t now)
{
	session->touched = member->touched = now;
	list_remove(rendezvous, session);
	list_append(rendezvous, session);
}

static size_t take_join(struct rendezvous *rendezvous, const struct join *join,
			const struct endpoint *from, const uint8_t id[STUN_ID_SIZE], uint64_t now,
			struct rendezvous_datagram *out)
{
	struct session *session = find(rendezvous, join);
	enum session_stage before;
	struct member *member;
	size_t count = 0;

	if (session && deserted(rendezvous, session, join, now)) {
		forget(rendezvous, session);
		session = NULL;
	}
	if (!session && make_room(rendezvous, join, now))
		session = add(rendezvous, join);
	if (!session)
		return refuse(from, id, 508, "the rendezvous has no room for another session", out);
	member = admit(session, join);
	if (!member)
		return refuse(from, id, 403, "the session has two peers already", out);
	/* The newest word counts: a mapping may have changed; but nobody un-dials. */
	member->public = *from;
	member->private_count = join->private_count;
	memcpy(member->privates, join->privates, sizeof(member->privates));
	member->offer_length = join->offer_length;
	memcpy(member->offer, join->offer, sizeof(member->offer));
	if (session->stage >= SESSION_PAIRED && join->stage > member->stage)
		member->stage = join->stage;
	memcpy(member->transaction, id, STUN_ID_SIZE);
	touch(rendezvous, session, member, now);
	before = session->stage;
	session->stage = stage_of(session);
	introduce(session, member, STUN_SUCCESS, &out[count++]);
	if (session->stage != before)
		introduce(session, &session->members[(member - session->members) ^ 1],
			  STUN_INDICATION, &out[count++]);
	return count;
}

/* May @length bytes more be relayed? They are counted if so: as time that must pass for them. */
static bool allow(const struct rendezvous *rendezvous, struct session *session, size_t length,
		  uint64_t now)
{
	uint64_t from = session->spent_until > now ? session->spent_until : now;
	uint64_t rate = rendezvous->config.relay_rate;

	if (rate == 0 || from + length * SEC / rate > now + SEC)
		return false;
	session->spent_until = from + length * SEC / rate;
	return true;
}

static size_t take_relay(struct rendezvous *rendezvous, const struct join *join,
			 const struct endpoint *from, const struct stun_message *message,
			 uint64_t now, struct rendezvous_datagram *out)
{
	struct session *session = find(rendezvous, join);
	struct member *member = session ? member_of(session, join) : NULL;
	struct member *other = member ? &session->members[(member - session->members) ^ 1] : NULL;
	const uint8_t *payload;
	size_t length;

	if (!member || !other->present || !endpoint_equal(from, &member->public) ||
	    !relayed_read(message, &payload, &length) ||
	    !allow(rendezvous, session, message->length, now))
		return 0;
	session->relays = true;
	touch(rendezvous, session, member, now);
	out->to = other->public;
	out->length =
		relayed_write(stun_id(message), payload, length, out->bytes, sizeof(out->bytes));
	return out->length > 0;
}

size_t rendezvous_receive(struct rendezvous *rendezvous, const struct endpoint *from,
			  const void *datagram, size_t length, uint64_t now,
			  struct rendezvous_datagram out[RENDEZVOUS_OUT_MAX])
{
	struct stun_message message;
	struct join join = {0};

	(void)rendezvous_expire(rendezvous, now);
	if (!stun_parse(datagram, length, &message) ||
	    stun_check_fingerprint(&message) != STUN_FINGERPRINT_RIGHT ||
	    !join_read(&message, &join))
		return 0;
	if (message.method == METHOD_LEAVE && message.class == STUN_INDICATION) {
		leave(rendezvous, &join);
		return 0;
	}
	if (message.method == METHOD_RELAY)
		return take_relay(rendezvous, &join, from, &message, now, out);
	if (message.method != METHOD_JOIN || message.class != STUN_REQUEST || length < JOIN_SIZE)
		return 0;
	return take_join(rendezvous, &join, from, stun_id(&message), now, out);
}
