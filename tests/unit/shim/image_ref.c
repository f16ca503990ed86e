/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "common/cleanup.h"
#include "shim/image_ref.h"

#define DIGEST "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const struct {
	const char *text, *formatted, *path, *tag;
	enum image_kind kind;
} good[] = {
	{"builtin", "builtin", "", "", IMAGE_BUILTIN},
	{"erofs:/srv/x.erofs", "erofs:/srv/x.erofs", "/srv/x.erofs", "", IMAGE_EROFS},
	{"dir:/srv/x", "dir:/srv/x", "/srv/x", "", IMAGE_DIR},
	{"dir:a:b", "dir:a:b", "a:b", "", IMAGE_DIR},
	{"dir:.", "dir:.", ".", "", IMAGE_DIR},
	{"oci:/a/b", "oci:/a/b", "/a/b", "", IMAGE_OCI},
	{"oci:/a/b:v1.2_x-y", "oci:/a/b:v1.2_x-y", "/a/b", "v1.2_x-y", IMAGE_OCI},
	{"oci:/a:b/c", "oci:/a:b/c", "/a:b/c", "", IMAGE_OCI},
	{"oci:/a:b/c:d", "oci:/a:b/c:d", "/a:b/c", "d", IMAGE_OCI},
	{"oci-archive:x.tar", "oci-archive:x.tar", "x.tar", "", IMAGE_OCI_ARCHIVE},
	{"docker-archive:./-x", "docker-archive:./-x", "./-x", "", IMAGE_DOCKER_ARCHIVE},
	{"alpine", "docker.io/library/alpine:latest", NULL, "", IMAGE_REGISTRY},
	{"alpine:3.18", "docker.io/library/alpine:3.18", NULL, "", IMAGE_REGISTRY},
	{"me/tool", "docker.io/me/tool:latest", NULL, "", IMAGE_REGISTRY},
	{"docker.io/alpine", "docker.io/library/alpine:latest", NULL, "", IMAGE_REGISTRY},
	{"localhost/x", "localhost/x:latest", NULL, "", IMAGE_REGISTRY},
	{"host:5000/a/b:t", "host:5000/a/b:t", NULL, "", IMAGE_REGISTRY},
	{"[::1]:5000/a", "[::1]:5000/a:latest", NULL, "", IMAGE_REGISTRY},
	{"r.example/a@" DIGEST, "r.example/a@" DIGEST, NULL, "", IMAGE_REGISTRY},
	{"a:tag@" DIGEST, "docker.io/library/a@" DIGEST, NULL, "", IMAGE_REGISTRY},
	{"a__b.c-d---e", "docker.io/library/a__b.c-d---e:latest", NULL, "", IMAGE_REGISTRY},
};

Test(image_ref, good)
{
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		struct image_ref ref, again;
		struct err err = ERR_INIT;
		char text[IMAGE_REF_MAX];

		cr_assert_eq(image_ref_parse(good[i].text, &ref, &err), 0, "%s: %s", good[i].text,
			     err.msg);
		cr_assert_eq(ref.kind, good[i].kind, "%s", good[i].text);
		cr_assert_str_eq(ref.tag, good[i].tag, "%s", good[i].text);
		if (good[i].path)
			cr_assert_str_eq(ref.path, good[i].path, "%s", good[i].text);
		image_ref_format(&ref, text);
		cr_assert_str_eq(text, good[i].formatted);
		cr_assert_eq(image_ref_parse(text, &again, &err), 0, "%s: %s", text, err.msg);
		cr_assert_eq(memcmp(&ref, &again, sizeof(ref)), 0, "%s", text);
	}
}

static const char *const bad[] = {
	"",
	"-x",
	"--help",
	"./dir",
	"/srv/x",
	"~/x",
	"dir:",
	"dir:-x",
	"oci:",
	"oci::tag",
	"oci:-x:tag",
	"oci:/a:",
	"oci:/a:b c",
	"oci:/a:-t",
	"oci-archive:",
	"docker-archive:-",
	"a\nb",
	"dir:/a\x1b[31m",
	"Alpine",
	"a b",
	"a..b",
	"a___b",
	"a-",
	"-a/b",
	"a//b",
	"a/",
	"/a",
	"host:/a",
	"host:port/a",
	"host:123456/a",
	"h$st.example/a",
	"[::1/a",
	"a:",
	"a:t+x",
	"a@sha256:00",
	"a@md5:0123",
	"a@" DIGEST "0",
	"@" DIGEST,
	":tag",
};

Test(image_ref, bad)
{
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct image_ref ref = {.kind = IMAGE_OCI};
		struct err err = ERR_INIT;

		cr_assert_eq(image_ref_parse(bad[i], &ref, &err), -EINVAL, "%s", bad[i]);
		cr_assert_eq(err.code, EINVAL);
		cr_assert(err.msg[0] && !strchr(err.msg, '\n'), "%s: %s", bad[i], err.msg);
		cr_assert_eq(ref.kind, IMAGE_OCI, "the output was touched");
	}
}

Test(image_ref, too_long)
{
	char text[2 * PATH_MAX];
	struct image_ref ref;

	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	cr_assert_eq(image_ref_parse(text, &ref, NULL), -EINVAL);
	/* Only written out, with registry and tag. */
	text[IMAGE_NAME_MAX - 10] = '\0';
	cr_assert_eq(image_ref_parse(text, &ref, NULL), -EINVAL);
	text[IMAGE_NAME_MAX - 10] = 'a';
	memcpy(text, "dir:", 4);
	cr_assert_eq(image_ref_parse(text, &ref, NULL), -EINVAL);
	text[PATH_MAX + 3] = '\0';
	cr_assert_eq(image_ref_parse(text, &ref, NULL), 0);
	text[4 + PATH_MAX - 1] = 'a';
	text[4 + PATH_MAX] = '\0';
	cr_assert_eq(image_ref_parse(text, &ref, NULL), -EINVAL);
}
