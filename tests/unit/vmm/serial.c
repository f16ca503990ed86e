/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/serial.h"

#include <criterion/criterion.h>
#include <linux/serial_reg.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/console_ring.h"
#include "vmm/device.h"

struct lines {
	char text[4096];
	size_t n;
	unsigned calls;
};

static void on_text(void *data, const char *text, size_t n)
{
	struct lines *lines = data;

	cr_assert_leq(n, SERIAL_LINE);
	cr_assert_leq(lines->n + n, sizeof(lines->text));
	memcpy(lines->text + lines->n, text, n);
	lines->n += n;
	lines->calls++;
}

static void on_edge(void *data, unsigned line)
{
	++*(unsigned *)data;
}

static struct serial *make(struct lines *lines, unsigned *edges)
{
	const struct irq irq = {.raise = edges ? on_edge : NULL, .data = edges};
	struct serial *serial = NULL;

	cr_assert_eq(serial_create(&(struct serial_sink){on_text, lines}, &irq, &serial), 0);
	return serial;
}

static void out(struct serial *serial, unsigned reg, uint8_t value)
{
	serial_ops.write(serial, reg, &value, 1);
}

static uint8_t in(struct serial *serial, unsigned reg)
{
	uint8_t value;

	serial_ops.read(serial, reg, &value, 1);
	return value;
}

static void print(struct serial *serial, const char *text)
{
	while (*text)
		out(serial, UART_TX, *text++);
}

Test(serial, hands_over_lines)
{
	struct lines lines = {0};
	struct serial *serial = make(&lines, NULL);

	print(serial, "one\ntwo");
	cr_assert_eq(lines.calls, 1);
	cr_assert_arr_eq(lines.text, "one\n", 4);
	serial_destroy(serial);
	cr_assert_arr_eq(lines.text, "one\ntwo", 7, "the rest comes out at the end");
}

Test(serial, a_line_without_end_comes_in_pieces)
{
	struct lines lines = {0};
	struct serial *serial = make(&lines, NULL);

	for (unsigned i = 0; i < 4 * SERIAL_LINE; i++)
		out(serial, UART_TX, 'x');
	cr_assert_eq(lines.calls, 4);
	cr_assert_eq(lines.n, 4 * SERIAL_LINE);
	serial_destroy(serial);
	cr_assert_eq(lines.calls, 4);
}

/* What a driver does to find out that a 16550A is there. */
Test(serial, is_recognised)
{
	struct lines lines = {0};
	struct serial *serial = make(&lines, NULL);

	out(serial, UART_IER, 0);
	cr_assert_eq(in(serial, UART_IER), 0);
	out(serial, UART_IER, 0xff);
	cr_assert_eq(in(serial, UART_IER), 0x0f);
	out(serial, UART_IER, 0);
	out(serial, UART_MCR, UART_MCR_LOOP | UART_MCR_OUT2 | UART_MCR_RTS);
	cr_assert_eq(in(serial, UART_MSR) & 0xf0, UART_MSR_DCD | UART_MSR_CTS);
	out(serial, UART_TX, 'x');
	out(serial, UART_MCR, 0);
	out(serial, UART_FCR, UART_FCR_ENABLE_FIFO);
	cr_assert_eq(in(serial, UART_IIR), 0xc0 | UART_IIR_NO_INT);
	out(serial, UART_SCR, 0x5a);
	cr_assert_eq(in(serial, UART_SCR), 0x5a);
	cr_assert_eq(in(serial, UART_LSR), UART_LSR_TEMT | UART_LSR_THRE);
	out(serial, UART_LCR, UART_LCR_DLAB);
	out(serial, UART_DLL, 0x12);
	out(serial, UART_DLM, 0x34);
	cr_assert_eq(in(serial, UART_DLL), 0x12);
	cr_assert_eq(in(serial, UART_DLM), 0x34);
	out(serial, UART_LCR, UART_LCR_WLEN8);
	cr_assert_eq(in(serial, UART_IER), 0);
	serial_destroy(serial);
	cr_assert_eq(lines.n, 0, "neither the loop nor the divisor was sent");
}

Test(serial, interrupts_when_the_transmitter_is_empty)
{
	struct lines lines = {0};
	unsigned edges = 0;
	struct serial *serial = make(&lines, &edges);

	out(serial, UART_TX, 'a');
	cr_assert_eq(edges, 0, "not enabled");
	out(serial, UART_IER, UART_IER_THRI);
	cr_assert_eq(edges, 1, "enabled while empty");
	cr_assert_eq(in(serial, UART_IIR), UART_IIR_THRI);
	cr_assert_eq(in(serial, UART_IIR), UART_IIR_NO_INT, "reading it clears it");
	out(serial, UART_IER, UART_IER_THRI);
	cr_assert_eq(edges, 1, "no news");
	out(serial, UART_TX, 'b');
	cr_assert_eq(edges, 2);
	out(serial, UART_IER, 0);
	cr_assert_eq(in(serial, UART_IIR), UART_IIR_NO_INT, "disabled");
	serial_destroy(serial);
}

