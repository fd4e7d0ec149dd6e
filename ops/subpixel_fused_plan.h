// Partition of a tensor by the fused op's CUDA kernels: columns of channels, or tiles.

#ifndef TFAE_OPS_SUBPIXEL_FUSED_PLAN_H_
#define TFAE_OPS_SUBPIXEL_FUSED_PLAN_H_

#include <algorithm>
#include <cstdint>

#include "subpixel.h"
#include "subpixel_cuda.h"

namespace tfae {

// Assignment of the small side to the threads of a block: thread lane*units + unit has every
// lanes-th pixel of one unit of channels, so that its bias and its share of dbias stay in
// registers. With `along` false pixels are neighbors in memory, not channels: thread unit*lanes +
// lane.
struct Seats {
  int units, lanes;
  bool along;

  __device__ int unit() const { return along ? threadIdx.x % units : threadIdx.x / lanes; }
  __device__ int lane() const { return along ? threadIdx.x / units : threadIdx.x % lanes; }
  __device__ bool taken() const { return static_cast<int>(threadIdx.x) < units * lanes; }
  int threads() const { return (units * lanes + 31) / 32 * 32; }
};

inline Seats SeatsOf(int64_t units, bool along) {
  const int n = static_cast<int>(units);
  return {n, kThreads / n, along};
}

// Bytes of shared memory that a sum over the lanes needs.
inline int64_t SumBytes(int threads) { return threads * static_cast<int64_t>(sizeof(double)); }

// dbias is summed in this many parts, in an order that no device changes.
inline int64_t FusedParts(const Geometry& g, int64_t size) {
  const int64_t pixels = g.batch * g.height * g.width;
  const int64_t fewest = 128 / size;  // pixels per part, so that its sums stay few
  const int64_t most =
      g.nchw ? std::max<int64_t>(1, 2048 / std::max<int64_t>(1, g.channels)) : 1024;
  return std::min(most, (pixels + fewest - 1) / fewest);
}

// DCR in NHWC. An item of work is one part of the pixels in one group of channels.
template <typename I>
struct Columns {
  int64_t parts, groups, pixels;
  I depth, run;
  I row, rows;  // elements of a large row, and of the rows that a small one becomes
  Divisor<I> width;
  Seats seats;

  // Packs of v elements; with `parts` 0 as many as give each thread a few packs.
  Columns(const Geometry& g, int v, int64_t wanted_parts) {
    run = static_cast<I>(g.rw * g.channels);
    depth = static_cast<I>(g.rh * run);
    row = static_cast<I>(g.width * run);
    rows = static_cast<I>(g.rh * row);
    width = Divisor<I>(g.width);
    pixels = g.batch * g.height * g.width;
    const int64_t units = g.rh * g.rw * g.channels / v;
    groups = (units + kThreads - 1) / kThreads;
    seats = SeatsOf((units + groups - 1) / groups, true);
    const int64_t few = 4 * seats.lanes;
    parts = wanted_parts > 0 ? wanted_parts : (pixels + few - 1) / few;
  }
};

// A tile: `rows` small rows of `chunk` pixels, in `channels` large channels (NHWC) or in one
// (NCHW). Rows are cut into chunks only where a tile is a single row, channels only in CRD. A group
// is all tiles of the same channels.
struct Tiling {
  bool nchw;
  int64_t groups, tiles, parts, bytes;
  int64_t chunks, groups_of_rows, chunk, rows, width, height;
  int64_t image, row;                // elements of an image, and of a large row
  int64_t small_pixel, large_pixel;  // from one pixel to the next, in elements
  int64_t depth, all_channels, channels, block;
  int64_t first_channel, unit_channel;  // NCHW: small channel = group and unit times these
  // In shared memory, as on the small side: elements from one digit of a place to the next.
  uint32_t plane, place_c, place_j, place_w, place_i, place_h;
  // Those of rows and channels once for full and once for cut-off tiles.
  Divisor<uint32_t> channel[2], large_row[2], rw, rh;
  Seats seats;
  int small_pack, large_pack;

