// CUDA kernels of the fused op where runs are long: a thread keeps to the same channels and walks
// over pixels.

#ifndef TFAE_OPS_SUBPIXEL_FUSED_COLUMNS_H_
#define TFAE_OPS_SUBPIXEL_FUSED_COLUMNS_H_

#include <cstdint>

#include "subpixel_fused_gpu.h"
#include "subpixel_fused_plan.h"

namespace tfae {

// One thread's way over the pixels [begin, end) of its unit, both sides' addresses with it.
template <typename I>
struct Walk {
  const Columns<I>& c;
  I channel, offset;

  __device__ Walk(const Columns<I>& columns, I first) : c(columns), channel(first) {
    const I i = channel / c.run;
    offset = i * c.row + (channel - i * c.run);
  }
  __device__ I small(I pixel) const { return pixel * c.depth + channel; }
  __device__ I large(I pixel) const {
    I w = pixel;
    const I row = c.width.Split(&w);
    return row * c.rows + w * c.run + offset;
  }
};

// Packs that a thread asks for before it uses the first: memory is far.
template <typename T, int V>
constexpr int kAhead = sizeof(Pack<T, V>) > 8 ? 2 : 4;

template <typename T, int V, typename I>
__global__ void __launch_bounds__(kThreads, kResident)
    ForwardColumns(Forward<T> pass, Columns<I> c) {
  constexpr int kMany = kAhead<T, V>;
  const int unit = c.seats.unit(), lane = c.seats.lane();
  for (int64_t item = blockIdx.x; item < c.parts * c.groups; item += gridDim.x) {
    const int64_t part = item / c.groups;
    const I channel = static_cast<I>((item % c.groups * c.seats.units + unit) * V);
    if (!c.seats.taken() || channel >= c.depth) continue;
    const Walk<I> walk(c, channel);
    GpuWide<T> bias[V];
    LoadBias(pass.bias, channel, true, bias);
    const I end = static_cast<I>(c.pixels * (part + 1) / c.parts);
    const I step = c.seats.lanes;
    I pixel = static_cast<I>(c.pixels * part / c.parts) + lane;
    for (; pixel < end; pixel += kMany * step) {
      Pack<T, V> x[kMany];
#pragma unroll
      for (int a = 0; a < kMany; ++a) {
        const I p = pixel + a * step;
        if (p < end) x[a] = Load<V>(pass.x + walk.small(p));
      }
#pragma unroll
      for (int a = 0; a < kMany; ++a) {
        const I p = pixel + a * step;
        if (p < end) Store(pass.y + walk.large(p), Activated(pass.activation, x[a], bias));
      }
    }
  }
}

template <typename T, int V, typename I>
__global__ void __launch_bounds__(kThreads, kResident)
    BackwardColumns(Backward<T> pass, Columns<I> c) {
  TFAE_SHARED(buffer);
  constexpr int kMany = kAhead<T, V>;
  const int unit = c.seats.unit(), lane = c.seats.lane();
  for (int64_t item = blockIdx.x; item < c.parts * c.groups; item += gridDim.x) {
    const int64_t part = item / c.groups;
    const I channel = static_cast<I>((item % c.groups * c.seats.units + unit) * V);
    const bool busy = c.seats.taken() && channel < c.depth;
    const Walk<I> walk(c, channel);
    double sum[V] = {0};
    const I end = busy ? static_cast<I>(c.pixels * (part + 1) / c.parts) : 0;
    const I step = c.seats.lanes;
    I pixel = static_cast<I>(c.pixels * part / c.parts) + lane;
    for (; pixel < end; pixel += kMany * step) {
      Pack<T, V> y[kMany], dy[kMany];
#pragma unroll
      for (int a = 0; a < kMany; ++a) {
        const I p = pixel + a * step;
        if (p >= end) continue;
        const I large = walk.large(p);
        y[a] = Load<V>(pass.y + large);
        dy[a] = Load<V>(pass.dy + large);
      }
#pragma unroll
      for (int a = 0; a < kMany; ++a) {
        const I p = pixel + a * step;
        if (p >= end) continue;
        const Pack<T, V> dx = Derived(pass.activation, y[a], dy[a]);
        Store(pass.dx + walk.small(p), dx);
#pragma unroll
        for (int l = 0; l < V; ++l) sum[l] += Widen(dx.item[l]);
      }
    }
    KeepSums(c.seats, busy, buffer, sum, pass.sums + part * c.depth + channel);
  }
}

}  // namespace tfae

#endif  // TFAE_OPS_SUBPIXEL_FUSED_COLUMNS_H_
