// CUDA kernels of the fused op: bias, activation and shuffle in one pass over memory, and both
// gradients in another.
//
//   columns  DCR, NHWC with runs of at least a sector (32 bytes): a thread keeps to the same
//            channels and walks over pixels; neighboring threads touch neighbors on both sides.
//   tiled    everything else: a block computes a tile in the order that it reads, keeps it in
//            shared memory and writes it in the order of the other side. On the small side a
//            thread keeps to the same channels here too.
//   plain    blocks that no tile holds.
//
// dbias is summed in parts, whose number depends on the sizes alone; a last kernel adds them up.

#include "subpixel_fused_gpu.h"

#include "subpixel_fused_columns.h"
#include "subpixel_fused_plan.h"
#include "subpixel_fused_tiles.h"
#include "subpixel_gpu.h"

namespace tfae {
namespace {

// One block a channel of the small side, one pixel a thread.
template <typename T, bool kForward, typename Pass>
__global__ void PlainChannels(Pass pass, Geometry g) {
  TFAE_SHARED(buffer);
  const int64_t depth = g.channels * g.block(), plane = g.height * g.width;
  for (int64_t k = blockIdx.x; k < depth; k += gridDim.x) {
    const int64_t c = g.crd ? k / g.block() : k % g.channels;
    const int64_t inner = g.crd ? k % g.block() : k / g.channels;
    const int64_t i = inner / g.rw, j = inner % g.rw;
    double sum[1] = {0};
    for (int64_t p = threadIdx.x; p < g.batch * plane; p += blockDim.x) {
      const int64_t n = p / plane;
      const int64_t y = p % plane / g.width * g.rh + i, x = p % g.width * g.rw + j;
      const int64_t rows = g.height * g.rh, columns = g.width * g.rw;
      const int64_t small = g.nchw ? (n * depth + k) * plane + p % plane : p * depth + k;
      const int64_t large = g.nchw ? ((n * g.channels + c) * rows + y) * columns + x
                                   : ((n * rows + y) * columns + x) * g.channels + c;
      if constexpr (kForward) {
        const GpuWide<T> bias[1] = {Widen(pass.bias[k])};
        Store(pass.y + large, Activated(pass.activation, Load<1>(pass.x + small), bias));
      } else {
        const Pack<T, 1> dx =
            Derived(pass.activation, Load<1>(pass.y + large), Load<1>(pass.dy + large));
        Store(pass.dx + small, dx);
        sum[0] += Widen(dx.item[0]);
      }
    }
    if constexpr (!kForward) {
      const Seats seats{1, static_cast<int>(blockDim.x), true};
      KeepSums(seats, true, buffer, sum, pass.sums + k);
    }
  }
}

constexpr int kSummed = 4;  // channels of a block: their parts fill a sector

template <typename T>
__global__ void SumParts(const double* sums, T* dbias, int64_t parts, int64_t depth) {
  TFAE_SHARED(buffer);
  const Seats seats{kSummed, static_cast<int>(blockDim.x) / kSummed, true};
  for (int64_t k = static_cast<int64_t>(blockIdx.x) * kSummed; k < depth;
       k += static_cast<int64_t>(gridDim.x) * kSummed) {
    const int64_t channel = k + seats.unit();
    double sum[1] = {0};
#pragma unroll 4
    for (int64_t part = seats.lane(); part < parts; part += seats.lanes) {
      if (channel < depth) sum[0] += sums[part * depth + channel];
    }
    SumOverLanes(seats, reinterpret_cast<double*>(buffer), sum);
    if (seats.lane() == 0 && channel < depth) {
      dbias[channel] = Narrow<T>(static_cast<GpuWide<T>>(sum[0]));
    }
  }
}

// Whether packs of `bytes` may begin at these addresses.
bool Aligned(int64_t bytes, const void* a, const void* b = nullptr) {
  const auto addresses = reinterpret_cast<uintptr_t>(a) | reinterpret_cast<uintptr_t>(b);
  return addresses % bytes == 0;
}

// What differs between the passes: kernels, and how the sides are called.
template <typename T>
struct Launcher {
  void* stream;
  int64_t parts;

  static bool SmallAligned(const Forward<T>& p) { return Aligned(16, p.x); }
  static bool SmallAligned(const Backward<T>& p) { return Aligned(16, p.dx); }
  static bool LargeAligned(const Forward<T>& p) { return Aligned(16, p.y); }
  static bool LargeAligned(const Backward<T>& p) { return Aligned(16, p.y, p.dy); }
  static bool Fits(const Forward<T>& p, int64_t bytes) { return Aligned(bytes, p.x, p.y); }
  static bool Fits(const Backward<T>& p, int64_t bytes) {
    return Aligned(bytes, p.y, p.dy) && Aligned(bytes, p.dx);
  }

  template <int V, typename I>
  void InColumns(const Forward<T>& pass, const Columns<I>& c) const {
    TFAE_LAUNCH((ForwardColumns<T, V, I>), Blocks(c.parts * c.groups), c.seats.threads(), 0, stream,
                pass, c);
  }
  template <int V, typename I>
  void InColumns(const Backward<T>& pass, const Columns<I>& c) const {
    const int threads = c.seats.threads();
    TFAE_LAUNCH((BackwardColumns<T, V, I>), Blocks(c.parts * c.groups), threads, SumBytes(threads),
                stream, pass, c);
  }
  template <int V, typename Pass>
  void InColumns(const Pass& pass, const Geometry& g) const {
    if (g.elements() < TFAE_NARROW_COUNT) {
      InColumns<V>(pass, Columns<uint32_t>(g, V, parts));
    } else {
      InColumns<V>(pass, Columns<uint64_t>(g, V, parts));
    }
  }

