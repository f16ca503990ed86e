/* SPDX-License-Identifier: Apache-2.0 */
/* An image's name. One that is accepted reads the same after it was written out. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "shim/image_ref.h"
#include "shim/image_userns.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = malloc(size + 1);
	struct image_ref ref, again;
	struct id_range range;
	char out[IMAGE_REF_MAX];

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	if (image_ref_parse(text, &ref, NULL) == 0) {
		image_ref_format(&ref, out);
		if (image_ref_parse(out, &again, NULL) != 0 ||
		    memcmp(&ref, &again, sizeof(ref)) != 0)
			abort();
		if (ref.path[0] == '-' || ref.tag[0] == '-')
			abort();
	}
	if (subid_find(text, "me", 1000, &range) == 0 &&
	    (range.start == 0 || range.count == 0 || range.start + range.count < range.start))
		abort();
	return 0;
}
