/* SPDX-License-Identifier: MIT */
/*
 * How requests travel
 *
 * A rtnetlink request costs a system call to send and another to fetch its
 * acknowledgement, and the kernel executes it within the first. So messages are
 * laid end to end in one buffer and handed over in one send(); and since the
 * kernel answers a request that failed whether or not it asked for an answer, only
 * the last message of a buffer asks. A stretch that went well costs two system
 * calls whatever its length, and one small reply.
 *
 * The obvious alternative, an acknowledgement for every message, needs a receive
 * buffer for all of them: the kernel drops what does not fit, and whoever counts
 * acknowledgements then waits for ever. The same holds for refusals, hence the
 * bound on the messages in one send().
 *
 * The kernel goes on after a refused message. That is harmless here: a refusal ends
 * the lab and with it the namespace.
 */
#include "kern/batch.h"

#include <errno.h>
#include <linux/netlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/socket.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/*
 * A send() is refused (EMSGSIZE) beyond the socket's send buffer, 32 KiB as libnl
 * sets it; and a refusal occupies about 1 KiB of its receive buffer of twice 32 KiB.
 */
enum { SEND_BYTES_MAX = 24 * 1024, SEND_MESSAGES_MAX = 48, REPLY_BYTES = 8192 };

struct entry {
	size_t tag;
	size_t offset; /* of its nlmsghdr in the buffer */
	size_t length; /* aligned */
};

struct batch {
	char *bytes;
	size_t length, capacity;
	struct entry *entries;
	size_t count, room;
};

int batch_new(struct batch **ret)
{
	struct batch *batch = calloc(1, sizeof(*batch));

	if (!batch)
		return -ENOMEM;
	*ret = batch;
	return 0;
}

void batch_free(struct batch *batch)
{
	if (!batch)
		return;
	free(batch->bytes);
	free(batch->entries);
	free(batch);
}

static int make_room(struct batch *batch, size_t length)
{
	size_t capacity = batch->capacity ? batch->capacity : 4096;
	struct entry *entries;
	size_t room;
	char *bytes;

	if (batch->count == batch->room) {
		room = batch->room ? 2 * batch->room : 32;
		entries = reallocarray(batch->entries, room, sizeof(*entries));
		if (!entries)
			return -ENOMEM;
		batch->entries = entries;
		batch->room = room;
	}
	while (capacity - batch->length < length)
		capacity *= 2;
	if (capacity == batch->capacity)
		return 0;
	bytes = realloc(batch->bytes, capacity);
	if (!bytes)
		return -ENOMEM;
	batch->bytes = bytes;
	batch->capacity = capacity;
	return 0;
}

int batch_add(struct batch *batch, struct nl_msg *message, size_t tag)
{
	struct nlmsghdr *header;
	size_t length;
	int r;

	if (!message)
		return -ENOMEM;
	header = nlmsg_hdr(message);
	length = NLMSG_ALIGN(header->nlmsg_len);
	r = make_room(batch, length);
	if (r == 0) {
		/* A sequence number is the message's place in the batch. */
		header->nlmsg_seq = (uint32_t)batch->count;
		header->nlmsg_pid = 0;
		header->nlmsg_flags |= NLM_F_REQUEST;
		batch->entries[batch->count++] = (struct entry){tag, batch->length, length};
		memset(batch->bytes + batch->length, 0, length);
		memcpy(batch->bytes + batch->length, header, header->nlmsg_len);
		batch->length += length;
	}
	nlmsg_free(message);
	return r;
}

/* How many entries from @first on fit into one send(). */
static size_t stretch(const struct batch *batch, size_t first)
{
	size_t end = first, bytes = 0;

	while (end < batch->count && end - first < SEND_MESSAGES_MAX) {
		bytes += batch->entries[end].length;
		if (bytes > SEND_BYTES_MAX && end > first)
			break;
		end++;
	}
	return end - first;
}

