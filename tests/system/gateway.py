#!/usr/bin/python3
"""Both ends of connections through the gateway, for the system tests.

gateway.py server PORT [echo|silent|shut|mute|reset|close|first|proxy|slow|asleep] [HOST]
    A TCP server. echo: takes the ClientHello, answers its SHA-256 as a line,
    then echoes, and after the client's end says "end". silent: never says a
    word. shut: takes the ClientHello and closes. mute: so, but after the client's
    end. reset: answers the line, then resets. close: answers the line, then
    closes. first: answers the line, sends no more and says what it still gets.
    proxy: echo behind a PROXY v2 header, which it logs. slow: reads
    nothing after its answer for two seconds; asleep: for good.
gateway.py crowd_server PORT
    As echo, for many thousands at once.
gateway.py CASE [ARG...]: see the functions below; exit 0 if all was as it says.
SPDX-License-Identifier: ISC
"""
import hashlib
import os
import select
import socket
import ssl
import struct
import sys
import threading
import time

GATEWAY = ("127.0.0.1", 13000)
RESET = struct.pack("ii", 1, 0)


def hello(sni="server.example", alpn=None):
    """A ClientHello as OpenSSL makes it."""
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ctx.check_hostname = False
    ctx.verify_mode = ssl.CERT_NONE
    if alpn:
        ctx.set_alpn_protocols(alpn)
    out = ssl.MemoryBIO()
    obj = ctx.wrap_bio(ssl.MemoryBIO(), out, server_hostname=sni)
    try:
        obj.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return out.read()


def digest(h):
    return (hashlib.sha256(h).hexdigest() + "\n").encode()


def connect(to=GATEWAY, source=None):
    s = socket.socket(socket.AF_INET6 if ":" in to[0] else socket.AF_INET)
    s.settimeout(20)
    if source:
        s.bind((source, 0))
    s.connect(to)
    return s


def read_exactly(s, n):
    got = b""
    while len(got) < n:
        part = s.recv(n - len(got))
        if not part:
            raise EOFError(got)
        got += part
    return got


def opened(h=None, **kw):
    """A connection that the server has answered."""
    h = h or hello()
    s = connect(**kw)
    s.sendall(h)
    assert read_exactly(s, 65) == digest(h), "another ClientHello arrived"
    return s


def echoes(s, data=b"x" * 1024):
    s.sendall(data)
    assert read_exactly(s, len(data)) == data, "echo"


def ends(s):
    """What comes until the other end closes; None for a reset."""
    got = b""
    try:
        while True:
            part = s.recv(65536)
            if not part:
                return got
            got += part
    except ConnectionResetError:
        return None


# -- the server --

def take_hello(s):
    got = message = b""
    while len(message) < 4 or len(message) < 4 + int.from_bytes(message[1:4], "big"):
        head = read_exactly(s, 5)
        part = read_exactly(s, int.from_bytes(head[3:5], "big"))
        got, message = got + head + part, message + part
    return got


def echo(s):
    """All that comes goes back; after its end says "end"."""
    while part := s.recv(262144):
        s.sendall(part)
    s.sendall(b"end")
    print("ended", flush=True)


def serve_one(s, mode):
    try:
        if mode == "silent":
            time.sleep(3600)
        if mode == "proxy":
            head = read_exactly(s, 16)
            rest = read_exactly(s, int.from_bytes(head[14:16], "big"))
            assert head[:13] == b"\r\n\r\n\0\r\nQUIT\n\x21", head
            family = {0x11: socket.AF_INET, 0x21: socket.AF_INET6}[head[13]]
            n = 4 if family == socket.AF_INET else 16
            print("proxy", socket.inet_ntop(family, rest[:n]),
                  socket.inet_ntop(family, rest[n:2 * n]),
                  *struct.unpack("!HH", rest[2 * n:2 * n + 4]), flush=True)
        answer = digest(take_hello(s))
        if mode == "mute":
            assert not s.recv(1)
        if mode in ("shut", "mute"):
            return
        s.sendall(answer)
        if mode == "reset":
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            return
        if mode == "close":
            return
        if mode == "first":
            s.shutdown(socket.SHUT_WR)
            got, n = hashlib.sha256(), 0
            while part := s.recv(262144):
                got.update(part)
                n += len(part)
            print("got", n, got.hexdigest(), flush=True)
            return
        if mode in ("slow", "asleep"):
            time.sleep(2 if mode == "slow" else 3600)
        echo(s)
    except ConnectionResetError:
        print("reset", flush=True)
    except (OSError, EOFError, AssertionError) as e:
        print("failed", repr(e)[:200], flush=True)
    finally:
        s.close()


