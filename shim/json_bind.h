/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON objects into C structs by table: one row a member. What no row names is refused with its
 * path, "linux.resources.blockIO: not supported"; so are wrong types and numbers and arrays out of
 * bounds. In a lenient document it is noted instead. Pure. Strings stay the document's; arrays and nested
 * structs are freed with it.
 */
#ifndef SHIM_JSON_BIND_H
#define SHIM_JSON_BIND_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

struct json_block;
struct json_field;

#define JSON_MAX_NOTED 16

/* A member without effect: its path, fit for a terminal, and why. The document's. */
struct json_note {
	const char *name, *why;
};

/* All zero is a valid empty document. */
struct json_doc {
	json_t *root;
	struct json_block *blocks;
	const char *what; /* starts every message: "config.json" */
	bool lenient;     /* set before json_bind(): another's format, read as Go's decoders do */
	struct json_note noted[JSON_MAX_NOTED];
	size_t n_noted, n_more; /* n_more: notes that did not fit */
};

struct json_array {
	void *items;
	size_t n;
};

struct json_pair {
	const char *key, *value;
};

enum json_kind {
	JSON_FIELD_STRING,  /* const char * */
	JSON_FIELD_BOOL,    /* bool */
	JSON_FIELD_INT,     /* struct json_int, within min..max */
	JSON_FIELD_UINT,    /* struct json_uint, within 0..max; max 0: any */
	JSON_FIELD_STRINGS, /* struct json_array of const char * */
	JSON_FIELD_UINTS,   /* struct json_array of uint32_t */
	JSON_FIELD_OBJECT,  /* pointer to a struct; NULL where absent */
	JSON_FIELD_OBJECTS, /* struct json_array of structs */
	JSON_FIELD_MAP,     /* struct json_array of struct json_pair */
	JSON_FIELD_REFUSED, /* known, and refused unless empty; why says more */
	JSON_FIELD_NOTED,   /* known, and without effect unless empty: json_doc.noted names it */
};

struct json_int {
	bool set;
	int64_t v;
};

struct json_uint {
	bool set;
	uint64_t v;
};

struct json_object;

struct json_field {
	const char *name;
	enum json_kind kind;
	bool required;
	bool exact; /* of UINT: a number that had to be rounded (see json_doc_parse) is refused */
	size_t offset;
	const struct json_object *object; /* of OBJECT and OBJECTS */
	size_t max_items;                 /* of arrays and maps; 0: JSON_MAX_ITEMS */
	int64_t min;
	uint64_t max;
	const char *why; /* of REFUSED and NOTED */
};

struct json_object {
	size_t size;
	const struct json_field *fields;
	size_t n_fields;
};

#define JSON_MAX_ITEMS  1024
#define JSON_MAX_STRING (128u << 10) /* Linux's own bound on one argument */

/*
 * Parses text, whose root must be an object. Numbers beyond int64 are taken as the nearest double.
 * -EINVAL with the place of a syntax error.
 */
int json_doc_parse(struct json_doc *doc, const char *what, const char *text, size_t size,
		   struct err *err);
void json_doc_finish(struct json_doc *doc);

/* Fills into, which is zeroed first, from doc's root. */
int json_bind(struct json_doc *doc, const struct json_object *object, void *into, struct err *err);

/* The member that a lenient document's table would take for name; NULL. */
json_t *json_member(const json_t *object, const char *name);

/* n zeroed items of size bytes that live as long as doc. NULL: out of memory. */
void *json_doc_alloc(struct json_doc *doc, size_t n, size_t size);

#endif
