/* SPDX-License-Identifier: Apache-2.0 */
/* The documents of an image: configuration, index, manifest, and the store's record. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "shim/image_config.h"
#include "shim/image_oci.h"
#include "shim/image_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was accepted can be stored, and read back. */
static void check_config(struct image_config *config)
{
	json_t *object = image_config_to_json(config);
	struct image_config again;

	if (!object || image_config_from_json(object, &again, NULL) < 0)
		abort();
	if (config->workdir[0] != '/')
		abort();
	json_decref(object);
	image_config_finish(&again);
	image_config_finish(config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct oci_manifest manifest;
	const char *text = (const char *)data + 1;
	struct oci_descriptor descriptor;
	struct image_record record;
	struct image_config config;
	struct err err = ERR_INIT;

	if (size < 1)
		return 0;
	size--;
	switch (data[0] % 4) {
	case 0:
		if (image_config_parse(text, size, &config, &err) == 0)
			check_config(&config);
		break;
	case 1:
		if (oci_index_pick(text, size, data[0] & 4 ? "tag" : "", &descriptor, &err) == 0 &&
		    strspn(descriptor.hex, "0123456789abcdef") != OCI_DIGEST_HEX)
			abort();
		break;
	case 2:
		oci_manifest_parse(text, size, &manifest, &err);
		break;
	case 3:
		if (image_record_parse(text, size, &record, &err) == 0)
			image_record_finish(&record);
		break;
	}
	return 0;
}
