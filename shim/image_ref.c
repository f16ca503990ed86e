/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/image_ref.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"

static const char *const prefixes[] = {
	[IMAGE_BUILTIN] = "builtin",
	[IMAGE_EROFS] = "erofs:",
	[IMAGE_DIR] = "dir:",
	[IMAGE_OCI] = "oci:",
	[IMAGE_OCI_ARCHIVE] = "oci-archive:",
	[IMAGE_DOCKER_ARCHIVE] = "docker-archive:",
	[IMAGE_REGISTRY] = "",
};
static_assert(ARRAY_SIZE(prefixes) == IMAGE_REGISTRY + 1, "a prefix for every kind");

#define DIGITS "0123456789"
#define LOWER  "abcdefghijklmnopqrstuvwxyz"
#define UPPER  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

static int refuse(struct err *err, const char *text, const char *why)
{
	return err_set(err, EINVAL, "image %.200s: %s", text, why);
}

/* Names go into messages, records and terminals. */
static bool is_printable(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return false;
	return true;
}

static bool is_tag(const char *s)
{
	size_t n = strlen(s);

	return n > 0 && n <= IMAGE_TAG_MAX && strspn(s, LOWER UPPER DIGITS "_.-+@") == n &&
	       s[0] != '-' && s[0] != '.';
}

/* The ':' before a tag, or NULL: the last one, if no '/' follows. */
static char *find_tag(char *s)
{
	char *colon = strrchr(s, ':');

	return colon && !strchr(colon, '/') ? colon : NULL;
}

static int parse_path(const char *text, const char *path, struct image_ref *ref, struct err *err)
{
	size_t n = strlen(path);
	char *colon;

	if (n == 0)
		return refuse(err, text, "a path must follow the colon");
	if (path[0] == '-')
		return refuse(err, text, "a path may not start with '-'; write ./-...");
	if (n >= sizeof(ref->path))
		return refuse(err, text, "the path is too long");
	memcpy(ref->path, path, n + 1);
	if (ref->kind != IMAGE_OCI)
		return 0;
	colon = find_tag(ref->path);
	if (!colon)
		return 0;
	if (!is_tag(colon + 1))
		return refuse(err, text, "what follows the last ':' is not a tag");
	memcpy(ref->tag, colon + 1, strlen(colon + 1) + 1);
	*colon = '\0';
	return ref->path[0] ? 0 : refuse(err, text, "a path must come before the tag");
}

/* [a-z0-9]+ joined by one '.', one or two '_', or any number of '-'. */
static bool is_name_component(const char *s, size_t n)
{
	size_t i = 0;

	for (;;) {
		size_t run = 0, dashes;

		while (i < n && strchr(LOWER DIGITS, s[i]))
			i++, run++;
		if (run == 0)
			return false;
		if (i == n)
			return true;
		for (dashes = 0; i + dashes < n && s[i + dashes] == '-';)
			dashes++;
		if (dashes)
			i += dashes;
		else if (s[i] == '.')
			i++;
		else if (s[i] == '_')
			i += i + 1 < n && s[i + 1] == '_' ? 2 : 1;
		else
			return false;
	}
}

static bool is_name(const char *s)
{
	for (;;) {
		size_t n = strcspn(s, "/");

		if (!is_name_component(s, n))
			return false;
		if (!s[n])
			return true;
		s += n + 1;
	}
}

/* A host name or address, perhaps in brackets, perhaps with a port. */
static bool is_host(const char *s, size_t n)
{
	size_t name = strspn(s, LOWER UPPER DIGITS ".-"), port;

	if (s[0] == '[') {
		name = 1 + strspn(s + 1, DIGITS "abcdefABCDEF:");
		if (name < 3 || s[name] != ']')
			return false;
		name++;
	}
	if (name == 0 || name > n || s[0] == '-' || s[0] == '.')
		return false;
	if (name == n)
		return true;
	port = s[name] == ':' ? strspn(s + name + 1, DIGITS) : 0;
	return port > 0 && port <= 5 && name + 1 + port == n;
}

