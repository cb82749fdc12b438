/*
 * ksink - a minimal Kafka-protocol broker used as the measuring end of a benchmark.
 *
 * One thread, one epoll loop.  It answers ApiVersions, Metadata, Produce and
 * InitProducerId the way a single-node broker would, never stores a payload, and counts
 * what arrives.  Every record value is searched for the marker `sendlines` writes,
 *
 *     ~!CCCC.SSSSSSSS.TTTTTTTTTTTTTTTT~      conn . seq . send time (ns), all hex
 *
 * which gives loss and duplicates (one bit per (conn,seq)), order, and latency from the
 * line's (scheduled) send time to the moment the produce request is handled here.
 *
 * What it models of a real broker
 *   - requests of one connection are handled strictly one after another: the next one is
 *     not looked at before the previous response was written (--pipeline switches it off);
 *   - --ack-ms: the time between "records are in the log" and the response;
 *   - record batch v2 CRC-32C is checked, and a bad batch is refused (CORRUPT_MESSAGE);
 *   - --max-batch (message.max.bytes, 1048588): a larger batch gives MESSAGE_TOO_LARGE;
 *   - idempotent producers: sequence check per (producer id, partition), duplicates are
 *     acknowledged without being counted again, gaps give OUT_OF_ORDER_SEQUENCE_NUMBER;
 *   - /down: closes the listener and all connections for a while.  The log (counters,
 *     bitmap, sequence state) survives, responses that were not yet sent are lost - like a
 *     killed and restarted broker with durable storage.
 * What it does not: replication, fetch, groups, transactions, SASL, TLS, snappy, disk.
 *
 * Control port (HTTP/1.0, GET):  /stats  /ack?ms=X  /down?ms=X  /hang?ms=X
 *                                /err?code=N&ms=X  /reset?conns=C&seqs=S  /quit
 * SIGUSR1 prints the same JSON as /stats on stdout; SIGTERM/SIGINT print it and exit.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <endian.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>
#ifdef __SSE4_2__
#include <nmmintrin.h>
#endif

/* ------------------------------------------------------------------ small helpers */

static void die(const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    exit(2);
}

static int64_t now_ns(clockid_t c) {
    struct timespec ts;
    clock_gettime(c, &ts);
    return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

static void *xrealloc(void *p, size_t n) {
    p = realloc(p, n);
    if (!p) die("out of memory");
    return p;
}

typedef struct { uint8_t *p; size_t len, cap; } Buf;

static void buf_room(Buf *b, size_t n) {
    if (b->len + n <= b->cap) return;
    b->cap = (b->len + n) * 2;
    b->p = xrealloc(b->p, b->cap);
}
static void put(Buf *b, const void *p, size_t n) { buf_room(b, n); memcpy(b->p + b->len, p, n); b->len += n; }
static void put8(Buf *b, int v) { uint8_t x = v; put(b, &x, 1); }
static void put16(Buf *b, int v) { uint16_t x = htobe16((uint16_t)v); put(b, &x, 2); }
static void put32(Buf *b, int32_t v) { uint32_t x = htobe32((uint32_t)v); put(b, &x, 4); }
static void put64(Buf *b, int64_t v) { uint64_t x = htobe64((uint64_t)v); put(b, &x, 8); }
static void putuv(Buf *b, uint32_t v) { while (v >= 0x80) { put8(b, (v & 0x7f) | 0x80); v >>= 7; } put8(b, v); }

/* A reader that never runs past its end; `bad` latches. */
typedef struct { const uint8_t *p, *end; int bad; } Rd;

static const uint8_t *take(Rd *r, size_t n) {
    if (r->bad || (size_t)(r->end - r->p) < n) { r->bad = 1; return NULL; }
    const uint8_t *q = r->p;
    r->p += n;
    return q;
}
static int get8(Rd *r) { const uint8_t *q = take(r, 1); return q ? *q : 0; }
static int get16(Rd *r) { const uint8_t *q = take(r, 2); if (!q) return 0; uint16_t x; memcpy(&x, q, 2); return (int16_t)be16toh(x); }
static int32_t get32(Rd *r) { const uint8_t *q = take(r, 4); if (!q) return 0; uint32_t x; memcpy(&x, q, 4); return (int32_t)be32toh(x); }
static int64_t get64(Rd *r) { const uint8_t *q = take(r, 8); if (!q) return 0; uint64_t x; memcpy(&x, q, 8); return (int64_t)be64toh(x); }
static uint64_t getuv(Rd *r) {
    uint64_t v = 0;
    for (int s = 0; s < 64; s += 7) {
        int c = get8(r);
        v |= (uint64_t)(c & 0x7f) << s;
        if (!(c & 0x80)) return v;
    }
    r->bad = 1;
    return 0;
}
static int64_t getzz(Rd *r) { uint64_t v = getuv(r); return (int64_t)(v >> 1) ^ -(int64_t)(v & 1); }
static void skip_tags(Rd *r) {
    for (uint64_t n = getuv(r); n && !r->bad; n--) { getuv(r); take(r, getuv(r)); }
}
typedef struct { const char *p; int len; } Str;                     /* len -1: null */
static Str getstr(Rd *r, int flex) {
    Str s = { NULL, flex ? (int)getuv(r) - 1 : get16(r) };
    if (s.len > 0) s.p = (const char *)take(r, s.len);
    if (r->bad) s.len = -1;
    return s;
}
static int getarr(Rd *r, int flex) { return flex ? (int)getuv(r) - 1 : get32(r); }
static void putstr(Buf *b, const char *p, int len, int flex) {
    if (flex) putuv(b, len + 1); else put16(b, len);
    if (len > 0) put(b, p, len);
}
static void putarr(Buf *b, int n, int flex) { if (flex) putuv(b, n + 1); else put32(b, n); }

#ifdef __SSE4_2__
static uint32_t crc32c(const uint8_t *p, size_t n) {
    uint64_t c = 0xffffffffu;
    for (; n >= 8; p += 8, n -= 8) { uint64_t x; memcpy(&x, p, 8); c = _mm_crc32_u64(c, x); }
    uint32_t d = (uint32_t)c;
    for (; n; p++, n--) d = _mm_crc32_u8(d, *p);
    return ~d;
}
#else
static uint32_t crc32c(const uint8_t *p, size_t n) {
    static uint32_t table[256];
    if (!table[1]) for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int k = 0; k < 8; k++) c = c >> 1 ^ (c & 1 ? 0x82f63b78u : 0);
        table[i] = c;
    }
    uint32_t c = 0xffffffffu;
    for (; n; p++, n--) c = table[(c ^ *p) & 255] ^ c >> 8;
    return ~c;
}
#endif

