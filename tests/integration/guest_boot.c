/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The /init of the VM monitor's boot test: says what it sees of the machine and, by its first
 * argument on the kernel's command line (after "--"), ends in one way or another.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <unistd.h>

static unsigned count_lines(const char *path, const char *prefix)
{
	char line[4096];
	unsigned n = 0;
	FILE *f = fopen(path, "re");

	while (f && fgets(line, sizeof(line), f))
		n += !strncmp(line, prefix, strlen(prefix));
	if (f)
		fclose(f);
	return n;
}

static unsigned long memory_kib(void)
{
	unsigned long kib = 0;
	FILE *f = fopen("/proc/meminfo", "re");

	if (f && fscanf(f, "MemTotal: %lu", &kib) != 1)
		kib = 0;
	if (f)
		fclose(f);
	return kib;
}

/* A page in every sixteenth megabyte must be writable and keep what it holds. */
static int touch(unsigned long mib)
{
	char *p = malloc(mib << 20);

	if (!p)
		return 0;
	for (unsigned long i = 0; i < mib; i += 16)
		memcpy(p + (i << 20), &i, sizeof(i));
	for (unsigned long i = 0; i < mib; i += 16)
		if (memcmp(p + (i << 20), &i, sizeof(i)) != 0)
			return 0;
	free(p);
	return 1;
}

/* vCPUs that the command line left parked (maxcpus=) come online when asked to. */
static void bring_cpus_online(void)
{
	char path[64];

	mkdir("/sys", 0755);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	for (unsigned i = 1; i < 64; i++) {
		FILE *f;

		snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%u/online", i);
		f = fopen(path, "we");
		if (!f)
			break;
		fputs("1", f);
		fclose(f);
	}
}

/* Memory that comes and goes; what came must hold what it is given. */
static void watch_memory(void)
{
	unsigned long begun = memory_kib(), last = 0;

	for (;;) {
		unsigned long now = memory_kib();

		if (now != last && now >= begun)
			printf("guest: plus %lu MiB, touched %d\n", (now - begun) >> 10,
			       touch((now >> 10) * 3 / 4));
		fflush(stdout);
		last = now;
		usleep(50000);
	}
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "";

	mkdir("/proc", 0755);
	mount("proc", "/proc", "proc", 0, NULL);
	if (!strcmp(mode, "online")) {
		printf("guest: at first %u\n", count_lines("/proc/cpuinfo", "processor"));
		bring_cpus_online();
	}
	printf("guest: cpus %u\n", count_lines("/proc/cpuinfo", "processor"));
	printf("guest: memory %lu MiB\n", memory_kib() >> 10);
	fflush(stdout);
	if (!strcmp(mode, "touch"))
		printf("guest: touched %d\n", touch((memory_kib() >> 10) * 3 / 4));
	if (!strcmp(mode, "grow"))
		watch_memory();
	if (!strcmp(mode, "flood"))
		for (unsigned i = 0; i < 120; i++)
			printf("guest: flood %08u %050u\n", i, i);
	if (!strcmp(mode, "tick"))
		for (unsigned i = 0;; i++) {
			printf("guest: tick %u\n", i);
			fflush(stdout);
			usleep(50000);
		}
	printf("guest: done\n");
	fflush(stdout);
	if (!strcmp(mode, "die"))
		return 1; /* the death of PID 1 is a panic */
	reboot(RB_AUTOBOOT);
	return 1;
}
