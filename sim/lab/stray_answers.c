/* SPDX-License-Identifier: MIT */
/*
 * How a stray SYN is answered six seconds later (RFC 5382 REQ-4)
 *
 * Rules cannot wait. So they drop such a SYN and tell of it (NFLOG, group
 * RULESET_STRAY_GROUP), and this is who listens, in the router's namespace:
 *
 *     SYN --> rules: note, log, drop       log socket --> queue --- silence ---> noted still?
 *     own SYN --> rules: forget the note                                           |
 *     <------- ICMP port unreachable, from the address that was addressed ---------+
 *
 * The alternative, to let the rules answer a repetition after six seconds, leaves those without
 * an answer who do not repeat, or not then.
 *
 * Whether an own SYN crossed say the rules, which saw it: conntrack, which could be asked, forgets
 * a connection as soon as its first answer is a reset.
 *
 * What comes faster than it is read is lost in the socket, and what is more than the queue holds
 * is not queued: the answer is a courtesy (SHOULD), the silence is not.
 */
#include "lab/stray_answers.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/icmp.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "lab/lab.h"
#include "lab/stray_queue.h"
#include "nft-rules/ruleset.h"
#include "nft-rules/stray.h"

enum { MESSAGES_AT_ONCE = 64, MESSAGE_BYTES = 4096 };

struct stray_answers {
	struct netns *netns;
	const struct nat *nat;
	bool pool;
	int epoll, log, timer, icmp;
	struct stray_queue queue;
};

/* One packet is told at once, and no more of it than is quoted. */
static int send_subscription(int log)
{
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	_Alignas(struct nlmsghdr) char buffer[256] = {0}; /* libmnl leaves gaps */
	struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
	struct nfgenmsg *group = mnl_nlmsg_put_extra_header(header, sizeof(*group));
	struct nfulnl_msg_config_cmd bind = {.command = NFULNL_CFG_CMD_BIND};
	struct nfulnl_msg_config_mode mode = {.copy_range = htonl(STRAY_QUOTE_MAX),
					      .copy_mode = NFULNL_COPY_PACKET};

	header->nlmsg_type = NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_CONFIG;
	header->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	group->version = NFNETLINK_V0;
	group->res_id = htons(RULESET_STRAY_GROUP);
	mnl_attr_put(header, NFULA_CFG_CMD, sizeof(bind), &bind);
	mnl_attr_put(header, NFULA_CFG_MODE, sizeof(mode), &mode);
	mnl_attr_put_u32(header, NFULA_CFG_QTHRESH, htonl(1));
	if (sendto(log, header, header->nlmsg_len, 0, (struct sockaddr *)&kernel, sizeof(kernel)) <
	    0)
		return -errno;
	return 0;
}

/* The kernel answers before sendto() returns. */
static int subscribe(int log)
{
	_Alignas(struct nlmsghdr) char buffer[MESSAGE_BYTES];
	int r = send_subscription(log);
	ssize_t n;

	if (r < 0)
		return r;
	n = recv(log, buffer, sizeof(buffer), 0);
	if (n < 0 || mnl_cb_run(buffer, (size_t)n, 0, 0, NULL, NULL) < 0)
		return -errno;
	return 0;
}

static int open_log(struct stray_answers *answers, struct diag *d)
{
	struct sockaddr_nl own = {.nl_family = AF_NETLINK};
	int r;

	answers->log = netns_socket(answers->netns, AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK,
				    NETLINK_NETFILTER);
	r = answers->log;
	if (r >= 0)
		r = bind(r, (struct sockaddr *)&own, sizeof(own)) < 0 ? -errno : subscribe(r);
	if (r < 0) {
		diag_system(d, -r, "cannot hear of stray SYNs");
		diag_help(d, "unsolicited: delayed-icmp needs CONFIG_NETFILTER_NETLINK_LOG: try "
			     "modprobe nfnetlink_log");
	}
	return r;
}

/* It only sends. */
static int open_icmp(struct stray_answers *answers)
{
	const struct icmp_filter nothing = {.data = UINT32_MAX};

	answers->icmp =
		netns_socket(answers->netns, AF_INET, SOCK_RAW | SOCK_NONBLOCK, IPPROTO_ICMP);
	if (answers->icmp < 0)
		return answers->icmp;
	return setsockopt(answers->icmp, SOL_RAW, ICMP_FILTER, &nothing, sizeof(nothing)) < 0
		       ? -errno
		       : 0;
}