/* ------------------------------------------------------------------ options, state */

static struct {
    const char *host;
    int port, advertise, ctl, partitions, verify, pipeline, autocreate, quiet, max_batch;
    double ack_ms;
    uint32_t conns, seqs;
} opt = { "127.0.0.1", 19092, 0, 19093, 4, 1, 0, 1, 0, 1048588, 0.0, 0, 0 };

#define PIDS 8                                  /* producer ids remembered per partition */
typedef struct { int64_t pid; int16_t epoch; int32_t last_seq; } PidState;
typedef struct {
    int64_t next_offset, records, bytes;
    PidState pid[PIDS];
    int npid;
    uint32_t *last_seq;                         /* per conn, seq+1, for the order check */
} Part;
typedef struct { char *name; int len; Part *part; int nparts; } Topic;

#define MAXTOPICS 4096
static Topic topics[MAXTOPICS];
static int ntopics;
static int16_t topic_hash[16384];               /* open addressing, index + 1 */

static struct {
    int64_t records, value_bytes, batches, requests, req_bytes, wire_bytes;
    int64_t unique, dup, nomark, badid, warm, reordered;
    int64_t dedup_batches, oos, crc_bad, malformed, too_large, refused, lost_acks;
    int64_t first_ns, last_ns, last_new_ns, conns_total, conns_now, maxbatch;
    int64_t vmin, vmax, codec[8];
} st;
static uint64_t *bitmap;

/* log-linear histogram of ns: 64 buckets per power of two */
#define HSUB 64
static int64_t hist[64 * HSUB], hist_n, hist_max, hist_sum;

static int hidx(uint64_t v) {
    if (v < HSUB) return (int)v;
    int e = 63 - __builtin_clzll(v);
    return (e - 5) * HSUB + (int)((v >> (e - 6)) & (HSUB - 1));
}
static int64_t hval(int i) {
    if (i < HSUB) return i;
    int e = i / HSUB + 5;
    return (int64_t)(((uint64_t)(HSUB + i % HSUB) << (e - 6)) + (1ull << (e - 6)) / 2);
}
static double hpct(double q) {
    int64_t want = (int64_t)(q * hist_n), seen = 0;
    for (int i = 0; i < 64 * HSUB; i++) if ((seen += hist[i]) > want) return hval(i) / 1e6;
    return hist_max / 1e6;
}

static void reset_counters(uint32_t conns, uint32_t seqs) {
    int64_t t = st.conns_total, n = st.conns_now;
    memset(&st, 0, sizeof st);
    st.conns_total = t; st.conns_now = n; st.vmin = -1;
    memset(hist, 0, sizeof hist);
    hist_n = hist_max = hist_sum = 0;
    opt.conns = conns; opt.seqs = seqs;
    free(bitmap);
    bitmap = conns ? calloc(((size_t)conns * seqs + 63) / 64, 8) : NULL;
    for (int i = 0; i < ntopics; i++)
        for (int j = 0; j < topics[i].nparts; j++) {
            Part *p = &topics[i].part[j];
            p->records = p->bytes = 0;
            free(p->last_seq);
            p->last_seq = NULL;
        }
}

static Topic *topic_get(const char *name, int len, int create) {
    uint32_t h = 2166136261u;
    for (int i = 0; i < len; i++) h = (h ^ (uint8_t)name[i]) * 16777619u;
    uint32_t slot = h & 16383;
    for (; topic_hash[slot]; slot = (slot + 1) & 16383) {
        Topic *t = &topics[topic_hash[slot] - 1];
        if (t->len == len && !memcmp(t->name, name, len)) return t;
    }
    if (!create || ntopics == MAXTOPICS || len <= 0 || len > 249) return NULL;
    Topic *t = &topics[ntopics++];
    topic_hash[slot] = ntopics;
    t->name = strndup(name, len);
    t->len = len;
    t->nparts = opt.partitions;
    t->part = calloc(t->nparts, sizeof(Part));
    return t;
}

/* ------------------------------------------------------------------ records */

static const int8_t hexv[256] = {
    [0 ... 255] = -1,
    ['0'] = 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, ['a'] = 10, 11, 12, 13, 14, 15, ['A'] = 10, 11, 12, 13, 14, 15,
};
static int hex(const uint8_t *p, int n, uint64_t *out) {
    uint64_t v = 0;
    int bad = 0;
    for (int i = 0; i < n; i++) { int d = hexv[p[i]]; bad |= d; v = v << 4 | (d & 15); }
    *out = v;
    return bad >= 0;
}

