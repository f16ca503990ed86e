/* SPDX-License-Identifier: Apache-2.0 */
#include "machine.h"

#define COM1 0x3f8

void say(const char *text)
{
	for (; *text; text++) {
		while (!(in8(COM1 + 5) & 0x20))
			__builtin_ia32_pause();
		out8(COM1, (uint8_t)*text);
	}
}

void say_number(uint64_t v)
{
	char text[21], *p = text + sizeof(text) - 1;

	*p = '\0';
	do
		*--p = (char)('0' + v % 10);
	while (v /= 10);
	say(p);
}

uint64_t now_ms(void)
{
	/* 2 GHz is near enough: it bounds waits, and measures nothing. */
	return __builtin_ia32_rdtsc() / 2000000;
}

void end_machine(void)
{
	/* The keyboard controller's reset line; the VM monitor takes it for a power-off. */
	out8(0x64, 0xfe);
	for (;;)
		__asm__ volatile("hlt");
}

void *memset(void *to, int c, size_t n)
{
	uint8_t *p = to;

	while (n--)
		*p++ = (uint8_t)c;
	return to;
}

void *memcpy(void *to, const void *from, size_t n)
{
	const uint8_t *q = from;
	uint8_t *p = to;

	while (n--)
		*p++ = *q++;
	return to;
}

size_t strlen(const char *text)
{
	size_t n = 0;

	while (text[n])
		n++;
	return n;
}
