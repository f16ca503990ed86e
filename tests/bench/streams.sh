# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# A program's output and input: what moving 64 MiB takes, less what a program takes that moves nothing.

readonly stream_bytes=$((64 << 20))

stream_nothing() { "$@" /bin/busybox true; } </dev/null >/dev/null 2>&1
stream_out() { "$@" /bin/busybox dd if=/dev/zero bs=64k count=$((stream_bytes >> 16)); } </dev/null 2>out/err >/dev/null
stream_in() { head -c "$stream_bytes" /dev/zero | "$@" /bin/busybox dd of=/dev/null bs=64k; } >/dev/null 2>out/err

# stream_rows NAME COMMAND...: of a program run by it, repeated.
stream_rows() {
	local name="streams: $1" way i bare_took bare_worked
	shift
	for ((i = 0; i < times; i++)); do
		spend stream_nothing "$@" || { missing "$name" "it does not run"; return; }
		bare_took=$took bare_worked=$worked
		for way in out in; do
			spend stream_$way "$@" || { missing "$name" "$(cat out/err)"; return; }
			say "$name" "$way" MiB/s "$(awk "BEGIN { print $stream_bytes / 1048576 / ($took - $bare_took) * 1e9 }")"
			[ "$mode" != full ] || say "$name" "$way, instructions a byte" "" \
				"$(awk "BEGIN { print ($worked - $bare_worked) / $stream_bytes }")"
		done
	done
}

# By the sandbox "bench", beside a container of crun's.
streams() {
	echo "# streams"
	stream_rows "sbx exec" sbx exec -i bench
	has "streams: crun exec" crun || return
	(cd long && crun run -d streams >/dev/null 2>&1 </dev/null)
	stream_rows "crun exec" crun exec streams
	crun delete -f streams
}
