/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/caps.h"

#include <ctype.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>

#include "common/cleanup.h"

#define CAP_BITS 64

int caps_parse(char *const *names, size_t n, uint64_t *ret, struct err *err)
{
	uint64_t mask = 0;

	for (size_t i = 0; i < n; i++) {
		char lower[32];
		size_t len = strlen(names[i]);
		cap_value_t value;

		/* libcap takes bare numbers too, and stops at what cannot be in a name. */
		if (len >= sizeof(lower) || strncmp(names[i], "CAP_", 4) != 0 ||
		    strspn(names[i], "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") != len)
			return err_set(err, EINVAL, "no such capability: %.64s", names[i]);
		for (size_t k = 0; k <= len; k++)
			lower[k] = (char)tolower((unsigned char)names[i][k]);
		if (cap_from_name(lower, &value) < 0 || value < 0 || value >= CAP_BITS)
			return err_set(err, EINVAL, "no such capability: %s", names[i]);
		mask |= 1ull << value;
	}
	*ret = mask;
	return 0;
}

int caps_drop_bounding(uint64_t keep)
{
	for (int cap = 0; cap < CAP_BITS; cap++) {
		int is_set = prctl(PR_CAPBSET_READ, cap, 0, 0, 0);

		/* Past the kernel's last capability. */
		if (is_set < 0)
			return 0;
		if (is_set && !(keep & (1ull << cap)) && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			return -errno;
	}
	return 0;
}

static int set_flag(cap_t state, cap_flag_t flag, uint64_t mask)
{
	for (cap_value_t cap = 0; cap < CAP_BITS; cap++) {
		if ((mask & (1ull << cap)) && cap_set_flag(state, flag, 1, &cap, CAP_SET) < 0)
			return -errno;
	}
	return 0;
}

int caps_apply(const struct caps *caps)
{
	cap_t state = cap_init();
	int r = 0;

	if (!state)
		return -ENOMEM;
	if (set_flag(state, CAP_EFFECTIVE, caps->effective) < 0 ||
	    set_flag(state, CAP_PERMITTED, caps->permitted) < 0 ||
	    set_flag(state, CAP_INHERITABLE, caps->inheritable) < 0)
		r = -EINVAL;
	else if (cap_set_proc(state) < 0)
		r = -errno;
	cap_free(state);
	if (r < 0)
		return r;
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return -errno;
	for (int cap = 0; cap < CAP_BITS; cap++) {
		if ((caps->ambient & (1ull << cap)) &&
		    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) < 0)
			return -errno;
	}
	return 0;
}

int caps_raise(int cap)
{
	cap_value_t value = cap;
	cap_t state = cap_get_proc();
	int r = 0;

	if (!state)
		return -errno;
	if (cap_set_flag(state, CAP_EFFECTIVE, 1, &value, CAP_SET) < 0 || cap_set_proc(state) < 0)
		r = -errno;
	cap_free(state);
	return r;
}
