/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "common/bytes.h"
#include "common/path.h"
#include "common/tree.h"

size_t tree_entry_encode(const struct tree_entry *entry, uint8_t *buf)
{
	struct bytes_out out = bytes_out_of(buf, TREE_MAX_BYTES);
	size_t name = strlen(entry->name), target = strlen(entry->target);

	bytes_put_u8(&out, (uint8_t)entry->kind);
	bytes_put_le16(&out, entry->mode);
	bytes_put_le32(&out, entry->uid);
	bytes_put_le32(&out, entry->gid);
	bytes_put_le64(&out, (uint64_t)entry->mtime_s);
	bytes_put_le32(&out, entry->mtime_ns);
	bytes_put_le16(&out, (uint16_t)name);
	bytes_put_le16(&out, (uint16_t)target);
	memcpy(bytes_room(&out, name), entry->name, name);
	memcpy(bytes_room(&out, target), entry->target, target);
	return out.at;
}

ssize_t tree_entry_size(const uint8_t header[TREE_HEADER_BYTES])
{
	struct bytes in = bytes_of(header + TREE_HEADER_BYTES - 4, 4);
	uint16_t name = bytes_le16(&in), target = bytes_le16(&in);

	return name > NAME_MAX || target >= PATH_MAX ? -EPROTO : TREE_HEADER_BYTES + name + target;
}

/* No text of another length hides behind its first NUL. */
static int take_text(struct bytes *in, size_t size, char *ret)
{
	const uint8_t *text = bytes_take(in, size);

	if (!text || memchr(text, 0, size))
		return -EPROTO;
	memcpy(ret, text, size);
	ret[size] = '\0';
	return 0;
}

static int judge(const struct tree_entry *entry)
{
	bool named =
		entry->kind == TREE_FILE || entry->kind == TREE_DIR || entry->kind == TREE_LINK;

	if (entry->kind < TREE_FILE || entry->kind > TREE_END || entry->mode > 07777 ||
	    entry->mtime_ns >= 1000000000u)
		return -EPROTO;
	if (!named)
		return entry->name[0] || entry->target[0] ? -EPROTO : 0;
	if (!path_is_name(entry->name) &&
	    !(entry->kind == TREE_DIR && strcmp(entry->name, ".") == 0))
		return -EPROTO;
	return (entry->kind == TREE_LINK) == (entry->target[0] != '\0') ? 0 : -EPROTO;
}

int tree_entry_decode(const uint8_t *buf, size_t size, struct tree_entry *ret)
{
	struct bytes in = bytes_of(buf, size);
	uint16_t name, target;

	if (size < TREE_HEADER_BYTES || tree_entry_size(buf) != (ssize_t)size)
		return -EPROTO;
	ret->kind = bytes_u8(&in);
	ret->mode = bytes_le16(&in);
	ret->uid = bytes_le32(&in);
	ret->gid = bytes_le32(&in);
	ret->mtime_s = (int64_t)bytes_le64(&in);
	ret->mtime_ns = bytes_le32(&in);
	name = bytes_le16(&in);
	target = bytes_le16(&in);
	if (take_text(&in, name, ret->name) < 0 || take_text(&in, target, ret->target) < 0)
		return -EPROTO;
	return judge(ret);
}
