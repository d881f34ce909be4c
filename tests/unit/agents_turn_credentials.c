/* SPDX-License-Identifier: MIT */
/* Long-term credentials: RFC 8489's own values, what a challenge may be, and what it must not. */
#include <criterion/criterion.h>
#include <nettle/hmac.h>
#include <string.h>

#include "agents/stun/integrity.h"
#include "agents/turn/credentials.h"

static const uint8_t some_id[STUN_ID_SIZE] = {0x21, 0x12, 0xa4, 0x42, 0x78, 0xad, 0x34, 0x33,
					      0xc6, 0xad, 0x72, 0xc0, 0x29, 0xda, 0x41, 0x2e};

/* "MATRIX" in katakana. */
#define MATRIX "\xe3\x83\x9e\xe3\x83\x88\xe3\x83\xaa\xe3\x83\x83\xe3\x82\xaf\xe3\x82\xb9"

struct challenge {
	const char *realm, *nonce;
	const void *algorithms;
	size_t algorithms_length;
};

static bool challenge(struct credentials *credentials, const struct challenge *how)
{
	uint8_t bytes[2048];
	struct stun_builder builder;
	struct stun_message message;

	stun_begin(&builder, bytes, sizeof(bytes), STUN_ERROR, 0x003, some_id);
	stun_put_error(&builder, 401, "Unauthorized");
	if (how->realm)
		stun_put(&builder, STUN_REALM, how->realm, strlen(how->realm));
	if (how->nonce)
		stun_put(&builder, STUN_NONCE, how->nonce, strlen(how->nonce));
	if (how->algorithms)
		stun_put(&builder, STUN_PASSWORD_ALGORITHMS, how->algorithms,
			 how->algorithms_length);
	cr_assert(stun_parse(bytes, stun_end(&builder), &message));
	return credentials_challenge(credentials, &message);
}

Test(credentials, the_key_of_rfc8489_section_9_2_2)
{
	static const uint8_t expected[] = {0x84, 0x93, 0xfb, 0xc5, 0x3b, 0xa5, 0x82, 0xfb,
					   0x4c, 0x04, 0x4c, 0x45, 0x6b, 0xdc, 0x40, 0xeb};
	struct challenge how = {.realm = "realm", .nonce = "n"};
	struct credentials credentials;

	credentials_start(&credentials, "user", "pass");
	cr_assert(challenge(&credentials, &how));
	cr_assert_eq(credentials.key_length, sizeof(expected));
	cr_expect_arr_eq(credentials.key, expected, sizeof(expected));
}

/*
 * RFC 8489 appendix B.1. Its header says 20 bytes more than follow, and its seal was computed
 * with that: no message for our codec, but its hash, key and HMAC are what they should be.
 */
static const uint8_t sample[] = {
	0x00, 0x01, 0x00, 0x9c, 0x21, 0x12, 0xa4, 0x42, 0x78, 0xad, 0x34, 0x33, 0xc6, 0xad, 0x72,
	0xc0, 0x29, 0xda, 0x41, 0x2e, 0x00, 0x1e, 0x00, 0x20, 0x4a, 0x3c, 0xf3, 0x8f, 0xef, 0x69,
	0x92, 0xbd, 0xa9, 0x52, 0xc6, 0x78, 0x04, 0x17, 0xda, 0x0f, 0x24, 0x81, 0x94, 0x15, 0x56,
	0x9e, 0x60, 0xb2, 0x05, 0xc4, 0x6e, 0x41, 0x40, 0x7f, 0x17, 0x04, 0x00, 0x15, 0x00, 0x29,
	0x6f, 0x62, 0x4d, 0x61, 0x74, 0x4a, 0x6f, 0x73, 0x32, 0x41, 0x41, 0x41, 0x43, 0x66, 0x2f,
	0x2f, 0x34, 0x39, 0x39, 0x6b, 0x39, 0x35, 0x34, 0x64, 0x36, 0x4f, 0x4c, 0x33, 0x34, 0x6f,
	0x4c, 0x39, 0x46, 0x53, 0x54, 0x76, 0x79, 0x36, 0x34, 0x73, 0x41, 0x00, 0x00, 0x00, 0x00,
	0x14, 0x00, 0x0b, 0x65, 0x78, 0x61, 0x6d, 0x70, 0x6c, 0x65, 0x2e, 0x6f, 0x72, 0x67, 0x00,
	0x00, 0x1c, 0x00, 0x20, 0xe4, 0x68, 0x6c, 0x8f, 0x0e, 0xde, 0xb5, 0x90, 0x13, 0xe0, 0x70,
	0x90, 0x01, 0x0a, 0x93, 0xef, 0xcc, 0xbc, 0xcc, 0x54, 0x4c, 0x0a, 0x45, 0xd9, 0xf8, 0x30,
	0xaa, 0x6d, 0x6f, 0x73, 0x5a, 0x01,
};

static const uint8_t sha256_only[] = {0, 2, 0, 0};

Test(credentials, the_sample_request_of_rfc8489_is_sealed_with_our_key)
{
	struct challenge how = {"example.org", "n", sha256_only, sizeof(sha256_only)};
	size_t sealed = sizeof(sample) - 4 - SHA256_DIGEST_SIZE;
	uint8_t digest[SHA256_DIGEST_SIZE];
	struct credentials credentials;
	struct hmac_sha256_ctx hmac;

	credentials_start(&credentials, MATRIX, "TheMatrIX");
	cr_assert(challenge(&credentials, &how));
	hmac_sha256_set_key(&hmac, credentials.key_length, credentials.key);
	hmac_sha256_update(&hmac, sealed, sample);
	hmac_sha256_digest(&hmac, sizeof(digest), digest);
	cr_expect_arr_eq(digest, sample + sealed + 4, sizeof(digest));
}