def listen(port, host):
    """For many, each of which gets a thread of its own."""
    threading.stack_size(128 * 1024)
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if ":" in host:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    listener.bind((host, int(port)))
    listener.listen(4096)
    print("listening", flush=True)
    return listener


def server(port, mode="echo", host="127.0.0.1"):
    listener = listen(port, host)
    while True:
        s, _ = listener.accept()
        print("accepted", flush=True)
        threading.Thread(target=serve_one, args=(s, mode), daemon=True).start()


def crowd_server(port):
    import asyncio  # takes as long to begin as all the rest does

    async def one(reader, writer):
        try:
            head = await reader.readexactly(5)
            writer.write(digest(head + await reader.readexactly(int.from_bytes(head[3:], "big"))))
            while part := await reader.read(65536):
                writer.write(part)
            writer.write(b"end")
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def serve():
        listener = await asyncio.start_server(one, "127.0.0.1", int(port), backlog=4096)
        print("listening", flush=True)
        await listener.serve_forever()
    asyncio.run(serve())


# -- admission --

def admitted(sni="server.example", alpn="", host=GATEWAY[0]):
    s = opened(hello(sni or None, alpn.split(",") if alpn else None),
               to=(host, 13000))
    echoes(s)
    s.shutdown(socket.SHUT_WR)
    assert ends(s) == b"end", "no half-close"


def refused(sni="server.example", alpn="", alert="", source=""):
    """Nothing but the alert comes, then the end."""
    s = connect(source=source or None)
    s.sendall(hello(sni or None, alpn.split(",") if alpn else None))
    got = ends(s)
    if alert:
        assert got == bytes([21, 3, 3, 0, 2, 2, int(alert)]), got
    else:
        assert not got, got


def not_tls(text="GET / HTTP/1.1\r\nHost: server.example\r\n\r\n"):
    s = connect()
    s.sendall(text.encode())
    assert not ends(s)


def raw(hexbytes):
    s = connect()
    s.sendall(bytes.fromhex(hexbytes))
    assert not ends(s)


def long_hello():
    """True to its length, which is too much; the first record is refused."""
    s = connect()
    s.sendall(b"\x16\x03\x01\x40\x00\x01\x01\x00\x00" + b"\0" * 8192)
    assert not ends(s)


def not_its_record():
    """A whole hello whose record says it is longer, then one that is: a server waits."""
    for n, more in ((9000, b""), (1, b""), (1, b"x")):
        h = hello()
        s = connect()
        s.sendall(h[:3] + (len(h) - 5 + n).to_bytes(2, "big") + h[5:] + more)
        assert not ends(s)


def in_records(h, piece):
    return b"".join(h[:3] + len(h[i:i + piece]).to_bytes(2, "big") +
                    h[i:i + piece] for i in range(5, len(h), piece))


def fragmented():
    """Over TCP segments, byte by byte; over TLS records; over both."""
    h = hello()
    for data, step in ((h, 1), (in_records(h, 1), 65536), (in_records(h, 50), 7)):
        s = connect()
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for i in range(0, len(data), step):
            s.sendall(data[i:i + step])
            if step == 1 and i % 100 == 0:
                time.sleep(0.002)
        assert read_exactly(s, 65) == digest(data)
        echoes(s)


def late(seconds):
    """A byte now and then: closed when the time for the hello is over."""
    t = time.monotonic()  # a crowd keeps us waiting behind the connect, too
    s, h = connect(), hello()
    try:
        for i in range(50):
            s.sendall(h[i:i + 1])
            if select.select([s], [], [], 0.2)[0]:
                break
    except (BrokenPipeError, ConnectionResetError):
        pass
    t = time.monotonic() - t
    assert float(seconds) - 0.1 <= t < float(seconds) + 7, t  # all of it takes ten
    assert not ends(s)


def leaves():
    h = hello()
    s = connect()  # a port scanner
    s.close()
    s = connect()  # half a hello, then the end
    s.sendall(h[:50])
    s.shutdown(socket.SHUT_WR)
    assert not ends(s)
    s = connect()  # half a hello, then a reset
    s.sendall(h[:50])
    time.sleep(0.1)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    s.close()


def silent_crowd(n):
    """So many that say nothing take all places; the oldest goes for who says hello,
    and none for a stranger."""
    quiet = [connect() for _ in range(int(n))]
    time.sleep(1.5)
    ends(connect(source="127.0.0.9"))
    assert not select.select(quiet, [], [], 0.3)[0]
    opened()
    ends(quiet[0])
    assert not select.select(quiet[1:], [], [], 0.3)[0]


