// Sub-pixel shuffle on CUDA: interface for the OpKernels and the harnesses.

#ifndef TFAE_OPS_SUBPIXEL_GPU_H_
#define TFAE_OPS_SUBPIXEL_GPU_H_

#include <cstdint>

#include "subpixel.h"
#include "subpixel_activation.h"

namespace tfae {

// Enqueues a shuffle (small to large) or unshuffle on `stream`, a cudaStream_t, for elements of
// `size` bytes: 1, 2, 4 or 8. Both pointers are device memory, aligned to an element.
// Returns null, or CUDA's description of why the launch failed.
const char* LaunchSubpixel(void* stream, const void* from, void* to, int64_t size,
                           const Geometry& g, bool shuffle);

// The types of the fused op; half and bfloat16 are computed in float.
enum class FloatType { kHalf, kBfloat16, kFloat, kDouble };

// Enqueues y = shuffle(activation(x + bias)); all pointers are aligned to an element. `bias` has
// C*rh*rw of them. Returns as LaunchSubpixel does.
const char* LaunchFused(void* stream, FloatType type, Activation activation, const void* x,
                        const void* bias, void* y, const Geometry& g);

// Enqueues dx = unshuffle(dy * derivative(y)) and dbias, its sum over everything but the channels,
// which needs `sums`: device memory for FusedGradientSums(type, g) numbers. Every run with the same
// sizes and alignments gives the same bits. Returns as LaunchSubpixel does.
const char* LaunchFusedGradient(void* stream, FloatType type, Activation activation, const void* y,
                                const void* dy, void* dx, void* dbias, double* sums,
                                const Geometry& g);
int64_t FusedGradientSums(FloatType type, const Geometry& g);

}  // namespace tfae

#endif  // TFAE_OPS_SUBPIXEL_GPU_H_
