// Per-thread code of the fused op's CUDA kernels: wide numbers, packs of up to 16 bytes, the two
// passes, sums over a block.

#ifndef TFAE_OPS_SUBPIXEL_FUSED_GPU_H_
#define TFAE_OPS_SUBPIXEL_FUSED_GPU_H_

#include <cstdint>
#include <type_traits>

#include "subpixel_activation.h"
#include "subpixel_cuda.h"
#include "subpixel_fused_plan.h"

namespace tfae {

// The type of the computation.
template <typename T>
using GpuWide = std::conditional_t<std::is_same_v<T, double>, double, float>;

__device__ inline float Widen(__half x) { return __half2float(x); }
__device__ inline float Widen(__nv_bfloat16 x) { return __bfloat162float(x); }
__device__ inline float Widen(float x) { return x; }
__device__ inline double Widen(double x) { return x; }

template <typename T>
__device__ inline T Narrow(GpuWide<T> x) {
  if constexpr (std::is_same_v<T, __half>) {
    return __float2half_rn(x);
  } else if constexpr (std::is_same_v<T, __nv_bfloat16>) {
    return __float2bfloat16_rn(x);
  } else {
    return x;
  }
}

// V elements that are read or written at once.
template <typename T, int V>
struct alignas(V * sizeof(T)) Pack {
  T item[V];
};

template <int V, typename T>
__device__ inline Pack<T, V> Load(const T* from) {
  return *reinterpret_cast<const Pack<T, V>*>(from);
}
template <typename T, int V>
__device__ inline void Store(T* to, const Pack<T, V>& pack) {
  *reinterpret_cast<Pack<T, V>*>(to) = pack;
}

// Replaces each x by its activation, or each output y by the derivative there.
template <Activation kActivation, bool kDerive, typename F, int V>
__device__ inline void ApplyOne(F (&x)[V]) {
#pragma unroll
  for (int l = 0; l < V; ++l) {
    x[l] = kDerive ? Derivative<kActivation>(x[l]) : Activate<kActivation>(x[l]);
  }
}

// The activation is the same for every thread: choosing it here costs a jump a pack, and spares
// seven versions of each kernel.
template <bool kDerive, typename F, int V>
__device__ inline void Apply(Activation activation, F (&x)[V]) {
  using A = Activation;
  switch (activation) {
    case A::kIdentity:
      return ApplyOne<A::kIdentity, kDerive>(x);
    case A::kRelu:
      return ApplyOne<A::kRelu, kDerive>(x);
    case A::kLeakyRelu:
      return ApplyOne<A::kLeakyRelu, kDerive>(x);
    case A::kElu:
      return ApplyOne<A::kElu, kDerive>(x);
    case A::kSelu:
      return ApplyOne<A::kSelu, kDerive>(x);
    case A::kSigmoid:
      return ApplyOne<A::kSigmoid, kDerive>(x);
    case A::kTanh:
      return ApplyOne<A::kTanh, kDerive>(x);
  }
}

// activation(x + bias)
template <typename T, int V>
__device__ inline Pack<T, V> Activated(Activation activation, const Pack<T, V>& x,
                                       const GpuWide<T> (&bias)[V]) {
  GpuWide<T> wide[V];
#pragma unroll
  for (int l = 0; l < V; ++l) wide[l] = Widen(x.item[l]) + bias[l];
  Apply<false>(activation, wide);
  Pack<T, V> y;
#pragma unroll
  for (int l = 0; l < V; ++l) y.item[l] = Narrow<T>(wide[l]);
  return y;
}

// dy * derivative(y)
template <typename T, int V>
__device__ inline Pack<T, V> Derived(Activation activation, const Pack<T, V>& y,
                                     const Pack<T, V>& dy) {
  GpuWide<T> wide[V];
#pragma unroll
  for (int l = 0; l < V; ++l) wide[l] = Widen(y.item[l]);
  Apply<true>(activation, wide);
  Pack<T, V> dx;
#pragma unroll
  for (int l = 0; l < V; ++l) dx.item[l] = Narrow<T>(Widen(dy.item[l]) * wide[l]);
  return dx;
}

template <typename T>
struct Forward {
  const T* __restrict__ x;
  const T* __restrict__ bias;
  T* __restrict__ y;
  Activation activation;
};

template <typename T>
struct Backward {
  const T* __restrict__ y;
  const T* __restrict__ dy;
  T* __restrict__ dx;
  double* __restrict__ sums;  // [parts][depth]
  Activation activation;
};

// Adds up V sums of each unit over the lanes; lane 0 gets them. In double and in an order that
// depends on the sizes and packs alone: no addition is lost and every run gives the same bits.
// `buffer` holds units * lanes doubles, and may be used again after the call.
template <int V>
__device__ inline void SumOverLanes(const Seats& s, double* buffer, double (&sum)[V]) {
  const int lane = s.lane();
  double* mine = buffer + lane * s.units + s.unit();
  int half = 1;
  while (2 * half < s.lanes) half *= 2;
#pragma unroll
  for (int l = 0; l < V; ++l) {
    if (s.taken()) *mine = sum[l];
    __syncthreads();
    for (int other = half; other > 0; other /= 2) {
      if (s.taken() && lane < other && lane + other < s.lanes) *mine += mine[other * s.units];
      __syncthreads();
    }
    if (s.taken()) sum[l] = *mine;
  }
  __syncthreads();
}

// Blocks on a multiprocessor at least: 64 registers a thread.
constexpr int kResident = 4;

template <int V, typename T>
__device__ inline void LoadBias(const T* bias, int64_t channel, bool along, GpuWide<T> (&wide)[V]) {
#pragma unroll
  for (int l = 0; l < V; ++l) wide[l] = Widen(bias[channel + (along ? l : 0)]);
}

// The sums of a block's threads become its part of dbias.
template <int V>
__device__ inline void KeepSums(const Seats& s, bool busy, char* buffer, double (&sum)[V],
                                double* to) {
  if (!s.along) {  // the pack's elements are of one channel
#pragma unroll
    for (int l = 1; l < V; ++l) sum[0] += sum[l];
    double one[1] = {sum[0]};
    SumOverLanes(s, reinterpret_cast<double*>(buffer), one);
    if (busy && s.lane() == 0) *to = one[0];
    return;
  }
  SumOverLanes(s, reinterpret_cast<double*>(buffer), sum);
  if (!busy || s.lane() != 0) return;
#pragma unroll
  for (int l = 0; l < V; ++l) to[l] = sum[l];
}

}  // namespace tfae

#endif  // TFAE_OPS_SUBPIXEL_FUSED_GPU_H_