static int64_t batch_now;                       /* CLOCK_REALTIME when the request was taken up */

#define MARK 33
static void see_value(Part *part, const uint8_t *v, int64_t n) {
    st.value_bytes += n;
    if (st.vmin < 0 || n < st.vmin) st.vmin = n;
    if (n > st.vmax) st.vmax = n;
    const uint8_t *end = v + n, *q = v;
    uint64_t c, s, t;
    while (q && end - q >= MARK && (q = memchr(q, '~', end - q - MARK + 1))) {
        if (q[1] == '!' && q[6] == '.' && q[15] == '.' && q[32] == '~' &&
            hex(q + 2, 4, &c) && hex(q + 7, 8, &s) && hex(q + 16, 16, &t)) goto found;
        q++;
    }
    st.nomark++;
    return;
found:
    if (c & 0x8000) { st.warm++; return; }
    if (!st.first_ns) st.first_ns = batch_now;
    st.last_ns = batch_now;
    if (!bitmap) { st.unique++; st.last_new_ns = batch_now; goto lat; }
    if (c >= opt.conns || s >= opt.seqs) { st.badid++; return; }
    uint64_t bit = c * opt.seqs + s, m = 1ull << (bit & 63);
    if (bitmap[bit >> 6] & m) { st.dup++; return; }
    bitmap[bit >> 6] |= m;
    st.unique++;
    st.last_new_ns = batch_now;
    if (!part->last_seq) part->last_seq = calloc(opt.conns, sizeof(uint32_t));
    if (s + 1 <= part->last_seq[c]) st.reordered++;
    else part->last_seq[c] = (uint32_t)s + 1;
lat:;
    int64_t d = batch_now - (int64_t)t;
    if (d < 0) d = 0;
    hist[hidx(d)]++; hist_n++; hist_sum += d;
    if (d > hist_max) hist_max = d;
}

/* Decompressors other than gzip come from the runtime libraries, if they are there. */
typedef size_t (*zstd_fn)(void *, size_t, const void *, size_t);
typedef struct { size_t (*mk)(void **, unsigned); size_t (*go)(void *, void *, size_t *, const void *, size_t *, void *);
                 size_t (*rm)(void *); } Lz4;

static int inflate_to(int codec, const uint8_t *p, size_t n, Buf *out) {
    out->len = 0;
    if (codec == 1) {
        z_stream z = { 0 };
        if (inflateInit2(&z, 31) != Z_OK) return 0;
        z.next_in = (uint8_t *)p; z.avail_in = n;
        int rc;
        do {
            buf_room(out, 1 << 18);
            z.next_out = out->p + out->len; z.avail_out = out->cap - out->len;
            size_t had = z.avail_out;
            rc = inflate(&z, Z_NO_FLUSH);
            out->len += had - z.avail_out;
        } while (rc == Z_OK);
        inflateEnd(&z);
        return rc == Z_STREAM_END;
    }
    if (codec == 3) {
        static Lz4 f; static int tried;
        if (!tried++) {
            void *h = dlopen("liblz4.so.1", RTLD_NOW);
            if (h) { *(void **)&f.mk = dlsym(h, "LZ4F_createDecompressionContext");
                     *(void **)&f.go = dlsym(h, "LZ4F_decompress");
                     *(void **)&f.rm = dlsym(h, "LZ4F_freeDecompressionContext"); }
        }
        if (!f.go) return 0;
        void *cx; size_t r = 1, off = 0;
        f.mk(&cx, 100);
        while (r && off < n) {
            buf_room(out, 1 << 18);
            size_t o = out->cap - out->len, i = n - off;
            r = f.go(cx, out->p + out->len, &o, p + off, &i, NULL);
            if ((int64_t)r < 0 || (!o && !i)) break;
            out->len += o; off += i;
        }
        f.rm(cx);
        return r == 0;
    }
    if (codec == 4) {
        static zstd_fn f; static int tried;
        if (!tried++) { void *h = dlopen("libzstd.so.1", RTLD_NOW); if (h) *(void **)&f = dlsym(h, "ZSTD_decompress"); }
        if (!f) return 0;
        for (size_t room = n * 8 + 65536; room < (1u << 30); room *= 4) {
            buf_room(out, room);
            size_t r = f(out->p, out->cap, p, n);
            if ((int64_t)r >= 0) { out->len = r; return 1; }
        }
    }
    return 0;
}

static int walk_v2(Part *part, Rd r, int32_t count) {
    for (int32_t i = 0; i < count; i++) {
        int64_t len = getzz(&r);
        if (r.bad || len < 0 || len > r.end - r.p) return 0;
        Rd q = { r.p, r.p + len, 0 };
        r.p += len;
        get8(&q); getzz(&q); getzz(&q);
        int64_t kl = getzz(&q);
        if (kl > 0) take(&q, kl);
        int64_t vl = getzz(&q);
        const uint8_t *v = vl > 0 ? take(&q, vl) : q.p;
        for (int64_t h = getzz(&q); h > 0 && !q.bad; h--) {
            int64_t n = getzz(&q);
            take(&q, n);
            n = getzz(&q);
            if (n > 0) take(&q, n);
        }
        if (q.bad || q.p != q.end) return 0;
        see_value(part, v, vl < 0 ? 0 : vl);
    }
    return r.p == r.end;
}

enum { OK = 0, CORRUPT = 2, UNKNOWN_TP = 3, TOO_LARGE = 10, OUT_OF_ORDER = 45, DUP_SEQ = 46, INVALID_RECORD = 87 };

