#!/usr/bin/python3
"""tests/unit/tuf_cases.py DIR - writes the TUF repositories check_tuf follows.

Keys, canonical JSON and signatures are python3-securesystemslib's, so that the
client is judged by metadata of another hand.  Each case becomes DIR/<name>/ with
the files of every published state in 1/, 2/ ... and a `script` that check_tuf
plays.  A case is a function below: it
edits a Repo, publishes, and says what the client must answer.
SPDX-License-Identifier: ISC
"""
import copy
import hashlib
import json
import os
import shutil
import sys
from urllib.parse import quote

from securesystemslib import keys as sslib
from securesystemslib.formats import encode_canonical

DATE = "2026-06-01T00:00:00Z"      # the client's clock
LATER = "2026-07-01T00:00:00Z"     # everything expires then, if not said otherwise
PAST = "2026-05-01T00:00:00Z"
TOP = ("root", "timestamp", "snapshot", "targets")
CASES = []


def case(f):
    CASES.append(f)
    return f


def public(key):
    return {"keytype": key["keytype"], "scheme": key["scheme"],
            "keyval": {"public": key["keyval"]["public"]}}


POOL = []
ECDSA, RSA = sslib.generate_ecdsa_key(), sslib.generate_rsa_key(2048)


def new_key(n=[0]):
    """Keys are made once and handed out anew to each case."""
    n[0] += 1
    if n[0] > len(POOL):
        POOL.append(sslib.generate_ed25519_key())
    return POOL[n[0] - 1]


def signature(key, signed):
    s = sslib.create_signature(key, encode_canonical(signed).encode())
    return {"keyid": s["keyid"], "sig": s["sig"]}


class Repo:
    def __init__(self, name, out, consistent=True):
        new_key.__defaults__[0][0] = 0
        self.dir = os.path.join(out, name)
        os.makedirs(self.dir)
        self.lines = ["time " + DATE]
        self.state = 0
        self.files = {}             # path -> bytes, what the server has
        self.signers = {r: [new_key()] for r in TOP}
        self.md = {r: self.blank(r) for r in TOP}
        self.hashes = False
        root = self.md["root"]
        root.update(consistent_snapshot=consistent, keys={}, roles={})
        for r in TOP:
            root["roles"][r] = {"keyids": [], "threshold": 1}
            self.allow(r, self.signers[r][0])
        self.md["timestamp"]["meta"] = {"snapshot.json": {"version": 1}}
        self.md["snapshot"]["meta"] = {}
        self.md["targets"]["targets"] = {}
        self.publish("targets", "snapshot", "timestamp", "root", bump=False)
        self.serve()
        self.say("root 1/1.root.json")

    @staticmethod
    def blank(role):
        return {"_type": role if role in TOP else "targets", "expires": LATER,
                "spec_version": "1.0.31", "version": 1}

    def say(self, *lines):
        self.lines += lines

    def allow(self, role, key, by=None):
        if by is None:
            self.md["root"]["keys"][key["keyid"]] = public(key)
            self.md["root"]["roles"][role]["keyids"].append(key["keyid"])
        else:
            d = self.md[by]["delegations"]
            d["keys"][key["keyid"]] = public(key)
            next(x for x in d["roles"] if x["name"] == role)["keyids"].append(key["keyid"])

    def rotate(self, role):
        self.md["root"]["roles"][role]["keyids"] = []
        self.signers[role] = [new_key()]
        self.allow(role, self.signers[role][0])

    def delegate(self, by, name, key=None, terminating=False, **how):
        d = self.md[by].setdefault("delegations", {"keys": {}, "roles": []})
        d["roles"].append({"name": name, "keyids": [], "threshold": 1,
                           "terminating": terminating, **(how or {"paths": ["*"]})})
        key = key or new_key()
        self.allow(name, key, by)
        self.signers.setdefault(name, []).append(key)
        if name not in self.md:
            self.md[name] = self.blank(name)
            self.md[name]["targets"] = {}

    def target(self, role, path, data=b"x", **more):
        self.md[role]["targets"][path] = {
            "length": len(data),
            "hashes": {"sha256": hashlib.sha256(data).hexdigest()}, **more}

    def sign(self, role):
        signed = self.md[role]
        return {"signatures": [signature(k, signed) for k in self.signers[role]],
                "signed": signed}

    def fact(self, role, raw):
        f = {"version": self.md[role]["version"]}
        if self.hashes:
            f.update(length=len(raw), hashes={"sha256": hashlib.sha256(raw).hexdigest()})
        return f

    def publish(self, *roles, bump=True, edit=None):
        """Signs and lays out; edit(document) spoils the last role's file."""
        for role in roles:
            if bump:
                self.md[role]["version"] += 1
            doc = self.sign(role)
            if edit and role == roles[-1]:
                edit(doc)
            raw = json.dumps(doc, indent=1).encode()
            if role == "snapshot":
                self.md["timestamp"]["meta"]["snapshot.json"] = self.fact(role, raw)
            elif role not in TOP or role == "targets":
                self.md["snapshot"]["meta"][role + ".json"] = self.fact(role, raw)
            self.put(role, raw)

    def put(self, role, raw):
        name = quote(role, safe="") + ".json"
        if role == "root" or (role != "timestamp" and
                              self.md["root"]["consistent_snapshot"]):
            name = "%d.%s" % (self.md[role]["version"], name)
        self.files[name] = raw

    def serve(self):
        self.state += 1
        d = os.path.join(self.dir, str(self.state))
        os.makedirs(d)
        for name, raw in self.files.items():
            with open(os.path.join(d, name), "wb") as f:
                f.write(raw)
        self.say("serve %d" % self.state)

    def refresh(self, result="ok", **trusted):
        self.serve()
        self.say("refresh " + result)
        if trusted:
            self.say("trusted " + " ".join("%s=%d" % kv for kv in trusted.items()))

    def close(self):
        with open(os.path.join(self.dir, "script"), "w") as f:
            f.write("\n".join(self.lines) + "\n")


# ---- the plain way ------------------------------------------------------------

