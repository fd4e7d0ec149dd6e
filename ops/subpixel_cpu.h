// Sub-pixel shuffle on the CPU, band by band. No TensorFlow header, so that the sanitizers can run
// on this file by itself.
//
// Every case is made of two moves, in one of two directions:
//
//   runs      NHWC, DCR: each pixel gives one run of rw*C elements to each of rh large rows
//   lanes     L sequences are split out of one or merged into one:
//               NHWC, DCR, runs of 4, 8 or 16 bytes    L = rh                along the row
//               NCHW                                   L = rw                along the row
//               NHWC, CRD                              L = rh*rw or C        within a pixel, which
//                                                      brings it into DCR order
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
#include "subpixel_stream.h"

namespace tfae {

// Partition of a geometry into bands, for elements of `size` bytes: chunks of a long row, or
// several short rows together, at most `most_rows` of them.
struct Bands {
  int64_t chunk;   // pixels of the small side in one row of a band
  int64_t chunks;  // bands in a row
  int64_t rows;    // rows of the small side in one band
  int64_t groups;  // bands in a column
  int64_t count;   // bands in all
  int64_t bytes;   // bytes that a band reads, and that it writes

  Bands(const Geometry& g, int64_t size, int64_t most_rows) {
    // A band stays in the second-level cache, and is large enough that finding out where it lies
    // costs nothing. A chunk of contiguous pixels stays in the first level with its copy; one of
    // planes is as long as it can be, since it is read or written in as many places.
    constexpr int64_t kBandBytes = 32 << 10;
    const int64_t chunk_bytes = g.nchw ? kBandBytes : 8 << 10;
    const int64_t pixel = std::max<int64_t>(1, size * g.block() * (g.nchw ? 1 : g.channels));
    chunk = std::clamp<int64_t>(chunk_bytes / pixel, 1, std::max<int64_t>(1, g.width));
    // Chunks of a long row begin where cache lines do.
    if (chunk < g.width && chunk >= 16) chunk -= chunk % (chunk >= 64 ? 64 : 16);
    chunks = (g.width + chunk - 1) / chunk;
    most_rows = std::clamp<int64_t>(g.height, 1, chunks > 1 ? 1 : most_rows);
    rows = std::clamp<int64_t>(kBandBytes / (pixel * chunk), 1, most_rows);
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

// Distances between neighbors inside a band, in elements: those of the tensors, unless one side of
// the band lies in a buffer of its own.
struct Strides {
  int64_t plane;  // small, NCHW: from one of a channel's planes to the next
  int64_t line;   // small: from one row to the next
  int64_t row;    // large: from one row to the next

  explicit Strides(const Geometry& g)
      : plane((g.crd ? 1 : g.channels) * g.height * g.width),
        line(g.width * (g.nchw ? 1 : g.channels * g.block())),
        row(g.width * g.rw * (g.nchw ? 1 : g.channels)) {}
};

// Moves bands between `small` and `large`, elements of kSize bytes.
template <int kSize, bool kShuffle>
class BandMover {
 public:
  // `stream`: what is written does not fit the caches and comes into them no more. Planes are read
  // or written in too many places for that to help.
  BandMover(const Geometry& g, bool stream)
      : g_(g),
        depth_(g.channels * g.block() * kSize),
        run_(g.rw * (g.nchw ? 1 : g.channels) * kSize),
        stream_(stream && kCanStream && !g.nchw) {}

  ~BandMover() {
    if (stream_) StreamsDone();
  }

  void operator()(Side<kShuffle>* small, Side<!kShuffle>* large, int64_t pixels, int64_t lines,
                  const Strides& strides) {
    if (!stream_) return Move(small, large, pixels, lines, strides);
    for (int64_t line = 0; line < lines; ++line) {
      MoveStreaming(small + line * strides.line * kSize, large + line * g_.rh * strides.row * kSize,
                    pixels, strides);
    }
  }

 private:
  void Move(Side<kShuffle>* small, Side<!kShuffle>* large, int64_t pixels, int64_t lines,
            const Strides& strides) {
    const int64_t line = strides.line * kSize;
    const int64_t row = strides.row * kSize;
    if (g_.nchw) {
      Planes(small, large, pixels, lines, strides);
    } else if (!g_.crd || g_.channels == 1) {
      Pixels(small, large, pixels, lines, line, row);
    } else {
      for (int64_t k = 0; k < lines; ++k) {
        Channels(small + k * line, large + k * g_.rh * row, pixels, row);
      }
    }
  }

  // NHWC: one line past the caches, through a buffer that lets whole cache lines be written.
  void MoveStreaming(Side<kShuffle>* small, Side<!kShuffle>* large, int64_t pixels,
                     const Strides& strides) {
    const int64_t row = strides.row * kSize;
    const Runs runs{1, 0, pixels, g_.rh, row, run_, true};
    if (!g_.crd && CanStreamRuns<kShuffle>(small, large, runs)) {
      return StreamRuns<kShuffle>(small, large, runs);
    }
    buffer_.resize(pixels * depth_);
    char* buffer = buffer_.data();
    Strides inner = strides;
    if constexpr (kShuffle) {
      inner.row = pixels * run_ / kSize;
      Move(small, buffer, pixels, 1, inner);
      StreamOut(buffer, large, pixels * run_, g_.rh, row);
    } else {
      Move(buffer, large, pixels, 1, inner);
      StreamOut(buffer, small, pixels * depth_, 1, 0);
    }
  }

  // NCHW: rw planes at a time interleave into a large row.
  void Planes(Side<kShuffle>* small, Side<!kShuffle>* large, int64_t pixels, int64_t lines,
              const Strides& strides) const {
    const int64_t plane = strides.plane * kSize;
    const Lanes lanes{g_.rw,
                      g_.rw,
                      plane,
                      0,
                      pixels,
                      lines,
                      g_.rh,
                      strides.row * kSize,
                      strides.line * kSize,
                      g_.rw * plane};
    MoveLanes<kSize, !kShuffle>(large, small, lanes);
  }

  // NHWC, CRD: the channels of one small pixel are rh*rw interleaved large pixels.
  void Channels(Side<kShuffle>* small, Side<!kShuffle>* large, int64_t pixels, int64_t row) {
    if (g_.channels <= 4) return FewChannels(small, large, pixels, row);
    const Lanes lanes{g_.block(), g_.rw, g_.channels * kSize, row, g_.channels, pixels, 1, depth_,
                      run_,       0};
    MoveLanes<kSize, kShuffle>(small, large, lanes);
  }

  // The same by way of DCR order: a pixel is a matrix of C times rh*rw, and there its transpose.
  void FewChannels(Side<kShuffle>* small, Side<!kShuffle>* large, int64_t pixels, int64_t row) {
    if constexpr (kShuffle) {
      if (g_.channels == 3 && g_.rh == g_.rw) {
        if (g_.rh == 2) return ShuffleColors<kSize, 2>(small, large, pixels, row);
        if (g_.rh == 3) return ShuffleColors<kSize, 3>(small, large, pixels, row);
        if (g_.rh == 4) return ShuffleColors<kSize, 4>(small, large, pixels, row);
      }
    }
    scratch_.resize(pixels * depth_);
    char* scratch = scratch_.data();
    const int64_t block = g_.block();
    const Lanes lanes{g_.channels, g_.channels, block * kSize, 0,      block,
                      pixels,      1,           depth_,        depth_, 0};
    if constexpr (!kShuffle) Pixels(scratch, large, pixels, 1, 0, row);
    MoveLanes<kSize, !kShuffle>(scratch, small, lanes);
    if constexpr (kShuffle) Pixels(scratch, large, pixels, 1, 0, row);
  }

  // NHWC, DCR: run i of each pixel belongs to large row i.
  void Pixels(Side<kShuffle>* small, Side<!kShuffle>* large, int64_t pixels, int64_t lines,
              int64_t line, int64_t row) const {
    const Lanes lanes{g_.rh, 1, 0, row, pixels, lines, 1, line, g_.rh * row, 0};
    switch (run_) {
      case 4:
        return MoveLanes<4, kShuffle>(small, large, lanes);
      case 8:
        return MoveLanes<8, kShuffle>(small, large, lanes);
      case 16:
        return MoveLanes<16, kShuffle>(small, large, lanes);
      default:
        return MoveRuns<kShuffle>(small, large, {lines, line, pixels, g_.rh, row, run_, stream_});
    }
  }

  const Geometry g_;
  const int64_t depth_;  // bytes of a small pixel
  const int64_t run_;    // bytes that it gives to a large row
  const bool stream_;
  std::vector<char> buffer_, scratch_;
};

// Moves the bands [begin, end) of a whole tensor.
template <int kSize, bool kShuffle>
void MoveBands(Side<kShuffle>* small, Side<!kShuffle>* large, const Geometry& g, const Bands& bands,
               int64_t begin, int64_t end) {
  BandMover<kSize, kShuffle> move(g, g.elements() * kSize > kStreamBytes);
  const Strides strides(g);
  for (int64_t index = begin; index < end; ++index) {
    const Band band = FindBand(index, bands, g);
    move(small + band.small * kSize, large + band.large * kSize, band.pixels, band.rows, strides);
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
