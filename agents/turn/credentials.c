/* SPDX-License-Identifier: MIT */
/*
 * How this works: the first request carries nothing, and the server answers it with 401, its
 * realm, a nonce and, since RFC 8489, the algorithms it knows for making a key of a password.
 * Those are repeated in every request from then on. Somebody on the way could take
 * the list out of the challenge to get the weaker MD5; so the nonce begins with a cookie that says
 * whether there was one, and the nonce comes back to the server under the seal.
 */
#include "agents/turn/credentials.h"

#include <nettle/md5.h>
#include <nettle/sha2.h>
#include <string.h>

#include "agents/stun/integrity.h"

/* RFC 8489 section 9.2: after this come 4 characters of base64, 24 bits, the first on the left. */
static const char nonce_cookie[] = "obMatJos2";
enum { COOKIE_LENGTH = 9, FEATURES_LENGTH = 4 };

/* Section 18.1, as they stand in the first character's 6 bits. */
enum { FEATURE_ALGORITHMS = 0x20, FEATURE_ANONYMITY = 0x10 };

void credentials_start(struct credentials *credentials, const char *user, const char *password)
{
	*credentials = (struct credentials){.user = user, .password = password};
}

/* The value of a base64 character, 0 for any other: no features. */
static unsigned int base64_value(uint8_t character)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = character ? strchr(alphabet, character) : NULL;

	return at ? (unsigned int)(at - alphabet) : 0;
}

static unsigned int features_of(const struct stun_attribute *nonce)
{
	if (nonce->length < COOKIE_LENGTH + FEATURES_LENGTH ||
	    memcmp(nonce->value, nonce_cookie, COOKIE_LENGTH) != 0)
		return 0;
	return base64_value(nonce->value[COOKIE_LENGTH]);
}

/* The first of the list that we know, ALGORITHM_UNSTATED for none. */
static enum password_algorithm choose(const struct stun_attribute *list)
{
	size_t at = 0, parameters;
	unsigned int number;

	while (list->length - at >= 4) {
		number = (unsigned int)(list->value[at] << 8 | list->value[at + 1]);
		parameters = (size_t)list->value[at + 2] << 8 | list->value[at + 3];
		if (parameters == 0 && (number == ALGORITHM_MD5 || number == ALGORITHM_SHA256))
			return (enum password_algorithm)number;
		at += 4 + ((parameters + 3) & ~(size_t)3);
		if (at > list->length)
			break;
	}
	return ALGORITHM_UNSTATED;
}

/* MD5 or SHA-256 of user:realm:password (section 18.5.1). */
static void make_key(struct credentials *credentials)
{
	size_t user = strlen(credentials->user), password = strlen(credentials->password);
	struct sha256_ctx sha256;
	struct md5_ctx md5;

	if (credentials->algorithm == ALGORITHM_SHA256) {
		sha256_init(&sha256);
		sha256_update(&sha256, user, (const uint8_t *)credentials->user);
		sha256_update(&sha256, 1, (const uint8_t *)":");
		sha256_update(&sha256, credentials->realm_length, credentials->realm);
		sha256_update(&sha256, 1, (const uint8_t *)":");
		sha256_update(&sha256, password, (const uint8_t *)credentials->password);
		sha256_digest(&sha256, SHA256_DIGEST_SIZE, credentials->key);
		credentials->key_length = SHA256_DIGEST_SIZE;
		return;
	}
	md5_init(&md5);
	md5_update(&md5, user, (const uint8_t *)credentials->user);
	md5_update(&md5, 1, (const uint8_t *)":");
	md5_update(&md5, credentials->realm_length, credentials->realm);
	md5_update(&md5, 1, (const uint8_t *)":");
	md5_update(&md5, password, (const uint8_t *)credentials->password);
	md5_digest(&md5, MD5_DIGEST_SIZE, credentials->key);
	credentials->key_length = MD5_DIGEST_SIZE;
}

bool credentials_challenge(struct credentials *credentials, const struct stun_message *error)
{
	struct stun_attribute realm, nonce, list = {0};
	enum password_algorithm algorithm = ALGORITHM_UNSTATED;
	bool has_list;

	if (!credentials->user || !credentials->password || !stun_find(error, STUN_REALM, &realm) ||
	    realm.length > REALM_MAX || !stun_find(error, STUN_NONCE, &nonce) ||
	    nonce.length > NONCE_MAX)
		return false;
	has_list = stun_find(error, STUN_PASSWORD_ALGORITHMS, &list);
	if (has_list)
		algorithm = choose(&list);
	else if (features_of(&nonce) & FEATURE_ALGORITHMS)
		return false; /* the list was taken out on the way */
	if (has_list && (algorithm == ALGORITHM_UNSTATED || list.length > ALGORITHMS_MAX))
		return false;
	credentials->challenged = true;
	credentials->anonymous = (features_of(&nonce) & FEATURE_ANONYMITY) != 0;
	credentials->algorithm = algorithm;
	credentials->realm_length = realm.length;
	memcpy(credentials->realm, realm.value, realm.length);
	credentials->nonce_length = nonce.length;
	memcpy(credentials->nonce, nonce.value, nonce.length);
	credentials->algorithms_length = list.length;
	if (has_list)
		memcpy(credentials->algorithms, list.value, list.length);
	make_key(credentials);
	return true;
}

/* SHA-256 of user:realm (section 14.4). */
static void put_userhash(const struct credentials *credentials, struct stun_builder *builder)
{
	uint8_t digest[SHA256_DIGEST_SIZE];
	struct sha256_ctx sha256;

	sha256_init(&sha256);
	sha256_update(&sha256, strlen(credentials->user), (const uint8_t *)credentials->user);
	sha256_update(&sha256, 1, (const uint8_t *)":");
	sha256_update(&sha256, credentials->realm_length, credentials->realm);
	sha256_digest(&sha256, sizeof(digest), digest);
	stun_put(builder, STUN_USERHASH, digest, sizeof(digest));
}

void credentials_put(const struct credentials *credentials, struct stun_builder *builder)
{
	if (!credentials->challenged)
		return;
	if (credentials->anonymous)
		put_userhash(credentials, builder);
	else
		stun_put(builder, STUN_USERNAME, credentials->user, strlen(credentials->user));
	stun_put(builder, STUN_REALM, credentials->realm, credentials->realm_length);
	stun_put(builder, STUN_NONCE, credentials->nonce, credentials->nonce_length);
	if (credentials->algorithm == ALGORITHM_UNSTATED) {
		stun_put_integrity(builder, credentials->key, credentials->key_length);
		return;
	}
	stun_put(builder, STUN_PASSWORD_ALGORITHMS, credentials->algorithms,
		 credentials->algorithms_length);
	stun_put_u32(builder, STUN_PASSWORD_ALGORITHM, (uint32_t)credentials->algorithm << 16);
	stun_put_integrity_sha256(builder, credentials->key, credentials->key_length);
}

bool credentials_check(const struct credentials *credentials, const struct stun_message *response)
{
	if (!credentials->challenged)
		return true;
	if (credentials->algorithm == ALGORITHM_UNSTATED)
		return stun_check_integrity(response, credentials->key, credentials->key_length);
	return stun_check_integrity_sha256(response, credentials->key, credentials->key_length);
}
