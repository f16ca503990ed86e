/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/config.h"

#include <dirent.h>
#include <fcntl.h>
#include <ini.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/io.h"
#include "common/opts.h"
#include "shim/places.h"
#include "shim/spec.h"

#define MAX_BYTES (64u << 10)
#define MAX_LINE  198u /* the parser's own, which cuts a longer line in two */
#define MIB       1048576ull

/* --- one file --------------------------------------------------------------------------------- */

struct parsing {
	struct config *config;
	struct err *err;
	unsigned seen; /* keys of this file, a bit each */
};

static int set_text(char **into, const char *value)
{
	char *copy = strdup(value);

	if (!copy)
		return -ENOMEM;
	free(*into);
	*into = copy;
	return 0;
}

static int set_bool(bool *into, const char *value)
{
	bool yes = strcmp(value, "yes") == 0 || strcmp(value, "true") == 0;

	if (!yes && strcmp(value, "no") != 0 && strcmp(value, "false") != 0)
		return -EINVAL;
	*into = yes;
	return 0;
}

static int set_hypervisor(struct config *config, const char *value)
{
	if (strcmp(value, "vmm") != 0 && strcmp(value, "qemu") != 0)
		return -EINVAL;
	return set_text(&config->hypervisor, value);
}

static int set_emulation(struct config *config, const char *value)
{
	return set_bool(&config->emulation, value);
}

static int set_kernel(struct config *config, const char *value)
{
	return value[0] == '/' ? set_text(&config->kernel, value) : -EINVAL;
}

static int set_debug(struct config *config, const char *value)
{
	return set_bool(&config->debug, value);
}

static int set_size(uint64_t *into, const char *value)
{
	uint64_t v;

	if (parse_size(value, &v) < 0 || v < 32 * MIB || v > MIB * MIB)
		return -EINVAL;
	*into = v;
	return 0;
}

static int set_number(unsigned *into, const char *value)
{
	uint64_t v;

	if (parse_uint(value, &v) < 0 || v < 1 || v > 32)
		return -EINVAL;
	*into = (unsigned)v;
	return 0;
}

static int set_memory(struct config *config, const char *value)
{
	return set_size(&config->memory, value);
}

static int set_cpus(struct config *config, const char *value)
{
	return set_number(&config->cpus, value);
}

static int set_max_memory(struct config *config, const char *value)
{
	return set_size(&config->max_memory, value);
}

static int set_max_cpus(struct config *config, const char *value)
{
	return set_number(&config->max_cpus, value);
}

static int set_rate(uint64_t *into, const char *value)
{
	uint64_t v;

	if (parse_size(value, &v) < 0 || v < HYPERVISOR_MIN_RATE || v > HYPERVISOR_MAX_RATE)
		return -EINVAL;
	*into = v;
	return 0;
}

static int set_disk_rate(struct config *config, const char *value)
{
	return set_rate(&config->rates.disk, value);
}

static int set_disk_ops(struct config *config, const char *value)
{
	uint64_t v;

	if (parse_uint(value, &v) < 0 || v < 1 || v > HYPERVISOR_MAX_RATE)
		return -EINVAL;
	config->rates.disk_ops = v;
	return 0;
}

static int set_net_rate(struct config *config, const char *value)
{
	return set_rate(&config->rates.net, value);
}

static int set_annotations(struct config *config, const char *value)
{
	return set_text(&config->annotations, value);
}

static const struct {
	const char *section, *name;
	int (*set)(struct config *config, const char *value);
	const char *wants;
} keys[] = {
	{"vm", "hypervisor", set_hypervisor, "vmm or qemu"},
	{"vm", "emulation", set_emulation, "yes or no"},
	{"vm", "kernel", set_kernel, "an absolute path"},
	{"vm", "debug", set_debug, "yes or no"},
	{"vm", "memory", set_memory, "a size from 32M to 1T"},
	{"vm", "cpus", set_cpus, "a number from 1 to 32"},
	{"vm", "max-memory", set_max_memory, "a size from 32M to 1T"},
	{"vm", "max-cpus", set_max_cpus, "a number from 1 to 32"},
	{"vm", "disk-rate", set_disk_rate, "a size from 4K to 1T"},
	{"vm", "disk-ops", set_disk_ops, "a number from 1 on"},
	{"vm", "net-rate", set_net_rate, "a size from 4K to 1T"},
	{"pods", "annotations", set_annotations, "names"},
};

/* inih's handler: 1 is success. The first error's words are kept, whose line inih reports. */
static int on_key(void *user, const char *section, const char *name, const char *value)
{
	struct parsing *parsing = user;
	size_t i = 0;
	int r;

	if (parsing->err->code)
		return 0;
	while (i < ARRAY_SIZE(keys) &&
	       (strcmp(keys[i].section, section) != 0 || strcmp(keys[i].name, name) != 0))
		i++;
	if (i == ARRAY_SIZE(keys)) {
		err_set(parsing->err, EINVAL, "[%.32s] %.64s: not known", section, name);
		return 0;
	}
	r = parsing->seen & (1u << i) ? -EEXIST : keys[i].set(parsing->config, value);
	parsing->seen |= 1u << i;
	if (r == -EEXIST)
		err_set(parsing->err, EINVAL, "%s: twice", name);
	else if (r == -ENOMEM)
		err_set(parsing->err, ENOMEM, "out of memory");
	else if (r < 0)
		err_set(parsing->err, EINVAL, "%s: not %s", name, keys[i].wants);
	return r == 0;
}