def many(n):
    """So many are carried, one more is refused, and after one left it is not."""
    open_ones = [opened() for _ in range(int(n))]
    s = connect()
    s.sendall(hello())
    assert not ends(s)
    last = open_ones.pop()
    last.shutdown(socket.SHUT_WR)
    assert ends(last) == b"end"  # when we see the end it is counted no more
    echoes(opened())
    for s in open_ones:
        echoes(s, b"y")


def flood(n):
    """More than there are descriptors for: the newest are told, none hangs."""
    carried, told, h = [], 0, hello()
    for _ in range(int(n)):
        s = connect()
        try:
            s.sendall(h)
            read_exactly(s, 65)
            carried.append(s)
        except (EOFError, OSError):
            told += 1
    for s in carried:
        echoes(s, b"z")
    print(len(carried), told)
    assert carried and told


# -- while it is carried --

def cut_within(s, least, most, alert, begun=None):
    """The other end is held, and ends by this alert ("": by none) in these seconds,
    the least of them since it was begun, which may have taken a while."""
    began, text = time.monotonic(), ""
    try:
        while s.recv(100):
            pass
    except ssl.SSLError as e:
        text = str(e)
    took, whole = time.monotonic() - began, time.monotonic() - (begun or began)
    assert float(least) <= whole and took <= float(most), (whole, took)
    assert alert in text, text


def both_ways(s, n, half_close=True):
    """So many MiB at once, whole, through what is behind an echo."""
    block = os.urandom(1 << 20)
    sent, got = hashlib.sha256(), hashlib.sha256()

    def send():
        for _ in range(n):
            s.sendall(block)
            sent.update(block)
        if half_close:
            s.shutdown(socket.SHUT_WR)
    t = threading.Thread(target=send)
    t.start()
    left = n << 20
    while left > 0:
        part = s.recv(min(left, 262144))
        assert part, "cut"
        got.update(part)
        left -= len(part)
    t.join()
    assert sent.digest() == got.digest()
    assert not half_close or ends(s) == b"end"


def bulk(megabytes, half_close="yes"):
    both_ways(opened(), int(megabytes), half_close == "yes")


def client_resets():
    s = opened()
    echoes(s)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    s.close()


def resets_behind_its_end():
    """It has sent its end, and waits for nothing, when it goes for good."""
    s = opened()
    s.shutdown(socket.SHUT_WR)
    time.sleep(0.3)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    s.close()


def server_resets():
    s = connect()
    s.sendall(hello())
    try:
        read_exactly(s, 65)
        assert ends(s) is None, "a reset became an end"
    except ConnectionResetError:
        pass


def passed_over():
    """The first address leaves three at once unanswered, and the next one serves.
    It is tried with a device now and then, after twice the time each."""
    h = hello()
    three = [connect() for _ in range(3)]
    for s in three:
        s.sendall(h)
    for s in three:
        assert not ends(s)
    for _ in range(5):
        try:
            echoes(opened(h))
            return
        except (EOFError, ConnectionResetError):
            pass
    raise AssertionError("not passed over")


def shut():
    """The server closes before its first byte."""
    s = connect()
    s.sendall(hello())
    assert not ends(s)


def shut_by_its_end():
    """As shut, but this end has closed first."""
    s = connect()
    s.sendall(hello())
    s.shutdown(socket.SHUT_WR)
    assert not ends(s)


def server_closes():
    s = opened()
    assert ends(s) == b""


def server_ends_first(megabytes):
    """A server that sends no more still gets all of this; what that is."""
    s, block, sent = opened(), os.urandom(1 << 20), hashlib.sha256()
    assert ends(s) == b""
    for _ in range(int(megabytes)):
        s.sendall(block)
        sent.update(block)
    s.shutdown(socket.SHUT_WR)
    print("got", int(megabytes) << 20, sent.hexdigest(), flush=True)


def silent(least, most):
    s, t = connect(), time.monotonic()
    s.sendall(hello())
    assert not ends(s)
    t = time.monotonic() - t
    assert float(least) <= t <= float(most), t


def stuck(seconds):
    """Takes nothing of its echo: dropped in time, which counts from what it took
    last (after it began, before its last send), and the pool of pipes is free again."""
    s = opened()
    began = moved = time.monotonic()
    s.setblocking(False)
    while time.monotonic() - moved < float(seconds) + 20:
        try:
            s.send(b"x" * 262144)
            moved = time.monotonic()
        except BlockingIOError:
            time.sleep(0.05)
        except (BrokenPipeError, ConnectionResetError):
            assert time.monotonic() - began >= float(seconds), "too early"
            return
    raise AssertionError("not dropped")


