/* SPDX-License-Identifier: MIT */
/*
 * How a ruleset reaches the kernel
 *
 * Everything is one nf_tables batch in one datagram: the kernel makes it visible as a
 * whole or not at all. Each message has a sequence number of its own, so a refusal,
 * which quotes the number and mostly a sentence of its own, is put down to the set,
 * chain or rule that it was about. Only the last message asks for an acknowledgement.
 * The kernel works while we are in sendmsg(): when that returns, all the answers lie
 * in the socket, so there is nothing to wait for.
 */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <libnftnl/set.h>
#include <libnftnl/table.h>
#include <libnftnl/udata.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "nft-rules/custom.h"
#include "nft-rules/interfaces.h"
#include "nft-rules/ir.h"

/* Only after the C library's <netinet/in.h>, whose types it defines too. */
#include <linux/netfilter.h>

enum {
	/* More than any ruleset takes (a test holds it). */
	BATCH_BYTES = 1 << 20,
	/* A socket sends so much at once without being asked to have more room. */
	ROOM_BYTES = 128 << 10,
	MESSAGE_BYTES_MAX = 4 << 10,
	CLEAN_BYTES = 16 << 10, /* it is made of whole ones */
	ANSWER_BYTES = 16 << 10,
};

struct batch {
	char *buffer;
	size_t length, clean; /* bytes of messages, and of zeros for more */
	uint32_t first, next; /* sequence numbers */
	uint8_t family;       /* of the table */
	int error;
	struct nlmsghdr *last; /* the newest message */
};

/* What pads an attribute is sent as it is: let there be zeros for one more message. */
static void clean(struct batch *batch)
{
	if (batch->length + MESSAGE_BYTES_MAX <= batch->clean)
		return;
	memset(batch->buffer + batch->clean, 0, CLEAN_BYTES);
	batch->clean += CLEAN_BYTES;
}

/* Room for one more message; NULL, and batch->error set, when there is none. */
static struct nlmsghdr *message_begin(struct batch *batch, uint16_t type, uint16_t flags)
{
	if (!batch->error && batch->length + MESSAGE_BYTES_MAX > BATCH_BYTES)
		batch->error = -EMSGSIZE;
	if (batch->error)
		return NULL;
	clean(batch);
	batch->last = nftnl_nlmsg_build_hdr(batch->buffer + batch->length, type, batch->family,
					    flags, batch->next);
	return batch->last;
}

static void message_end(struct batch *batch, const struct nlmsghdr *message)
{
	batch->length += NLMSG_ALIGN(message->nlmsg_len);
	batch->next++;
}

/* A comment as nft keeps it. The buffer is the caller's, to free once the object is sent. */
static struct nftnl_udata_buf *comment_new(struct batch *batch, uint8_t type, const char *comment)
{
	struct nftnl_udata_buf *udata;

	if (!comment[0] || batch->error)
		return NULL;
	udata = nftnl_udata_buf_alloc(NFTNL_UDATA_COMMENT_MAXLEN + 16);
	if (!udata)
		batch->error = -ENOMEM;
	else if (!nftnl_udata_put_strz(udata, type, comment))
		batch->error = -ENAMETOOLONG;
	return udata;
}

static void comment_free(struct nftnl_udata_buf *udata)
{
	if (udata)
		nftnl_udata_buf_free(udata);
}

static void put_table(struct batch *batch)
{
	struct nftnl_table *table = nftnl_table_alloc();
	struct nlmsghdr *message;

	if (!table || nftnl_table_set_str(table, NFTNL_TABLE_NAME, IR_TABLE) < 0)
		batch->error = -ENOMEM;
	message = message_begin(batch, NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL);
	if (message) {
		nftnl_table_nlmsg_build_payload(message, table);
		message_end(batch, message);
	}
	if (table)
		nftnl_table_free(table);
}

static int fill_set(struct nftnl_set *nl, const struct set *set, const struct batch *batch)
{
	uint32_t flags = set->fixed ? 0 : NFT_SET_TIMEOUT | NFT_SET_EVAL;

	if (set->data.count)
		flags |= NFT_SET_MAP;
	if (nftnl_set_set_str(nl, NFTNL_SET_TABLE, IR_TABLE) < 0 ||
	    nftnl_set_set_str(nl, NFTNL_SET_NAME, set->name) < 0)
		return -ENOMEM;
	nftnl_set_set_u32(nl, NFTNL_SET_FAMILY, batch->family);
	nftnl_set_set_u32(nl, NFTNL_SET_ID, batch->next);
	nftnl_set_set_u32(nl, NFTNL_SET_FLAGS, flags);
	nftnl_set_set_u32(nl, NFTNL_SET_KEY_TYPE, ir_type_number(&set->key));
	nftnl_set_set_u32(nl, NFTNL_SET_KEY_LEN, ir_type_length(&set->key));
	if (set->data.count) {
		nftnl_set_set_u32(nl, NFTNL_SET_DATA_TYPE, ir_type_number(&set->data));
		nftnl_set_set_u32(nl, NFTNL_SET_DATA_LEN, ir_type_length(&set->data));
	}
	return 0;
}

