// Runs: NHWC in DCR order, where run i of each small pixel belongs to row i of the large side.

#ifndef TFAE_OPS_SUBPIXEL_RUNS_H_
#define TFAE_OPS_SUBPIXEL_RUNS_H_

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "subpixel_unit.h"

namespace tfae {

// Where runs lie: `lines` of `pixels` of `rows` runs of `run` bytes each.
struct Runs {
  int64_t lines;
  int64_t line;  // small: bytes from one line to the next
  int64_t pixels;
  int64_t rows;
  int64_t row;  // large: bytes from one row to the next
  int64_t run;
  bool by_pixel;  // in the order of what is read, else in that of what is written
};

// Calls copy(from, to) for the runs of the pixels [begin, end) of a line.
template <bool kShuffle, typename Copy>
TFAE_PART void ForRuns(Side<kShuffle>* small, Side<!kShuffle>* large, const Runs& r, int64_t begin,
                       int64_t end, const Copy& copy) {
  const int64_t run = r.run;
  const int64_t row = r.row;
  const int64_t pixel = r.rows * run;
  const int64_t rows = r.by_pixel ? r.rows : 1;
  for (int64_t first = 0; first < r.rows; first += rows) {
    Side<kShuffle>* s = small + begin * pixel + first * run;
    Side<!kShuffle>* l = large + begin * run + first * row;
    for (int64_t w = begin; w < end; ++w) {
      for (int64_t i = 0; i < rows; ++i) {
        if constexpr (kShuffle) {
          copy(s + i * run, l + i * row);
        } else {
          copy(l + i * row, s + i * run);
        }
      }
      s += pixel;
      l += run;
    }
  }
}

// Runs of kUnit/2 to kUnit bytes, as two halves of a unit that overlap. Where the runs written
// follow each other, a whole unit is copied instead: bytes beyond its run are overwritten by the
// next run. The last pixels, where a unit would exceed the row, are copied in halves.
template <int kUnit, bool kShuffle>
TFAE_VECTOR_CLONES void MoveShortRuns(Side<kShuffle>* small, Side<!kShuffle>* large,
                                      const Runs& r) {
  constexpr int kHalf = kUnit / 2;
  const int64_t last = r.run - kHalf;
  const int64_t tail = (kUnit + r.run - 1) / r.run;
  const int64_t wide = kShuffle ? std::max<int64_t>(0, r.pixels - tail) : 0;
  for (int64_t line = 0; line < r.lines; ++line) {
    Side<kShuffle>* s = small + line * r.line;
    Side<!kShuffle>* l = large + line * r.rows * r.row;
    ForRuns<kShuffle>(s, l, r, 0, wide,
                      [](const char* from, char* to)
                          __attribute__((always_inline)) { std::memcpy(to, from, kUnit); });
    ForRuns<kShuffle>(s, l, r, wide, r.pixels,
                      [last](const char* from, char* to) __attribute__((always_inline)) {
                        std::memcpy(to, from, kHalf);
                        std::memcpy(to + last, from + last, kHalf);
                      });
  }
}

// Longer runs: whole units, then one that ends where the run does.
template <bool kShuffle>
TFAE_VECTOR_CLONES void MoveLongRuns(Side<kShuffle>* small, Side<!kShuffle>* large, const Runs& r) {
  constexpr int kUnit = 32;
  const int64_t last = r.run - kUnit;
  for (int64_t line = 0; line < r.lines; ++line) {
    ForRuns<kShuffle>(small + line * r.line, large + line * r.rows * r.row, r, 0, r.pixels,
                      [last](const char* from, char* to) __attribute__((always_inline)) {
                        for (int64_t k = 0; k < last; k += kUnit) {
                          std::memcpy(to + k, from + k, kUnit);
                        }
                        std::memcpy(to + last, from + last, kUnit);
                      });
  }
}

template <bool kShuffle>
void MoveRuns(Side<kShuffle>* small, Side<!kShuffle>* large, const Runs& r) {
  if (r.run <= 2) return MoveShortRuns<2, kShuffle>(small, large, r);
  if (r.run <= 4) return MoveShortRuns<4, kShuffle>(small, large, r);
  if (r.run <= 8) return MoveShortRuns<8, kShuffle>(small, large, r);
  if (r.run <= 16) return MoveShortRuns<16, kShuffle>(small, large, r);
  if (r.run <= 32) return MoveShortRuns<32, kShuffle>(small, large, r);
  if (r.run <= 48) return MoveShortRuns<48, kShuffle>(small, large, r);
  if (r.run <= 64) return MoveShortRuns<64, kShuffle>(small, large, r);
  MoveLongRuns<kShuffle>(small, large, r);
}

}  // namespace tfae

#endif  // TFAE_OPS_SUBPIXEL_RUNS_H_
