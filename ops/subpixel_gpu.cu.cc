// CUDA kernels of the sub-pixel shuffle. The move is bound by memory: the floor is (bytes in +
// bytes out) / bandwidth, so all that counts is that both sides are touched in whole transactions.
//
//   direct   DCR, NHWC with runs of at least a sector (32 bytes): one thread moves one unit of up
//            to 16 bytes, and neighboring threads neighboring units, on both sides.
//   tiled    everything else: a block reads a tile in the order of its input, keeps it in shared
//            memory and writes it in the order of its output.

#include "subpixel_gpu.h"

#include "subpixel_cuda.h"

namespace tfae {
namespace {

struct alignas(16) Unit16 {
  uint64_t low, high;
};

// Large [rows of rh][W][run] <-> small [rows][W][rh][run], in units.
template <typename I>
struct Direct {
  I count;
  Divisor<I> run, width, rh;
};

template <typename U, typename I, bool kShuffle>
__global__ void DirectKernel(const U* from, U* to, Direct<I> d) {
  const I step = static_cast<I>(gridDim.x) * blockDim.x;
  for (I k = static_cast<I>(blockIdx.x) * blockDim.x + threadIdx.x; k < d.count; k += step) {
    I unit = k;
    I place = d.run.Split(&unit);  // place is now the number of the run, unit its place inside
    I inner = place;
    if (kShuffle) {  // the output is large: its runs are numbered (row, i, w)
      const I y = d.width.Split(&inner);
      I i = y;
      const I row = d.rh.Split(&i);
      to[k] = from[((row * d.width.value + inner) * d.rh.value + i) * d.run.value + unit];
    } else {  // the output is small: its runs are numbered (row, w, i)
      const I pixel = d.rh.Split(&inner);
      I w = pixel;
      const I row = d.width.Split(&w);
      to[k] = from[((row * d.rh.value + inner) * d.width.value + w) * d.run.value + unit];
    }
  }
}

// A tile: `rows` small rows of `pixels` pixels, in NCHW of one large channel. Rows are cut into
// chunks only where a tile is a single row.
struct Tiling {
  int64_t tiles, chunks, groups;
  int64_t chunk, rows;
  // Divisors inside a tile; those by a row's length once for full and once for cut-off chunks.
  Divisor<uint32_t> large_row[2], small_row[2], channels, rw, rh, run;
};

// Where in a tile's small order the element lies that has number k in its large order; its large
// row is left in *y and its place there in *x.
__device__ inline uint32_t SmallPlace(uint32_t k, const Tiling& t, const Geometry& g, int cut,
                                      uint32_t pixels, uint32_t rows, uint32_t* y, uint32_t* x) {
  uint32_t inner = k;
  *y = t.large_row[cut].Split(&inner);
  *x = inner;
  uint32_t i = *y;
  const uint32_t h = t.rh.Split(&i);
  const uint32_t w = t.run.Split(&inner);
  const uint32_t rw = static_cast<uint32_t>(g.rw);
  if (g.nchw) return ((i * rw + inner) * rows + h) * pixels + w;
  const uint32_t channels = static_cast<uint32_t>(g.channels);
  const uint32_t j = t.channels.Split(&inner);
  const uint32_t rh = static_cast<uint32_t>(g.rh);
  const uint32_t channel = g.crd ? (inner * rh + i) * rw + j : (i * rw + j) * channels + inner;
  return (h * pixels + w) * channels * rh * rw + channel;
}

template <typename U, bool kShuffle>
__global__ void TiledKernel(const U* from, U* to, Tiling t, Geometry g) {
  TFAE_SHARED(buffer);
  U* tile = reinterpret_cast<U*>(buffer);
  for (int64_t index = blockIdx.x; index < t.tiles; index += gridDim.x) {
    const int64_t w0 = index % t.chunks * t.chunk;
    const int64_t h0 = index / t.chunks % t.groups * t.rows;
    const int64_t image = index / t.chunks / t.groups;
    const uint32_t pixels = static_cast<uint32_t>(g.width - w0 < t.chunk ? g.width - w0 : t.chunk);
    const uint32_t rows = static_cast<uint32_t>(g.height - h0 < t.rows ? g.height - h0 : t.rows);
    const int cut = pixels < t.chunk ? 1 : 0;
    const int64_t depth = g.nchw ? 1 : g.channels;
    const int64_t row = g.width * g.rw * depth;
    const int64_t large = (image * g.height + h0) * g.rh * row + w0 * g.rw * depth;
    const int64_t plane = (g.crd ? 1 : g.channels) * g.height * g.width;
    const int64_t channel = g.nchw ? image % g.channels : 0;
    const int64_t first =
        g.nchw ? image / g.channels * g.channels * g.block() + SmallChannel(channel, 0, 0, g)
               : image;
    const int64_t small =
        ((first * g.height + h0) * g.width + w0) * (g.nchw ? 1 : depth * g.block());
    const uint32_t count = rows * pixels * static_cast<uint32_t>(depth * g.block());
    for (int half = 0; half < 2; ++half) {
      // First what is read, then what is written; the shared tile is in the order of the small
      // side.
      const bool on_large = (half == 0) != kShuffle;
      for (uint32_t k = threadIdx.x; k < count; k += blockDim.x) {
        int64_t at = small + k;
        uint32_t place = k;
        if (on_large) {
          uint32_t y, x;
          place = SmallPlace(k, t, g, cut, pixels, rows, &y, &x);
          at = large + y * row + x;
        } else if (g.nchw) {
          // Rows of a plane follow each other, and so do those of a tile that has several.
          uint32_t inner = k;
          const uint32_t h = t.small_row[cut].Split(&inner);
          at = small + h / rows * plane + h % rows * g.width + inner;
        }
        if (half == 0) {
          tile[place] = from[at];
        } else {
          to[at] = tile[place];
        }
      }
      __syncthreads();
    }
  }
}

// For pixels larger than a block's shared memory: one element a thread, wherever it comes from.
template <typename U, bool kShuffle>
__global__ void PlainKernel(const U* from, U* to, Geometry g) {
  const int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.x;
  int64_t k = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  for (; k < g.elements(); k += step) {
    if (kShuffle) {
      to[k] = from[SmallIndex(k, g)];
    } else {
      to[SmallIndex(k, g)] = from[k];
    }
  }
}

template <typename U, bool kShuffle>
const char* LaunchDirect(void* stream, const void* from, void* to, const Geometry& g, int64_t run) {
  const int64_t count = g.batch * g.height * g.width * g.rh * run;
  const U* a = static_cast<const U*>(from);
  U* b = static_cast<U*>(to);
  const int blocks = Blocks((count + kThreads - 1) / kThreads);
  if (count < TFAE_NARROW_COUNT) {
    using I = uint32_t;
    const Direct<I> d{static_cast<I>(count), Divisor<I>(run), Divisor<I>(g.width),
                      Divisor<I>(g.rh)};
    TFAE_LAUNCH((DirectKernel<U, I, kShuffle>), blocks, kThreads, 0, stream, a, b, d);
  } else {
    using I = uint64_t;
    const Direct<I> d{static_cast<I>(count), Divisor<I>(run), Divisor<I>(g.width),
                      Divisor<I>(g.rh)};
    TFAE_LAUNCH((DirectKernel<U, I, kShuffle>), blocks, kThreads, 0, stream, a, b, d);
  }
  return Launched();
}

template <typename U, bool kShuffle>
const char* LaunchTiled(void* stream, const void* from, void* to, const Geometry& g) {
  const int64_t pixel = sizeof(U) * g.block() * (g.nchw ? 1 : g.channels);
  if (pixel > (48 << 10)) {
    TFAE_LAUNCH((PlainKernel<U, kShuffle>), Blocks((g.elements() + kThreads - 1) / kThreads),
                kThreads, 0, stream, static_cast<const U*>(from), static_cast<U*>(to), g);
    return Launched();
  }
  Tiling t;
  const int64_t most = kTileBytes / pixel < 1 ? 1 : kTileBytes / pixel;
  t.chunk = most < g.width ? most : g.width;
  t.chunks = (g.width + t.chunk - 1) / t.chunk;
  t.rows = t.chunks > 1 ? 1 : most / g.width < g.height ? most / g.width : g.height;
  t.groups = (g.height + t.rows - 1) / t.rows;
  t.tiles = g.batch * (g.nchw ? g.channels : 1) * t.groups * t.chunks;
  const int64_t run = g.rw * (g.nchw ? 1 : g.channels);
  const int64_t last = g.width - (t.chunks - 1) * t.chunk;
  for (int cut = 0; cut < 2; ++cut) {
    t.large_row[cut] = Divisor<uint32_t>((cut ? last : t.chunk) * run);
    t.small_row[cut] = Divisor<uint32_t>(cut ? last : t.chunk);
  }
  t.channels = Divisor<uint32_t>(g.channels);
  t.rw = Divisor<uint32_t>(g.rw);
  t.rh = Divisor<uint32_t>(g.rh);
  t.run = Divisor<uint32_t>(run);
  const int64_t shared = t.rows * t.chunk * pixel;
  TFAE_LAUNCH((TiledKernel<U, kShuffle>), Blocks(t.tiles), kThreads, shared, stream,
              static_cast<const U*>(from), static_cast<U*>(to), t, g);
  return Launched();
}

bool Fits(const void* from, const void* to, int64_t run, int64_t unit) {
  const auto addresses = reinterpret_cast<uintptr_t>(from) | reinterpret_cast<uintptr_t>(to);
  return run % unit == 0 && addresses % unit == 0;
}

template <bool kShuffle>
const char* Launch(void* stream, const void* from, void* to, int64_t size, Geometry g) {
  if (!g.nchw && (!g.crd || g.channels == 1)) {
    const int64_t run = g.rw * g.channels * size;
    const bool direct = run >= 32 || g.rh * run > (16 << 10);
    if (direct && Fits(from, to, run, 16)) {
      return LaunchDirect<Unit16, kShuffle>(stream, from, to, g, run / 16);
    }
    if (direct && Fits(from, to, run, 8)) {
      return LaunchDirect<uint64_t, kShuffle>(stream, from, to, g, run / 8);
    }
    if (direct && Fits(from, to, run, 4)) {
      return LaunchDirect<uint32_t, kShuffle>(stream, from, to, g, run / 4);
    }
    if (direct && Fits(from, to, run, 2)) {
      return LaunchDirect<uint16_t, kShuffle>(stream, from, to, g, run / 2);
    }
    if (direct) return LaunchDirect<uint8_t, kShuffle>(stream, from, to, g, run);
  }
  switch (size) {
    case 1:
      return LaunchTiled<uint8_t, kShuffle>(stream, from, to, g);
    case 2:
      return LaunchTiled<uint16_t, kShuffle>(stream, from, to, g);
    case 4:
      return LaunchTiled<uint32_t, kShuffle>(stream, from, to, g);
    default:
      return LaunchTiled<uint64_t, kShuffle>(stream, from, to, g);
  }
}

}  // namespace

const char* LaunchSubpixel(void* stream, const void* from, void* to, int64_t size,
                           const Geometry& g, bool shuffle) {
  return shuffle ? Launch<true>(stream, from, to, size, g)
                 : Launch<false>(stream, from, to, size, g);
}

}  // namespace tfae
