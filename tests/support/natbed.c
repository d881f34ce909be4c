/* SPDX-License-Identifier: MIT */
#include "support/natbed.h"

#include <criterion/criterion.h>
#include <libmnl/libmnl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "kern/address.h"
#include "kern/batch.h"
#include "kern/link.h"
#include "kern/route.h"
#include "lab/stray_answers.h"
#include "nft-rules/ruleset.h"
#include "support/must_run.h"

enum { LAN = LINK_FIRST_FREE, WAN = LINK_FIRST_FREE + 1, HOST = LINK_FIRST_FREE };

#define PILOT_INSIDE "192.168.1.60"
#define PILOT_OUTSIDE "9.9.9.12"
#define PILOT_ID 65000

/* Show the story of a failure before the test ends with it. */
static void need(int r, struct diag *d, const char *what)
{
	if (r < 0)
		diag_print(d, stderr, false);
	cr_assert(r >= 0, "the test bed cannot %s: %s", what, strerror(-r));
	diag_clear(d);
}

struct nat bed_nat(const char *name)
{
	const struct nat_named *found = nat_find(name);

	cr_assert(found, "no NAT is called %s", name);
	return found->nat;
}

struct addr bed_addr(const char *text)
{
	struct addr addr;

	cr_assert(addr_parse(text, &addr), "%s is not an address", text);
	return addr;
}

struct endpoint bed_endpoint(const char *text)
{
	struct endpoint endpoint;

	cr_assert(endpoint_parse(text, &endpoint), "%s is not an endpoint", text);
	return endpoint;
}

bool bed_same(const struct endpoint *a, const struct endpoint *b)
{
	return endpoint_equal(a, b);
}

static void add_addresses(struct batch *batch, const char *base, unsigned int first,
			  unsigned int count, uint8_t length)
{
	struct prefix prefix = {.len = length};
	char text[ADDR_TEXT_MAX];
	unsigned int i;

	for (i = 0; i < count; i++) {
		snprintf(text, sizeof(text), "%s.%u", base, first + i);
		prefix.addr = bed_addr(text);
		cr_assert(address_add(batch, 0, HOST, &prefix) == 0);
	}
}

static void add_default(struct batch *batch, const char *via, int index)
{
	struct route route = {.to.addr.family = AF_INET, .via = bed_addr(via), .index = index};

	cr_assert(route_add(batch, 0, &route) == 0);
}

static void commit(struct batch *batch, struct netns *netns)
{
	AUTO_DIAG struct diag d = {0};
	size_t tag;

	need(batch_commit(batch, netns, &tag, &d), &d, "set up its links");
}

static void connect_side(struct natbed *bed, enum bed_side side, const char *near_name, int index,
			 const char *router_address, uint8_t length)
{
	CLEANUP(batch_free_cleanup) struct batch *batch = NULL;
	struct link_end near = {.index = index}, far = {.name = "eth0", .index = HOST};
	struct prefix prefix = {.addr = bed_addr(router_address), .len = length};

	snprintf(near.name, sizeof(near.name), "%s", near_name);
	cr_assert(batch_new(&batch) == 0);
	cr_assert(link_add_veth(batch, 0, &near, 0, &far, bed->side[side]->fd) == 0);
	cr_assert(address_add(batch, 0, index, &prefix) == 0);
	commit(batch, bed->side[BED_ROUTER]);
}

static struct addr external_address(size_t number)
{
	const struct addr first = bed_addr(BED_EXTERNAL);

	return addr_from_ipv4(htonl(ntohl(addr_to_ipv4(&first)) + (uint32_t)number));
}

static void add_pool(struct natbed *bed, size_t count)
{
	CLEANUP(batch_free_cleanup) struct batch *batch = NULL;
	struct prefix prefix = {.len = 32};
	size_t i;

	cr_assert(batch_new(&batch) == 0);
	for (i = 1; i < count; i++) {
		prefix.addr = external_address(i);
		cr_assert(address_add(batch, 0, WAN, &prefix) == 0);
	}
	commit(batch, bed->side[BED_ROUTER]);
}

