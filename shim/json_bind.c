/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of Operation: bind_object() walks the members of a JSON object and looks each one up in
 * the table, so a member without a row cannot be passed over unnoticed; then it looks for required rows
 * that were not met. Nesting is bounded by the tables, which do not recurse, and before that by
 * jansson's parser. The way to the member at hand is kept as a chain of frames on the stack and
 * turned into text only for a message.
 */
#include "shim/json_bind.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Up to here a double holds every whole number, and here int64_t ends. */
#define EXACT_MAX 9007199254740992.0
#define INT64_END 9223372036854775808.0

struct json_block {
	struct json_block *next;
	max_align_t data[];
};

/* One step of the way: a member's name, or, where name is NULL, an array's index. */
struct frame {
	const struct frame *up;
	const char *name;
	size_t index;
};

struct binder {
	struct json_doc *doc;
	struct err *err;
};

int json_doc_parse(struct json_doc *doc, const char *what, const char *text, size_t size,
		   struct err *err)
{
	json_error_t error;
	json_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);

	/* RLIM_INFINITY is 2^64 - 1 in everybody's config.json, which jansson's integers do not
	 * hold. */
	if (!root && json_error_code(&error) == json_error_numeric_overflow)
		root = json_loadb(text, size, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL,
				  &error);
	if (!root)
		return err_set(err, EINVAL, "%s: line %d, column %d: not valid JSON", what,
			       error.line, error.column);
	if (!json_is_object(root)) {
		json_decref(root);
		return err_set(err, EINVAL, "%s: not a JSON object", what);
	}
	*doc = (struct json_doc){.root = root, .what = what};
	return 0;
}

void json_doc_finish(struct json_doc *doc)
{
	while (doc->blocks) {
		struct json_block *block = doc->blocks;

		doc->blocks = block->next;
		free(block);
	}
	json_decref(doc->root);
	*doc = (struct json_doc){0};
}

void *json_doc_alloc(struct json_doc *doc, size_t n, size_t size)
{
	struct json_block *block;
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes) ||
	    __builtin_add_overflow(bytes, sizeof(*block), &bytes))
		return NULL;
	block = calloc(1, bytes);
	if (!block)
		return NULL;
	block->next = doc->blocks;
	doc->blocks = block;
	return block->data;
}

/* Names come from the file and go to a person's terminal. */
static size_t add_clean(char *buf, size_t size, size_t at, const char *s)
{
	for (size_t i = 0; i < 64 && s[i] && at + 1 < size; i++)
		buf[at++] = s[i] >= 0x20 && s[i] < 0x7f ? s[i] : '?';
	buf[at] = '\0';
	return at;
}

static size_t path_text(const struct frame *frame, char *buf, size_t size)
{
	size_t at;

	if (!frame)
		return 0;
	at = path_text(frame->up, buf, size);
	if (frame->name && at && at + 1 < size)
		buf[at++] = '.';
	if (frame->name)
		return add_clean(buf, size, at, frame->name);
	if (at + 24 < size)
		at += (size_t)snprintf(buf + at, size - at, "[%zu]", frame->index);
	return at;
}

static int refuse(const struct binder *b, const struct frame *frame, const char *why)
{
	char path[256] = "";

	path_text(frame, path, sizeof(path));
	return err_set(b->err, EINVAL, "%s: %s: %s", b->doc->what, path, why);
}

static int out_of_memory(const struct binder *b)
{
	return err_set(b->err, ENOMEM, "%s: out of memory", b->doc->what);
}

/* Of what has no effect; where even the list is full, its length alone is told. */
static int note(const struct binder *b, const struct frame *frame, const char *why)
{
	char path[256] = "", *name;
	size_t size = path_text(frame, path, sizeof(path)) + 1;

	if (b->doc->n_noted == JSON_MAX_NOTED) {
		b->doc->n_more++;
		return 0;
	}
	name = json_doc_alloc(b->doc, size, 1);
	if (!name)
		return out_of_memory(b);
	memcpy(name, path, size);
	b->doc->noted[b->doc->n_noted++] = (struct json_note){name, why};
	return 0;
}

static int bind_string(const struct binder *b, json_t *value, const struct frame *frame,
		       const char **into)
{
	if (!json_is_string(value))
		return refuse(b, frame, "not a string");
	if (json_string_length(value) > JSON_MAX_STRING)
		return refuse(b, frame, "too long");
	*into = json_string_value(value);
	return 0;
}

