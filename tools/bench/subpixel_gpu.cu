// Checks and times the CUDA kernels of the sub-pixel shuffle on the GPU of this machine.
//
//   nvcc -std=c++17 -O3 -arch=native -Iops -x cu tools/bench/subpixel_gpu.cu ops/*.cu.cc \
//       -o /tmp/subpixel_gpu && /tmp/subpixel_gpu
//
// Each case is compared with the index map on random data with a poisoned output, and the fused op
// with formulas in 64 bits; its gradient is run twice and must be bit-identical. Then each case is
// timed with events after a warm-up. Results are fractions of the bandwidth of a copy of as many
// bytes in the same run. The fused gradient reads two tensors and writes one.

#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <vector>

#include "subpixel_gpu.h"

namespace {

using tfae::Geometry;

struct Case {
  int64_t batch, height, width, channels, block;
  bool crd, nchw;
  int64_t size;
};

// Cases of more than 32 MB exceed the caches; the small ones show the cost of a launch.
constexpr Case kCases[] = {
    {64, 14, 14, 1, 2, false, false, 4},    {64, 14, 14, 32, 2, false, false, 4},
    {64, 14, 14, 32, 2, true, true, 4},     {16, 96, 80, 3, 2, false, false, 4},
    {16, 96, 80, 3, 2, true, true, 4},      {1, 1080, 1920, 3, 2, false, false, 1},
    {16, 96, 80, 64, 2, false, false, 4},   {16, 96, 80, 64, 2, true, true, 4},
    {4, 1080, 1920, 3, 2, false, false, 4}, {4, 1080, 1920, 3, 2, true, true, 4},
    {4, 1080, 1920, 3, 2, true, false, 4},  {4, 1080, 1920, 3, 2, false, false, 2},
    {8, 540, 960, 3, 4, false, false, 4},   {8, 540, 960, 3, 4, true, true, 4},
    {8, 256, 256, 64, 2, false, false, 4},  {8, 256, 256, 64, 2, true, true, 4},
    {8, 256, 256, 64, 2, true, false, 4},   {8, 256, 256, 64, 2, false, true, 4},
    {8, 256, 256, 64, 2, false, false, 2},  {8, 256, 256, 64, 2, true, true, 2},
    {16, 48, 40, 512, 2, false, false, 4},  {4, 512, 512, 64, 2, false, false, 8},
};

void Check(cudaError_t error) {
  if (error == cudaSuccess) return;
  std::printf("%s\n", cudaGetErrorString(error));
  std::exit(1);
}

// The best of several runs, in milliseconds.
template <typename Work>
float Time(const Work& work) {
  cudaEvent_t begin, end;
  Check(cudaEventCreate(&begin));
  Check(cudaEventCreate(&end));
  float best = 1e9f;
  for (int k = 0; k < 20; ++k) {
    Check(cudaEventRecord(begin));
    work();
    Check(cudaEventRecord(end));
    Check(cudaEventSynchronize(end));
    float taken;
    Check(cudaEventElapsedTime(&taken, begin, end));
    if (k >= 3) best = std::min(best, taken);
  }
  Check(cudaEventDestroy(begin));
  Check(cudaEventDestroy(end));
  return best;
}

void Failed(const char* error) {
  if (error == nullptr) return;
  std::printf("launch: %s\n", error);
  std::exit(1);
}

void Launch(const void* from, void* to, int64_t size, const Geometry& g, bool shuffle) {
  Failed(tfae::LaunchSubpixel(nullptr, from, to, size, g, shuffle));
}

// Whether both directions agree with the index map.
bool Right(const Geometry& g, int64_t size, char* from, char* to) {
  const int64_t bytes = g.elements() * size;
  std::vector<char> small(bytes), large(bytes), back(bytes);
  std::mt19937_64 random(1);
  for (char& byte : small) byte = static_cast<char>(random());
  Check(cudaMemcpy(from, small.data(), bytes, cudaMemcpyHostToDevice));
  Check(cudaMemset(to, 0x5a, bytes));
  Launch(from, to, size, g, true);
  Check(cudaMemcpy(large.data(), to, bytes, cudaMemcpyDeviceToHost));
  Check(cudaMemset(from, 0x5a, bytes));
  Launch(to, from, size, g, false);
  Check(cudaMemcpy(back.data(), from, bytes, cudaMemcpyDeviceToHost));
  for (int64_t k = 0; k < g.elements(); ++k) {
    const int64_t s = tfae::SmallIndex(k, g);
    if (!std::equal(&large[k * size], &large[k * size] + size, &small[s * size])) return false;
  }
  return back == small;
}

// The fused op in the type of `size` bytes, with the activation that has the most arithmetic.
struct Fused {
  const Geometry& g;
  tfae::FloatType type;
  int64_t size, depth;
  char *x, *y, *dy, *dx, *bias, *dbias;
  double* sums;