@case
def first_refresh(r):
    r.refresh(root=1, timestamp=1, snapshot=1, targets=1)
    r.say("asked 2.root.json timestamp.json 1.snapshot.json 1.targets.json",
          "refresh ok", "asked 2.root.json timestamp.json")


@case
def without_consistent_snapshot(r):
    r.target("targets", "a/b")
    r.publish("targets", "snapshot", "timestamp")
    r.refresh()
    r.say("asked 2.root.json timestamp.json snapshot.json targets.json",
          "at a/b a/b")


without_consistent_snapshot.consistent = False


@case
def target_paths_become_urls(r):
    paths = (("a b/\u00fc.deb", "a%20b/%C3%BC.deb"), ("a%20b", "a%20b"), ("100%", "100%25"),
             ("a?b#c", "a%3Fb%23c"), ("a+b_1:1~c;d=e@f,(g)!*'$&", "a+b_1:1~c;d=e@f,(g)!*'$&"),
             ("a/", "a/"), ("m" * 290, "m" * 290), ("n" * 1020, "E2BIG"))
    for path, _ in paths:
        r.target("targets", path)
    r.publish("targets", "snapshot", "timestamp")
    r.refresh()
    for path, url in paths:
        r.say("at %s %s" % (path, url))


target_paths_become_urls.consistent = False


@case
def target_path_has_its_hash(r):
    r.target("targets", "a/b", b"abc")
    r.publish("targets", "snapshot", "timestamp")
    r.refresh()
    r.say("find a/b targets", "at a/b a/%s.b" % hashlib.sha256(b"abc").hexdigest(),
          "find a/c ENOENT")


@case
def sha512_alone_is_enough(r):
    r.target("targets", "a")
    h = hashlib.sha512(b"x").hexdigest()
    r.md["targets"]["targets"]["a"]["hashes"] = {"sha512": h, "md4": "?"}
    r.publish("targets", "snapshot", "timestamp")
    r.refresh()
    r.say("find a targets", "at a %s.a" % h)


@case
def target_without_a_hash_that_we_know(r):
    r.target("targets", "a")
    r.target("targets", "b")
    r.md["targets"]["targets"]["a"]["hashes"] = {"md5": "00"}
    r.publish("targets", "snapshot", "timestamp")
    r.refresh()
    r.say("find a EBADMSG", "find b targets", "count 1")


@case
def unknown_fields_are_signed_for(r):
    r.md["root"]["x"] = {"b": [True, None, -3], "a": "\u00fc\n\"\\\U0001f600"}
    r.publish("root")
    r.refresh(root=2)


@case
def hashes_and_lengths_match(r):
    r.hashes = True
    r.publish("targets", "snapshot", "timestamp")
    r.refresh(snapshot=2, targets=2)


@case
def same_version_changes_nothing(r):
    r.refresh()
    r.md["timestamp"]["meta"]["snapshot.json"]["version"] = 100
    r.publish("timestamp", bump=False)
    r.refresh("ok", timestamp=1, snapshot=1)
    r.say("asked 2.root.json timestamp.json")


@case
def white_space_is_kept(r):
    r.files["timestamp.json"] += b" \n"
    r.refresh()
    r.say("same timestamp timestamp.json")


@case
def layout_of_tuf_on_ci(r):
    """Fields of its own, keys of several kinds, signatures left empty."""
    root = r.md["root"]
    root["x-tuf-on-ci-expiry-period"] = 182
    root["expires"] = "2026-07-01T00:00:00.99008-06:00"
    for key in (ECDSA, RSA):
        r.allow("root", key)
        r.signers["root"].append(key)
        root["keys"][key["keyid"]].update({
            "x-tuf-on-ci-keyowner": "@someone", "keyid_hash_algorithms": ["sha256"]})
    root["roles"]["root"]["threshold"] = 2
    root["roles"]["timestamp"]["x-tuf-on-ci-signing-period"] = 4
    def leave_one_empty(doc):
        doc["signatures"][1]["sig"] = ""
    r.publish("root", edit=leave_one_empty)
    r.delegate("targets", "keys.example.org", ECDSA, True,
               paths=["keys.example.org/*"])
    r.target("keys.example.org", "keys.example.org/keys.json")
    r.target("targets", "trusted_root.json")
    r.publish("keys.example.org", "targets", "snapshot", "timestamp")
    r.refresh(root=2)
    r.say("find keys.example.org/keys.json keys.example.org",
          "fetched 2.keys.example.org.json", "find trusted_root.json targets",
          "find keys.example.org/none ENOENT")


# ---- what must be refused --------------------------------------------------------

@case
def missing_files(r):
    r.refresh()
    r.md["snapshot"]["version"] = 5
    r.md["timestamp"]["meta"]["snapshot.json"]["version"] = 5
    r.publish("timestamp")
    r.refresh("ENOENT 5.snapshot.json: the repository does not have it",
              timestamp=2, snapshot=1)
    del r.files["timestamp.json"]
    r.refresh("ENOENT timestamp.json: the repository does not have it")


@case
def unsigned_roles(r):
    r.refresh()
    for role, files in (("targets", "3.targets.json"), ("snapshot", "3.snapshot.json"),
                        ("timestamp", "timestamp.json")):
        saved, files_before, md = r.signers[role], dict(r.files), copy.deepcopy(r.md)
        r.publish("targets", "snapshot", "timestamp")
        r.signers[role] = [new_key()]
        r.publish("targets", "snapshot", "timestamp")
        r.serve()
        r.say("refresh EACCES %s: signed by 0 of the 1 keys it needs" % files)
        r.signers[role], r.files, r.md = saved, files_before, md
        r.say("forget", "root 1/1.root.json")


@case
def unsigned_root(r):
    r.signers["root"] = [new_key()]
    r.publish("root")
    r.refresh("EACCES 2.root.json: signed by 0 of the 1 keys it needs", root=1)


@case
def first_root_signed_by_nobody(r):
    def spoil(doc):
        doc["signatures"][0]["sig"] = "00" * 64
    r.publish("root", edit=spoil)
    r.serve()
    r.say("forget", "root 2/2.root.json",
          "refresh EACCES root.json: signed by 0 of the 1 keys it needs", "asked")


