/* isotherm.h: read the page of a running isotherm engine. One header, C99 or C++11, no library.
 *
 * The page is a file under /dev/shm that one engine writes and any number of processes map read-only. This header
 * mirrors its layout (src/shm/page.rs, docs/PAGE.md), asserts every offset, and reads records by the seqlock protocol:
 * no lock, no system call, no wait. Prices are 1e-10 quote units, money is cents, shares 1e-4 or 1e-6 as named; there
 * are no floats.
 *
 *     isotherm_page page;
 *     struct isotherm_header header;
 *     struct isotherm_headline headline;
 *     if (isotherm_open(&page, "/dev/shm/isotherm.main") == ISOTHERM_OK
 *         && isotherm_headline_read(&page, 0, 1, &headline) == ISOTHERM_OK
 *         && isotherm_header_read(&page, &header) == ISOTHERM_OK
 *         && isotherm_freshness(&header, &headline, isotherm_mono_now()) == ISOTHERM_FRESH_LIVE)
 *         act_on(headline.bias, headline.confidence);
 *
 * Needs GCC or Clang (their __atomic builtins), POSIX, a little-endian 64-bit machine.
 */
#ifndef ISOTHERM_H
#define ISOTHERM_H

#if !defined(_POSIX_C_SOURCE) && !defined(_GNU_SOURCE)
#define _POSIX_C_SOURCE 200809L /* include this header first, or define it yourself */
#endif

#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#if !defined(__BYTE_ORDER__) || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the page is little-endian"
#endif

#define ISOTHERM_MAGIC       0x304d5248544f5349ull /* "ISOTHRM0" */
#define ISOTHERM_ABI_MAJOR   0
#define ISOTHERM_ABI_MINOR   6
#define ISOTHERM_LAYOUT_HASH 0x419e756a566b9d09ull
#define ISOTHERM_MODES       3 /* scalp, day, swing */
#define ISOTHERM_SYMBOLS_MAX 1024
#define ISOTHERM_LISTED_MAX  1024       /* venues, errors, events */
#define ISOTHERM_CHANNELS    4 /* book, trades, tickers, liquidations */
#define ISOTHERM_PAGE_MAX    (1ul << 28)
#define ISOTHERM_RETRIES     64         /* tries before ISOTHERM_STALLED: microseconds */
#define ISOTHERM_HEARTBEAT_MAX_NS 100000000ll /* older = the engine is dead or stuck */
#define ISOTHERM_AHEAD_MAX_NS       1000000ll /* further ahead = another boot's clock */

/* Bits of header.status. */
#define ISOTHERM_WARMING  (1u << 0)
#define ISOTHERM_LIVE     (1u << 1)
#define ISOTHERM_DEGRADED (1u << 2)
#define ISOTHERM_STALE    (1u << 3)
#define ISOTHERM_HALT     (1u << 4) /* stopped on purpose, kill is not 0: open nothing */
#define ISOTHERM_TAPE_GAP   (1u << 5) /* the recording has a hole and has stopped */
#define ISOTHERM_CLOCK_STEP (1u << 6) /* the wall clock was stepped */

/* Bits of flags: each is a reason to trust a number less. */
#define ISOTHERM_FLAG_WARMING            (1u << 0)
#define ISOTHERM_FLAG_BOOK_UNTRUSTED     (1u << 1)
#define ISOTHERM_FLAG_GAP                (1u << 2)
#define ISOTHERM_FLAG_TIERS_ASSUMED      (1u << 3)
#define ISOTHERM_FLAG_RELATIVE           (1u << 4)
#define ISOTHERM_FLAG_PRIOR              (1u << 5)
#define ISOTHERM_FLAG_MARK_STALE         (1u << 6)
#define ISOTHERM_FLAG_INTEREST_STALE     (1u << 7)
#define ISOTHERM_FLAG_TRADES_STALE       (1u << 8)
#define ISOTHERM_FLAG_LEARNING           (1u << 9)
#define ISOTHERM_FLAG_UNPROVEN           (1u << 10)
#define ISOTHERM_FLAG_EXHAUSTED          (1u << 11)
#define ISOTHERM_FLAG_DISCONNECTED       (1u << 12)
#define ISOTHERM_FLAG_SATURATED          (1u << 13)
#define ISOTHERM_FLAG_HALTED             (1u << 14)
#define ISOTHERM_FLAG_DELISTED           (1u << 15)
#define ISOTHERM_FLAG_MAINTENANCE        (1u << 16)
#define ISOTHERM_FLAG_SHALLOW            (1u << 17)

/* Verdicts. */
#define ISOTHERM_NO_DATA       0
#define ISOTHERM_CONFLICTED    1
#define ISOTHERM_NEUTRAL       2
#define ISOTHERM_LEAN_LONG     3
#define ISOTHERM_LEAN_SHORT    4
#define ISOTHERM_LONG          5
#define ISOTHERM_SHORT         6
#define ISOTHERM_STRONG_LONG   7
#define ISOTHERM_STRONG_SHORT  8

/* A run of equal records. */
struct isotherm_region {
    uint32_t offset;                   /* first byte, from the start of the page */
    uint32_t stride;                   /* bytes from one record to the next */
    uint32_t count;
    uint32_t per_symbol;               /* records per symbol; 0 = not by symbol */
};

/* The first 384 bytes. */
struct isotherm_header {
    uint64_t magic;                    /* ISOTHERM_MAGIC; 0 = torn down */
    uint16_t abi_major;
    uint16_t abi_minor;
    uint32_t header_len;
    uint64_t layout_hash;
    uint64_t epoch;                    /* random per start: another one = forget what you knew */
    uint64_t pid;
    int64_t start_ns;                  /* Unix ns */
    int64_t start_mono_ns;             /* CLOCK_MONOTONIC ns */
    uint64_t page_len;
    struct isotherm_region directory;
    struct isotherm_region headlines;  /* symbol * per_symbol + mode */
    struct isotherm_region wides;
    struct isotherm_region counters;
    char build[32];
    uint64_t config_hash;              /* plan in force; 0 = not told */
    uint64_t model_hash;               /* learned model in force; 0 = not told */
    /* symbol * 2 and the next: the newer is the one put more often; from minor 3 */
    struct isotherm_region snapshots;
    uint64_t heartbeat_turn;           /* twice the number of heartbeats; odd = being written */
    int64_t heartbeat_mono_ns;         /* CLOCK_MONOTONIC ns */
    uint64_t input_seq;                /* number of the last input stepped */
    uint64_t state_hash;               /* chain over all that was published */
    uint64_t spare_alive[4];
    uint32_t status;                   /* ISOTHERM_LIVE ... */
    uint32_t kill;                     /* 0 run, 1 open nothing new, 2 close what is open */
    uint32_t kill_reason;
    uint32_t venues_up;
    uint64_t spare_usable[6];
    struct isotherm_region venues;     /* reference venue first; from minor 2, as all that follows */
    struct isotherm_region errors;     /* the distinct error log; the last place counts what did not fit */
    struct isotherm_region events;     /* the event ring; from minor 3, as all that follows */
    uint64_t newest_event;             /* its newest number; 0 = none yet */
    uint64_t spare_where[1];
};