  template <int S, int L>
  void InTiles(const Forward<T>& pass, const Tiling& t) const {
    TFAE_LAUNCH((ForwardTiles<T, S, L>), Blocks(t.groups * t.tiles), t.seats.threads(), t.bytes,
                stream, pass, t);
  }
  template <int S, int L>
  void InTiles(const Backward<T>& pass, const Tiling& t) const {
    TFAE_LAUNCH((BackwardTiles<T, S, L>), Blocks(t.groups * t.parts), t.seats.threads(), t.bytes,
                stream, pass, t);
  }
  template <int S, typename Pass>
  void InTiles(const Pass& pass, const Tiling& t) const {
    constexpr int kPack = 16 / sizeof(T);
    return t.large_pack == 1 ? InTiles<S, 1>(pass, t) : InTiles<S, kPack>(pass, t);
  }

  void Plainly(const Forward<T>& pass, const Geometry& g) const {
    TFAE_LAUNCH((PlainChannels<T, true, Forward<T>>), Blocks(g.channels * g.block()), kThreads, 0,
                stream, pass, g);
  }
  void Plainly(const Backward<T>& pass, const Geometry& g) const {
    TFAE_LAUNCH((PlainChannels<T, false, Backward<T>>), Blocks(g.channels * g.block()), kThreads,
                SumBytes(kThreads), stream, pass, g);
  }

  // Returns in how many parts dbias was summed.
  template <typename Pass>
  int64_t Go(const Pass& pass, const Geometry& g) const {
    constexpr int kPack = 16 / sizeof(T);
    constexpr int kWord = sizeof(T) < 4 ? 4 / sizeof(T) : 1;
    const int64_t run = g.rw * g.channels;
    const bool in_order = !g.nchw && (!g.crd || g.channels == 1);
    Tiling t;
    const bool tiles = t.Plan(g, sizeof(T), SmallAligned(pass), LargeAligned(pass));
    if (in_order && (run * sizeof(T) >= 32 || !tiles)) {
      if (run % kPack == 0 && Fits(pass, 16)) {
        InColumns<kPack>(pass, g);
      } else if (run % kWord == 0 && Fits(pass, kWord * sizeof(T))) {
        InColumns<kWord>(pass, g);
      } else {
        InColumns<1>(pass, g);
      }
    } else if (tiles) {
      t.parts = parts;
      t.small_pack == 1 ? InTiles<1>(pass, t) : InTiles<kPack>(pass, t);
    } else {
      Plainly(pass, g);
      return 1;
    }
    return parts;
  }
};

template <typename T>
const char* LaunchForward(void* stream, Activation activation, const void* x, const void* bias,
                          void* y, const Geometry& g) {
  const Forward<T> pass{static_cast<const T*>(x), static_cast<const T*>(bias), static_cast<T*>(y),
                        activation};
  Launcher<T>{stream, 0}.Go(pass, g);
  return Launched();
}

template <typename T>
const char* LaunchBackward(void* stream, Activation activation, const void* y, const void* dy,
                           void* dx, void* dbias, double* sums, const Geometry& g) {
  const int64_t depth = g.channels * g.block();
  if (depth == 0) return nullptr;
  const Backward<T> pass{static_cast<const T*>(y), static_cast<const T*>(dy), static_cast<T*>(dx),
                         sums, activation};
  int64_t parts = FusedParts(g, sizeof(T));
  if (parts > 0) parts = Launcher<T>{stream, parts}.Go(pass, g);
  if (const char* error = Launched()) return error;
  TFAE_LAUNCH((SumParts<T>), Blocks((depth + kSummed - 1) / kSummed), kThreads, SumBytes(kThreads),
              stream, static_cast<const double*>(sums), static_cast<T*>(dbias), parts, depth);
  return Launched();
}

}  // namespace

int64_t FusedGradientSums(FloatType type, const Geometry& g) {
  const int64_t size = type == FloatType::kDouble ? 8 : type == FloatType::kFloat ? 4 : 2;
  return FusedParts(g, size) * g.channels * g.block();
}

const char* LaunchFused(void* stream, FloatType type, Activation activation, const void* x,
                        const void* bias, void* y, const Geometry& g) {
  if (g.elements() == 0) return nullptr;
  switch (type) {
    case FloatType::kHalf:
      return LaunchForward<__half>(stream, activation, x, bias, y, g);
    case FloatType::kBfloat16:
      return LaunchForward<__nv_bfloat16>(stream, activation, x, bias, y, g);
    case FloatType::kFloat:
      return LaunchForward<float>(stream, activation, x, bias, y, g);
    default:
      return LaunchForward<double>(stream, activation, x, bias, y, g);
  }
}

const char* LaunchFusedGradient(void* stream, FloatType type, Activation activation, const void* y,
                                const void* dy, void* dx, void* dbias, double* sums,
                                const Geometry& g) {
  switch (type) {
    case FloatType::kHalf:
      return LaunchBackward<__half>(stream, activation, y, dy, dx, dbias, sums, g);
    case FloatType::kBfloat16:
      return LaunchBackward<__nv_bfloat16>(stream, activation, y, dy, dx, dbias, sums, g);
    case FloatType::kFloat:
      return LaunchBackward<float>(stream, activation, y, dy, dx, dbias, sums, g);
    default:
      return LaunchBackward<double>(stream, activation, y, dy, dx, dbias, sums, g);
  }
}

}  // namespace tfae