@case
def version_not_as_asked(r):
    r.md["root"]["version"] = 3
    r.publish("root", bump=False)
    r.files["2.root.json"] = r.files.pop("3.root.json")
    r.refresh("ESTALE 2.root.json: is version 3", root=1)


@case
def snapshot_not_the_one_named(r):
    r.refresh()
    r.publish("snapshot", "timestamp")
    r.md["snapshot"]["version"] = 9
    r.publish("snapshot", bump=False)
    r.files["2.snapshot.json"] = r.files["9.snapshot.json"]
    r.refresh("ESTALE 2.snapshot.json: is version 9, the timestamp names 2",
              timestamp=2, snapshot=1)


@case
def targets_not_the_one_named(r):
    r.publish("targets", "snapshot", "timestamp")
    r.files["2.targets.json"] = r.files["1.targets.json"]
    r.refresh("ESTALE 2.targets.json: is version 1, the snapshot names 2",
              timestamp=2, snapshot=2)


@case
def mix_and_match_by_hash(r):
    r.hashes = True
    r.publish("targets", "snapshot", "timestamp")
    r.md["targets"]["x"] = 1
    r.publish("targets", bump=False)
    r.refresh("E2BIG 2.targets.json: longer than the * bytes it may have", snapshot=2)
    r.files["2.targets.json"] = r.files["2.targets.json"][:100]
    r.refresh("EBADMSG 2.targets.json: 100 bytes long, signed as *", snapshot=2)
    r.md["targets"]["x"] = 2
    r.hashes = True
    r.publish("targets", "snapshot", "timestamp")
    r.md["targets"]["x"] = 3
    r.publish("targets", bump=False)
    r.refresh("EBADMSG 3.targets.json: its sha256 is not the signed one", snapshot=3)


@case
def longer_than_signed(r):
    r.hashes = True
    r.publish("targets", "snapshot", "timestamp")
    r.files["2.snapshot.json"] += b" " * 10
    r.refresh("E2BIG 2.snapshot.json: longer than the * bytes it may have",
              timestamp=2)


@case
def longer_than_allowed(r):
    r.files["timestamp.json"] += b" " * 16384
    r.refresh("E2BIG timestamp.json: longer than the 16384 bytes it may have", root=1)


@case
def longer_than_allowed_and_signed_so(r):
    r.hashes = True
    r.publish("snapshot", "timestamp")
    r.md["timestamp"]["meta"]["snapshot.json"]["length"] = 2000001
    r.publish("timestamp")
    r.refresh("E2BIG 2.snapshot.json: 2000001 bytes long, more than the 2000000 allowed"
              " here", timestamp=3)


@case
def sha512_differs(r):
    r.publish("targets")
    r.md["snapshot"]["meta"]["targets.json"]["hashes"] = {"sha512": "ab" * 64}
    r.publish("snapshot", "timestamp")
    r.refresh("EBADMSG 2.targets.json: its sha512 is not the signed one", snapshot=2)


@case
def signatures_of_a_wrong_shape(r):
    for sigs, text in (({}, "no list \"signatures\" of at most 1024"),
                       ([{}] * 1025, "no list \"signatures\" of at most 1024"),
                       ([{"keyid": "a"}], "a signature without keyid and sig"),
                       ([{"sig": "a"}], "a signature without keyid and sig"),
                       (["a"], "a signature without keyid and sig")):
        r.publish("timestamp", edit=lambda d, s=sigs: d.update(signatures=s))
        r.refresh("EBADMSG timestamp.json: " + text)


@case
def no_hash_that_we_know(r):
    r.publish("targets")
    r.md["snapshot"]["meta"]["targets.json"]["hashes"] = {"md5": "00"}
    r.publish("snapshot", "timestamp")
    r.refresh("EBADMSG 2.targets.json: signed with no hash that we know", snapshot=2)


@case
def snapshot_in_a_timestamps_place(r):
    key = r.signers["timestamp"][0]
    r.allow("snapshot", key)
    r.signers["snapshot"].append(key)
    r.md["snapshot"]["meta"] = {"snapshot.json": {"version": 1}}
    r.publish("root", "snapshot")
    r.files["timestamp.json"] = r.files["2.snapshot.json"]
    r.refresh("EBADMSG timestamp.json: its _type is not \"timestamp\"", root=2)


def shape(role, text, edit):
    """A well signed file of a wrong shape."""
    def f(r):
        edit(r.md[role])
        new = "timestamp.json" if role == "timestamp" else "2.%s.json" % role
        r.publish(*{"root": ("root",), "timestamp": ("timestamp",),
                    "snapshot": ("snapshot", "timestamp"),
                    "targets": ("targets", "snapshot", "timestamp")}[role])
        r.refresh("EBADMSG %s: %s" % (new, text))
    return f


def setter(*path_and_value):
    *path, last, value = path_and_value

    def f(md):
        for p in path:
            md = md[p] if p in md or isinstance(md, list) else md.setdefault(p, {})
        if value is None:
            del md[last]
        else:
            md[last] = value
    return f


ROLE = {"name": "a", "keyids": [], "threshold": 1, "terminating": False, "paths": ["*"]}


def role_but(**kw):
    d = {**ROLE, **kw}
    return [{k: v for k, v in d.items() if v is not None}]


