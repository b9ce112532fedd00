#!/usr/bin/python3
"""Devices that receive by multicast, written from docs/design.md and the RFCs
alone: nothing of the programs under test is used.

  mcast.py recv ARGS    until every device has what was asked for, or time is up
  mcast.py hostile ARGS one device does as it should; meanwhile bad reports are
                        sent: which kinds, and how many, is printed at the end
  mcast.py crowd ARGS   hears for --seconds, then asks when each of --crowd
                        devices that lose packets on their own would have had
                        the named object, in ms since the epoch
ARGS: --group A --iface I --keys FILE... (one device each: what GET /v1/multicast
answered), --hash HEX or --name N..., --out DIR, --loss PERCENT, --seconds S,
--mute (no reports), --ended (until the first device is told that a session is
over, too). Prints one JSON object.
SPDX-License-Identifier: ISC
"""
import argparse, base64, hashlib, hmac, json, os, random, select, socket, struct, sys, time
import xml.etree.ElementTree as ET
from urllib.parse import unquote
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

A = None  # what the command line says, by begin()
SO_TIMESTAMPNS = 35

# -- GF(2^8) of RFC 5510: x^8+x^4+x^3+x^2+1 --
EXP, LOG = [0] * 512, [0] * 256
x = 1
for i in range(255):
    EXP[i] = EXP[i + 255] = x
    LOG[x] = i
    x = x << 1 ^ (0x11d if x & 0x80 else 0)
mul = lambda a, b: EXP[LOG[a] + LOG[b]] if a and b else 0
TABLE = [bytes(mul(c, b) for b in range(256)) for c in range(256)]


def decode(k, have):
    """Source symbols 0..k-1 from k encoding symbols {esi: bytes}: symbol j is
    the value at alpha^j of the polynomial through the source symbols, by
    Lagrange; products are sums of logarithms."""
    at = sorted(have)[:k]
    xs = [EXP[e] for e in at]
    size = len(have[at[0]])
    lost = [j for j in range(k) if j not in have]
    under = [sum(LOG[x ^ y] for y in xs if x != y) for x in xs] if lost else []
    out = [have.get(j) for j in range(k)]
    for j in lost:
        over = sum(LOG[EXP[j] ^ x] for x in xs)
        acc = 0
        for e, x, u in zip(at, xs, under):
            c = EXP[(over - LOG[EXP[j] ^ x] - u) % 255]
            acc ^= int.from_bytes(have[e].translate(TABLE[c]), "big")
        out[j] = acc.to_bytes(size, "big")
    return out


