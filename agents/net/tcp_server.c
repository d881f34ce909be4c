/* SPDX-License-Identifier: MIT */
/*
 * How this works: connections live in a fixed array, found by a chained hash of who is at
 * the other end, and kept in a list ordered by when each last said something whole, so that
 * what is idle is always at its head. All links are indices, and memory of the array
 * that was never used is never touched.
 *
 * Nothing is done because epoll said so, only because a call on the socket succeeded:
 * handling one event may close the connection of another in the same batch, and give its
 * place to a new one. Then a late event finds nothing to read, and that is all.
 *
 * While output waits nothing is read: a client that asks but does not listen stops
 * itself, and costs one buffer.
 */
#include "agents/net/tcp_server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>

#include "agents/net/clock.h"
#include "agents/net/random.h"
#include "agents/net/tcp.h"
#include "agents/stun/stream.h"

#define NOBODY UINT32_MAX
enum {
	TURNS = 64, /* connections accepted, or messages read of one, before others have a turn */
	READY_MAX = 32,
	FILES_SPARED = 16, /* for everything else the process has open */
};

struct connection {
	int fd; /* meaningful while the connection is in the list */
	struct tcp_client client;
	uint64_t heard; /* accepted, or the last whole message */
	bool waits;     /* output waits for the socket */
	uint32_t chain; /* next of the same hash, or of the unused */
	uint32_t older, newer;
	struct stun_stream input;
	size_t output_sent, output_length;
	uint8_t in[TCP_SERVER_MESSAGE_MAX], out[TCP_SERVER_MESSAGE_MAX];
};

struct tcp_server {
	struct tcp_server_config config;
	int epoll;
	int listeners[TCP_SERVER_LISTENERS_MAX];
	size_t listener_count;
	struct connection *connections;
	uint32_t *buckets; /* as many as connections; index + 1, 0 for none */
	uint32_t unused, fresh, oldest, newest;
	size_t count;
	uint64_t seed; /* so that nobody outside can aim at one chain */
};

/* As many files as we may have, and no more connections than that. */
static void fit_files(struct tcp_server_config *config)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	if (limit.rlim_cur < config->connections + FILES_SPARED) {
		limit.rlim_cur = limit.rlim_max < config->connections + FILES_SPARED
					 ? limit.rlim_max
					 : config->connections + FILES_SPARED;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
		(void)getrlimit(RLIMIT_NOFILE, &limit);
	}
	if (limit.rlim_cur < config->connections + FILES_SPARED)
		config->connections =
			limit.rlim_cur > FILES_SPARED ? limit.rlim_cur - FILES_SPARED : 1;
}

int tcp_server_new(const struct tcp_server_config *config, struct tcp_server **ret, struct diag *d)
{
	CLEANUP(tcp_server_free_cleanup) struct tcp_server *server = calloc(1, sizeof(*server));

	if (!server)
		return diag_error(d, ENOMEM, "out of memory");
	server->config = *config;
	server->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (server->epoll < 0)
		return diag_system(d, errno, "cannot watch sockets");
	if (config->connections == 0 || config->connections >= NOBODY)
		return diag_error(d, EINVAL, "a server needs room for a connection");
	fit_files(&server->config);
	server->unused = server->oldest = server->newest = NOBODY;
	server->connections = calloc(server->config.connections, sizeof(*server->connections));
	server->buckets = calloc(server->config.connections, sizeof(*server->buckets));
	if (!server->connections || !server->buckets)
		return diag_error(d, ENOMEM, "out of memory");
	random_fill(&random_system, &server->seed, sizeof(server->seed));
	*ret = STEAL(server);
	return 0;
}

void tcp_server_free(struct tcp_server *server)
{
	uint32_t i;
	size_t k;

	if (!server)
		return;
	for (i = server->count ? server->oldest : NOBODY; i != NOBODY;
	     i = server->connections[i].newer)
		close(server->connections[i].fd);
	for (k = 0; k < server->listener_count; k++)
		close(server->listeners[k]);
	fd_cleanup(&server->epoll);
	free(server->connections);
	free(server->buckets);
	free(server);
}

int tcp_server_fd(const struct tcp_server *server)
{
	return server->epoll;
}

size_t tcp_server_connections(const struct tcp_server *server)
{
	return server->count;
}

/* What epoll gives back: listeners count down from the end, connections up from 0. */
static uint64_t listener_mark(size_t listener)
{
	return UINT64_MAX - listener;
}

int tcp_server_listen(struct tcp_server *server, const struct endpoint *local,
		      struct endpoint *ret_bound, struct diag *d)
{
	struct epoll_event event = {.events = EPOLLIN,
				    .data.u64 = listener_mark(server->listener_count)};
	AUTO_CLOSE int fd = -1;

