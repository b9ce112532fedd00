#!/usr/bin/python3
"""The other end of the connection that an agent keeps, for the system tests.

push.py PORT DIR [MODE]    DIR has ca.crt, host.crt and host.key; on 127.0.0.1 or
                           what PUSH_HOST says
    Asks for a client certificate, answers GET /v1/push as the mode says and logs
    "PORT open DEVICE PATH" and "PORT closed". Each line that a client of the
    socket DIR/PORT.ctl sends is a Python string literal, sent to all as it is.
    Modes: good, a comment each second; quiet, a good one without comments; html;
    redirect; line, a line without an end; event, an event without an end; flood,
    comments without an end; head, a head without an end; wakes, a wake after the
    other; hangup, after half a second; mute, nothing at all is said; inbox, a
    distribution point that takes reports, see below.
push.py say DIR PORT LITERAL
SPDX-License-Identifier: ISC
"""
import ast
import hashlib
import os
import socket
import ssl
import sys
import threading
import time

GOOD = (b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
        b"Connection: close\r\n\r\n")
open_ones = []
lock = threading.Lock()


def log(*words):
    print(" ".join(map(str, words)) + "\n", end="", flush=True)  # one write, whoever else has a line


def inbox(c, head, where, port):
    """Answers PUT as DIR/mode says: ok; cut, takes it and hangs up; a status; knows
    N, a report of a higher number; ahead N, of a number that is N higher. Logs "PORT PUT PATH SHA256 MODE" and
    appends the body to DIR/taken."""
    want = int(head.lower().split(b"content-length:")[1].split(b"\r")[0])
    body = head.split(b"\r\n\r\n", 1)[1]
    while len(body) < want:
        part = c.recv(65536)
        if not part:
            return
        body += part
    path = head.split(b" ")[1].decode()
    with open(f"{where}/mode") as f:
        mode = f.read().split()
    log(port, "PUT", path, hashlib.sha256(body).hexdigest(), *mode)
    if mode[0] == "cut":
        return
    status, text = 201, b'{"highest":%d}' % int(path.split("/")[-1])
    if mode[0] == "knows":
        status, text = 200, b'{"highest":%d}' % int(mode[1])
    elif mode[0] == "ahead":
        status, text = 200, b'{"highest":%d}' % (int(path.split("/")[-1]) + int(mode[1]))
    elif mode[0] != "ok":
        status, text = int(mode[0]), b"no"
    else:
        with open(f"{where}/taken", "ab") as f:
            f.write(body + b"\n")
    c.sendall(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s"
              % (status, len(text), text))


def endless(c, head, part):
    c.sendall(head)
    while True:
        c.sendall(part * (4000 // len(part) + 1))


def serve(c, mode):
    if mode == "html":
        c.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<p>")
    elif mode == "redirect":
        c.sendall(b"HTTP/1.1 302 Found\r\nLocation: https://127.0.0.1:9/\r\n"
                  b"Content-Length: 0\r\n\r\n")
    elif mode == "line":
        endless(c, GOOD + b"data: ", b"a")
    elif mode == "event":
        endless(c, GOOD, b"data: more\n")
    elif mode == "flood":
        endless(c, GOOD, b":\n\n")
    elif mode == "head":
        endless(c, b"HTTP/1.1 200 OK\r\n", b"X-More: and more\r\n")
    elif mode == "wakes":
        endless(c, GOOD, b'event: wake\ndata: {"what":"refresh"}\n\n')
    elif mode == "hangup":
        c.sendall(GOOD)
        time.sleep(0.5)
    else:
        with lock:
            c.sendall(GOOD)
            open_ones.append(c)
        while c.recv(100):
            pass


def client(s, ctx, port, mode, where):
    try:
        if mode == "mute":
            while s.recv(1000):
                pass
            return
        c = ctx.wrap_socket(s, server_side=True)
    except OSError as e:
        log(port, "no TLS", e)
        s.close()
        return
    try:
        head = b""
        while b"\r\n\r\n" not in head:
            part = c.recv(4096)
            if not part:
                return
            head += part
        if mode == "inbox":
            if head.startswith(b"PUT "):
                inbox(c, head, where, port)
            else:
                c.sendall(b"HTTP/1.1 404 X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            c.close()
            return
        names = [v for k, v in c.getpeercert().get("subjectAltName", ()) if k == "URI"]
        log(port, "open", *names, head.split(b" ")[1].decode())
        serve(c, mode)
    except OSError:
        pass
    with lock:
        if c in open_ones:
            open_ones.remove(c)
    c.close()
    log(port, "closed")


def say(text):
    with lock:
        for c in open_ones:
            try:
                c.sendall(text)
            except OSError:
                pass


def control(path):
    s = socket.socket(socket.AF_UNIX)
    if os.path.exists(path):
        os.unlink(path)
    s.bind(path)
    s.listen()
    while True:
        c, _ = s.accept()
        text = b""
        while part := c.recv(65536):
            text += part
        say(ast.literal_eval(text.decode()).encode("latin-1"))
        c.sendall(b"ok")
        c.close()


def comments():
    while True:
        time.sleep(1)
        say(b":\n\n")


def main():
    if sys.argv[1] == "say":
        s = socket.socket(socket.AF_UNIX)
        s.connect(f"{sys.argv[2]}/{sys.argv[3]}.ctl")
        s.sendall(sys.argv[4].encode())
        s.shutdown(socket.SHUT_WR)
        return 0 if s.recv(2) == b"ok" else 1
    port, where = int(sys.argv[1]), sys.argv[2]
    mode = sys.argv[3] if len(sys.argv) > 3 else "good"
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ctx.load_cert_chain(f"{where}/host.crt", f"{where}/host.key")
    ctx.load_verify_locations(f"{where}/ca.crt")
    ctx.verify_mode = ssl.CERT_REQUIRED
    threading.Thread(target=control, args=(f"{where}/{port}.ctl",), daemon=True).start()
    if mode == "good":
        threading.Thread(target=comments, daemon=True).start()
    host = os.environ.get("PUSH_HOST", "127.0.0.1")
    s = socket.create_server((host, port), backlog=100,
                             family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    log(port, "listens", mode)
    while True:
        c, _ = s.accept()
        threading.Thread(target=client, args=(c, ctx, port, mode, where), daemon=True).start()


sys.exit(main())
