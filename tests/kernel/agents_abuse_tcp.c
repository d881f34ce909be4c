/* SPDX-License-Identifier: MIT */
/* The servers' TCP side under more connections than they hold: half-open, silent, slow, junk. */
#include <criterion/criterion.h>
#include <signal.h>
#include <sys/resource.h>

#include "agents/rendezvous/protocol.h"
#include "support/siege.h"

/* A request that any of our servers answers over TCP, if only with an error. */
static size_t write_request(bool join, uint8_t *ret, size_t capacity)
{
	const uint8_t id[STUN_ID_SIZE] = {0x21, 0x12, 0xa4, 0x42, 7};
	struct join who = {.session = "s", .session_length = 1, .stage = JOIN_JOINED};
	struct stun_builder builder;

	if (join)
		return join_write(&who, id, ret, capacity);
	stun_begin(&builder, ret, capacity, STUN_REQUEST, STUN_BINDING, id);
	return stun_end(&builder);
}

struct siege {
	const char *program; /* a line for the shell, which ends in exec */
	uint16_t port;
	bool join;
	int connections; /* that are tried */
	int files_max;   /* that the server may have open */
	long memory_max_kib;
};

static int open_server(struct built *built, const struct siege *siege, struct child **ret)
{
	char script[256];

	snprintf(script, sizeof(script), AGENTS "%s", siege->program);
	EXPECT(spawn_shell(built, "server", script, ret) == 0, "no server");
	EXPECT(wait_for(built, *ret, "ready", 5000) == 0, "said %s%s", out(*ret), err(*ret));
	return 0;
}

static bool answers(struct built *built, const struct siege *siege)
{
	AUTO_CLOSE int fd = connected_to(built, "pc1", SOCK_STREAM, "9.9.9.9", siege->port);
	uint8_t request[1024], reply[512];
	size_t length = write_request(siege->join, request, sizeof(request));
	ssize_t n = fd < 0 ? -1 : exchange(fd, SOCK_STREAM, request, length, reply, sizeof(reply));
	struct stun_message message;

	return n > 0 && stun_parse(reply, (size_t)n, &message);
}

/* One more: silent, in the middle of a message, or with something else. */
static int besiege(struct built *built, const struct siege *siege, int number)
{
	int fd = connected_to(built, "open", SOCK_STREAM, "9.9.9.9", siege->port);
	uint8_t request[1024];
	size_t length = write_request(siege->join, request, sizeof(request));

	if (fd >= 0 && number % 3 == 1)
		(void)send(fd, request, length - 1 - (size_t)number % 10, MSG_NOSIGNAL);
	else if (fd >= 0 && number % 9 == 2)
		(void)send(fd, "GET / HTTP/1.1\r\n\r\n", 18, MSG_NOSIGNAL);
	return fd;
}

static int body_connections(void *data)
{
	static const struct siege table[] = {
		{"exec stun-server --primary 9.9.9.9", 3478, false, 1500, 1024 + 32, 8192},
		{"exec rendezvous --listen 9.9.9.9", 1024, true, 4500, 4096 + 32, 32768},
		/* Where few files may be open. */
		{"ulimit -n 64; exec rendezvous --listen 9.9.9.9 --port 1025", 1025, true, 200, 64,
		 8192},
	};
	struct rlimit limit;
	static int fds[5000];
	size_t which;

	(void)data;
	EXPECT(getrlimit(RLIMIT_NOFILE, &limit) == 0, "no limits");
	limit.rlim_cur = limit.rlim_max;
	EXPECT(setrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_max > 5000,
	       "only %lu files may be open", (unsigned long)limit.rlim_max);
	for (which = 0; which < sizeof(table) / sizeof(*table); which++) {
		const struct siege *siege = &table[which];
		AUTO_BUILT struct built built;
		struct child *server;
		unsigned long requests, replies;
		uint64_t deadline;
		int i, files;

		EXPECT(built_up(street, NULL, &built) == 0, "no lab");
		EXPECT(open_server(&built, siege, &server) == 0, "see above");
		files = files_of(server);
		for (i = 0; i < siege->connections; i++) {
			fds[i] = besiege(&built, siege, i);
			EXPECT(fds[i] >= 0, "%s: connection %d", siege->program, i);
			if (i % 500 == 499)
				EXPECT(answers(&built, siege), "%s: no answer among %d",
				       siege->program, i);
		}
		EXPECT(answers(&built, siege), "%s: no answer", siege->program);
		EXPECT(files_of(server) <= siege->files_max, "%s: %d files", siege->program,
		       files_of(server));
		EXPECT(memory_of(server) < siege->memory_max_kib, "%s: %ld KiB", siege->program,
		       memory_of(server));
		for (i = 0; i < siege->connections; i++)
			close(fds[i]);
		deadline = lab_clock() + 10000 * MS;
		while (files_of(server) > files + 1) {
			EXPECT(lab_clock() < deadline, "%s: %d files, once %d", siege->program,
			       files_of(server), files);
			EXPECT(answers(&built, siege), "%s: no answer", siege->program);
		}
		EXPECT(end_server(&built, server, &requests, &replies) == 0, "see above");
	}
	return 0;
}

Test(tcp, more_connections_than_there_is_room_for_keep_nobody_out, .timeout = 100)
{
	in_lab(body_connections, NULL);
}

/* Connections in @child's namespace of which it has seen the SYN only. */
static int half_open_of(const struct child *child)
{
	char path[64], line[256];
	unsigned int state;
	int count = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/net/tcp", child->pid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		count += sscanf(line, "%*d: %*s %*s %x", &state) == 1 && state == TCP_SYN_RECV;
	if (file)
		fclose(file);
	return count;
}

/* Connections that are begun and never completed, from addresses that nobody answers from. */
static int body_half_open(void *data)
{
	static const struct siege siege = {
		"exec rendezvous --listen 9.9.9.9", 1024, true, 6000, 32, 8192};
	const struct sockaddr_in to = address_of("9.9.9.9", 1024);
	AUTO_BUILT struct built built;
	AUTO_CLOSE int raw = -1;
	struct child *server;
	int i;

	(void)data;
	EXPECT(built_up(street, NULL, &built) == 0, "no lab");
	EXPECT(open_server(&built, &siege, &server) == 0, "see above");
	raw = socket_on(&built, "open", SOCK_RAW, IPPROTO_RAW);
	for (i = 0; i < siege.connections; i++) {
		struct sockaddr_in from = address_of("8.8.0.0", (uint16_t)(1024 + i));

		from.sin_addr.s_addr |= htonl((uint32_t)i);
		EXPECT(forge_syn(raw, &from, &to) == 0, "cannot forge");
	}
	EXPECT(half_open_of(server) > 1000, "%d half-open connections are no siege",
	       half_open_of(server));
	EXPECT(answers(&built, &siege), "no answer");
	EXPECT(files_of(server) <= siege.files_max, "%d files", files_of(server));
	return 0;
}

Test(tcp, half_open_connections_keep_nobody_out, .timeout = 60)
{
	in_lab(body_half_open, NULL);
}