for n, (role, text, edit) in enumerate((
    ("root", "its spec_version is not 1.x", setter("spec_version", "2.0.0")),
    ("root", "its spec_version is not 1.x", setter("spec_version", None)),
    ("root", "its spec_version is not 1.x", setter("spec_version", "1.x")),
    ("root", "no date \"expires\"", setter("expires", "2026-13-01T00:00:00Z")),
    ("root", "no date \"expires\"", setter("expires", "tomorrow")),
    ("root", "no object \"keys\"", setter("keys", None)),
    ("root", "no role \"snapshot\"", setter("roles", "snapshot", None)),
    ("root", "a role without a threshold of at least 1",
     setter("roles", "snapshot", "threshold", 0)),
    ("root", "a role without a list \"keyids\" of at most 1024",
     setter("roles", "snapshot", "keyids", "x")),
    ("root", "a role that names a key id twice",
     setter("roles", "snapshot", "keyids", ["a", "a"])),
    ("root", "a key id that is not a string",
     setter("roles", "snapshot", "keyids", [1])),
    ("root", "a key without keytype, scheme and keyval", setter("keys", "x", {})),
    ("root", "consistent_snapshot is neither true nor false",
     setter("consistent_snapshot", "yes")),
    ("timestamp", "no object \"meta\"", setter("meta", None)),
    ("timestamp", "no snapshot.json under \"meta\"", setter("meta", {})),
    ("timestamp", "a file under \"meta\" without a good version, length or hash",
     setter("meta", "snapshot.json", "version", 0)),
    ("snapshot", "a file under \"meta\" without a good version, length or hash",
     setter("meta", "targets.json", "hashes", {"sha256": "00"})),
    ("snapshot", "a file under \"meta\" without a good version, length or hash",
     setter("meta", "targets.json", "length", 0)),
    ("timestamp", "no version of at least 1", setter("version", -3)),
    ("targets", "no object \"targets\"", setter("targets", None)),
    ("targets", "a target without a good length or hash",
     setter("targets", "a", {"length": 1})),
    ("targets", "a target without a good length or hash",
     setter("targets", "a", {"length": -1, "hashes": {"sha256": "00" * 32}})),
    ("targets", "a target without a good length or hash",
     setter("targets", "a", {"length": 1, "hashes": {}})),
    ("targets", "delegations with neither or both of roles and succinct_roles",
     setter("delegations", {"keys": {}})),
    ("targets", "a delegation without a name of its own",
     setter("delegations", {"keys": {}, "roles": role_but(name="root")})),
    ("targets", "a delegation without a name of its own",
     setter("delegations", {"keys": {}, "roles": role_but(name="")})),
    ("targets", "a delegation without a name of its own",
     setter("delegations", {"keys": {}, "roles": role_but(name="n" * 256)})),
    ("targets", "a delegation that does not say \"terminating\"",
     setter("delegations", {"keys": {}, "roles": role_but(terminating=None)})),
    ("targets", "a delegation without either paths or path_hash_prefixes",
     setter("delegations", {"keys": {}, "roles": role_but(paths=None)})),
    ("targets", "a delegation without either paths or path_hash_prefixes",
     setter("delegations", {"keys": {}, "roles": role_but(path_hash_prefixes=["0"])})),
    ("targets", "a delegation without either paths or path_hash_prefixes",
     setter("delegations", {"keys": {}, "roles": role_but(paths=["a", 1])})),
    ("targets", "succinct_roles without a name_prefix",
     setter("delegations", {"keys": {}, "succinct_roles": {
         "keyids": [], "threshold": 1, "bit_length": 3}})),
    ("targets", "a target without a good length or hash",
     setter("targets", "a", {"length": 1, "hashes": {"sha512": "00" * 32}})),
    ("targets", "two delegations of one name",
     setter("delegations", {"keys": {}, "roles": role_but() + role_but()})),
    ("targets", "succinct_roles without a bit_length of 1 to 16",
     setter("delegations", {"keys": {}, "succinct_roles": {
         "keyids": [], "threshold": 1, "name_prefix": "b", "bit_length": 33}})),
)):
    f = shape(role, text, edit)
    f.__name__ = "shape_%02d_%s" % (n, role)
    CASES.append(f)


@case
def not_json(r):
    for raw, text in (
            (b"", "not JSON: line *"), (b"{", "not JSON: line *"),
            (b'{"a":1,"a":1}', "not JSON: line *"),
            (b"{}", "no object \"signed\""),
            (b'{"signed":{},"signatures":[]}', "its _type is not \"timestamp\""),
            (b"[" * 100, "nested too deeply"),
            (b"[" + b"1," * 7000 + b"1]", "too many values for its size"),
            (b'{"signed":' + b"1" * 30 + b"}", "not JSON: line *"),
            (b'"\xff"', "not JSON: line *")):
        r.files["timestamp.json"] = raw
        r.refresh("EBADMSG timestamp.json: " + text)


@case
def real_numbers_have_no_canonical_form(r):
    doc = r.sign("timestamp")
    doc["signed"]["x"] = 1.5
    r.files["timestamp.json"] = json.dumps(doc).encode()
    r.refresh("EBADMSG timestamp.json: holds a number that has no canonical form")


# ---- signatures and thresholds ------------------------------------------------------

@case
def threshold_not_met(r):
    role = r.md["root"]["roles"]["snapshot"]
    for _ in range(2):
        key = new_key()
        r.allow("snapshot", key)
        r.signers["snapshot"].append(key)
    role["threshold"] = 3
    r.publish("root", "snapshot", "timestamp")
    r.refresh(snapshot=2)
    r.signers["snapshot"].pop()
    r.publish("snapshot", "timestamp")
    r.refresh("EACCES 3.snapshot.json: signed by 2 of the 3 keys it needs", snapshot=2)


@case
def more_asked_than_keys(r):
    r.md["root"]["roles"]["timestamp"]["threshold"] = 2
    r.publish("root")
    r.refresh("EACCES timestamp.json: signed by 1 of the 2 keys it needs", root=2)


@case
def signature_twice(r):
    r.publish("timestamp", edit=lambda d: d["signatures"].append(d["signatures"][0]))
    r.refresh("EBADMSG timestamp.json: two signatures of one key id")


@case
def one_key_under_two_ids(r):
    key = r.signers["timestamp"][0]
    r.md["root"]["keys"]["alias"] = public(key)
    r.md["root"]["roles"]["timestamp"] = {"keyids": [key["keyid"], "alias"],
                                          "threshold": 2}
    def alias(doc):
        doc["signatures"].append({**doc["signatures"][0], "keyid": "alias"})
    r.publish("root")
    r.publish("timestamp", edit=alias)
    r.refresh("EACCES timestamp.json: signed by 1 of the 2 keys it needs", root=2)


