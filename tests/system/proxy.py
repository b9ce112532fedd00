#!/usr/bin/env python3
"""proxy.py PORT USER:PASSWORD - an HTTP proxy for the tests: CONNECT and GET with
basic authentication, one line of log a connection.
SPDX-License-Identifier: ISC"""
import base64, socket, sys, threading, urllib.parse

want = "basic " + base64.b64encode(sys.argv[2].encode()).decode()


def copy(a, b):
    try:
        while data := a.recv(65536):
            b.sendall(data)
    except OSError:
        pass
    for s in (a, b):
        try:
            s.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def serve(c):
    head = b""
    while b"\r\n\r\n" not in head:
        data = c.recv(4096)
        if not data:
            return
        head += data
    lines = head.decode("latin-1").split("\r\n")
    auth = [l.split(":", 1)[1].strip() for l in lines if l.lower().startswith("proxy-authorization:")]
    ok = bool(auth) and auth[0].lower() == want.lower()
    print(lines[0], "ok" if ok else "refused", flush=True)
    if not ok:
        c.sendall(b"HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm=x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        c.close()
        return
    method, where = lines[0].split()[:2]
    if method == "CONNECT":
        host, port = where.rsplit(":", 1)
    else:  # further requests on the connection are for the same server
        url = urllib.parse.urlsplit(where)
        host, port = url.hostname, url.port or 80
    up = socket.create_connection((host, int(port)))
    if method == "CONNECT":
        c.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
    else:
        up.sendall(head)
    threading.Thread(target=copy, args=(c, up), daemon=True).start()
    copy(up, c)


s = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()
