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
// A band is a row of the small side (NHWC), or one row of all planes of a large channel (NCHW), a
// chunk of a long row or a group of short ones. Bands share nothing, so any of them may run on any
// thread.

#ifndef TFAE_OPS_SUBPIXEL_CPU_H_
#define TFAE_OPS_SUBPIXEL_CPU_H_

#include <algorithm>
#include <cstdint>
#include <vector>

#include "subpixel.h"
#include "subpixel_lanes.h"
#include "subpixel_runs.h"

namespace tfae {

// How a geometry is cut into bands, for elements of `size` bytes: chunks of a long row, or several
// short rows together, at most `most_rows` of them.
struct Bands {
  int64_t chunk;   // pixels of the small side in one row of a band
  int64_t chunks;  // bands in a row
  int64_t rows;    // rows of the small side in one band
  int64_t groups;  // bands in a column
  int64_t count;   // bands in all
  int64_t bytes;   // bytes that a band reads, and that it writes

  Bands(const Geometry& g, int64_t size, int64_t most_rows) {
    // Small enough that a band's two sides stay in the second-level cache, large enough that
    // finding out where a band lies costs nothing.
    constexpr int64_t kBytes = 32 << 10;
    const int64_t pixel = std::max<int64_t>(1, size * g.block() * (g.nchw ? 1 : g.channels));
    chunk = std::clamp<int64_t>(kBytes / pixel, 1, std::max<int64_t>(1, g.width));
    chunks = (g.width + chunk - 1) / chunk;
    most_rows = std::clamp<int64_t>(g.height, 1, chunks > 1 ? 1 : most_rows);
    rows = std::clamp<int64_t>(kBytes / (pixel * chunk), 1, most_rows);
    groups = (g.height + rows - 1) / rows;
    count = g.batch * groups * chunks * (g.nchw ? g.channels : 1);
    bytes = chunk * rows * pixel;
  }
};

// Where a band's first element lies on both sides, in elements, and how large it is.
struct Band {
  int64_t small;
  int64_t large;
  int64_t pixels;
  int64_t rows;
  int64_t channel;  // NCHW: of the large side
};

inline Band FindBand(int64_t index, const Bands& bands, const Geometry& g) {
  const int64_t w = index % bands.chunks * bands.chunk;
  const int64_t h = index / bands.chunks % bands.groups * bands.rows;
  const int64_t image = index / bands.chunks / bands.groups;  // NCHW: an image of one channel
  const int64_t pixels = std::min(bands.chunk, g.width - w);
  const int64_t rows = std::min(bands.rows, g.height - h);
  const int64_t large_row = (image * g.height + h) * g.rh * g.width * g.rw;
  if (!g.nchw) {
    return {((image * g.height + h) * g.width + w) * g.channels * g.block(),
            (large_row + w * g.rw) * g.channels, pixels, rows, 0};
  }
  const int64_t c = image % g.channels;
  const int64_t plane = (image / g.channels) * g.channels * g.block() + SmallChannel(c, 0, 0, g);
  return {(plane * g.height + h) * g.width + w, large_row + w * g.rw, pixels, rows, c};
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

// Outputs above this go past the caches: with their input they would push everything else out of
// the share of the last level that a program has, and be gone before they are read.
constexpr int64_t kStreamBytes = 4 << 20;

// Moves one row of a band between `small` and `large`, elements of kSize bytes.
template <int kSize, bool kShuffle>
class BandMover {
 public:
  // `stream`: what is written is larger than the caches and comes into them no more.
  BandMover(const Geometry& g, bool stream)
      : g_(g), run_(g.rw * g.channels * kSize), stream_(stream) {
    // Lanes pay where they are few and long; other small pixels are moved by a table.
    const int64_t depth = g.channels * g.block();
    if (g.nchw || !g.crd || depth > 4096 || (g.channels >= 8 && g.block() <= 4)) return;
    for (int64_t k = 0; k < depth; ++k) {
      const int64_t place = k / g.channels;
      const int64_t channel = SmallChannel(k % g.channels, place / g.rw, place % g.rw, g);
      order_.push_back(static_cast<int32_t>(channel));
    }
  }

  void operator()(Side<kShuffle>* small, Side<!kShuffle>* large, int64_t pixels,
                  const Strides& strides) const {
    const int64_t row = strides.row * kSize;
    if (g_.nchw) {
      Planes(small, large, pixels, strides.plane * kSize, row);
    } else if (g_.crd && g_.channels > 1) {
      if (order_.empty()) {
        Channels(small, large, pixels, row);
      } else {
        Scattered(small, large, pixels, row);
      }
    } else if (run_ <= 16 && (run_ & (run_ - 1)) == 0) {
      ShortRuns(small, large, pixels, row);
    } else {
      MoveRuns<kShuffle>(small, large, {pixels, g_.rh, run_, row}, stream_);
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

  // CRD, pixel by pixel through a table of where each large element comes from.
  void Scattered(Side<kShuffle>* small, Side<!kShuffle>* large, int64_t pixels, int64_t row) const {
    if (g_.channels == 3 && g_.rh == g_.rw) {
      switch (g_.rh) {
        case 2:
          return MoveColours<kSize, kShuffle, 2>(small, large, pixels, row);
        case 3:
          return MoveColours<kSize, kShuffle, 3>(small, large, pixels, row);
        case 4:
          return MoveColours<kSize, kShuffle, 4>(small, large, pixels, row);
      }
    }
    const int64_t length = g_.rw * g_.channels;
    const int64_t pixel = run_ * g_.rh;
    for (int64_t w = 0; w < pixels; ++w) {
      for (int64_t i = 0; i < g_.rh; ++i) {
        MoveByTable<kSize, kShuffle>(small + w * pixel, large + i * row + w * run_,
                                     order_.data() + i * length, length);
      }
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
  const bool stream_;
  std::vector<int32_t> order_;
};

// Moves the bands [begin, end) of a whole tensor.
template <int kSize, bool kShuffle>
void MoveBands(Side<kShuffle>* small, Side<!kShuffle>* large, const Geometry& g, const Bands& bands,
               int64_t begin, int64_t end) {
  const BandMover<kSize, kShuffle> move(g, g.elements() * kSize > kStreamBytes);
  const Strides strides(g);
  const int64_t small_row = g.width * (g.nchw ? 1 : g.channels * g.block()) * kSize;
  const int64_t large_row = strides.row * g.rh * kSize;
  for (int64_t index = begin; index < end; ++index) {
    const Band band = FindBand(index, bands, g);
    Side<kShuffle>* from = small + band.small * kSize;
    Side<!kShuffle>* to = large + band.large * kSize;
    for (int64_t row = 0; row < band.rows; ++row) {
      move(from + row * small_row, to + row * large_row, band.pixels, strides);
    }
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
