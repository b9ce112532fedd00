/* raw.c - what this machine can move by multicast with no protocol at all.
 *
 *   raw send BYTES RATE_MBps LEN GSO SEAL     RATE 0: as fast as it goes
 *   raw recv LEN OPEN SHA GRO                 prints one line at the end
 *   raw crypt                                 AES-128-GCM, SHA-256 on one core
 *
 * A packet is LEN bytes of UDP payload: 8 of sequence number, then the content;
 * with SEAL/OPEN the last 16 are an AES-128-GCM tag over the rest, the nonce
 * being made from the number. The content bytes are counted without these.
 * sendmmsg and recvmmsg move BATCH packets a call; with GSO a call carries
 * trains of up to 44 packets, with GRO the receiver takes trains whole.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <openssl/evp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define GROUP "239.66.0.2"
#define PORT 7000
#define BATCH 64
#define TRAIN 44
#define MAXLEN 65536

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}
static double cpu(void)
{
    struct rusage r;
    getrusage(RUSAGE_SELF, &r);
    return r.ru_utime.tv_sec + r.ru_stime.tv_sec + (r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}
static void die(const char *s) { perror(s); exit(1); }

static EVP_CIPHER_CTX *gcm(int enc)
{
    static const unsigned char key[16] = "raw bench key 16";
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    if (!EVP_CipherInit_ex(c, EVP_aes_128_gcm(), NULL, key, NULL, enc)) die("gcm");
    return c;
}
static void nonce(unsigned char n[12], uint64_t seq) { memset(n, 0, 12); memcpy(n + 4, &seq, 8); }

/* seals pkt[8..len-16) in place, tag behind it */
static void seal(EVP_CIPHER_CTX *c, unsigned char *pkt, int len, uint64_t seq)
{
    unsigned char n[12]; int o;
    nonce(n, seq);
    EVP_EncryptInit_ex(c, NULL, NULL, NULL, n);
    EVP_EncryptUpdate(c, NULL, &o, pkt, 8);
    EVP_EncryptUpdate(c, pkt + 8, &o, pkt + 8, len - 24);
    EVP_EncryptFinal_ex(c, pkt, &o);
    EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, 16, pkt + len - 16);
}
static int opened(EVP_CIPHER_CTX *c, unsigned char *pkt, int len, uint64_t seq)
{
    unsigned char n[12]; int o;
    nonce(n, seq);
    EVP_DecryptInit_ex(c, NULL, NULL, NULL, n);
    EVP_DecryptUpdate(c, NULL, &o, pkt, 8);
    EVP_DecryptUpdate(c, pkt + 8, &o, pkt + 8, len - 24);
    EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_SET_TAG, 16, pkt + len - 16);
    return EVP_DecryptFinal_ex(c, pkt, &o) > 0;
}

