/* SPDX-License-Identifier: Apache-2.0 */
/* Reads one byte too many: a prover that lets this pass proves nothing. */
#include "common/bytes.h"

/*@ requires bytes_readable(b);
    assigns \nothing;
 */
uint8_t canary(const struct bytes *b)
{
	return b->at <= b->size ? b->data[b->at] : 0;
}
