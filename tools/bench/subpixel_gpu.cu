// Checks and times the CUDA kernels of the sub-pixel shuffle on the GPU of this machine.
//
//   nvcc -std=c++17 -O3 -Iops -x cu tools/bench/subpixel_gpu.cu ops/subpixel_gpu.cu.cc -o bench
//   ./bench
//
// Each case is checked against the index map on random data with a poisoned output, then timed: the
// figure is the share of the bandwidth that a copy of the same bytes reached in the same run.

#include <cuda_runtime.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
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

constexpr Case kCases[] = {
    {16, 96, 80, 3, 2, false, false, 4},     {16, 96, 80, 64, 2, false, false, 4},
    {64, 14, 14, 32, 2, false, false, 4},    {1, 1080, 1920, 3, 2, false, false, 4},
    {1, 540, 960, 3, 4, false, false, 4},    {8, 256, 256, 64, 2, false, false, 4},
    {8, 256, 256, 64, 2, false, false, 2},   {1, 1080, 1920, 3, 2, false, false, 1},
    {16, 96, 80, 3, 2, true, true, 4},       {8, 256, 256, 64, 2, true, true, 4},
    {1, 540, 960, 3, 4, true, true, 4},      {8, 256, 256, 64, 2, true, true, 2},
    {8, 256, 256, 64, 2, true, false, 4},    {1, 1080, 1920, 3, 2, true, false, 4},
    {8, 256, 256, 64, 2, false, true, 4},    {64, 14, 14, 32, 2, true, true, 4},
    {4, 1024, 1024, 64, 2, false, false, 8},
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

void Launch(const void* from, void* to, int64_t size, const Geometry& g, bool shuffle) {
  if (const char* error = tfae::LaunchSubpixel(nullptr, from, to, size, g, shuffle)) {
    std::printf("launch: %s\n", error);
    std::exit(1);
  }
}

// Whether both directions give what the index map says.
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
  std::printf("%4dx%4dx%4dx%3d r%d %s %s %d B %8.1f MB %9.1f us %8.1f GB/s %6.2f %6.2f  %s\n",
              static_cast<int>(c.batch), static_cast<int>(c.height), static_cast<int>(c.width),
              static_cast<int>(c.channels), static_cast<int>(c.block), c.crd ? "CRD" : "DCR",
              c.nchw ? "NCHW" : "NHWC", static_cast<int>(c.size), bytes / 1e6, shuffle * 1e3,
              2 * bytes / shuffle / 1e6, copy / shuffle, copy / unshuffle,
              right ? "right" : "WRONG");
  Check(cudaFree(from));
  Check(cudaFree(to));
  if (!right) std::exit(1);
}

}  // namespace

int main() {
  cudaDeviceProp device;
  Check(cudaGetDeviceProperties(&device, 0));
  std::printf("%s; the last two figures: share of a copy's speed, shuffle and unshuffle\n",
              device.name);
  for (const Case& c : kCases) Run(c);
  return 0;
}
