# SPDX-License-Identifier: Apache-2.0
# sbx. `make help` lists the targets. One make, not recursive but for build variants (asan, fuzz):
# each of those is this same file with another build folder B and other flags.

B        ?= build
ifeq ($(origin CC),default)
CC       := gcc
endif
PREFIX   ?= /usr/local
DESTDIR  ?=
VERSION  := 0.1.0
V        ?= 0
Q        := $(if $(filter 1,$(V)),,@)
say       = @printf '  %-6s %s\n' $(1) $(2)
BUILD_ID := $(shell git describe --always --dirty --abbrev=12 2>/dev/null || echo unknown)
FUZZ_SECONDS ?= 30

# The guest kernel's source gives the UAPI headers that everything is compiled against; both are
# the same in every variant.
KERNEL  := build/kernel
HEADERS := $(KERNEL)/include

WARN := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
	-Wwrite-strings -Wvla -Wformat=2 -Wimplicit-fallthrough \
	-Wno-unused-parameter	# callbacks have fixed signatures
HARDEN   ?= -O2 -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection -fcf-protection
SAN      ?=
CPPFLAGS += -D_GNU_SOURCE -Ulinux -I. -I$(B)/proto -I$(B)/gen -isystem $(HEADERS) \
	-DSBX_VERSION='"$(VERSION)"' $(if $(SAN),-DSBX_SANITIZED)
CFLAGS   += -std=gnu17 -g $(HARDEN) $(WARN) -fPIE -ffunction-sections -fdata-sections $(SAN)
LDFLAGS  += -pie -Wl,-z,relro,-z,now,-z,noexecstack,--gc-sections,--as-needed $(SAN)

rooms    := common vmm agent shim
programs := sbx-vmm sbx-share sbx-agent containerd-shim-sbx-v2 sbx sbx-oci
mains    := vmm/main.c vmm/share_main.c vmm/seccomp_compile.c agent/main.c shim/shim_main.c shim/cli_main.c \
	shim/oci_main.c shim/seccomp_main.c