/* One symbol of the directory. */
struct isotherm_symbol {
    char name[16];                     /* zero-filled, not terminated when 16 long */
    uint32_t index;
    uint32_t lot;                      /* units of coin that prices and quantities count as one */
    uint64_t spare;
};

/* One named counter. */
struct isotherm_counter {
    uint64_t value;
    uint32_t id;
    uint32_t spare_id;
    char name[24];                     /* zero-filled */
    uint64_t spare[3];
};

/* The answer for one symbol and mode; behind its turn it is one cache line. */
struct isotherm_headline {
    uint64_t input_seq;                /* last input that influenced it */
    int64_t recv_ns;                   /* receive stamp of that input, Unix ns */
    int64_t mark_e10;                  /* 1e-10 quote units; 0 = never heard */
    int8_t bias;                       /* -100 ... +100 */
    uint8_t confidence;                /* 0 ... 100; 0 = nothing is known */
    uint8_t verdict;                   /* ISOTHERM_NO_DATA ... */
    uint8_t state;                     /* 0 neutral, 1 bullish, 2 bearish, 3 conflicted */
    uint8_t motion;                    /* 0 flat, 1 accelerating, 2 decelerating, 3 fading, 4 steady */
    uint8_t skill;                     /* 0 unproven, 1 proven, 2 disproven */
    uint16_t p_up_e4;                  /* 1e-4; 5000 = no opinion */
    uint32_t flags;                    /* ISOTHERM_FLAG_... */
    uint32_t ttl_ms;                   /* older than this = dead */
    int32_t above_bps_e2;              /* nearest hot zone, 1e-2 bp; INT32_MAX = none */
    int32_t below_bps_e2;              /* positive, measured downwards */
    int64_t publish_mono_ns;           /* CLOCK_MONOTONIC ns; 0 = never published */
};

/* One zone. An unused place is all zeros. */
struct isotherm_zone {
    int64_t low_e10;
    int64_t high_e10;                  /* 0 = unused place */
    int64_t peak_e10;                  /* heaviest price */
    int64_t usd;                       /* expected forced notional, cents */
    int64_t distance_bps_e2;           /* near edge from the mark; 0 = inside, or swept and behind */
    uint32_t id;                       /* stable; says whose it is: ISOTHERM_MODE_OF */
    uint32_t age_s;
    uint8_t kind;                      /* 0 hot, 1 cold */
    uint8_t holder;                    /* 0 long, 1 short, 255 none */
    uint8_t place;                     /* 0 above the mark, 1 below */
    uint8_t state;                     /* 0 fresh, 1 approached, 2 touched, 3 swept, 4 reclaimed, 5 expired */
    uint16_t leverage;                 /* label of the dominant class; 0 = not one */
    uint16_t venues;                   /* bit per venue */
};

/* One mode in a wide record. */
struct isotherm_mode {
    int8_t bias;
    uint8_t confidence;
    uint8_t verdict;
    uint8_t state;
    uint8_t motion;
    uint8_t skill;
    uint16_t p_up_e4;
    uint16_t agreement_e4;
    int16_t bss_e4;                    /* Brier skill; with effective_labels 0 = not measured */
    uint32_t effective_labels;
    uint32_t flags;
    uint32_t ttl_ms;
    int8_t categories[25];             /* 1e-2; -128 = asleep */
    uint8_t spare[3];
    uint32_t run_touches;              /* that taught p_run_e4; 0 = it is judgement alone; from minor 5 */
    uint64_t model_hash;
};

/* Age of information per input, milliseconds. */
struct isotherm_ages {
    uint32_t trade_ms;                 /* at recv_ns; UINT32_MAX = never heard */
    uint32_t book_ms;
    uint32_t mark_ms;
    uint32_t interest_ms;
    uint32_t print_ms;
    uint32_t funding_ms;
};

/* What is thought of a hot zone. An unused place is all zeros. */
struct isotherm_odds {
    /* reached within the mode's horizon (1 min, 1 h, 1 d), 1e-4; UINT16_MAX = not judged, as the next two */
    uint16_t p_touch_e4;
    uint16_t p_run_e4;                 /* touched, runs through rather than holds, 1e-4 */
    uint16_t kappa_e4;                 /* confluence of structure, 1e-4 */
    uint8_t label;                     /* 0 none, 1 undecided, 2 hold, 3 run */
    uint8_t relative;                  /* 1 = heat is relative to the present map, 0 = to 30-day bands */
    uint32_t rank_e4;                  /* rank among the symbol's zones, 1e-4; 0 = not judged */
    uint32_t heat_e4;                  /* density of the peak over what counts as hot, 1e-4 */
};

/* What would happen if the nearest hot zone of a side went. */
struct isotherm_cascade {
    /* where it ends: the forced flow is eaten up, the zone's gone as one, and the usual way on; 0 = not known */
    int64_t end_e10;
    /* forced notional of the zone, all of it, and of what lies from there to the end, cents; -1 = not known */
    int64_t usd;
    /* forced flow over what the book takes, at the zone, 1e-4; UINT32_MAX = not known */
    uint32_t gain_e4;
    uint32_t zone;                     /* id of the day mode's nearest hot zone; 0 = none */
    /* 0 quiet, 1 building, 2 running, 3 exhausted, 4 reclaimed, 255 = no print was heard yet */
    uint8_t state;
    uint8_t beyond;                    /* 1 = the flow is eaten up beyond the visible book: square-root law */
    uint8_t spare[2];
    /* the same gain of what price may cross within a minute, a quarter of the one-hour sigma, 1e-4;
       UINT32_MAX = not known */
    uint32_t path_gain_e4;
};

