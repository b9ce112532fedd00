#!/usr/bin/python3
"""tests/system/scan-receiver.py - who receives reports of devices: the rules of
docs/scan.md, "Reports to the server", and nothing else.

usage: scan-receiver.py rounds|table BODIES UUID

BODIES/UUID.SEQUENCE are the documents. "rounds" prints a line of JSON for each whole
round: round, base, parts, devices, gone, seen (how many of each), bytes, and what became
of it: "full", "changes", "lost". "table" prints what is known in the end, a row a line.
SPDX-License-Identifier: ISC
"""
import gzip
import itertools
import json
import os
import sys

what, bodies, uuid = sys.argv[1:]
table, held, parts, rounds = {}, None, [], []


def whole(round_of):
    """All parts of a round have come: it is taken, or something before it was lost."""
    global held
    number, base = round_of[0]["round"], round_of[0]["base"]
    done = {"round": number, "base": base, "parts": len(round_of)}
    for name in "devices", "gone":
        done[name] = sum(len(p[name]) for p in round_of)
    done["seen"] = sum(len(group) - 1 for p in round_of for group in p["seen"])
    if base is None:
        table.clear()
    elif base != held:
        return done | {"became": "lost"}
    for part in round_of:
        for row in part["devices"]:
            table[row["id"]] = row
        for device in part["gone"]:
            del table[device]
        for time, *steps in part["seen"]:
            for device in itertools.accumulate(steps):
                table[device]["last_seen"] = time
    held = number
    if len(table) != round_of[-1]["count"]:
        sys.exit("round %d: %d devices, count %d" % (number, len(table), round_of[-1]["count"]))
    return done | {"became": "full" if base is None else "changes"}


names = [name for name in os.listdir(bodies) if name.startswith(uuid + ".")]
for name in sorted(names, key=lambda name: int(name.rpartition(".")[2])):
    with open(os.path.join(bodies, name), "rb") as f:
        packed = f.read()
    part = json.loads(gzip.decompress(packed))
    if part["format"] != "dpoint-devices-2" or part["distribution_point"] != uuid:
        sys.exit("%s: %s of %s" % (name, part["format"], part["distribution_point"]))
    if part["part"] == 1:
        parts, size = [], 0
    elif not parts or (part["round"], part["part"]) != (parts[-1]["round"], parts[-1]["part"] + 1):
        parts = []
        continue
    parts.append(part)
    size += len(packed)
    if part["last"]:
        rounds.append(whole(parts) | {"bytes": size})
        parts = []
for row in sorted(table.values(), key=lambda row: row["id"]) if what == "table" else rounds:
    print(json.dumps(row))