  // Whether tiles can hold this. `pack` is the widest pack there is, in elements; a side is
  // `aligned` where its addresses are multiples of it.
  bool Plan(const Geometry& g, int64_t size, bool small_aligned, bool large_aligned) {
    const int pack = static_cast<int>(16 / size);
    nchw = g.nchw;
    block = g.block();
    depth = g.channels * block;
    all_channels = g.channels;
    width = g.width;
    height = g.height;
    image = depth * height * width;
    small_pixel = nchw ? 1 : depth;
    large_pixel = nchw ? 1 : g.channels;
    row = width * g.rw * large_pixel;
    first_channel = g.crd ? block : 1;
    unit_channel = g.crd ? 1 : g.channels;
    if (!CutChannels(g, size, small_aligned ? pack : 1)) return false;
    CutPixels(g, size, pack);
    if (nchw && !(small_aligned && RowsFit(1, 1, pack))) small_pack = 1;
    const bool wide = channels == large_pixel ? RowsFit(g.rw * channels, g.rh, pack)
                                              : channels % pack == 0 && large_pixel % pack == 0;
    large_pack = large_aligned && wide ? pack : 1;
    seats = SeatsOf(nchw ? block : channels * block / small_pack, !nchw);
    Place(g, size, pack);
    return true;
  }

 private:
  // Threads keep to their channels, so a tile has no more units of them than a block has threads.
  bool CutChannels(const Geometry& g, int64_t size, int pack) {
    small_pack = pack;
    channels = 1;
    groups = g.channels;
    if (block * size > kTileBytes) return false;
    if (nchw) return block <= kThreads;
    if (depth % pack != 0) small_pack = 1;
    for (;; small_pack = 1) {
      const int64_t most = std::min<int64_t>(kThreads * small_pack, kTileBytes / size) / block;
      channels = std::min(g.channels, most);
      if (channels < 1) return false;
      if (channels < g.channels && channels > pack) channels -= channels % pack;
      if (channels * block % small_pack == 0) break;
    }
    groups = (g.channels + channels - 1) / channels;
    return channels == g.channels || g.crd;
  }

  void CutPixels(const Geometry& g, int64_t size, int pack) {
    // Small tensors in small tiles, so that every multiprocessor has some.
    const int64_t bytes =
        std::min(kTileBytes, std::max<int64_t>(2 << 10, g.elements() * size >> 10));
    const int64_t most = std::max<int64_t>(1, bytes / (channels * block * size));
    chunk = std::min(most, width);
    if (chunk < width && chunk > pack) chunk -= chunk % pack;
    chunks = (width + chunk - 1) / chunk;
    rows = chunks > 1 ? 1 : std::min(most / width, height);
    if (rows < height && rows > pack) rows -= rows % pack;
    groups_of_rows = (height + rows - 1) / rows;
    tiles = g.batch * groups_of_rows * chunks;
  }

  // Whether every stretch of memory that a tile touches is a whole number of packs, with
  // `times` elements a pixel and `lines` lines a row. The last row group is what the others leave.
  bool RowsFit(int64_t times, int64_t lines, int pack) const {
    if (chunks > 1) return chunk * times % pack == 0 && width * times % pack == 0;
    const int64_t line = width * times * lines;
    return rows * line % pack == 0 && height * line % pack == 0;
  }

  void Place(const Geometry& g, int64_t size, int pack) {
    const int64_t pixels = rows * chunk;
    plane = static_cast<uint32_t>((pixels + pack - 1) / pack * pack + pack);
    const int64_t stride = channels * block;
    // A pack between pixels, where they would else all begin in the same bank.
    const int64_t pixel = stride * size % 128 == 0 ? stride + pack : stride;
    place_w = nchw ? 1 : static_cast<uint32_t>(pixel);
    place_c = nchw ? 0 : static_cast<uint32_t>(g.crd ? block : 1);
    place_j = nchw ? plane : static_cast<uint32_t>(g.crd ? 1 : channels);
    place_i = static_cast<uint32_t>(g.rw) * place_j;
    place_h = static_cast<uint32_t>(chunk) * place_w;
    const int64_t last[] = {width - (chunks - 1) * chunk, all_channels - (groups - 1) * channels};
    channel[0] = Divisor<uint32_t>(channels);
    channel[1] = Divisor<uint32_t>(nchw ? 1 : last[1]);
    large_row[0] = Divisor<uint32_t>(chunk * g.rw);
    large_row[1] = Divisor<uint32_t>(last[0] * g.rw);
    rw = Divisor<uint32_t>(g.rw);
    rh = Divisor<uint32_t>(g.rh);
    bytes = std::max((nchw ? block * plane : pixels * pixel) * size, SumBytes(seats.threads()));
  }
};

}  // namespace tfae

#endif  // TFAE_OPS_SUBPIXEL_FUSED_PLAN_H_