@case
def key_id_need_not_be_the_hash(r):
    key = r.signers["timestamp"][0]
    r.md["root"]["keys"]["alias"] = public(key)
    r.md["root"]["roles"]["timestamp"]["keyids"] = ["alias"]
    r.publish("root")
    r.publish("timestamp",
              edit=lambda d: d["signatures"][0].update(keyid="alias"))
    r.refresh(root=2, timestamp=2)


@case
def bad_signatures_beside_good_ones(r):
    key = new_key()
    r.allow("timestamp", key)
    r.md["root"]["roles"]["timestamp"]["keyids"].append("nowhere")
    r.publish("root")
    for sig in ("", "zz", "0", "00" * 64, "00" * 5000):
        r.publish("timestamp", edit=lambda d, s=sig: d["signatures"].insert(
            0, {"keyid": key["keyid"], "sig": s}))
        r.refresh()
    r.publish("timestamp", edit=lambda d: d["signatures"].append(
        {"keyid": "unheard of", "sig": "00"}))
    r.refresh(timestamp=7)


def with_key(key, edit=None):
    def f(r):
        r.md["root"]["roles"]["root"]["threshold"] = 2
        r.allow("root", key)
        if edit:
            edit(r.md["root"]["keys"][key["keyid"]])
        r.signers["root"].append(key)
        r.publish("root")
        r.refresh(root=2)
        def spoil(doc):
            s = doc["signatures"][1]
            s["sig"] = s["sig"][:-2] + ("00" if s["sig"][-2:] != "00" else "01")
        r.publish("root", edit=spoil)
        r.refresh("EACCES 3.root.json: signed by 1 of the 2 keys it needs", root=2)
    return f


def hex_point(pem):
    from cryptography.hazmat.primitives import serialization as s
    return s.load_pem_public_key(pem.encode()).public_bytes(
        s.Encoding.X962, s.PublicFormat.UncompressedPoint).hex()


for name, key, edit in (
        ("ecdsa", ECDSA, None),
        ("ecdsa_old_keytype", ECDSA, setter("keytype", "ecdsa-sha2-nistp256")),
        ("ecdsa_hex_point", ECDSA,
         lambda k: k["keyval"].update(public=hex_point(k["keyval"]["public"]))),
        ("rsa_pss", RSA, None)):
    f = with_key(key, edit)
    f.__name__ = "key_" + name
    CASES.append(f)


@case
def key_id_is_the_hash_of_the_key(r):
    """As later versions of securesystemslib compute it."""
    key = {**public(ECDSA), "x": {"b": 1, "a": ["\u00fc"]}}
    r.md["root"]["keys"] = {
        hashlib.sha256(encode_canonical(k).encode()).hexdigest(): k
        for k in [*r.md["root"]["keys"].values(), key, public(RSA)]}
    r.publish("root")
    r.serve()
    r.say("keyids 2.root.json")


@case
def keys_that_we_cannot_use_never_count(r):
    ids = r.md["root"]["roles"]["root"]["keyids"]
    good, pem = r.signers["root"][0], ECDSA["keyval"]["public"]
    for n, key in enumerate((
            {"keytype": "ed448", "scheme": "ed448", "keyval": {"public": "00"}},
            {"keytype": "ed25519", "scheme": "other", "keyval": public(good)["keyval"]},
            {"keytype": "ed25519", "scheme": "ed25519", "keyval": {"public": "00"}},
            {"keytype": "ed25519", "scheme": "ed25519", "keyval": {"public": pem}},
            {"keytype": "rsa", "scheme": "rsassa-pss-sha256", "keyval": {"public": pem}},
            {"keytype": "ecdsa", "scheme": "ecdsa-sha2-nistp256",
             "keyval": {"public": "04" + "11" * 64}},
            {"keytype": "sigstore-oidc", "scheme": "Fulcio", "keyval": {"identity": "a"}})):
        r.md["root"]["keys"]["odd%d" % n] = key
        ids.append("odd%d" % n)
    def odd(doc):
        doc["signatures"] += [{"keyid": "odd%d" % n, "sig": doc["signatures"][0]["sig"]}
                              for n in range(7)]
    r.publish("root", edit=odd)
    r.refresh(root=2)
    r.md["root"]["roles"]["root"]["threshold"] = 2
    r.publish("root", edit=odd)
    r.refresh("EACCES 3.root.json: by its own keys: signed by 1 of the 2 keys it needs",
              root=2)


# ---- rotation of the root -----------------------------------------------------------

def rotation(*steps):
    """Each step: keys, threshold, signers, and the error if it is refused."""
    def f(r):
        pool = [new_key() for _ in range(7)]
        for n, (ids, threshold, sigs, *error) in enumerate(steps):
            role = r.md["root"]["roles"]["root"]
            role["keyids"], role["threshold"] = [], threshold
            for i in ids:
                r.allow("root", pool[i])
            r.signers["root"] = [pool[i] for i in sigs]
            if n == 0:
                r.files.pop("1.root.json")
            r.publish("root", bump=n > 0)
            if n == 0:
                r.serve()
                r.say("forget", "root %d/1.root.json" % r.state)
        if error:
            r.refresh("EACCES %d.root.json: %s" % (len(steps), error[0]),
                      root=len(steps) - 1)
        else:
            r.refresh(root=len(steps))
    return f


