/* executor: attach to the page of a running engine and print what an executor would act on.
 *
 *     cc -O2 -I include examples/executor.c -o executor && ./executor /dev/shm/isotherm.main 10
 */
#include "isotherm.h"
#include <stdio.h>
#include <stdlib.h>

static void zone(const char *side, int32_t bps_e2)
{
    if (bps_e2 == INT32_MAX)
        printf(" %s none", side);
    else
        printf(" %s %d.%02d bp", side, bps_e2 / 100, abs(bps_e2 % 100));
}

int main(int argc, char **argv)
{
    static const char *const modes[] = {"scalp", "day", "swing"};
    struct timespec pause = {0, 100000000};
    isotherm_page page;
    if (argc < 2) {
        fprintf(stderr, "usage: %s <page> [rounds]\n  e.g. %s /dev/shm/isotherm.main 10\n", argv[0], argv[0]);
        return 2;
    }
    int fault = isotherm_open(&page, argv[1]);
    for (int round = argc > 2 ? atoi(argv[2]) : 1; round > 0 && fault == ISOTHERM_OK; round--) {
        for (uint32_t at = 0; at < page.headlines.count && fault == ISOTHERM_OK; at++) {
            struct isotherm_symbol symbol;
            struct isotherm_header header;
            struct isotherm_headline h;
            uint32_t mode = at % page.headlines.per_symbol, index = at / page.headlines.per_symbol;
            if (mode >= ISOTHERM_MODES || (fault = isotherm_symbol_read(&page, index, &symbol)) != ISOTHERM_OK)
                continue;
            if ((fault = isotherm_headline_read(&page, index, mode, &h)) == ISOTHERM_OK)
                fault = isotherm_header_read(&page, &header);
            if (fault == ISOTHERM_STALLED) { /* no data until the next round */
                printf("%.16s %s STALLED\n", symbol.name, modes[mode]);
                fault = ISOTHERM_OK;
                continue;
            }
            if (fault != ISOTHERM_OK)
                continue;
            int64_t now = isotherm_mono_now();
            printf("%.16s %s %s bias %d confidence %u %s", symbol.name, modes[mode],
                   isotherm_fresh_name(isotherm_freshness(&header, &h, now)), h.bias, h.confidence,
                   isotherm_verdict_name(h.verdict));
            zone("above", h.above_bps_e2);
            zone("below", h.below_bps_e2);
            printf(" age %lld ns\n", (long long)isotherm_age_ns(h.publish_mono_ns, now));
        }
        if (round > 1)
            nanosleep(&pause, NULL);
    }
    if (fault != ISOTHERM_OK)
        fprintf(stderr, "%s: %s\n", argv[1], isotherm_fault_name(fault));
    isotherm_close(&page);
    return fault == ISOTHERM_OK ? 0 : 1;
}