  Fused(const Geometry& geometry, int64_t bytes, char* from, char* to)
      : g(geometry), size(bytes), depth(g.channels * g.block()), x(from), y(to) {
    type = size == 8   ? tfae::FloatType::kDouble
           : size == 4 ? tfae::FloatType::kFloat
                       : tfae::FloatType::kHalf;
    Check(cudaMalloc(&dy, g.elements() * size));
    Check(cudaMalloc(&dx, g.elements() * size));
    Check(cudaMalloc(&bias, depth * size));
    Check(cudaMalloc(&dbias, depth * size));
    Check(cudaMalloc(&sums, tfae::FusedGradientSums(type, g) * sizeof(double)));
  }
  ~Fused() {
    for (void* p : {static_cast<void*>(dy), static_cast<void*>(dx), static_cast<void*>(bias),
                    static_cast<void*>(dbias), static_cast<void*>(sums)}) {
      cudaFree(p);
    }
  }

  void Forward() const {
    Failed(tfae::LaunchFused(nullptr, type, tfae::Activation::kTanh, x, bias, y, g));
  }
  void Backward() const {
    Failed(tfae::LaunchFusedGradient(nullptr, type, tfae::Activation::kTanh, y, dy, dx, dbias, sums,
                                     g));
  }

  // Fills device memory with random numbers.
  void Fill(char* to, int64_t count, uint64_t seed) const {
    std::mt19937_64 random(seed);
    std::vector<char> bytes(count * size);
    for (int64_t k = 0; k < count; ++k) {
      const double number = static_cast<double>(random() >> 11) * 0x1p-51 - 2;
      const float narrow = static_cast<float>(number);
      const __half half = __float2half(narrow);
      const void* from = size == 8   ? static_cast<const void*>(&number)
                         : size == 4 ? static_cast<const void*>(&narrow)
                                     : static_cast<const void*>(&half);
      std::memcpy(&bytes[k * size], from, size);
    }
    Check(cudaMemcpy(to, bytes.data(), bytes.size(), cudaMemcpyHostToDevice));
  }

  // Device memory as bytes, and a number of it.
  std::vector<char> Fetch(const char* from, int64_t count) const {
    std::vector<char> bytes(count * size);
    Check(cudaMemcpy(bytes.data(), from, bytes.size(), cudaMemcpyDeviceToHost));
    return bytes;
  }
  double Number(const std::vector<char>& bytes, int64_t k) const {
    double number;
    float narrow;
    __half half;
    if (size == 8) return std::memcpy(&number, &bytes[k * 8], 8), number;
    if (size == 4) return std::memcpy(&narrow, &bytes[k * 4], 4), narrow;
    return std::memcpy(&half, &bytes[k * 2], 2), __half2float(half);
  }

