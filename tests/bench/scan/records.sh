#!/bin/bash
# records.sh - what 50,000 devices' records cost: RssAnon of the unit test's process that
# makes them, the keeper's own code (tests/unit/check_devices.c). Called by run.sh.
# SPDX-License-Identifier: ISC
set -u
BUILD=${BUILD:-build}
. "$(dirname "$0")/row.sh"
kib=$("$BUILD/tests/check_devices" | sed -n 's/^REPORT 50,000 devices: RssAnon \([0-9]*\) KiB.*/\1/p')
[ -n "$kib" ] || { echo "records.sh: check_devices says nothing of 50,000 devices" >&2; exit 1; }
echo "records of 50,000 devices: RssAnon $kib KiB (target 65,536)"
row "memory 50,000 records" KiB "$kib"
