// Lanes: sequences split out of one, or merged into one.

#ifndef TFAE_OPS_SUBPIXEL_LANES_H_
#define TFAE_OPS_SUBPIXEL_LANES_H_

#include <cstdint>
#include <cstring>

#include "subpixel_unit.h"

namespace tfae {

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
TFAE_VECTOR_CLONES void MoveFixedLanes(Side<kSplit>* sequence, Side<!kSplit>* side,
                                       const Lanes& lanes, int64_t length) {
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

// Element k of the row <-> element order[k] of the pixel. kShuffle reads the pixel.
template <int kBytes, bool kShuffle>
inline void MoveByTable(Side<kShuffle>* pixel, Side<!kShuffle>* row, const int32_t* order,
                        int64_t length) {
  using P = typename Unit<kBytes, kShuffle>::Type;
  using R = typename Unit<kBytes, !kShuffle>::Type;
  P* p = reinterpret_cast<P*>(pixel);
  R* r = reinterpret_cast<R*>(row);
  for (int64_t k = 0; k < length; ++k) {
    if constexpr (kShuffle) {
      r[k] = p[order[k]];
    } else {
      p[order[k]] = r[k];
    }
  }
}

// Pixels of three channels in CRD order and square blocks, which is how PyTorch ends a network that
// makes pictures: the table of MoveByTable, as constants of the compiled code.
template <int kBytes, bool kShuffle, int kBlock>
TFAE_VECTOR_CLONES void MoveColours(Side<kShuffle>* small, Side<!kShuffle>* large, int64_t pixels,
                                    int64_t row) {
  using P = typename Unit<kBytes, kShuffle>::Type;
  using R = typename Unit<kBytes, !kShuffle>::Type;
  constexpr int kRun = 3 * kBlock;
  for (int64_t w = 0; w < pixels; ++w) {
    P* p = reinterpret_cast<P*>(small + w * kRun * kBlock * kBytes);
    for (int i = 0; i < kBlock; ++i) {
      R* r = reinterpret_cast<R*>(large + i * row + w * kRun * kBytes);
#pragma GCC unroll 16
      for (int k = 0; k < kRun; ++k) {
        if constexpr (kShuffle) {
          r[k] = p[(k % 3 * kBlock + i) * kBlock + k / 3];
        } else {
          p[(k % 3 * kBlock + i) * kBlock + k / 3] = r[k];
        }
      }
    }
  }
}

}  // namespace tfae

#endif  // TFAE_OPS_SUBPIXEL_LANES_H_