/* Every double from 2^53 on is whole. */
static bool is_whole(json_t *value)
{
	double d = json_number_value(value);

	return json_is_integer(value) ||
	       (json_is_real(value) &&
		(d >= EXACT_MAX || d <= -EXACT_MAX || d == (double)(int64_t)d));
}

/* Integers, and whole doubles where the document had to be read with such (see json_doc_parse). */
static int bind_int(const struct binder *b, json_t *value, const struct frame *frame,
		    const struct json_field *f, struct json_int *into)
{
	double d = json_number_value(value);
	int64_t v;

	if (!is_whole(value))
		return refuse(b, frame, "not a whole number");
	if (json_is_integer(value))
		v = json_integer_value(value);
	else if (d >= -INT64_END && d < INT64_END)
		v = (int64_t)d;
	else
		v = d < 0 ? INT64_MIN : INT64_MAX;
	if (v < f->min || (f->max && v > 0 && (uint64_t)v > f->max))
		return refuse(b, frame, "out of range");
	*into = (struct json_int){.set = true, .v = v};
	return 0;
}

static int bind_uint(const struct binder *b, json_t *value, const struct frame *frame, uint64_t max,
		     bool exact, struct json_uint *into)
{
	double d = json_number_value(value);
	uint64_t v;

	if (!is_whole(value))
		return refuse(b, frame, "not a whole number");
	if (d < 0)
		return refuse(b, frame, "out of range");
	if (exact && !json_is_integer(value) && d >= EXACT_MAX)
		return refuse(b, frame, "too large to be read exactly");
	if (json_is_integer(value))
		v = (uint64_t)json_integer_value(value);
	else
		v = d < 0x1p64 ? (uint64_t)d : UINT64_MAX;
	if (max && v > max)
		return refuse(b, frame, "out of range");
	*into = (struct json_uint){.set = true, .v = v};
	return 0;
}

static int bind_object(const struct binder *b, json_t *value, const struct frame *frame,
		       const struct json_object *object, void *into);

static int bind_item(const struct binder *b, json_t *item, const struct frame *frame,
		     const struct json_field *f, void *into)
{
	struct json_uint u = {0};
	int r;

	if (f->kind == JSON_FIELD_STRINGS)
		return bind_string(b, item, frame, into);
	if (f->kind == JSON_FIELD_OBJECTS)
		return bind_object(b, item, frame, f->object, into);
	r = bind_uint(b, item, frame, UINT32_MAX, false, &u);
	if (r == 0)
		*(uint32_t *)into = (uint32_t)u.v;
	return r;
}

static int bind_array(const struct binder *b, json_t *value, const struct frame *frame,
		      const struct json_field *f, struct json_array *into)
{
	size_t size = f->kind == JSON_FIELD_STRINGS ? sizeof(char *)
		      : f->kind == JSON_FIELD_UINTS ? sizeof(uint32_t)
						    : f->object->size;
	size_t max = f->max_items ? f->max_items : JSON_MAX_ITEMS;
	size_t n = json_array_size(value);

	if (!json_is_array(value))
		return refuse(b, frame, "not an array");
	if (n > max)
		return refuse(b, frame, "too many items");
	into->items = json_doc_alloc(b->doc, n, size);
	if (!into->items)
		return out_of_memory(b);
	for (size_t i = 0; i < n; i++) {
		const struct frame item = {.up = frame, .index = i};
		int r = bind_item(b, json_array_get(value, i), &item, f,
				  (char *)into->items + i * size);

		if (r < 0)
			return r;
	}
	into->n = n;
	return 0;
}

static int bind_map(const struct binder *b, json_t *value, const struct frame *frame,
		    const struct json_field *f, struct json_array *into)
{
	size_t max = f->max_items ? f->max_items : JSON_MAX_ITEMS;
	size_t n = json_object_size(value);
	struct json_pair *pairs;
	const char *key;
	json_t *member;

	if (!json_is_object(value))
		return refuse(b, frame, "not an object");
	if (n > max)
		return refuse(b, frame, "too many members");
	pairs = json_doc_alloc(b->doc, n, sizeof(*pairs));
	if (!pairs)
		return out_of_memory(b);
	into->items = pairs;
	json_object_foreach (value, key, member) {
		const struct frame at = {.up = frame, .name = key};
		int r = bind_string(b, member, &at, &pairs[into->n].value);

		if (r < 0)
			return r;
		pairs[into->n++].key = key;
	}
	return 0;
}

