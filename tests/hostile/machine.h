/* SPDX-License-Identifier: Apache-2.0 */
/* The bare machine under the attacks: a console, a clock, where memory ends, and how to end. */
#ifndef TESTS_HOSTILE_MACHINE_H
#define TESTS_HOSTILE_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MEMORY_TOP 0x4000000ull  /* 90-hostile.sh gives 64 MiB */
#define BUFFER     0x1800000ull  /* 1 MiB that is nobody else's */
#define CANARY     0x1900000ull  /* the page behind it, which nothing is ever allowed to write */
#define HOLE       0xc0000000ull /* neither memory nor a device */
#define MMIO       0xd0000000ull

static inline uint32_t mmio_read32(uint64_t addr)
{
	return *(volatile uint32_t *)addr;
}

static inline void mmio_write32(uint64_t addr, uint32_t v)
{
	*(volatile uint32_t *)addr = v;
}

static inline uint8_t in8(uint16_t port)
{
	uint8_t v;

	__asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

static inline void out8(uint16_t port, uint8_t v)
{
	__asm__ volatile("outb %0, %1" ::"a"(v), "Nd"(port));
}

/* Everything written so far is in memory, in this order, before anything that follows. */
static inline void barrier(void)
{
	__asm__ volatile("mfence" ::: "memory");
}

void say(const char *text);
void say_number(uint64_t v);
/* How much the time stamp counter has advanced, in units of about a millisecond on any machine. */
uint64_t now_ms(void);
void end_machine(void) __attribute__((noreturn));

void *memset(void *to, int c, size_t n);
void *memcpy(void *to, const void *from, size_t n);
size_t strlen(const char *text);

#endif