FEW = "signed by %d of the %d keys it needs"
OWN = "by its own keys: " + FEW
for n, steps in enumerate((
    (([1], 1, [1]), ([2], 1, [2, 1]), ([2], 1, [2])),
    (([1], 1, [3, 1, 4]), ([2], 1, [3, 2, 1, 4]), ([2], 1, [3, 2, 4])),
    (([0, 1, 2, 3, 4], 3, [0, 2, 4]), ([0, 1, 2, 3, 4], 3, [0, 4, 1]),
     ([0, 1, 2, 3, 4], 3, [0, 1, 3])),
    (([0, 1, 2], 2, [0, 1]), ([3, 4, 5], 2, [0, 1, 3, 4]), ([3, 4, 5], 2, [4, 5])),
    (([1, 2, 3], 1, [1]), ([1, 2, 3], 2, [1, 2])),
    (([1, 2, 3], 2, [1, 2]), ([1, 2, 3], 1, [1, 2]), ([1, 2, 3], 1, [1])),
    (([1], 1, [1]), ([2], 1, [2, 3, 4], FEW % (0, 1))),
    (([1], 1, [1]), ([2], 1, [1, 3, 4], OWN % (0, 1))),
    (([0, 1, 2, 3, 4], 3, [0, 2, 4]), ([0, 1, 3, 4, 5], 3, [0, 2, 4], OWN % (2, 3))),
    (([0, 1, 2, 3, 4], 3, [0, 2, 4]), ([0, 1, 3, 4, 5], 3, [0, 4, 5], FEW % (2, 3))),
    (([1, 2, 3], 1, [1]), ([1, 2, 3], 2, [2], OWN % (1, 2))),
    (([1, 2, 3], 2, [1, 2]), ([1, 2, 3], 1, [1], FEW % (1, 2))),
)):
    f = rotation(*steps)
    f.__name__ = "rotation_%02d" % n
    CASES.append(f)


@case
def rotations_are_bounded(r):
    for _ in range(5):
        r.publish("root")
    r.say("limit max_rotations 3")
    r.refresh(root=4)
    r.say("asked 2.root.json 3.root.json 4.root.json timestamp.json"
          " 1.snapshot.json 1.targets.json", "refresh ok", "trusted root=6")


# ---- time -----------------------------------------------------------------------------

@case
def expired_root_is_kept_and_nothing_more(r):
    r.refresh()
    r.md["root"]["expires"] = PAST
    r.publish("root", "targets", "snapshot", "timestamp")
    r.refresh("ETIME root.json: version 2 expired on " + PAST,
              root=2, timestamp=1, snapshot=1)


@case
def expired_root_is_replaced(r):
    r.md["root"]["expires"] = PAST
    r.publish("root")
    r.md["root"]["expires"] = LATER
    r.publish("root")
    r.refresh(root=3)


@case
def expired_timestamp(r):
    r.refresh()
    r.md["timestamp"]["expires"] = PAST
    r.publish("timestamp")
    r.refresh("ETIME timestamp.json: version 2 expired on " + PAST, timestamp=1)


@case
def expired_snapshot(r):
    r.refresh()
    r.md["snapshot"]["expires"] = PAST
    r.publish("snapshot", "timestamp")
    r.refresh("ETIME 2.snapshot.json: version 2 expired on " + PAST,
              timestamp=2, snapshot=1)


@case
def expired_targets(r):
    r.refresh()
    r.md["targets"]["expires"] = PAST
    r.publish("targets", "snapshot", "timestamp")
    r.refresh("ETIME 2.targets.json: version 2 expired on " + PAST,
              timestamp=2, snapshot=2, targets=1)
    r.say("offline ESTALE targets.json: is version 1, the snapshot names 2")


@case
def expired_local_timestamp_still_guards(r):
    r.publish("timestamp")
    r.publish("timestamp")
    r.refresh(timestamp=3)
    old = r.md["timestamp"]
    r.md["timestamp"] = {**old, "version": 2, "expires": "2027-01-01T00:00:00Z"}
    r.publish("timestamp", bump=False)
    r.say("time 2026-07-02T00:00:00Z")
    r.md["root"]["expires"] = "2027-01-01T00:00:00Z"
    r.publish("root")
    r.refresh("ESTALE timestamp.json: version 2 is older than the trusted 3", timestamp=3)


@case
def offline_reads_what_has_expired(r):
    r.md["timestamp"]["expires"] = "2026-06-10T00:00:00Z"
    r.delegate("targets", "d")
    r.target("d", "x")
    r.publish("d", "targets", "snapshot", "timestamp")
    r.say("all")
    r.refresh()
    r.say("offline ok", "expired", "find x d", "count 1",
          "time 2026-06-10T00:00:00Z",
          "refresh ETIME timestamp.json: version 2 expired on 2026-06-10T00:00:00Z",
          "offline ok", "expired timestamp", "find x d",
          "time 2026-07-01T00:00:00Z",
          "offline ok", "expired root timestamp snapshot targets d", "count 1",
          "refresh ETIME root.json: version 1 expired on " + LATER)


@case
def offline_takes_no_lesser_proof(r):
    r.refresh()
    r.say("offline ok")
    r.rotate("targets")
    r.publish("root")
    r.signers["targets"] = [new_key()]
    r.publish("targets", "snapshot", "timestamp")
    r.refresh("EACCES 2.targets.json: signed by 0 of the 1 keys it needs",
              root=2, snapshot=2)
    r.say("offline EACCES targets.json: signed by 0 of the 1 keys it needs")
    r.say("forget", "root 1/1.root.json",
          "offline ENOENT timestamp.json: not in the local state")


# ---- rollback, and the way back from it -------------------------------------------------

@case
def timestamp_rollback(r):
    first = r.files["timestamp.json"]
    r.publish("timestamp")
    r.refresh(timestamp=2)
    r.files["timestamp.json"] = first
    r.refresh("ESTALE timestamp.json: version 1 is older than the trusted 2",
              timestamp=2)


def snapshot_rollback(r):
    r.publish("snapshot", "timestamp")
    r.refresh(snapshot=2)
    r.md["snapshot"]["version"] = 1
    r.publish("snapshot", bump=False)
    r.publish("timestamp")
    r.refresh("ESTALE timestamp.json: names snapshot version 1, older than the"
              " trusted 2", timestamp=2, snapshot=2)


def targets_rollback(r):
    r.publish("targets", "snapshot", "timestamp")
    r.refresh(targets=2)
    r.md["targets"]["version"] = 1
    r.publish("targets", bump=False)
    r.publish("snapshot", "timestamp")
    r.refresh("ESTALE 3.snapshot.json: lists version 1 of targets.json, older than"
              " the trusted 2", timestamp=3, snapshot=2, targets=2)


for f in (snapshot_rollback, targets_rollback):
    def hashed(r, f=f):
        r.hashes = True
        f(r)
    hashed.__name__ = f.__name__ + "_hashed"
    CASES += [f, hashed]


