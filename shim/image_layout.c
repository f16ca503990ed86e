/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/image_layout.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sha256.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "common/io.h"

#define INDEX_DEPTH_MAX 4
#define BLOB_PATH_MAX   (16 + OCI_DIGEST_HEX)

static void blob_path(const struct oci_descriptor *descriptor, char path[BLOB_PATH_MAX])
{
	snprintf(path, BLOB_PATH_MAX, "blobs/sha256/%s", descriptor->hex);
}

/* A fifo or a device in a blob's place would hold us up, or do worse. */
static int check_blob(int dirfd, const struct oci_descriptor *descriptor, struct err *err)
{
	char path[BLOB_PATH_MAX];
	struct stat st;

	blob_path(descriptor, path);
	if (fstatat(dirfd, path, &st, 0) < 0)
		return err_set_errno(err, errno, "%s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, EBADMSG, "%s: not a regular file", path);
	if ((uint64_t)st.st_size != descriptor->size)
		return err_set(err, EBADMSG, "%s: has %" PRIu64 " bytes instead of %" PRIu64, path,
			       (uint64_t)st.st_size, descriptor->size);
	return 0;
}

static int read_blob(int dirfd, const struct oci_descriptor *descriptor, size_t max, char **ret,
		     size_t *ret_size, struct err *err)
{
	_cleanup_free_ char *data = NULL;
	char path[BLOB_PATH_MAX], hex[SHA256_DIGEST_STRING_LENGTH];
	size_t size;
	int r = check_blob(dirfd, descriptor, err);

	if (r < 0)
		return r;
	blob_path(descriptor, path);
	r = io_read_file(dirfd, path, max, &data, &size);
	if (r < 0)
		return err_set_errno(err, -r, "%s", path);
	SHA256Data((const uint8_t *)data, size, hex);
	if (strcmp(hex, descriptor->hex) != 0)
		return err_set(err, EBADMSG, "%s: its content does not have this digest", path);
	*ret = TAKE_PTR(data);
	*ret_size = size;
	return 0;
}

int image_layout_find(int dirfd, const char *tag, struct oci_descriptor *ret_manifest,
		      struct err *err)
{
	struct oci_descriptor descriptor = {0};
	char *text = NULL;
	size_t size = 0;
	struct stat st;
	int r;

	r = fstatat(dirfd, "index.json", &st, 0) < 0 ? -errno : 0;
	if (r == 0 && !S_ISREG(st.st_mode))
		r = -EINVAL;
	if (r == 0)
		r = io_read_file(dirfd, "index.json", OCI_DOCUMENT_MAX, &text, &size);
	if (r < 0)
		return err_set(err, -r, "not an OCI layout: index.json: %s", strerror(-r));
	r = oci_index_pick(text, size, tag, &descriptor, err);
	free(TAKE_PTR(text));
	for (int depth = 0; r == 0 && oci_is_index(&descriptor); depth++) {
		if (depth == INDEX_DEPTH_MAX)
			return err_set(err, EBADMSG, "an index within too many others");
		r = read_blob(dirfd, &descriptor, OCI_DOCUMENT_MAX, &text, &size, err);
		if (r < 0)
			return r;
		r = oci_index_pick(text, size, NULL, &descriptor, err);
		free(TAKE_PTR(text));
	}
	if (r < 0)
		return r;
	if (!oci_is_manifest(&descriptor))
		return err_set(err, EBADMSG,
			       "it is a %.64s, not an OCI image; skopeo copy makes it one",
			       descriptor.media_type);
	*ret_manifest = descriptor;
	return 0;
}

int image_layout_open(int dirfd, const char *tag, struct image_layout *ret, struct err *err)
{
	struct oci_manifest manifest = {0};
	_cleanup_free_ char *text = NULL, *config = NULL;
	size_t size = 0;
	int r;

	r = image_layout_find(dirfd, tag, &ret->manifest, err);
	if (r == 0)
		r = read_blob(dirfd, &ret->manifest, OCI_DOCUMENT_MAX, &text, &size, err);
	if (r == 0)
		r = oci_manifest_parse(text, size, &manifest, err);
	for (size_t i = 0; r == 0 && i < manifest.n_layers; i++)
		r = check_blob(dirfd, &manifest.layers[i], err);
	if (r == 0)
		r = read_blob(dirfd, &manifest.config, IMAGE_CONFIG_MAX_BYTES, &config, &size, err);
	if (r == 0)
		r = image_config_parse(config, size, &ret->config, err);
	return r;
}

void image_layout_finish(struct image_layout *layout)
{
	image_config_finish(&layout->config);
}
