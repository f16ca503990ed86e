/* SPDX-License-Identifier: Apache-2.0 */
#include "common/bytes.h"

#include <criterion/criterion.h>

#include "common/budget.h"
#include "common/ttrpc.h"
#include "task.pb-c.h"

Test(bytes, reads_in_order_and_fails_past_the_end_for_good)
{
	const uint8_t data[] = {1, 2, 0, 3, 0, 0, 0, 0x12, 0x34};
	struct bytes b = bytes_of(data, sizeof(data));

	cr_assert_eq(bytes_u8(&b), 1);
	cr_assert_eq(bytes_le16(&b), 2);
	cr_assert_eq(bytes_le32(&b), 3);
	cr_assert_eq(bytes_be16(&b), 0x1234);
	cr_assert_not(b.failed);
	cr_assert_eq(bytes_u8(&b), 0);
	cr_assert(b.failed);
	b.at = 0;
	cr_assert_null(bytes_take(&b, 0), "a failed reader stays failed");
}

Test(bytes, a_length_near_the_top_does_not_wrap)
{
	const uint8_t data[4] = {0};
	struct bytes b = bytes_of(data, sizeof(data));

	cr_assert_null(bytes_take(&b, SIZE_MAX));
	cr_assert(b.failed);
}

Test(bytes, writes_within_the_room)
{
	uint8_t buf[6] = {0};
	struct bytes_out b = bytes_out_of(buf, sizeof(buf));

	bytes_put_be32(&b, 0x01020304);
	bytes_put_le16(&b, 0x0605);
	cr_assert_not(b.failed);
	bytes_put_u8(&b, 7);
	cr_assert(b.failed);
	cr_assert_arr_eq(buf, ((uint8_t[]){1, 2, 3, 4, 5, 6}), 6);
}

Test(ttrpc, header_round_trip)
{
	uint8_t buf[TTRPC_HEADER_SIZE];
	struct ttrpc_header in = {
		.length = 0x400000, .stream = 3, .type = TTRPC_RESPONSE, .flags = 1};
	struct ttrpc_header out;

	ttrpc_header_encode(&in, buf);
	cr_assert_arr_eq(buf, ((uint8_t[]){0, 0x40, 0, 0, 0, 0, 0, 3, 2, 1}), TTRPC_HEADER_SIZE);
	ttrpc_header_decode(buf, &out);
	cr_assert_eq(out.length, in.length);
	cr_assert_eq(out.stream, in.stream);
	cr_assert_eq(out.type, in.type);
	cr_assert_eq(out.flags, in.flags);
}

Test(budget, rich_messages_are_refused)
{
	/* 1000 empty Mounts in a CreateTaskRequest: 2 bytes each on the wire, far more unpacked. */
	uint8_t wire[2000];
	ProtobufCMessage *msg;

	for (size_t i = 0; i < sizeof(wire); i += 2) {
		wire[i] = 3 << 3 | 2;
		wire[i + 1] = 0;
	}
	cr_assert_null(
		budget_unpack(&task__create_task_request__descriptor, wire, sizeof(wire), 16384));
	msg = budget_unpack(&task__create_task_request__descriptor, wire, sizeof(wire), 1 << 20);
	cr_assert_not_null(msg);
	cr_assert_eq(((Task__CreateTaskRequest *)msg)->n_rootfs, 1000);
	protobuf_c_message_free_unpacked(msg, NULL);
}

Test(budget, malformed_messages_are_refused)
{
	const uint8_t truncated[] = {1 << 3 | 2, 200, 1, 'x'};

	cr_assert_null(budget_unpack(&task__create_task_request__descriptor, truncated,
				     sizeof(truncated), 1 << 20));
}
