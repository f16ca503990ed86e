/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/strbuf.h"
#include "shim/image_oci.h"
#include "shim/image_userns.h"

#define A        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B        "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define ENTRY(hex, extra)                                                                          \
	"{\"mediaType\":\"" MANIFEST "\",\"digest\":\"sha256:" hex "\",\"size\":7" extra "}"
#define NAMED(name)        ",\"annotations\":{\"org.opencontainers.image.ref.name\":\"" name "\"}"
#define PLATFORM(os, arch) ",\"platform\":{\"os\":\"" os "\",\"architecture\":\"" arch "\"}"
#define INDEX(entries)     "{\"schemaVersion\":2,\"manifests\":[" entries "]}"

static struct oci_descriptor got;
static struct err err;

static int pick(const char *text, const char *tag)
{
	memset(&got, 0, sizeof(got));
	err.msg[0] = '\0';
	return oci_index_pick(text, strlen(text), tag, &got, &err);
}

Test(image_oci, picks_by_tag)
{
	const char *two = INDEX(ENTRY(A, NAMED("one")) "," ENTRY(B, NAMED("two")));

	cr_assert_eq(pick(two, "two"), 0);
	cr_assert_str_eq(got.hex, B);
	cr_assert_eq(got.size, 7);
	cr_assert(oci_is_manifest(&got) && !oci_is_index(&got));
	cr_assert_eq(pick(two, "three"), -ENOENT);
	cr_assert_str_eq(err.msg, "there is no image of tag three in it; it holds one, two");
	cr_assert_eq(pick(two, ""), -ENOENT);
	cr_assert_eq(pick(INDEX(ENTRY(A, NAMED("x")) "," ENTRY(B, NAMED("latest"))), ""), 0);
	cr_assert_str_eq(got.hex, B);
	cr_assert_eq(pick(INDEX(ENTRY(A, NAMED("x"))), ""), 0, "the only one needs no tag");
	cr_assert_str_eq(got.hex, A);
	cr_assert_eq(pick(INDEX(ENTRY(A, "")), "x"), -ENOENT);
	cr_assert_eq(pick(INDEX(""), ""), -ENOENT);
}

Test(image_oci, picks_by_platform)
{
	const char *many = INDEX(ENTRY(A, PLATFORM("linux", "s390x")) "," ENTRY(
		B, PLATFORM("linux", "amd64")) "," ENTRY(A, PLATFORM("unknown", "unknown")));

	cr_assert_eq(pick(many, NULL), 0);
	cr_assert_str_eq(got.hex, B);
	cr_assert_eq(pick(INDEX(ENTRY(A, PLATFORM("linux", "s390x"))), NULL), -ENOENT);
	cr_assert_str_eq(err.msg, "there is no image for linux/amd64 in it");
}

Test(image_oci, names_are_shown_harmless)
{
	cr_assert_eq(pick(INDEX(ENTRY(A, NAMED("\\u001b[31m")) "," ENTRY(B, "")), "x"), -ENOENT);
	cr_assert_str_eq(err.msg, "there is no image of tag x in it; it holds ?[31m");
}

Test(image_oci, bad_index)
{
	static const char *const texts[] = {
		"",
		"[]",
		"{}",
		"{\"manifests\":{}}",
		"{\"manifests\":[3]}",
		INDEX("{\"mediaType\":\"" MANIFEST "\",\"size\":7}"),
		INDEX("{\"mediaType\":\"" MANIFEST
		      "\",\"digest\":\"sha256:../../../etc\",\"size\":7}"),
		INDEX("{\"mediaType\":\"" MANIFEST "\",\"digest\":\"sha512:" A "\",\"size\":7}"),
		INDEX("{\"mediaType\":\"" MANIFEST "\",\"digest\":\"sha256:" A "\",\"size\":-7}"),
		INDEX("{\"mediaType\":\"" MANIFEST "\",\"digest\":\"sha256:" A
		      "\",\"size\":\"7\"}"),
		INDEX("{\"digest\":\"sha256:" A "\",\"size\":7}"),
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		cr_assert_eq(pick(texts[i], ""), -EBADMSG, "%s", texts[i]);
		cr_assert(err.msg[0]);
		cr_assert_eq(got.size, 0, "the output was touched");
	}
}

Test(image_oci, too_many_manifests)
{
	_cleanup_strbuf_ struct strbuf text = {0};

	strbuf_addf(&text, "{\"manifests\":[");
	for (int i = 0; i < OCI_MANIFESTS_MAX; i++)
		strbuf_addf(&text, ENTRY(A, "") ",");
	strbuf_addf(&text, ENTRY(A, "") "]}");
	cr_assert_eq(pick(text.data, NULL), -EBADMSG);
}

