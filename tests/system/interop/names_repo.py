#!/usr/bin/python3
"""names_repo.py DIR [hostile] - a TUF repository whose roles and targets have
names that URLs must encode; `hostile` adds such that no request may say. Files
lie where a web server looks after it undid a URL's escapes. Keys and signatures
are python3-securesystemslib's.

SPDX-License-Identifier: ISC
"""
import datetime
import hashlib
import json
import os
import sys

from securesystemslib import formats, keys

ROLES = ["groups/hq", "a/b/c d", "50%", "x\\y", "ü+?#&=;@:", "quoted \"'", "..", "../up"]
TARGETS = ["plain.bin", "in a/dir with blanks/ü#?.bin", "100%.bin"]
BAD_ROLES = ["x\\..\\y", "twice%2Fx", "line\nend"]
BAD_TARGETS = ["../up.bin", "a/../../b.bin", "a//b.bin", "twice%252Fx.bin", "end\n.bin"]
EXPIRES = (datetime.datetime.utcnow() + datetime.timedelta(days=2)).strftime("%Y-%m-%dT%H:%M:%SZ")

top = sys.argv[1]
hostile = sys.argv[2:] == ["hostile"]
key = keys.generate_ed25519_key()
public = {"keytype": "ed25519", "scheme": "ed25519", "keyval": {"public": key["keyval"]["public"]}}


def put(kind, name, data):
    path = os.path.join(top, kind, name)
    if ".." in name.split("/") or "//" in name:
        return  # no server has it
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(data)


def sign(name, kind, **more):
    signed = {"_type": kind, "spec_version": "1.0.31", "version": 1, "expires": EXPIRES, **more}
    sig = keys.create_signature(key, formats.encode_canonical(signed).encode())
    doc = {"signatures": [{"keyid": sig["keyid"], "sig": sig["sig"]}], "signed": signed}
    put("metadata", name, json.dumps(doc).encode())


def target(path):
    data = ("what " + path + " holds\n").encode() * 100
    digest = hashlib.sha256(data).hexdigest()
    head, _, tail = path.rpartition("/")
    put("targets", (head + "/" if head else "") + digest + "." + tail, data)
    return {"length": len(data), "hashes": {"sha256": digest}}


roles = ROLES + (BAD_ROLES if hostile else [])
delegated = []
for n, role in enumerate(roles):
    path = f"role{n}/file.bin"
    sign(f"1.{role}.json", "targets", targets={path: target(path)})
    delegated.append({"name": role, "keyids": [key["keyid"]], "threshold": 1,
                      "terminating": False, "paths": [f"role{n}/*"]})
names = TARGETS + (BAD_TARGETS if hostile else [])
sign("1.targets.json", "targets", targets={p: target(p) for p in names},
     delegations={"keys": {key["keyid"]: public}, "roles": delegated})
sign("1.snapshot.json", "snapshot", meta={f"{r}.json": {"version": 1} for r in ["targets"] + roles})
sign("timestamp.json", "timestamp", meta={"snapshot.json": {"version": 1}})
one = {"keyids": [key["keyid"]], "threshold": 1}
sign("1.root.json", "root", consistent_snapshot=True, keys={key["keyid"]: public},
     roles={r: one for r in ("root", "targets", "snapshot", "timestamp")})
