#!/usr/bin/python3
"""An attacker in the devices' network, for the tests of bad input by multicast.

usage: mcast_attack.py attack --kinds KIND... --group A --iface I --keys FILE
       --name N [--out FILE] [--seconds S], or until SIGTERM
Hears the group, and does what the kinds say about the session that sends the
file N. It holds the group's secret and is registered (an insider), but kinds
marked "outsider" use neither. Prints a JSON object: packets sent of each kind.
SPDX-License-Identifier: ISC
"""
import hashlib, json, os, pickle, random, select, signal, socket, struct, sys, time
import xml.etree.ElementTree as ET
from types import SimpleNamespace

sys.dont_write_bytecode = True
import mcast
from mcast import AESGCM, Head, Session

mcast.begin()
A = mcast.A
ME = mcast.devices[0]
SENT, SIZE = {}, 1432
OUT = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
OUT.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF,
               struct.pack("=4s4si", b"\0" * 4, b"\0" * 4, socket.if_nametoindex(A.iface)))


class Victim:
    """The session that sends the file: what can be seen of it."""
    file = last = fdt = last_notice = to = when = None
    top = sbn = 0


V = Victim()
SECRET = next(iter(ME.secrets.items()))  # generation, secret
OTHER = SimpleNamespace(tsi=4242, generation=SECRET[0], salt=os.urandom(16))
OWN = {}  # sessions of ours: tsi -> Session, counter


def say(kind, p, port=15001, to=None):
    try:
        OUT.sendto(p, to or (A.group, port))
    except OSError:
        return
    SENT[kind] = SENT.get(kind, 0) + 1


def own(tsi):
    if tsi not in OWN:
        h = SimpleNamespace(tsi=tsi, generation=SECRET[0], salt=os.urandom(16))
        OWN[tsi] = SimpleNamespace(s=Session(h, SECRET[1]), h=h, top=0)
    OWN[tsi].top += 1
    return OWN[tsi]


def seal(s, counter, head, body):
    return head + s.gcm.encrypt(s.prefix + struct.pack("!Q", counter), body, head)


def data(tsi, counter, sbn, sbl, esi, toi=1):
    return struct.pack("!HBBIHHIIHH", 0x1010, 4, 129, counter & 0xffffffff, tsi, toi,
                       200 << 24 | counter >> 32, sbn, sbl, esi)


def fdt(h, counter, instance, length):
    return (struct.pack("!HBBIHHI", 0x1010, 14, 0, counter & 0xffffffff, h.tsi, 0, 200 << 24 | counter >> 32)
            + struct.pack("!IHHIHHI", 192 << 24 | 2 << 20 | instance, 64 << 8 | 4, 0, length, 0, 1376, 1)
            + struct.pack("!HH", 100 << 8 | 5, h.generation) + h.salt + struct.pack("!HH", 0, 0))


def notice(tsi, generation, counter, flags, frontier, blocks=b""):
    return (b"DPN1" + struct.pack("!HHQ", tsi, generation, counter),
            struct.pack("!BIIBHI", flags, int(time.time() * 1000) & 0xffffffff, frontier, 0, 0, 3) + blocks)


def xml(sha, length, name="repo/targets/x", e=SIZE, b=200, n=255, toi=1, complete="true", expires=None, prolog="", files=1):
    f = (f'<File TOI="{{}}" Content-Location="{name}" Content-Length="{length}" '
         f'Transfer-Length="{length}" dp:sha256="{sha}"/>')
    return (f'<?xml version="1.0"?>{prolog}<FDT-Instance xmlns="urn:ietf:params:xml:ns:fdt" xmlns:dp="urn:dpoint:fdt:1" '
            f'Expires="{(expires or int(time.time()) + 3600) + 2208988800 & 0xffffffff}" Complete="{complete}" '
            f'FEC-OTI-FEC-Encoding-ID="129" FEC-OTI-FEC-Instance-ID="0" FEC-OTI-Maximum-Source-Block-Length="{b}" '
            f'FEC-OTI-Encoding-Symbol-Length="{e}" FEC-OTI-Max-Number-of-Encoding-Symbols="{n}">'
            + "".join(f.format(toi + i) for i in range(files)) + "</FDT-Instance>").encode()