  bool Right() const {
    const int64_t count = g.elements();
    Fill(x, count, 2);
    Fill(dy, count, 3);
    Fill(bias, depth, 4);
    for (char* output : {y, dx}) Check(cudaMemset(output, 0x5a, count * size));
    Check(cudaMemset(dbias, 0x5a, depth * size));
    Forward();
    Backward();
    const std::vector<char> xs = Fetch(x, count), ys = Fetch(y, count), dys = Fetch(dy, count);
    const std::vector<char> dxs = Fetch(dx, count), biases = Fetch(bias, depth);
    const std::vector<char> dbiases = Fetch(dbias, depth);
    const double unit = size == 8 ? 1e-14 : size == 4 ? 1e-6 : 1e-3;
    std::vector<double> sum(depth), total(depth);
    for (int64_t k = 0; k < count; ++k) {
      const int64_t s = tfae::SmallIndex(k, g);
      const int64_t channel = g.nchw ? s / (g.height * g.width) % depth : s % depth;
      const double value = Number(ys, k), slope = Number(dxs, s);
      const double want = std::tanh(Number(xs, s) + Number(biases, channel));
      if (!(std::abs(value - want) <= unit)) return false;
      if (!(std::abs(slope - Number(dys, k) * (1 - value * value)) <= 2 * unit)) return false;
      sum[channel] += slope;
      total[channel] += std::abs(slope);
    }
    for (int64_t k = 0; k < depth; ++k) {
      const double most = unit * std::abs(sum[k]) + 1e-13 * total[k] + (size == 2 ? 1e-7 : 0);
      if (!(std::abs(Number(dbiases, k) - sum[k]) <= most)) return false;
    }
    Backward();
    return Fetch(dbias, depth) == dbiases && Fetch(dx, count) == dxs;
  }
};

// Prints the fractions of the copy's bandwidth; exits if a result is wrong.
void RunFused(const Geometry& g, int64_t size, char* from, char* to, float copy) {
  const Fused fused(g, size, from, to);
  const bool right = fused.Right();
  const float forward = Time([&] { fused.Forward(); });
  const float backward = Time([&] { fused.Backward(); });
  std::printf("  fused %9.1f us %6.2f, gradient %9.1f us %6.2f  %s", forward * 1e3, copy / forward,
              backward * 1e3, 1.5f * copy / backward, right ? "right" : "WRONG");
  if (!right) std::exit(1);
}

void Run(const Case& c) {
  Geometry g;
  g.batch = c.batch;
  g.height = c.height;
  g.width = c.width;
  g.channels = c.channels;
  g.rh = g.rw = c.block;
  g.crd = c.crd;
  g.nchw = c.nchw;
  const int64_t bytes = g.elements() * c.size;
  char *from, *to;
  Check(cudaMalloc(&from, bytes));
  Check(cudaMalloc(&to, bytes));
  const bool right = Right(g, c.size, from, to);
  const float copy =
      Time([&] { Check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice)); });
  const float shuffle = Time([&] { Launch(from, to, c.size, g, true); });
  const float unshuffle = Time([&] { Launch(to, from, c.size, g, false); });
  std::printf("%4dx%4dx%4dx%3d r%d %s %s %d B %8.1f MB %9.1f us %8.1f GB/s %6.2f %6.2f  %s",
              static_cast<int>(c.batch), static_cast<int>(c.height), static_cast<int>(c.width),
              static_cast<int>(c.channels), static_cast<int>(c.block), c.crd ? "CRD" : "DCR",
              c.nchw ? "NCHW" : "NHWC", static_cast<int>(c.size), bytes / 1e6, shuffle * 1e3,
              2 * bytes / shuffle / 1e6, copy / shuffle, copy / unshuffle,
              right ? "right" : "WRONG");
  if (!right) std::exit(1);
  if (c.size > 1) RunFused(g, c.size, from, to, copy);
  std::printf("\n");
  Check(cudaFree(from));
  Check(cudaFree(to));
}

}  // namespace

int main() {
  cudaDeviceProp device;
  Check(cudaGetDeviceProperties(&device, 0));
  std::printf("%s; shares of a copy's speed: shuffle, unshuffle, fused, its gradient\n",
              device.name);
  for (const Case& c : kCases) Run(c);
  return 0;
}
