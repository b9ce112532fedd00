#!/usr/bin/python3
"""check_signatures.py DIR - python3-securesystemslib over every file of a
repository's metadata: who may sign comes from the newest root and the newest
targets; each file needs its threshold of good signatures, and a root those of
the root before it as well. Prints the number of signatures.

SPDX-License-Identifier: ISC
"""
import glob
import json
import os
import sys

from securesystemslib import formats, keys


def load(path):
    with open(path, encoding="utf-8") as f:
        return json.load(f)


def good(doc, signers, known):
    data = formats.encode_canonical(doc["signed"]).encode("utf-8")
    n = 0
    for sig in doc["signatures"]:
        if sig["keyid"] not in signers["keyids"]:
            continue
        key = dict(known[sig["keyid"]], keyid=sig["keyid"])
        if not keys.verify_signature(key, sig, data):
            sys.exit(f"bad signature by {sig['keyid']}")
        n += 1
    return n


def need(name, doc, signers, known):
    n = good(doc, signers, known)
    if n < signers["threshold"]:
        sys.exit(f"{name}: {n} good signatures, needs {signers['threshold']}")
    return n


def main(directory):
    count = 0
    roots = sorted(
        glob.glob(os.path.join(directory, "*.root.json")),
        key=lambda p: int(os.path.basename(p).split(".")[0]),
    )
    before = None
    for path in roots:
        doc = load(path)
        for root in (before, doc):
            if root is not None:
                s = root["signed"]
                count += need(path, doc, s["roles"]["root"], s["keys"])
        before = doc
    root = before["signed"]
    timestamp = load(os.path.join(directory, "timestamp.json"))
    count += need("timestamp", timestamp, root["roles"]["timestamp"], root["keys"])
    version = timestamp["signed"]["meta"]["snapshot.json"]["version"]
    snapshot = load(os.path.join(directory, f"{version}.snapshot.json"))
    count += need("snapshot", snapshot, root["roles"]["snapshot"], root["keys"])
    meta = snapshot["signed"]["meta"]
    top = load(os.path.join(directory, f"{meta['targets.json']['version']}.targets.json"))
    count += need("targets", top, root["roles"]["targets"], root["keys"])
    delegations = top["signed"].get("delegations", {"roles": [], "keys": {}})
    for role in delegations["roles"]:
        version = meta[role["name"] + ".json"]["version"]
        doc = load(os.path.join(directory, f"{version}.{role['name']}.json"))
        count += need(role["name"], doc, role, delegations["keys"])
    print(count)


main(sys.argv[1])
