/* SPDX-License-Identifier: Apache-2.0 */
/* The families of fs_cases about two processes at one thing: locks, and who comes first. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fs_cases.h"

static long lock(int fd, int cmd, short type, off_t start, off_t len)
{
	struct flock fl = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len};

	return fcntl(fd, cmd, &fl);
}

/* What another process gets while this one holds what it holds. */
static void other_process(const char *what, int how, short type, off_t start, off_t len)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		int fd = open("f", O_RDWR);

		if (how == 0)
			say(what, "%s", result(lock(fd, F_SETLK, type, start, len)));
		else if (how == 1)
			say(what, "%s", result(lock(fd, F_OFD_SETLK, type, start, len)));
		else
			say(what, "%s", result(flock(fd, type | LOCK_NB)));
		fflush(stdout);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

void test_locks(void)
{
	static const short types[] = {F_RDLCK, F_WRLCK};
	static const char *const names[] = {"read", "write"};
	char what[100];

	make_file("f", "0123456789");
	for (int mine = 0; mine < 2; mine++)
		for (int theirs = 0; theirs < 2; theirs++)
			for (int how = 0; how < 2; how++) {
				int fd = open("f", O_RDWR);
				int cmd = how ? F_OFD_SETLK : F_SETLK;

				snprintf(what, sizeof(what), "%s lock %s against %s",
					 how ? "OFD" : "POSIX", names[theirs], names[mine]);
				say(what, "mine %s", result(lock(fd, cmd, types[mine], 0, 5)));
				other_process(what, how, types[theirs], 0, 5);
				other_process(what, how, types[theirs], 5, 5);
				other_process(what, how, types[theirs], 4, 0);
				lock(fd, cmd, F_UNLCK, 0, 0);
				other_process(what, how, types[theirs], 0, 0);
				close(fd);
			}
	for (int mine = 0; mine < 2; mine++)
		for (int theirs = 0; theirs < 2; theirs++) {
			static const short flocks[] = {LOCK_SH, LOCK_EX};
			int fd = open("f", O_RDWR);

			snprintf(what, sizeof(what), "flock %s against %s", names[theirs],
				 names[mine]);
			say(what, "mine %s", result(flock(fd, flocks[mine])));
			other_process(what, 2, flocks[theirs], 0, 0);
			flock(fd, LOCK_UN);
			other_process(what, 2, flocks[theirs], 0, 0);
			close(fd);
		}
}

/* --- races ----------------------------------------------------------------------------------- */

/* Two processes at one thing: of each pair of attempts one succeeds, whoever it is. */
static int race(long (*fn)(int i), int rounds)
{
	int pipes[2], won = 0, mine = 0, theirs = 0;
	pid_t pid;

	if (pipe(pipes) < 0)
		return -1;
	fflush(stdout);
	pid = fork();
	for (int i = 0; i < rounds; i++)
		won += fn(i) >= 0;
	if (pid == 0) {
		write(pipes[1], &won, sizeof(won));
		_exit(0);
	}
	mine = won;
	if (read(pipes[0], &theirs, sizeof(theirs)) != sizeof(theirs))
		return -1;
	waitpid(pid, NULL, 0);
	close(pipes[0]);
	close(pipes[1]);
	return mine + theirs;
}

static long race_create(int i)
{
	char name[32];
	int fd;

	snprintf(name, sizeof(name), "c%d", i);
	fd = open(name, O_CREAT | O_EXCL | O_WRONLY, 0644);
	return fd < 0 ? fd : close(fd);
}

static long race_unlink(int i)
{
	char name[32];

	snprintf(name, sizeof(name), "c%d", i);
	return unlink(name);
}

static long race_mkdir(int i)
{
	char name[32];

	snprintf(name, sizeof(name), "d%d", i);
	return mkdir(name, 0755);
}

static long race_rename(int i)
{
	char name[32];

	snprintf(name, sizeof(name), "d%d", i);
	return rename(name, "moved") < 0 ? -1 : rmdir("moved");
}

static long race_append(int i)
{
	int fd = open("log", O_CREAT | O_WRONLY | O_APPEND, 0644);
	long r = fd < 0 ? fd : write(fd, "0123456789", 10);

	close(fd);
	return r;
}

void test_races(void)
{
	struct stat st = {0};

	say("create", "%d of 200", race(race_create, 200));
	say("unlink", "%d of 200", race(race_unlink, 200));
	say("mkdir", "%d of 200", race(race_mkdir, 200));
	say("rename and rmdir", "%d at most", race(race_rename, 200) <= 400);
	say("append", "%d of 400", race(race_append, 200));
	stat("log", &st);
	say("nothing of it is lost", "%ld", (long)st.st_size);
}
