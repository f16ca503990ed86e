/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hold_keys - keeps KVM's static keys in the test host's kernel from turning
 *
 * Theory of Operation: KVM turns parts of itself and of the scheduler on by rewriting kernel text
 * when the first virtual machine, or the first of a kind, is made, and off with the last. QEMU's
 * multi-threaded translator (before 8.2) can lose such a rewrite: a CPU that is translating the page
 * while another changes it may keep the breakpoint that stood there for a moment, and then spins in
 * int3 for ever, or keep a branch that is no longer right, and then runs a guest in the wrong state.
 * One virtual machine of each kind, which never runs, keeps every key where it is.
 */
#include <fcntl.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* A vCPU whose local APIC is never enabled, or one without any. */
static int hold(int kvm, int irqchip)
{
	int vm = ioctl(kvm, KVM_CREATE_VM, 0);

	if (vm < 0 || (irqchip && ioctl(vm, KVM_CREATE_IRQCHIP, 0) < 0))
		return -1;
	return ioctl(vm, KVM_CREATE_VCPU, 0);
}

int main(void)
{
	int kvm = open("/dev/kvm", O_RDWR);

	if (kvm < 0 || hold(kvm, 1) < 0 || hold(kvm, 0) < 0)
		return 1;
	if (daemon(0, 0) < 0)
		return 1;
	for (;;)
		pause();
}