static int watch(const struct stray_answers *answers, int fd)
{
	struct epoll_event event = {.events = EPOLLIN};

	return epoll_ctl(answers->epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int open_all(struct stray_answers *answers, struct diag *d)
{
	int r = open_log(answers, d);

	if (r < 0)
		return r;
	r = open_icmp(answers);
	if (r == 0) {
		answers->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
		answers->epoll = epoll_create1(EPOLL_CLOEXEC);
		r = answers->timer < 0 || answers->epoll < 0 ? -errno : 0;
	}
	if (r == 0)
		r = watch(answers, answers->log);
	if (r == 0)
		r = watch(answers, answers->timer);
	return r < 0 ? diag_system(d, -r, "cannot answer stray SYNs") : 0;
}

int stray_answers_new(struct netns *netns, const struct nat *nat, bool pool,
		      struct stray_answers **ret, struct diag *d)
{
	CLEANUP(stray_answers_free_cleanup)
	struct stray_answers *answers = calloc(1, sizeof(*answers));
	int r;

	if (!answers)
		return -ENOMEM;
	answers->netns = netns;
	answers->nat = nat;
	answers->pool = pool;
	answers->epoll = answers->log = answers->timer = answers->icmp = -1;
	answers->queue.silence = nat_stray_silence(nat) * UINT64_C(1000000);
	r = open_all(answers, d);
	if (r < 0)
		return r;
	*ret = STEAL(answers);
	return 0;
}

static void close_one(int fd)
{
	if (fd >= 0)
		close(fd);
}

void stray_answers_free(struct stray_answers *answers)
{
	if (!answers)
		return;
	close_one(answers->epoll);
	close_one(answers->log);
	close_one(answers->timer);
	close_one(answers->icmp);
	free(answers);
}

int stray_answers_fd(const struct stray_answers *answers)
{
	return answers->epoll;
}

static int note_attribute(const struct nlattr *attribute, void *data)
{
	struct stray_queue *queue = data;

	if (mnl_attr_get_type(attribute) == NFULA_PAYLOAD)
		stray_queue_add(queue, mnl_attr_get_payload(attribute),
				mnl_attr_get_payload_len(attribute), lab_clock());
	return MNL_CB_OK;
}

static int note_packet(const struct nlmsghdr *header, void *data)
{
	if (header->nlmsg_type != (NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET))
		return MNL_CB_OK;
	return mnl_attr_parse(header, sizeof(struct nfgenmsg), note_attribute, data);
}

/* A flood has its turn next time. */
static int hear(struct stray_answers *answers)
{
	_Alignas(struct nlmsghdr) char buffer[MESSAGE_BYTES];
	ssize_t n;
	int i;

	for (i = 0; i < MESSAGES_AT_ONCE; i++) {
		n = recv(answers->log, buffer, sizeof(buffer), 0);
		if (n >= 0)
			mnl_cb_run(buffer, (size_t)n, 0, 0, note_packet, &answers->queue);
		else if (errno == EAGAIN)
			return 0;
		else if (errno != EINTR && errno != ENOBUFS) /* some were lost */
			return -errno;
	}
	return 0;
}

/* What cannot be sent, for want of a route or by the router's own rules, was not to be heard. */
static void answer(struct stray_answers *answers, const struct stray_syn *syn)
{
	struct sockaddr_storage to;
	struct iovec bytes;
	union {
		char room[CMSG_SPACE(sizeof(struct in_pktinfo))];
		struct cmsghdr alignment;
	} control = {0};
	struct msghdr message = {.msg_name = &to,
				 .msg_iov = &bytes,
				 .msg_iovlen = 1,
				 .msg_control = control.room,
				 .msg_controllen = sizeof(control.room)};
	struct cmsghdr *part = CMSG_FIRSTHDR(&message);
	const struct in_pktinfo source = {.ipi_spec_dst.s_addr = addr_to_ipv4(&syn->at.addr)};
	const struct endpoint host = {.addr = syn->from.addr};
	uint8_t error[STRAY_ERROR_MAX];

	part->cmsg_level = IPPROTO_IP;
	part->cmsg_type = IP_PKTINFO;
	part->cmsg_len = CMSG_LEN(sizeof(source));
	memcpy(CMSG_DATA(part), &source, sizeof(source));
	message.msg_namelen = endpoint_to_sockaddr(&host, &to);
	bytes = (struct iovec){error, stray_error(syn, error)};
	(void)sendmsg(answers->icmp, &message, 0);
}

/* An expiration that was set before is forgotten, and so is the descriptor's readiness. */
static int arm(const struct stray_answers *answers)
{
	uint64_t due = stray_queue_due(&answers->queue);
	struct itimerspec when = {0};

	if (due != UINT64_MAX) {
		when.it_value.tv_sec = (time_t)(due / 1000000000);
		when.it_value.tv_nsec = (long)(due % 1000000000);
	}
	return timerfd_settime(answers->timer, TFD_TIMER_ABSTIME, &when, NULL) < 0 ? -errno : 0;
}

int stray_answers_attend(struct stray_answers *answers)
{
	struct mnl_socket *socket;
	struct stray_syn syn;
	int r = hear(answers);

	if (r == 0)
		r = netns_netfilter(answers->netns, &socket, NULL);
	if (r < 0)
		return r;
	while (stray_queue_take(&answers->queue, lab_clock(), &syn)) {
		r = stray_waits(answers->nat, answers->pool, socket, &syn.from, &syn.at);
		if (r < 0)
			return r;
		if (r > 0)
			answer(answers, &syn);
	}
	return arm(answers);
}