def describe(kind, o, text):
    o.top += 1
    say(kind, seal(o.s, o.top, fdt(o.h, o.top, random.getrandbits(20), len(text)), text))


# -- outsiders: none of this may have an effect --

def junk(v):
    say("junk", os.urandom(random.randrange(1500)))
    say("junk", struct.pack("!HBBIHH", 0x1010, random.randrange(256), 129, 1, 1, 1) + os.urandom(60))
    say("junk", b"DPN1" + os.urandom(random.randrange(1400)), 15000)
    say("junk", b"")
    if not v.last:
        return
    p = bytearray(v.last)
    p[-1] ^= 1
    say("junk", bytes(p))  # the tag
    counter = v.top + random.randrange(1, 4000)
    say("junk", data(v.tsi, counter, v.sbn + 1, v.file.k(v.sbn + 1), 0) + os.urandom(SIZE + 16))
    say("junk", data(v.tsi, (1 << 56) - 1, 0, 200, 0) + os.urandom(SIZE + 16))
    for h in (SimpleNamespace(tsi=v.tsi, generation=v.generation, salt=os.urandom(16)),  # another salt
              SimpleNamespace(tsi=random.getrandbits(16), generation=v.generation, salt=os.urandom(16)),
              SimpleNamespace(tsi=random.getrandbits(16), generation=random.getrandbits(16), salt=os.urandom(16))):
        say("junk", fdt(h, 1, random.getrandbits(20), 200) + os.urandom(216))
    # in clear, as in open mode
    say("junk", struct.pack("!HBBIHHIHH", 0x1010, 3, 129, counter, v.tsi, 1, v.sbn + 1, v.file.k(v.sbn + 1), 0) + os.urandom(SIZE))
    for flags in 1, 2:
        head, body = notice(v.tsi, v.generation, counter, flags, 9)
        say("junk", head + os.urandom(len(body) + 16), 15000)
        head, body = notice(v.tsi, 0, counter, flags, 9)
        say("junk", head + body, 15000)


def replay(v):
    """What an earlier session sent, and what this one did just now."""
    for _ in range(10):
        port, p = random.choice(RECORD)
        say("replay", p, port)
    for port, p in (15001, v.last), (15001, v.fdt), (15000, v.last_notice):
        if p:
            say("replay", p, port)


# -- insiders: noise that must have no effect either. Each number they use up in
# the session is one that its own packet cannot use: few enough for the parity,
# and none so far ahead that the sender takes reports of it for lies --

def seldom():
    return random.random() < 0.05


def announce(v):
    """Descriptions that nobody may believe, in a session of our own."""
    o, sha, n = own(4242), v.sha, 8192077
    for text in (
            xml(sha, n, "../../../etc/passwd"), xml(sha, n, "/etc/passwd"), xml(sha, n, "a/..%2f..%2fb"), xml(sha, n, "x" * 1100),
            xml(sha, 1 << 47), xml(sha, n, e=1, b=1, n=2), xml(sha, n, e=60000), xml(sha, n, b=255), xml(sha, n, b=0),
            xml(sha, n, n=256), xml(sha, n, toi=0), xml(sha, n, expires=1000000), xml(sha, n + 1), xml("00" * 32, n, files=5),
            b"<not", b"\xff" * 300, xml(sha, n, prolog='<!DOCTYPE x [<!ENTITY a "b">]>'), xml(sha, n)[:-5],
            b'<FDT-Instance xmlns="urn:ietf:params:xml:ns:fdt">' + b"<a>" * 400):
        if len(text) <= 1376:
            describe("announce", o, text)


def change(v):
    """Other parameters for the object that is under way."""
    if not v.last or not seldom():
        return
    h = SimpleNamespace(tsi=v.tsi, generation=v.generation, salt=v.salt)
    n = v.file.length
    for text in (xml(v.sha, n, e=1000, b=100), xml(v.sha, n, b=100, n=200), xml(v.sha, n - 1), xml("11" * 32, n),
                 xml(v.sha, n, complete="false"), xml(v.sha, n, toi=2), xml(v.sha, n, expires=1000000)):
        counter = v.top + random.randrange(300, 900)
        say("change", seal(v.s, counter, fdt(h, counter, random.getrandbits(20), len(text)), text))