Test(credentials, the_stronger_seal_counts_itself_in_the_length_and_nothing_behind_it)
{
	uint8_t bytes[128], digest[SHA256_DIGEST_SIZE];
	struct stun_builder builder;
	struct stun_message message;
	struct hmac_sha256_ctx hmac;

	stun_begin(&builder, bytes, sizeof(bytes), STUN_REQUEST, STUN_BINDING, some_id);
	stun_put_u32(&builder, STUN_LIFETIME, 600);
	stun_put_integrity_sha256(&builder, "key", 3);
	stun_put_fingerprint(&builder);
	cr_assert(stun_parse(bytes, stun_end(&builder), &message));
	cr_expect(stun_check_integrity_sha256(&message, "key", 3));
	cr_expect_not(stun_check_integrity_sha256(&message, "kex", 3));
	bytes[3] = 8 + 36; /* LIFETIME and the seal */
	hmac_sha256_set_key(&hmac, 3, (const uint8_t *)"key");
	hmac_sha256_update(&hmac, STUN_HEADER_SIZE + 8, bytes);
	hmac_sha256_digest(&hmac, sizeof(digest), digest);
	cr_expect_arr_eq(digest, bytes + STUN_HEADER_SIZE + 8 + 4, sizeof(digest));
}

Test(credentials, the_hash_of_the_user_is_that_of_rfc8489)
{
	/* 'w' is 110000: both features. */
	struct challenge how = {"example.org", "obMatJos2wAAAx", sha256_only, sizeof(sha256_only)};
	struct credentials credentials;
	struct stun_builder builder;
	struct stun_message message;
	struct stun_attribute attribute;
	uint8_t bytes[512];

	credentials_start(&credentials, MATRIX, "TheMatrIX");
	cr_assert(challenge(&credentials, &how));
	cr_expect(credentials.anonymous);
	stun_begin(&builder, bytes, sizeof(bytes), STUN_REQUEST, STUN_BINDING, some_id);
	credentials_put(&credentials, &builder);
	cr_assert(stun_parse(bytes, stun_end(&builder), &message));
	cr_assert(stun_find(&message, STUN_USERHASH, &attribute));
	cr_assert_eq(attribute.length, 32);
	cr_expect_arr_eq(attribute.value, sample + 24, 32);
	cr_expect_not(stun_find(&message, STUN_USERNAME, &attribute), "that would be in vain");
	cr_expect(stun_check_integrity_sha256(&message, credentials.key, 32));
	cr_expect_not(stun_find(&message, STUN_MESSAGE_INTEGRITY, &attribute),
		      "SHA-256 only (section 9.2.5)");
}

Test(credentials, of_the_servers_algorithms_the_first_known_one_is_taken)
{
	static const uint8_t foreign_first[] = {0, 9, 0, 3, 1, 2, 3, 0, 0, 1, 0, 0, 0, 2, 0, 0};
	static const uint8_t strong_first[] = {0, 2, 0, 0, 0, 1, 0, 0};
	struct challenge how = {"r", "obMatJos2gAAAx", foreign_first, sizeof(foreign_first)};
	struct credentials credentials;

	credentials_start(&credentials, "user", "pass");
	cr_assert(challenge(&credentials, &how));
	cr_expect_eq(credentials.algorithm, ALGORITHM_MD5);
	cr_expect_eq(credentials.key_length, 16);
	how.algorithms = strong_first;
	how.algorithms_length = sizeof(strong_first);
	cr_assert(challenge(&credentials, &how));
	cr_expect_eq(credentials.algorithm, ALGORITHM_SHA256);
	cr_expect_eq(credentials.key_length, 32);
}

Test(credentials, what_cannot_be_answered_changes_nothing)
{
	static const uint8_t foreign[] = {0, 9, 0, 0};
	static const uint8_t beyond[] = {0, 9, 0xff, 0xff};
	static char long_text[NONCE_MAX + 2];
	const struct challenge bad[] = {
		{"r", NULL, NULL, 0},
		{NULL, "n", NULL, 0},
		{"r", "obMatJos2gAAAx", NULL, 0}, /* the list was taken out on the way */
		{"r", "n", foreign, sizeof(foreign)},
		{"r", "n", beyond, sizeof(beyond)},
		{"r", "n", "", 0},
		{"r", long_text, NULL, 0},
		{long_text, "n", NULL, 0},
	};
	struct credentials credentials, before;
	size_t i;

	memset(long_text, 'x', NONCE_MAX + 1);
	credentials_start(&credentials, "user", "pass");
	cr_assert(challenge(&credentials, &(struct challenge){"realm", "nonce", NULL, 0}));
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		before = credentials;
		cr_expect_not(challenge(&credentials, &bad[i]), "challenge %zu", i);
		cr_expect_eq(memcmp(&before, &credentials, sizeof(before)), 0, "challenge %zu", i);
	}
}

Test(credentials, who_has_no_password_answers_no_challenge)
{
	struct credentials credentials;

	credentials_start(&credentials, NULL, NULL);
	cr_expect_not(challenge(&credentials, &(struct challenge){"realm", "nonce", NULL, 0}));
}