Test(image_oci, index_of_one_is_found_again)
{
	struct oci_descriptor one = {.hex = A, .size = 1ull << 33, .media_type = MANIFEST};
	_cleanup_free_ char *text = oci_index_of_one(&one);

	cr_assert(text);
	cr_assert_eq(pick(text, OCI_ONLY_TAG), 0, "%s", err.msg);
	cr_assert_str_eq(got.hex, one.hex);
	cr_assert_str_eq(got.media_type, one.media_type);
	cr_assert_eq(got.size, one.size);
}

#define CONFIG(type)                                                                               \
	"\"config\":{\"mediaType\":\"" type "\",\"digest\":\"sha256:" A "\",\"size\":2}"
#define OCI_CONFIG  "application/vnd.oci.image.config.v1+json"
#define LAYER(type) "{\"mediaType\":\"" type "\",\"digest\":\"sha256:" B "\",\"size\":3}"
#define OCI_LAYER   "application/vnd.oci.image.layer.v1.tar+gzip"

static int parse(const char *text, struct oci_manifest *ret)
{
	return oci_manifest_parse(text, strlen(text), ret, &err);
}

Test(image_oci, manifest)
{
	_cleanup_free_ struct oci_manifest *m = calloc(1, sizeof(*m));

	cr_assert_eq(parse("{" CONFIG(OCI_CONFIG) ",\"layers\":[" LAYER(OCI_LAYER) "]}", m), 0,
		     "%s", err.msg);
	cr_assert_str_eq(m->config.hex, A);
	cr_assert_eq(m->n_layers, 1);
	cr_assert_str_eq(m->layers[0].hex, B);
	cr_assert_eq(m->layers[0].size, 3);
	cr_assert_eq(parse("{" CONFIG("application/octet-stream") ",\"layers\":[]}", m), -EBADMSG);
	cr_assert_eq(parse("{" CONFIG(OCI_CONFIG) ",\"layers\":[" LAYER("text/plain") "]}", m),
		     -EBADMSG);
	cr_assert_eq(parse("{" CONFIG(OCI_CONFIG) "}", m), -EBADMSG);
	cr_assert_eq(parse("{\"layers\":[]}", m), -EBADMSG);
}

Test(image_oci, too_many_layers)
{
	_cleanup_free_ struct oci_manifest *m = calloc(1, sizeof(*m));
	_cleanup_strbuf_ struct strbuf text = {0};

	strbuf_addf(&text, "{" CONFIG(OCI_CONFIG) ",\"layers\":[");
	for (int i = 0; i < OCI_LAYERS_MAX; i++)
		strbuf_addf(&text, LAYER(OCI_LAYER) ",");
	strbuf_addf(&text, LAYER(OCI_LAYER) "]}");
	cr_assert_eq(parse(text.data, m), -EBADMSG);
}

Test(image_userns, subid_file)
{
	const char *text = "root:1:5\nnonsense\nme:100000:65536\nme:900000:1\n1000:7:8\n"
			   "low:0:10\nempty:5:0\nhigh:4294967295:2\nlast:10:20";
	struct id_range range;

	cr_assert_eq(subid_find(text, "me", 4, &range), 0);
	cr_assert(range.start == 100000 && range.count == 65536);
	cr_assert_eq(subid_find(text, "somebody", 1000, &range), 0, "by number");
	cr_assert(range.start == 7 && range.count == 8);
	cr_assert_eq(subid_find(text, "last", 5, &range), 0, "without a newline");
	cr_assert_eq(subid_find(text, "", 5, &range), -ENOENT);
	cr_assert_eq(subid_find(text, "m", 5, &range), -ENOENT);
	cr_assert_eq(subid_find(text, "low", 5, &range), -ENOENT, "root's own id");
	cr_assert_eq(subid_find(text, "empty", 5, &range), -ENOENT);
	cr_assert_eq(subid_find(text, "high", 5, &range), -ENOENT, "past the last id");
	cr_assert_eq(subid_find("", "me", 5, &range), -ENOENT);
}

Test(image_userns, covers)
{
	struct image_userns ns = {1000, 1001, {100000, 10}, {200000, 10}};

	cr_assert(image_userns_covers(&ns, 1000, 1001));
	cr_assert(image_userns_covers(&ns, 100000, 200009));
	cr_assert(image_userns_covers(&ns, 1000, 200000));
	cr_assert(!image_userns_covers(&ns, 0, 1001));
	cr_assert(!image_userns_covers(&ns, 1000, 0));
	cr_assert(!image_userns_covers(&ns, 100010, 1001));
	cr_assert(!image_userns_covers(&ns, 99999, 1001));
}
