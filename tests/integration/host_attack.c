/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The attempts of attack.h in no jail at all: most must reach what they are after, or they would prove
 * nothing when they do not.
 *
 *	host_attack		those that do no harm
 *	host_attack count	how many there are, and how many only the list of system calls stands against
 *	host_attack name N	the name of attempt N, and "jail" or "list"
 *	host_attack targets	makes what there is to find, prints it as NAME=VALUE, and waits for its end
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <mqueue.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/io.h"
#include "common/log.h"
#include "tests/integration/attack.h"

static void listen_tcp(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) < 0 || listen(fd, 8) < 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &size) < 0)
		fatal("tcp: %m");
	printf("SBX_ATTACK_PORT=%u\n", ntohs(address.sin_port));
}

static void listen_unix(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	size_t n;

	snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1, "sbx-attack-%d", getpid());
	n = strlen(address.sun_path + 1);
	if (fd < 0 ||
	    bind(fd, (struct sockaddr *)&address,
		 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + n)) < 0 ||
	    listen(fd, 8) < 0)
		fatal("abstract socket: %m");
	printf("SBX_ATTACK_ABSTRACT=%s\n", address.sun_path + 1);
}

/* DIR: of another sandbox's sockets. */
static void make_targets(const char *dir)
{
	char queue[32];
	int shm = shmget(getpid(), 4096, IPC_CREAT | 0666), sem, fd;

	sem = semget(getpid(), 1, IPC_CREAT | 0666);
	snprintf(queue, sizeof(queue), "/sbx-attack-%d", getpid());
	if (shm < 0 || sem < 0 || mq_open(queue, O_RDWR | O_CREAT, 0666, NULL) == (mqd_t)-1)
		fatal("IPC: %m");
	if (sock_listen_at(-1, "vsock_1024", 8, &fd) < 0)
		fatal("vsock_1024: %m");
	listen_tcp();
	listen_unix();
	printf("SBX_ATTACK_KEY=%d\nSBX_ATTACK_QUEUE=%s\nSBX_ATTACK_PID=%d\nSBX_ATTACK_OTHER=%s\n",
	       getpid(), queue, getpid(), dir);
	fflush(stdout);
	while (getchar() != EOF)
		;
	shmctl(shm, IPC_RMID, NULL);
	semctl(sem, 0, IPC_RMID);
	mq_unlink(queue);
}

static void count(void)
{
	size_t by_list = 0;

	for (size_t i = 0; i < attack_count(); i++)
		by_list += attack_at(i)->flags & ATTACK_BY_LIST;
	printf("%zu %zu\n", attack_count(), by_list);
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "count") == 0) {
		count();
		return 0;
	}
	if (argc == 3 && strcmp(argv[1], "name") == 0) {
		size_t i = strtoul(argv[2], NULL, 10);

		if (i >= attack_count())
			return 1;
		printf("%s %s\n", attack_at(i)->flags & ATTACK_BY_LIST ? "list" : "jail",
		       attack_at(i)->name);
		return 0;
	}
	if (argc == 3 && strcmp(argv[1], "targets") == 0) {
		make_targets(argv[2]);
		return 0;
	}
	for (size_t i = 0; i < attack_count(); i++)
		if (!(attack_at(i)->flags & ATTACK_BREAKS))
			attack_run(i, STDOUT_FILENO);
	return 0;
}