static void set_up_links(struct natbed *bed)
{
	CLEANUP(batch_free_cleanup) struct batch *batch = NULL;

	connect_side(bed, BED_INSIDE, "home", LAN, "192.168.1.254", 24);
	connect_side(bed, BED_OUTSIDE, "internet", WAN, BED_EXTERNAL, 32);

	cr_assert(batch_new(&batch) == 0);
	cr_assert(link_set_up(batch, 0, LINK_LOOPBACK) == 0);
	cr_assert(link_set_up(batch, 0, HOST) == 0);
	add_addresses(batch, "192.168.1", 1, BED_INSIDE_HOSTS, 24);
	add_default(batch, "192.168.1.254", HOST);
	commit(batch, bed->side[BED_INSIDE]);

	cr_assert(link_set_up(batch, 0, LINK_LOOPBACK) == 0);
	cr_assert(link_set_up(batch, 0, HOST) == 0);
	add_addresses(batch, "9.9.9", 9, BED_OUTSIDE_HOSTS, 32);
	add_default(batch, BED_EXTERNAL, HOST);
	commit(batch, bed->side[BED_OUTSIDE]);

	cr_assert(link_set_up(batch, 0, LINK_LOOPBACK) == 0);
	add_default(batch, "9.9.9.9", WAN);
	commit(batch, bed->side[BED_ROUTER]);
}

static void set_up_nat(struct natbed *bed, const struct nat *nat, size_t count)
{
	struct addr externals[NAT_POOL_MAX];
	struct nat_router router = {.nat = nat,
				    .outside = "internet",
				    .externals = externals,
				    .external_count = count,
				    .wordless = true};
	CLEANUP(ruleset_free_cleanup) struct ruleset *ruleset = NULL;
	struct nat_sysctl sysctls[NAT_SYSCTLS_MAX];
	AUTO_DIAG struct diag d = {0};
	struct mnl_socket *socket;
	size_t i;

	for (i = 0; i < count; i++)
		externals[i] = external_address(i);
	need(ruleset_build(&router, &ruleset, &d), &d, "build the rules");
	need(netns_netfilter(bed->side[BED_ROUTER], &socket, &d), &d, "reach netfilter");
	need(ruleset_apply(ruleset, socket, &d), &d, "install the rules");
	count = nat_sysctls(nat, sysctls);
	for (i = 0; i < count; i++)
		need(netns_sysctl(bed->side[BED_ROUTER], sysctls[i].key, sysctls[i].value), &d,
		     sysctls[i].key);
	need(netns_sysctl(bed->side[BED_ROUTER], "net/ipv4/ip_forward", "1"), &d, "forward");
	/* As in a lab. */
	need(netns_sysctl(bed->side[BED_ROUTER], "net/netfilter/nf_conntrack_acct", "1"), &d,
	     "count packets");
	if (nat->unsolicited == UNSOLICITED_DELAYED)
		need(stray_answers_new(bed->side[BED_ROUTER], nat, router.external_count > 1,
				       &bed->strays, &d),
		     &d, "hear of stray SYNs");
}

/* On one processor the kernel handles packets in the order in which they were sent. */
static void pin(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((size_t)sched_getcpu(), &set);
	cr_assert(sched_setaffinity(0, sizeof(set), &set) == 0);
}

void natbed_unpin(void)
{
	cpu_set_t set;
	size_t i;

	CPU_ZERO(&set);
	for (i = 0; i < CPU_SETSIZE; i++)
		CPU_SET(i, &set);
	cr_assert(sched_setaffinity(0, sizeof(set), &set) == 0);
}

uint64_t bed_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void bed_wait_until(uint64_t moment)
{
	uint64_t now;

	while ((now = bed_now()) < moment)
		poll(NULL, 0, (int)(moment - now));
}

bool bed_readable(int fd, uint64_t deadline)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	uint64_t now = bed_now();

	return poll(&p, 1, now < deadline ? (int)(deadline - now) : 0) > 0;
}