/* Appends one record set to a partition; returns a Kafka error code. */
static int append(Part *part, const uint8_t *p, size_t n) {
    static Buf plain;
    Rd r = { p, p + n, 0 };
    while (r.p < r.end) {
        const uint8_t *b = r.p;
        get64(&r);
        int32_t blen = get32(&r);
        if (r.bad || blen < 5 || blen > r.end - r.p) { st.malformed++; return INVALID_RECORD; }
        const uint8_t *bend = r.p + blen;
        if (blen + 12 > opt.max_batch) { st.too_large++; return TOO_LARGE; }
        int magic = b[16];
        if (magic == 2) {
            if (blen < 49) { st.malformed++; return INVALID_RECORD; }
            r.p += 5;
            uint32_t crc = (uint32_t)get32(&r);
            if (crc32c(r.p, bend - r.p) != crc) { st.crc_bad++; return CORRUPT; }
            int codec = get16(&r) & 7;
            get32(&r); get64(&r); get64(&r);
            int64_t pid = get64(&r);
            int16_t epoch = get16(&r);
            int32_t seq = get32(&r), count = get32(&r);
            if (count <= 0) { st.malformed++; return INVALID_RECORD; }
            PidState *ps = NULL;
            if (pid >= 0) {
                for (int i = 0; i < part->npid; i++) if (part->pid[i].pid == pid) ps = &part->pid[i];
                if (ps && ps->epoch == epoch) {
                    if ((int64_t)seq + count - 1 <= ps->last_seq) { st.dedup_batches++; r.p = bend; continue; }
                    if (seq != ps->last_seq + 1) { st.oos++; return OUT_OF_ORDER; }
                } else if (seq != 0) { st.oos++; return OUT_OF_ORDER; }
                if (!ps) ps = &part->pid[part->npid < PIDS ? part->npid++ : (int)(pid % PIDS)];
            }
            st.codec[codec]++;
            if (opt.verify) {
                Rd body = { r.p, bend, 0 };
                int ok = 1;
                if (codec) {
                    ok = inflate_to(codec, r.p, bend - r.p, &plain);
                    body.p = plain.p; body.end = plain.p + plain.len;
                }
                if (!ok || !walk_v2(part, body, count)) { st.malformed++; return INVALID_RECORD; }
            } else {
                if (!st.first_ns) st.first_ns = batch_now;
                st.last_ns = st.last_new_ns = batch_now;
            }
            if (ps) *ps = (PidState){ pid, epoch, seq + count - 1 };
            st.records += count; part->records += count; part->next_offset += count;
            if (count > st.maxbatch) st.maxbatch = count;
        } else if (magic == 0 || magic == 1) {             /* uncompressed legacy message */
            r.p += 5;
            int attr = get8(&r);
            if (magic == 1) get64(&r);
            int32_t kl = get32(&r);
            if (kl > 0) take(&r, kl);
            int32_t vl = get32(&r);
            const uint8_t *v = take(&r, vl > 0 ? vl : 0);
            if (r.bad || (attr & 7)) { st.malformed++; return INVALID_RECORD; }
            see_value(part, v, vl < 0 ? 0 : vl);
            st.records++; part->records++; part->next_offset++;
        } else { st.malformed++; return INVALID_RECORD; }
        st.batches++;
        st.wire_bytes += bend - b; part->bytes += bend - b;
        r.p = bend;
    }
    return OK;
}

/* ------------------------------------------------------------------ connections */

enum { K_LISTEN, K_CTL_LISTEN, K_TIMER, K_SIGNAL, K_CONN, K_CTL };
typedef struct Conn {
    int kind, fd, id;
    uint32_t events;
    int muted, dead;
    Buf in, out;
    size_t in_off, out_off;
    struct Conn *next, *prev;
} Conn;

static int ep, listen_fd = -1;
static Conn *conns;                             /* all Kafka and control connections */
static Conn e_listen = { .kind = K_LISTEN }, e_ctl = { .kind = K_CTL_LISTEN },
            e_timer = { .kind = K_TIMER }, e_sig = { .kind = K_SIGNAL };
static int64_t down_until, hang_until, err_until;
static int err_code, quitting, next_id;

/* Responses waiting for their time, in order (the delay is one constant at a time). */
typedef struct Pend { struct Pend *next; int id; Conn *c; int64_t due; Buf b; } Pend;
static Pend *pend_head, **pend_tail = &pend_head;

static void watch(Conn *c, uint32_t ev) {
    if (c->events == ev) return;
    struct epoll_event e = { .events = ev, .data.ptr = c };
    if (epoll_ctl(ep, c->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, c->fd, &e)) die("epoll_ctl: %s", strerror(errno));
    c->events = ev;
}
static void interest(Conn *c) {
    uint32_t ev = (c->muted ? 0 : EPOLLIN) | (c->out_off < c->out.len ? EPOLLOUT : 0);
    struct epoll_event e = { .events = ev, .data.ptr = c };
    if (c->events != ev) { epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &e); c->events = ev; }
}

static void conn_close(Conn *c) {               /* freed by reap() after the event round */
    if (c->dead) return;
    c->dead = 1;
    close(c->fd);
    if (c->kind == K_CONN) st.conns_now--;
    for (Pend *p = pend_head; p; p = p->next) if (p->c == c) { p->c = NULL; st.lost_acks++; }
}
static void reap(void) {
    for (Conn *c = conns, *n; c; c = n) {
        n = c->next;
        if (!c->dead) continue;
        if (c->prev) c->prev->next = c->next; else conns = c->next;
        if (c->next) c->next->prev = c->prev;
        free(c->in.p); free(c->out.p); free(c);
    }
}

