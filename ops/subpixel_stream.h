// Non-temporal stores, for outputs that exceed the caches.

#ifndef TFAE_OPS_SUBPIXEL_STREAM_H_
#define TFAE_OPS_SUBPIXEL_STREAM_H_

#include <algorithm>
#include <cstdint>
#include <cstring>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "subpixel_runs.h"
#include "subpixel_unit.h"

namespace tfae {

// Outputs above this size bypass the caches: with their input they would evict everything else from
// the last level, and be evicted before they are read. Below it, cached stores are faster.
constexpr int64_t kStreamBytes = 12 << 20;

#ifdef __SSE2__
constexpr bool kCanStream = true;

// Copies `pieces` of `bytes` each, which follow each other in `from`, to places `step` apart. Only
// whole cache lines bypass the caches: a partial one would have to be read first.
inline void StreamOut(const char* from, char* to, int64_t bytes, int64_t pieces, int64_t step) {
  constexpr int64_t kLine = 64;
  if (step == bytes) {
    bytes *= pieces;
    pieces = 1;
  }
  for (int64_t piece = 0; piece < pieces; ++piece, from += bytes, to += step) {
    const int64_t head = (kLine - reinterpret_cast<uintptr_t>(to) % kLine) % kLine;
    int64_t k = std::min(head, bytes);
    std::memcpy(to, from, k);
    for (; k + kLine <= bytes; k += kLine) {
      for (int64_t q = k; q < k + kLine; q += 16) {
        _mm_stream_si128(reinterpret_cast<__m128i*>(to + q),
                         _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + q)));
      }
    }
    std::memcpy(to + k, from + k, bytes - k);
  }
}

// Runs of whole vectors need no buffer: those of a row follow each other, so lines fill.
template <bool kShuffle>
void StreamRuns(Side<kShuffle>* small, Side<!kShuffle>* large, const Runs& r) {
  ForRuns<kShuffle>(small, large, r, 0, r.pixels, [&r](const char* from, char* to) {
    for (int64_t k = 0; k < r.run; k += 16) {
      _mm_stream_si128(reinterpret_cast<__m128i*>(to + k),
                       _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + k)));
    }
  });
}

template <bool kShuffle>
bool CanStreamRuns(Side<kShuffle>* small, Side<!kShuffle>* large, const Runs& r) {
  const char* to = kShuffle ? large : small;
  return r.run % 16 == 0 && r.row % 16 == 0 && reinterpret_cast<uintptr_t>(to) % 16 == 0;
}

// Makes what was streamed visible to other threads.
inline void StreamsDone() { _mm_sfence(); }
#else
constexpr bool kCanStream = false;
inline void StreamOut(const char*, char*, int64_t, int64_t, int64_t) {}
template <bool kShuffle>
void StreamRuns(Side<kShuffle>*, Side<!kShuffle>*, const Runs&) {}
template <bool kShuffle>
bool CanStreamRuns(Side<kShuffle>*, Side<!kShuffle>*, const Runs&) {
  return false;
}
inline void StreamsDone() {}
#endif

}  // namespace tfae

#endif  // TFAE_OPS_SUBPIXEL_STREAM_H_
