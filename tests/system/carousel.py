#!/usr/bin/python3
"""Somebody of the group who sends a carousel of his own, written from
docs/design.md and the RFCs alone: nothing of the programs under test is used.

  carousel.py --group A --iface I --keys FILE --seconds S NAME=FILE...

KEYS is what GET /v1/multicast answered a device. Each pass, --pause S apart,
sends the file description and then every object. With --vary each pass has a
timestamp.json of its own, whose signature is then not right any more; with
--new-session it comes in a session of its own as well. What --hold ends the name
of is described and never sent. Prints how many passes.
SPDX-License-Identifier: ISC
"""
import argparse, base64, hashlib, json, os, re, socket, struct, sys, time
from urllib.parse import quote

sys.dont_write_bytecode = True
from mcast import AESGCM, hkdf

ARGS = argparse.ArgumentParser()
for o in "group", "iface", "keys":
    ARGS.add_argument("--" + o, required=True)
ARGS.add_argument("--hold", default="/")
ARGS.add_argument("--seconds", type=float, default=5)
ARGS.add_argument("--pause", type=float, default=0.1)
ARGS.add_argument("--vary", action="store_true")
ARGS.add_argument("--new-session", action="store_true")
ARGS.add_argument("files", nargs="+")
A = ARGS.parse_args()
SYMBOL, BLOCK = 1412, 200


class Session:
    def __init__(self, keys):
        g = keys["generations"][0]
        self.generation, self.salt = g["id"], os.urandom(16)
        self.tsi = struct.unpack("!H", os.urandom(2))[0]
        okm = hkdf(base64.b64decode(g["secret"]), self.salt,
                   b"dpoint multicast data 1" + struct.pack("!HH", self.generation, self.tsi), 20)
        self.gcm, self.prefix = AESGCM(okm[:16]), okm[16:]
        self.counter = self.instance = 0

    def send(self, codepoint, toi, extensions, fec, payload):
        self.counter += 1
        ext = struct.pack("!I", 200 << 24 | self.counter >> 32) + extensions
        words = 3 + len(ext) // 4
        head = struct.pack("!HBBIHH", 0x1010, words, codepoint, self.counter & 0xffffffff, self.tsi, toi)
        head += ext + fec
        nonce = self.prefix + struct.pack("!Q", self.counter)
        OUT.sendto(head + self.gcm.encrypt(nonce, payload, head), (A.group, 15001))

    def describe(self, objects):
        self.instance += 1
        for n, (name, toi, data) in enumerate(objects):
            xml = ('<?xml version="1.0" encoding="UTF-8"?>\n<FDT-Instance xmlns="urn:ietf:params:xml:ns:fdt" '
                   f'xmlns:dp="urn:dpoint:fdt:1" Expires="{(int(time.time()) + 2208988800 + 3600) & 0xffffffff}" '
                   f'FEC-OTI-FEC-Encoding-ID="129" FEC-OTI-FEC-Instance-ID="0" FEC-OTI-Maximum-Source-Block-Length="{BLOCK}" '
                   f'FEC-OTI-Encoding-Symbol-Length="{SYMBOL}" FEC-OTI-Max-Number-of-Encoding-Symbols="255">'
                   f'<File TOI="{toi}" Content-Location="{quote(name)}" Content-Length="{len(data)}" '
                   f'Transfer-Length="{len(data)}" dp:sha256="{hashlib.sha256(data).hexdigest()}"/></FDT-Instance>').encode()
            fti = struct.pack("!BB6sHHI", 64, 4, len(xml).to_bytes(6, "big"), 0, 1376, 64)
            salt = struct.pack("!BBH16s", 100, 5, self.generation, self.salt)
            fdt = struct.pack("!I", 192 << 24 | 2 << 20 | (self.instance * 64 + n) & 0xfffff)
            self.send(0, 0, fdt + fti + salt, struct.pack("!HH", 0, 0), xml)

    def object(self, toi, data):
        k = -(-len(data) // SYMBOL)
        assert k <= BLOCK
        for esi in range(k):
            self.send(129, toi, b"", struct.pack("!IHH", 0, k, esi), data[esi * SYMBOL:(esi + 1) * SYMBOL])


OUT = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
OUT.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF,
               struct.pack("=4s4si", b"\0" * 4, b"\0" * 4, socket.if_nametoindex(A.iface)))
keys = json.load(open(A.keys))
files = [(f.split("=", 1)[0], open(f.split("=", 1)[1], "rb").read()) for f in A.files]
session, passes, end = Session(keys), 0, time.time() + A.seconds
while time.time() < end:
    if A.new_session:
        session = Session(keys)
    objects = []
    for i, (name, data) in enumerate(files):
        if A.vary and name.endswith("/timestamp.json"):
            data = re.sub(rb'("version": *)\d+', lambda m: m[1] + b"%d" % (1000000 + passes), data)
        objects.append((name, (i + 1 + passes * len(files) * A.vary) % 65535 + 1, data))
    session.describe(objects)
    for name, toi, data in objects:
        if not name.endswith(A.hold):
            session.object(toi, data)
    passes += 1
    time.sleep(A.pause)
print(passes)