static bool is_empty(json_t *value)
{
	return json_is_null(value) || json_is_false(value) ||
	       (json_is_string(value) && json_string_length(value) == 0) ||
	       (json_is_integer(value) && json_integer_value(value) == 0) ||
	       (json_is_array(value) && json_array_size(value) == 0) ||
	       (json_is_object(value) && json_object_size(value) == 0);
}

static int bind_field(const struct binder *b, json_t *value, const struct frame *frame,
		      const struct json_field *f, char *into)
{
	void *at = into + f->offset;
	void *object;

	switch (f->kind) {
	case JSON_FIELD_STRING:
		return bind_string(b, value, frame, at);
	case JSON_FIELD_BOOL:
		if (!json_is_boolean(value))
			return refuse(b, frame, "not true or false");
		*(bool *)at = json_is_true(value);
		return 0;
	case JSON_FIELD_INT:
		return bind_int(b, value, frame, f, at);
	case JSON_FIELD_UINT:
		return bind_uint(b, value, frame, f->max, f->exact, at);
	case JSON_FIELD_STRINGS:
	case JSON_FIELD_UINTS:
	case JSON_FIELD_OBJECTS:
		return bind_array(b, value, frame, f, at);
	case JSON_FIELD_MAP:
		return bind_map(b, value, frame, f, at);
	case JSON_FIELD_OBJECT:
		object = json_doc_alloc(b->doc, 1, f->object->size);
		if (!object)
			return out_of_memory(b);
		*(void **)at = object;
		return bind_object(b, value, frame, f->object, object);
	case JSON_FIELD_NOTED:
		return is_empty(value) ? 0 : note(b, frame, f->why);
	case JSON_FIELD_REFUSED:
		return is_empty(value) ? 0 : refuse(b, frame, f->why ? f->why : "not supported");
	}
	return refuse(b, frame, "not supported");
}

/* As in Go, a name may be in another case; where it is there as it should be written, that one is meant. */
static const struct json_field *find_field(const struct binder *b, const struct json_object *object,
					   json_t *value, const char *name)
{
	for (size_t i = 0; i < object->n_fields; i++)
		if (strcmp(object->fields[i].name, name) == 0)
			return &object->fields[i];
	for (size_t i = 0; b->doc->lenient && i < object->n_fields; i++)
		if (strcasecmp(object->fields[i].name, name) == 0 &&
		    !json_object_get(value, object->fields[i].name))
			return &object->fields[i];
	return NULL;
}

static int bind_unknown(const struct binder *b, json_t *value, const struct frame *frame)
{
	if (!b->doc->lenient)
		return refuse(b, frame, "not known");
	return is_empty(value) ? 0 : note(b, frame, "is not known, and has no effect");
}

static int bind_object(const struct binder *b, json_t *value, const struct frame *frame,
		       const struct json_object *object, void *into)
{
	uint64_t seen = 0;
	const char *key;
	json_t *member;

	assert(object->n_fields <= 64);
	if (!json_is_object(value))
		return refuse(b, frame, "not an object");
	json_object_foreach (value, key, member) {
		const struct frame at = {.up = frame, .name = key};
		const struct json_field *f = find_field(b, object, value, key);
		int r;

		/* Go's encoders write null for an absent slice or pointer. */
		if (f && json_is_null(member))
			continue;
		r = f ? bind_field(b, member, &at, f, into) : bind_unknown(b, member, &at);
		if (r < 0)
			return r;
		seen |= f ? 1ull << (f - object->fields) : 0;
	}
	for (size_t i = 0; i < object->n_fields; i++) {
		const struct json_field *f = &object->fields[i];
		const struct frame at = {.up = frame, .name = f->name};

		if (f->required && !(seen & 1ull << i))
			return refuse(b, &at, "missing");
	}
	return 0;
}

json_t *json_member(const json_t *object, const char *name)
{
	json_t *exact = json_object_get(object, name), *member, *found = NULL;
	const char *key;

	if (exact)
		return exact;
	json_object_foreach ((json_t *)(uintptr_t)object, key, member)
		if (strcasecmp(key, name) == 0)
			found = member;
	return found;
}

int json_bind(struct json_doc *doc, const struct json_object *object, void *into, struct err *err)
{
	const struct binder b = {.doc = doc, .err = err};

	memset(into, 0, object->size);
	return bind_object(&b, doc->root, NULL, object, into);
}
