/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host_rules FILE LIST... - what the counted programs (counted.c) have left in FILE, which is made where it
 * is not there. A line a rule of each named list: "hit N LIST: RULE"; where it let nothing through "unseen
 * LIST: RULE" or "qemu LIST: RULE", as its reason says (seccomp_compile.c), or "idle LIST: RULE"; and
 * "unlisted LIST: NUMBER".
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/integration/rules.h"

static void show(const struct rule_counts *counts, enum seccomp_list list)
{
	static const char *const words[] = {
		[RULE_SEEN] = "idle",
		[RULE_SEEN_BESIDE_QEMU] = "qemu",
		[RULE_UNSEEN] = "unseen",
	};
	const struct rule_list *rules = &rule_lists[list];

	for (unsigned i = 0; i < rules->n; i++) {
		const struct seccomp_rule *rule = &rules->rules[i];
		uint64_t n = counts->hits[list][i];

		if (n)
			printf("hit %" PRIu64 " %s: %s%s\n", n, rules->name, rule->text,
			       rule->seen == RULE_UNSEEN ? " (unseen, it says)" : "");
		else
			printf("%s %s: %s\n", words[rule->seen], rules->name, rule->text);
	}
	if (counts->unlisted[list])
		printf("unlisted %s: %" PRIu64 "\n", rules->name, counts->unlisted[list] - 1);
}

int main(int argc, char **argv)
{
	const struct rule_counts *counts;
	int fd = argc > 1 ? open(argv[1], O_RDWR | O_CREAT | O_CLOEXEC, 0666) : -1;

	if (fd < 0 || ftruncate(fd, sizeof(*counts)) < 0) {
		fprintf(stderr, "usage: host_rules FILE LIST...\n");
		return 2;
	}
	counts = mmap(NULL, sizeof(*counts), PROT_READ, MAP_SHARED, fd, 0);
	if (counts == MAP_FAILED)
		return 1;
	for (int i = 2; i < argc; i++)
		for (unsigned list = 0; list < SECCOMP_LISTS; list++)
			if (strcmp(argv[i], rule_lists[list].name) == 0)
				show(counts, list);
	return 0;
}
