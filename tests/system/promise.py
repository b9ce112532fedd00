#!/usr/bin/python3
"""tests/system/promise.py - a device that promises reports and does not send them.

usage: promise.py DIR I N PREFIX

On each of N connections to 127.0.0.1:8061 device I (of inbox-lib.sh, its PKI in
DIR) begins a PUT of 1 MiB to PREFIX1, PREFIX2 and so on. Prints "STATUS RETRY-AFTER" of
each but the first and "promised"; sends a byte a second on the first, and prints
"slow STATUS SECONDS" of it at last.
SPDX-License-Identifier: ISC
"""
import re
import socket
import ssl
import sys
import time

where, i, n, prefix = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
ctx = ssl.create_default_context(cafile=where + "/ca/ca.crt")
ctx.load_cert_chain(f"{where}/d{i}.crt", f"{where}/d{i}.key")
all = []
for k in range(1, n + 1):
    c = ctx.wrap_socket(socket.create_connection(("127.0.0.1", 8061)), server_hostname="127.0.0.1")
    c.sendall(b"PUT %s%d HTTP/1.1\r\nHost: a\r\nContent-Length: 1048576\r\n\r\nx" % (prefix.encode(), k))
    if k == 1:
        start = time.monotonic()
        time.sleep(0.5)  # so that it is the first
    all.append(c)
for c in all[1:]:
    text = b""
    while part := c.recv(4096):
        text += part
    print(text.split(b" ")[1].decode(), *re.findall(r"Retry-After: (\d+)", text.decode()), flush=True)
print("promised", flush=True)
c, text = all[0], b""
c.settimeout(1)
while time.monotonic() - start < 60:
    try:
        text = c.recv(4096)
        break
    except TimeoutError:
        c.sendall(b"x")
print("slow", text.split(b" ")[1].decode() if text else "cut", int(time.monotonic() - start), flush=True)
