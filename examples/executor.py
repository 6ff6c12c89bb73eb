#!/usr/bin/env python3
"""executor: attach to the page of a running engine and print what an executor would act on.

    python3 examples/executor.py /dev/shm/isotherm.main 10

Only the standard library. Reads 64-bit words in order, which is what the page's protocol asks of x86-64; elsewhere a
reader needs fences that Python does not have, so it refuses: use the C header there.
"""
import mmap, os, platform, struct, sys, time

MAGIC, MAJOR, MINOR, LAYOUT = 0x304D5248544F5349, 0, 6, 0x419E756A566B9D09
MODES = ("scalp", "day", "swing")
VERDICTS = ("NO_DATA", "CONFLICTED", "NEUTRAL", "LEAN_LONG", "LEAN_SHORT",
            "LONG", "SHORT", "STRONG_LONG", "STRONG_SHORT")
HEADLINE = struct.Struct("<QqqbBBBBBHIIiiq")  # docs/PAGE.md, "headline"
LIVE, STALE, HALT, NONE = 1 << 1, 1 << 3, 1 << 4, (1 << 31) - 1


class Page:
    def __init__(self, path):
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size < 512 or size % 8:
                raise SystemExit(f"{path}: not a page of isotherm")
            self.words = memoryview(mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)).cast("Q")
        magic, version, self.layout = self.words[0], self.words[1], self.words[2]
        if magic == 0:
            raise SystemExit(f"{path}: the page is gone; open it again")
        if magic != MAGIC:
            raise SystemExit(f"{path}: not a page of isotherm")
        major, minor = version & 0xFFFF, version >> 16 & 0xFFFF
        if major != MAJOR or minor < MINOR or (minor == MINOR and self.layout != LAYOUT):
            raise SystemExit(f"{path}: not a page this reader knows (ABI {major}.{minor})")
        self.directory, self.headlines = self.region(64), self.region(80)
        for offset, stride, count, _ in self.directory, self.headlines:
            if not (stride and count) or stride % 8 or offset % 8 or offset + stride * count > size:
                raise SystemExit(f"{path}: a damaged page: a region does not fit")

    def region(self, byte):
        """offset, stride, count, per_symbol"""
        return struct.unpack("<IIII", self.words[byte // 8:byte // 8 + 2].tobytes())

    def slot(self, byte, words):
        """A whole record behind its turn (seqlock); None = the writer is in the middle of it."""
        if self.words[0] != MAGIC:
            raise SystemExit("the page is gone; open it again")
        at = byte // 8
        for _ in range(64):
            turn = self.words[at]
            copy = struct.pack(f"<{words}Q", *(self.words[at + 1 + n] for n in range(words)))
            if turn & 1 == 0 and self.words[at] == turn:
                return copy
        return None

    def symbols(self):
        offset, stride, count, _ = self.directory
        for index in range(count):
            at = (offset + index * stride) // 8
            yield index, self.words[at:at + 2].tobytes().rstrip(b"\0").decode("ascii")

    def headline(self, symbol, mode):
        offset, stride, _, per_symbol = self.headlines
        copy = self.slot(offset + (symbol * per_symbol + mode) * stride, 7)
        return copy and HEADLINE.unpack(copy)

    def freshness(self, verdict, ttl_ms, publish):
        """The engine first, then the record: docs/PAGE.md, "When to act". Answers the moment it was judged at, too."""
        beat, status = self.slot(192, 7), self.words[32] & 0xFFFFFFFF
        # After both were read: a heartbeat that is younger than now would look like one of another boot.
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        return self.judged(beat, status, verdict, ttl_ms, publish, now), now

    @staticmethod
    def judged(beat, status, verdict, ttl_ms, publish, now):
        if beat is None or not -1_000_000 <= now - struct.unpack_from("<q", beat)[0] <= 100_000_000:
            return "SILENT"
        if not status & LIVE or status & (STALE | HALT):
            return "NOT_LIVE"
        if publish == 0 or verdict == 0:
            return "NO_DATA"
        return "LIVE" if -1_000_000 <= now - publish <= ttl_ms * 1_000_000 else "EXPIRED"


def distance(bps_e2):
    return "none" if bps_e2 == NONE else f"{abs(bps_e2) // 100}.{abs(bps_e2) % 100:02} bp"


def report(page):
    for index, name in page.symbols():
        for mode, mode_name in enumerate(MODES):
            headline = page.headline(index, mode)
            if headline is None:  # stalled: the next round looks again
                continue
            (_, _, _, bias, confidence, verdict, _, _, _, _, _, ttl_ms, above, below, publish) = headline
            fresh, now = page.freshness(verdict, ttl_ms, publish)
            word = VERDICTS[verdict] if verdict < len(VERDICTS) else "UNKNOWN"
            print(f"{name} {mode_name} {fresh} bias {bias} confidence {confidence} {word} "
                  f"above {distance(above)} below {distance(below)} age {now - publish} ns")


if __name__ == "__main__":
    if platform.machine() not in ("x86_64", "AMD64"):
        raise SystemExit("executor.py reads the page on x86-64 only; use include/isotherm.h")
    if len(sys.argv) < 2:
        print(f"usage: {sys.argv[0]} <page> [rounds]\n  e.g. {sys.argv[0]} /dev/shm/isotherm.main 10", file=sys.stderr)
        raise SystemExit(2)
    for rest in reversed(range(int(sys.argv[2]) if len(sys.argv) > 2 else 1)):
        try:
            report(Page(sys.argv[1]))
        except OSError as fault:
            raise SystemExit(f"{sys.argv[1]}: {fault.strerror}")
        except (IndexError, ValueError, struct.error):
            raise SystemExit(f"{sys.argv[1]}: a damaged page: it ends before what it says it has")
        if rest:
            time.sleep(0.1)