/*
 * No size: the kernel then makes the hash table small, lets it grow, and stops at
 * 65535 elements (nft_dynset_init()). A size would be allocated at once, a megabyte a set.
 */
static void put_set(struct batch *batch, const struct set *set)
{
	struct nftnl_set *nl = nftnl_set_alloc();
	struct nftnl_udata_buf *comment = comment_new(batch, NFTNL_UDATA_SET_COMMENT, set->comment);
	const uint32_t host_order = 1; /* nft's BYTEORDER_HOST_ENDIAN */
	struct nlmsghdr *message;

	/* nft shows a number's bytes in the order it is told of here. */
	if (comment && set->key.fields[0] == TYPE_NUMBER &&
	    !nftnl_udata_put_u32(comment, NFTNL_UDATA_SET_KEYBYTEORDER, host_order))
		batch->error = -ENAMETOOLONG;
	if (!nl || fill_set(nl, set, batch) < 0)
		batch->error = -ENOMEM;
	if (nl && comment)
		nftnl_set_set_data(nl, NFTNL_SET_USERDATA, nftnl_udata_buf_data(comment),
				   nftnl_udata_buf_len(comment));
	message = message_begin(batch, NFT_MSG_NEWSET, NLM_F_CREATE | NLM_F_EXCL);
	if (message) {
		nftnl_set_nlmsg_build_payload(message, nl);
		message_end(batch, message);
	}
	comment_free(comment);
	if (nl)
		nftnl_set_free(nl);
}

static int fill_element(struct nftnl_set_elem *nl, const struct set *set,
			const struct element *element)
{
	if (nftnl_set_elem_set(nl, NFTNL_SET_ELEM_KEY, element->key, ir_type_length(&set->key)) < 0)
		return -ENOMEM;
	if (set->data.count && nftnl_set_elem_set(nl, NFTNL_SET_ELEM_DATA, element->data,
						  ir_type_length(&set->data)) < 0)
		return -ENOMEM;
	return 0;
}

static void put_elements(struct batch *batch, const struct set *set)
{
	struct nftnl_set *nl = nftnl_set_alloc();
	struct nftnl_set_elem *element;
	struct nlmsghdr *message;
	size_t i;

	if (!nl || nftnl_set_set_str(nl, NFTNL_SET_TABLE, IR_TABLE) < 0 ||
	    nftnl_set_set_str(nl, NFTNL_SET_NAME, set->name) < 0)
		batch->error = -ENOMEM;
	for (i = 0; i < set->element_count && !batch->error; i++) {
		element = nftnl_set_elem_alloc();
		if (!element) {
			batch->error = -ENOMEM;
			break;
		}
		nftnl_set_elem_add(nl, element);
		batch->error = fill_element(element, set, &set->elements[i]);
	}
	message = message_begin(batch, NFT_MSG_NEWSETELEM, NLM_F_CREATE | NLM_F_EXCL);
	if (message) {
		nftnl_set_elems_nlmsg_build_payload(message, nl);
		message_end(batch, message);
	}
	if (nl)
		nftnl_set_free(nl);
}

static int fill_chain(struct nftnl_chain *nl, const struct chain *chain)
{
	if (nftnl_chain_set_str(nl, NFTNL_CHAIN_TABLE, IR_TABLE) < 0 ||
	    nftnl_chain_set_str(nl, NFTNL_CHAIN_NAME, chain->name) < 0)
		return -ENOMEM;
	if (!chain->hook)
		return 0;
	nftnl_chain_set_u32(nl, NFTNL_CHAIN_HOOKNUM, chain->hook->number);
	nftnl_chain_set_s32(nl, NFTNL_CHAIN_PRIO, chain->hook->priority);
	nftnl_chain_set_u32(nl, NFTNL_CHAIN_POLICY, NF_ACCEPT);
	return nftnl_chain_set_str(nl, NFTNL_CHAIN_TYPE, chain->hook->type);
}

