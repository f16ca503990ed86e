# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# lib.sh - what build, debian-image and run share: the cache, its lock, and Debian root trees
#
# The cache lies outside the tree: $SBX_BUILD_CACHE, or /var/cache/sbx-build for root and
# $XDG_CACHE_HOME/sbx-build otherwise. What it holds is complete (made under a temporary name, then
# renamed) and named by a hash of what it was made from; any of it may be deleted.

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tree=$(cd "$here/../.." && pwd)
readonly here tree
if [[ $EUID -eq 0 ]]; then
	cache=${SBX_BUILD_CACHE:-/var/cache/sbx-build}
else
	cache=${SBX_BUILD_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/sbx-build}
fi
readonly cache

say() { printf 'testhost: %s\n' "$*" >&2; }
die() { say "$*"; exit 125; }

# need COMMAND PACKAGE [COMMAND PACKAGE]...: one line that names every missing package.
need() {
	local missing=()
	while [[ $# -gt 0 ]]; do
		command -v "$1" >/dev/null || missing+=("$2")
		shift 2
	done
	[[ ${#missing[@]} -eq 0 ]] || die "missing Debian packages, install: ${missing[*]}"
}

key_of() { sha256sum | cut -c 1-16; }

# Holds the lock NAME until this process ends.
lock() {
	mkdir -p "$cache"
	exec 9>"$cache/.lock-$1"
	flock -n 9 || { say "waiting for another $1 build"; flock 9; }
}

# The running Debian's code name, and apt's own Debian sources as sources.list lines.
debian_suite() { (. /etc/os-release && echo "${VERSION_CODENAME:?not a Debian release}"); }
debian_sources() {
	# shellcheck disable=SC2016 # apt's own placeholders
	apt-get indextargets --format '$(ORIGIN) deb $(REPO_URI) $(RELEASE) $(COMPONENT)' \
		'Created-By: Packages' 2>/dev/null | sed -n 's/^Debian //p' | sort -u
}

# Runs a long command with its output in a log and a line every 20 seconds.
with_progress() {
	local what=$1 log=$2 start=$SECONDS pid
	shift 2
	"$@" >>"$log" 2>&1 </dev/null 9>&- &
	pid=$!
	while timeout 20 tail --pid=$pid -f /dev/null; [[ $? -eq 124 ]]; do
		say "$what: $((SECONDS - start)) s, $(tail -n 1 "$log" | cut -c 1-60)"
	done
	wait $pid || { tail -n 20 "$log" >&2; die "$what failed"; }
}

# debian_tree DIR LOG PACKAGE...: a minimal Debian in DIR with these packages and no documentation.
debian_tree() {
	local root=$1 log=$2 suite mirror env
	shift 2
	[[ $EUID -eq 0 ]] || die "making a Debian root tree needs root"
	need debootstrap debootstrap
	suite=$(debian_suite)
	mirror=$(debian_sources | awk -v s="$suite" '$3 == s { print $2; exit }')
	say "installing Debian $suite and ${#} packages, log: $log"
	# Without a mirror argument debootstrap takes its own default.
	with_progress "base system" "$log" \
		debootstrap --variant=minbase --include=ca-certificates "$suite" "$root" ${mirror:+"$mirror"}
	debian_sources >"$root/etc/apt/sources.list.new"
	[[ ! -s $root/etc/apt/sources.list.new ]] || mv "$root/etc/apt/sources.list.new" "$root/etc/apt/sources.list"
	rm -f "$root/etc/apt/sources.list.new"
	printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
	chmod 755 "$root/usr/sbin/policy-rc.d"
	echo force-unsafe-io >"$root/etc/dpkg/dpkg.cfg.d/unsafe-io"
	printf 'path-exclude=/usr/share/%s/*\n' doc man locale info >"$root/etc/dpkg/dpkg.cfg.d/no-docs"
	apt-config dump | grep -E '^Acquire::(https?|ftp)::Proxy' >"$root/etc/apt/apt.conf.d/00builder" || true
	cp /etc/resolv.conf "$root/etc/resolv.conf"
	env=(env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C DEBIAN_FRONTEND=noninteractive
		http_proxy="${http_proxy-}" https_proxy="${https_proxy-}")
	with_progress "package lists" "$log" "${env[@]}" chroot "$root" apt-get -q update
	with_progress "packages" "$log" "${env[@]}" chroot "$root" \
		apt-get -q -y --no-install-recommends -o APT::Cmd::Disable-Script-Warning=1 install "$@"
	# Nothing of the machine that built it stays.
	rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* "$root"/var/log/*.log \
		"$root"/var/cache/apt/*.bin "$root"/etc/apt/apt.conf.d/00builder "$root"/usr/sbin/policy-rc.d \
		"$root"/etc/dpkg/dpkg.cfg.d/unsafe-io
	: >"$root/etc/resolv.conf"
	echo testhost >"$root/etc/hostname"
}
