/* SPDX-License-Identifier: MIT */
/*
 * The seals of a STUN message: FINGERPRINT (is it STUN?) and MESSAGE-INTEGRITY, in its two
 * strengths (is it from whom I think?).
 */
#ifndef NATSIM_AGENTS_STUN_INTEGRITY_H
#define NATSIM_AGENTS_STUN_INTEGRITY_H

#include "agents/stun/message.h"

/*
 * Append MESSAGE-INTEGRITY: HMAC-SHA1 over everything before it (RFC 8489 section
 * 14.5). @key is the password for short-term credentials.
 */
void stun_put_integrity(struct stun_builder *builder, const void *key, size_t key_length);

/* True when MESSAGE-INTEGRITY is there and right; in constant time where it matters. */
bool stun_check_integrity(const struct stun_message *message, const void *key, size_t key_length);

/* The same with HMAC-SHA256, not truncated: MESSAGE-INTEGRITY-SHA256 (RFC 8489 section 14.6). */
void stun_put_integrity_sha256(struct stun_builder *builder, const void *key, size_t key_length);
bool stun_check_integrity_sha256(const struct stun_message *message, const void *key,
				 size_t key_length);

/* Append FINGERPRINT, which has to be the last (RFC 8489 section 14.7). */
void stun_put_fingerprint(struct stun_builder *builder);

enum stun_fingerprint { STUN_FINGERPRINT_ABSENT, STUN_FINGERPRINT_RIGHT, STUN_FINGERPRINT_WRONG };
enum stun_fingerprint stun_check_fingerprint(const struct stun_message *message);

#endif
