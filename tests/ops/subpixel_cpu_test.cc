// The CPU side of the op on random shapes, without TensorFlow: made to run under the sanitizers.
//
//   subpixel_cpu_test moves COUNT SEED     every move against the index map, buffers to the byte
//   subpixel_cpu_test threads COUNT SEED   the same, bands spread over threads

#include "subpixel_cpu.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "subpixel_fused.h"

namespace tfae {
namespace {

using Random = std::mt19937_64;

int64_t Pick(Random& random, int64_t low, int64_t high) {
  return low + static_cast<int64_t>(random() % static_cast<uint64_t>(high - low + 1));
}

// A buffer of exactly `bytes` that begins at any address: its end is the end of the allocation.
class Buffer {
 public:
  Buffer(int64_t bytes, int64_t shift) : all_(new char[bytes + shift]), begin_(all_.get() + shift) {
    std::memset(all_.get(), 0x5a, bytes + shift);  // what no move may leave behind
  }
  char* data() { return begin_; }

 private:
  std::unique_ptr<char[]> all_;
  char* begin_;
};

Geometry RandomGeometry(Random& random) {
  Geometry g;
  const bool large_block = Pick(random, 0, 9) == 0;
  g.rh = Pick(random, 1, large_block ? 17 : 5);
  g.rw = Pick(random, 0, 1) ? g.rh : Pick(random, 1, large_block ? 17 : 5);
  g.batch = Pick(random, 0, 9) == 0 ? 0 : Pick(random, 1, 3);
  g.height = Pick(random, 1, 9);
  g.width = Pick(random, 0, 9) == 0 ? Pick(random, 100, 3000) : Pick(random, 1, 40);
  g.channels = Pick(random, 0, 9) == 0 ? Pick(random, 30, 300) : Pick(random, 1, 12);
  while (g.elements() > 200000) {
    if (g.width > 40) {
      g.width /= 2;
    } else {
      g.channels = (g.channels + 1) / 2;
      g.height = 1;
    }
  }
  g.crd = Pick(random, 0, 1);
  g.nchw = Pick(random, 0, 1);
  return g;
}

void Fail(const char* what, const Geometry& g, int64_t at) {
  std::printf("%s is wrong at %lld: n %lld h %lld w %lld c %lld block %lldx%lld crd %d nchw %d\n",
              what, static_cast<long long>(at), static_cast<long long>(g.batch),
              static_cast<long long>(g.height), static_cast<long long>(g.width),
              static_cast<long long>(g.channels), static_cast<long long>(g.rh),
              static_cast<long long>(g.rw), g.crd, g.nchw);
  std::exit(1);
}

// Calls work(begin, end) over [0, count) in `threads` threads, or at once for one.
template <typename Work>
void Spread(int threads, int64_t count, const Work& work) {
  if (threads == 1) return work(0, count);
  std::vector<std::thread> all;
  for (int t = 0; t < threads; ++t) {
    all.emplace_back([&, t] { work(count * t / threads, count * (t + 1) / threads); });
  }
  for (std::thread& thread : all) thread.join();
}

void TestMoves(const Geometry& g, int64_t size, bool stream, int threads, Random& random) {
  const int64_t bytes = g.elements() * size;
  // Where nothing is promised about addresses, nothing may be assumed.
  const int64_t shift = stream ? 0 : Pick(random, 0, 3) * Pick(random, 1, 16);
  Buffer small(bytes, shift), large(bytes, shift), back(bytes, shift);
  for (int64_t k = 0; k < bytes; ++k) small.data()[k] = static_cast<char>(random());
  const Bands bands(g, size, Pick(random, 0, 1) ? g.height : 1);
  Spread(threads, bands.count, [&](int64_t begin, int64_t end) {
    MoveBands<true>(small.data(), large.data(), size, g, bands, begin, end);
  });
  for (int64_t k = 0; k < g.elements(); ++k) {
    if (std::memcmp(large.data() + k * size, small.data() + SmallIndex(k, g) * size, size) != 0) {
      Fail("shuffle", g, k);
    }
  }
  if (SameOrder(g) && std::memcmp(small.data(), large.data(), bytes) != 0) {
    Fail("the order", g, 0);
  }
  Spread(threads, bands.count, [&](int64_t begin, int64_t end) {
    MoveBands<false>(back.data(), large.data(), size, g, bands, begin, end);
  });
  if (std::memcmp(small.data(), back.data(), bytes) != 0) Fail("unshuffle", g, 0);
}

template <Activation kActivation, typename T>
void TestFused(const Geometry& g, int threads, Random& random) {
  const int64_t depth = g.channels * g.block();
  std::vector<T> x(g.elements()), y(x), dy(x), dx(x), bias(depth);
  for (T& v : x) v = static_cast<T>(Pick(random, -300, 300) / 100.0);
  for (T& v : dy) v = static_cast<T>(Pick(random, -300, 300) / 100.0);
  for (T& v : bias) v = static_cast<T>(Pick(random, -300, 300) / 100.0);
  const Bands bands = FusedBandsOf(g, sizeof(T));
  Spread(threads, bands.count, [&](int64_t begin, int64_t end) {
    FusedBands<kActivation>(x.data(), bias.data(), y.data(), g, bands, begin, end);
  });
  const int64_t parts = GradientParts(bands);
  std::vector<double> sums(parts * depth), dbias(depth), want(depth);
  Spread(threads, parts, [&](int64_t begin, int64_t end) {
    for (int64_t part = begin; part < end; ++part) {
      FusedGradientBands<kActivation>(y.data(), dy.data(), dx.data(), sums.data() + part * depth, g,
                                      bands, bands.count * part / parts,
                                      bands.count * (part + 1) / parts);
    }
  });
  for (int64_t k = 0; k < parts * depth; ++k) dbias[k % depth] += sums[k];
  const int64_t plane = g.height * g.width;
  for (int64_t k = 0; k < g.elements(); ++k) {
    const int64_t s = SmallIndex(k, g);
    const int64_t channel = g.nchw ? s / plane % depth : s % depth;
    const T value = Activate<kActivation>(x[s] + bias[channel]);
    const T gradient = dy[k] * Derivative<kActivation>(y[k]);
    want[channel] += gradient;
    if (!(std::abs(y[k] - value) <= 1e-5)) Fail("the fused value", g, k);
    if (!(std::abs(dx[s] - gradient) <= 1e-5)) Fail("the fused gradient", g, k);
  }
  for (int64_t k = 0; k < depth; ++k) {
    if (!(std::abs(dbias[k] - want[k]) <= 1e-3)) Fail("the fused bias gradient", g, k);
  }
}

// Outputs large enough for the stores that pass the caches: runs of whole vectors and others, both
// orders of channels, and fused.
void TestStreaming(int threads, Random& random) {
  Geometry g;
  g.batch = 1;
  g.height = 3;
  g.rh = g.rw = 2;
  for (const int64_t channels : {32, 3, 5}) {
    g.channels = channels;
    g.width = (5 << 18) / (channels * 3) + 1;
    for (g.crd = false;; g.crd = true) {
      TestMoves(g, 4, true, threads, random);
      if (g.crd) break;
    }
  }
  g.channels = 3;
  g.width = (5 << 18) / 9 + 1;
  TestFused<Activation::kRelu, float>(g, threads, random);
}

int Run(const std::string& kind, int64_t count, uint64_t seed) {
  Random random(seed);
  const int threads = kind == "threads" ? 4 : 1;
  for (int64_t k = 0; k < count; ++k) {
    const Geometry g = RandomGeometry(random);
    TestMoves(g, int64_t{1} << Pick(random, 0, 3), false, threads, random);
    if (k % 4 != 0) continue;
    TestFused<Activation::kIdentity, float>(g, threads, random);
    TestFused<Activation::kSelu, float>(g, threads, random);
    TestFused<Activation::kTanh, double>(g, threads, random);
  }
  TestStreaming(threads, random);
  std::printf("%lld shapes, seed %llu: right\n", static_cast<long long>(count),
              static_cast<unsigned long long>(seed));
  return 0;
}

}  // namespace
}  // namespace tfae

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  return tfae::Run(argv[1], std::atoll(argv[2]), std::strtoull(argv[3], nullptr, 10));
}