def ranges(v):
    """Authentic packets whose numbers fit nothing."""
    if not v.last or not seldom():
        return
    k, n = v.file.k(0), v.file.n
    for sbn, sbl, esi, toi in ((n, k, 0, 1), (0xffffffff, k, 0, 1), (v.sbn, k, 255, 1), (v.sbn, k, 65535, 1), (v.sbn, 255, 0, 1),
                               (v.sbn, 0, 0, 1), (v.sbn, 1, 0, 1), (v.sbn, 65535, 0, 1), (0, k, 0, 2), (0, k, 0, 65535)):
        counter = v.top + random.randrange(300, 900)
        say("ranges", seal(v.s, counter, data(v.tsi, counter, sbn, sbl, esi, toi), os.urandom(SIZE)))
    counter = v.top + random.randrange(300, 900)  # too short, too long
    say("ranges", seal(v.s, counter, data(v.tsi, counter, v.sbn + 1, k, 0), b"x"))
    say("ranges", seal(v.s, counter + 1, data(v.tsi, counter + 1, v.sbn + 1, k, 0), os.urandom(SIZE + 1)))


def twice(v):
    """Another sender with the same TSI."""
    if not v.last:
        return
    o = own(v.tsi)
    describe("twice", o, xml(v.sha, v.file.length))
    for esi in range(8):
        o.top += 1
        say("twice", seal(o.s, o.top, data(v.tsi, o.top, v.sbn + 1, v.file.k(0), esi), os.urandom(SIZE)))
    head, body = notice(v.tsi, SECRET[0], o.top + 1, 2, 9)
    say("twice", seal(o.s, o.top + 1, head, body), 15000)


# -- insiders who do harm: repaired by unicast --

def forge(v):
    """One symbol of a block that has not begun yet."""
    if v.last and v.sbn > 2 and "forge" not in SENT:
        sbn = v.sbn + 10
        for esi in 3, 4:
            counter = v.top + 3000 + esi
            say("forge", seal(v.s, counter, data(v.tsi, counter, sbn, v.file.k(sbn), esi), os.urandom(SIZE)))


def ending(flags, kind):
    def do(v):
        if v.last and v.sbn > 8 and kind not in SENT:
            for i in range(3):
                head, body = notice(v.tsi, v.generation, v.top + 500 + i, flags, v.sbn)
                say(kind, seal(v.s, v.top + 500 + i, head, body), 15000)
    return do


def poison(v):
    """The last number there is: everything after it is older."""
    if v.last and v.sbn > 8 and "poison" not in SENT:
        counter = (1 << 56) - 1
        sbn = v.sbn + 5  # one that is wanted, or nobody would open it
        say("poison", seal(v.s, counter, data(v.tsi, counter, sbn, v.file.k(sbn), 0), os.urandom(SIZE)))


def frontier(v):
    """All blocks went by, and somebody has asked for all of them."""
    if v.last and v.sbn > 3 and SENT.get("frontier", 0) < 40:
        counter = v.top + random.randrange(300, 600)
        head, body = notice(v.tsi, v.generation, counter, 0, 0xffffffff, b"".join(
            struct.pack("!IHB", b, 255, 255) for b in [*range(40), 0xffffffff]))
        say("frontier", seal(v.s, counter, head, body), 15000)