@case
def role_leaves_the_snapshot(r):
    r.delegate("targets", "a/b")
    r.publish("a/b", "targets", "snapshot", "timestamp")
    r.refresh(snapshot=2)
    del r.md["snapshot"]["meta"]["a/b.json"]
    r.publish("snapshot", "timestamp")
    r.refresh("ESTALE 3.snapshot.json: no longer lists a%2Fb.json", snapshot=2)


@case
def fast_forward_of_targets(r):
    r.md["targets"]["version"] = 99
    r.publish("targets", "snapshot", "timestamp")
    r.refresh(targets=100)
    r.rotate("snapshot")
    r.md["targets"]["version"] = 1
    r.publish("targets", bump=False)
    r.publish("root", "snapshot", "timestamp")
    r.refresh(targets=1)


@case
def fast_forward_of_snapshot(r):
    r.md["snapshot"]["version"] = 99
    r.publish("snapshot", "timestamp")
    r.refresh(snapshot=100)
    r.rotate("snapshot")
    r.rotate("timestamp")
    r.md["snapshot"]["version"] = 1
    r.publish("snapshot", bump=False)
    r.publish("root", "timestamp")
    r.refresh(snapshot=1)


@case
def fast_forward_of_timestamp(r):
    r.md["timestamp"]["version"] = 99
    r.publish("timestamp")
    r.refresh(timestamp=100)
    r.rotate("timestamp")
    r.md["timestamp"]["version"] = 1
    r.publish("root")
    r.publish("timestamp", bump=False)
    r.refresh(timestamp=1)


@case
def half_a_refresh_protects_all_the_same(r):
    old = dict(r.files)
    r.publish("targets", "snapshot", "timestamp")
    gone = r.files.pop("2.targets.json")
    r.refresh("ENOENT 2.targets.json: the repository does not have it",
              timestamp=2, snapshot=2, targets=0)
    half, r.files = r.files, old
    r.refresh("ESTALE timestamp.json: version 1 is older than the trusted 2")
    r.files = {**half, "2.targets.json": gone}
    r.refresh(targets=2)
    r.say("asked 2.root.json timestamp.json 2.targets.json")


# ---- delegations ------------------------------------------------------------------------

def graph(delegations, order, **found):
    def f(r):
        roles = []
        for d in delegations:
            by, name, *more = d
            kw = {}
            for m in more:
                if m == "terminating":
                    kw["terminating"] = True
                else:
                    kw["paths"] = m
            r.delegate(by, name, **kw)
            roles += [name] if name not in roles else []
        r.publish(*roles, "targets", "snapshot", "timestamp", bump=False)
        r.refresh()
        r.say("find missing ENOENT", "fetched " + " ".join("1.%s.json" % o for o in order))
    return f


for n, (delegations, order) in enumerate((
    ([("targets", "A")], "A"),
    ([("targets", "A"), ("targets", "B")], "AB"),
    ([("targets", "A"), ("targets", "B"), ("B", "C")], "ABC"),
    ([("targets", "A"), ("targets", "B"), ("A", "C"), ("A", "D")], "ACDB"),
    ([("targets", "A"), ("targets", "B"), ("A", "C"), ("C", "D")], "ACDB"),
    ([("targets", "A"), ("targets", "B"), ("A", "C", "terminating"), ("A", "D")], "AC"),
    ([("targets", "A"), ("targets", "B"), ("A", "C", "terminating"), ("C", "D")], "ACD"),
    ([("targets", "A", ["*.py"]), ("targets", "B"), ("A", "C")], "B"),
    ([("targets", "A"), ("targets", "B"), ("A", "C", ["*.py"]), ("C", "D")], "AB"),
    ([("targets", "A"), ("targets", "B"), ("B", "C"), ("C", "D"), ("D", "B")], "ABCD"),
    ([("targets", "A"), ("targets", "B"), ("B", "C"), ("A", "C", ["*.py"])], "ABC"),
)):
    f = graph(delegations, order)
    f.__name__ = "graph_%02d" % n
    CASES.append(f)


@case
def patterns_bind_what_a_role_may_sign(r):
    r.delegate("targets", "A", paths=["*.doc", "*.md", "foo-?.tgz"])
    r.delegate("targets", "B", paths=["releases/*/*"])
    r.delegate("B", "C", paths=["releases/x/*"])
    r.delegate("B", "D", paths=["releases/y/*.zip"])
    for role, path in (("targets", "targetfile"), ("A", "README.md"),
                       ("A", "releases/README.md"), ("A", "foo-1.tgz"),
                       ("A", "foo-alpha.tgz"), ("C", "releases/x/x_v1"),
                       ("D", "releases/y/y_v1.zip"), ("D", "releases/z/z_v1.zip")):
        r.target(role, path)
    r.publish("A", "B", "C", "D", "targets", "snapshot", "timestamp", bump=False)
    r.refresh()
    r.say("find targetfile targets", "fetched", "find README.md A",
          "find releases/README.md ENOENT", "find foo-1.tgz A",
          "find foo-alpha.tgz ENOENT", "find README.MD ENOENT",
          "find releases/x/x_v1 C", "find releases/y/y_v1.zip D",
          "find releases/z/z_v1.zip ENOENT",
          "fetched 1.A.json 1.B.json 1.C.json 1.D.json", "count 5")


@case
def earlier_role_wins(r):
    r.delegate("targets", "A", paths=["a/*"])
    r.delegate("targets", "B", paths=["a/*", "b/*"])
    for path in ("a/1", "b/1"):
        r.target("A", path)
        r.target("B", path)
    r.target("targets", "b/1")
    r.publish("A", "B", "targets", "snapshot", "timestamp", bump=False)
    r.say("all")
    r.refresh()
    r.say("find a/1 A", "find b/1 targets", "count 2")