Test(serial, wide_accesses_touch_one_register)
{
	struct lines lines = {0};
	struct serial *serial = make(&lines, NULL);
	uint64_t wide = 0x4242424242424242;

	serial_ops.write(serial, UART_SCR, &wide, 1);
	serial_ops.write(serial, 0, &wide, 8);
	serial_ops.read(serial, 0, &wide, 8);
	cr_assert_eq(wide, 0xffffffffffffff00);
	serial_destroy(serial);
	cr_assert_eq(lines.n, 1);
}

/* --- the ring that keeps it --------------------------------------------------------------- */

Test(console_ring, keeps_the_newest_bytes)
{
	_cleanup_(console_ring_close_p) struct console_ring *writer = NULL, *reader = NULL;
	static char block[1000], buf[CONSOLE_RING_SIZE + 10];
	int fd = console_ring_memfd();

	cr_assert_geq(fd, 0);
	cr_assert_eq(console_ring_open(fd, &writer), 0);
	cr_assert_eq(console_ring_open(fd, &reader), 0);
	close(fd);
	cr_assert_eq(console_ring_tail(reader, buf, sizeof(buf)), 0);
	console_ring_write(writer, "hello", 5);
	cr_assert_eq(console_ring_tail(reader, buf, sizeof(buf)), 5);
	cr_assert_arr_eq(buf, "hello", 5);
	for (unsigned i = 0; i < 100; i++) {
		memset(block, 'a' + i % 26, sizeof(block));
		console_ring_write(writer, block, sizeof(block));
	}
	cr_assert_eq(console_ring_tail(reader, buf, sizeof(buf)), CONSOLE_RING_SIZE);
	cr_assert_eq(buf[CONSOLE_RING_SIZE - 1], 'a' + 99 % 26);
	cr_assert_eq(buf[CONSOLE_RING_SIZE - 1001], 'a' + 98 % 26);
	cr_assert_eq(console_ring_tail(reader, buf, 3), 3);
	cr_assert_eq(buf[0], 'a' + 99 % 26);
}

Test(console_ring, more_than_a_ring_at_once)
{
	_cleanup_(console_ring_close_p) struct console_ring *ring = NULL;
	static char big[3 * CONSOLE_RING_SIZE + 7], buf[CONSOLE_RING_SIZE];
	int fd = console_ring_memfd();

	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = i % 251;
	cr_assert_eq(console_ring_open(fd, &ring), 0);
	close(fd);
	console_ring_write(ring, big, sizeof(big));
	cr_assert_eq(console_ring_tail(ring, buf, sizeof(buf)), sizeof(buf));
	cr_assert_arr_eq(buf, big + sizeof(big) - sizeof(buf), sizeof(buf));
}

Test(console_ring, a_lying_count_shows_garbage_and_nothing_worse)
{
	_cleanup_(console_ring_close_p) struct console_ring *ring = NULL;
	static char buf[CONSOLE_RING_SIZE];
	const uint64_t counts[] = {UINT64_MAX, UINT64_MAX - 1, CONSOLE_RING_SIZE + 1, 1ull << 63};
	int fd = console_ring_memfd();

	cr_assert_eq(console_ring_open(fd, &ring), 0);
	for (unsigned i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		cr_assert_eq(pwrite(fd, &counts[i], 8, 0), 8);
		cr_assert_eq(console_ring_tail(ring, buf, sizeof(buf)), sizeof(buf));
		console_ring_write(ring, "x", 1);
	}
	close(fd);
}

Test(console_ring, refuses_what_is_no_ring)
{
	struct console_ring *ring = NULL;
	int fd = eventfd(0, 0);

	cr_assert_lt(console_ring_open(fd, &ring), 0);
	close(fd);
	cr_assert_lt(console_ring_open(-1, &ring), 0);
	cr_assert_null(ring);
}

/* --- the table of devices ------------------------------------------------------------------ */

Test(device_table, addresses_do_not_depend_on_what_is_left_out)
{
	const struct device_choice everything = {true, true, true, true, 12},
				   little = {.share = true, .disks = 1};
	struct device_table all, some;
	char text[1024];

	device_table_plan(&all, &everything);
	device_table_plan(&some, &little);
	cr_assert_eq(all.n, 19);
	cr_assert_eq(all.slots[all.n - 1].gsi, 20);
	cr_assert_eq(device_table_lines(&all), 0x1ffffa);
	cr_assert_leq(all.slots[all.n - 1].gsi, DEVICE_GSI_LAST);
	cr_assert_eq(some.slots[1].kind, DEVICE_RNG);
	cr_assert_eq(some.slots[1].base, all.slots[2].base);
	cr_assert_eq(some.slots[2].base, all.slots[3].base);
	cr_assert_eq(some.n, 5);
	cr_assert_eq(device_table_lines(&some), 0x10 | 0xa | 0x60);
	cr_assert_eq(some.slots[3].kind, DEVICE_FS);
	cr_assert_eq(some.slots[4].kind, DEVICE_BALLOON);
	cr_assert_gt(device_table_cmdline(&all, text, sizeof(text)), 0);
	cr_assert_eq(device_table_cmdline(&some, text, sizeof(text)), (int)strlen(text));
	cr_assert_str_eq(text, " virtio_mmio.device=4K@0xd0001000:1"
			       " virtio_mmio.device=4K@0xd0002000:3"
			       " virtio_mmio.device=4K@0xd0004000:5"
			       " virtio_mmio.device=4K@0xd0005000:6");
	cr_assert_lt(device_table_cmdline(&all, text, 64), 0);
}