static int check_lines(const char *text, size_t size, const char *what, struct err *err)
{
	size_t line = 1, length = 0;

	if (size > MAX_BYTES || memchr(text, '\0', size))
		return err_set(err, EINVAL, "%s: too long, or not a text", what);
	for (size_t i = 0; i < size; i++) {
		length = text[i] == '\n' ? 0 : length + 1;
		line += text[i] == '\n';
		if (length > MAX_LINE)
			return err_set(err, EINVAL, "%s:%zu: longer than %u characters", what, line,
				       MAX_LINE);
	}
	return 0;
}

int config_parse(const char *text, size_t size, const char *what, struct config *config,
		 struct err *err)
{
	_cleanup_free_ char *copy = NULL;
	struct err why = ERR_INIT;
	struct parsing parsing = {.config = config, .err = &why};
	int r = check_lines(text, size, what, err);

	if (r < 0)
		return r;
	copy = strndup(text, size);
	if (!copy)
		return err_set(err, ENOMEM, "out of memory");
	r = ini_parse_string(copy, on_key, &parsing);
	if (r == 0 && !why.code)
		return 0;
	return err_set(err, why.code ? why.code : EINVAL, "%s:%d: %s", what, r > 0 ? r : 0,
		       why.code ? why.msg : "neither a section nor a key");
}

/* --- files ------------------------------------------------------------------------------------ */

/* What decides how pods are isolated is not to be anybody's. */
static int load_file(const char *path, struct config *config, struct err *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	char text[MAX_BYTES + 1];
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set_errno(err, errno, "%s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, EINVAL, "%s: not a file", path);
	if ((st.st_uid != 0 && st.st_uid != geteuid()) || (st.st_mode & 0022))
		return err_set(err, EPERM, "%s: others than its owner can write it", path);
	n = pread(fd, text, sizeof(text), 0);
	if (n < 0)
		return err_set_errno(err, errno, "%s", path);
	return config_parse(text, (size_t)n, path, config, err);
}

static int is_drop_in(const struct dirent *entry)
{
	size_t n = strlen(entry->d_name);

	return entry->d_name[0] != '.' && n > 5 && strcmp(entry->d_name + n - 5, ".conf") == 0;
}

static int load_drop_ins(const char *path, struct config *config, struct err *err)
{
	_cleanup_free_ char *dir = NULL;
	struct dirent **entries = NULL;
	int n, r = 0;

	if (asprintf(&dir, "%s.d", path) < 0)
		return err_set(err, ENOMEM, "out of memory");
	n = scandir(dir, &entries, is_drop_in, alphasort);
	if (n < 0)
		return errno == ENOENT ? 0 : err_set_errno(err, errno, "%s", dir);
	for (int i = 0; i < n; i++) {
		_cleanup_free_ char *file = NULL;

		if (r == 0 && asprintf(&file, "%s/%s", dir, entries[i]->d_name) < 0)
			r = err_set(err, ENOMEM, "out of memory");
		if (r == 0)
			r = load_file(file, config, err);
		free(entries[i]);
	}
	free(entries);
	return r;
}

int config_load(const char *path, struct config *ret, struct err *err)
{
	_cleanup_config_ struct config config = {0};
	_cleanup_free_ char *own = NULL;
	int r = path ? 0 : places_config(&own, err);

	if (r < 0)
		return r;
	if (path || access(own, F_OK) == 0 || errno != ENOENT)
		r = load_file(path ? path : own, &config, err);
	if (r == 0)
		r = load_drop_ins(path ? path : own, &config, err);
	if (r < 0)
		return r;
	*ret = config;
	config = (struct config){0};
	return 0;
}

void config_finish(struct config *config)
{
	free(config->hypervisor);
	free(config->kernel);
	free(config->annotations);
	*config = (struct config){0};
}

/* --- annotations ------------------------------------------------------------------------------ */

static bool is_listed(const char *list, const char *name)
{
	size_t n = strlen(name);

	for (const char *at = list; *at; at += strcspn(at, " \t")) {
		at += strspn(at, " \t");
		if (strcspn(at, " \t") == n && strncmp(at, name, n) == 0)
			return true;
	}
	return false;
}

int config_check_annotations(const struct config *config, const struct spec *spec, struct err *err)
{
	static const char *const names[] = {
		"sbx.memory", "sbx.cpus",      "sbx.hypervisor", "sbx.kernel",
		"sbx.debug",  "sbx.disk-rate", "sbx.disk-ops",   "sbx.net-rate",
	};
	const char *list = config->annotations ? config->annotations : CONFIG_ANNOTATIONS;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (spec_annotation(spec, names[i]) && !is_listed(list, names[i]))
			return err_set(err, EPERM,
				       "config.json: annotation %s: sbx.conf does not allow it",
				       names[i]);
	return 0;
}