@case
def hash_prefixes(r):
    h = hashlib.sha256(b"some/path").hexdigest()
    r.delegate("targets", "other", path_hash_prefixes=["%x" % (15 - int(h[0], 16))])
    r.delegate("targets", "mine", path_hash_prefixes=["zz", h[:3]])
    r.target("other", "some/path")
    r.target("mine", "some/path", b"right")
    r.publish("mine", "other", "targets", "snapshot", "timestamp", bump=False)
    r.refresh()
    r.say("find some/path mine", "fetched 1.mine.json")


@case
def succinct_hash_bins(r):
    key, bits = new_key(), 5
    r.md["targets"]["delegations"] = {
        "keys": {key["keyid"]: public(key)},
        "succinct_roles": {"keyids": [key["keyid"]], "threshold": 1,
                           "bit_length": bits, "name_prefix": "bin"}}
    names = ["bin-%02x" % n for n in range(1 << bits)]
    for n in names:
        r.md[n] = r.blank(n)
        r.md[n]["targets"] = {}
        r.signers[n] = [key]
    where = {}
    for n in range(40):
        path = "p%d" % n
        where[path] = names[hashlib.sha256(path.encode()).digest()[0] >> 8 - bits]
        r.target(where[path], path)
    wrong = next(n for n in names if n != where["p0"])
    r.target(wrong, "p0", b"another")
    r.publish(*names, "targets", "snapshot", "timestamp", bump=False)
    r.refresh()
    r.say("find p0 " + where["p0"], "fetched 1.%s.json" % where["p0"], "all", "refresh ok",
          "count 40", *("find %s %s" % kv for kv in where.items()))


@case
def delegation_not_in_the_snapshot(r):
    r.delegate("targets", "d", paths=["d/*"])
    r.publish("d", "targets", bump=False)
    del r.md["snapshot"]["meta"]["d.json"]
    r.publish("snapshot", "timestamp")
    r.refresh()
    r.say("find d/1 ENOENT", "fetched", "find other ENOENT", "all",
          "refresh ENOENT d.json: not listed in the snapshot")


@case
def a_bad_delegation_hurts_only_its_own(r):
    r.delegate("targets", "bad", paths=["bad/*"])
    r.delegate("targets", "good", paths=["good/*"])
    r.delegate("targets", "gone", paths=["gone/*"])
    r.signers["bad"] = [new_key()]
    r.target("bad", "bad/1")
    r.target("good", "good/1")
    r.publish("gone", "bad", "good", "targets", "snapshot", "timestamp", bump=False)
    del r.files["1.gone.json"]
    r.refresh()
    r.say("find bad/1 EACCES", "find bad/1 EACCES", "find good/1 good",
          "find gone/1 ENOENT", "find gone/1 ENOENT",
          "fetched 1.bad.json 1.good.json 1.gone.json", "all",
          "refresh EACCES 1.bad.json: signed by 0 of the 1 keys it needs")


@case
def cached_role_is_verified_for_each_delegator(r):
    r.delegate("targets", "a", paths=["a/*"])
    r.delegate("targets", "b", paths=["b/*"])
    r.delegate("a", "release", paths=["a/*"])
    r.delegate("b", "release", paths=["b/*"])
    r.signers["release"].pop()
    r.target("release", "a/1")
    r.target("release", "b/1")
    r.publish("release", "a", "b", "targets", "snapshot", "timestamp", bump=False)
    r.refresh()
    r.say("find a/1 release", "find b/1 EACCES", "find a/1 release")


@case
def delegations_visited_are_bounded(r):
    names = ["r%d" % n for n in range(10)]
    for by, name in zip(["targets"] + names, names):
        r.delegate(by, name)
    r.target("r9", "deep")
    r.target("r3", "shallow")
    r.publish(*names, "targets", "snapshot", "timestamp", bump=False)
    r.say("limit max_delegations 5")
    r.refresh()
    r.say("find shallow r3", "find deep E2BIG", "limit max_delegations 10",
          "refresh ok", "find deep r9", "limit max_roles 5", "all",
          "refresh E2BIG more than 5 targets roles")


@case
def odd_role_names(r):
    for name in ("?", "#", "/x", "../x", "a b", "\u00fc"):
        r.delegate("targets", name)
    r.publish("?", "#", "/x", "../x", "a b", "\u00fc", "targets", "snapshot",
              "timestamp", bump=False)
    r.refresh()
    r.say("find none ENOENT", "fetched 1.%3F.json 1.%23.json 1.%2Fx.json 1...%2Fx.json"
          " 1.a%20b.json 1.%C3%BC.json", "offline ok", "find none ENOENT")


@case
def new_delegated_metadata_is_fetched_once(r):
    r.delegate("targets", "d")
    r.target("d", "x")
    r.publish("d", "targets", "snapshot", "timestamp", bump=False)
    r.refresh()
    r.say("find x d", "refresh ok", "find x d", "asked 2.root.json timestamp.json")
    r.md["d"]["targets"] = {}
    r.publish("d", "snapshot", "timestamp")
    r.refresh()
    r.say("find x ENOENT",
          "asked 2.root.json timestamp.json 2.snapshot.json 2.d.json")


@case
def custom_tells_kind_and_groups(r):
    r.target("targets", "p", custom={"dpoint": {"kind": "package", "groups": ["/hq"]}})
    r.target("targets", "all", custom={"other": 1})
    r.target("targets", "odd", custom={"dpoint": {"groups": "/hq"}})
    r.target("targets", "none")
    r.target("targets", "top", custom={"dpoint": {"kind": "task", "groups": ["x", "/"]}})
    r.target("targets", "empty", custom={"dpoint": {"groups": []}})
    r.publish("targets", "snapshot", "timestamp")
    r.refresh()
    r.say("meant p package /hq yes", "meant p package /hq/berlin yes",
          "meant p package /hqx no", "meant p package / no",
          "meant all - /x yes", "meant odd - /hq no", "meant none - /x yes",
          "meant top task / yes", "meant top task /a/b yes", "meant empty - / yes")


def main(out):
    shutil.rmtree(out, ignore_errors=True)
    for f in CASES:
        r = Repo(f.__name__, out, getattr(f, "consistent", True))
        f(r)
        r.close()


if __name__ == "__main__":
    main(sys.argv[1])