static int do_send(double bytes, double rate, int len, int gso, int sealing)
{
    int s = socket(AF_INET, SOCK_DGRAM, 0), off = 0, ttl = 1, buf = 4 << 20;
    struct ip_mreqn m = { .imr_ifindex = if_nametoindex("eth0") };
    setsockopt(s, IPPROTO_IP, IP_MULTICAST_IF, &m, sizeof m);
    setsockopt(s, IPPROTO_IP, IP_MULTICAST_LOOP, &off, sizeof off);
    setsockopt(s, IPPROTO_IP, IP_MULTICAST_TTL, &ttl, sizeof ttl);
    setsockopt(s, SOL_SOCKET, SO_SNDBUF, &buf, sizeof buf);
    if (gso && setsockopt(s, SOL_UDP, UDP_SEGMENT, &len, sizeof len)) die("UDP_SEGMENT");
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(PORT) };
    inet_pton(AF_INET, GROUP, &to.sin_addr);
    if (connect(s, (void *)&to, sizeof to)) die("connect");

    int per = gso ? TRAIN : 1, msgs = gso ? 2 : BATCH, inbatch = per * msgs;
    int content = len - 8 - (sealing ? 16 : 0);
    uint64_t total = (uint64_t)(bytes / content), seq = 0, errs = 0;
    unsigned char *mem = malloc((size_t)inbatch * len);
    for (size_t i = 0; i < (size_t)inbatch * len; i++) mem[i] = (unsigned char)rand();
    struct iovec iov[BATCH];
    struct mmsghdr mm[BATCH];
    EVP_CIPHER_CTX *c = gcm(1);
    double t0 = now(), c0 = cpu();
    while (seq < total) {
        int n = total - seq < (uint64_t)inbatch ? (int)(total - seq) : inbatch, k = 0;
        for (int i = 0; i < n; i++) {
            unsigned char *p = mem + (size_t)i * len;
            uint64_t q = seq + i;
            memcpy(p, &q, 8);
            if (sealing) seal(c, p, len, q);
        }
        memset(mm, 0, sizeof mm);
        for (int i = 0; i < n; i += per, k++) {
            int w = n - i < per ? n - i : per;
            iov[k].iov_base = mem + (size_t)i * len;
            iov[k].iov_len = (size_t)w * len;
            mm[k].msg_hdr.msg_iov = &iov[k];
            mm[k].msg_hdr.msg_iovlen = 1;
        }
        for (int done = 0; done < k;) {
            int r = sendmmsg(s, mm + done, k - done, 0);
            if (r < 0) { if (errno == ENOBUFS || errno == EAGAIN) { errs++; continue; } die("sendmmsg"); }
            done += r;
        }
        seq += n;
        if (rate > 0) {                     /* pace by content bytes; sleep when well ahead */
            double due = t0 + (double)seq * content / (rate * 1e6), t;
            while ((t = now()) < due) {
                if (due - t > 60e-6) {
                    struct timespec z = { 0, (long)((due - t) * 1e9) };
                    nanosleep(&z, NULL);
                }
            }
        }
    }
    double t1 = now(), c1 = cpu();
    /* the end mark: number ~0, a few times, once the buffers had time to drain */
    for (int i = 0; i < 10; i++) {
        uint64_t e = ~0ull; memcpy(mem, &e, 8); memcpy(mem + 8, &total, 8);
        usleep(i ? 20000 : 300000);
        send(s, mem, 64 < len ? 64 : len, 0);
    }
    printf("sent %lu pkts %.3f s %.0f pps %.1f MB/s cpu %.2f\n", (unsigned long)total,
           t1 - t0, total / (t1 - t0), total * (double)content / (t1 - t0) / 1e6, c1 - c0);
    return 0;
}

static int do_recv(int len, int opening, int sha, int gro)
{
    int s = socket(AF_INET, SOCK_DGRAM, 0), one = 1, buf = 64 << 20;
    setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    setsockopt(s, SOL_SOCKET, SO_RCVBUFFORCE, &buf, sizeof buf);
    if (gro && setsockopt(s, SOL_UDP, UDP_GRO, &one, sizeof one)) die("UDP_GRO");
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(PORT) };
    inet_pton(AF_INET, GROUP, &a.sin_addr);
    if (bind(s, (void *)&a, sizeof a)) die("bind");
    struct ip_mreqn m = { .imr_ifindex = if_nametoindex("eth0") };
    inet_pton(AF_INET, GROUP, &m.imr_multiaddr);
    if (setsockopt(s, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof m)) die("join");

    size_t slot = gro ? MAXLEN : 2048;
    unsigned char *mem = malloc(slot * BATCH);
    struct iovec iov[BATCH];
    struct mmsghdr mm[BATCH];
    memset(mm, 0, sizeof mm);
    for (int i = 0; i < BATCH; i++) {
        iov[i].iov_base = mem + slot * i; iov[i].iov_len = slot;
        mm[i].msg_hdr.msg_iov = &iov[i]; mm[i].msg_hdr.msg_iovlen = 1;
    }
    EVP_CIPHER_CTX *c = gcm(0);
    EVP_MD_CTX *h = EVP_MD_CTX_new();
    EVP_DigestInit_ex(h, EVP_sha256(), NULL);
    int content = len - 8 - (opening ? 16 : 0);
    uint64_t got = 0, bad = 0, total = 0;
    double t0 = 0, t1 = 0, c0 = 0;
    for (;;) {
        struct pollfd p = { s, POLLIN, 0 };
        if (poll(&p, 1, got ? 2000 : 20000) <= 0) break;
        int n = recvmmsg(s, mm, BATCH, MSG_DONTWAIT, NULL);
        if (n < 0) { if (errno == EAGAIN) continue; die("recvmmsg"); }
        for (int i = 0; i < n; i++)
            for (unsigned o = 0; o < mm[i].msg_len; o += len) {
                unsigned char *q = mem + slot * i + o;
                uint64_t seq; memcpy(&seq, q, 8);
                if (seq == ~0ull) { memcpy(&total, q + 8, 8); goto end; }
                if (!got) { t0 = now(); c0 = cpu(); }
                got++;
                if (opening && !opened(c, q, len, seq)) bad++;
                if (sha) EVP_DigestUpdate(h, q + 8, content);
            }
        t1 = now();
    }