/* Readings of the whole map of a symbol. */
struct isotherm_map {
    int64_t long_interval_usd[2];      /* 80 % interval of long_usd, low and high, cents; -1 = no map */
    int64_t short_interval_usd[2];     /* of short_usd */
    /* forced purchases if the mark rises by 10 25 50 100 200 500 bp, cents; -1 = no map */
    int64_t ladder_up_usd[6];
    int64_t ladder_down_usd[6];        /* forced sales if it falls by as much */
    int64_t ladder_up_sigma_usd[4];    /* by 1/4 1/2 1 2 one-hour sigmas; -1 also while sigma is not warm */
    int64_t ladder_down_sigma_usd[4];
    int64_t max_pain_e10;              /* densest bucket of the map as read (smoothed), either side; 0 = none */
    struct isotherm_cascade cascade_up;/* shorts above */
    struct isotherm_cascade cascade_down;/* longs below */
    /* share of longs' and shorts' interest known position by position, 1e-6; UINT32_MAX = none shows any */
    uint32_t coverage_e6[2];
    uint16_t venue_share_e4[16];       /* share of the map by place of the venue, 1e-4; UINT16_MAX = not in it */
};

/* A mode's hot zones. */
struct isotherm_hot {
    struct isotherm_zone above[8];     /* live ones nearest first, then swept ones, newest first */
    struct isotherm_zone below[8];
    struct isotherm_odds odds_above[8];/* of above, place by place */
    struct isotherm_odds odds_below[8];
};

/* Everything about one symbol, at a limited rate. */
struct isotherm_wide {
    uint64_t input_seq;
    int64_t recv_ns;
    int64_t exch_ns;
    int64_t mark_e10;
    int64_t last_e10;
    int64_t index_e10;
    int64_t bid_e10;
    int64_t ask_e10;
    int64_t interest_e6;               /* open interest, one side, 1e-6 lots */
    int64_t funding_e12;               /* rate per interval, 1e-12 */
    int64_t funding_next_ns;           /* Unix ns; 0 = not known */
    int64_t long_usd;                  /* expected forced sales below, cents; -1 = no map */
    int64_t short_usd;                 /* expected forced purchases above, cents; -1 = no map */
    uint32_t inert_share_e6;           /* open interest without a price, 1e-6; UINT32_MAX = none yet */
    uint32_t prior_share_e6;           /* mass that is still prior, 1e-6; UINT32_MAX = none yet */
    uint32_t oi_residual_e6;           /* open interest the flow does not explain, 1e-6; UINT32_MAX = none yet */
    uint32_t flags;
    int64_t sigma_1h_q32;              /* one-hour volatility, Q32; 0 = not warm */
    struct isotherm_ages ages;
    struct isotherm_mode mode[3];
    struct isotherm_zone hot_above[8]; /* live ones nearest first, then swept ones, newest first */
    struct isotherm_zone hot_below[8];
    struct isotherm_zone cold_above[4];
    struct isotherm_zone cold_below[4];
    int64_t publish_mono_ns;           /* CLOCK_MONOTONIC ns; 0 = never published */
    uint8_t map_proof;                 /* 0 unproven, 1 proven, 2 disproven; from minor 3, as all that follows */
    uint8_t reference;                 /* place of the venue whose mark, last, index, bid, ask, interest, funding and
                                          ages these are, plus one; 0 = never published; from minor 6 */
    uint8_t spare_proof[6];
    struct isotherm_map map;
    struct isotherm_odds odds_above[8];/* of hot_above, place by place */
    struct isotherm_odds odds_below[8];/* of hot_below */
    struct isotherm_hot scalp;         /* the scalp mode's; hot_above ... are the day mode's; from minor 4 */
    struct isotherm_hot swing;
};

/* Whose zone an id names: 0 scalp, 1 day, 2 swing, 3 none (cold). */
#define ISOTHERM_MODE_OF(id) ((id) % 4u)

/* One venue of the instance. An unused place is all zeros. */
struct isotherm_venue {
    char name[16];                     /* zero-filled */
    uint32_t id;                       /* as on tapes; 0 = unused place */
    uint32_t up;                       /* 1 = all its feeds are up */
    uint32_t feeds_up;                 /* an A/B pair is one feed */
    uint32_t feeds;
    uint64_t frames;
    uint64_t faults;                   /* frames that did not fit */
    uint64_t gaps;                     /* losses of continuity */
    uint64_t reconnects;
    uint64_t duplicates;               /* events that came twice and were dropped */
    int64_t offset_ns;                 /* its clock less ours */
    int64_t offset_error_ns;           /* half width of the doubt; negative = not measured */
    int64_t heard_mono_ns[4];          /* newest book, trades, tickers, liquidations, CLOCK_MONOTONIC ns; 0 = never */
};

/* One kind of error of the distinct error log. An unused place is all zeros. */
struct isotherm_error {
    uint64_t count;                    /* 0 = unused place */
    int64_t first_ns;                  /* Unix ns */
    int64_t last_ns;                   /* Unix ns */
    uint32_t level;                    /* 0 error, 1 warning */
    uint32_t spare_level;
    char code[16];                     /* zero-filled, as all three; not terminated when full */
    char subject[16];                  /* with the code it is the kind */
    char text[184];                    /* newest text */
};

/* One event of the ring. An unused place is all zeros. */
struct isotherm_event {
    uint64_t number;                   /* from 1, without holes; place (number - 1) % count; 0 = unused place */
    int64_t recv_ns;                   /* shard time, Unix ns */
    int64_t mark_e10;
    int64_t usd;                       /* expected just before, cents; of a closed zone at its birth */
    /* liquidations printed within it since birth, cents; -1 = no print of the symbol was heard yet */
    int64_t executed_usd;
    uint32_t zone;                     /* id */
    uint16_t symbol;                   /* index */
    uint8_t kind;                      /* 1 life, 2 alert, 3 closed */
    uint8_t holder;                    /* 0 long, 1 short */
    uint8_t from;                      /* state before; 255 = born */
    uint8_t to;                        /* state now */
    uint8_t cause;                     /* why: the table of causes */
    uint8_t outcome;                   /* 1 touched, 2 swept, 3 both, since birth */
    uint16_t p_touch_e4;               /* as first judged, 1e-4; UINT16_MAX = never judged */
    uint16_t p_run_e4;                 /* as last judged before the touch, 1e-4; UINT16_MAX = never judged */
};

/* The whole map of a symbol, once a second. All zeros = none yet. Money is a code: isotherm_cents. */
struct isotherm_snapshot {
    uint64_t input_seq;
    int64_t recv_ns;                   /* shard time, Unix ns; 0 = none yet */
    int64_t mark_e10;
    int64_t bucket;                    /* absolute bucket of index 0, the mark's own */
    int64_t liquidated_long;           /* cents printed since the state began; only differences mean something */
    int64_t liquidated_short;
    uint32_t venues;                   /* bit per place of a venue that is in it; 0 = no map, the codes mean nothing */
    uint32_t flags;                    /* ISOTHERM_FLAG_* */
    uint16_t below_long[4096];         /* longs that would be liquidated, by 2 bp buckets below the mark */
    uint16_t above_short[4096];        /* shorts, above */
    int64_t publish_mono_ns;
};

