/* SPDX-License-Identifier: Apache-2.0 */
/* Text for those who take nothing but UTF-8 (RFC 3629), as the strings of protobuf's messages. Pure. */
#ifndef COMMON_UTF8_H
#define COMMON_UTF8_H

/* Replaces in place every byte that is no part of a character, as of one that was cut, by a question mark. */
void utf8_clean(char *text);

#endif