static void flush(Conn *c) {
    while (c->out_off < c->out.len) {
        ssize_t n = send(c->fd, c->out.p + c->out_off, c->out.len - c->out_off, MSG_NOSIGNAL);
        if (n < 0) {
            if (errno == EAGAIN) break;
            if (errno == EINTR) continue;
            conn_close(c);
            return;
        }
        c->out_off += n;
    }
    if (c->out_off == c->out.len) c->out_off = c->out.len = 0;
    interest(c);
}

static void set_timer(void) {
    int64_t t = 0;
    if (pend_head) t = pend_head->due;
    if (down_until && (!t || down_until < t)) t = down_until;
    if (hang_until && (!t || hang_until < t)) t = hang_until;
    struct itimerspec it = { .it_value = { t / 1000000000LL, t % 1000000000LL } };
    timerfd_settime(e_timer.fd, TFD_TIMER_ABSTIME, &it, NULL);
}

static int open_listener(int port) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };
    inet_pton(AF_INET, opt.host, &a.sin_addr);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (void *)&a, sizeof a) || listen(fd, 511)) die("port %d: %s", port, strerror(errno));
    return fd;
}

/* ------------------------------------------------------------------ Kafka requests */

static const struct { int16_t key, min, max; } apis[] = {
    { 0, 0, 9 }, { 1, 0, 11 }, { 2, 0, 5 }, { 3, 0, 12 }, { 10, 0, 3 }, { 18, 0, 3 }, { 22, 0, 4 },
};   /* Fetch(1), ListOffsets(2), FindCoordinator(10) are named for clients that gate on them */

static int do_api_versions(Buf *o, int ver) {
    int n = sizeof apis / sizeof *apis, bad = ver > 3, flex = ver == 3;
    put16(o, bad ? 35 : 0);
    putarr(o, n, flex);
    for (int i = 0; i < n; i++) {
        put16(o, apis[i].key); put16(o, apis[i].min); put16(o, apis[i].max);
        if (flex) put8(o, 0);
    }
    if (ver >= 1 && !bad) put32(o, 0);
    if (flex) put8(o, 0);
    return 1;
}

static void put_topic(Buf *o, int v, int f, Topic *t, Str name) {
    put16(o, t ? 0 : UNKNOWN_TP);
    putstr(o, t ? t->name : name.p, t ? t->len : name.len, f);
    if (v >= 10) { char id[16] = { 0 }; if (t) snprintf(id, 16, "topic%09d", (int)(t - topics)); put(o, id, 16); }
    if (v >= 1) put8(o, 0);
    putarr(o, t ? t->nparts : 0, f);
    for (int i = 0; t && i < t->nparts; i++) {
        put16(o, 0); put32(o, i); put32(o, 1);
        if (v >= 7) put32(o, 0);
        putarr(o, 1, f); put32(o, 1);
        putarr(o, 1, f); put32(o, 1);
        if (v >= 5) putarr(o, 0, f);
        if (f) put8(o, 0);
    }
    if (v >= 8) put32(o, INT32_MIN);
    if (f) put8(o, 0);
}

static int do_metadata(Rd *r, Buf *o, int v) {
    int f = v >= 9, n = getarr(r, f);
    static Str names[MAXTOPICS];
    int all = n < 0 || (v == 0 && n == 0), m = 0;
    for (int i = 0; i < n && !r->bad; i++) {
        if (v >= 10) take(r, 16);
        Str s = getstr(r, f);
        if (f) skip_tags(r);
        if (s.len > 0 && m < MAXTOPICS) names[m++] = s;
    }
    int create = v >= 4 ? get8(r) : 1;
    if (r->bad) return 0;
    if (v >= 3) put32(o, 0);
    putarr(o, 1, f);
    put32(o, 1);
    putstr(o, opt.host, strlen(opt.host), f);
    put32(o, opt.advertise ? opt.advertise : opt.port);
    if (v >= 1) putstr(o, NULL, -1, f);
    if (f) put8(o, 0);
    if (v >= 2) putstr(o, "ksink", 5, f);
    if (v >= 1) put32(o, 1);
    putarr(o, all ? ntopics : m, f);
    if (all) for (int i = 0; i < ntopics; i++) put_topic(o, v, f, &topics[i], (Str){ 0 });
    else for (int i = 0; i < m; i++)
        put_topic(o, v, f, topic_get(names[i].p, names[i].len, create && opt.autocreate), names[i]);
    if (v >= 8 && v <= 10) put32(o, INT32_MIN);
    if (f) put8(o, 0);
    return 1;
}

