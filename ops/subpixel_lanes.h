// Lanes: a sequence is split into several, or several are merged into one.

#ifndef TFAE_OPS_SUBPIXEL_LANES_H_
#define TFAE_OPS_SUBPIXEL_LANES_H_

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <utility>

#include "subpixel_unit.h"

#ifdef __has_builtin
#if __has_builtin(__builtin_shufflevector)
#define TFAE_SHUFFLE_VECTOR
#endif
#endif

namespace tfae {

// Where lanes lie, in bytes: `columns` of them side by side, then on to the next row. The same move
// is made `times` * `parts` times: the sequences follow each other, the lanes of the parts of one
// time lie `part` apart.
struct Lanes {
  int64_t count;
  int64_t columns;
  int64_t column;
  int64_t row;
  int64_t length;  // units in a lane
  int64_t times;
  int64_t parts;
  int64_t sequence;  // from one sequence to the next
  int64_t time;      // from the lanes of one time to those of the next
  int64_t part;

  int64_t Offset(int64_t lane) const { return lane / columns * row + lane % columns * column; }
};

// Calls move(sequence, offset of the lanes) for each of the moves, sequence after sequence.
template <typename Byte, typename Move>
TFAE_PART void ForTimes(Byte* sequence, const Lanes& lanes, const Move& move) {
  for (int64_t time = 0; time < lanes.times; ++time) {
    for (int64_t part = 0; part < lanes.parts; ++part) {
      move(sequence, time * lanes.time + part * lanes.part);
      sequence += lanes.sequence;
    }
  }
}

// Units s[k*L + l] of the sequence <-> unit k of lane l, for k in [begin, end).
template <int kBytes, bool kSplit>
TFAE_PART void MoveUnits(Side<kSplit>* sequence, Side<!kSplit>* side, const Lanes& lanes,
                         int64_t begin, int64_t end) {
  for (int64_t l = 0; l < lanes.count; ++l) {
    Side<!kSplit>* lane = side + lanes.Offset(l);
    for (int64_t k = begin; k < end; ++k) {
      Side<kSplit>* s = sequence + (k * lanes.count + l) * kBytes;
      if constexpr (kSplit) {
        std::memcpy(lane + k * kBytes, s, kBytes);
      } else {
        std::memcpy(s, lane + k * kBytes, kBytes);
      }
    }
  }
}

#ifdef TFAE_SHUFFLE_VECTOR
// A block of as many units of each lane as a vector holds.
//
// Vectors of 16 bytes, which every target has: the compiler takes larger ones apart before it makes
// the clone that has them.
template <int kBytes, bool kSplit, int kLanes>
struct Block {
  static constexpr int kUnits = 16 / kBytes;
  typedef typename Unit<kBytes>::Type Vector __attribute__((vector_size(16)));

  // Where element e of written vector v comes from: a place in the vectors read, end to end.
  static constexpr int Source(int v, int e) {
    const int k = v * kUnits + e;
    return kSplit ? e * kLanes + v : k % kLanes * kUnits + k / kLanes;
  }

  // The index that brings element e into what has been made of the vectors before vector n.
  static constexpr int Index(int v, int n, int e) {
    const int source = Source(v, e);
    if (source / kUnits == n) return kUnits + source % kUnits;
    return n == 1 ? source % kUnits : e;
  }

  // Written vector kVector, from vectors kNext and on.
  template <int kVector, int kNext = 1, size_t... kElement>
  static TFAE_PART void Pick(const Vector* in, Vector* out,
                             std::index_sequence<kElement...> elements) {
    *out = __builtin_shufflevector(*out, in[kNext], Index(kVector, kNext, kElement)...);
    if constexpr (kNext + 1 < kLanes) Pick<kVector, kNext + 1>(in, out, elements);
  }

  // The first of the written vectors.
  template <size_t... kVector>
  static TFAE_PART void Permute(const Vector* in, Vector* out, std::index_sequence<kVector...>) {
    constexpr auto kElements = std::make_index_sequence<kUnits>();
    ((out[kVector] = in[0], Pick<kVector>(in, out + kVector, kElements)), ...);
  }

  // All of them: four lanes are two pairs of two.
  static TFAE_PART void Permute(const Vector* in, Vector* out) {
    if constexpr (kLanes == 4) {
      using Pair = Block<kBytes, kSplit, 2>;
      Vector pair[2], half[4];
      for (int p = 0; p < 2; ++p) {
        pair[0] = in[kSplit ? 2 * p : p];
        pair[1] = in[kSplit ? 2 * p + 1 : p + 2];
        Pair::Permute(pair, half + 2 * p);
      }
      for (int p = 0; p < 2; ++p) {
        Vector made[2];
        pair[0] = half[p];
        pair[1] = half[p + 2];
        Pair::Permute(pair, made);
        out[kSplit ? p : 2 * p] = made[0];
        out[kSplit ? p + 2 : 2 * p + 1] = made[1];
      }
    } else {
      Permute(in, out, std::make_index_sequence<kLanes>());
    }
  }

