// Runs CUDA kernels on the CPU: enough of CUDA for the kernels of this project.
//
// A block's threads are fibers that take turns; one yields at __syncthreads and at its end. Shared
// memory begins poisoned, as on a GPU it begins with whatever was there.

#ifndef TFAE_TESTS_CUDA_EMULATION_H_
#define TFAE_TESTS_CUDA_EMULATION_H_

#include <ucontext.h>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <vector>

#define __global__
#define __device__
#define __host__
#define __launch_bounds__(threads, blocks)

struct EmulatedIndex {
  unsigned x = 0;
};
inline EmulatedIndex threadIdx, blockIdx, blockDim, gridDim;

using cudaError_t = int;
constexpr cudaError_t cudaSuccess = 0;
inline cudaError_t cudaGetLastError() { return cudaSuccess; }
inline const char* cudaGetErrorString(cudaError_t) { return "no error"; }

inline uint32_t __umulhi(uint32_t a, uint32_t b) {
  return static_cast<uint32_t>((static_cast<uint64_t>(a) * b) >> 32);
}
inline uint64_t __umul64hi(uint64_t a, uint64_t b) {
  return static_cast<uint64_t>((static_cast<unsigned __int128>(a) * b) >> 64);
}

struct __half {
  uint16_t bits;
};
struct __nv_bfloat16 {
  uint16_t bits;
};
inline float __half2float(__half x) {
  const int exponent = x.bits >> 10 & 31;
  const int digits = x.bits & 1023;
  const float sign = x.bits >> 15 ? -1.f : 1.f;
  if (exponent == 31) return sign * (digits ? NAN : INFINITY);
  return sign * std::ldexp(static_cast<float>(exponent ? digits + 1024 : digits),
                           (exponent ? exponent : 1) - 25);
}
// To the nearest, halves to even, as std::nearbyint does.
inline __half __float2half_rn(float x) {
  const unsigned sign = std::signbit(x) ? 0x8000 : 0;
  if (std::isnan(x)) return {static_cast<uint16_t>(sign | 0x7e00)};
  const float size = std::fabs(x);
  if (size >= 65520.f) return {static_cast<uint16_t>(sign | 0x7c00)};
  int exponent = -14;  // of the smallest normal number: below it the digits' unit stays
  if (size >= 0x1p-14f) exponent = std::ilogb(size);
  const int digits = static_cast<int>(std::nearbyint(std::ldexp(size, 10 - exponent)));
  return {static_cast<uint16_t>(sign + ((exponent + 14) << 10) + digits)};
}
inline float __bfloat162float(__nv_bfloat16 x) {
  const uint32_t bits = static_cast<uint32_t>(x.bits) << 16;
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}
inline __nv_bfloat16 __float2bfloat16_rn(float x) {
  if (std::isnan(x)) return {0x7fff};
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof(bits));
  return {static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16)};
}

namespace emulated {

struct Fiber {
  ucontext_t context;
  std::vector<char> stack;
  int barriers = 0;  // how many __syncthreads it has reached
  bool done = false;
};

inline ucontext_t scheduler;
inline std::vector<Fiber> fibers;
inline unsigned current = 0;
inline std::function<void()> body;
inline std::vector<char> shared;

inline void Yield() { swapcontext(&fibers[current].context, &scheduler); }

inline void Enter() {
  body();
  fibers[current].done = true;
  Yield();
}

// Every thread runs up to its next barrier or its end; then all must have reached the same one.
inline void RunBlock(unsigned threads) {
  if (fibers.size() < threads) fibers.resize(threads);
  for (unsigned t = 0; t < threads; ++t) {
    Fiber& fiber = fibers[t];
    fiber.stack.resize(64 << 10);
    fiber.done = false;
    fiber.barriers = 0;
    getcontext(&fiber.context);
    fiber.context.uc_stack.ss_sp = fiber.stack.data();
    fiber.context.uc_stack.ss_size = fiber.stack.size();
    fiber.context.uc_link = nullptr;
    makecontext(&fiber.context, Enter, 0);
  }
  for (bool left = true; left;) {
    left = false;
    for (current = 0; current < threads; ++current) {
      if (fibers[current].done) continue;
      threadIdx.x = current;
      swapcontext(&scheduler, &fibers[current].context);
      left = left || !fibers[current].done;
    }
    for (unsigned t = 1; t < threads; ++t) {
      if (fibers[t].barriers != fibers[0].barriers) {
        std::printf("threads 0 and %u of a block wait at different barriers\n", t);
        std::exit(1);
      }
    }
  }
}

inline void Launch(int64_t grid, int64_t threads, int64_t bytes, std::function<void()> kernel) {
  body = std::move(kernel);
  gridDim.x = static_cast<unsigned>(grid);
  blockDim.x = static_cast<unsigned>(threads);
  for (int64_t block = 0; block < grid; ++block) {
    blockIdx.x = static_cast<unsigned>(block);
    shared.assign(bytes + 64, 0x5a);
    RunBlock(static_cast<unsigned>(threads));
    for (int64_t k = bytes; k < bytes + 64; ++k) {
      if (shared[k] == 0x5a) continue;
      std::printf("a kernel wrote beyond its shared memory\n");
      std::exit(1);
    }
  }
}

}  // namespace emulated

inline void __syncthreads() {
  ++emulated::fibers[emulated::current].barriers;
  emulated::Yield();
}

#define TFAE_SHARED(name) char* name = emulated::shared.data()
#define TFAE_LAUNCH(kernel, grid, threads, shared, stream, ...) \
  emulated::Launch(grid, threads, shared, [=] { kernel(__VA_ARGS__); })

#endif  // TFAE_TESTS_CUDA_EMULATION_H_
