/* SPDX-License-Identifier: Apache-2.0 */
/* The reset line of a keyboard controller: how a guest without ACPI ends its VM. */
#ifndef VMM_I8042_H
#define VMM_I8042_H

#include "vmm/bus.h"

#define I8042_COMMAND_PORT 0x64

extern const struct bus_ops i8042_ops; /* data: the struct vm */

#endif
