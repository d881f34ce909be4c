/* SPDX-License-Identifier: MIT */
/*
 * The long-term credential mechanism (RFC 8489 section 9.2), the client's side: a user and a
 * password, what the server demanded in its challenge, and the seal that follows from both.
 */
#ifndef NATSIM_AGENTS_TURN_CREDENTIALS_H
#define NATSIM_AGENTS_TURN_CREDENTIALS_H

#include "agents/stun/message.h"

enum {
	USER_MAX = 256,  /* RFC 8489 section 14.3 would allow 508; a request must fit a datagram */
	REALM_MAX = 763, /* bytes, section 14.9 */
	NONCE_MAX = 763, /* bytes, section 14.10 */
	ALGORITHMS_MAX = 64,
	KEY_MAX = 32,
};

/* RFC 8489 section 18.5; UNSTATED: the server speaks RFC 5389, which knows MD5 only. */
enum password_algorithm { ALGORITHM_UNSTATED, ALGORITHM_MD5, ALGORITHM_SHA256 };

struct credentials {
	const char *user, *password; /* UTF-8, taken as they are; NULL: there are none */
	bool challenged;             /* what follows is meaningful */
	bool anonymous;              /* the server wants USERHASH in place of USERNAME */
	uint8_t realm[REALM_MAX];
	size_t realm_length;
	uint8_t nonce[NONCE_MAX];
	size_t nonce_length;
	uint8_t algorithms[ALGORITHMS_MAX]; /* PASSWORD-ALGORITHMS as it came */
	size_t algorithms_length;
	enum password_algorithm algorithm;
	uint8_t key[KEY_MAX];
	size_t key_length;
};

/* Borrows both texts. */
void credentials_start(struct credentials *credentials, const char *user, const char *password);

/*
 * Take the challenge of an error response, 401 or 438. False, and nothing changed, when there
 * can be no answer to it: incomplete, no algorithm that we know, or bid down
 * (section 9.2.1) by somebody on the way.
 */
bool credentials_challenge(struct credentials *credentials, const struct stun_message *error);

/* Append what makes a request ours, once challenged; nothing before. */
void credentials_put(const struct credentials *credentials, struct stun_builder *builder);

/* Whether a response is the server's. Before a challenge anything is. */
bool credentials_check(const struct credentials *credentials, const struct stun_message *response);

#endif
