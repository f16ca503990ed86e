/* SPDX-License-Identifier: Apache-2.0 */
/* An interrupt line as its device sees it: one that can be raised (an edge), and nothing else. */
#ifndef VMM_IRQ_H
#define VMM_IRQ_H

/* Copied by who raises it. raise comes from any thread that has a device; NULL: it leads nowhere. */
struct irq {
	void (*raise)(void *data, unsigned line);
	void *data;
	unsigned line;
};

static inline void irq_raise(const struct irq *irq)
{
	if (irq->raise)
		irq->raise(irq->data, irq->line);
}

#endif
