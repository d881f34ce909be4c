/* SPDX-License-Identifier: MIT */
/* A server's TCP side on real sockets, over the loopback of a namespace of its own. */
#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <sys/ioctl.h>

#include "agents/net/clock.h"
#include "agents/net/tcp.h"
#include "agents/net/tcp_server.h"
#include "agents/stun/integrity.h"
#include "agents/stun/stream.h"
#include "support/in_netns.h"

static const struct endpoint any_local = {.addr = {AF_INET, {127, 0, 0, 1}}};

static int loopback_up(void)
{
	AUTO_CLOSE int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};

	return fd < 0 ? -1 : ioctl(fd, SIOCSIFFLAGS, &request);
}

static size_t write_request(uint8_t *buffer, uint8_t number, size_t padding)
{
	const uint8_t id[STUN_ID_SIZE] = {0x21, 0x12, 0xa4, 0x42, number};
	struct stun_builder builder;

	stun_begin(&builder, buffer, TCP_SERVER_MESSAGE_MAX, STUN_REQUEST, STUN_BINDING, id);
	stun_put_zeros(&builder, STUN_PADDING, padding);
	return stun_end(&builder);
}

/* Says back what came. */
static void echo(void *context, struct tcp_server *server, const struct tcp_client *client,
		 const struct stun_message *message, uint64_t now)
{
	unsigned int *count = context;

	(void)now;
	++*count;
	(void)tcp_server_send(server, client, message->bytes, message->length);
}

struct bench {
	struct tcp_server *server;
	struct endpoint at;
	unsigned int count;
	uint64_t now;
};

static int bench_up(struct bench *bench, size_t connections)
{
	struct tcp_server_config config = {
		.connections = connections, .idle = 10 * SEC, .receive = echo, .context = bench};
	AUTO_DIAG struct diag d = {0};

	bench->now = 1000 * SEC;
	config.context = &bench->count;
	if (loopback_up() < 0 || tcp_server_new(&config, &bench->server, &d) < 0 ||
	    tcp_server_listen(bench->server, &any_local, &bench->at, &d) != 0)
		return -1;
	return 0;
}

/* Let the server do what it has to do until nothing is left: loopback delivers at once. */
static void settle(struct bench *bench)
{
	struct pollfd polled = {.fd = tcp_server_fd(bench->server), .events = POLLIN};

	while (poll(&polled, 1, 0) > 0)
		tcp_server_serve(bench->server, bench->now);
}

static int dial(struct bench *bench)
{
	int fd = tcp_open(&any_local, NULL, NULL);

	if (fd < 0 || (tcp_connect(fd, &bench->at) != 0 && tcp_result(fd, NULL) != 0))
		return -1;
	settle(bench);
	return fd;
}

/* What has come: bytes, 0 at the end of the stream, or -errno. */
static ssize_t hear(int fd)
{
	uint8_t buffer[4096];

	return tcp_receive(fd, buffer, sizeof(buffer));
}

static int requests_are_answered_however_they_are_cut(void)
{
	struct bench bench = {0};
	uint8_t bytes[TCP_SERVER_MESSAGE_MAX];
	size_t length, i;
	int fd;

	EXPECT(bench_up(&bench, 4) == 0, "a server on the loopback");
	fd = dial(&bench);
	EXPECT(fd >= 0 && tcp_server_connections(bench.server) == 1, "a connection");
	length = write_request(bytes, 1, 16);
	length += write_request(bytes + length, 2, 0);
	for (i = 0; i < length; i++) {
		EXPECT(tcp_send(fd, bytes + i, 1) == 1, "byte %zu", i);
		settle(&bench);
	}
	EXPECT(bench.count == 2, "%u messages arrived", bench.count);
	EXPECT(hear(fd) == (ssize_t)length, "both came back");
	close(fd);
	settle(&bench);
	EXPECT(tcp_server_connections(bench.server) == 0, "it knows that the client has gone");
	tcp_server_free(bench.server);
	return 0;
}

static int garbage_ends_the_connection(void)
{
	struct bench bench = {0};
	int fd;

	EXPECT(bench_up(&bench, 4) == 0, "a server on the loopback");
	fd = dial(&bench);
	EXPECT(tcp_send(fd, "GET / HTTP/1.1\r\n", 16) == 16, "something else");
	settle(&bench);
	EXPECT(tcp_server_connections(bench.server) == 0, "closed");
	EXPECT(hear(fd) <= 0, "without a word");
	close(fd);
	tcp_server_free(bench.server);
	return 0;
}

static int the_most_silent_gives_way(void)
{
	struct bench bench = {0};
	uint8_t bytes[64];
	size_t length = write_request(bytes, 1, 0);
	int fds[4];
	size_t i;

	EXPECT(bench_up(&bench, 3) == 0, "a server on the loopback");
	for (i = 0; i < 3; i++)
		fds[i] = dial(&bench);
	EXPECT(tcp_send(fds[0], bytes, length) == (ssize_t)length, "the first speaks");
	settle(&bench);
	fds[3] = dial(&bench);
	EXPECT(tcp_server_connections(bench.server) == 3, "no more than were allowed");
	EXPECT(hear(fds[0]) == (ssize_t)length, "who spoke was answered");
	EXPECT(hear(fds[0]) == -EAGAIN, "and stays");
	EXPECT(hear(fds[1]) == 0, "who was silent for the longest is closed");
	EXPECT(hear(fds[2]) == -EAGAIN && hear(fds[3]) == -EAGAIN, "the others stay");
	for (i = 0; i < 4; i++)
		close(fds[i]);
	tcp_server_free(bench.server);
	return 0;
}