/* The sentence the kernel attached to a refusal, or NULL. Lives as long as @header. */
static const char *refusal_words(const struct nlmsghdr *header)
{
	const struct nlmsgerr *error = nlmsg_data(header);
	int offset = (int)sizeof(*error), left;
	const struct nlattr *words;

	if (!(header->nlmsg_flags & NLM_F_ACK_TLVS))
		return NULL;
	if (!(header->nlmsg_flags & NLM_F_CAPPED)) /* the whole request precedes it */
		offset += (int)(NLMSG_ALIGN(error->msg.nlmsg_len) - sizeof(error->msg));
	left = nlmsg_datalen(header) - offset;
	if (left <= 0)
		return NULL;
	words = nla_find((const struct nlattr *)((const char *)error + offset), left,
			 NLMSGERR_ATTR_MSG);
	if (!words || nla_len(words) < 1 ||
	    ((const char *)nla_data(words))[nla_len(words) - 1] != '\0')
		return NULL;
	return nla_data(words);
}

struct refusal {
	int error; /* 0: none so far */
	size_t entry;
};

/* Take note of one reply. Returns whether it is the answer to entry @last. */
static bool read_reply(const struct nlmsghdr *header, size_t last, struct refusal *refusal,
		       struct diag *d)
{
	const struct nlmsgerr *error = nlmsg_data(header);
	const char *words;

	if (header->nlmsg_type != NLMSG_ERROR || header->nlmsg_len < NLMSG_LENGTH(sizeof(*error)))
		return false;
	if (error->error != 0 && refusal->error == 0) {
		*refusal = (struct refusal){-error->error, header->nlmsg_seq};
		words = refusal_words(header);
		if (words)
			diag_error(d, refusal->error, "%s (%s)", words, strerror(refusal->error));
		else
			diag_error(d, refusal->error, "%s", strerror(refusal->error));
	}
	return header->nlmsg_seq == last;
}

/* Read replies until entry @last is answered. */
static int collect(int fd, size_t last, struct refusal *refusal, struct diag *d)
{
	_Alignas(struct nlmsghdr) char reply[REPLY_BYTES];
	struct nlmsghdr *header;
	bool done = false;
	ssize_t n;
	int left;

	while (!done) {
		n = recv(fd, reply, sizeof(reply), 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return diag_system(d, errno, "cannot read a netlink answer");
		left = (int)n;
		for (header = (struct nlmsghdr *)reply; nlmsg_ok(header, left);
		     header = nlmsg_next(header, &left))
			done |= read_reply(header, last, refusal, d);
	}
	return 0;
}

static int send_stretch(const struct batch *batch, int fd, size_t first, size_t count)
{
	const struct entry *begin = &batch->entries[first];
	const struct entry *last = &batch->entries[first + count - 1];
	struct nlmsghdr *header = (struct nlmsghdr *)(batch->bytes + last->offset);

	header->nlmsg_flags |= NLM_F_ACK;
	if (send(fd, batch->bytes + begin->offset, last->offset + last->length - begin->offset, 0) <
	    0)
		return -errno;
	return 0;
}

int batch_commit(struct batch *batch, struct netns *netns, size_t *ret_tag, struct diag *d)
{
	int fd = nl_socket_get_fd(netns->route);
	struct refusal refusal = {0};
	size_t first = 0, count;
	int r = 0;

	while (r == 0 && refusal.error == 0 && first < batch->count) {
		count = stretch(batch, first);
		r = send_stretch(batch, fd, first, count);
		if (r < 0)
			diag_system(d, -r, "cannot send a netlink request");
		else
			r = collect(fd, first + count - 1, &refusal, d);
		if (r < 0) /* the whole stretch failed: its first message stands for it */
			*ret_tag = batch->entries[first].tag;
		first += count;
	}
	if (refusal.error) {
		*ret_tag = batch->entries[refusal.entry].tag;
		r = -refusal.error;
	}
	batch->length = 0;
	batch->count = 0;
	return r;
}
