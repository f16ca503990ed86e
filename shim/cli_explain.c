/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/cli_explain.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "sbx.pb-c.h"
#include "shim/cli.h"
#include "shim/cli_pod.h"

#define BAR_WIDTH 40

/* Milliseconds with three digits after the point, by integers. */
static void print_ms(uint64_t ns)
{
	fprintf(stderr, "%6" PRIu64 ".%03" PRIu64, ns / 1000000, ns / 1000 % 1000);
}

static void print_stage(const char *name, uint64_t from, uint64_t at, uint64_t total)
{
	char bar[BAR_WIDTH + 1];
	size_t first = (size_t)(from * BAR_WIDTH / total), last = (size_t)(at * BAR_WIDTH / total);

	memset(bar, ' ', BAR_WIDTH);
	bar[BAR_WIDTH] = '\0';
	for (size_t i = first; i < BAR_WIDTH && (i < last || i == first); i++)
		bar[i] = '#';
	print_ms(at);
	fprintf(stderr, "  +");
	print_ms(at - from);
	fprintf(stderr, " |%s| %s\n", bar, name);
}

static void print_all(const Sandbox__ExplainResponse *explain, uint64_t begin_ns)
{
	uint64_t total = 1, from = 0;

	for (size_t i = 0; i < explain->n_stages; i++)
		if (explain->stages[i]->at_ns > begin_ns + total)
			total = explain->stages[i]->at_ns - begin_ns;
	fprintf(stderr, "        ms        step\n");
	print_stage("request", 0, 0, total);
	for (size_t i = 0; i < explain->n_stages; i++) {
		uint64_t at = explain->stages[i]->at_ns;

		at = at > begin_ns ? at - begin_ns : 0;
		if (at < from)
			at = from;
		print_stage(explain->stages[i]->name, from, at, total);
		from = at;
	}
	fprintf(stderr, "hypervisor: %s\n", explain->hypervisor);
}

/* The guest's own words: line by line, and nothing but what is printable. */
static void print_console(const Sandbox__ExplainResponse *explain)
{
	bool fresh = true;

	for (size_t i = 0; i < explain->console.len; i++) {
		char c = (char)explain->console.data[i];

		if (c == '\r')
			continue;
		if (fresh)
			fprintf(stderr, "console: ");
		fresh = c == '\n';
		fputc(fresh || (c >= 0x20 && c < 0x7f) ? c : '?', stderr);
	}
	if (!fresh)
		fputc('\n', stderr);
}

void cli_explain(struct cli_shim *shim, uint64_t begin_ns, bool stages, bool console)
{
	ProtobufCMessage *reply = NULL;
	struct err err = ERR_INIT;

	if (cli_sandbox(shim, "Explain", &reply, &err) < 0) {
		cli_fail("run: --explain", &err);
		return;
	}
	if (console)
		print_console((const Sandbox__ExplainResponse *)reply);
	if (stages)
		print_all((const Sandbox__ExplainResponse *)reply, begin_ns);
	protobuf_c_message_free_unpacked(reply, NULL);
}
