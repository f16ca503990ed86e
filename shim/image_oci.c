/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/image_oci.h"

#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "common/strbuf.h"
#include "shim/image_config.h"

#define MEDIA_INDEX       "application/vnd.oci.image.index.v1+json"
#define MEDIA_MANIFEST    "application/vnd.oci.image.manifest.v1+json"
#define MEDIA_CONFIG      "application/vnd.oci.image.config.v1+json"
#define MEDIA_LAYER       "application/vnd.oci.image.layer."
#define MEDIA_DOCKER      "application/vnd.docker."
#define ANNOTATION_NAME   "org.opencontainers.image.ref.name"
#define LISTED_NAMES_MAX  8
#define LISTED_LENGTH_MAX 64

int oci_is_index(const struct oci_descriptor *descriptor)
{
	return strcmp(descriptor->media_type, MEDIA_INDEX) == 0;
}

int oci_is_manifest(const struct oci_descriptor *descriptor)
{
	return strcmp(descriptor->media_type, MEDIA_MANIFEST) == 0;
}

static json_t *load(const char *what, const char *text, size_t size, struct err *err)
{
	json_error_t where;
	json_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &where);

	if (!root) {
		err_set(err, EBADMSG, "%s: line %d, column %d: not valid JSON", what, where.line,
			where.column);
	} else if (!json_is_object(root)) {
		err_set(err, EBADMSG, "%s: not an object", what);
		json_decref(root);
		root = NULL;
	}
	return root;
}

static int parse_descriptor(json_t *object, const char *what, struct oci_descriptor *ret,
			    struct err *err)
{
	const char *digest = json_string_value(json_object_get(object, "digest"));
	const char *media = json_string_value(json_object_get(object, "mediaType"));
	json_t *size = json_object_get(object, "size");
	const char *hex = digest && strncmp(digest, "sha256:", 7) == 0 ? digest + 7 : "";

	if (strlen(hex) != OCI_DIGEST_HEX || strspn(hex, "0123456789abcdef") != OCI_DIGEST_HEX)
		return err_set(err, EBADMSG, "%s: digest is not sha256:<64 hex digits>", what);
	if (!json_is_integer(size) || json_integer_value(size) < 0)
		return err_set(err, EBADMSG, "%s: size is missing or not a number", what);
	if (!media || strlen(media) >= sizeof(ret->media_type))
		return err_set(err, EBADMSG, "%s: mediaType is missing or too long", what);
	memcpy(ret->hex, hex, sizeof(ret->hex));
	ret->size = (uint64_t)json_integer_value(size);
	memcpy(ret->media_type, media, strlen(media) + 1);
	return 0;
}

static const char *name_of(json_t *entry)
{
	return json_string_value(
		json_object_get(json_object_get(entry, "annotations"), ANNOTATION_NAME));
}

/* An entry that names no platform is for every one; an attestation is for unknown/unknown. */
static bool is_for_us(json_t *entry)
{
	json_t *platform = json_object_get(entry, "platform");
	const char *os = json_string_value(json_object_get(platform, "os"));
	const char *arch = json_string_value(json_object_get(platform, "architecture"));

	return (!os || strcmp(os, "linux") == 0) &&
	       (!arch || strcmp(arch, image_config_host_arch()) == 0);
}

/* The names in an index, for a person who asked for another one. Not trusted, so printable only. */
static void list_names(json_t *manifests, struct strbuf *out)
{
	size_t listed = 0;

	for (size_t i = 0; i < json_array_size(manifests); i++) {
		const char *name = name_of(json_array_get(manifests, i));
		char clean[LISTED_LENGTH_MAX + 1];
		size_t n = 0;

		if (!name)
			continue;
		for (; n < LISTED_LENGTH_MAX && name[n]; n++)
			clean[n] = name[n] > 0x20 && name[n] < 0x7f ? name[n] : '?';
		clean[n] = '\0';
		if (++listed > LISTED_NAMES_MAX) {
			strbuf_addf(out, ", ...");
			return;
		}
		strbuf_addf(out, "%s%s", listed > 1 ? ", " : "", clean);
	}
}

