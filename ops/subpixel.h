// Sub-pixel shuffle: layout, index map and checks for all devices.
//
//   small [N, H, W, C*rh*rw]  <->  large [N, H*rh, W*rw, C]        (NHWC; NCHW has C in front)
//
// Shuffle goes from small to large, unshuffle back. The large pixel (y, x) of channel c lies in
// the small pixel (y / rh, x / rw); with i = y % rh and j = x % rw its channel there is
//
//   DCR   (i*rw + j)*C + c      tf.nn.depth_to_space, ESPCN (Shi et al. 2016, equation 4)
//   CRD   (c*rh + i)*rw + j     PixelShuffle of PyTorch
//
// The two agree where C is 1. This file includes no TensorFlow header.

#ifndef TFAE_OPS_SUBPIXEL_H_
#define TFAE_OPS_SUBPIXEL_H_

#include <cstdint>
#include <limits>

#ifdef __CUDACC__
#define TFAE_HOST_DEVICE __host__ __device__
#else
#define TFAE_HOST_DEVICE
#endif

namespace tfae {

// Both sides of a shuffle. Height and width are those of the small side, channels of the large.
struct Geometry {
  int64_t batch = 0;
  int64_t height = 0;
  int64_t width = 0;
  int64_t channels = 0;
  int64_t rh = 1;
  int64_t rw = 1;
  bool crd = false;
  bool nchw = false;

  // Small pixels that one large channel is made from.
  TFAE_HOST_DEVICE int64_t block() const { return rh * rw; }
  TFAE_HOST_DEVICE int64_t elements() const { return batch * height * width * channels * block(); }
};

// The channel of the small side that holds channel c of the large pixel (i, j) of a block.
TFAE_HOST_DEVICE inline int64_t SmallChannel(int64_t c, int64_t i, int64_t j, const Geometry& g) {
  return g.crd ? (c * g.rh + i) * g.rw + j : (i * g.rw + j) * g.channels + c;
}

// The place on the small side of the element that lies at `large` on the large side.
TFAE_HOST_DEVICE inline int64_t SmallIndex(int64_t large, const Geometry& g) {
  const int64_t rows = g.height * g.rh;
  const int64_t columns = g.width * g.rw;
  int64_t n, y, x, c;
  if (g.nchw) {
    x = large % columns;
    y = large / columns % rows;
    c = large / columns / rows % g.channels;
    n = large / columns / rows / g.channels;
  } else {
    c = large % g.channels;
    x = large / g.channels % columns;
    y = large / g.channels / columns % rows;
    n = large / g.channels / columns / rows;
  }
  const int64_t k = SmallChannel(c, y % g.rh, x % g.rw, g);
  const int64_t h = y / g.rh;
  const int64_t w = x / g.rw;
  const int64_t depth = g.channels * g.block();
  return g.nchw ? ((n * depth + k) * g.height + h) * g.width + w
                : ((n * g.height + h) * g.width + w) * depth + k;
}

// Whether the elements lie in the same order on both sides, so that nothing has to move.
//
// The large side reorders the axes of the small one. Axes of size 1 do not count; the order is
// kept when the positions of the others, listed as the large side has them, still rise.
TFAE_HOST_DEVICE inline bool SameOrder(const Geometry& g) {
  const int64_t size[] = {g.batch, g.height, g.rh, g.width, g.rw, g.channels};
  //                          position on the small side:   n  h  i  w  j  c
  const int nhwc_dcr[] = {0, 1, 3, 2, 4, 5};
  const int nhwc_crd[] = {0, 1, 4, 2, 5, 3};
  const int nchw_dcr[] = {0, 4, 1, 5, 2, 3};
  const int nchw_crd[] = {0, 4, 2, 5, 3, 1};
  const int* position = g.nchw ? (g.crd ? nchw_crd : nchw_dcr) : (g.crd ? nhwc_crd : nhwc_dcr);
  const int nhwc_axes[] = {0, 1, 2, 3, 4, 5};
  const int nchw_axes[] = {0, 5, 1, 2, 3, 4};
  const int* axes = g.nchw ? nchw_axes : nhwc_axes;
  int last = -1;
  for (int k = 0; k < 6; ++k) {
    const int axis = axes[k];
    if (size[axis] == 1) continue;
    if (position[axis] < last) return false;
    last = position[axis];
  }
  return true;
}

// a * b for two sizes; -1 where the product leaves 64 bits or where a factor is already -1.
inline int64_t SafeProduct(int64_t a, int64_t b) {
  if (a < 0 || b < 0) return -1;
  if (a == 0 || b == 0) return 0;
  return a > std::numeric_limits<int64_t>::max() / b ? -1 : a * b;
}

}  // namespace tfae

#endif  // TFAE_OPS_SUBPIXEL_H_
