// Sub-pixel shuffle on CUDA: what the OpKernel and the harnesses call.

#ifndef TFAE_OPS_SUBPIXEL_GPU_H_
#define TFAE_OPS_SUBPIXEL_GPU_H_

#include <cstdint>

#include "subpixel.h"

namespace tfae {

// Enqueues a shuffle (small to large) or unshuffle on `stream`, a cudaStream_t, for elements of
// `size` bytes: 1, 2, 4 or 8. Both pointers are device memory, aligned to an element.
// Returns null, or CUDA's description of why the launch failed.
const char* LaunchSubpixel(void* stream, const void* from, void* to, int64_t size,
                           const Geometry& g, bool shuffle);

}  // namespace tfae

#endif  // TFAE_OPS_SUBPIXEL_GPU_H_
