// Runs: NHWC in DCR order, where run i of each small pixel belongs to row i of the large side.

#ifndef TFAE_OPS_SUBPIXEL_RUNS_H_
#define TFAE_OPS_SUBPIXEL_RUNS_H_

#include <cstdint>
#include <cstring>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "subpixel_unit.h"

namespace tfae {

// Where the runs of a band lie: `pixels` * `rows` of them, `run` bytes each.
struct Runs {
  int64_t pixels;
  int64_t rows;
  int64_t run;
  int64_t row;  // bytes from one large row to the next
};

// Calls copy(from, to) for each run of the pixels [begin, end). kRows is the number of rows where
// it is known when compiling, else 0: with it the loop over them leaves nothing but the copies.
template <bool kShuffle, int kRows, typename Copy>
inline __attribute__((always_inline)) void ForRuns(Side<kShuffle>* small, Side<!kShuffle>* large,
                                                   const Runs& r, int64_t begin, int64_t end,
                                                   const Copy& copy) {
  const int64_t rows = kRows ? kRows : r.rows;
  const int64_t run = r.run;
  const int64_t row = r.row;
  Side<kShuffle>* a = small + begin * rows * run;
  Side<!kShuffle>* b = large + begin * run;
  for (int64_t w = begin; w < end; ++w) {
    for (int64_t i = 0; i < rows; ++i) {
      if constexpr (kShuffle) {
        copy(a + i * run, b + i * row);
      } else {
        copy(b + i * row, a + i * run);
      }
    }
    a += rows * run;
    b += run;
  }
}

template <int kBytes>
inline void CopyUnit(const char* from, char* to) {
  using In = typename Unit<kBytes, true>::Type;
  using Out = typename Unit<kBytes, false>::Type;
  *reinterpret_cast<Out*>(to) = *reinterpret_cast<In*>(from);
}

// Runs of at most kUnit bytes. A whole unit is copied for each: what it writes beyond its run, the
// next run overwrites, since runs are written in rising order. The last pixels, where a unit would
// reach beyond the band, are copied to the byte.
template <int kUnit, bool kShuffle, int kRows>
TFAE_VECTOR_CLONES void MoveShortRuns(Side<kShuffle>* small, Side<!kShuffle>* large,
                                      const Runs& r) {
  const int64_t tail = (kUnit + r.run - 1) / r.run;
  const int64_t wide = r.pixels > tail ? r.pixels - tail : 0;
  ForRuns<kShuffle, kRows>(small, large, r, 0, wide,
                           [](const char* from, char* to)
                               __attribute__((always_inline)) { CopyUnit<kUnit>(from, to); });
  ForRuns<kShuffle, kRows>(small, large, r, wide, r.pixels,
                           [&](const char* from, char* to) { std::memcpy(to, from, r.run); });
}

// Runs of more than kUnit bytes: whole units, then one that ends where the run does.
template <int kUnit, bool kShuffle, int kRows>
TFAE_VECTOR_CLONES void MoveLongRuns(Side<kShuffle>* small, Side<!kShuffle>* large, const Runs& r) {
  const int64_t last = r.run - kUnit;
  ForRuns<kShuffle, kRows>(small, large, r, 0, r.pixels, [last](const char* from, char* to) {
    for (int64_t k = 0; k < last; k += kUnit) CopyUnit<kUnit>(from + k, to + k);
    CopyUnit<kUnit>(from + last, to + last);
  });
}

#ifdef __SSE2__
// Runs of whole vectors into an output larger than the caches: the stores go past the caches, which
// saves reading each line before it is overwritten. Runs of a row follow each other, so lines fill.
template <bool kShuffle, int kRows>
void StreamRuns(Side<kShuffle>* small, Side<!kShuffle>* large, const Runs& r) {
  ForRuns<kShuffle, kRows>(small, large, r, 0, r.pixels, [&r](const char* from, char* to) {
    for (int64_t k = 0; k < r.run; k += 16) {
      _mm_stream_si128(reinterpret_cast<__m128i*>(to + k),
                       _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + k)));
    }
  });
  _mm_sfence();
}

template <bool kShuffle>
bool CanStream(Side<kShuffle>* small, Side<!kShuffle>* large, const Runs& r) {
  const void* to = nullptr;
  if constexpr (kShuffle) {
    to = large;
  } else {
    to = small;
  }
  return r.run % 16 == 0 && reinterpret_cast<uintptr_t>(to) % 16 == 0 && r.row % 16 == 0;
}
#endif

template <bool kShuffle, int kRows>
void MoveRows(Side<kShuffle>* small, Side<!kShuffle>* large, const Runs& r, bool stream) {
#ifdef __SSE2__
  if (stream && CanStream<kShuffle>(small, large, r)) {
    return StreamRuns<kShuffle, kRows>(small, large, r);
  }
#endif
  if (r.run <= 8) return MoveShortRuns<8, kShuffle, kRows>(small, large, r);
  if (r.run <= 16) return MoveShortRuns<16, kShuffle, kRows>(small, large, r);
  if (r.run < 32) return MoveShortRuns<32, kShuffle, kRows>(small, large, r);
  MoveLongRuns<32, kShuffle, kRows>(small, large, r);
}

// Run i of each pixel <-> row i. `stream`: the output is larger than the caches.
template <bool kShuffle>
void MoveRuns(Side<kShuffle>* small, Side<!kShuffle>* large, const Runs& r, bool stream) {
  switch (r.rows) {
    case 2:
      return MoveRows<kShuffle, 2>(small, large, r, stream);
    case 3:
      return MoveRows<kShuffle, 3>(small, large, r, stream);
    case 4:
      return MoveRows<kShuffle, 4>(small, large, r, stream);
    default:
      return MoveRows<kShuffle, 0>(small, large, r, stream);
  }
}

}  // namespace tfae

#endif  // TFAE_OPS_SUBPIXEL_RUNS_H_