	if (server->listener_count == TCP_SERVER_LISTENERS_MAX)
		return diag_error(d, ENOSPC, "a server has at most %d TCP listeners",
				  TCP_SERVER_LISTENERS_MAX);
	fd = tcp_listen(local, ret_bound, d);
	if (fd < 0)
		return fd;
	if (epoll_ctl(server->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		return diag_system(d, errno, "cannot watch a socket");
	server->listeners[server->listener_count] = STEAL_FD(fd);
	return (int)server->listener_count++;
}

/* ---- the table ---- */

static uint32_t index_of(const struct tcp_server *server, const struct connection *connection)
{
	return (uint32_t)(connection - server->connections);
}

static uint32_t *bucket_of(struct tcp_server *server, const struct tcp_client *client)
{
	uint64_t hash = server->seed ^ ((uint64_t)client->from.port << 8 | client->listener);
	size_t i;

	for (i = 0; i < sizeof(client->from.addr.bytes); i++) {
		hash = (hash ^ client->from.addr.bytes[i]) * UINT64_C(0x100000001b3); /* FNV-1a */
		hash ^= hash >> 29;
	}
	return &server->buckets[hash % server->config.connections];
}

static struct connection *find(struct tcp_server *server, const struct tcp_client *client)
{
	uint32_t next = *bucket_of(server, client);

	while (next != 0) {
		struct connection *connection = &server->connections[next - 1];

		if (connection->client.listener == client->listener &&
		    endpoint_equal(&connection->client.from, &client->from))
			return connection;
		next = connection->chain;
	}
	return NULL;
}

static void list_remove(struct tcp_server *server, struct connection *connection)
{
	if (connection->older == NOBODY)
		server->oldest = connection->newer;
	else
		server->connections[connection->older].newer = connection->newer;
	if (connection->newer == NOBODY)
		server->newest = connection->older;
	else
		server->connections[connection->newer].older = connection->older;
}

static void list_append(struct tcp_server *server, struct connection *connection)
{
	connection->older = server->newest;
	connection->newer = NOBODY;
	if (server->newest == NOBODY)
		server->oldest = index_of(server, connection);
	else
		server->connections[server->newest].newer = index_of(server, connection);
	server->newest = index_of(server, connection);
}

static void drop(struct tcp_server *server, struct connection *connection)
{
	uint32_t *link = bucket_of(server, &connection->client);

	while (*link != index_of(server, connection) + 1)
		link = &server->connections[*link - 1].chain;
	*link = connection->chain;
	list_remove(server, connection);
	close(connection->fd);
	connection->fd = -1;
	connection->chain = server->unused;
	server->unused = index_of(server, connection);
	server->count--;
}

/* A place for @client, freed by force if need be. */
static struct connection *add(struct tcp_server *server, const struct tcp_client *client)
{
	struct connection *connection = find(server, client);
	uint32_t index, *bucket;

	/* The other end would not reuse its port while it knew of the old one. */
	if (connection)
		drop(server, connection);
	if (server->count == server->config.connections)
		drop(server, &server->connections[server->oldest]);
	index = server->unused;
	if (index != NOBODY)
		server->unused = server->connections[index].chain;
	else
		index = server->fresh++;
	connection = &server->connections[index];
	connection->fd = -1;
	connection->client = *client;
	connection->waits = false;
	connection->output_sent = connection->output_length = 0;
	stun_stream_init(&connection->input, connection->in, sizeof(connection->in));
	bucket = bucket_of(server, client);
	connection->chain = *bucket;
	*bucket = index + 1;
	list_append(server, connection);
	server->count++;
	return connection;
}

uint64_t tcp_server_expire(struct tcp_server *server, uint64_t now)
{
	while (server->oldest != NOBODY) {
		struct connection *connection = &server->connections[server->oldest];

		if (connection->heard + server->config.idle > now)
			return connection->heard + server->config.idle;
		drop(server, connection);
	}
	return UINT64_MAX;
}

/* ---- output ---- */

static int watch(struct tcp_server *server, struct connection *connection, bool waits)
{
	struct epoll_event event = {.events = waits ? EPOLLOUT : EPOLLIN,
				    .data.u64 = index_of(server, connection)};

	if (waits == connection->waits)
		return 0;
	connection->waits = waits;
	return epoll_ctl(server->epoll, EPOLL_CTL_MOD, connection->fd, &event);
}

/* Send what waits, as far as the socket takes it. Returns 0 or -errno: the connection is dead. */
static int flush(struct tcp_server *server, struct connection *connection)
{
	while (connection->output_sent < connection->output_length) {
		ssize_t n = tcp_send(connection->fd, connection->out + connection->output_sent,
				     connection->output_length - connection->output_sent);

		if (n == -EAGAIN)
			break;
		if (n < 0)
			return (int)n;
		connection->output_sent += (size_t)n;
	}
	connection->output_length -= connection->output_sent;
	memmove(connection->out, connection->out + connection->output_sent,
		connection->output_length);
	connection->output_sent = 0;
	return watch(server, connection, connection->output_length > 0);
}

int tcp_server_send(struct tcp_server *server, const struct tcp_client *client, const void *bytes,
		    size_t length)
{
	struct connection *connection = find(server, client);

	if (!connection)
		return -ENOTCONN;
	if (length > sizeof(connection->out) - connection->output_length) {
		drop(server, connection);
		return -EMSGSIZE;
	}
	memcpy(connection->out + connection->output_length, bytes, length);
	connection->output_length += length;
	if (flush(server, connection) < 0) {
		drop(server, connection);
		return -ENOTCONN;
	}
	return 0;
}

/* ---- input ---- */

static void accept_all(struct tcp_server *server, size_t listener, uint64_t now)
{
	int turns = TURNS;

	while (turns-- > 0) {
		struct tcp_client client = {.listener = listener};
		AUTO_CLOSE int fd = tcp_accept(server->listeners[listener], &client.from);
		struct epoll_event event = {.events = EPOLLIN};
		struct connection *connection;

		/* The other end may have given up while it was waiting: the next, please. */
		if (fd == -ECONNABORTED || fd == -EPROTO || fd == -EINTR)
			continue;
		/* Others have used up the files: wait, but not in a circle. */
		if ((fd == -EMFILE || fd == -ENFILE) && server->count > 0)
			drop(server, &server->connections[server->oldest]);
		if (fd < 0)
			return;
		connection = add(server, &client);
		connection->heard = now;
		connection->fd = STEAL_FD(fd);
		event.data.u64 = index_of(server, connection);
		if (epoll_ctl(server->epoll, EPOLL_CTL_ADD, connection->fd, &event) < 0)
			drop(server, connection);
	}
}

/* Hand over the whole messages that are here; false when the connection is to be dropped. */
static bool take_messages(struct tcp_server *server, struct connection *connection, uint64_t now)
{
	const struct tcp_client client = connection->client;

	for (;;) {
		struct stun_message message;

		if (connection->waits)
			return true;
		switch (stun_stream_next(&connection->input, &message)) {
		case STREAM_MORE:
			return true;
		case STREAM_BROKEN:
			return false;
		case STREAM_MESSAGE:
			break;
		}
		connection->heard = now;
		list_remove(server, connection);
		list_append(server, connection);
		server->config.receive(server->config.context, server, &client, &message, now);
		/* The answer may have found it dead. */
		if (find(server, &client) != connection)
			return true;
	}
}

/* False when the connection is to be dropped. */
static bool read_some(struct tcp_server *server, struct connection *connection, uint64_t now)
{
	const struct tcp_client client = connection->client;
	int turns = TURNS;

	while (turns-- > 0 && !connection->waits) {
		size_t size;
		void *room = stun_stream_room(&connection->input, &size);
		ssize_t n = tcp_receive(connection->fd, room, size);

		if (n == -EAGAIN)
			return true;
		if (n <= 0)
			return false;
		stun_stream_added(&connection->input, (size_t)n);
		if (!take_messages(server, connection, now))
			return false;
		if (find(server, &client) != connection)
			return true;
	}
	return true;
}

static void serve_one(struct tcp_server *server, struct connection *connection, uint64_t now)
{
	const struct tcp_client client = connection->client;
	bool alive = connection->fd >= 0;

	if (!alive)
		return;
	if (connection->waits)
		alive = flush(server, connection) >= 0 && take_messages(server, connection, now);
	if (alive && find(server, &client) == connection)
		alive = read_some(server, connection, now);
	if (!alive)
		drop(server, connection);
}

void tcp_server_serve(struct tcp_server *server, uint64_t now)
{
	struct epoll_event ready[READY_MAX];
	int n = epoll_wait(server->epoll, ready, READY_MAX, 0);
	int i;

	for (i = 0; i < n; i++) {
		uint64_t mark = ready[i].data.u64;

		if (mark > UINT32_MAX)
			accept_all(server, (size_t)(UINT64_MAX - mark), now);
		else
			serve_one(server, &server->connections[mark], now);
	}
}
