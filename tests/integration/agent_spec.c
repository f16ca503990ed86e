/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/integration/agent_spec.h"

#include <stdint.h>

#include "common/cleanup.h"

/* What docker gives root, less what the tests look at from the other side. */
static const char *const docker_caps[] = {
	"CAP_CHOWN",  "CAP_DAC_OVERRIDE", "CAP_FSETID",           "CAP_FOWNER", "CAP_MKNOD",
	"CAP_SETGID", "CAP_SETUID",       "CAP_NET_BIND_SERVICE", "CAP_KILL",
};
static const char *const masked[] = {"/proc/kcore", "/proc/keys", "/sys/firmware", "/proc/scsi"};
static const char *const readonly[] = {"/proc/sys", "/proc/sysrq-trigger", "/proc/bus"};

static const struct {
	const char *destination, *type;
	const char *options[6];
} mounts[] = {
	{"/proc", "proc", {"nosuid", "noexec", "nodev"}},
	{"/dev", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"}},
	{"/dev/pts", "devpts", {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"}},
	{"/sys", "sysfs", {"nosuid", "noexec", "nodev", "ro"}},
	{"/sys/fs/cgroup", "cgroup", {"ro", "nosuid", "noexec", "nodev"}},
	{"/dev/mqueue", "mqueue", {"nosuid", "noexec", "nodev"}},
	{"/dev/shm", "tmpfs", {"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"}},
};

/* protobuf-c's structs know no const; packing only reads. */
#define MUTABLE(s) ((char *)(uintptr_t)(s))
#define LIST(l)    ((char **)(uintptr_t)(l))

void spec_process(struct spec *spec, const char *script)
{
	spec__process__init(&spec->process);
	spec__user__init(&spec->user);
	spec->args[0] = MUTABLE("/bin/sh");
	spec->args[1] = MUTABLE("-c");
	spec->args[2] = MUTABLE(script);
	spec->env[0] = MUTABLE("PATH=/usr/bin:/bin:/usr/sbin:/sbin");
	spec->env[1] = MUTABLE("TERM=xterm");
	spec->process.args = spec->args;
	spec->process.n_args = 3;
	spec->process.env = spec->env;
	spec->process.n_env = 2;
	spec->process.cwd = MUTABLE("/");
	spec->process.user = &spec->user;
	spec__capabilities__init(&spec->caps);
	spec->caps.bounding = spec->caps.effective = spec->caps.permitted = LIST(docker_caps);
	spec->caps.n_bounding = spec->caps.n_effective = spec->caps.n_permitted =
		ARRAY_SIZE(docker_caps);
	spec->process.capabilities = &spec->caps;
}

void spec_add_namespace(struct spec *spec, const char *type)
{
	size_t i = spec->linux.n_namespaces++;

	spec__namespace__init(&spec->namespaces[i]);
	spec->namespaces[i].type = MUTABLE(type);
	spec->namespace_list[i] = &spec->namespaces[i];
	spec->linux.namespaces = spec->namespace_list;
}

static void add_mounts(struct spec *spec)
{
	for (size_t i = 0; i < ARRAY_SIZE(mounts); i++) {
		Spec__Mount *m = &spec->mounts[i];

		spec__mount__init(m);
		m->destination = MUTABLE(mounts[i].destination);
		m->type = m->source = MUTABLE(mounts[i].type);
		m->options = LIST(mounts[i].options);
		while (m->n_options < 6 && mounts[i].options[m->n_options])
			m->n_options++;
		spec->mount_list[i] = m;
	}
	spec->spec.mounts = spec->mount_list;
	spec->spec.n_mounts = ARRAY_SIZE(mounts);
}

void spec_init(struct spec *spec, const char *id, const char *script)
{
	static const char *const ro[] = {"ro"};

	*spec = (struct spec){0};
	spec_process(spec, script);
	spec__linux__init(&spec->linux);
	spec->linux.masked_paths = LIST(masked);
	spec->linux.n_masked_paths = ARRAY_SIZE(masked);
	spec->linux.readonly_paths = LIST(readonly);
	spec->linux.n_readonly_paths = ARRAY_SIZE(readonly);
	spec__resources__init(&spec->resources);
	spec->linux.resources = &spec->resources;
	spec__spec__init(&spec->spec);
	spec->spec.process = &spec->process;
	spec->spec.linux = &spec->linux;
	spec->spec.hostname = MUTABLE("box");
	add_mounts(spec);
	spec_add_namespace(spec, "pid");
	spec_add_namespace(spec, "mount");
	spec_add_namespace(spec, "ipc");
	spec_add_namespace(spec, "uts");
	spec_add_namespace(spec, "network");

	agent__volume__init(&spec->lower);
	spec->lower.fstype = MUTABLE("erofs");
	spec->lower.options = LIST(ro);
	spec->lower.n_options = 1;
	agent__overlay__init(&spec->overlay);
	spec->overlay.size = 16 << 20;
	agent__rootfs__init(&spec->rootfs);
	spec->rootfs.lower = &spec->lower;
	spec->rootfs.overlay = &spec->overlay;
	agent__streams__init(&spec->streams);
	agent__create_request__init(&spec->create);
	spec->create.id = MUTABLE(id);
	spec->create.rootfs = &spec->rootfs;
	spec->create.spec = &spec->spec;
	spec->create.streams = &spec->streams;
}