def all_stuck(n, seconds):
    """More than there are pipes for take nothing of their echo: all are dropped in
    time, none before; others are served meanwhile."""
    left, began = [opened() for _ in range(int(n))], time.monotonic()
    moved = began
    for s in left:
        s.setblocking(False)
    while left:
        assert time.monotonic() - moved < float(seconds) + 30, f"{len(left)} are not dropped"
        for s in list(left):
            try:
                s.send(b"x" * 65536)
                moved = time.monotonic()
            except BlockingIOError:
                pass
            except (BrokenPipeError, ConnectionResetError):
                assert time.monotonic() - began >= float(seconds), "too early"
                left.remove(s)
        admitted()


def closed_after(least, most, busy=""):
    """By idle-timeout or, busy or not, total-timeout."""
    begun, s, t = time.monotonic(), opened(), time.monotonic()
    try:
        while not select.select([s], [], [], 0.2)[0]:
            if busy:
                echoes(s)
        assert not ends(s)
    except (EOFError, ConnectionResetError, BrokenPipeError):
        assert busy  # the end came in the middle of an echo
    begun, t = time.monotonic() - begun, time.monotonic() - t
    assert float(least) <= begun and t <= float(most), (begun, t)


def hold(n, source=""):
    """Holds n until a line comes on standard input, then echoes on each."""
    held = [opened(source=source or None) for _ in range(int(n))]
    print("held", flush=True)
    sys.stdin.readline()
    for s in held:
        echoes(s)
    print("well", flush=True)


def held(n):
    """So many at once, each of which echoes and ends."""
    all_of_them = [opened() for _ in range(int(n))]
    for s in all_of_them:
        echoes(s)
        s.shutdown(socket.SHUT_WR)
    for s in all_of_them:
        assert ends(s) == b"end"


def answered(n):
    """So many at once, each of which echoes; then they leave."""
    all_of_them = [opened() for _ in range(int(n))]
    for s in all_of_them:
        echoes(s)


def stalls(seconds):
    """Has much echoed and takes nothing of it. Its buffer holds a few segments of the
    loopback's 64 KiB: where one does not fit the kernel drops it with the
    acknowledgement in it, and now and then this end sends no more, either."""
    s = opened()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 262144)
    s.setblocking(False)
    end = time.monotonic() + float(seconds)
    said = False
    while time.monotonic() < end:
        try:
            s.send(b"x" * 262144)
        except BlockingIOError:
            if not said:
                print("stalled", flush=True)
            said = True
            time.sleep(0.05)


def refused_or_ended(lost):
    """Whatever the far end does: it ends, and soon. Takes nothing before the
    file `lost` is there, so that windows are used up."""
    s = connect()
    s.sendall(hello())
    while not os.path.exists(lost):
        time.sleep(0.05)
    t = time.monotonic()
    ends(s)
    assert time.monotonic() - t < 15


def held_dies(n):
    """Holds n; each is ended from outside."""
    held = [opened() for _ in range(int(n))]
    print("held", flush=True)
    for s in held:
        s.settimeout(None)  # as long as the test takes
        assert not ends(s)
    print("gone", flush=True)


def crowd(n, batch=100):
    """Holds n. At a line on standard input each echoes and leaves, unless all
    were ended from outside before; says which."""
    h, held, n = hello(), [], int(n)
    answer = digest(h)
    while len(held) < n:
        some = [connect() for _ in range(min(batch, n - len(held)))]
        for s in some:
            s.sendall(h)
        for s in some:
            assert read_exactly(s, len(answer)) == answer
        held += some
    print("held", flush=True)
    if select.select([sys.stdin, held[0]], [], [])[0] == [sys.stdin]:
        for s in held:
            echoes(s, b"well")
        print("well", flush=True)
        return
    for s in held:
        assert not ends(s)
    print("gone", flush=True)


def hammer(threads):
    """One connection after the other, until a line comes; each is carried."""
    stop, bad, n = threading.Event(), [], [0]

    def run():
        while not stop.is_set() and not bad:
            try:
                s = opened()
                echoes(s)
                s.close()
                n[0] += 1
            except (OSError, EOFError, AssertionError) as e:
                bad.append(repr(e))
    all_ = [threading.Thread(target=run) for _ in range(int(threads))]
    for t in all_:
        t.start()
    print("begun", flush=True)
    sys.stdin.readline()
    stop.set()
    for t in all_:
        t.join()
    assert not bad, bad
    print("carried", n[0], flush=True)


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
