/* SPDX-License-Identifier: Apache-2.0 */
/* What the two halves of spec_guest share: messages in the memory of the spec they are made from. */
#ifndef SHIM_SPEC_GUEST_INTERNAL_H
#define SHIM_SPEC_GUEST_INTERNAL_H

#include <errno.h>

#include "shim/spec_guest.h"

struct builder {
	struct spec *spec;
	struct err *err;
};

/* protobuf-c writes its empty string, never NULL, for a string that is not there. */
static inline char *text(const char *s)
{
	return s ? (char *)s : (char *)protobuf_c_empty_string;
}

static inline int no_memory(const struct builder *b)
{
	return err_set(b->err, ENOMEM, "%s: out of memory", b->spec->doc.what);
}

/* Repeated strings are the spec's own array: both are arrays of char pointers. */
static inline char **strings(const struct json_array *array, size_t *ret_n)
{
	*ret_n = array->n;
	return array->n ? array->items : NULL;
}

/* Makes n messages of type desc: *(T ***)ret_array are pointers into one block of them. */
int spec_make_messages(const struct builder *b, size_t n, const ProtobufCMessageDescriptor *desc,
		       size_t *ret_n, void *ret_array);

int spec_build_mappings(const struct builder *b, const struct json_array *mappings, size_t *ret_n,
			Spec__IdMapping ***ret);
int spec_build_pairs(const struct builder *b, const struct json_array *pairs, size_t *ret_n,
		     Spec__KeyValue ***ret);
/* linux.resources (spec_guest_resources.c). */
int spec_build_resources(const struct builder *b, const struct spec_resources *resources,
			 Spec__Resources **ret);
int spec_build_hooks(const struct builder *b, const struct spec_hooks *from, Spec__Hooks **ret);
/* linux.seccomp, compiled (spec_seccomp.c). */
int spec_build_seccomp(const struct builder *b, const struct spec_seccomp *from,
		       Spec__Seccomp **ret);
int spec_build_linux(const struct builder *b, const struct spec_linux *from, Spec__Linux **ret);

#endif