main_of   = $(B)/obj/$(patsubst %.c,%.o,$(1))
protos   := $(patsubst proto/%.proto,%,$(wildcard proto/*.proto))
objs      = $(patsubst %.c,$(B)/obj/%.o,$(filter-out $(mains),$(wildcard $(1)/*.c)))
deps_of   = $(wildcard $(1:.o=.d))

.PHONY: all help deps demo test check check-vm asan fuzz prove soak tidy fmt fmt-check kernel install \
	uninstall clean programs tests share
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:

all: programs share ## programs in build/bin; guest kernel, initramfs, built-in image in build/share
programs: $(addprefix $(B)/bin/,$(programs))
share: $(addprefix $(B)/share/,vmlinux initramfs.cpio builtin.erofs seccomp.json seccomp.bpf)

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

deps: ## install what is missing of the Debian packages that a build and its tests need
	@.ci/deps

# --- objects, archives, programs -----------------------------------------------------------------

$(HEADERS)/.done: guest-kernel-config/build
	guest-kernel-config/build headers $(HEADERS)
	@touch $@

$(B)/proto/%.pb-c.c $(B)/proto/%.pb-c.h &: proto/%.proto
	@mkdir -p $(@D)
	$(call say,PROTO,$<)
	$(Q)protoc-c -I/usr/include -Iproto --c_out=$(B)/proto $< 2>&1 | { ! grep -v 'warning: Import'; }

proto_h := $(patsubst %,$(B)/proto/%.pb-c.h,$(protos))

$(B)/obj/%.o: %.c | $(HEADERS)/.done $(proto_h)
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# Generated code: its warnings are the generator's.
$(B)/obj/proto/%.o: $(B)/proto/%.pb-c.c | $(proto_h)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -w -c -o $@ $<

# The lists of system calls, compiled here so that nothing has to be when a monitor starts.
seccomp_lists := $(patsubst %,$(B)/gen/seccomp_%.inc,main vcpu worker share devices)
$(B)/gen/seccomp_compile: vmm/seccomp_compile.c common/log.c | $(HEADERS)/.done
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) -std=gnu17 -D_GNU_SOURCE -O1 $(WARN) -I. -isystem $(HEADERS) -o $@ $^ -lseccomp
$(B)/gen/seccomp_%.inc: vmm/seccomp_%.def $(if $(SAN),vmm/seccomp_sanitizer.def) $(B)/gen/seccomp_compile
	$(call say,LIST,$<)
	$(Q)$(B)/gen/seccomp_compile $* $(filter %.def,$^) >$@
$(B)/gen/seccomp_devices.inc: vmm/seccomp_main.def
$(B)/obj/vmm/seccomp.o: $(seccomp_lists)

# Where a program that was copied away from the others looks for them.
ifeq ($(filter /%,$(PREFIX)),)
$(error PREFIX=$(PREFIX) is not an absolute path)
endif
.PHONY: FORCE
$(B)/gen/prefix.h: FORCE
	@mkdir -p $(@D)
	@echo '#define SBX_PREFIX "$(PREFIX)"' | cmp -s - $@ || echo '#define SBX_PREFIX "$(PREFIX)"' >$@
$(B)/obj/shim/places.o: $(B)/gen/prefix.h

# Only what says its build id is rebuilt when it changes.
$(B)/obj/common/version.o: CPPFLAGS += -DSBX_BUILD_ID='"$(BUILD_ID)"'

define room
$(B)/lib$(1).a: $(call objs,$(1))
	@rm -f $$@ && $(AR) rcs $$@ $$^
endef
$(foreach r,$(rooms),$(eval $(call room,$(r))))
$(B)/libproto.a: $(patsubst %,$(B)/obj/proto/%.o,$(protos))
	@rm -f $@ && $(AR) rcs $@ $^

LIBS_common := -lprotobuf-c
LIBS_vmm    := -lprotobuf-c -lseccomp -lcap
LIBS_agent  := -lprotobuf-c -lcap
LIBS_shim   := -lprotobuf-c -ljansson -linih -lcap -lmd -lseccomp

base := $(B)/libcommon.a $(B)/libproto.a
link  = @mkdir -p $(@D); printf '  %-6s %s\n' LINK $@; $(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group

# Static: the agent, as the guest holds nothing else; the monitor and the command lines, of whose start the
# dynamic linker was half. Of the shim and sbx-share, which live as long as a pod, the libraries' pages are
# better shared. A sanitizer's runtime cannot be static.
STATIC ?= -static-pie
$(B)/bin/sbx-vmm: $(call main_of,vmm/main.c) $(B)/libvmm.a $(base)
	$(link) $(STATIC) $(LIBS_vmm)
$(B)/bin/sbx-share: $(call main_of,vmm/share_main.c) $(B)/libvmm.a $(base)
	$(link) $(LIBS_vmm)
$(B)/bin/containerd-shim-sbx-v2: $(call main_of,shim/shim_main.c) $(B)/libshim.a $(base)
	$(link) $(LIBS_shim)
$(B)/bin/sbx: $(call main_of,shim/cli_main.c) $(B)/libshim.a $(base)
	$(link) $(STATIC) $(LIBS_shim)
$(B)/bin/sbx-oci: $(call main_of,shim/oci_main.c) $(B)/libshim.a $(base)
	$(link) $(STATIC) $(LIBS_shim)
$(B)/bin/sbx-agent: $(call main_of,agent/main.c) $(B)/libagent.a $(base)
	$(link) $(STATIC) $(LIBS_agent)

-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)

# --- what the guest boots ------------------------------------------------------------------------

kernel: build/share/vmlinux ## the guest kernel alone
build/share/vmlinux: guest-kernel-config/build guest-kernel-config/sbx.config
	guest-kernel-config/build kernel build/share
	@touch $@
ifneq ($(B),build)
$(B)/share/vmlinux: build/share/vmlinux
	@mkdir -p $(@D)
	ln -sf $(abspath $<) $@
$(B)/share/builtin.erofs: build/share/builtin.erofs
	@mkdir -p $(@D)
	ln -sf $(abspath $<) $@
endif
$(B)/share/initramfs.cpio: $(B)/bin/sbx-agent rootfs/mkinitramfs
	rootfs/mkinitramfs $< $@
$(B)/share/seccomp.json: shim/seccomp.json
	@mkdir -p $(@D)
	cp $< $@
# Compiling it takes 4 ms, which `sbx run` need not spend each time.
$(B)/share/seccomp.bpf: $(B)/tools/sbx-seccomp shim/seccomp.json
	@mkdir -p $(@D)
	$^ $@
$(B)/tools/sbx-seccomp: $(call main_of,shim/seccomp_main.c) $(B)/libshim.a $(base)
	$(link) $(STATIC) $(LIBS_shim)
build/share/builtin.erofs: rootfs/mkbuiltin $(wildcard rootfs/builtin/*)
	rootfs/mkbuiltin $@

# --- tests ---------------------------------------------------------------------------------------

unit_rooms := $(filter $(rooms),$(notdir $(wildcard tests/unit/*)))
define unit
$(B)/tests/unit-$(1): $(patsubst %.c,$(B)/obj/%.o,$(wildcard tests/unit/$(1)/*.c)) $(B)/lib$(1).a $(base)
	$$(link) -Wl,--no-gc-sections $$(LIBS_$(1)) -lcriterion	# its tests are found by section
endef
$(foreach r,$(unit_rooms),$(eval $(call unit,$(r))))
# A config.json's way ends in the guest: the shim's tests of wrong bundles, and their fuzzer, go all of it.
$(B)/tests/unit-shim $(B)/fuzz/shim_plan: $(B)/libagent.a
tests: $(patsubst %,$(B)/tests/unit-%,$(unit_rooms))

check: programs tests ## unit and golden tests: no root, no KVM, seconds
	tests/unit/run $(patsubst %,$(B)/tests/unit-%,$(unit_rooms))

# What integration tests are made of beside scripts: guest_X is a guest's /init, host_X runs on the host.
helpers_c := $(wildcard tests/integration/guest_*.c tests/integration/host_*.c)
helpers   := $(patsubst tests/integration/%.c,$(B)/tests/%,$(helpers_c)) $(addprefix $(B)/tests/,fs_cases hostile \
	taken_vmm taken_share counted_vmm counted_share)
$(B)/tests/guest_%: tests/integration/guest_%.c
	@mkdir -p $(@D)
	$(CC) -std=gnu17 -D_GNU_SOURCE -O2 $(WARN) -static -o $@ $<
# Runs on a host and in a guest, on either's file system.
$(B)/tests/fs_cases: $(wildcard tests/conformance/fs_cases*.[ch])
	@mkdir -p $(@D)
	$(CC) -std=gnu17 -D_GNU_SOURCE -O2 $(WARN) -static -o $@ $(filter %.c,$^)
# A guest that is a kernel of its own, and an enemy.
$(B)/tests/hostile: $(wildcard tests/hostile/*.[chS])
	@mkdir -p $(@D)
	$(CC) -std=gnu17 -O2 $(WARN) -ffreestanding -fno-pie -fno-stack-protector -fcf-protection=none \
		-fno-tree-loop-distribute-patterns -mno-red-zone -mgeneral-regs-only -nostdlib -static -no-pie \
		-isystem $(HEADERS) -Wl,-z,noexecstack,-Ttext-segment=0x200000,--build-id=none -o $@ $(filter %.c %.S,$^)
$(B)/tests/host_%: $(B)/obj/tests/integration/host_%.o $(base)
	$(link) $(LIBS_common)
$(B)/tests/host_container: $(B)/obj/tests/integration/agent_harness.o $(B)/libshim.a
$(B)/tests/host_container: LIBS_common := $(LIBS_shim)
$(B)/tests/host_events $(B)/tests/host_pod: $(patsubst %,$(B)/obj/tests/integration/events_%.o,calls judge sink)
$(B)/tests/host_agent: $(patsubst %,$(B)/obj/tests/integration/agent_%.o,harness spec calls \
	cases_process cases_stream cases_wall)
# Our own programs, taken over at the moment when they begin to serve.
attacks := $(patsubst %,$(B)/obj/tests/integration/%.o,attack attack_files attack_processes attack_kernel \
	attack_network)
$(B)/tests/host_attack: $(attacks)
$(B)/tests/taken_vmm: $(call main_of,vmm/main.c)
$(B)/tests/taken_share: $(call main_of,vmm/share_main.c)
$(B)/tests/taken_%: $(B)/obj/tests/integration/taken.o $(attacks) $(B)/libvmm.a $(base)
	$(link) $(LIBS_vmm) -Wl,--wrap=loop_run,--wrap=seccomp_enter,--wrap=share_serve
# The same programs, each rule of whose lists of system calls counts what it lets through.
$(B)/obj/tests/integration/counted.o $(B)/obj/tests/integration/host_rules.o: $(seccomp_lists)
$(B)/tests/counted_vmm: $(call main_of,vmm/main.c)
$(B)/tests/counted_share: $(call main_of,vmm/share_main.c)
$(B)/tests/counted_%: $(B)/obj/tests/integration/counted.o $(B)/libvmm.a $(base)
	$(link) $(if $(filter %vmm,$@),$(STATIC)) $(LIBS_vmm) -Wl,--wrap=seccomp_enter,--wrap=seccomp_arm

check-vm: all $(helpers) ## the integration suite, in the test host or on usable KVM
	tests/integration/run
.PHONY: helpers asan-vm
helpers: $(helpers)
# A part of the suite whose every program, the guest's agent too, is built with the sanitizers.
asan-vm: ## the same for sanitizer builds: the agent, sbx run, a hostile guest
	$(MAKE) $(ASAN) all helpers
	tests/integration/run --asan 12-agent.sh 20-run.sh 90-hostile.sh

# Static programs: they also run inside.
bench_tools := $(addprefix $(B)/tests/bench/,timed first files rpc stages) $(B)/tests/host_owner
$(B)/tests/bench/rpc $(B)/tests/bench/stages: $(B)/tests/bench/%: $(B)/obj/tests/bench/%.o $(B)/libshim.a $(base)
	$(link) $(STATIC) $(LIBS_shim)
$(B)/tests/bench/%: tests/bench/%.c
	@mkdir -p $(@D)
	$(CC) -std=gnu17 -D_GNU_SOURCE -O2 $(WARN) -static -o $@ $<
.PHONY: bench bench-wall
bench: all $(bench_tools) ## what it costs, beside runc, crun, runsc and QEMU, in virtual time
	tests/bench/run
bench-wall: all $(bench_tools) ## the same in this machine's time, where it has KVM
	@tests/bench/run --wall
.PHONY: bench-short bench-accept
bench-short: all $(bench_tools) ## a few of these figures, and no worse than those in the tree
	tests/bench/gate
bench-accept: all $(bench_tools) ## puts what is measured now in their place
	tests/bench/gate --accept

test: deps ## everything, with the budgets of a CI run
	tests/run

soak: all ## the full sizes; can be resumed; totals in docs/soak.md
	tests/soak

ASAN := B=build/asan SAN="-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer" \
	HARDEN=-O1 STATIC=
asan: ## the unit tests under ASan and UBSan; `make $(ASAN) all` for the programs
	$(MAKE) $(ASAN) programs check build/asan/tests/canary
	tests/canary/run build/asan/tests/canary
$(B)/tests/canary: $(B)/obj/tests/canary/canary.o
	$(link) -Wl,--no-gc-sections -lcriterion

# tests/fuzz/ROOM_WHAT.c is a libFuzzer target over ROOM's library, compiled by clang.
fuzzers := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/*.c))
FUZZ := B=build/fuzz CC=clang-14 HARDEN=-O1 STATIC= \
	SAN="-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all"
fuzz: ## every fuzz target for FUZZ_SECONDS each
	$(MAKE) $(FUZZ) fuzzers
	tests/fuzz/run $(FUZZ_SECONDS) $(patsubst %,build/fuzz/fuzz/%,$(fuzzers))
.PHONY: fuzzers
fuzzers: $(patsubst %,$(B)/fuzz/%,$(fuzzers))
define fuzzer
$(B)/fuzz/$(1): $(B)/obj/tests/fuzz/$(1).o $(B)/lib$(firstword $(subst _, ,$(1))).a $(base)
	$$(link) -fsanitize=fuzzer $$(LIBS_$(firstword $(subst _, ,$(1))))
endef
$(foreach f,$(fuzzers),$(eval $(call fuzzer,$(f))))

prove: deps | $(HEADERS)/.done ## Frama-C over the parsers that a guest's bytes reach first
	tests/prove/run $(HEADERS)

sources := $(wildcard $(patsubst %,%/*.[ch],$(rooms)) tests/unit/*/*.[ch] tests/fuzz/*.[ch] tests/integration/*.[ch] tests/conformance/*.[ch] tests/bench/*.[ch] tests/hostile/*.[ch])
fmt: ## format the sources in place
	clang-format -i $(sources)
fmt-check: ## fail where clang-format would change a line
	@clang-format --dry-run -Werror $(sources)
tidy: | $(HEADERS)/.done $(proto_h) $(seccomp_lists) $(B)/gen/prefix.h ## clang-tidy and cppcheck
	.ci/tidy $(CPPFLAGS) -- $(filter %.c,$(sources))

# --- the product ---------------------------------------------------------------------------------

demo: deps ## a real program in a micro-VM
	@$(MAKE) --no-print-directory all
	rootfs/demo

bindir   := $(DESTDIR)$(PREFIX)/bin
sharedir := $(DESTDIR)$(PREFIX)/share/sbx
install: all ## into PREFIX (DESTDIR is honoured)
	install -d $(bindir) $(sharedir)
	install -m 755 $(addprefix build/bin/,$(filter-out sbx-agent,$(programs))) $(bindir)
	install -m 644 $(addprefix build/share/,vmlinux initramfs.cpio builtin.erofs seccomp.json seccomp.bpf) $(sharedir)
uninstall: ## remove what install put there
	rm -f $(addprefix $(bindir)/,$(filter-out sbx-agent,$(programs)))
	rm -rf $(sharedir)

clean: ## the build folder; the caches outside the tree stay
	rm -rf build