static int do_produce(Rd *r, Buf *o, int v, int *acks) {
    int f = v >= 9;
    if (v >= 3) getstr(r, f);
    *acks = get16(r);
    get32(r);
    int nt = getarr(r, f);
    if (r->bad || nt < 0) return 0;
    batch_now = now_ns(CLOCK_REALTIME);
    st.requests++;
    int64_t mono = err_until ? now_ns(CLOCK_MONOTONIC) : 0;
    if (err_until && mono >= err_until) err_until = 0;
    putarr(o, nt, f);
    for (int i = 0; i < nt; i++) {
        Str name = getstr(r, f);
        int np = getarr(r, f);
        if (r->bad || np < 0 || name.len < 0) return 0;
        Topic *t = topic_get(name.p, name.len, 0);
        putstr(o, name.p, name.len, f);
        putarr(o, np, f);
        for (int j = 0; j < np; j++) {
            int32_t idx = get32(r);
            int64_t len = f ? (int64_t)getuv(r) - 1 : get32(r);
            const uint8_t *p = take(r, len < 0 ? 0 : len);
            if (f) skip_tags(r);
            if (r->bad) return 0;
            int err = UNKNOWN_TP;
            int64_t off = -1;
            if (err_until) { err = err_code; st.refused++; }
            else if (t && idx >= 0 && idx < t->nparts) {
                off = t->part[idx].next_offset;
                err = append(&t->part[idx], p, len < 0 ? 0 : len);
            }
            put32(o, idx); put16(o, err); put64(o, err ? -1 : off);
            if (v >= 2) put64(o, -1);
            if (v >= 5) put64(o, 0);
            if (v >= 8) { putarr(o, 0, f); putstr(o, NULL, -1, f); }
            if (f) put8(o, 0);
        }
        if (f) { skip_tags(r); put8(o, 0); }
    }
    if (v >= 1) put32(o, 0);
    if (f) put8(o, 0);
    return 1;
}

static int do_init_pid(Rd *r, Buf *o, int v) {
    static int64_t next_pid = 1000;
    int f = v >= 2;
    getstr(r, f);
    get32(r);
    int64_t pid = v >= 3 ? get64(r) : -1;
    int epoch = v >= 3 ? get16(r) : -1;
    put32(o, 0); put16(o, 0);
    put64(o, pid >= 0 ? pid : next_pid++);
    put16(o, pid >= 0 ? epoch + 1 : 0);
    if (f) put8(o, 0);
    return !r->bad;
}

/* One request frame. Returns 0 when the connection has to be dropped. */
static int handle(Conn *c, const uint8_t *p, size_t n) {
    Rd r = { p, p + n, 0 };
    int key = get16(&r), ver = get16(&r);
    int32_t corr = get32(&r);
    int cl = get16(&r);
    if (cl > 0) take(&r, cl);
    int flex = (key == 0 && ver >= 9) || (key == 3 && ver >= 9) || (key == 18 && ver >= 3) || (key == 22 && ver >= 2);
    if (flex) skip_tags(&r);
    if (r.bad) return 0;
    Buf o = { 0 };
    put32(&o, 0); put32(&o, corr);
    if (flex && key != 18) put8(&o, 0);
    int ok = 0, acks = 1;
    switch (key) {
    case 0: ok = ver <= 9 && do_produce(&r, &o, ver, &acks); st.req_bytes += n; break;
    case 3: ok = ver <= 12 && do_metadata(&r, &o, ver); break;
    case 18: ok = do_api_versions(&o, ver); break;
    case 22: ok = ver <= 4 && do_init_pid(&r, &o, ver); break;
    default: if (!opt.quiet) fprintf(stderr, "ksink: api %d v%d is not served, closing\n", key, ver);
    }
    if (!ok || acks == 0) { free(o.p); return ok; }
    uint32_t be = htobe32((uint32_t)(o.len - 4));
    memcpy(o.p, &be, 4);
    if (key == 0 && opt.ack_ms > 0) {
        Pend *q = calloc(1, sizeof *q);
        *q = (Pend){ .id = c->id, .c = c, .due = now_ns(CLOCK_MONOTONIC) + (int64_t)(opt.ack_ms * 1e6), .b = o };
        *pend_tail = q; pend_tail = &q->next;
        if (pend_head == q) set_timer();
        if (!opt.pipeline) c->muted = 1;
        return 1;
    }
    put(&c->out, o.p, o.len);
    free(o.p);
    return 1;
}

static void drain_frames(Conn *c) {
    while (!c->muted && !c->dead && !hang_until) {
        size_t have = c->in.len - c->in_off;
        if (have < 4) break;
        uint32_t sz;
        memcpy(&sz, c->in.p + c->in_off, 4);
        sz = be32toh(sz);
        if (sz > (256u << 20)) { conn_close(c); return; }
        if (have < 4 + (size_t)sz) { buf_room(&c->in, 4 + sz - have); break; }
        const uint8_t *f = c->in.p + c->in_off + 4;
        c->in_off += 4 + sz;
        if (!handle(c, f, sz)) { conn_close(c); return; }
    }
    if (c->in_off == c->in.len) c->in_off = c->in.len = 0;
    flush(c);
}

static void on_readable(Conn *c) {
    if (c->in_off > (1 << 20) || (c->in_off && c->in.cap - c->in.len < 65536)) {
        memmove(c->in.p, c->in.p + c->in_off, c->in.len - c->in_off);
        c->in.len -= c->in_off; c->in_off = 0;
    }
    buf_room(&c->in, 262144);
    ssize_t n = read(c->fd, c->in.p + c->in.len, c->in.cap - c->in.len);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) { conn_close(c); return; }
    if (n < 0) return;
    c->in.len += n;
    drain_frames(c);
}

/* ------------------------------------------------------------------ control */

static void jput(Buf *b, const char *fmt, ...) {
    char t[512];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(t, sizeof t, fmt, ap);
    va_end(ap);
    put(b, t, n < (int)sizeof t ? n : (int)sizeof t - 1);
}

