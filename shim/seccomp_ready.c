/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/seccomp_ready.h"

#include <linux/filter.h>
#include <sha256.h>
#include <stdbool.h>
#include <string.h>

#include "shim/spec.h"

static const uint8_t magic[8] = {'s', 'b', 'x', 'b', 'p', 'f', ' ', '1'};

static void add_bytes(SHA2_CTX *sha, const void *data, size_t size)
{
	const uint64_t n = htole64(size);

	SHA256Update(sha, (const uint8_t *)&n, sizeof(n));
	SHA256Update(sha, data, size);
}

static void add_string(SHA2_CTX *sha, const char *s)
{
	add_bytes(sha, s ? s : "", s ? strlen(s) : 0);
}

static void add_number(SHA2_CTX *sha, const struct json_uint *number)
{
	const uint64_t parts[] = {htole64(number->set), htole64(number->v)};

	add_bytes(sha, parts, sizeof(parts));
}

/* Where a list begins, so that no two profiles are the same bytes in a row. */
static void begin_list(SHA2_CTX *sha, const struct json_array *list)
{
	const uint64_t n = htole64(list->n);

	add_bytes(sha, &n, sizeof(n));
}

static void add_strings(SHA2_CTX *sha, const struct json_array *list)
{
	const char *const *strings = list->items;

	begin_list(sha, list);
	for (size_t i = 0; i < list->n; i++)
		add_string(sha, strings[i]);
}

static void add_rule(SHA2_CTX *sha, const struct spec_syscall *rule)
{
	const struct spec_seccomp_arg *args = rule->args.items;

	add_strings(sha, &rule->names);
	add_string(sha, rule->action);
	add_number(sha, &rule->errno_ret);
	begin_list(sha, &rule->args);
	for (size_t i = 0; i < rule->args.n; i++) {
		add_number(sha, &args[i].index);
		add_number(sha, &args[i].value);
		add_number(sha, &args[i].value_two);
		add_string(sha, args[i].op);
	}
}

void seccomp_ready_header(const struct spec_seccomp *profile, uint8_t ret[SECCOMP_READY_HEADER])
{
	const struct spec_syscall *rules = profile->syscalls.items;
	SHA2_CTX sha;

	SHA256Init(&sha);
	add_string(&sha, profile->default_action);
	add_number(&sha, &profile->default_errno_ret);
	add_strings(&sha, &profile->architectures);
	add_strings(&sha, &profile->flags);
	begin_list(&sha, &profile->syscalls);
	for (size_t i = 0; i < profile->syscalls.n; i++)
		add_rule(&sha, &rules[i]);
	memcpy(ret, magic, sizeof(magic));
	SHA256Final(ret + sizeof(magic), &sha);
}

struct bytes seccomp_ready_find(struct bytes file, const struct spec_seccomp *profile)
{
	const uint8_t *header = bytes_take(&file, SECCOMP_READY_HEADER);
	uint8_t wanted[SECCOMP_READY_HEADER];

	if (!header || memcmp(header, magic, sizeof(magic)) != 0 || !bytes_left(&file) ||
	    bytes_left(&file) % sizeof(struct sock_filter) != 0)
		return bytes_of(NULL, 0);
	seccomp_ready_header(profile, wanted);
	if (memcmp(header, wanted, sizeof(wanted)) != 0)
		return bytes_of(NULL, 0);
	return bytes_of(header + SECCOMP_READY_HEADER, bytes_left(&file));
}
