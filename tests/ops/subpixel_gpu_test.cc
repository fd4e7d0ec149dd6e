// The CUDA kernels' own source on the CPU, against the index map.
//
//   subpixel_gpu_test COUNT SEED

#include "subpixel_gpu.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <vector>

#include "cuda_emulation.h"

namespace tfae {
namespace {

using Random = std::mt19937_64;
constexpr int64_t kGuard = 64;

int64_t Pick(Random& random, int64_t low, int64_t high) {
  return low + static_cast<int64_t>(random() % static_cast<uint64_t>(high - low + 1));
}

Geometry RandomGeometry(Random& random) {
  Geometry g;
  const int64_t block = Pick(random, 0, 9) == 0 ? 9 : 4;
  g.rh = Pick(random, 1, block);
  g.rw = Pick(random, 0, 1) ? g.rh : Pick(random, 1, block);
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

// What a kernel reads: it ends where its allocation does, for the address sanitizer.
class Input {
 public:
  Input(const void* from, int64_t bytes, int64_t shift) : all_(new char[bytes + shift]) {
    at_ = all_.get() + shift;
    if (bytes > 0) std::memcpy(at_, from, bytes);
  }
  const char* data() const { return at_; }

 private:
  std::unique_ptr<char[]> all_;
  char* at_;
};

// What a kernel writes: poisoned, between guards that must stay as they are.
class Output {
 public:
  Output(int64_t bytes, int64_t shift)
      : all_(bytes + shift + 2 * kGuard, 0x5a), begin_(kGuard + shift), bytes_(bytes) {}
  char* data() { return all_.data() + begin_; }
  void Check(const Geometry& g, int64_t size) {
    for (int64_t k = 0; k < kGuard; ++k) {
      if (data()[-1 - k] == 0x5a && data()[bytes_ + k] == 0x5a) continue;
      Fail("a write outside the output", g, size);
    }
  }

 private:
  std::vector<char> all_;
  int64_t begin_, bytes_;
};

// `from` through the kernels.
std::vector<char> Move(const std::vector<char>& from, int64_t size, const Geometry& g, bool shuffle,
                       int64_t shift) {
  const int64_t bytes = static_cast<int64_t>(from.size());
  const Input in(from.data(), bytes, shift);
  Output out(bytes, shift);
  const char* error = LaunchSubpixel(nullptr, in.data(), out.data(), size, g, shuffle);
  if (error != nullptr) Fail(error, g, size);
  out.Check(g, size);
  return std::vector<char>(out.data(), out.data() + bytes);
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

double Value(Activation activation, double x) {
  const double scale = 1.0507009873554805, alpha = 1.6732632423543772;
  switch (activation) {
    case Activation::kIdentity:
      return x;
    case Activation::kRelu:
      return std::fmax(x, 0);
    case Activation::kLeakyRelu:
      return x > 0 ? x : 0.20000000298023224 * x;
    case Activation::kElu:
      return x > 0 ? x : std::expm1(x);
    case Activation::kSelu:
      return scale * (x > 0 ? x : alpha * std::expm1(x));
    case Activation::kSigmoid:
      return 1 / (1 + std::exp(-x));
    default:
      return std::tanh(x);
  }
}

// The derivative where the activation is y.
double Slope(Activation activation, double y) {
  const double scale = 1.0507009873554805, alpha = 1.6732632423543772;
  switch (activation) {
    case Activation::kIdentity:
      return 1;
    case Activation::kRelu:
      return y > 0 ? 1 : 0;
    case Activation::kLeakyRelu:
      return y > 0 ? 1 : 0.20000000298023224;
    case Activation::kElu:
      return y < 0 ? 1 + y : 1;
    case Activation::kSelu:
      return y < 0 ? y + scale * alpha : scale;
    case Activation::kSigmoid:
      return y * (1 - y);
    default:
      return 1 - y * y;
  }
}

double Read(__half x) { return __half2float(x); }
double Read(__nv_bfloat16 x) { return __bfloat162float(x); }
double Read(double x) { return x; }
void Write(double x, __half* to) { *to = __float2half_rn(static_cast<float>(x)); }
void Write(double x, __nv_bfloat16* to) { *to = __float2bfloat16_rn(static_cast<float>(x)); }
void Write(double x, float* to) { *to = static_cast<float>(x); }
void Write(double x, double* to) { *to = x; }

template <typename T>
std::vector<T> RandomNumbers(int64_t count, Random& random) {
  std::vector<T> numbers(count);
  for (T& x : numbers) Write(Pick(random, 0, 60) == 0 ? 40 : Pick(random, -300, 300) / 100.0, &x);
  return numbers;
}

template <typename T>
std::vector<T> Numbers(Output& output, int64_t count) {
  std::vector<T> numbers(count);
  if (count > 0) std::memcpy(numbers.data(), output.data(), count * sizeof(T));
  return numbers;
}

// Both passes against 64-bit formulas. `unit` is half the distance between neighbors of 1 in T,
// `error` what the computation may lose before it rounds to T.
template <typename T>
void TestFused(FloatType type, double unit, double error, Activation activation, const Geometry& g,
               Random& random) {
  constexpr int64_t kSize = sizeof(T);
  const int64_t depth = g.channels * g.block();
  const int64_t count = g.elements();
  const auto shift = [&] { return Pick(random, 0, 2) == 0 ? Pick(random, 0, 7) * kSize : 0; };
  const auto wrong = [&](double got, double want, double scale) {
    return !(std::abs(got - want) <=
             unit * std::fmax(1e-4, std::abs(want)) + error * std::fmax(1, std::abs(scale)));
  };
  const std::vector<T> x = RandomNumbers<T>(count, random), bias = RandomNumbers<T>(depth, random);
  const std::vector<T> dy = RandomNumbers<T>(count, random);
  Output out(count * kSize, shift());
  const Input from(x.data(), count * kSize, shift()), biases(bias.data(), depth * kSize, shift());
  const char* failed =
      LaunchFused(nullptr, type, activation, from.data(), biases.data(), out.data(), g);
  if (failed != nullptr) Fail(failed, g, kSize);
  out.Check(g, kSize);
  const std::vector<T> y = Numbers<T>(out, count);

  const Input value(y.data(), count * kSize, shift()), gradient(dy.data(), count * kSize, shift());
  Output dx_out(count * kSize, shift()), dbias_out(depth * kSize, shift());
  Output sums(FusedGradientSums(type, g) * sizeof(double), 0);
  failed =
      LaunchFusedGradient(nullptr, type, activation, value.data(), gradient.data(), dx_out.data(),
                          dbias_out.data(), reinterpret_cast<double*>(sums.data()), g);
  if (failed != nullptr) Fail(failed, g, kSize);
  for (Output* written : {&dx_out, &dbias_out, &sums}) written->Check(g, kSize);
  const std::vector<T> dx = Numbers<T>(dx_out, count), dbias = Numbers<T>(dbias_out, depth);

  std::vector<double> sum(depth), size(depth);
  for (int64_t k = 0; k < count; ++k) {
    const int64_t s = SmallIndex(k, g);
    const int64_t channel = g.nchw ? s / (g.height * g.width) % depth : s % depth;
    const double want = Value(activation, Read(x[s]) + Read(bias[channel]));
    if (wrong(Read(y[k]), want, want)) Fail("the fused value is wrong", g, kSize);
    if (wrong(Read(dx[s]), Read(dy[k]) * Slope(activation, Read(y[k])), Read(dy[k]))) {
      Fail("the fused gradient is wrong", g, kSize);
    }
    sum[channel] += Read(dx[s]);
    size[channel] += std::abs(Read(dx[s]));
  }
  for (int64_t k = 0; k < depth; ++k) {  // the sum of what was written loses nothing but a rounding
    const double most = 1.001 * unit * std::fmax(std::abs(sum[k]), 1e-4) + 1e-14 * size[k];
    if (!(std::abs(Read(dbias[k]) - sum[k]) <= most)) {
      Fail("the fused bias gradient is wrong", g, kSize);
    }
  }
}

void TestFused(int64_t k, const Geometry& g, Random& random) {
  const Activation activation = static_cast<Activation>(k / 4 % 7);
  switch (k % 4) {
    case 0:
      return TestFused<__half>(FloatType::kHalf, 0x1p-11, 1e-6, activation, g, random);
    case 1:
      return TestFused<__nv_bfloat16>(FloatType::kBfloat16, 0x1p-8, 1e-6, activation, g, random);
    case 2:
      return TestFused<float>(FloatType::kFloat, 0x1p-24, 1e-6, activation, g, random);
    default:
      return TestFused<double>(FloatType::kDouble, 0x1p-53, 1e-15, activation, g, random);
  }
}

int Run(int64_t count, uint64_t seed) {
  Random random(seed);
  for (int64_t k = 0; k < count; ++k) {
    Test(RandomGeometry(random), int64_t{1} << Pick(random, 0, 3), random);
    if (k % 3 == 0) TestFused(k / 3, RandomGeometry(random), random);
  }
  // A pixel that no block's shared memory holds.
  Geometry g;
  g.batch = g.height = 1;
  g.width = 2;
  g.channels = 1600;
  g.rh = g.rw = 2;
  g.crd = true;
  Test(g, 8, random);
  TestFused(7, g, random);
  g.crd = false;
  TestFused(8, g, random);
  g.batch = 0;  // dbias is then zero
  TestFused(2, g, random);
  std::printf("%d shapes: right\n", static_cast<int>(count));
  return 0;
}

}  // namespace
}  // namespace tfae

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  return tfae::Run(std::atoll(argv[1]), std::strtoull(argv[2], nullptr, 10));
}
