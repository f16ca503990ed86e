// SPDX-License-Identifier: Apache-2.0
#include "vmm/x86_boot.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/kernel_image.h"
#include "vmm/x86_tables.h"

#define MIN(a, b)  ((a) < (b) ? (a) : (b))
#define SPARSE_MAX 65536 /* each 4 KiB of it will be an exit of its own */

/* Straight from the file into guest memory: nothing is copied twice. */
static int read_at(int fd, uint64_t offset, void *to, uint64_t size)
{
	uint8_t *p = to;

	while (size) {
		ssize_t n = pread(fd, p, MIN(size, 1ull << 30), offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -ENODATA;
		p += n;
		offset += n;
		size -= n;
	}
	return 0;
}

static int file_size(int fd, const char *what, uint64_t *ret, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_set_errno(err, errno, "%s", what);
	if (!S_ISREG(st.st_mode))
		return err_set(err, EINVAL, "%s: not a regular file", what);
	*ret = st.st_size;
	return 0;
}

static uint64_t overlap(const struct kernel_segment *seg, uint64_t begin, uint64_t end)
{
	uint64_t from = seg->gpa > begin ? seg->gpa : begin,
		 to = MIN(seg->gpa + seg->mem_size, end);

	return to > from ? to - from : 0;
}

/*
 * Linux aligns its parts to 2 MiB, and one of them is 6 KiB long. The host has huge pages for the guest;
 * here each would be 2 MiB of memory for a few that are touched.
 */
static void spare_gaps(const struct memory *mem, const struct kernel_image *image)
{
	const uint64_t mask = MEMORY_HUGE_PAGE - 1;
	uint64_t gpa = (image->segments[0].gpa + mask) & ~mask;

	for (; gpa + MEMORY_HUGE_PAGE <= image->end; gpa += MEMORY_HUGE_PAGE) {
		uint64_t used = 0;

		for (unsigned i = 0; i < image->n_segments; i++)
			used += overlap(&image->segments[i], gpa, gpa + MEMORY_HUGE_PAGE);
		if (used <= SPARSE_MAX)
			memory_expect_sparse(mem, gpa, MEMORY_HUGE_PAGE);
	}
}

static int load_kernel(const struct memory *mem, int fd, struct kernel_image *image,
		       struct err *err)
{
	uint8_t head[KERNEL_IMAGE_HEAD];
	uint64_t size = 0;
	int r;

	r = file_size(fd, "kernel", &size, err);
	if (r < 0)
		return r;
	r = read_at(fd, 0, head, MIN(size, sizeof(head)));
	if (r < 0)
		return err_set_errno(err, -r, "kernel: cannot read");
	r = kernel_image_parse(head, MIN(size, sizeof(head)), size, image, err);
	if (r < 0)
		return r;
	spare_gaps(mem, image);
	for (unsigned i = 0; i < image->n_segments; i++) {
		const struct kernel_segment *seg = &image->segments[i];
		/* Its zeros too: fresh guest memory holds nothing else. */
		void *to = memory_at(mem, seg->gpa, seg->mem_size);

		if (!to)
			return err_set(err, ENOMEM,
				       "kernel: needs memory up to %llu MiB, the guest has less",
				       (unsigned long long)(image->end >> 20) + 1);
		r = read_at(fd, seg->offset, to, seg->file_size);
		if (r < 0)
			return err_set_errno(err, -r, "kernel: cannot read");
	}
	return 0;
}

static int load_initrd(const struct memory *mem, int fd, const struct kernel_image *image,
		       struct x86_initrd *initrd, struct err *err)
{
	void *to;
	int r;

	*initrd = (struct x86_initrd){0};
	if (fd < 0)
		return 0;
	r = file_size(fd, "initrd", &initrd->size, err);
	if (r < 0)
		return r;
	if (!initrd->size)
		return err_set(err, EINVAL, "initrd: the file is empty");
	initrd->addr = x86_plan_initrd(mem, image, initrd->size);
	to = initrd->addr ? memory_at(mem, initrd->addr, initrd->size) : NULL;
	if (!to)
		return err_set(err, ENOMEM, "initrd: %llu bytes do not fit into the guest's memory",
			       (unsigned long long)initrd->size);
	r = read_at(fd, 0, to, initrd->size);
	return r < 0 ? err_set_errno(err, -r, "initrd: cannot read") : 0;
}

static int load_cmdline(const struct memory *mem, const char *cmdline,
			const struct kernel_image *image, struct err *err)
{
	size_t n = strlen(cmdline), max = MIN(image->cmdline_max, X86_CMDLINE_SIZE - 1);

	if (n > max)
		return err_set(err, E2BIG,
			       "cmdline: %zu bytes with the devices, the kernel takes %zu", n, max);
	return memory_write(mem, X86_CMDLINE_GPA, cmdline, n + 1);
}

/* Encoded where they belong: the guest does not run yet. */
static int put_tables(const struct memory *mem, const struct x86_boot *boot,
		      const struct kernel_image *image, const struct x86_initrd *initrd)
{
	/* Memory begins at 0 and is at least MEMORY_MIN_SIZE: the first MiB is there. */
	uint8_t *low = memory_at(mem, 0, X86_HIGH_MEMORY_GPA);

	if (!low)
		return -EFAULT;
	x86_encode_gdt((uint64_t *)(low + X86_GDT_GPA));
	x86_encode_page_tables((uint64_t *)(low + X86_PAGE_TABLES_GPA));
	x86_encode_mp_table(low + X86_MP_TABLE_GPA, boot->cpus, boot->lines);
	x86_encode_boot_params((struct boot_params *)(low + X86_BOOT_PARAMS_GPA), mem, image,
			       initrd);
	return 0;
}

int x86_boot_load(const struct memory *mem, const struct x86_boot *boot, uint64_t *ret_entry,
		  struct err *err)
{
	struct kernel_image image = {0};
	struct x86_initrd initrd;
	int r;

	r = load_kernel(mem, boot->kernel_fd, &image, err);
	if (r < 0)
		return r;
	r = load_initrd(mem, boot->initrd_fd, &image, &initrd, err);
	if (r < 0)
		return r;
	r = load_cmdline(mem, boot->cmdline, &image, err);
	if (r < 0)
		return r;
	r = put_tables(mem, boot, &image, &initrd);
	if (r < 0)
		return err_set_errno(err, -r, "boot: tables");
	*ret_entry = image.entry;
	return 0;
}
