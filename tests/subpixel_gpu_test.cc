// The CUDA kernels' own source on the CPU, against the index map.
//
//   subpixel_gpu_test COUNT SEED

#include "subpixel_gpu.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <vector>

namespace tfae {
namespace {

using Random = std::mt19937_64;
constexpr int64_t kGuard = 64;

int64_t Pick(Random& random, int64_t low, int64_t high) {
  return low + static_cast<int64_t>(random() % static_cast<uint64_t>(high - low + 1));
}

Geometry RandomGeometry(Random& random) {
  Geometry g;
  g.rh = Pick(random, 1, 4);
  g.rw = Pick(random, 0, 1) ? g.rh : Pick(random, 1, 4);
  g.batch = Pick(random, 1, 3);
  g.height = Pick(random, 1, 7);
  g.width = Pick(random, 0, 5) == 0 ? Pick(random, 100, 700) : Pick(random, 1, 20);
  g.channels = Pick(random, 0, 5) == 0 ? Pick(random, 16, 64) : Pick(random, 1, 9);
  g.crd = Pick(random, 0, 1);
  g.nchw = Pick(random, 0, 1);
  while (g.elements() > 12000) {
    if (g.width > 20) {
      g.width /= 2;
    } else if (g.height > 1) {
      g.height = 1;
    } else {
      g.channels = (g.channels + 1) / 2;
      g.batch = 1;
    }
  }
  return g;
}

void Fail(const char* what, const Geometry& g, int64_t size) {
  std::printf("%s: n %d h %d w %d c %d block %dx%d crd %d nchw %d, %d bytes\n", what,
              static_cast<int>(g.batch), static_cast<int>(g.height), static_cast<int>(g.width),
              static_cast<int>(g.channels), static_cast<int>(g.rh), static_cast<int>(g.rw), g.crd,
              g.nchw, static_cast<int>(size));
  std::exit(1);
}

// `from` through the kernels, into a poisoned output between guards that must stay as they are.
std::vector<char> Move(const std::vector<char>& from, int64_t size, const Geometry& g, bool shuffle,
                       int64_t shift) {
  const int64_t bytes = static_cast<int64_t>(from.size());
  std::vector<char> in(bytes + shift), out(bytes + shift + 2 * kGuard, 0x5a);
  std::memcpy(in.data() + shift, from.data(), bytes);
  char* to = out.data() + kGuard + shift;
  const char* error = LaunchSubpixel(nullptr, in.data() + shift, to, size, g, shuffle);
  if (error != nullptr) Fail(error, g, size);
  for (int64_t k = 0; k < kGuard; ++k) {
    if (to[-1 - k] != 0x5a || to[bytes + k] != 0x5a) Fail("a write outside the output", g, size);
  }
  return std::vector<char>(to, to + bytes);
}

void Test(const Geometry& g, int64_t size, Random& random) {
  std::vector<char> small(g.elements() * size);
  for (char& byte : small) byte = static_cast<char>(random());
  const int64_t shift = Pick(random, 0, 3) * size;
  const std::vector<char> large = Move(small, size, g, true, shift);
  for (int64_t k = 0; k < g.elements(); ++k) {
    if (std::memcmp(&large[k * size], &small[SmallIndex(k, g) * size], size) != 0) {
      Fail("shuffle is wrong", g, size);
    }
  }
  if (Move(large, size, g, false, shift) != small) Fail("unshuffle is wrong", g, size);
}

int Run(int64_t count, uint64_t seed) {
  Random random(seed);
  for (int64_t k = 0; k < count; ++k) {
    Test(RandomGeometry(random), int64_t{1} << Pick(random, 0, 3), random);
  }
  // A pixel that no block's shared memory holds.
  Geometry g;
  g.batch = g.height = 1;
  g.width = 2;
  g.channels = 1600;
  g.rh = g.rw = 2;
  g.crd = true;
  Test(g, 8, random);
  std::printf("%d shapes: right\n", static_cast<int>(count));
  return 0;
}

}  // namespace
}  // namespace tfae

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  return tfae::Run(std::atoll(argv[1]), std::strtoull(argv[2], nullptr, 10));
}
