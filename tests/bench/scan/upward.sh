#!/bin/bash
# upward.sh - what reports of 50,000 devices to the server cost: the unit test's rounds of
# real rows (tests/unit/check_scan_round.c). Called by run.sh.
# SPDX-License-Identifier: ISC
set -u
BUILD=${BUILD:-build}
. "$(dirname "$0")/row.sh"
said=$(SCAN_ROUND_DEVICES=${DEVICES:-50000} "$BUILD/tests/check_scan_round" | sed -n 's/^REPORT rounds of //p')
[ -n "$said" ] || { echo "upward.sh: check_scan_round says nothing of its rounds" >&2; exit 1; }
echo "rounds of $said"
read -r full unpacked quiet churn longest < <(sed 's/[^:]*: //; s/new ones/new/; s/[a-z,;]/ /g' <<<"$said" | awk '{ print $1, $2, $3, $5, $6 }')
row "upward full unpacked" bytes "$unpacked"
row "upward full" bytes "$full"
row "upward quiet" bytes "$quiet"
row "upward churn" bytes "$churn"
row "upward longest turn" ms "$longest"