def hkdf(ikm, salt, info, n):
    prk = hmac.new(salt, ikm, hashlib.sha256).digest()
    t = okm = b""
    while len(okm) < n:
        t = hmac.new(prk, t + info + bytes([len(okm) // 32 + 1]), hashlib.sha256).digest()
        okm += t
    return okm[:n]


class Head:
    """An LCT header as RFC 5651 has it, and the FEC payload ID behind it."""

    def __init__(self, p):
        bits, words, self.cp, cci, self.tsi, self.toi = struct.unpack_from("!HBBIHH", p)
        assert bits & ~3 == 0x1010, hex(bits)
        self.close = bits & 2
        self.counter, self.secure, at = cci, False, 12
        while at < 4 * words:
            het = p[at]
            n = 4 if het >= 128 else 4 * p[at + 1]
            ext = p[at:at + n]
            if het == 200:
                self.secure = True
                self.counter |= int.from_bytes(ext[1:], "big") << 32
            elif het == 192:
                self.instance = int.from_bytes(ext[1:], "big") & 0xfffff
            elif het == 64:
                self.length, _, self.symbol, self.block = struct.unpack("!6sHHI", ext[2:])
                self.length = int.from_bytes(self.length, "big")
            elif het == 100:
                self.generation, self.salt = struct.unpack("!H16s", ext[2:])
            at += n
        if self.cp == 0:
            self.sbn, self.esi = struct.unpack_from("!HH", p, at)
            at += 4
        else:
            self.sbn, self.sbl, self.esi = struct.unpack_from("!IHH", p, at)
            at += 8
        self.size = at


class File:
    def __init__(self, instance, e):
        a = {**instance.attrib, **e.attrib}  # what holds for all may be said once
        self.toi, self.name = int(a["TOI"]), unquote(a["Content-Location"])
        self.length = int(a["Transfer-Length"])
        self.hash = a["{urn:dpoint:fdt:1}sha256"]
        self.symbol = int(a["FEC-OTI-Encoding-Symbol-Length"])
        b = int(a["FEC-OTI-Maximum-Source-Block-Length"])
        t = -(-self.length // self.symbol)
        self.n = -(-t // b)
        self.large, self.small = -(-t // self.n), t // self.n
        self.nlarge = t - self.small * self.n
        self.blocks, self.done, self.at = {}, {}, time.time()

    def k(self, sbn):
        return self.large if sbn < self.nlarge else self.small

    def take(self, h, payload):
        if h.sbn in self.done or h.sbn >= self.n:
            return
        assert h.sbl == self.k(h.sbn)
        have = self.blocks.setdefault(h.sbn, {})
        have[h.esi] = payload.ljust(self.symbol, b"\0")
        if len(have) >= h.sbl:
            self.done[h.sbn] = decode(h.sbl, have)
            del self.blocks[h.sbn]

    def bytes(self):
        return b"".join(s for b in range(self.n) for s in self.done[b])[:self.length]


class Session:
    opened = None, None

    def __init__(self, h, secret):
        okm = hkdf(secret, h.salt, b"dpoint multicast data 1" + struct.pack("!HH", h.generation, h.tsi), 20)
        self.okm, self.gcm, self.prefix = okm, AESGCM(okm[:16]), okm[16:]

    def open(self, counter, head, p):
        what = self.okm, counter, head, p
        if Session.opened[0] != what:  # once for all devices here
            Session.opened = what, self.gcm.decrypt(self.prefix + struct.pack("!Q", counter), p, head)
        return Session.opened[1]


class Device:
    def __init__(self, keys, seed):
        self.keys = json.load(open(keys))
        self.id = self.keys["agent"]["id"]
        self.key = base64.b64decode(self.keys["agent"]["key"])
        self.secrets = {g["id"]: base64.b64decode(g["secret"]) for g in self.keys.get("generations", [])}
        self.random = random.Random(seed)
        self.sessions, self.fdts, self.files, self.got = {}, {}, {}, {}
        self.counters, self.last, self.top, self.count, self.since, self.told, self.most = {}, {}, {}, {}, {}, {}, {}
        self.packets = self.bytes = self.reports = self.parity = 0
        self.ended = set()

    def wants(self, f):
        return f.hash == A.hash or any(f.name.endswith(n) for n in A.name)

    def packet(self, p):
        if self.random.random() * 100 < A.loss:
            return
        h = Head(p)
        self.packets += 1
        self.bytes += len(p)
        head, body = p[:h.size], p[h.size:]
        if h.secure:
            if h.toi == 0 and h.tsi not in self.sessions and h.generation in self.secrets:
                self.sessions[h.tsi] = Session(h, self.secrets[h.generation])
            if h.tsi not in self.sessions:
                return
            body = self.sessions[h.tsi].open(h.counter, head, body)
        self.told.setdefault(h.tsi, h.counter - 1)  # what came before was not for us
        self.top[h.tsi] = max(self.top.get(h.tsi, 0), h.counter)
        self.most[h.tsi] = max(self.most.get(h.tsi, 0), h.counter)
        self.count[h.tsi] = self.count.get(h.tsi, 0) + 1
        if h.toi == 0:
            self.fdt(h, body)
        elif (h.tsi, h.toi) in self.files:
            f = self.files[h.tsi, h.toi]
            self.parity += h.esi >= h.sbl
            f.take(h, body)
            if len(f.done) == f.n and f.name not in self.got:
                self.finish(h.tsi, f)

    def fdt(self, h, body):
        parts = self.fdts.setdefault((h.tsi, h.instance), {})
        parts[h.esi] = body
        if len(parts) == -(-h.length // h.symbol):
            instance = ET.fromstring(b"".join(parts[i] for i in sorted(parts)))
            for e in instance:
                f = File(instance, e)
                if (h.tsi, f.toi) not in self.files and self.wants(f) and f.name not in self.got:
                    self.files[h.tsi, f.toi] = f

    def finish(self, tsi, f):
        data = f.bytes()
        assert hashlib.sha256(data).hexdigest() == f.hash, f.name
        self.got[f.name] = round(time.time() - f.at, 3)
        if A.out:
            with open(f"{A.out}/{self.id}.{os.path.basename(f.name)}", "wb") as o:
                o.write(data)
        self.report(tsi, 1, [])

    def notice(self, p, to, at):
        if p[:4] != b"DPN1" or self.random.random() * 100 < A.loss:
            return
        tsi, gen, counter = struct.unpack_from("!HHQ", p, 4)
        body = p[16:]
        if gen:
            if tsi not in self.sessions:
                return
            body = self.sessions[tsi].open(counter, p[:16], body)
        flags, when, frontier, pro, backoff, n = struct.unpack_from("!BIIBHI", body)
        self.to = to
        self.most[tsi] = max(self.most.get(tsi, 0), counter)
        self.count[tsi] = self.count.get(tsi, 0) + 1
        self.last[tsi] = when, at
        if flags:
            self.ended.add(tsi)
        for (t, toi), f in list(self.files.items()):
            if t != tsi or f.name in self.got or time.time() - self.since.get(tsi, 0) < 0.05:
                continue
            lack = [(b, f.k(b) - len(f.blocks.get(b, ()))) for b in range(min(frontier, f.n)) if b not in f.done]
            if lack:
                self.since[tsi] = time.time()
                self.report(tsi, 0, lack[:200])

    def report(self, tsi, flags, lack, agent=None, key=None, counter=None, send=True):
        if A.mute or tsi not in self.last or tsi not in self.top:
            return None
        when, at = self.last[tsi]
        n = self.counters[tsi] = self.counters.get(tsi, 0) + 1 if counter is None else counter
        held = min(int((time.time() - at) * 1000), 65535)
        seen = self.top[tsi] & 0xffffffff
        done = sum(len(f.done) for (t, _), f in self.files.items() if t == tsi)
        body = struct.pack("!BIHIIII", flags, when, held, seen, self.count[tsi], max(self.most[tsi] - self.told.get(tsi, 0), self.count[tsi]), done)
        body += b"".join(struct.pack("!IB", b, d) for b, d in lack)
        head = b"DPR1" + struct.pack("!HIQ", tsi, self.id if agent is None else agent, n)
        nonce = struct.pack("!HHQ", 0, tsi, n)
        p = head + AESGCM(key or self.key).encrypt(nonce, body, head)
        if send:
            OUT.sendto(p, self.to)
            self.reports += 1
        self.count[tsi], self.told[tsi] = 0, self.most[tsi]
        return p


def hear(port):
    family = socket.AF_INET6 if ":" in A.group else socket.AF_INET
    s = socket.socket(family, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)  # SO_RCVBUFFORCE
    s.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    index = socket.if_nametoindex(A.iface)
    if family == socket.AF_INET6:
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP,
                     struct.pack("=16si", socket.inet_pton(family, A.group), index))
    else:
        s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                     struct.pack("=4s4si", socket.inet_aton(A.group), b"\0" * 4, index))
    s.bind((A.group, port))  # last: who sees the port in use knows that we hear
    return s


def arrivals(*sockets):
    """Socket, packet, sender and when it came of each, in the order in which they came
    to any of them, however late we look; None when a while nothing does."""
    first = {}
    while True:
        for s in select.select([s for s in sockets if s not in first], [], [], 0 if first else 0.2)[0]:
            p, extra, _, where = s.recvmsg(65535, 64)
            seconds, ns = struct.unpack("@qq", extra[0][2])
            first[s] = seconds + ns / 1e9, p, where
        if not first:
            yield None
            continue
        s = min(first, key=lambda s: first[s][0])
        at, p, where = first.pop(s)
        yield s, p, where, at


def hostile(d, sent):
    """Everything a report can be that is wrong, once; then many good ones."""
    tsi = next((t for (t, _), f in d.files.items()), None)
    if tsi is None or tsi not in d.last or sent.get("flood"):
        return

    def say(kind, p, n=1):
        for _ in range(n):
            OUT.sendto(p, d.to)
        sent[kind] = sent.get(kind, 0) + n
    good = lambda **kw: d.report(tsi, 0, [(0, 1)], send=False, **kw)
    say("form", b"nonsense")
    say("form", b"DPR1" + b"\0" * 2000)
    say("session", b"DPR1" + struct.pack("!HIQ", (tsi + 1) & 0xffff, d.id, 1) + b"\0" * 40)
    say("stranger", good(agent=(d.id + 1000) & 0xffffffff))
    p = good()
    say("range", d.report(tsi, 0, [(4000000, 9)], send=False))
    say("replay", p)
    say("forged", good(key=b"x" * 16, counter=d.counters[tsi] + 5))
    d.counters[tsi] += 1
    p = good(key=b"y" * 16, counter=d.counters[tsi] + 5)
    for _ in range(100):  # with time to take them, for a sender that has to wait for a processor
        say("flood", p, 200)
        time.sleep(0.002)


def crowd(d):
    """Each packet is opened once; which device lost which is decided after."""
    heard, end = [], time.time() + A.seconds
    while time.time() < end:
        if select.select([data], [], [], 0.1)[0]:
            p = data.recvfrom(65535)[0]
            heard.append((time.time_ns(), p))
    story, of = [], {}
    for t, p in heard:
        h = Head(p)
        if h.toi == 0 and h.tsi not in d.sessions:
            d.sessions[h.tsi] = Session(h, d.secrets[h.generation])
        if h.tsi not in d.sessions:
            continue
        body = d.sessions[h.tsi].open(h.counter, p[:h.size], p[h.size:])
        d.count[h.tsi] = d.top[h.tsi] = 0
        if h.toi == 0:
            for e in (i := ET.fromstring(body)):
                f = File(i, e)
                if d.wants(f):
                    of.setdefault((h.tsi, f.toi), f)
                    story.append((t, h.tsi, f.toi, None, None))
        else:
            story.append((t, h.tsi, h.toi, h.sbn, h.esi))
            if (h.tsi, h.toi) in of:
                of[h.tsi, h.toi].take(h, body)
    (key, f), = of.items()
    assert hashlib.sha256(f.bytes()).hexdigest() == f.hash
    story = [e for e in story if e[1:3] == key]
    took = []
    for n in range(A.crowd):
        r, known, blocks, done = random.Random(n), False, {}, 0
        for t, _, _, sbn, esi in story:
            if r.random() * 100 < A.loss:
                continue
            if sbn is None:
                known = True
            elif known:
                had = blocks.setdefault(sbn, set())
                if len(had) < f.k(sbn):
                    had.add(esi)
                    done += len(had) == f.k(sbn)
            if done == f.n:
                took.append(t // 1000000)
                break
    took.sort()
    print(json.dumps({"devices": A.crowd, "done": len(took), "median_ms": took[len(took) // 2] if took else None,
                      "last_ms": took[-1] if took else None}))
    sys.exit(0 if len(took) == A.crowd else 1)


def parse_args():
    args = argparse.ArgumentParser()
    args.add_argument("what", choices=["recv", "hostile", "crowd", "attack"])
    for o in "group", "iface", "hash", "out":
        args.add_argument("--" + o)
    args.add_argument("--keys", nargs="+")
    args.add_argument("--name", nargs="*", default=[])
    args.add_argument("--loss", type=float, default=0)
    args.add_argument("--seconds", type=float, default=30)
    args.add_argument("--crowd", type=int, default=1000)
    args.add_argument("--mute", action="store_true")
    args.add_argument("--ended", action="store_true")
    args.add_argument("--kinds", nargs="+", help="of mcast_attack.py")
    return args.parse_args()


def begin():
    """From the command's line: A, the sockets and the devices."""
    global A, OUT, data, notices, devices
    A = parse_args()
    data, notices = hear(15001), hear(15000)
    OUT = socket.socket(data.family, socket.SOCK_DGRAM)
    devices = [Device(k, i) for i, k in enumerate(A.keys)]


def main():
    begin()
    if A.what == "crowd":
        crowd(devices[0])
    sent, bad, end = {}, 0, time.time() + A.seconds
    wanted = max(len(A.name), 1)
    for came in arrivals(data, notices):
        if time.time() >= end or all(len(d.got) >= wanted for d in devices) or (A.ended and devices[0].ended):
            break
        for d in devices if came else ():
            s, p, where, at = came
            try:
                d.packet(p) if s is data else d.notice(p, where, at)
            except InvalidTag:
                bad += 1
        if A.what == "hostile":
            hostile(devices[0], sent)
    print(json.dumps({
        "got": [d.got for d in devices], "packets": devices[0].packets, "bytes": devices[0].bytes,
        "reports": sum(d.reports for d in devices), "parity": devices[0].parity,
        "ended": len(devices[0].ended), "bad": bad, "sent": sent}))
    sys.exit(0 if all(len(d.got) >= wanted for d in devices) else 1)


if __name__ == "__main__":
    main()