static bool is_digest(const char *s)
{
	return strncmp(s, "sha256:", 7) == 0 && strlen(s + 7) == 64 &&
	       strspn(s + 7, DIGITS "abcdef") == 64;
}

static int parse_registry(const char *text, struct image_ref *ref, struct err *err)
{
	char rest[IMAGE_NAME_MAX + 1];
	char *at, *tag = NULL, *name = rest, *slash;
	const char *host = "docker.io", *library = "";
	size_t n = strlen(text);

	if (n >= sizeof(rest))
		return refuse(err, text, "the name is too long");
	memcpy(rest, text, n + 1);
	at = strchr(rest, '@');
	if (at) {
		*at++ = '\0';
		if (!is_digest(at))
			return refuse(err, text, "what follows '@' is not a sha256 digest");
	}
	slash = strchr(rest, '/');
	if (slash) {
		size_t first = (size_t)(slash - rest);
		bool is_host_first = memchr(rest, '.', first) || memchr(rest, ':', first) ||
				     (first == 9 && memcmp(rest, "localhost", first) == 0);

		if (is_host_first) {
			if (!is_host(rest, first))
				return refuse(err, text, "the registry's host is not valid");
			*slash = '\0';
			host = rest;
			name = slash + 1;
		}
	}
	tag = find_tag(name);
	if (tag) {
		*tag++ = '\0';
		if (!is_tag(tag) || strpbrk(tag, "+@"))
			return refuse(err, text, "the tag is not valid");
	}
	if (!is_name(name))
		return refuse(err, text,
			      "neither an image's name (lower case) nor KIND:PATH (dir, oci, "
			      "oci-archive, docker-archive)");
	if (strcmp(host, "docker.io") == 0 && !strchr(name, '/'))
		library = "library/";
	/* A digest says all; a tag beside it would only be something to disagree with. */
	snprintf(ref->path, sizeof(ref->path), "%s/%s%s%s%s", host, library, name, at ? "@" : ":",
		 at ? at : (tag ? tag : "latest"));
	/* Written out it has to be a reference again. */
	return strlen(ref->path) > IMAGE_NAME_MAX ? refuse(err, text, "the name is too long") : 0;
}

int image_ref_parse(const char *text, struct image_ref *ret, struct err *err)
{
	struct image_ref ref = {.kind = IMAGE_REGISTRY};
	int r;

	if (!text[0])
		return err_set(err, EINVAL, "an image's name may not be empty");
	if (!is_printable(text))
		return err_set(err, EINVAL, "an image's name may not hold control characters");
	if (text[0] == '-')
		return refuse(err, text, "a name may not start with '-'");
	if (text[0] == '.' || text[0] == '/' || text[0] == '~')
		return refuse(err, text, "a directory is named dir:PATH, an OCI layout oci:PATH");
	if (strcmp(text, prefixes[IMAGE_BUILTIN]) == 0)
		ref.kind = IMAGE_BUILTIN;
	for (enum image_kind kind = IMAGE_EROFS; kind < IMAGE_REGISTRY; kind++)
		if (strncmp(text, prefixes[kind], strlen(prefixes[kind])) == 0)
			ref.kind = kind;
	if (ref.kind == IMAGE_REGISTRY)
		r = parse_registry(text, &ref, err);
	else if (ref.kind == IMAGE_BUILTIN)
		r = 0;
	else
		r = parse_path(text, text + strlen(prefixes[ref.kind]), &ref, err);
	if (r == 0)
		*ret = ref;
	return r;
}

void image_ref_format(const struct image_ref *ref, char buf[IMAGE_REF_MAX])
{
	snprintf(buf, IMAGE_REF_MAX, "%s%s%s%s", prefixes[ref->kind], ref->path,
		 ref->tag[0] ? ":" : "", ref->tag);
}
