/* SPDX-License-Identifier: Apache-2.0 */
/*
 * second_clock - interrupts that come whether or not any timer of the test host's kernel fires
 *
 * Theory of Operation: QEMU's VMRUN and #VMEXIT set and clear a bit in the word of a CPU's pending
 * interrupts, by a plain read-modify-write and without the lock under which another thread sets the bit
 * for "the local APIC has one". Now and then that bit is lost. The APIC still has the interrupt and the
 * next one raises the bit again; but when it was the timer's, and the kernel waits for nothing else, there
 * is no next one, and the machine stands still for ever. So the real-time clock's alarm is set: what the kernel
 * calls its periodic interrupt is made by the very timer in question, but the alarm by the HPET, 64 times a second.
 */
#include <fcntl.h>
#include <linux/rtc.h>
#include <sys/ioctl.h>
#include <unistd.h>

int main(void)
{
	int rtc = open("/dev/rtc0", O_RDONLY | O_CLOEXEC);

	if (rtc < 0 || ioctl(rtc, RTC_UIE_ON, 0) < 0)
		return 1;
	if (daemon(0, 0) < 0)
		return 1;
	for (;;)
		pause();
}
