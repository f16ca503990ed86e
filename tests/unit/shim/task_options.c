/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/task_options.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "runc_options.pb-c.h"
#include "runtime_options.pb-c.h"

static struct task_options options;
static struct err err;

static int decode(const char *type, const ProtobufCMessage *msg)
{
	uint8_t buf[1024];
	Google__Any any = GOOGLE__ANY__INIT;

	cr_assert_leq(protobuf_c_message_get_packed_size(msg), sizeof(buf));
	any.type_url = (char *)(uintptr_t)type;
	any.value.data = buf;
	any.value.len = protobuf_c_message_pack(msg, buf);
	err = (struct err)ERR_INIT;
	return task_options_decode(&any, &options, &err);
}

Test(task_options, none)
{
	Google__Any empty = GOOGLE__ANY__INIT;

	cr_expect_eq(task_options_decode(NULL, &options, &err), 0);
	cr_expect_eq(task_options_decode(&empty, &options, &err), 0);
	cr_expect_null(options.config_path);
}

Test(task_options, a_configuration)
{
	RuntimeOptions__Options from = RUNTIME_OPTIONS__OPTIONS__INIT;

	from.config_path = (char[]){"/etc/other.conf"};
	from.config_body.data = (uint8_t[]){'[', 'v', 'm', ']'};
	from.config_body.len = 4;
	cr_assert_eq(decode("runtimeoptions.v1.Options", &from.base), 0, "%s", err.msg);
	cr_expect_str_eq(options.config_path, "/etc/other.conf");
	cr_expect_str_eq(options.config_body, "[vm]");
	cr_expect_eq(options.config_body_size, 4);
	task_options_finish(&options);
	cr_assert_eq(decode("type.googleapis.com/runtimeoptions.v1.Options", &from.base), 0);
	task_options_finish(&options);
	from.config_path = (char[]){"other.conf"};
	cr_expect_eq(decode("runtimeoptions.v1.Options", &from.base), -EINVAL);
}

Test(task_options, those_of_runc)
{
	RuncOptions__Options from = RUNC_OPTIONS__OPTIONS__INIT;

	from.systemd_cgroup = true;
	from.no_new_keyring = true;
	from.shim_cgroup = (char[]){"/shims"};
	cr_assert_eq(decode("containerd.runc.v1.Options", &from.base), 0, "%s", err.msg);
	cr_expect_str_eq(options.shim_cgroup, "/shims");
	task_options_finish(&options);
	from.binary_name = (char[]){"/usr/bin/crun"};
	cr_expect_eq(decode("containerd.runc.v1.Options", &from.base), -EINVAL);
	cr_expect(strstr(err.msg, "BinaryName"), "%s", err.msg);
	from.binary_name = (char[]){""};
	from.criu_image_path = (char[]){"/image"};
	cr_expect_eq(decode("containerd.runc.v1.Options", &from.base), -EINVAL);
}

Test(task_options, what_is_not_known_or_malformed)
{
	Google__Any any = GOOGLE__ANY__INIT;

	any.type_url = (char[]){"some.Options"};
	cr_expect_eq(task_options_decode(&any, &options, &err), -EINVAL);
	cr_expect(strstr(err.msg, "some.Options"), "%s", err.msg);
	any.type_url = (char[]){"containerd.runc.v1.Options"};
	any.value.data = (uint8_t[]){0x1a, 0x7f, 'x'};
	any.value.len = 3;
	err = (struct err)ERR_INIT;
	cr_expect_eq(task_options_decode(&any, &options, &err), -EINVAL);
	cr_expect_str_eq(err.msg, "options: malformed");
}