static int pick(json_t *manifests, const char *tag, json_t **ret)
{
	json_t *any = NULL;

	for (size_t i = 0; i < json_array_size(manifests); i++) {
		json_t *entry = json_array_get(manifests, i);
		const char *name = name_of(entry);

		if (tag && (!name || strcmp(name, tag) != 0))
			continue;
		if (!any)
			any = entry;
		if (is_for_us(entry)) {
			*ret = entry;
			return 0;
		}
	}
	return any ? -ENOEXEC : -ENOENT;
}

int oci_index_pick(const char *text, size_t size, const char *tag, struct oci_descriptor *ret,
		   struct err *err)
{
	json_auto_t *root = load("index.json", text, size, err);
	_cleanup_strbuf_ struct strbuf names = {0};
	json_t *manifests, *entry = NULL;
	int r;

	if (!root)
		return -EBADMSG;
	manifests = json_object_get(root, "manifests");
	if (!json_is_array(manifests))
		return err_set(err, EBADMSG, "index.json: manifests is not an array");
	if (json_array_size(manifests) > OCI_MANIFESTS_MAX)
		return err_set(err, EBADMSG, "index.json: too many manifests");
	if (tag && !tag[0])
		tag = json_array_size(manifests) == 1 ? NULL : "latest";
	r = pick(manifests, tag, &entry);
	if (r == -ENOEXEC)
		return err_set(err, ENOENT, "there is no image for linux/%s in it",
			       image_config_host_arch());
	if (r < 0) {
		list_names(manifests, &names);
		return err_set(err, ENOENT, "there is no image %s%s in it; it holds %s",
			       tag ? "of tag " : "", tag ? tag : "",
			       names.data ? names.data : "none with a tag");
	}
	return parse_descriptor(entry, "index.json", ret, err);
}

int oci_manifest_parse(const char *text, size_t size, struct oci_manifest *ret, struct err *err)
{
	json_auto_t *root = load("manifest", text, size, err);
	json_t *layers;
	int r;

	if (!root)
		return -EBADMSG;
	r = parse_descriptor(json_object_get(root, "config"), "manifest: config", &ret->config,
			     err);
	if (r < 0)
		return r;
	if (strcmp(ret->config.media_type, MEDIA_CONFIG) != 0)
		return err_set(err, EBADMSG, "manifest: it is of something else than an image");
	layers = json_object_get(root, "layers");
	if (!json_is_array(layers) || json_array_size(layers) > OCI_LAYERS_MAX)
		return err_set(err, EBADMSG, "manifest: layers is not an array of at most %d",
			       OCI_LAYERS_MAX);
	ret->n_layers = json_array_size(layers);
	for (size_t i = 0; i < ret->n_layers; i++) {
		r = parse_descriptor(json_array_get(layers, i), "manifest: layer", &ret->layers[i],
				     err);
		if (r < 0)
			return r;
		if (strncmp(ret->layers[i].media_type, MEDIA_LAYER, strlen(MEDIA_LAYER)) != 0)
			return err_set(err, EBADMSG, "manifest: layer %zu is not a file system", i);
	}
	return 0;
}

char *oci_index_of_one(const struct oci_descriptor *manifest)
{
	char digest[8 + OCI_DIGEST_HEX];
	json_t *root;
	char *text;

	snprintf(digest, sizeof(digest), "sha256:%s", manifest->hex);
	root = json_pack("{s:i, s:[{s:s, s:s, s:I, s:{s:s}}]}", "schemaVersion", 2, "manifests",
			 "mediaType", manifest->media_type, "digest", digest, "size",
			 (json_int_t)manifest->size, "annotations", ANNOTATION_NAME, OCI_ONLY_TAG);
	text = root ? json_dumps(root, JSON_COMPACT) : NULL;
	json_decref(root);
	return text;
}