static void put_chain(struct batch *batch, const struct chain *chain)
{
	struct nftnl_chain *nl = nftnl_chain_alloc();
	struct nftnl_udata_buf *comment =
		comment_new(batch, NFTNL_UDATA_CHAIN_COMMENT, chain->comment);
	struct nlmsghdr *message;

	if (!nl || fill_chain(nl, chain) < 0)
		batch->error = -ENOMEM;
	if (nl && comment)
		nftnl_chain_set_data(nl, NFTNL_CHAIN_USERDATA, nftnl_udata_buf_data(comment),
				     nftnl_udata_buf_len(comment));
	message = message_begin(batch, NFT_MSG_NEWCHAIN, NLM_F_CREATE | NLM_F_EXCL);
	if (message) {
		nftnl_chain_nlmsg_build_payload(message, nl);
		message_end(batch, message);
	}
	comment_free(comment);
	if (nl)
		nftnl_chain_free(nl);
}

static void put_rule(struct batch *batch, const struct chain *chain, const struct rule *rule)
{
	struct nftnl_udata_buf *comment =
		comment_new(batch, NFTNL_UDATA_RULE_COMMENT, rule->comment);
	struct nftnl_rule *nl = rule->rule;
	struct nlmsghdr *message;

	if (nftnl_rule_set_str(nl, NFTNL_RULE_TABLE, IR_TABLE) < 0 ||
	    nftnl_rule_set_str(nl, NFTNL_RULE_CHAIN, chain->name) < 0)
		batch->error = -ENOMEM;
	if (comment)
		nftnl_rule_set_data(nl, NFTNL_RULE_USERDATA, nftnl_udata_buf_data(comment),
				    nftnl_udata_buf_len(comment));
	message = message_begin(batch, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);
	if (message) {
		nftnl_rule_nlmsg_build_payload(message, nl);
		message_end(batch, message);
	}
	comment_free(comment);
}

static void put_all(struct batch *batch, const struct ruleset *ruleset)
{
	size_t i, j;

	clean(batch);
	nftnl_batch_begin(batch->buffer, batch->next++);
	batch->length = NLMSG_ALIGN(((struct nlmsghdr *)batch->buffer)->nlmsg_len);
	put_table(batch);
	for (i = 0; i < ruleset->set_count; i++)
		put_set(batch, &ruleset->sets[i]);
	for (i = 0; i < ruleset->chain_count; i++)
		put_chain(batch, &ruleset->chains[i]);
	for (i = 0; i < ruleset->chain_count; i++)
		for (j = 0; j < ruleset->chains[i].rule_count; j++)
			put_rule(batch, &ruleset->chains[i], &ruleset->chains[i].rules[j]);
	for (i = 0; i < ruleset->set_count; i++)
		if (ruleset->sets[i].element_count)
			put_elements(batch, &ruleset->sets[i]);
	if (batch->error)
		return;
	/* BATCH_END answers only since Linux 6.10. */
	batch->last->nlmsg_flags |= NLM_F_ACK;
	nftnl_batch_end(batch->buffer + batch->length, batch->next);
	batch->length +=
		NLMSG_ALIGN(((struct nlmsghdr *)(batch->buffer + batch->length))->nlmsg_len);
}

static const char *first_words(const struct rule *rule)
{
	return rule->statement_count > 0 ? rule->statements[0] : "without a comment";
}

/* Put the object of message number @index (the batch's begin is 0) before the newest words of @d.
 */
static void name_object(const struct ruleset *ruleset, size_t index, struct diag *d)
{
	const struct chain *chain;
	const struct rule *rule;
	size_t i;

	if (index < 2) {
		diag_while(d, "while adding the nftables table " IR_TABLE);
		return;
	}
	index -= 2;
	if (index < ruleset->set_count) {
		diag_while(d, "while adding the nftables set %s (%s)", ruleset->sets[index].name,
			   ruleset->sets[index].comment);
		return;
	}
	index -= ruleset->set_count;
	if (index < ruleset->chain_count) {
		diag_while(d, "while adding the nftables chain %s", ruleset->chains[index].name);
		return;
	}
	index -= ruleset->chain_count;
	for (i = 0; i < ruleset->chain_count; i++) {
		chain = &ruleset->chains[i];
		if (index < chain->rule_count) {
			rule = &chain->rules[index];
			diag_while(d, "while adding rule %zu of chain %s (%s)", index + 1,
				   chain->name,
				   rule->comment[0] ? rule->comment : first_words(rule));
			return;
		}
		index -= chain->rule_count;
	}
}

/* The kernel's sentence, where it has one (NETLINK_EXT_ACK). */
static int find_sentence(const struct nlattr *attribute, void *data)
{
	if (mnl_attr_get_type(attribute) == NLMSGERR_ATTR_MSG)
		*(const char **)data = mnl_attr_get_str(attribute);
	return MNL_CB_OK;
}

