/* SPDX-License-Identifier: MIT */
#include "agents/nat_check/wire.h"

#include <string.h>

bool check_read(const struct stun_message *message, struct check_message *ret)
{
	struct stun_attribute check, step;
	struct check_message read;

	if (!stun_find(message, ATTRIBUTE_CHECK, &check) || check.length != CHECK_SIZE ||
	    !stun_find(message, ATTRIBUTE_STEP, &step) || !stun_read_u32(&step, &read.step))
		return false;
	memcpy(read.check, check.value, CHECK_SIZE);
	*ret = read;
	return true;
}

void check_begin(struct stun_builder *builder, struct datagram *datagram, enum stun_class class,
		 uint16_t method, const uint8_t id[STUN_ID_SIZE],
		 const struct check_message *content)
{
	stun_begin(builder, datagram->bytes, sizeof(datagram->bytes), class, method, id);
	stun_put(builder, ATTRIBUTE_CHECK, content->check, CHECK_SIZE);
	stun_put_u32(builder, ATTRIBUTE_STEP, content->step);
}

void check_pad(struct stun_builder *builder, struct datagram *datagram)
{
	enum { HEADER = 4 };

	stun_put_zeros(builder, STUN_PADDING, CHECK_PADDED - HEADER - builder->length);
	datagram->length = stun_end(builder);
}