  static TFAE_PART void Move(Side<kSplit>* sequence, Side<!kSplit>* const* lane, int64_t at) {
    Vector in[kLanes], out[kLanes];
    for (int l = 0; l < kLanes; ++l) {
      std::memcpy(&in[l], kSplit ? sequence + l * 16 : lane[l] + at, 16);
    }
    Permute(in, out);
    for (int l = 0; l < kLanes; ++l) {
      if constexpr (kSplit) {
        std::memcpy(lane[l] + at, &out[l], 16);
      } else {
        std::memcpy(sequence + l * 16, &out[l], 16);
      }
    }
  }
};
#endif

// A few lanes: vectors of them, the last of which may overlap the one before.
template <int kBytes, bool kSplit, int kLanes>
TFAE_VECTOR_CLONES void MoveFewLanes(Side<kSplit>* sequence, Side<!kSplit>* side, Lanes lanes) {
  lanes.count = kLanes;
  const int64_t length = lanes.length;
  Side<!kSplit>* lane[kLanes];
  for (int l = 0; l < kLanes; ++l) lane[l] = side + lanes.Offset(l);
  ForTimes(sequence, lanes, [&](Side<kSplit>* s, int64_t step) __attribute__((always_inline)) {
    int64_t k = 0;
#ifdef TFAE_SHUFFLE_VECTOR
    if constexpr (kBytes < 16) {
      using B = Block<kBytes, kSplit, kLanes>;
      for (; k + B::kUnits <= length; k += B::kUnits) {
        B::Move(s + k * kLanes * kBytes, lane, step + k * kBytes);
      }
      if (k == length) return;
      if (length >= B::kUnits) {
        k = length - B::kUnits;
        return B::Move(s + k * kLanes * kBytes, lane, step + k * kBytes);
      }
    }
#endif
    MoveUnits<kBytes, kSplit>(s, side + step, lanes, k, length);
  });
}

// One lane is a copy.
template <int kBytes, bool kSplit>
void MoveOneLane(Side<kSplit>* sequence, Side<!kSplit>* side, Lanes lanes) {
  ForTimes(sequence, lanes, [&](Side<kSplit>* s, int64_t step) {
    if constexpr (kSplit) {
      std::memcpy(side + step, s, lanes.length * kBytes);
    } else {
      std::memcpy(s, side + step, lanes.length * kBytes);
    }
  });
}

// Any number of lanes, in blocks that stay in the first-level cache while every lane is visited.
template <int kBytes, bool kSplit>
void MoveManyLanes(Side<kSplit>* sequence, Side<!kSplit>* side, Lanes lanes) {
  constexpr int64_t kBlock = 64;
  ForTimes(sequence, lanes, [&](Side<kSplit>* s, int64_t step) {
    for (int64_t k = 0; k < lanes.length; k += kBlock) {
      MoveUnits<kBytes, kSplit>(s, side + step, lanes, k, std::min(k + kBlock, lanes.length));
    }
  });
}

template <int kBytes, bool kSplit>
void MoveLanes(Side<kSplit>* sequence, Side<!kSplit>* side, Lanes lanes) {
  switch (lanes.count) {
    case 1:
      return MoveOneLane<kBytes, kSplit>(sequence, side, lanes);
    case 2:
      return MoveFewLanes<kBytes, kSplit, 2>(sequence, side, lanes);
    case 3:
      return MoveFewLanes<kBytes, kSplit, 3>(sequence, side, lanes);
    case 4:
      return MoveFewLanes<kBytes, kSplit, 4>(sequence, side, lanes);
    default:
      return MoveManyLanes<kBytes, kSplit>(sequence, side, lanes);
  }
}

// Pixels of three channels in CRD order and square blocks, which is how PyTorch ends a network that
// generates images. Bytes that a vector writes beyond its run are overwritten by the next pixel.
// The last pixels of a row, where a vector would exceed the row, are moved by units.
template <int kBytes, int kBlock>
TFAE_VECTOR_CLONES void ShuffleColors(const char* small, char* large, int64_t pixels, int64_t row) {
  constexpr int64_t kLane = kBlock * kBlock * kBytes;
  constexpr int64_t kRun = 3 * kBlock * kBytes;
  int64_t w = 0;
  for (int64_t i = 0; i < kBlock; ++i) {
    const char* from = small + i * kBlock * kBytes;
    char* to = large + i * row;
    w = 0;
#ifdef TFAE_SHUFFLE_VECTOR
    using B = Block<kBytes, false, 3>;
    if constexpr (B::kUnits >= kBlock) {
      constexpr int kVectors = (kRun + 15) / 16;
      constexpr int64_t kSpare = (16 + kRun - 1) / kRun;
      for (; w + kSpare < pixels; ++w) {
        typename B::Vector in[3], out[kVectors];
        for (int c = 0; c < 3; ++c) std::memcpy(&in[c], from + w * 3 * kLane + c * kLane, 16);
        B::Permute(in, out, std::make_index_sequence<kVectors>());
        for (int v = 0; v < kVectors; ++v) std::memcpy(to + w * kRun + v * 16, &out[v], 16);
      }
    }
#endif
    const Lanes lanes{3, 3, kLane, 0, kBlock, pixels - w, 1, kRun, 3 * kLane, 0};
    MoveManyLanes<kBytes, false>(to + w * kRun, from + w * 3 * kLane, lanes);
  }
}

}  // namespace tfae

#endif  // TFAE_OPS_SUBPIXEL_LANES_H_
