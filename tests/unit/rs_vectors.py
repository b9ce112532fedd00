#!/usr/bin/python3
"""tests/unit/rs_vectors.py > tests/unit/rs_vectors.h - what RFC 5510 says.

Sections 8.1, 8.2 and 8.4 word by word and without a thought of speed: the field
of 1+x^2+x^3+x^4+x^8, V with v[i][j] = alpha^(i*j), G = V(k,k)^-1 * V(k,n) by
elimination, e = s * G.
SPDX-License-Identifier: ISC
"""
POLY = 0b100011101
N = 255
LEN = 4


def mul(a, b):
    r = 0
    while b:
        if b & 1:
            r ^= a
        a <<= 1
        if a & 256:
            a ^= POLY
        b >>= 1
    return r


MUL = [bytes(mul(a, b) for b in range(256)) for a in range(256)]
INV = [0] + [MUL[a].index(1) for a in range(1, 256)]
ALPHA = [1]
while len(ALPHA) < 255:
    ALPHA.append(mul(ALPHA[-1], 2))


def vandermonde(rows, columns):
    return [[ALPHA[i * j % 255] for j in range(columns)] for i in range(rows)]


def inverse(m):
    k = len(m)
    m = [bytearray(row) + bytearray(int(i == j) for j in range(k)) for i, row in enumerate(m)]
    for c in range(k):
        p = next(r for r in range(c, k) if m[r][c])
        m[c], m[p] = m[p], m[c]
        m[c] = m[c].translate(MUL[INV[m[c][c]]])
        whole = int.from_bytes(m[c], "big")
        for r in range(k):
            if r != c and m[r][c]:
                x = int.from_bytes(m[c].translate(MUL[m[r][c]]), "big") if m[r][c] != 1 else whole
                m[r] = bytearray((int.from_bytes(m[r], "big") ^ x).to_bytes(2 * k, "big"))
    return [row[k:] for row in m]


def column(inv, esi):
    """Column esi of the generator matrix."""
    k = len(inv)
    v = [ALPHA[i * esi % 255] for i in range(k)]
    g = []
    for row in inv:
        x = 0
        for a, b in zip(row, v):
            x ^= MUL[a][b]
        g.append(x)
    return g


def source(k):
    return [bytes((17 * i + 101 * b + 31 * k + 5 * i * i) & 255 for b in range(LEN)) for i in range(k)]


print("/* Written by tests/unit/rs_vectors.py: k, ESI, the parity symbol. */")
for k in (1, 2, 3, 5, 10, 33, 64, 128, 200, 253, 254):
    inv = inverse(vandermonde(k, k))
    s = source(k)
    assert [column(inv, j) for j in range(k)] == [[int(i == j) for i in range(k)] for j in range(k)]
    for esi in sorted({k, k + 1, (k + N) // 2, N - 1} & set(range(k, N))):
        g = column(inv, esi)
        e = [0] * LEN
        for c, sym in zip(g, s):
            e = [x ^ MUL[c][y] for x, y in zip(e, sym)]
        print("{ %d, %d, { %s } }," % (k, esi, ", ".join("0x%02x" % x for x in e)))
