/* SPDX-License-Identifier: Apache-2.0 */
/*
 * first: the program whose first action is timed; it prints its CLOCK_REALTIME in nanoseconds. As a
 * machine's /init it then ends the machine, or with an argument stays.
 */
#include <stdio.h>
#include <string.h>
#include <sys/reboot.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	printf("%lld%09ld\n", (long long)ts.tv_sec, ts.tv_nsec);
	fflush(stdout);
	while (argc > 1)
		pause();
	if (argc && strcmp(argv[0], "/init") == 0)
		reboot(RB_AUTOBOOT);
	return 0;
}