static void stats_json(Buf *b) {
    struct rusage ru;
    getrusage(RUSAGE_SELF, &ru);
    jput(b, "{\"records\":%ld,\"unique\":%ld,\"duplicates\":%ld,\"warmup\":%ld,\"no_marker\":%ld,\"bad_id\":%ld,\"reordered\":%ld",
         st.records, st.unique, st.dup, st.warm, st.nomark, st.badid, st.reordered);
    if (bitmap) jput(b, ",\"id_space\":%lu", (uint64_t)opt.conns * opt.seqs);
    jput(b, ",\"value_bytes\":%ld,\"wire_bytes\":%ld,\"request_bytes\":%ld,\"requests\":%ld,\"batches\":%ld,\"max_batch\":%ld,\"value_min\":%ld,\"value_max\":%ld",
         st.value_bytes, st.wire_bytes, st.req_bytes, st.requests, st.batches, st.maxbatch, st.vmin, st.vmax);
    jput(b, ",\"codec\":{\"none\":%ld,\"gzip\":%ld,\"snappy\":%ld,\"lz4\":%ld,\"zstd\":%ld}",
         st.codec[0], st.codec[1], st.codec[2], st.codec[3], st.codec[4]);
    jput(b, ",\"dedup_batches\":%ld,\"out_of_order_seq\":%ld,\"crc_bad\":%ld,\"malformed\":%ld,\"too_large\":%ld,\"refused\":%ld,\"lost_acks\":%ld",
         st.dedup_batches, st.oos, st.crc_bad, st.malformed, st.too_large, st.refused, st.lost_acks);
    jput(b, ",\"first_ns\":%ld,\"last_ns\":%ld,\"last_new_ns\":%ld,\"conns\":%ld,\"conns_total\":%ld",
         st.first_ns, st.last_ns, st.last_new_ns, st.conns_now, st.conns_total);
    if (hist_n) jput(b, ",\"latency_ms\":{\"n\":%ld,\"mean\":%.3f,\"p50\":%.3f,\"p90\":%.3f,\"p99\":%.3f,\"p999\":%.3f,\"max\":%.3f}",
         hist_n, hist_sum / 1e6 / hist_n, hpct(.5), hpct(.9), hpct(.99), hpct(.999), hist_max / 1e6);
    jput(b, ",\"topics\":{");
    for (int i = 0; i < ntopics; i++) {
        jput(b, "%s\"%s\":[", i ? "," : "", topics[i].name);
        for (int j = 0; j < topics[i].nparts; j++) jput(b, "%s%ld", j ? "," : "", topics[i].part[j].records);
        jput(b, "]");
    }
    jput(b, "},\"cpu_user\":%ld.%06ld,\"cpu_sys\":%ld.%06ld}\n",
         ru.ru_utime.tv_sec, ru.ru_utime.tv_usec, ru.ru_stime.tv_sec, ru.ru_stime.tv_usec);
}
static void print_stats(void) {
    Buf b = { 0 };
    stats_json(&b);
    fwrite(b.p, 1, b.len, stdout);
    fflush(stdout);
    free(b.p);
}

static double arg(const char *path, const char *name, double dflt) {
    const char *q = strchr(path, '?');
    size_t n = strlen(name);
    while (q) {
        q++;
        if (!strncmp(q, name, n) && q[n] == '=') return atof(q + n + 1);
        q = strchr(q, '&');
    }
    return dflt;
}

static void go_down(double ms) {
    for (Conn *c = conns; c; c = c->next) if (c->kind == K_CONN) conn_close(c);
    if (listen_fd >= 0) { close(listen_fd); listen_fd = -1; e_listen.events = 0; }
    down_until = now_ns(CLOCK_MONOTONIC) + (int64_t)(ms * 1e6);
    set_timer();
}

static void on_ctl(Conn *c) {
    buf_room(&c->in, 4097);
    ssize_t n = read(c->fd, c->in.p + c->in.len, 4096);
    if (n <= 0) { conn_close(c); return; }
    c->in.len += n;
    c->in.p[c->in.len] = 0;
    char *s = (char *)c->in.p;
    if (!strchr(s, '\n')) return;
    char path[256] = "";
    sscanf(s, "%*s %255s", path);
    double ms = arg(path, "ms", 0);
    Buf body = { 0 };
    int code = 200;
    if (!strncmp(path, "/stats", 6)) stats_json(&body);
    else if (!strncmp(path, "/ack", 4)) opt.ack_ms = ms;
    else if (!strncmp(path, "/down", 5)) go_down(ms);
    else if (!strncmp(path, "/hang", 5)) { hang_until = now_ns(CLOCK_MONOTONIC) + (int64_t)(ms * 1e6); set_timer(); }
    else if (!strncmp(path, "/err", 4)) { err_code = (int)arg(path, "code", 6); err_until = now_ns(CLOCK_MONOTONIC) + (int64_t)(ms * 1e6); }
    else if (!strncmp(path, "/reset", 6)) reset_counters((uint32_t)arg(path, "conns", 0), (uint32_t)arg(path, "seqs", 0));
    else if (!strncmp(path, "/quit", 5)) quitting = 1;
    else code = 404;
    if (!body.len) jput(&body, "{\"ok\":%s}\n", code == 200 ? "true" : "false");
    jput(&c->out, "HTTP/1.0 %d %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n", code, code == 200 ? "OK" : "Not Found", body.len);
    put(&c->out, body.p, body.len);
    free(body.p);
    while (c->out_off < c->out.len) {
        ssize_t w = send(c->fd, c->out.p + c->out_off, c->out.len - c->out_off, MSG_NOSIGNAL);
        if (w <= 0 && errno != EINTR && errno != EAGAIN) break;
        if (w > 0) c->out_off += w;
    }
    conn_close(c);
}

