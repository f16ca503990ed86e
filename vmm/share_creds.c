/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose what is created is. A file gets its owner with its name: this thread takes the file system
 * ids of who asked, by which the kernel also does right by setgid directories and quotas, and keeps
 * the capabilities that a change of ids takes away, since the guest's kernel has judged the
 * permissions already and with groups that we do not know.
 */
#include <grp.h>
#include <linux/capability.h>
#include <sys/fsuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vmm/share_internal.h"

/* What setfsuid(2) takes and a creation may need: the way to the directory, device nodes, setgid. */
#define KEPT                                                                                       \
	(CAP_TO_MASK(CAP_DAC_OVERRIDE) | CAP_TO_MASK(CAP_DAC_READ_SEARCH) |                        \
	 CAP_TO_MASK(CAP_FOWNER) | CAP_TO_MASK(CAP_FSETID) | CAP_TO_MASK(CAP_MKNOD))

static int raise_kept(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data) < 0)
		return -errno;
	data[0].effective |= KEPT & data[0].permitted;
	return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

int share_creds_assume(const struct share *share, uint32_t uid, uint32_t gid)
{
	if (!share->privileged || (uid == share->uid && gid == share->gid))
		return 0;
	/* These two tell only what was before; an id that cannot be taken leaves the old one. */
	setfsgid(gid);
	setfsuid(uid);
	if ((uint32_t)setfsgid((gid_t)-1) != gid || (uint32_t)setfsuid((uid_t)-1) != uid) {
		share_creds_own();
		return -EPERM;
	}
	return uid ? raise_kept() : 0;
}

void share_creds_own(void)
{
	setfsuid(geteuid());
	setfsgid(getegid());
}
