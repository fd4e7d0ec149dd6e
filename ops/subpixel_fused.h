// The fused op on the CPU: bias, activation and shuffle in one pass over memory, and its gradient.
//
//   y      = shuffle(activation(x + bias))                x, dx small; y, dy large; bias [C*rh*rw]
//   dx     = unshuffle(dy * derivative(y))
//   dbias  = sum of dx over everything but the channels
//
// A band is computed in a buffer that stays in the cache and moved from there, so that each tensor
// is read from or written to main memory once. No TensorFlow header.

#ifndef TFAE_OPS_SUBPIXEL_FUSED_H_
#define TFAE_OPS_SUBPIXEL_FUSED_H_

#include <algorithm>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "subpixel_activation.h"
#include "subpixel_cpu.h"

namespace tfae {

template <typename T>
using Wide = std::conditional_t<std::is_same_v<T, double>, double, float>;

template <Activation kActivation, typename T>
TFAE_VECTOR_CLONES void ActivateRow(const T* x, const T* bias, T* y, int64_t length) {
  using F = Wide<T>;
#pragma GCC ivdep
  for (int64_t k = 0; k < length; ++k) {
    y[k] = static_cast<T>(Activate<kActivation>(static_cast<F>(x[k]) + static_cast<F>(bias[k])));
  }
}

template <Activation kActivation, typename T>
TFAE_VECTOR_CLONES void ActivatePlane(const T* x, T bias, T* y, int64_t length) {
  using F = Wide<T>;
  const F b = static_cast<F>(bias);
#pragma GCC ivdep
  for (int64_t k = 0; k < length; ++k) {
    y[k] = static_cast<T>(Activate<kActivation>(static_cast<F>(x[k]) + b));
  }
}

template <Activation kActivation, typename T>
TFAE_VECTOR_CLONES void DeriveRow(const T* y, const T* dy, T* g, int64_t length) {
  using F = Wide<T>;
#pragma GCC ivdep
  for (int64_t k = 0; k < length; ++k) {
    g[k] = static_cast<T>(static_cast<F>(dy[k]) * Derivative<kActivation>(static_cast<F>(y[k])));
  }
}

// sum[k] += x[k], in double so that a million pixels lose nothing.
template <typename T>
TFAE_VECTOR_CLONES void AddRow(const T* x, double* sum, int64_t length) {
#pragma GCC ivdep
  for (int64_t k = 0; k < length; ++k) sum[k] += static_cast<double>(static_cast<Wide<T>>(x[k]));
}

// The sum of a row, over eight running sums that one vector register or two hold.
template <typename T>
TFAE_VECTOR_CLONES double SumRow(const T* x, int64_t length) {
  double sum[8] = {0};
  int64_t k = 0;
  for (; k + 8 <= length; k += 8) {
    for (int l = 0; l < 8; ++l) sum[l] += static_cast<double>(static_cast<Wide<T>>(x[k + l]));
  }
  for (; k < length; ++k) sum[0] += static_cast<double>(static_cast<Wide<T>>(x[k]));
  return ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
}

template <typename T>
const char* Bytes(const T* p) {
  return reinterpret_cast<const char*>(p);
}
template <typename T>
char* Bytes(T* p) {
  return reinterpret_cast<char*>(p);
}

// How many pixels are handled as one row: where a pixel has few channels, loops over one pixel
// would be too short for vectors, so bias and sums are laid out for several pixels in a row.
inline int64_t PixelsAtOnce(const Geometry& g) {
  return std::max<int64_t>(1, 128 / std::max<int64_t>(1, g.channels * g.block()));
}

// The bands of both passes are of one row.
inline Bands FusedBandsOf(const Geometry& g, int64_t size) { return Bands(g, size, 1); }

// The bands [begin, end) of the forward pass.
template <Activation kActivation, typename T>
void FusedBands(const T* x, const T* bias, T* y, const Geometry& g, const Bands& bands,
                int64_t begin, int64_t end) {
  const int64_t depth = g.channels * g.block();
  const int64_t at_once = g.nchw ? 1 : PixelsAtOnce(g);
  std::vector<T> biases(at_once * depth);
  for (int64_t k = 0; k < at_once * depth; ++k) biases[k] = bias[k % depth];
  std::vector<T> buffer(bands.bytes / sizeof(T));
  BandMover<sizeof(T), true> move(g, g.elements() * int64_t{sizeof(T)} > kStreamBytes);
  Strides strides(g);
  const int64_t plane = strides.plane;
  for (int64_t index = begin; index < end; ++index) {
    const Band band = FindBand(index, bands, g);
    if (g.nchw) {
      strides.plane = band.pixels;
      for (int64_t k = 0; k < g.block(); ++k) {
        ActivatePlane<kActivation>(x + band.small + k * plane,
                                   bias[SmallChannel(band.channel, k / g.rw, k % g.rw, g)],
                                   buffer.data() + k * band.pixels, band.pixels);
      }
    } else {
      for (int64_t w = 0; w < band.pixels; w += at_once) {
        ActivateRow<kActivation>(x + band.small + w * depth, biases.data(),
                                 buffer.data() + w * depth,
                                 std::min(at_once, band.pixels - w) * depth);
      }
    }
    move(Bytes(const_cast<const T*>(buffer.data())), Bytes(y + band.large), band.pixels, 1,
         strides);
  }
}

// The bands [begin, end) of the backward pass; `sums` [C*rh*rw] gets their share of dbias.
template <Activation kActivation, typename T>
void FusedGradientBands(const T* y, const T* dy, T* dx, double* sums, const Geometry& g,
                        const Bands& bands, int64_t begin, int64_t end) {
  const int64_t depth = g.channels * g.block();
  const int64_t at_once = g.nchw ? 1 : PixelsAtOnce(g);
  std::vector<double> sum(at_once * depth, 0.0);
  std::vector<T> buffer(bands.bytes / sizeof(T));
  BandMover<sizeof(T), false> move(g, false);
  const Strides tensor(g);
  Strides strides(g);
  for (int64_t index = begin; index < end; ++index) {
    const Band band = FindBand(index, bands, g);
    strides.row = band.pixels * g.rw * (g.nchw ? 1 : g.channels);
    for (int64_t i = 0; i < g.rh; ++i) {
      DeriveRow<kActivation>(y + band.large + i * tensor.row, dy + band.large + i * tensor.row,
                             buffer.data() + i * strides.row, strides.row);
    }
    T* small = dx + band.small;
    move(Bytes(small), Bytes(const_cast<const T*>(buffer.data())), band.pixels, 1, strides);
    if (g.nchw) {
      for (int64_t k = 0; k < g.block(); ++k) {
        sum[SmallChannel(band.channel, k / g.rw, k % g.rw, g)] +=
            SumRow<T>(small + k * tensor.plane, band.pixels);
      }
    } else {
      for (int64_t w = 0; w < band.pixels; w += at_once) {
        AddRow<T>(small + w * depth, sum.data(), std::min(at_once, band.pixels - w) * depth);
      }
    }
  }
  for (int64_t k = 0; k < depth; ++k) sums[k] = 0;
  for (int64_t k = 0; k < at_once * depth; ++k) sums[k % depth] += sum[k];
}

// dbias is summed in this many parts, each in a fixed order: how the parts are spread over threads
// then changes nothing, and a resumed run reaches the same bits.
inline int64_t GradientParts(const Bands& bands) {
  return std::min<int64_t>(64, (bands.count * bands.bytes + (64 << 10) - 1) / (64 << 10));
}

}  // namespace tfae

#endif  // TFAE_OPS_SUBPIXEL_FUSED_H_
