/* SPDX-License-Identifier: Apache-2.0 */
/* containerd-shim-sbx-v2: flags as containerd gives them, then one command. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "common/opts.h"
#include "common/version.h"
#include "shim/pod_dir.h"
#include "shim/shim_boot.h"

#define OPT(short_name, long_name, k, member, what, text)                                          \
	{                                                                                          \
		.shrt = (short_name), .name = (long_name), .kind = OPT_##k,                        \
		.offset = offsetof(struct shim_flags, member), .operand = (what), .help = (text)   \
	}

static const struct opt opts[] = {
	OPT(0, "namespace", STRING, namespace, "NAME", "containerd's namespace"),
	OPT(0, "id", STRING, id, "ID", "the container's id"),
	OPT(0, "bundle", STRING, bundle, "DIR", "its bundle"),
	OPT(0, "address", STRING, address, "SOCKET", "containerd's own socket"),
	OPT(0, "publish-binary", STRING, publish_binary, "FILE", "containerd's own binary"),
	OPT(0, "debug", FLAG, debug, NULL, "log more"),
	OPT(0, "info", FLAG, info, NULL,
	    "tell what we are, as containerd asks: options in, protobuf out"),
	OPT('v', "version", FLAG, version, NULL, "print the version"),
};

static const struct opts_spec spec = {
	.usage = "containerd-shim-sbx-v2 -namespace NAME -id ID [options] start|delete",
	.opts = opts,
	.n_opts = sizeof(opts) / sizeof(opts[0]),
	.single_dash = true,
};

static int run(int argc, char **argv, bool *ret_daemon, struct err *err)
{
	struct shim_flags flags = {0};
	int first = opts_parse(&spec, argc, argv, &flags, NULL, err);

	if (first < 0)
		return first;
	if (flags.version) {
		printf("containerd-shim-sbx-v2 %s (%s)\n", sbx_version, sbx_build_id);
		return 0;
	}
	if (flags.info)
		return shim_info(err);
	if (first != argc - 1)
		return err_set(err, EINVAL, "usage: %s", spec.usage);
	if (!flags.namespace || !flags.id)
		return err_set(err, EINVAL, "-namespace and -id are needed");
	if (!pod_namespace_is_valid(flags.namespace) || !pod_id_is_valid(flags.id))
		return err_set(err, EINVAL, "-namespace or -id: not a valid name");
	if (strcmp(argv[first], "start") == 0)
		return shim_start(&flags, ret_daemon, err);
	if (strcmp(argv[first], "delete") == 0)
		return shim_delete(&flags, err);
	return err_set(err, EINVAL, "%.32s: not a command", argv[first]);
}

int main(int argc, char **argv)
{
	struct err err = ERR_INIT;
	bool daemon = false;
	int r = run(argc - 1, argv + 1, &daemon, &err);

	if (daemon)
		return r;
	if (r < 0)
		fprintf(stderr, "containerd-shim-sbx-v2: %s\n", err.msg);
	return r < 0 ? 1 : 0;
}
