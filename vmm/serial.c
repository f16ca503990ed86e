// SPDX-License-Identifier: Apache-2.0
/*
 * Theory of Operation
 *
 * Registers by offset; bit 7 of LCR (DLAB) puts the divisor in place of the first two:
 *
 *	0  RBR/THR (DLL)   2  IIR/FCR   4  MCR   6  MSR
 *	1  IER     (DLM)   3  LCR       5  LSR   7  SCR
 *
 * The transmitter is always empty, so its interrupt is pending whenever it is enabled and the
 * driver has written, or has just enabled it; reading IIR while it is the cause clears it, as in the
 * data sheet. The line is edge triggered: it is raised when the interrupt becomes pending.
 *
 * Any vCPU may come here at any time, hence the lock. It is held across the sink, so that lines stay
 * in order: who reads slowly slows the guest's console, nothing else.
 */
#include "vmm/serial.h"

#include <errno.h>
#include <linux/serial_reg.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#define LINES_CONNECTED (UART_MSR_DCD | UART_MSR_DSR | UART_MSR_CTS)
#define IER_MASK        0x0f
#define MCR_MASK        0x1f

struct serial {
	pthread_mutex_t lock;
	struct serial_sink sink;
	struct irq irq;
	uint8_t ier, lcr, mcr, scr, dll, dlm;
	bool fifo;
	bool thre_pending;
	size_t n;
	char line[SERIAL_LINE];
};

int serial_create(const struct serial_sink *sink, const struct irq *irq, struct serial **ret)
{
	struct serial *serial = calloc(1, sizeof(*serial));

	if (!serial)
		return -ENOMEM;
	pthread_mutex_init(&serial->lock, NULL);
	serial->sink = *sink;
	serial->irq = *irq;
	serial->dll = 1; /* 115200 baud, for who asks */
	*ret = serial;
	return 0;
}

static void flush(struct serial *serial)
{
	if (serial->n)
		serial->sink.write(serial->sink.data, serial->line, serial->n);
	serial->n = 0;
}

void serial_destroy(struct serial *serial)
{
	if (!serial)
		return;
	flush(serial);
	pthread_mutex_destroy(&serial->lock);
	free(serial);
}

/* The transmitter has become empty, or its interrupt was enabled while it is. */
static void raise_thre(struct serial *serial)
{
	if (!(serial->ier & UART_IER_THRI))
		return;
	serial->thre_pending = true;
	irq_raise(&serial->irq);
}

static void transmit(struct serial *serial, uint8_t byte)
{
	serial->line[serial->n++] = (char)byte;
	if (byte == '\n' || serial->n == sizeof(serial->line))
		flush(serial);
	raise_thre(serial);
}

static uint8_t read_iir(struct serial *serial)
{
	uint8_t iir = serial->fifo ? 0xc0 : 0;

	if (!serial->thre_pending)
		return iir | UART_IIR_NO_INT;
	serial->thre_pending = false;
	return iir | UART_IIR_THRI;
}

/* In loop mode the modem lines show the outputs: how drivers find out that a port is there. */
static uint8_t read_msr(const struct serial *serial)
{
	uint8_t msr = 0;

	if (!(serial->mcr & UART_MCR_LOOP))
		return LINES_CONNECTED;
	if (serial->mcr & UART_MCR_RTS)
		msr |= UART_MSR_CTS;
	if (serial->mcr & UART_MCR_DTR)
		msr |= UART_MSR_DSR;
	if (serial->mcr & UART_MCR_OUT1)
		msr |= UART_MSR_RI;
	if (serial->mcr & UART_MCR_OUT2)
		msr |= UART_MSR_DCD;
	return msr;
}

static uint8_t read_register(struct serial *serial, unsigned reg)
{
	bool dlab = serial->lcr & UART_LCR_DLAB;

	switch (reg) {
	case UART_RX:
		return dlab ? serial->dll : 0;
	case UART_IER:
		return dlab ? serial->dlm : serial->ier;
	case UART_IIR:
		return read_iir(serial);
	case UART_LCR:
		return serial->lcr;
	case UART_MCR:
		return serial->mcr;
	case UART_LSR:
		return UART_LSR_TEMT | UART_LSR_THRE;
	case UART_MSR:
		return read_msr(serial);
	default:
		return serial->scr;
	}
}

static void write_ier(struct serial *serial, uint8_t value)
{
	bool was = serial->ier & UART_IER_THRI;

	serial->ier = value & IER_MASK;
	if (!(serial->ier & UART_IER_THRI))
		serial->thre_pending = false;
	else if (!was)
		raise_thre(serial);
}

static void write_register(struct serial *serial, unsigned reg, uint8_t value)
{
	bool dlab = serial->lcr & UART_LCR_DLAB;

	switch (reg) {
	case UART_TX:
		if (dlab)
			serial->dll = value;
		else if (!(serial->mcr & UART_MCR_LOOP))
			transmit(serial, value);
		break;
	case UART_IER:
		if (dlab)
			serial->dlm = value;
		else
			write_ier(serial, value);
		break;
	case UART_FCR:
		serial->fifo = value & UART_FCR_ENABLE_FIFO;
		break;
	case UART_LCR:
		serial->lcr = value;
		break;
	case UART_MCR:
		serial->mcr = value & MCR_MASK;
		break;
	case UART_SCR:
		serial->scr = value;
		break;
	}
}

/* The registers are bytes; a wider access is a bug of the guest's and sees the first one only. */
static void on_read(void *data, uint64_t offset, void *buf, unsigned len)
{
	struct serial *serial = data;

	memset(buf, 0xff, len);
	pthread_mutex_lock(&serial->lock);
	*(uint8_t *)buf = read_register(serial, offset);
	pthread_mutex_unlock(&serial->lock);
}

static void on_write(void *data, uint64_t offset, const void *buf, unsigned len)
{
	struct serial *serial = data;

	pthread_mutex_lock(&serial->lock);
	write_register(serial, offset, *(const uint8_t *)buf);
	pthread_mutex_unlock(&serial->lock);
}

const struct bus_ops serial_ops = {.read = on_read, .write = on_write};