def steal(v):
    """The object itself, offered before the sender does, all of it wrong."""
    o = own(4343)
    describe("steal", o, xml(v.sha, v.size))
    for _ in range(20):
        o.top += 1
        sbn = random.randrange(-(-v.size // (200 * SIZE)) - 1)
        say("steal", seal(o.s, o.top, data(4343, o.top, sbn, 198 if v.size == 8192077 else 200, random.randrange(190)), os.urandom(SIZE)))


# -- reports --

def reports(v):
    """Strangers', forged, old, absurd, and too many that are good."""
    if not (v.to and v.last):
        return
    body = lambda **k: struct.pack("!BIHIIII", 0, k.get("when", v.when), 0, v.top & 0xffffffff, k.get("got", 100), 100, 0)
    ask = lambda *blocks: b"".join(struct.pack("!IB", b, n) for b, n in blocks)

    def good(what, key=ME.key, agent=ME.id, counter=None):
        ME.n = getattr(ME, "n", 0) + 1
        n = ME.n if counter is None else counter
        head = b"DPR1" + struct.pack("!HIQ", v.tsi, agent, n)
        return head + AESGCM(key).encrypt(struct.pack("!HHQ", 0, v.tsi, n), what, head)
    to = lambda kind, p: say("report-" + kind, p, to=v.to)
    to("form", os.urandom(random.randrange(60)))
    to("form", b"DPR1" + b"\0" * 2000)
    to("session", b"DPR1" + struct.pack("!HIQ", v.tsi ^ 1, ME.id, 1) + os.urandom(40))
    to("stranger", good(body(), agent=ME.id + 5000 & 0xffffffff))
    for what in (body() + ask((0xffffffff, 9)), body() + ask((v.sbn, 255)), body(when=v.when + 10 ** 6 & 0xffffffff), body(got=10 ** 6)):
        to("range", good(what))
    to("replay", good(body(), counter=1))
    for n in range(60):  # in the names of those who registered next: more than
        # a device's share for each; sealed with nothing, so that they are many
        to("forged", b"DPR1" + struct.pack("!HIQ", v.tsi, ME.id + 1 + n % 3, 1 << 40) + os.urandom(45))
    for n in range(30):  # all it may ask for, as often as it can
        to("good", good(body() + ask(*((b, 200) for b in range(max(v.sbn - 8, 1))))))


def record(v):
    pass


KINDS = {f.__name__: f for f in (junk, replay, announce, change, ranges, twice, forge, poison, frontier, steal, reports, record)}
KINDS |= {"abort": ending(2, "abort"), "end": ending(1, "end")}
RECORD = pickle.load(open(A.out, "rb")) if "replay" in A.kinds else []


def hear(p):
    try:
        h = Head(p)
        if h.toi == 0 and V.last is None and h.generation in ME.secrets and h.tsi not in OWN:
            s = Session(h, ME.secrets[h.generation])
            root = ET.fromstring(s.open(h.counter, p[:h.size], p[h.size:]))
            f = mcast.File(root, root[0])
            if f.hash == V.sha:
                V.s, V.file, V.tsi, V.salt, V.generation = s, f, h.tsi, h.salt, h.generation
        if V.file and h.tsi == V.tsi and h.counter < 1 << 40 and (h.toi == 0 or h.sbn <= V.sbn + 9):
            if h.toi == 0 and h.salt != V.salt:
                return
            if h.counter <= V.top + 200:
                V.top = max(V.top, h.counter)
            if h.toi == 0:
                V.fdt = p
            else:
                V.last, V.sbn = p, max(V.sbn, h.sbn)
    except Exception:  # what we sent ourselves, mostly
        pass


def hear_notice(p, where):
    if V.file and p[4:6] == struct.pack("!H", V.tsi) and where[0] == A.dp:
        counter, = struct.unpack_from("!Q", p, 8)
        V.last_notice, V.to = p, where
        try:
            V.when, = struct.unpack_from("!I", V.s.open(counter, p[:16], p[16:]), 1)
        except Exception:
            pass


A.dp = "10.77.0.1"
V.sha = hashlib.sha256(open(A.name[0], "rb").read()).hexdigest()
V.size = os.path.getsize(A.name[0])
heard, end, again = [], time.time() + A.seconds, 0
stopped = []
signal.signal(signal.SIGTERM, lambda *_: stopped.append(True))
while time.time() < end and not stopped:
    for s in select.select([mcast.data, mcast.notices], [], [], 0.002)[0]:
        p, where = s.recvfrom(65535)
        if where[0] == A.dp:
            hear(p) if s is mcast.data else hear_notice(p, where)
            if "record" in A.kinds and len(heard) < 20000:
                heard.append((15001 if s is mcast.data else 15000, p))
    if time.time() >= again:
        for k in A.kinds:
            KINDS[k](V)
        again = time.time() + 0.004
if "record" in A.kinds:
    pickle.dump(heard, open(A.out, "wb"))
print(json.dumps({"sent": SENT, "heard": V.top}))
