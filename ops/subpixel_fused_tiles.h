// CUDA kernels of the fused op where runs are short: through a tile in shared memory, which lies
// there as on the small side.

#ifndef TFAE_OPS_SUBPIXEL_FUSED_TILES_H_
#define TFAE_OPS_SUBPIXEL_FUSED_TILES_H_

#include <cstdint>

#include "subpixel_fused_gpu.h"
#include "subpixel_fused_plan.h"

namespace tfae {

// Where a tile lies, and how far it reaches where the tensor ends.
struct Tile {
  int64_t small, large;  // elements before it on either side
  uint32_t pixels, rows, channels;
  int cut;  // in width

  __device__ Tile(const Tiling& t, int64_t index, int64_t group) {
    const int64_t w = index % t.chunks * t.chunk;
    const int64_t h = index / t.chunks % t.groups_of_rows * t.rows;
    const int64_t image = index / t.chunks / t.groups_of_rows * t.image;
    pixels = static_cast<uint32_t>(t.width - w < t.chunk ? t.width - w : t.chunk);
    rows = static_cast<uint32_t>(t.height - h < t.rows ? t.height - h : t.rows);
    cut = pixels < t.chunk ? 1 : 0;
    const int64_t c = group * t.channels;
    const int64_t left = t.all_channels - c;
    channels = static_cast<uint32_t>(t.nchw ? 1 : left < t.channels ? left : t.channels);
    small = image + (h * t.width + w) * t.small_pixel;
    large = image + h * t.rh.value * t.row + w * t.rw.value * t.large_pixel;
    large += t.nchw ? group * t.height * t.rh.value * t.row : c;
  }
};

// The large side of a tile, element by element: where each lies in memory and in the tile.
struct Digits {
  const Tiling& t;
  const Tile& tile;
  uint32_t c, j, w, i, place;
  int64_t at;

  __device__ Digits(const Tiling& tiling, const Tile& place_of, uint32_t k)
      : t(tiling), tile(place_of) {
    c = k;
    const uint32_t pixel = t.channel[tile.channels < t.channels ? 1 : 0].Split(&c);
    uint32_t x = pixel;
    const uint32_t y = t.large_row[tile.cut].Split(&x);
    i = y;
    const uint32_t h = t.rh.Split(&i);
    j = x;
    w = t.rw.Split(&j);
    at = tile.large + y * t.row + x * t.large_pixel + c;
    place = c * t.place_c + j * t.place_j + w * t.place_w + i * t.place_i + h * t.place_h;
  }

  // The next element of the tile; `at` stays behind.
  __device__ void Next() {
    place += t.place_c;
    if (++c < tile.channels) return;
    c = 0;
    place += t.place_j - tile.channels * t.place_c;
    if (++j < t.rw.value) return;
    j = 0;
    place += t.place_w - t.rw.value * t.place_j;
    if (++w < tile.pixels) return;
    w = 0;
    place += t.place_i - tile.pixels * t.place_w;
    if (++i < t.rh.value) return;
    i = 0;
    place += t.place_h - t.rh.value * t.place_i;
  }
};

// What a thread has of the small side of its group's tiles.
struct Seat {
  bool busy;
  int64_t channel, offset;
  uint32_t place, first, step;

  __device__ Seat(const Tiling& t, int64_t group, int pack) {
    const int unit = t.seats.unit(), lane = t.seats.lane();
    if (t.nchw) {
      channel = group * t.first_channel + unit * t.unit_channel;
      offset = channel * t.height * t.width;
      place = unit * t.plane;
      busy = t.seats.taken();
    } else {
      channel = group * t.channels * t.block + unit * pack;
      offset = channel;
      place = unit * pack;
      busy = t.seats.taken() && channel < t.depth;
    }
    first = lane * (t.nchw ? pack : 1);
    step = t.seats.lanes * (t.nchw ? pack : 1);
  }
};

// S elements a pack on the small side, L on the large one.
template <typename T, int S, int L>
__global__ void __launch_bounds__(kThreads, kResident) ForwardTiles(Forward<T> pass, Tiling t) {
  TFAE_SHARED(buffer);
  T* shared = reinterpret_cast<T*>(buffer);
  for (int64_t item = blockIdx.x; item < t.groups * t.tiles; item += gridDim.x) {
    const int64_t group = item % t.groups;
    const Tile tile(t, item / t.groups, group);
    const Seat seat(t, group, S);
    if (seat.busy) {
      GpuWide<T> bias[S];
      LoadBias(pass.bias, seat.channel, t.seats.along, bias);
      const T* x = pass.x + tile.small + seat.offset;
#pragma unroll 4
      for (uint32_t q = seat.first; q < tile.pixels * tile.rows; q += seat.step) {
        const Pack<T, S> y = Activated(pass.activation, Load<S>(x + q * t.small_pixel), bias);
        Store(shared + seat.place + q * t.place_w, y);
      }
    }
    __syncthreads();
    const uint32_t count = tile.pixels * tile.rows * tile.channels * t.block;
#pragma unroll 2
    for (uint32_t k = threadIdx.x * L; k < count; k += blockDim.x * L) {
      Digits digits(t, tile, k);
      Pack<T, L> y;
#pragma unroll
      for (int l = 0; l < L; ++l) {
        y.item[l] = shared[digits.place];
        if (l + 1 < L) digits.Next();
      }
      Store(pass.y + digits.at, y);
    }
    __syncthreads();
  }
}

template <typename T, int S, int L>
__global__ void __launch_bounds__(kThreads, kResident) BackwardTiles(Backward<T> pass, Tiling t) {
  TFAE_SHARED(buffer);
  T* shared = reinterpret_cast<T*>(buffer);
  for (int64_t item = blockIdx.x; item < t.groups * t.parts; item += gridDim.x) {
    const int64_t group = item % t.groups;
    const int64_t part = item / t.groups;
    const Seat seat(t, group, S);
    double sum[S] = {0};
    for (int64_t n = t.tiles * part / t.parts; n < t.tiles * (part + 1) / t.parts; ++n) {
      const Tile tile(t, n, group);
      const uint32_t count = tile.pixels * tile.rows * tile.channels * t.block;
#pragma unroll 2
      for (uint32_t k = threadIdx.x * L; k < count; k += blockDim.x * L) {
        Digits digits(t, tile, k);
        const Pack<T, L> y = Load<L>(pass.y + digits.at);
        const Pack<T, L> dx = Derived(pass.activation, y, Load<L>(pass.dy + digits.at));
#pragma unroll
        for (int l = 0; l < L; ++l) {
          shared[digits.place] = dx.item[l];
          if (l + 1 < L) digits.Next();
        }
      }
      __syncthreads();
      T* to = pass.dx + tile.small + seat.offset;
      const uint32_t end = seat.busy ? tile.pixels * tile.rows : 0;
#pragma unroll 4
      for (uint32_t q = seat.first; q < end; q += seat.step) {
        const Pack<T, S> dx = Load<S>(shared + seat.place + q * t.place_w);
        Store(to + q * t.small_pixel, dx);
#pragma unroll
        for (int l = 0; l < S; ++l) sum[l] += Widen(dx.item[l]);
      }
      __syncthreads();
    }
    KeepSums(t.seats, seat.busy, buffer, sum, pass.sums + part * t.depth + seat.channel);
  }
}

}  // namespace tfae

#endif  // TFAE_OPS_SUBPIXEL_FUSED_TILES_H_
