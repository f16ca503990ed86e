/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/bootstrap.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "any.pb-c.h"
#include "bootstrap.pb-c.h"
#include "runc_options.pb-c.h"

static struct bootstrap bootstrap;
static struct err err;

static int decode(const void *data, size_t size)
{
	err = (struct err)ERR_INIT;
	bootstrap_finish(&bootstrap);
	return bootstrap_decode(data, size, "id1", "ns1", &bootstrap, &err);
}

static int decode_text(const char *text)
{
	return decode(text, strlen(text));
}

static int decode_message(const ProtobufCMessage *msg)
{
	uint8_t buf[2048];

	cr_assert_leq(protobuf_c_message_get_packed_size(msg), sizeof(buf));
	return decode(buf, protobuf_c_message_pack(msg, buf));
}

Test(bootstrap, nothing_or_options)
{
	RuncOptions__Options options = RUNC_OPTIONS__OPTIONS__INIT;
	Google__Any any = GOOGLE__ANY__INIT;
	uint8_t buf[256];

	cr_expect_eq(decode("", 0), 0);
	cr_expect_eq(bootstrap.form, BOOTSTRAP_PLAIN);
	options.systemd_cgroup = true;
	any.type_url = (char[]){"containerd.runc.v1.Options"};
	any.value.data = buf;
	any.value.len = protobuf_c_message_pack(&options.base, buf);
	cr_expect_eq(decode_message(&any.base), 0, "%s", err.msg);
	cr_expect_eq(bootstrap.form, BOOTSTRAP_PLAIN);
	cr_expect_null(bootstrap.ttrpc_address);
	any.type_url = (char[]){"other.Options"};
	cr_expect_eq(decode_message(&any.base), -EINVAL);
	cr_expect_eq(decode("\xff\xff\xff", 3), -EINVAL);
	cr_expect(strstr(err.msg, "neither options"), "%s", err.msg);
}

Test(bootstrap, a_message)
{
	Bootstrap__Params params = BOOTSTRAP__PARAMS__INIT;
	Bootstrap__Extension extensions[2], *array[2] = {&extensions[0], &extensions[1]};
	Google__Any known = GOOGLE__ANY__INIT, unknown = GOOGLE__ANY__INIT;

	params.instance_id = (char[]){"id1"};
	params.namespace_ = (char[]){"ns1"};
	params.log_level = -4;
	params.ttrpc_address = (char[]){"/run/c.sock"};
	bootstrap__extension__init(&extensions[0]);
	bootstrap__extension__init(&extensions[1]);
	unknown.type_url = (char[]){"containerd.io/cri.v1.PodSandboxConfig"};
	known.type_url = (char[]){"containerd.runc.v1.Options"};
	extensions[0].value = &unknown;
	extensions[1].value = &known;
	params.extensions = array;
	params.n_extensions = 2;
	cr_assert_eq(decode_message(&params.base), 0, "%s", err.msg);
	cr_expect_eq(bootstrap.form, BOOTSTRAP_PROTOBUF);
	cr_expect(bootstrap.debug);
	cr_expect_str_eq(bootstrap.ttrpc_address, "/run/c.sock");
	known.value.data = (uint8_t[]){0x1a, 0x7f};
	known.value.len = 2;
	cr_expect_eq(decode_message(&params.base), -EINVAL);
	/* Of another container it is no message, and no options either. */
	params.n_extensions = 0;
	params.instance_id = (char[]){"id2"};
	cr_expect_eq(decode_message(&params.base), -EINVAL);
	bootstrap_finish(&bootstrap);
}

Test(bootstrap, json)
{
	cr_assert_eq(decode_text("{\"instanceId\":\"id1\",\"namespace\":\"ns1\",\"logLevel\":"
				 "\"LOG_LEVEL_DEBUG\",\"containerdTtrpcAddress\":\"/a\",\"x\":[]}"),
		     0, "%s", err.msg);
	cr_expect_eq(bootstrap.form, BOOTSTRAP_JSON);
	cr_expect(bootstrap.debug);
	cr_expect_str_eq(bootstrap.ttrpc_address, "/a");
	cr_assert_eq(decode_text("{\"instance_id\":\"id1\",\"namespace\":\"ns1\",\"log_level\":0}"),
		     0);
	cr_expect_not(bootstrap.debug);
	cr_expect_eq(decode_text("{\"instance_id\":\"id2\",\"namespace\":\"ns1\"}"), -EINVAL);
	cr_expect_eq(decode_text("{\"instance_id\":1,\"namespace\":\"ns1\"}"), -EINVAL);
	cr_expect_eq(decode_text("{"), -EINVAL);
	bootstrap_finish(&bootstrap);
}

static void expect_answer(enum bootstrap_form form, const char *max_version, const char *want)
{
	_cleanup_strbuf_ struct strbuf answer = {0};

	cr_assert_eq(bootstrap_answer(form, max_version, "unix:///s", &answer), 0);
	cr_expect_str_eq(answer.data, want);
}

Test(bootstrap, answers)
{
	_cleanup_strbuf_ struct strbuf packed = {0};
	Bootstrap__Result *result;

	expect_answer(BOOTSTRAP_PLAIN, NULL, "unix:///s");
	expect_answer(BOOTSTRAP_PLAIN, "what", "unix:///s");
	/* What CRI-O says, which knows no other form. */
	expect_answer(BOOTSTRAP_PLAIN, "2", "unix:///s");
	expect_answer(BOOTSTRAP_PLAIN, "3",
		      "{\"version\":3,\"address\":\"unix:///s\",\"protocol\":\"ttrpc\"}");
	expect_answer(BOOTSTRAP_PLAIN, "4",
		      "{\"version\":3,\"address\":\"unix:///s\",\"protocol\":\"ttrpc\"}");
	expect_answer(BOOTSTRAP_JSON, "2",
		      "{\"version\":2,\"address\":\"unix:///s\",\"protocol\":\"ttrpc\"}");
	expect_answer(BOOTSTRAP_JSON, NULL,
		      "{\"version\":3,\"address\":\"unix:///s\",\"protocol\":\"ttrpc\"}");
	cr_assert_eq(bootstrap_answer(BOOTSTRAP_PROTOBUF, "2", "unix:///s", &packed), 0);
	result = (Bootstrap__Result *)protobuf_c_message_unpack(
		&bootstrap__result__descriptor, NULL, packed.len, (uint8_t *)packed.data);
	cr_assert_not_null(result);
	cr_expect_str_eq(result->address, "unix:///s");
	cr_expect_str_eq(result->protocol, "ttrpc");
	cr_expect_eq(result->version, 3);
	protobuf_c_message_free_unpacked(&result->base, NULL);
}