/* Bytes that never become a message do not keep a connection. */
static int what_says_nothing_whole_is_closed_in_time(void)
{
	struct bench bench = {0};
	uint8_t bytes[64];
	size_t length = write_request(bytes, 1, 0), i;
	int talks, trickles;

	EXPECT(bench_up(&bench, 4) == 0, "a server on the loopback");
	talks = dial(&bench);
	trickles = dial(&bench);
	for (i = 0; i < 9; i++) {
		bench.now += SEC;
		EXPECT(tcp_send(trickles, bytes + i, 1) == 1, "a byte");
		EXPECT(tcp_send(talks, bytes, length) == (ssize_t)length, "a request");
		settle(&bench);
	}
	EXPECT(tcp_server_expire(bench.server, bench.now) == 1010 * SEC, "the trickling one first");
	bench.now = 1010 * SEC;
	EXPECT(tcp_server_expire(bench.server, bench.now) == 1019 * SEC, "then the other");
	EXPECT(tcp_server_connections(bench.server) == 1, "one is left");
	EXPECT(hear(trickles) <= 0, "the trickling one was closed");
	close(talks);
	close(trickles);
	tcp_server_free(bench.server);
	return 0;
}

/* A client that asks and never reads: it is not read from any more, and others are served. */
static int who_does_not_read_stops_itself(void)
{
	struct bench bench = {0};
	uint8_t bytes[TCP_SERVER_MESSAGE_MAX];
	size_t length = write_request(bytes, 1, 1900);
	int deaf, other, stuck = 0;
	unsigned int before, sent = 0;
	ssize_t n;

	EXPECT(bench_up(&bench, 4) == 0, "a server on the loopback");
	deaf = dial(&bench);
	other = dial(&bench);
	/* In bursts, until neither the server takes more nor the socket. */
	while (stuck < 2) {
		n = tcp_send(deaf, bytes, length);
		EXPECT(n > 0 || n == -EAGAIN, "the connection broke: %zd", n);
		if (n > 0 && n < (ssize_t)length)
			break; /* in the middle of one: what follows would be garbage */
		stuck = n == -EAGAIN ? stuck + 1 : 0;
		if (++sent % 4 == 0 || stuck > 0)
			settle(&bench);
	}
	settle(&bench);
	before = bench.count;
	EXPECT(tcp_send(other, bytes, length) == (ssize_t)length, "another client asks");
	settle(&bench);
	EXPECT(bench.count == before + 1, "%u messages more", bench.count - before);
	EXPECT(hear(other) == (ssize_t)length, "and is answered");
	EXPECT(tcp_server_connections(bench.server) == 2, "the deaf one is still there");
	while (hear(deaf) > 0)
		settle(&bench);
	EXPECT(bench.count > before + 1, "having read, it is served again");
	close(deaf);
	close(other);
	tcp_server_free(bench.server);
	return 0;
}

/* A listener and connections of one port, and what becomes of a connect(). */
static int one_port_serves_a_listener_and_connections(void)
{
	struct endpoint here = any_local, from, nobody = {.addr = any_local.addr, .port = 1};
	struct tcp_refusal refusal = {0};
	struct bench bench = {0};
	int listener, out, in, refused;

	EXPECT(bench_up(&bench, 4) == 0, "a server on the loopback");
	listener = tcp_listen(&here, &here, NULL);
	out = tcp_open(&here, NULL, NULL);
	EXPECT(listener >= 0 && out >= 0, "two sockets with port %u", here.port);
	EXPECT(tcp_connect(out, &bench.at) == -EINPROGRESS && tcp_result(out, NULL) == 0,
	       "one connects");
	in = dial(&(struct bench){.server = bench.server, .at = here});
	EXPECT(in >= 0 && tcp_accept(listener, &from) >= 0, "the other accepts meanwhile");
	refused = tcp_open(&here, NULL, NULL);
	(void)tcp_connect(refused, &nobody);
	EXPECT(tcp_result(refused, &refusal) == -ECONNREFUSED && refusal.error == ECONNREFUSED &&
		       !refusal.icmp,
	       "a reset is told as one");
	tcp_server_free(bench.server);
	return 0;
}

Test(tcp_server, requests_are_answered_however_they_are_cut)
{
	in_netns(requests_are_answered_however_they_are_cut);
}

Test(tcp_server, garbage_ends_the_connection)
{
	in_netns(garbage_ends_the_connection);
}

Test(tcp_server, the_most_silent_gives_way)
{
	in_netns(the_most_silent_gives_way);
}

Test(tcp_server, what_says_nothing_whole_is_closed_in_time)
{
	in_netns(what_says_nothing_whole_is_closed_in_time);
}

Test(tcp_server, who_does_not_read_stops_itself)
{
	in_netns(who_does_not_read_stops_itself);
}

Test(tcp, one_port_serves_a_listener_and_connections)
{
	in_netns(one_port_serves_a_listener_and_connections);
}
