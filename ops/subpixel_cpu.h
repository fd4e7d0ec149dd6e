// Sub-pixel shuffle on the CPU: how one band of rows moves. No TensorFlow header, so that the
// sanitizers can run over this file alone.
//
// Every case is one of two moves, in one of two directions:
//
//   runs      NHWC, DCR: each pixel gives one run of rw*C elements to each of rh large rows
//   lanes     the run is a single unit, so L sequences are split out of one or merged into one:
//               NHWC, DCR, runs of 1, 2, 4, 8 or 16 bytes    L = rh      along the row
//               NHWC, CRD                                    L = rh*rw   along the channels
//               NCHW                                         L = rw      along the row
//
// A band is a row of the small side (NHWC), or one row of all planes of a large channel (NCHW),
// cut into chunks of pixels. Bands share nothing, so any of them may run on any thread.

#ifndef TFAE_OPS_SUBPIXEL_CPU_H_
#define TFAE_OPS_SUBPIXEL_CPU_H_

#include <algorithm>
#include <cstdint>

#include "subpixel_lanes.h"

namespace tfae {

// How a geometry is cut into bands, for elements of `size` bytes.
struct Bands {
  int64_t chunk;   // pixels of the small side in one band
  int64_t chunks;  // bands in a row
  int64_t count;   // bands in all
  int64_t bytes;   // bytes that a band reads, and that it writes

  Bands(const Geometry& g, int64_t size) {
    // Small enough that a band's two sides stay in the second-level cache, large enough that
    // finding out where a band lies costs nothing.
    constexpr int64_t kBytes = 32 << 10;
    const int64_t pixel = size * g.block() * (g.nchw ? 1 : g.channels);
    const int64_t most = std::max<int64_t>(1, g.width);
    chunk = std::min(std::max<int64_t>(1, kBytes / std::max<int64_t>(1, pixel)), most);
    chunks = (g.width + chunk - 1) / chunk;
    count = g.batch * g.height * chunks * (g.nchw ? g.channels : 1);
    bytes = chunk * pixel;
  }
};

// Where a band's first element lies on both sides, in elements, and how many pixels it has.
struct Band {
  int64_t small;
  int64_t large;
  int64_t pixels;
};

inline Band FindBand(int64_t index, const Bands& bands, const Geometry& g) {
  const int64_t w = index % bands.chunks * bands.chunk;
  const int64_t row = index / bands.chunks;
  const int64_t pixels = std::min(bands.chunk, g.width - w);
  if (!g.nchw) {
    const int64_t large_row = row * g.rh * g.width * g.rw;
    return {(row * g.width + w) * g.channels * g.block(), (large_row + w * g.rw) * g.channels,
            pixels};
  }
  const int64_t h = row % g.height;
  const int64_t c = row / g.height % g.channels;
  const int64_t n = row / g.height / g.channels;
  const int64_t plane = n * g.channels * g.block() + SmallChannel(c, 0, 0, g);
  return {(plane * g.height + h) * g.width + w, row * g.rh * g.width * g.rw + w * g.rw, pixels};
}

// Distances between neighbours inside a band, in elements. The large side's are those of the
// tensor; the small side's too, unless the band comes from a buffer of its own.
struct Strides {
  int64_t plane;  // small, NCHW: from one of a channel's planes to the next
  int64_t row;    // large: from one row to the next

  explicit Strides(const Geometry& g)
      : plane((g.crd ? 1 : g.channels) * g.height * g.width),
        row(g.width * g.rw * (g.nchw ? 1 : g.channels)) {}
};

// Moves one band between `small` and `large`, elements of kSize bytes.
template <int kSize, bool kShuffle>
class BandMover {
 public:
  explicit BandMover(const Geometry& g) : g_(g), run_(g.rw * g.channels * kSize) {}

  void operator()(Side<kShuffle>* small, Side<!kShuffle>* large, int64_t pixels,
                  const Strides& strides) const {
    const int64_t row = strides.row * kSize;
    if (g_.nchw) {
      Planes(small, large, pixels, strides.plane * kSize, row);
    } else if (g_.crd && g_.channels > 1) {
      Channels(small, large, pixels, row);
    } else if (run_ <= 16 && (run_ & (run_ - 1)) == 0) {
      ShortRuns(small, large, pixels, row);
    } else {
      MoveRuns<kShuffle>(small, large, pixels, run_, g_.rh, row);
    }
  }

 private:
  // One row of every plane of a channel: rw planes at a time interleave into a large row.
  void Planes(Side<kShuffle>* small, Side<!kShuffle>* large, int64_t pixels, int64_t plane,
              int64_t row) const {
    const Lanes lanes{g_.rw, 1, 0, plane};
    for (int64_t i = 0; i < g_.rh; ++i) {
      MoveLanes<kSize, !kShuffle>(large + i * row, small + i * g_.rw * plane, lanes, pixels);
    }
  }

  // CRD: the channels of one small pixel are rh*rw interleaved large pixels.
  void Channels(Side<kShuffle>* small, Side<!kShuffle>* large, int64_t pixels, int64_t row) const {
    const Lanes lanes{g_.block(), g_.rw, g_.channels * kSize, row};
    const int64_t pixel = g_.channels * g_.block() * kSize;
    for (int64_t w = 0; w < pixels; ++w) {
      MoveLanes<kSize, kShuffle>(small + w * pixel, large + w * run_, lanes, g_.channels);
    }
  }

  // DCR with runs as short as a number: rh large rows interleave into a small row.
  void ShortRuns(Side<kShuffle>* small, Side<!kShuffle>* large, int64_t pixels, int64_t row) const {
    const Lanes lanes{g_.rh, 1, 0, row};
    switch (run_) {
      case 1:
        return MoveLanes<1, kShuffle>(small, large, lanes, pixels);
      case 2:
        return MoveLanes<2, kShuffle>(small, large, lanes, pixels);
      case 4:
        return MoveLanes<4, kShuffle>(small, large, lanes, pixels);
      case 8:
        return MoveLanes<8, kShuffle>(small, large, lanes, pixels);
      default:
        return MoveLanes<16, kShuffle>(small, large, lanes, pixels);
    }
  }

  const Geometry g_;
  const int64_t run_;
};

// Moves the bands [begin, end) of a whole tensor.
template <int kSize, bool kShuffle>
void MoveBands(Side<kShuffle>* small, Side<!kShuffle>* large, const Geometry& g, const Bands& bands,
               int64_t begin, int64_t end) {
  const BandMover<kSize, kShuffle> move(g);
  const Strides strides(g);
  for (int64_t index = begin; index < end; ++index) {
    const Band band = FindBand(index, bands, g);
    move(small + band.small * kSize, large + band.large * kSize, band.pixels, strides);
  }
}

// The same, for an element size known only at run time: 1, 2, 4 or 8 bytes.
template <bool kShuffle>
void MoveBands(Side<kShuffle>* small, Side<!kShuffle>* large, int64_t size, const Geometry& g,
               const Bands& bands, int64_t begin, int64_t end) {
  switch (size) {
    case 1:
      return MoveBands<1, kShuffle>(small, large, g, bands, begin, end);
    case 2:
      return MoveBands<2, kShuffle>(small, large, g, bands, begin, end);
    case 4:
      return MoveBands<4, kShuffle>(small, large, g, bands, begin, end);
    default:
      return MoveBands<8, kShuffle>(small, large, g, bands, begin, end);
  }
}

}  // namespace tfae

#endif  // TFAE_OPS_SUBPIXEL_CPU_H_
