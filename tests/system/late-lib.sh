# tests/system/late-lib.sh - bounds of time that a machine which is slow for a
# moment does not break; after lib.sh.
#
#   late_start             begins to look
#   late_from; late_ms     by how much this machine let one wait that asked for 10 ms
#                          at a time, since late_from: what is to come within a time
#                          may come later by twice that
# SPDX-License-Identifier: ISC
late_start() {
	mkfifo "$T/late.in"
	# shellcheck disable=SC2016 # it is the other's to expand
	run late bash -c 'exec 9<>"$0"; t=${EPOCHREALTIME/[.,]/} sum=0
		while :; do
			read -rt 0.01 -u 9
			n=${EPOCHREALTIME/[.,]/} d=$((n - t - 10000)) t=$n
			[ $d -lt 5000 ] || { sum=$((sum + d)); echo $((sum / 1000)); }
		done' "$T/late.in"
	late_from
}
late_sum() { sleep 0.05; echo $((10#0$(tail -n 1 "$T/late.log"))); } # a moment: it was held up as we were
late_from() { LATE=$(late_sum); }
late_ms() { echo $(($(late_sum) - LATE)); }
