#!/usr/bin/python3
"""Rebuilds the files of a FLUTE session from a capture, without any code of ours.

usage: flute_decode.py [--secret HEX] [--tsi N] [--lose SEED [--one-too-many]] CAPTURE DIR

From the texts of RFC 5651 (LCT), 5775 (ALC), 6726 (FLUTE), 5445 (FEC encoding
IDs 0 and 129), 5052 (blocks) and 5510 (Reed-Solomon over GF(2^8)); with
--secret also what docs/design.md says of sealed packets.

CAPTURE is a pcap file and holds one session, or --tsi says which.
--lose takes packets out first: of each block as many as can be spared, chosen
by SEED, and the first copy of each FDT instance; with --one-too-many one more
of the last block, which then cannot be rebuilt.

Writes DIR/<Content-Location> for each file whose SHA-256 is the FDT's; exit 1 if
there is one that is not.
SPDX-License-Identifier: ISC
"""
import argparse
import hashlib
import os
import random
import struct
import sys
import urllib.parse
import xml.etree.ElementTree as ET

FDT_NS = '{urn:ietf:params:xml:ns:fdt}'
DP_NS = '{urn:dpoint:fdt:1}'

# -- GF(2^8), RFC 5510 section 8.1: x^8 + x^4 + x^3 + x^2 + 1, alpha = x --

EXP, LOG = [0] * 510, [0] * 256
x = 1
for i in range(255):
    EXP[i] = EXP[i + 255] = x
    LOG[x] = i
    x <<= 1
    if x & 0x100:
        x ^= 0x11d


def mul(a, b):
    return EXP[LOG[a] + LOG[b]] if a and b else 0


def div(a, b):
    return EXP[LOG[a] + 255 - LOG[b]] if a else 0


TIMES = [bytes(mul(a, b) for b in range(256)) for a in range(256)]


def rebuild(k, have):
    """Source symbols of a block of k from have, {ESI: symbol}, k of them.

    Section 8.2: the code word is e = s * V(k,k)^-1 * V(k,n), V[i][j] = alpha^(i*j).
    With c = s * V(k,k)^-1 that is e[j] = sum c[i] * (alpha^j)^i: the values at
    alpha^j of a polynomial of degree below k, so Lagrange finds those that lack.
    """
    esis = sorted(have)[:k]
    points = [EXP[j] for j in esis]
    size = len(have[esis[0]])
    # 1 / product of (x_j - x_m), once for all
    weights = []
    for a in points:
        w = 1
        for b in points:
            if a != b:
                w = mul(w, a ^ b)
        weights.append(div(1, w))
    out = []
    for esi in range(k):
        if esi in have:
            out.append(have[esi])
            continue
        at, whole = EXP[esi], 1
        for b in points:
            whole = mul(whole, at ^ b)
        total = 0
        for j, a, w in zip(esis, points, weights):
            c = mul(div(whole, at ^ a), w)
            total ^= int.from_bytes(have[j].translate(TIMES[c]), 'big')
        out.append(total.to_bytes(size, 'big'))
    return out


# -- packets --

def capture(path):
    """The UDP payloads of a pcap file of Ethernet and IPv4."""
    data = open(path, 'rb').read()
    order = '<' if data[:4] == b'\xd4\xc3\xb2\xa1' else '>'
    assert struct.unpack(order + 'I', data[20:24])[0] == 1, 'not Ethernet'
    at = 24
    while at < len(data):
        n = struct.unpack(order + 'I', data[at + 8:at + 12])[0]
        frame = data[at + 16:at + 16 + n]
        at += 16 + n
        assert frame[12:14] == b'\x08\0', 'not IPv4'
        ip = frame[14:14 + struct.unpack('>H', frame[16:18])[0]]
        udp = ip[(ip[0] & 15) * 4:]
        assert ip[9] == 17 and len(udp) == struct.unpack('>H', udp[4:6])[0]
        yield udp[8:]


class Packet:
    def __init__(self, b):
        word = struct.unpack('>H', b[:2])[0]
        assert word >> 12 == 1, 'LCT version'
        c, s, o, h = word >> 10 & 3, word >> 7 & 1, word >> 5 & 3, word >> 4 & 1
        assert word & 0x000c == 0, 'reserved bits'
        self.close_session, self.close_object = bool(word & 2), bool(word & 1)
        end, self.codepoint = b[2] * 4, b[3]
        at = 4
        self.cci, at = b[at:at + 4 * (c + 1)], at + 4 * (c + 1)
        n = 4 * s + 2 * h
        self.tsi, at = int.from_bytes(b[at:at + n], 'big'), at + n
        n = 4 * o + 2 * h
        self.toi, at = int.from_bytes(b[at:at + n], 'big'), at + n
        self.ext = {}
        while at < end:
            n = b[at + 1] * 4 if b[at] < 128 else 4
            assert n > 0 and at + n <= end, 'extension length'
            self.ext[b[at]] = b[at + 1 + (b[at] < 128):at + n]
            at += n
        assert at == end, 'header length'
        if self.codepoint == 0:
            self.sbn, self.esi = struct.unpack('>HH', b[end:end + 4])
            end += 4
        else:
            assert self.codepoint == 129, 'codepoint'
            self.sbn, self.sbl, self.esi = struct.unpack('>IHH', b[end:end + 8])
            end += 8
        self.head, self.payload = b[:end], b[end:]
        self.counter = int.from_bytes(self.ext.get(200, b'') + self.cci, 'big')

    def fdt_id(self):
        v = int.from_bytes(self.ext[192], 'big')
        assert v >> 20 == 2, 'FLUTE version'
        return v & 0xfffff


