// Common code of the OpKernels: reads attributes, checks the input, allocates the output, and runs
// the bands on TensorFlow's threads.

#ifndef TFAE_OPS_SUBPIXEL_KERNELS_H_
#define TFAE_OPS_SUBPIXEL_KERNELS_H_

#include <algorithm>
#include <string>
#include <vector>

#include "subpixel.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/tensor_shape.h"
#include "tensorflow/core/lib/core/threadpool.h"

namespace tfae {

// Reads the attributes that every sub-pixel op has into a geometry without sizes.
inline absl::Status ReadAttributes(tensorflow::OpKernelConstruction* context, Geometry* g) {
  std::vector<int64_t> block;
  TF_RETURN_IF_ERROR(context->GetAttr("block_size", &block));
  if (block.size() != 2 || block[0] < 1 || block[1] < 1 || SafeProduct(block[0], block[1]) < 0) {
    return tensorflow::errors::InvalidArgument(context->def().op(),
                                               ": block_size must be two integers of at least 1.");
  }
  std::string mode, format;
  TF_RETURN_IF_ERROR(context->GetAttr("mode", &mode));
  TF_RETURN_IF_ERROR(context->GetAttr("data_format", &format));
  g->rh = block[0];
  g->rw = block[1];
  g->crd = mode == "CRD";
  g->nchw = format == "NCHW";
  return absl::OkStatus();
}

inline absl::Status CheckMultiple(const std::string& who, const char* what, int64_t value,
                                  int64_t factor) {
  if (value % factor == 0) return absl::OkStatus();
  return tensorflow::errors::InvalidArgument(who, ": ", what, " is ", value,
                                             "; it must be a multiple of ", factor, ".");
}

// Fills in the sizes of `g` from the shape of one side and writes the shape of the other.
inline absl::Status Measure(const std::string& who, const tensorflow::TensorShape& in,
                            bool in_is_small, Geometry* g, tensorflow::TensorShape* out) {
  if (in.dims() != 4) {
    return tensorflow::errors::InvalidArgument(who, ": input has shape ", in.DebugString(),
                                               ", rank ", in.dims(), "; it must have rank 4.");
  }
  const int height_axis = g->nchw ? 2 : 1;
  int64_t channels = in.dim_size(g->nchw ? 1 : 3);
  int64_t height = in.dim_size(height_axis);
  int64_t width = in.dim_size(height_axis + 1);
  g->batch = in.dim_size(0);
  if (in_is_small) {
    TF_RETURN_IF_ERROR(CheckMultiple(who, "the number of channels", channels, g->block()));
    g->height = height;
    g->width = width;
    g->channels = channels / g->block();
    height = SafeProduct(height, g->rh);
    width = SafeProduct(width, g->rw);
    channels = g->channels;
  } else {
    TF_RETURN_IF_ERROR(CheckMultiple(who, "the height", height, g->rh));
    TF_RETURN_IF_ERROR(CheckMultiple(who, "the width", width, g->rw));
    g->height = height = height / g->rh;
    g->width = width = width / g->rw;
    g->channels = channels;
    channels = SafeProduct(channels, g->block());
  }
  if (height < 0 || width < 0 || channels < 0) {
    return tensorflow::errors::InvalidArgument(who, ": input has shape ", in.DebugString(),
                                               "; a block of ", g->rh, " x ", g->rw,
                                               " makes a size that does not fit 64 bits.");
  }
  const int64_t nhwc[] = {g->batch, height, width, channels};
  const int64_t nchw[] = {g->batch, channels, height, width};
  return tensorflow::TensorShape::BuildTensorShape(g->nchw ? nchw : nhwc, out);
}

// Runs `work(begin, end)` over [0, count) on TensorFlow's threads; each unit moves `bytes`.
template <typename Work>
void InParallel(tensorflow::OpKernelContext* context, int64_t count, int64_t bytes,
                const Work& work) {
  // About four bytes a cycle on one core; below ten microseconds the pool does not split.
  const int64_t cycles = std::max<int64_t>(1, bytes / 4);
  context->device()->tensorflow_cpu_worker_threads()->workers->ParallelFor(count, cycles, work);
}

}  // namespace tfae

#endif  // TFAE_OPS_SUBPIXEL_KERNELS_H_
