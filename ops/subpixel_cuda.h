// Building blocks of the CUDA kernels: launches, shared memory, division.
//
// Includes no TensorFlow header: those need TensorFlow's own copy of CUDA's. The kernels' source
// also runs on the CPU, under tests/ops/cuda_emulation.h.

#ifndef TFAE_OPS_SUBPIXEL_CUDA_H_
#define TFAE_OPS_SUBPIXEL_CUDA_H_

#include <cstdint>

#ifdef TFAE_EMULATE_CUDA
#include "cuda_emulation.h"
#else
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>
#define TFAE_LAUNCH(kernel, grid, threads, shared, stream, ...) \
  kernel<<<grid, threads, shared, static_cast<cudaStream_t>(stream)>>>(__VA_ARGS__)
#define TFAE_SHARED(name) extern __shared__ __align__(16) char name[]
#endif

#ifndef TFAE_NARROW_COUNT
// Below this 32-bit indices do, one step of the grid beyond the end included.
#define TFAE_NARROW_COUNT (int64_t{2000} << 20)
#endif
#ifndef TFAE_THREADS
#define TFAE_THREADS 256
#endif

namespace tfae {

constexpr int kThreads = TFAE_THREADS;
constexpr int64_t kTileBytes = 16 << 10;  // of shared memory for a block: many blocks stay resident
constexpr int64_t kMostBlocks = 1 << 16;

__device__ inline uint32_t HighProduct(uint32_t a, uint32_t b) { return __umulhi(a, b); }
__device__ inline uint64_t HighProduct(uint64_t a, uint64_t b) { return __umul64hi(a, b); }

// Division by a number known at launch: a product and a shift. Exact for dividends below
// 2^(bits - 1). Granlund and Montgomery 1994, Division by Invariant Integers, section 4.
template <typename I>
struct Divisor {
  I value = 1;
  I magic = 1;
  int shift = 0;

  Divisor() = default;
  explicit Divisor(int64_t divisor) : value(static_cast<I>(divisor)) {
    while ((static_cast<uint64_t>(1) << shift) < static_cast<uint64_t>(divisor)) ++shift;
    const unsigned __int128 one = 1;
    const int bits = 8 * sizeof(I);
    magic = static_cast<I>((one << bits) * ((one << shift) - value) / value + 1);
  }

  __device__ I Quotient(I n) const { return (HighProduct(n, magic) + n) >> shift; }
  // Returns n / value and leaves the rest in n.
  __device__ I Split(I* n) const {
    const I quotient = Quotient(*n);
    *n -= quotient * value;
    return quotient;
  }
};

inline int Blocks(int64_t wanted) {
  return static_cast<int>(wanted < kMostBlocks ? wanted : kMostBlocks);
}

// The error of the last launch; null if there is none.
inline const char* Launched() {
  const cudaError_t error = cudaGetLastError();
  return error == cudaSuccess ? nullptr : cudaGetErrorString(error);
}

}  // namespace tfae

#endif  // TFAE_OPS_SUBPIXEL_CUDA_H_