/* A new link drops what it is given until the kernel has, in its own time, seen its carrier. */
static void wait_for_links(struct natbed *bed)
{
	uint64_t deadline = bed_now() + BED_DEADLINE_MS;
	struct bed_echo echo;

	while (bed_now() < deadline) {
		bed_send_echo(bed->pilot, PILOT_OUTSIDE, BED_ECHO_REQUEST, PILOT_ID, ++bed->pilots);
		if (bed_readable(bed->pilot, bed_now() + 1) &&
		    bed_find_echo(bed->pilot, BED_ECHO_REPLY, bed->pilots, &echo))
			return;
	}
	cr_assert_fail("the links do not come up within %d ms", BED_DEADLINE_MS);
}

struct natbed natbed_open(const struct nat *nat)
{
	return natbed_open_pool(nat, 1);
}

struct natbed natbed_open_pool(const struct nat *nat, size_t count)
{
	AUTO_DIAG struct diag d = {0};
	struct natbed bed = {.pilot = -1};
	int side;

	SKIP_UNLESS(geteuid() == 0, "needs root, or: unshare -Urn THIS_TEST");
	pin();
	for (side = 0; side < BED_SIDES; side++)
		need(netns_new(&bed.side[side], &d), &d, "create a namespace");
	set_up_links(&bed);
	if (count > 1)
		add_pool(&bed, count);
	/* The kernel limits the ICMP it sends; a test that expects an error must get it. */
	need(netns_sysctl(bed.side[BED_INSIDE], "net/ipv4/icmp_ratelimit", "0"), &d, "set ICMP");
	need(netns_sysctl(bed.side[BED_OUTSIDE], "net/ipv4/icmp_ratelimit", "0"), &d, "set ICMP");
	/* Its hosts live in one namespace, and one may hear of another by its own address. */
	need(netns_sysctl(bed.side[BED_INSIDE], "net/ipv4/conf/all/accept_local", "1"), &d,
	     "accept local sources");
	need(netns_sysctl(bed.side[BED_ROUTER], "net/ipv4/icmp_ratelimit", "0"), &d, "set ICMP");
	set_up_nat(&bed, nat, count);
	bed.pilot = bed_icmp(&bed, BED_INSIDE, PILOT_INSIDE);
	wait_for_links(&bed);
	return bed;
}

void natbed_close(struct natbed *bed)
{
	int side;

	if (bed->pilot >= 0)
		close(bed->pilot);
	stray_answers_free(bed->strays);
	for (side = 0; side < BED_SIDES; side++)
		netns_free(bed->side[side]);
}

static void attend(struct natbed *bed)
{
	if (bed->strays)
		cr_assert(stray_answers_attend(bed->strays) == 0);
}

void natbed_settle(struct natbed *bed)
{
	uint16_t number = ++bed->pilots;
	struct bed_echo echo;

	attend(bed);
	bed_send_echo(bed->pilot, PILOT_OUTSIDE, BED_ECHO_REQUEST, PILOT_ID, number);
	echo = bed_receive_echo(bed->pilot, BED_ECHO_REPLY, number);
	cr_assert(echo.id == PILOT_ID, "the pilot came back with another id");
	attend(bed);
}

int bed_await_fate(struct natbed *bed, int fd, unsigned int timeout_ms)
{
	struct pollfd fds[] = {
		{.fd = fd, .events = POLLOUT},
		{.fd = bed->strays ? stray_answers_fd(bed->strays) : -1, .events = POLLIN},
	};
	uint64_t deadline = bed_now() + timeout_ms;
	socklen_t size = sizeof(int);
	int error = 0;

	while (!fds[0].revents) {
		cr_assert(bed_now() < deadline, "nothing within %u ms", timeout_ms);
		poll(fds, 2, (int)(deadline - bed_now()));
		if (fds[1].revents)
			attend(bed);
	}
	cr_assert(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0);
	return error;
}