static void accept_all(int lfd, int kind) {
    for (;;) {
        int fd = accept4(lfd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), one = 1;
        if (fd < 0) return;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        Conn *c = calloc(1, sizeof *c);
        c->kind = kind; c->fd = fd; c->id = ++next_id;
        c->next = conns;
        if (conns) conns->prev = c;
        conns = c;
        if (kind == K_CONN) { st.conns_now++; st.conns_total++; }
        watch(c, EPOLLIN);
    }
}

static void on_timer(void) {
    uint64_t x;
    if (read(e_timer.fd, &x, 8) < 0) { /* spurious */ }
    int64_t now = now_ns(CLOCK_MONOTONIC);
    if (hang_until && now >= hang_until) {
        hang_until = 0;
        for (Conn *c = conns; c; c = c->next) if (c->kind == K_CONN && !c->dead) drain_frames(c);
    }
    if (down_until && now >= down_until) {
        down_until = 0;
        e_listen.fd = listen_fd = open_listener(opt.port);
        watch(&e_listen, EPOLLIN);
    }
    while (!hang_until && pend_head && pend_head->due <= now) {
        Pend *p = pend_head;
        pend_head = p->next;
        if (!pend_head) pend_tail = &pend_head;
        if (p->c) {
            put(&p->c->out, p->b.p, p->b.len);
            p->c->muted = 0;
            drain_frames(p->c);
        }
        free(p->b.p);
        free(p);
    }
    set_timer();
}

static void usage(void) {
    puts("ksink [--host A] [--port N] [--advertise PORT] [--ctl N] [--partitions N] [--ack-ms X] [--pipeline]\n"
         "      [--topic NAME]... [--no-autocreate] [--max-batch BYTES] [--verify CONNS,SEQS | --no-verify] [--quiet]");
    exit(2);
}

int main(int argc, char **argv) {
    static const struct option lo[] = {
        { "host", 1, 0, 'h' }, { "port", 1, 0, 'p' }, { "advertise", 1, 0, 'A' }, { "ctl", 1, 0, 'c' }, { "partitions", 1, 0, 'P' },
        { "ack-ms", 1, 0, 'a' }, { "pipeline", 0, 0, 'l' }, { "topic", 1, 0, 't' }, { "no-autocreate", 0, 0, 'n' },
        { "verify", 1, 0, 'v' }, { "no-verify", 0, 0, 'V' }, { "max-batch", 1, 0, 'm' }, { "quiet", 0, 0, 'q' }, { 0 } };
    const char *pre[256];
    int npre = 0;
    for (int o; (o = getopt_long(argc, argv, "", lo, NULL)) != -1;) switch (o) {
        case 'h': opt.host = optarg; break;
        case 'p': opt.port = atoi(optarg); break;
        case 'A': opt.advertise = atoi(optarg); break;
        case 'c': opt.ctl = atoi(optarg); break;
        case 'P': opt.partitions = atoi(optarg); break;
        case 'a': opt.ack_ms = atof(optarg); break;
        case 'l': opt.pipeline = 1; break;
        case 't': if (npre < 256) pre[npre++] = optarg; break;
        case 'n': opt.autocreate = 0; break;
        case 'v': if (sscanf(optarg, "%u,%u", &opt.conns, &opt.seqs) != 2) usage(); break;
        case 'V': opt.verify = 0; break;
        case 'm': opt.max_batch = atoi(optarg); break;
        case 'q': opt.quiet = 1; break;
        default: usage();
    }
    for (int i = 0; i < npre; i++) topic_get(pre[i], strlen(pre[i]), 1);
    reset_counters(opt.conns, opt.seqs);
    signal(SIGPIPE, SIG_IGN);

    ep = epoll_create1(EPOLL_CLOEXEC);
    sigset_t ss;
    sigemptyset(&ss);
    sigaddset(&ss, SIGUSR1); sigaddset(&ss, SIGTERM); sigaddset(&ss, SIGINT);
    sigprocmask(SIG_BLOCK, &ss, NULL);
    e_sig.fd = signalfd(-1, &ss, SFD_NONBLOCK | SFD_CLOEXEC);
    e_timer.fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    e_listen.fd = listen_fd = open_listener(opt.port);
    e_ctl.fd = open_listener(opt.ctl);
    watch(&e_sig, EPOLLIN); watch(&e_timer, EPOLLIN); watch(&e_listen, EPOLLIN); watch(&e_ctl, EPOLLIN);

    while (!quitting) {
        struct epoll_event ev[256];
        int n = epoll_wait(ep, ev, 256, -1);
        for (int i = 0; i < n; i++) {
            Conn *c = ev[i].data.ptr;
            if (c->dead) continue;
            switch (c->kind) {
            case K_LISTEN: if (listen_fd >= 0) accept_all(listen_fd, K_CONN); break;
            case K_CTL_LISTEN: accept_all(c->fd, K_CTL); break;
            case K_TIMER: on_timer(); break;
            case K_SIGNAL: {
                struct signalfd_siginfo si;
                while (read(c->fd, &si, sizeof si) == sizeof si) {
                    if (si.ssi_signo == SIGUSR1) print_stats(); else quitting = 1;
                }
                break;
            }
            case K_CTL: on_ctl(c); break;
            case K_CONN:
                if (hang_until) { struct timespec t = { 0, 1000000 }; nanosleep(&t, NULL); break; }
                if (ev[i].events & EPOLLOUT) flush(c);
                if (!c->dead && (ev[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))) {
                    if (ev[i].events & EPOLLIN) on_readable(c); else conn_close(c);
                }
            }
        }
        reap();
    }
    print_stats();
    return 0;
}