def unseal(packets, secret):
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF
    ext = next(p.ext[100] for p in packets if 100 in p.ext)
    info = b'dpoint multicast data 1' + ext[:2] + struct.pack('>H', packets[0].tsi)
    okm = HKDF(algorithm=hashes.SHA256(), length=20, salt=ext[2:],
               info=info).derive(secret)
    gcm = AESGCM(okm[:16])
    for p in packets:
        assert p.ext.get(100, ext) == ext
        p.payload = gcm.decrypt(okm[16:] + struct.pack('>Q', p.counter),
                                p.payload, p.head)


# -- the session --

class File:
    def __init__(self, e, instance):
        def get(name):
            v = e.get(name, instance.get(name))
            assert v is not None, name + ' lacks'
            return v
        self.name = urllib.parse.unquote(get('Content-Location'))
        assert '..' not in self.name.split('/') and self.name[0] != '/'
        self.toi, self.length = int(get('TOI')), int(get('Transfer-Length'))
        assert get('FEC-OTI-FEC-Encoding-ID') == '129'
        assert get('FEC-OTI-FEC-Instance-ID') == '0'
        b = int(get('FEC-OTI-Maximum-Source-Block-Length'))
        self.symbol = int(get('FEC-OTI-Encoding-Symbol-Length'))
        self.max_n = int(get('FEC-OTI-Max-Number-of-Encoding-Symbols'))
        self.sha256 = get(DP_NS + 'sha256')
        # RFC 5052, section 9.1
        t = -(-self.length // self.symbol)
        n = -(-t // b)
        large, small = -(-t // n), t // n
        many = t - small * n
        self.blocks = [large] * many + [small] * (n - many)
        self.last = (n - 1, self.blocks[-1] - 1)

    def block(self, sbn, have):
        k = self.blocks[sbn]
        if len(have) < k:
            raise SystemExit('%s: block %d: %d of %d symbols' % (
                self.name, sbn, len(have), k))
        return b''.join(rebuild(k, have))


def fdts(packets):
    """Whole FDT instances by their ID; a copy must say the same."""
    parts = {}
    for p in packets:
        if p.toi == 0:
            assert p.codepoint == 0 and p.sbn == 0
            fti = p.ext[64]
            length, zero, e, b = struct.unpack('>6sHHI', fti)
            key = (p.fdt_id(), int.from_bytes(length, 'big'), e)
            symbols = parts.setdefault(key, {})
            assert symbols.setdefault(p.esi, p.payload) == p.payload
    for (number, length, e), symbols in sorted(parts.items()):
        text = b''.join(symbols[i] for i in range(-(-length // e)))
        assert len(text) == length
        yield number, text


def lose(packets, files, seed, one_too_many):
    rng = random.Random(seed)
    gone, first, blocks = set(), set(), {}
    for i, p in enumerate(packets):
        if p.toi == 0 and (p.fdt_id(), p.esi) not in first:
            first.add((p.fdt_id(), p.esi))
            gone.add(i)
        elif p.toi != 0:
            blocks.setdefault((p.toi, p.sbn), []).append(i)
    for (toi, sbn), all_of_it in blocks.items():
        spare = len(all_of_it) - files[toi].blocks[sbn]
        if one_too_many and (toi, sbn) == max(blocks):
            spare += 1
        gone.update(rng.sample(all_of_it, spare))
    return [p for i, p in enumerate(packets) if i not in gone]


def main():
    a = argparse.ArgumentParser()
    a.add_argument('--secret')
    a.add_argument('--tsi', type=int)
    a.add_argument('--lose', type=int)
    a.add_argument('--one-too-many', action='store_true')
    a.add_argument('capture')
    a.add_argument('dir')
    a = a.parse_args()

    packets = [Packet(b) for b in capture(a.capture)]
    if a.tsi is not None:
        packets = [p for p in packets if p.tsi == a.tsi]
    assert len({p.tsi for p in packets}) == 1, 'more than one session'
    assert len({p.counter for p in packets}) == len(packets), 'a counter twice'
    assert packets[-1].close_session, 'it does not close'
    if a.secret:
        unseal(packets, bytes.fromhex(a.secret))
    files, sent = {}, len(packets)
    for _, text in fdts(packets):
        root = ET.fromstring(text)
        assert root.tag == FDT_NS + 'FDT-Instance' and int(root.get('Expires')) > 0
        for e in root.findall(FDT_NS + 'File'):
            f = File(e, root)
            assert f.toi not in files
            files[f.toi] = f
    if a.lose is not None:
        packets = lose(packets, files, a.lose, a.one_too_many)
        assert sorted(n for n, _ in fdts(packets)) == list(
            range(1, 1 + len(list(fdts(packets)))))

    have = {}
    for p in packets:
        if p.toi != 0:
            f = files[p.toi]
            assert p.sbl == f.blocks[p.sbn] and p.esi < f.max_n
            if (p.sbn, p.esi) == f.last and len(p.payload) < f.symbol:
                # sent without its padding, coded with it
                assert len(p.payload) == f.length % f.symbol
                p.payload += bytes(f.symbol - len(p.payload))
            assert len(p.payload) == f.symbol
            have.setdefault(p.toi, {}).setdefault(p.sbn, {})[p.esi] = p.payload
    for f in files.values():
        blocks = have.get(f.toi, {})
        content = b''.join(f.block(i, blocks.get(i, {})) for i in range(len(f.blocks)))
        assert not any(content[f.length:]), 'the last symbol is not filled up with zeros'
        content = content[:f.length]
        if hashlib.sha256(content).hexdigest() != f.sha256:
            sys.exit('%s: another SHA-256' % f.name)
        path = os.path.join(a.dir, f.name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'wb') as out:
            out.write(content)
    print('%d files from %d of %d packets' % (len(files), len(packets), sent))


main()