end:
    printf("got %lu of %lu lost %.3f%% bad %lu %.3f s %.0f pps %.1f MB/s cpu %.2f\n",
           (unsigned long)got, (unsigned long)total, total ? 100.0 * (double)(total - got) / (double)total : -1,
           (unsigned long)bad, t1 - t0, (double)got / (t1 - t0), (double)got * content / (t1 - t0) / 1e6, cpu() - c0);
    return 0;
}

static int do_crypt(void)
{
    static unsigned char b[4096], big[1 << 20], md[32];
    int len = 1400;
    EVP_CIPHER_CTX *e = gcm(1), *d = gcm(0);
    EVP_MD_CTX *h = EVP_MD_CTX_new();
    double t = now(); long n = 0;
    for (; now() - t < 1; n += 64) for (int i = 0; i < 64; i++) seal(e, b, len, n + i);
    printf("seal  %.2f GB/s %.2f M pkt/s\n", n * (len - 24.0) / (now() - t) / 1e9, n / (now() - t) / 1e6);
    t = now(); n = 0;
    for (; now() - t < 1; n += 64) for (int i = 0; i < 64; i++) opened(d, b, len, n + i);
    printf("open  %.2f GB/s %.2f M pkt/s (tag check included)\n", n * (len - 24.0) / (now() - t) / 1e9, n / (now() - t) / 1e6);
    EVP_DigestInit_ex(h, EVP_sha256(), NULL);
    t = now(); n = 0;
    for (; now() - t < 1; n += 64) for (int i = 0; i < 64; i++) EVP_DigestUpdate(h, b, len - 24);
    printf("sha256, 1376-byte updates %.2f GB/s\n", n * (len - 24.0) / (now() - t) / 1e9);
    t = now(); n = 0;
    for (; now() - t < 1; n++) EVP_DigestUpdate(h, big, sizeof big);
    printf("sha256, 1 MiB updates %.2f GB/s\n", n * (double)sizeof big / (now() - t) / 1e9);
    EVP_DigestFinal_ex(h, md, NULL);
    return 0;
}

int main(int c, char **v)
{
    if (c == 7 && !strcmp(v[1], "send"))
        return do_send(atof(v[2]), atof(v[3]), atoi(v[4]), atoi(v[5]), atoi(v[6]));
    if (c == 6 && !strcmp(v[1], "recv"))
        return do_recv(atoi(v[2]), atoi(v[3]), atoi(v[4]), atoi(v[5]));
    if (c == 2 && !strcmp(v[1], "crypt")) return do_crypt();
    fprintf(stderr, "usage: see the top of raw.c\n");
    return 1;
}