static const char *kernel_sentence(const struct nlmsghdr *answer)
{
	const struct nlmsgerr *error = mnl_nlmsg_get_payload(answer);
	size_t offset = sizeof(*error);
	const char *sentence = NULL;

	if (!(answer->nlmsg_flags & NLM_F_ACK_TLVS))
		return NULL;
	if (!(answer->nlmsg_flags & NLM_F_CAPPED))
		offset += error->msg.nlmsg_len - sizeof(error->msg);
	if (mnl_nlmsg_get_payload_len(answer) > offset)
		mnl_attr_parse(answer, (unsigned int)offset, find_sentence, &sentence);
	return sentence;
}

static void refuse(const struct ruleset *ruleset, const struct batch *batch,
		   const struct nlmsghdr *answer, int error, struct diag *d)
{
	const char *sentence = kernel_sentence(answer);

	if (sentence)
		diag_system(d, error, "%s", sentence);
	else
		diag_system(d, error, "the kernel refuses");
	name_object(ruleset, answer->nlmsg_seq - batch->first, d);
	if (error == EPERM)
		diag_help(d, "programming nftables needs root in the router's namespace");
	else if (error == ENOENT || error == EOPNOTSUPP)
		diag_help(d, "this kernel may lack an nftables module: CONFIG_NF_TABLES_IPV4, "
			     "NFT_CT, NFT_NAT, NFT_MASQ, NFT_NUMGEN");
}

/* One answer. Sets *ret_done when the batch's last message was acknowledged. */
static int take_answer(const struct ruleset *ruleset, const struct batch *batch,
		       const struct nlmsghdr *answer, bool *ret_done, struct diag *d)
{
	const struct nlmsgerr *error = mnl_nlmsg_get_payload(answer);

	if (answer->nlmsg_type != NLMSG_ERROR ||
	    answer->nlmsg_seq - batch->first > batch->next - batch->first)
		return 0; /* somebody else's */
	if (error->error == 0) {
		*ret_done = true;
		return 0;
	}
	refuse(ruleset, batch, answer, -error->error, d);
	return error->error;
}

static int take_answers(const struct ruleset *ruleset, const struct batch *batch,
			struct mnl_socket *socket, struct diag *d)
{
	char buffer[ANSWER_BYTES] __attribute__((aligned(NLMSG_ALIGNTO)));
	const struct nlmsghdr *answer;
	bool done = false;
	ssize_t length;
	int left, r = 0;

	while (!done || r < 0) {
		length = recv(mnl_socket_get_fd(socket), buffer, sizeof(buffer), MSG_DONTWAIT);
		if (length < 0 && errno == EINTR)
			continue;
		if (length < 0)
			break;
		left = (int)length;
		for (answer = (struct nlmsghdr *)buffer; mnl_nlmsg_ok(answer, left);
		     answer = mnl_nlmsg_next(answer, &left))
			if (r == 0)
				r = take_answer(ruleset, batch, answer, &done, d);
	}
	if (r == 0 && !done)
		return diag_system(d, errno == EAGAIN ? EIO : errno,
				   "the kernel does not acknowledge the nftables rules");
	return r;
}

/* A large batch is more than a socket takes by default (net.core.wmem_default). */
static int make_room(struct mnl_socket *socket, size_t length)
{
	const int room = 2 * BATCH_BYTES;

	if (length <= ROOM_BYTES)
		return 0;
	return setsockopt(mnl_socket_get_fd(socket), SOL_SOCKET, SO_SNDBUFFORCE, &room,
			  sizeof(room));
}

static int apply_batch(const struct ruleset *ruleset, struct mnl_socket *socket, struct diag *d)
{
	struct batch batch = {
		.buffer = malloc(BATCH_BYTES),
		.family = ruleset->inet ? NFPROTO_INET : NFPROTO_IPV4,
	};
	struct timespec now;
	int r;

	if (!batch.buffer)
		return -ENOMEM;
	/* Any number will do that tells this batch's answers from an earlier one's. */
	clock_gettime(CLOCK_MONOTONIC, &now);
	batch.first = batch.next = (uint32_t)now.tv_nsec;
	if (interfaces_number(ruleset, mnl_socket_get_fd(socket)) < 0)
		batch.error = -ENOMEM;
	put_all(&batch, ruleset);
	r = batch.error;
	if (r < 0)
		diag_system(d, -r, "while writing the nftables batch");
	else if (make_room(socket, batch.length) < 0)
		r = diag_system(d, errno, "cannot make room for the nftables batch");
	else if (mnl_socket_sendto(socket, batch.buffer, batch.length) < 0)
		r = diag_system(d, errno, "cannot send the nftables batch");
	else
		r = take_answers(ruleset, &batch, socket, d);
	free(batch.buffer);
	return r;
}

int ruleset_apply(const struct ruleset *ruleset, struct mnl_socket *socket, struct diag *d)
{
	if (ruleset->rules)
		return custom_apply(ruleset->rules, socket, d);
	return apply_batch(ruleset, socket, d);
}
