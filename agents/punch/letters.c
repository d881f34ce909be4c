/* SPDX-License-Identifier: MIT */
#include "agents/punch/letters.h"

#include <string.h>

void letters_start(struct letters *letters, const struct seal *seal,
		   const struct random_source *random, uint64_t round_trip)
{
	*letters = (struct letters){.seal = *seal, .random = *random, .first = 2 * round_trip};
	if (letters->first < 20 * MSEC)
		letters->first = 20 * MSEC;
	if (letters->first > 500 * MSEC)
		letters->first = 500 * MSEC;
}

bool letters_put(struct letters *letters, const void *bytes, size_t length)
{
	struct letter *letter;

	if (length > LETTER_MAX || letters->count == LETTERS_MAX)
		return false;
	letter = &letters->waiting[(letters->oldest + letters->count) % LETTERS_MAX];
	letter->length = length;
	if (length > 0)
		memcpy(letter->bytes, bytes, length);
	letters->count++;
	return true;
}

static size_t write_answer(struct letters *letters, void *buffer)
{
	struct stun_builder builder;

	letters->answer_due = false;
	seal_begin(&letters->seal, &builder, buffer, LETTER_SEALED_MAX, STUN_SUCCESS, METHOD_LETTER,
		   letters->answer_id);
	return seal_end(&letters->seal, &builder);
}

static size_t write_letter(const struct letters *letters, void *buffer)
{
	const struct letter *letter = &letters->waiting[letters->oldest];
	struct stun_builder builder;

	seal_begin(&letters->seal, &builder, buffer, LETTER_SEALED_MAX, STUN_REQUEST, METHOD_LETTER,
		   letters->id);
	stun_put_u32(&builder, ATTRIBUTE_SEQUENCE, letters->sent + 1);
	stun_put(&builder, STUN_DATA, letter->bytes, letter->length);
	return seal_end(&letters->seal, &builder);
}

size_t letters_send(struct letters *letters, uint64_t now, void *buffer)
{
	const struct transaction_timing timing = {.first = letters->first, .longest = SEC};

	if (letters->answer_due)
		return write_answer(letters, buffer);
	if (letters->count == 0)
		return 0;
	if (!letters->asked) {
		letters->asked = true;
		transaction_new_id(&letters->random, letters->id);
		transaction_start(&letters->transaction, &timing, now);
	}
	return transaction_step(&letters->transaction, now) == TRANSACTION_SEND
		       ? write_letter(letters, buffer)
		       : 0;
}

uint64_t letters_due(const struct letters *letters)
{
	if (letters->answer_due)
		return 0;
	if (letters->count == 0)
		return UINT64_MAX;
	return letters->asked ? letters->transaction.due : 0;
}

static void take_answer(struct letters *letters, const struct stun_message *message)
{
	if (!letters->asked || memcmp(stun_id(message), letters->id, STUN_ID_SIZE) != 0)
		return;
	letters->asked = false;
	letters->sent++;
	letters->oldest = (letters->oldest + 1) % LETTERS_MAX;
	letters->count--;
}

bool letters_receive(struct letters *letters, const struct stun_message *message,
		     const uint8_t **ret, size_t *ret_length)
{
	struct stun_attribute data, number;
	uint32_t sequence;

	if (message->method != METHOD_LETTER || !seal_is_theirs(&letters->seal, message))
		return false;
	if (message->class == STUN_SUCCESS)
		take_answer(letters, message);
	/* One at a time and in order, so anything but the next is a repetition. */
	if (message->class != STUN_REQUEST || !stun_find(message, STUN_DATA, &data) ||
	    !stun_find(message, ATTRIBUTE_SEQUENCE, &number) ||
	    !stun_read_u32(&number, &sequence) || sequence > letters->received + 1)
		return false;
	letters->answer_due = true;
	memcpy(letters->answer_id, stun_id(message), STUN_ID_SIZE);
	if (sequence <= letters->received)
		return false;
	letters->received = sequence;
	*ret = data.value;
	*ret_length = data.length;
	return true;
}