#ifdef __cplusplus
#define ISOTHERM_ASSERT(name, claim) static_assert(claim, #name)
#else
#define ISOTHERM_ASSERT(name, claim) typedef char isotherm_assert_##name[(claim) ? 1 : -1]
#endif
#define ISOTHERM_SIZE(shape, size) ISOTHERM_ASSERT(shape, sizeof(struct isotherm_##shape) == (size))
#define ISOTHERM_FIELD(shape, field, at, size)                                                     \
    ISOTHERM_ASSERT(shape##_##field, offsetof(struct isotherm_##shape, field) == (at)              \
                                         && sizeof(((struct isotherm_##shape *)0)->field) == (size))

ISOTHERM_SIZE(region, 16);
ISOTHERM_FIELD(region, offset, 0, 4);
ISOTHERM_FIELD(region, stride, 4, 4);
ISOTHERM_FIELD(region, count, 8, 4);
ISOTHERM_FIELD(region, per_symbol, 12, 4);
ISOTHERM_SIZE(header, 384);
ISOTHERM_FIELD(header, magic, 0, 8);
ISOTHERM_FIELD(header, abi_major, 8, 2);
ISOTHERM_FIELD(header, abi_minor, 10, 2);
ISOTHERM_FIELD(header, header_len, 12, 4);
ISOTHERM_FIELD(header, layout_hash, 16, 8);
ISOTHERM_FIELD(header, epoch, 24, 8);
ISOTHERM_FIELD(header, pid, 32, 8);
ISOTHERM_FIELD(header, start_ns, 40, 8);
ISOTHERM_FIELD(header, start_mono_ns, 48, 8);
ISOTHERM_FIELD(header, page_len, 56, 8);
ISOTHERM_FIELD(header, directory, 64, 16);
ISOTHERM_FIELD(header, headlines, 80, 16);
ISOTHERM_FIELD(header, wides, 96, 16);
ISOTHERM_FIELD(header, counters, 112, 16);
ISOTHERM_FIELD(header, build, 128, 32);
ISOTHERM_FIELD(header, config_hash, 160, 8);
ISOTHERM_FIELD(header, model_hash, 168, 8);
ISOTHERM_FIELD(header, snapshots, 176, 16);
ISOTHERM_FIELD(header, heartbeat_turn, 192, 8);
ISOTHERM_FIELD(header, heartbeat_mono_ns, 200, 8);
ISOTHERM_FIELD(header, input_seq, 208, 8);
ISOTHERM_FIELD(header, state_hash, 216, 8);
ISOTHERM_FIELD(header, spare_alive, 224, 32);
ISOTHERM_FIELD(header, status, 256, 4);
ISOTHERM_FIELD(header, kill, 260, 4);
ISOTHERM_FIELD(header, kill_reason, 264, 4);
ISOTHERM_FIELD(header, venues_up, 268, 4);
ISOTHERM_FIELD(header, spare_usable, 272, 48);
ISOTHERM_FIELD(header, venues, 320, 16);
ISOTHERM_FIELD(header, errors, 336, 16);
ISOTHERM_FIELD(header, events, 352, 16);
ISOTHERM_FIELD(header, newest_event, 368, 8);
ISOTHERM_FIELD(header, spare_where, 376, 8);
ISOTHERM_SIZE(symbol, 32);
ISOTHERM_FIELD(symbol, name, 0, 16);
ISOTHERM_FIELD(symbol, index, 16, 4);
ISOTHERM_FIELD(symbol, lot, 20, 4);
ISOTHERM_FIELD(symbol, spare, 24, 8);
ISOTHERM_SIZE(counter, 64);
ISOTHERM_FIELD(counter, value, 0, 8);
ISOTHERM_FIELD(counter, id, 8, 4);
ISOTHERM_FIELD(counter, spare_id, 12, 4);
ISOTHERM_FIELD(counter, name, 16, 24);
ISOTHERM_FIELD(counter, spare, 40, 24);
ISOTHERM_SIZE(headline, 56);
ISOTHERM_FIELD(headline, input_seq, 0, 8);
ISOTHERM_FIELD(headline, recv_ns, 8, 8);
ISOTHERM_FIELD(headline, mark_e10, 16, 8);
ISOTHERM_FIELD(headline, bias, 24, 1);
ISOTHERM_FIELD(headline, confidence, 25, 1);
ISOTHERM_FIELD(headline, verdict, 26, 1);
ISOTHERM_FIELD(headline, state, 27, 1);
ISOTHERM_FIELD(headline, motion, 28, 1);
ISOTHERM_FIELD(headline, skill, 29, 1);
ISOTHERM_FIELD(headline, p_up_e4, 30, 2);
ISOTHERM_FIELD(headline, flags, 32, 4);
ISOTHERM_FIELD(headline, ttl_ms, 36, 4);
ISOTHERM_FIELD(headline, above_bps_e2, 40, 4);
ISOTHERM_FIELD(headline, below_bps_e2, 44, 4);
ISOTHERM_FIELD(headline, publish_mono_ns, 48, 8);
ISOTHERM_SIZE(zone, 56);
ISOTHERM_FIELD(zone, low_e10, 0, 8);
ISOTHERM_FIELD(zone, high_e10, 8, 8);
ISOTHERM_FIELD(zone, peak_e10, 16, 8);
ISOTHERM_FIELD(zone, usd, 24, 8);
ISOTHERM_FIELD(zone, distance_bps_e2, 32, 8);
ISOTHERM_FIELD(zone, id, 40, 4);
ISOTHERM_FIELD(zone, age_s, 44, 4);
ISOTHERM_FIELD(zone, kind, 48, 1);
ISOTHERM_FIELD(zone, holder, 49, 1);
ISOTHERM_FIELD(zone, place, 50, 1);
ISOTHERM_FIELD(zone, state, 51, 1);
ISOTHERM_FIELD(zone, leverage, 52, 2);
ISOTHERM_FIELD(zone, venues, 54, 2);
ISOTHERM_SIZE(mode, 64);
ISOTHERM_FIELD(mode, bias, 0, 1);
ISOTHERM_FIELD(mode, confidence, 1, 1);
ISOTHERM_FIELD(mode, verdict, 2, 1);
ISOTHERM_FIELD(mode, state, 3, 1);
ISOTHERM_FIELD(mode, motion, 4, 1);
ISOTHERM_FIELD(mode, skill, 5, 1);
ISOTHERM_FIELD(mode, p_up_e4, 6, 2);
ISOTHERM_FIELD(mode, agreement_e4, 8, 2);
ISOTHERM_FIELD(mode, bss_e4, 10, 2);
ISOTHERM_FIELD(mode, effective_labels, 12, 4);
ISOTHERM_FIELD(mode, flags, 16, 4);
ISOTHERM_FIELD(mode, ttl_ms, 20, 4);
ISOTHERM_FIELD(mode, categories, 24, 25);
ISOTHERM_FIELD(mode, spare, 49, 3);
ISOTHERM_FIELD(mode, run_touches, 52, 4);
ISOTHERM_FIELD(mode, model_hash, 56, 8);
ISOTHERM_SIZE(ages, 24);
ISOTHERM_FIELD(ages, trade_ms, 0, 4);
ISOTHERM_FIELD(ages, book_ms, 4, 4);
ISOTHERM_FIELD(ages, mark_ms, 8, 4);
ISOTHERM_FIELD(ages, interest_ms, 12, 4);
ISOTHERM_FIELD(ages, print_ms, 16, 4);
ISOTHERM_FIELD(ages, funding_ms, 20, 4);
ISOTHERM_SIZE(wide, 4568);
ISOTHERM_FIELD(wide, input_seq, 0, 8);
ISOTHERM_FIELD(wide, recv_ns, 8, 8);
ISOTHERM_FIELD(wide, exch_ns, 16, 8);
ISOTHERM_FIELD(wide, mark_e10, 24, 8);
ISOTHERM_FIELD(wide, last_e10, 32, 8);
ISOTHERM_FIELD(wide, index_e10, 40, 8);
ISOTHERM_FIELD(wide, bid_e10, 48, 8);
ISOTHERM_FIELD(wide, ask_e10, 56, 8);
ISOTHERM_FIELD(wide, interest_e6, 64, 8);
ISOTHERM_FIELD(wide, funding_e12, 72, 8);
ISOTHERM_FIELD(wide, funding_next_ns, 80, 8);
ISOTHERM_FIELD(wide, long_usd, 88, 8);
ISOTHERM_FIELD(wide, short_usd, 96, 8);
ISOTHERM_FIELD(wide, inert_share_e6, 104, 4);
ISOTHERM_FIELD(wide, prior_share_e6, 108, 4);
ISOTHERM_FIELD(wide, oi_residual_e6, 112, 4);
ISOTHERM_FIELD(wide, flags, 116, 4);
ISOTHERM_FIELD(wide, sigma_1h_q32, 120, 8);
ISOTHERM_FIELD(wide, ages, 128, 24);
ISOTHERM_FIELD(wide, mode, 152, 192);
ISOTHERM_FIELD(wide, hot_above, 344, 448);
ISOTHERM_FIELD(wide, hot_below, 792, 448);
ISOTHERM_FIELD(wide, cold_above, 1240, 224);
ISOTHERM_FIELD(wide, cold_below, 1464, 224);
ISOTHERM_FIELD(wide, publish_mono_ns, 1688, 8);
ISOTHERM_FIELD(wide, map_proof, 1696, 1);
ISOTHERM_FIELD(wide, reference, 1697, 1);
ISOTHERM_FIELD(wide, spare_proof, 1698, 6);
ISOTHERM_FIELD(wide, map, 1704, 304);
ISOTHERM_FIELD(wide, odds_above, 2008, 128);
ISOTHERM_FIELD(wide, odds_below, 2136, 128);
ISOTHERM_FIELD(wide, scalp, 2264, 1152);
ISOTHERM_FIELD(wide, swing, 3416, 1152);
ISOTHERM_SIZE(hot, 1152);
ISOTHERM_FIELD(hot, above, 0, 448);
ISOTHERM_FIELD(hot, below, 448, 448);
ISOTHERM_FIELD(hot, odds_above, 896, 128);
ISOTHERM_FIELD(hot, odds_below, 1024, 128);
ISOTHERM_SIZE(venue, 120);
ISOTHERM_FIELD(venue, name, 0, 16);
ISOTHERM_FIELD(venue, id, 16, 4);
ISOTHERM_FIELD(venue, up, 20, 4);
ISOTHERM_FIELD(venue, feeds_up, 24, 4);
ISOTHERM_FIELD(venue, feeds, 28, 4);
ISOTHERM_FIELD(venue, frames, 32, 8);
ISOTHERM_FIELD(venue, faults, 40, 8);
ISOTHERM_FIELD(venue, gaps, 48, 8);
ISOTHERM_FIELD(venue, reconnects, 56, 8);
ISOTHERM_FIELD(venue, duplicates, 64, 8);
ISOTHERM_FIELD(venue, offset_ns, 72, 8);
ISOTHERM_FIELD(venue, offset_error_ns, 80, 8);
ISOTHERM_FIELD(venue, heard_mono_ns, 88, 32);
ISOTHERM_SIZE(error, 248);
ISOTHERM_FIELD(error, count, 0, 8);
ISOTHERM_FIELD(error, first_ns, 8, 8);
ISOTHERM_FIELD(error, last_ns, 16, 8);
ISOTHERM_FIELD(error, level, 24, 4);
ISOTHERM_FIELD(error, spare_level, 28, 4);
ISOTHERM_FIELD(error, code, 32, 16);
ISOTHERM_FIELD(error, subject, 48, 16);
ISOTHERM_FIELD(error, text, 64, 184);
ISOTHERM_SIZE(odds, 16);
ISOTHERM_FIELD(odds, p_touch_e4, 0, 2);
ISOTHERM_FIELD(odds, p_run_e4, 2, 2);
ISOTHERM_FIELD(odds, kappa_e4, 4, 2);
ISOTHERM_FIELD(odds, label, 6, 1);
ISOTHERM_FIELD(odds, relative, 7, 1);
ISOTHERM_FIELD(odds, rank_e4, 8, 4);
ISOTHERM_FIELD(odds, heat_e4, 12, 4);
ISOTHERM_SIZE(cascade, 32);
ISOTHERM_FIELD(cascade, end_e10, 0, 8);
ISOTHERM_FIELD(cascade, usd, 8, 8);
ISOTHERM_FIELD(cascade, gain_e4, 16, 4);
ISOTHERM_FIELD(cascade, zone, 20, 4);
ISOTHERM_FIELD(cascade, state, 24, 1);
ISOTHERM_FIELD(cascade, beyond, 25, 1);
ISOTHERM_FIELD(cascade, spare, 26, 2);
ISOTHERM_FIELD(cascade, path_gain_e4, 28, 4);
ISOTHERM_SIZE(map, 304);
ISOTHERM_FIELD(map, long_interval_usd, 0, 16);
ISOTHERM_FIELD(map, short_interval_usd, 16, 16);
ISOTHERM_FIELD(map, ladder_up_usd, 32, 48);
ISOTHERM_FIELD(map, ladder_down_usd, 80, 48);
ISOTHERM_FIELD(map, ladder_up_sigma_usd, 128, 32);
ISOTHERM_FIELD(map, ladder_down_sigma_usd, 160, 32);
ISOTHERM_FIELD(map, max_pain_e10, 192, 8);
ISOTHERM_FIELD(map, cascade_up, 200, 32);
ISOTHERM_FIELD(map, cascade_down, 232, 32);
ISOTHERM_FIELD(map, coverage_e6, 264, 8);
ISOTHERM_FIELD(map, venue_share_e4, 272, 32);
ISOTHERM_SIZE(event, 56);
ISOTHERM_FIELD(event, number, 0, 8);
ISOTHERM_FIELD(event, recv_ns, 8, 8);
ISOTHERM_FIELD(event, mark_e10, 16, 8);
ISOTHERM_FIELD(event, usd, 24, 8);
ISOTHERM_FIELD(event, executed_usd, 32, 8);
ISOTHERM_FIELD(event, zone, 40, 4);
ISOTHERM_FIELD(event, symbol, 44, 2);
ISOTHERM_FIELD(event, kind, 46, 1);
ISOTHERM_FIELD(event, holder, 47, 1);
ISOTHERM_FIELD(event, from, 48, 1);
ISOTHERM_FIELD(event, to, 49, 1);
ISOTHERM_FIELD(event, cause, 50, 1);
ISOTHERM_FIELD(event, outcome, 51, 1);
ISOTHERM_FIELD(event, p_touch_e4, 52, 2);
ISOTHERM_FIELD(event, p_run_e4, 54, 2);
ISOTHERM_SIZE(snapshot, 16448);
ISOTHERM_FIELD(snapshot, input_seq, 0, 8);
ISOTHERM_FIELD(snapshot, recv_ns, 8, 8);
ISOTHERM_FIELD(snapshot, mark_e10, 16, 8);
ISOTHERM_FIELD(snapshot, bucket, 24, 8);
ISOTHERM_FIELD(snapshot, liquidated_long, 32, 8);
ISOTHERM_FIELD(snapshot, liquidated_short, 40, 8);
ISOTHERM_FIELD(snapshot, venues, 48, 4);
ISOTHERM_FIELD(snapshot, flags, 52, 4);
ISOTHERM_FIELD(snapshot, below_long, 56, 8192);
ISOTHERM_FIELD(snapshot, above_short, 8248, 8192);
ISOTHERM_FIELD(snapshot, publish_mono_ns, 16440, 8);

/* Answers of the functions below. */
enum isotherm_fault {
    ISOTHERM_OK = 0,
    ISOTHERM_NO_FILE = 1,   /* cannot be opened or mapped: see errno */
    ISOTHERM_NOT_A_PAGE = 2,
    ISOTHERM_BAD_ABI = 3,   /* this header is too old or too new for the page */
    ISOTHERM_BAD_LAYOUT = 4,
    ISOTHERM_MALFORMED = 5, /* the header says something that cannot be */
    ISOTHERM_GONE = 6,      /* torn down or replaced: close and open again */
    ISOTHERM_STALLED = 7,   /* the writer died in the middle of a record, or is far faster than this reader */
    ISOTHERM_NO_RECORD = 8, /* no such symbol, mode, venue or error; an event that has not happened yet */
    ISOTHERM_LAPPED = 9     /* the event is no longer in the page: go on at a newer one */
};

/* What an executor may make of a headline; only LIVE is a reason to open anything. */
enum isotherm_fresh {
    ISOTHERM_FRESH_LIVE = 0,
    ISOTHERM_FRESH_NO_DATA = 1,  /* never published, or nothing is known: not the same as bias 0 */
    ISOTHERM_FRESH_EXPIRED = 2,  /* older than its ttl_ms */
    ISOTHERM_FRESH_NOT_LIVE = 3, /* the engine is warming up, stale or halted */
    ISOTHERM_FRESH_SILENT = 4    /* no heartbeat: dead, stuck, or of another boot */
};

static inline const char *isotherm_fault_name(int fault)
{
    static const char *const names[] = {
        "ok", "cannot be opened", "not a page of isotherm", "another ABI version", "another layout",
        "damaged page", "the page is gone; open it again", "the writer is in the middle of a record",
        "the page has no such record", "the event is no longer in the page",
    };
    return fault >= 0 && fault <= ISOTHERM_LAPPED ? names[fault] : "unknown fault";
}

static inline const char *isotherm_fresh_name(int fresh)
{
    static const char *const names[] = {"LIVE", "NO_DATA", "EXPIRED", "NOT_LIVE", "SILENT"};
    return fresh >= 0 && fresh <= ISOTHERM_FRESH_SILENT ? names[fresh] : "UNKNOWN";
}

static inline const char *isotherm_verdict_name(unsigned verdict)
{
    static const char *const names[] = {"NO_DATA",    "CONFLICTED", "NEUTRAL", "LEAN_LONG",   "LEAN_SHORT",
                                        "LONG",       "SHORT",      "STRONG_LONG", "STRONG_SHORT"};
    return verdict <= ISOTHERM_STRONG_SHORT ? names[verdict] : "UNKNOWN";
}

/* A page that is mapped and was checked. The regions are copies: what the page says later is not believed. */
typedef struct isotherm_page {
    const uint64_t *words;
    size_t bytes;
    uint64_t epoch;
    struct isotherm_region directory, headlines, wides, counters, venues, errors, events, snapshots;
} isotherm_page;

static inline int64_t isotherm_mono_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000ll + t.tv_nsec;
}

static inline void isotherm_spin(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb" ::: "memory");
#endif
}

/* Words that each stand for themselves. */
static inline void isotherm_words(const uint64_t *from, void *to, size_t bytes)
{
    size_t n;
    for (n = 0; n < bytes / 8; n++) {
        uint64_t word = __atomic_load_n(from + n, __ATOMIC_RELAXED);
        memcpy((char *)to + n * 8, &word, 8);
    }
}

/* A whole record behind its turn (seqlock): relaxed words between two looks at the turn, fenced. */
static inline int isotherm_slot(const uint64_t *turn, void *to, size_t bytes)
{
    int tries;
    for (tries = 0; tries < ISOTHERM_RETRIES; tries++) {
        uint64_t before = __atomic_load_n(turn, __ATOMIC_RELAXED);
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if ((before & 1) == 0) {
            isotherm_words(turn + 1, to, bytes);
            __atomic_thread_fence(__ATOMIC_ACQUIRE);
            if (__atomic_load_n(turn, __ATOMIC_RELAXED) == before)
                return ISOTHERM_OK;
        }
        isotherm_spin();
    }
    return ISOTHERM_STALLED;
}

/* Record `index` of a region that isotherm_open has checked; NULL outside. */
static inline const uint64_t *isotherm_at(const isotherm_page *page, const struct isotherm_region *region,
                                          uint64_t index)
{
    if (index >= region->count)
        return NULL;
    return page->words + (region->offset + index * region->stride) / 8;
}

static inline int isotherm_alive(const isotherm_page *page)
{
    return __atomic_load_n(page->words, __ATOMIC_RELAXED) == ISOTHERM_MAGIC ? ISOTHERM_OK : ISOTHERM_GONE;
}

/* The header as it stands, its heartbeat line as one whole record. */
static inline int isotherm_header_read(const isotherm_page *page, struct isotherm_header *to)
{
    size_t line = offsetof(struct isotherm_header, heartbeat_turn);
    int fault = isotherm_alive(page);
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    if (fault != ISOTHERM_OK)
        return fault;
    isotherm_words(page->words, to, sizeof *to);
    return isotherm_slot(page->words + line / 8, (char *)to + line + 8, 56);
}

/* The headline of a symbol and a mode (0 scalp, 1 day, 2 swing). */
static inline int isotherm_headline_read(const isotherm_page *page, uint32_t symbol, uint32_t mode,
                                         struct isotherm_headline *to)
{
    const uint64_t *turn;
    if (isotherm_alive(page) != ISOTHERM_OK)
        return ISOTHERM_GONE;
    if (mode >= ISOTHERM_MODES || symbol >= page->directory.count)
        return ISOTHERM_NO_RECORD;
    turn = isotherm_at(page, &page->headlines, (uint64_t)symbol * page->headlines.per_symbol + mode);
    return turn ? isotherm_slot(turn, to, sizeof *to) : ISOTHERM_NO_RECORD;
}

/* The wide record of a symbol. */
static inline int isotherm_wide_read(const isotherm_page *page, uint32_t symbol, struct isotherm_wide *to)
{
    const uint64_t *turn = isotherm_at(page, &page->wides, symbol);
    if (isotherm_alive(page) != ISOTHERM_OK)
        return ISOTHERM_GONE;
    return turn ? isotherm_slot(turn, to, sizeof *to) : ISOTHERM_NO_RECORD;
}

/* One symbol of the directory. */
static inline int isotherm_symbol_read(const isotherm_page *page, uint32_t symbol, struct isotherm_symbol *to)
{
    const uint64_t *at = isotherm_at(page, &page->directory, symbol);
    if (at)
        isotherm_words(at, to, sizeof *to);
    return at ? ISOTHERM_OK : ISOTHERM_NO_RECORD;
}

/* Number of the symbol of this name; UINT32_MAX, which no read takes, when the page has none. Look again after each
 * opening: another plan has another order. */
static inline uint32_t isotherm_find(const isotherm_page *page, const char *name)
{
    struct isotherm_symbol symbol;
    uint32_t at;
    for (at = 0; isotherm_symbol_read(page, at, &symbol) == ISOTHERM_OK; at++)
        if (strncmp(symbol.name, name, sizeof symbol.name) == 0 && strlen(name) <= sizeof symbol.name)
            return at;
    return UINT32_MAX;
}

/* One counter, by id. */
static inline int isotherm_counter_read(const isotherm_page *page, uint32_t id, struct isotherm_counter *to)
{
    const uint64_t *at = isotherm_at(page, &page->counters, id);
    if (at)
        isotherm_words(at, to, sizeof *to);
    return at ? ISOTHERM_OK : ISOTHERM_NO_RECORD;
}

/* One venue, by place: reference first, page.venues.count of them. */
static inline int isotherm_venue_read(const isotherm_page *page, uint32_t place, struct isotherm_venue *to)
{
    const uint64_t *turn = isotherm_at(page, &page->venues, place);
    if (isotherm_alive(page) != ISOTHERM_OK)
        return ISOTHERM_GONE;
    return turn ? isotherm_slot(turn, to, sizeof *to) : ISOTHERM_NO_RECORD;
}

/* One kind of error, by place: page.errors.count of them, unused ones with count 0. */
static inline int isotherm_error_read(const isotherm_page *page, uint32_t place, struct isotherm_error *to)
{
    const uint64_t *turn = isotherm_at(page, &page->errors, place);
    if (isotherm_alive(page) != ISOTHERM_OK)
        return ISOTHERM_GONE;
    return turn ? isotherm_slot(turn, to, sizeof *to) : ISOTHERM_NO_RECORD;
}

/* The newest map of a symbol. Two slots: the one put more often, the second when as often as each other. */
static inline int isotherm_snapshot_read(const isotherm_page *page, uint32_t symbol, struct isotherm_snapshot *to)
{
    const uint64_t *turn[2];
    int k;
    if (isotherm_alive(page) != ISOTHERM_OK)
        return ISOTHERM_GONE;
    if (symbol >= page->directory.count)
        return ISOTHERM_NO_RECORD;
    for (k = 0; k < 2; k++) {
        turn[k] = isotherm_at(page, &page->snapshots, (uint64_t)symbol * page->snapshots.per_symbol + k);
        if (!turn[k])
            return ISOTHERM_NO_RECORD;
    }
    k = __atomic_load_n(turn[0], __ATOMIC_RELAXED) / 2 <= __atomic_load_n(turn[1], __ATOMIC_RELAXED) / 2;
    return isotherm_slot(turn[k], to, sizeof *to);
}

/* The cents of a snapshot's code: below 1024 itself, else (1024 + low ten bits) << (high six bits - 1). */
static inline int64_t isotherm_cents(uint16_t code)
{
    unsigned exponent = code >> 10;
    if (exponent == 0)
        return code;
    return exponent + 9 >= 63 ? INT64_MAX : (int64_t)(1024 + (code & 1023)) << (exponent - 1);
}

/* Number of the newest event, from 1; 0 = none yet. */
static inline uint64_t isotherm_newest_event(const isotherm_page *page)
{
    return __atomic_load_n(page->words + offsetof(struct isotherm_header, newest_event) / 8, __ATOMIC_RELAXED);
}

/* The event of a number. Keep the number you want next and ask until ISOTHERM_NO_RECORD: it has not happened yet.
 * ISOTHERM_LAPPED: overwritten; go on at isotherm_newest_event and say that some are missing. */
static inline int isotherm_event_read(const isotherm_page *page, uint64_t number, struct isotherm_event *to)
{
    int fault;
    uint64_t newest;
    if (isotherm_alive(page) != ISOTHERM_OK)
        return ISOTHERM_GONE;
    newest = isotherm_newest_event(page);
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    if (number == 0 || number > newest || page->events.count == 0)
        return ISOTHERM_NO_RECORD;
    fault = isotherm_slot(isotherm_at(page, &page->events, (number - 1) % page->events.count), to, sizeof *to);
    return fault == ISOTHERM_OK && to->number != number ? ISOTHERM_LAPPED : fault;
}

/* Age of a CLOCK_MONOTONIC stamp of the page; any stamp, also a damaged one. */
static inline int64_t isotherm_age_ns(int64_t stamp_mono_ns, int64_t now)
{
    int64_t age;
    return __builtin_sub_overflow(now, stamp_mono_ns, &age) ? INT64_MAX : age;
}

/* Judges a headline, the engine first. `now` is isotherm_mono_now(), taken after both were read. */
static inline int isotherm_freshness(const struct isotherm_header *header,
                                     const struct isotherm_headline *headline, int64_t now)
{
    int64_t beat = isotherm_age_ns(header->heartbeat_mono_ns, now);
    int64_t old = isotherm_age_ns(headline->publish_mono_ns, now);
    if (beat < -ISOTHERM_AHEAD_MAX_NS || beat > ISOTHERM_HEARTBEAT_MAX_NS)
        return ISOTHERM_FRESH_SILENT;
    if (!(header->status & ISOTHERM_LIVE) || (header->status & (ISOTHERM_STALE | ISOTHERM_HALT)))
        return ISOTHERM_FRESH_NOT_LIVE;
    if (headline->publish_mono_ns == 0 || headline->verdict == ISOTHERM_NO_DATA)
        return ISOTHERM_FRESH_NO_DATA;
    if (old < -ISOTHERM_AHEAD_MAX_NS || old > (int64_t)headline->ttl_ms * 1000000ll)
        return ISOTHERM_FRESH_EXPIRED;
    return ISOTHERM_FRESH_LIVE;
}

static inline int isotherm_region_fits(const struct isotherm_header *header,
                                       const struct isotherm_region *region, size_t record)
{
    uint64_t end = region->offset + (uint64_t)region->stride * region->count;
    return region->offset % 64 == 0 && region->stride % 8 == 0 && region->stride >= record
           && region->offset >= header->header_len && end <= header->page_len;
}

/* All that the other functions rely on. */
static inline int isotherm_check(const struct isotherm_header *header, uint64_t bytes)
{
    uint32_t symbols = header->directory.count, per_symbol = header->headlines.per_symbol;
    if (header->abi_major != ISOTHERM_ABI_MAJOR || header->abi_minor < ISOTHERM_ABI_MINOR)
        return ISOTHERM_BAD_ABI;
    if (header->abi_minor == ISOTHERM_ABI_MINOR && header->layout_hash != ISOTHERM_LAYOUT_HASH)
        return ISOTHERM_BAD_LAYOUT;
    if (header->header_len < sizeof *header || header->page_len > bytes)
        return ISOTHERM_MALFORMED;
    if (symbols == 0 || symbols > ISOTHERM_SYMBOLS_MAX || header->counters.count > 4096
        || per_symbol < ISOTHERM_MODES || header->headlines.count / per_symbol != symbols
        || header->wides.count != symbols || header->venues.count > ISOTHERM_LISTED_MAX
        || header->errors.count > ISOTHERM_LISTED_MAX || header->events.count > ISOTHERM_LISTED_MAX
        || header->snapshots.per_symbol < 2 || header->snapshots.count / header->snapshots.per_symbol != symbols)
        return ISOTHERM_MALFORMED;
    if (!isotherm_region_fits(header, &header->directory, sizeof(struct isotherm_symbol))
        || !isotherm_region_fits(header, &header->counters, sizeof(struct isotherm_counter))
        || !isotherm_region_fits(header, &header->headlines, 8 + sizeof(struct isotherm_headline))
        || !isotherm_region_fits(header, &header->wides, 8 + sizeof(struct isotherm_wide))
        || !isotherm_region_fits(header, &header->venues, 8 + sizeof(struct isotherm_venue))
        || !isotherm_region_fits(header, &header->errors, 8 + sizeof(struct isotherm_error))
        || !isotherm_region_fits(header, &header->events, 8 + sizeof(struct isotherm_event))
        || !isotherm_region_fits(header, &header->snapshots, 8 + sizeof(struct isotherm_snapshot)))
        return ISOTHERM_MALFORMED;
    return ISOTHERM_OK;
}

static inline void isotherm_close(isotherm_page *page)
{
    if (page->words)
        munmap((void *)(uintptr_t)page->words, page->bytes);
    memset(page, 0, sizeof *page);
}

/* Maps the page read-only and checks it. ISOTHERM_OK, or the page is closed again. */
static inline int isotherm_open(isotherm_page *page, const char *path)
{
    struct isotherm_header header;
    struct stat about;
    void *at = MAP_FAILED;
    int fault, file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    memset(page, 0, sizeof *page);
    if (file < 0)
        return ISOTHERM_NO_FILE;
    if (fstat(file, &about) != 0 || !S_ISREG(about.st_mode) || about.st_size < (off_t)sizeof header
        || (uint64_t)about.st_size > ISOTHERM_PAGE_MAX) {
        close(file);
        return ISOTHERM_NOT_A_PAGE;
    }
    at = mmap(NULL, (size_t)about.st_size, PROT_READ, MAP_SHARED, file, 0);
    close(file);
    if (at == MAP_FAILED)
        return ISOTHERM_NO_FILE;
    page->words = (const uint64_t *)at;
    page->bytes = (size_t)about.st_size;
    fault = isotherm_header_read(page, &header);
    if (fault == ISOTHERM_GONE && __atomic_load_n(page->words, __ATOMIC_RELAXED) != 0)
        fault = ISOTHERM_NOT_A_PAGE;
    if (fault == ISOTHERM_OK)
        fault = isotherm_check(&header, page->bytes);
    if (fault != ISOTHERM_OK) {
        isotherm_close(page);
        return fault;
    }
    page->epoch = header.epoch;
    page->directory = header.directory;
    page->headlines = header.headlines;
    page->wides = header.wides;
    page->counters = header.counters;
    page->venues = header.venues;
    page->errors = header.errors;
    page->events = header.events;
    page->snapshots = header.snapshots;
    return ISOTHERM_OK;
}

#endif
