// The two moves that a sub-pixel shuffle is made of: lanes split and merged, runs copied.

#ifndef TFAE_OPS_SUBPIXEL_LANES_H_
#define TFAE_OPS_SUBPIXEL_LANES_H_

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "subpixel.h"

namespace tfae {

// A side that is read has const bytes; one that is written has not.
template <bool kRead>
using Side = std::conditional_t<kRead, const char, char>;

// A unit of kBytes that may lie anywhere: a run of two floats moves as one number of 8 bytes. Two
// specialisations for each size, since a template argument would lose the attributes.
template <int kBytes, bool kRead>
struct Unit;

#define TFAE_UNIT(bytes, type, ...)                                                \
  template <>                                                                      \
  struct Unit<bytes, true> {                                                       \
    typedef const type Type __attribute__((aligned(1), may_alias, ##__VA_ARGS__)); \
  };                                                                               \
  template <>                                                                      \
  struct Unit<bytes, false> {                                                      \
    typedef type Type __attribute__((aligned(1), may_alias, ##__VA_ARGS__));       \
  };
TFAE_UNIT(1, uint8_t)
TFAE_UNIT(2, uint16_t)
TFAE_UNIT(4, uint32_t)
TFAE_UNIT(8, uint64_t)
TFAE_UNIT(16, uint64_t, vector_size(16))
#undef TFAE_UNIT

// Where the lanes of an interleaved sequence begin, in bytes: `columns` of them side by side,
// then on to the next row.
struct Lanes {
  int64_t count;
  int64_t columns;
  int64_t column;
  int64_t row;

  int64_t Offset(int64_t lane) const { return lane / columns * row + lane % columns * column; }
};

// Units s[k*L + l] of the sequence <-> unit k of lane l. kSplit reads the sequence.
template <int kBytes, bool kSplit, int kLanes>
void MoveFixedLanes(Side<kSplit>* sequence, Side<!kSplit>* side, const Lanes& lanes,
                    int64_t length) {
  using S = typename Unit<kBytes, kSplit>::Type;
  using L = typename Unit<kBytes, !kSplit>::Type;
  S* s = reinterpret_cast<S*>(sequence);
  L* lane[kLanes];
  for (int l = 0; l < kLanes; ++l) lane[l] = reinterpret_cast<L*>(side + lanes.Offset(l));
#pragma GCC ivdep
  for (int64_t k = 0; k < length; ++k) {
    for (int l = 0; l < kLanes; ++l) {
      if constexpr (kSplit) {
        lane[l][k] = s[k * kLanes + l];
      } else {
        s[k * kLanes + l] = lane[l][k];
      }
    }
  }
}

// Any number of lanes, in blocks that stay in the first-level cache while every lane is visited.
template <int kBytes, bool kSplit>
void MoveAnyLanes(Side<kSplit>* sequence, Side<!kSplit>* side, const Lanes& lanes, int64_t length) {
  using S = typename Unit<kBytes, kSplit>::Type;
  using L = typename Unit<kBytes, !kSplit>::Type;
  S* s = reinterpret_cast<S*>(sequence);
  constexpr int64_t kBlock = 64;
  for (int64_t begin = 0; begin < length; begin += kBlock) {
    const int64_t end = begin + kBlock < length ? begin + kBlock : length;
    for (int64_t l = 0; l < lanes.count; ++l) {
      L* lane = reinterpret_cast<L*>(side + lanes.Offset(l));
      for (int64_t k = begin; k < end; ++k) {
        if constexpr (kSplit) {
          lane[k] = s[k * lanes.count + l];
        } else {
          s[k * lanes.count + l] = lane[k];
        }
      }
    }
  }
}

template <int kBytes, bool kSplit>
void MoveLanes(Side<kSplit>* sequence, Side<!kSplit>* side, const Lanes& lanes, int64_t length) {
  switch (lanes.count) {
    case 1: {
      if constexpr (kSplit) {
        std::memcpy(side, sequence, length * kBytes);
      } else {
        std::memcpy(sequence, side, length * kBytes);
      }
      return;
    }
    case 2:
      return MoveFixedLanes<kBytes, kSplit, 2>(sequence, side, lanes, length);
    case 3:
      return MoveFixedLanes<kBytes, kSplit, 3>(sequence, side, lanes, length);
    case 4:
      return MoveFixedLanes<kBytes, kSplit, 4>(sequence, side, lanes, length);
    default:
      return MoveAnyLanes<kBytes, kSplit>(sequence, side, lanes, length);
  }
}

// Runs of `run` bytes: run i of each of `pixels` pixels <-> row i of `rows`, pixel by pixel.
template <bool kShuffle>
void MoveRuns(Side<kShuffle>* small, Side<!kShuffle>* large, int64_t pixels, int64_t run,
              int64_t rows, int64_t row) {
  for (int64_t w = 0; w < pixels; ++w) {
    for (int64_t i = 0; i < rows; ++i) {
      Side<kShuffle>* a = small + (w * rows + i) * run;
      Side<!kShuffle>* b = large + i * row + w * run;
      if constexpr (kShuffle) {
        std::memcpy(b, a, run);
      } else {
        std::memcpy(a, b, run);
      }
    }
  }
}

}  // namespace tfae

#endif  // TFAE_OPS_SUBPIXEL_LANES_H_
