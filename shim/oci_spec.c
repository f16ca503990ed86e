/* SPDX-License-Identifier: Apache-2.0 */
/* sbx-oci spec: a config.json to begin with. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "shim/oci.h"

struct spec_options {
	const char *bundle;
	bool rootless;
};

static const struct opt rows[] = {
	CLI_OPT(spec_options, 'b', "bundle", STRING, bundle, "DIR",
		"the bundle's directory (default: this one)"),
	CLI_OPT(spec_options, 0, "rootless", FLAG, rootless, NULL, NULL),
};

static const struct opts_spec spec = CLI_OPTS("sbx-oci spec [options]", rows);

#define CAPS  "[\"CAP_AUDIT_WRITE\", \"CAP_KILL\", \"CAP_NET_BIND_SERVICE\"]"
#define QUIET "\"nosuid\", \"noexec\", \"nodev\""

/* runc's example, in what of it concerns a container in a VM. */
static const char text[] =
	"{\"ociVersion\": \"1.0.2\","
	"\"process\": {\"terminal\": true, \"user\": {\"uid\": 0, \"gid\": 0}, \"args\": [\"sh\"],"
	" \"env\": [\"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\","
	"  \"TERM=xterm\"], \"cwd\": \"/\","
	" \"capabilities\": {\"bounding\": " CAPS ", \"effective\": " CAPS ", \"permitted\": " CAPS
	"},"
	" \"rlimits\": [{\"type\": \"RLIMIT_NOFILE\", \"hard\": 1024, \"soft\": 1024}],"
	" \"noNewPrivileges\": true},"
	"\"root\": {\"path\": \"rootfs\", \"readonly\": true},"
	"\"hostname\": \"sbx\","
	"\"mounts\": ["
	"{\"destination\": \"/proc\", \"type\": \"proc\", \"source\": \"proc\"},"
	"{\"destination\": \"/dev\", \"type\": \"tmpfs\", \"source\": \"tmpfs\","
	" \"options\": [\"nosuid\", \"strictatime\", \"mode=755\", \"size=65536k\"]},"
	"{\"destination\": \"/dev/pts\", \"type\": \"devpts\", \"source\": \"devpts\","
	" \"options\": [\"nosuid\", \"noexec\", \"newinstance\", \"ptmxmode=0666\", \"mode=0620\","
	" \"gid=5\"]},"
	"{\"destination\": \"/dev/shm\", \"type\": \"tmpfs\", \"source\": \"shm\","
	" \"options\": [" QUIET ", \"mode=1777\", \"size=65536k\"]},"
	"{\"destination\": \"/dev/mqueue\", \"type\": \"mqueue\", \"source\": \"mqueue\","
	" \"options\": [" QUIET "]},"
	"{\"destination\": \"/sys\", \"type\": \"sysfs\", \"source\": \"sysfs\","
	" \"options\": [" QUIET ", \"ro\"]},"
	"{\"destination\": \"/sys/fs/cgroup\", \"type\": \"cgroup\", \"source\": \"cgroup\","
	" \"options\": [" QUIET ", \"relatime\", \"ro\"]}],"
	"\"linux\": {\"resources\": {\"devices\": [{\"allow\": false, \"access\": \"rwm\"}]},"
	" \"namespaces\": [{\"type\": \"pid\"}, {\"type\": \"network\"}, {\"type\": \"ipc\"},"
	"  {\"type\": \"uts\"}, {\"type\": \"mount\"}, {\"type\": \"cgroup\"}],"
	" \"maskedPaths\": [\"/proc/acpi\", \"/proc/asound\", \"/proc/kcore\", \"/proc/keys\","
	"  \"/proc/latency_stats\", \"/proc/timer_list\", \"/proc/timer_stats\","
	"  \"/proc/sched_debug\", \"/sys/firmware\", \"/proc/scsi\"],"
	" \"readonlyPaths\": [\"/proc/bus\", \"/proc/fs\", \"/proc/irq\", \"/proc/sys\","
	"  \"/proc/sysrq-trigger\"]}}";

static int write_config(int dirfd, struct err *err)
{
	_cleanup_close_ int fd =
		openat(dirfd, "config.json", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	json_t *root = json_loads(text, 0, NULL);
	_cleanup_free_ char *pretty = root ? json_dumps(root, JSON_INDENT(4)) : NULL;
	int r;

	json_decref(root);
	if (fd < 0 && errno == EEXIST)
		return err_set(err, EEXIST, "config.json exists already; remove it first");
	if (fd < 0)
		return err_set_errno(err, errno, "config.json");
	r = pretty ? io_write_full(fd, pretty, strlen(pretty)) : -ENOMEM;
	if (r == 0)
		r = io_write_full(fd, "\n", 1);
	return r < 0 ? err_set_errno(err, -r, "config.json") : 0;
}

static int run(const struct oci *oci, int argc, char **argv, struct err *err)
{
	struct spec_options o = {.bundle = "."};
	_cleanup_close_ int dirfd = -1;
	int first, r = oci_parse(&oci_spec_verb, argc, argv, &o, 0, 0, &first, err);

	if (r < 0)
		return r;
	if (o.rootless)
		return err_set(err, EINVAL, "--rootless: a VM needs no such bundle");
	dirfd = open(o.bundle, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return dirfd < 0 ? err_set_errno(err, errno, "--bundle %s", o.bundle)
			 : write_config(dirfd, err);
}

const struct oci_verb oci_spec_verb = {
	.name = "spec",
	.help = "write a config.json to begin with",
	.opts = &spec,
	.run = run,
};
