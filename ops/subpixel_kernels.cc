// The sub-pixel ops on the CPU: checks, allocation, sharding over TensorFlow's own threads.

#include <string>
#include <vector>

#include "subpixel.h"
#include "subpixel_cpu.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/tensor_shape.h"
#include "tensorflow/core/lib/core/threadpool.h"

#ifndef TFAE_BUILT_FOR
#define TFAE_BUILT_FOR "unknown"
#endif

// Read from the file's bytes before the library is loaded: one that was built for another
// TensorFlow must not even be opened.
extern "C" __attribute__((visibility("default"), used)) const char tfae_subpixel_stamp[] =
    "tfae-subpixel-built-for:" TFAE_BUILT_FOR ";";

namespace tfae {
namespace {

using tensorflow::DEVICE_CPU;
using tensorflow::OpKernel;
using tensorflow::OpKernelConstruction;
using tensorflow::OpKernelContext;
using tensorflow::Tensor;
using tensorflow::TensorShape;
using tensorflow::errors::InvalidArgument;

// Reads the attributes that every sub-pixel op has into a geometry without sizes.
absl::Status ReadAttributes(OpKernelConstruction* context, Geometry* g) {
  std::vector<int64_t> block;
  TF_RETURN_IF_ERROR(context->GetAttr("block_size", &block));
  if (block.size() != 2 || block[0] < 1 || block[1] < 1 || SafeProduct(block[0], block[1]) < 0) {
    return InvalidArgument(context->def().op(), ": block_size must be two integers of at least 1.");
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

absl::Status CheckMultiple(const std::string& who, const char* what, int64_t value,
                           int64_t factor) {
  if (value % factor == 0) return absl::OkStatus();
  return InvalidArgument(who, ": ", what, " is ", value, "; it must be a multiple of ", factor,
                         ".");
}

// Fills in the sizes of `g` from the shape of one side and writes the shape of the other.
absl::Status Measure(const std::string& who, const TensorShape& in, bool in_is_small, Geometry* g,
                     TensorShape* out) {
  if (in.dims() != 4) {
    return InvalidArgument(who, ": input has shape ", in.DebugString(), ", rank ", in.dims(),
                           "; it must have rank 4.");
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
    return InvalidArgument(who, ": input has shape ", in.DebugString(), "; a block of ", g->rh,
                           " x ", g->rw, " makes a size that does not fit 64 bits.");
  }
  const int64_t nhwc[] = {g->batch, height, width, channels};
  const int64_t nchw[] = {g->batch, channels, height, width};
  return TensorShape::BuildTensorShape(g->nchw ? nchw : nhwc, out);
}

// Runs `work(begin, end)` over [0, count) on TensorFlow's threads; each unit moves `bytes`.
template <typename Work>
void InParallel(OpKernelContext* context, int64_t count, int64_t bytes, const Work& work) {
  // About four bytes a cycle on one core; below ten microseconds the pool does not split.
  const int64_t cycles = std::max<int64_t>(1, bytes / 4);
  context->device()->tensorflow_cpu_worker_threads()->workers->ParallelFor(count, cycles, work);
}

template <bool kShuffle>
class SubpixelOp : public OpKernel {
 public:
  explicit SubpixelOp(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, ReadAttributes(context, &attributes_));
  }

  void Compute(OpKernelContext* context) override {
    const Tensor& input = context->input(0);
    Geometry g = attributes_;
    TensorShape shape;
    OP_REQUIRES_OK(context, Measure(type_string(), input.shape(), kShuffle, &g, &shape));
    if (input.NumElements() == 0 || SameOrder(g)) {
      Tensor output;
      OP_REQUIRES(context, output.CopyFrom(input, shape),
                  tensorflow::errors::Internal(type_string(), ": sizes disagree."));
      context->set_output(0, output);
      return;
    }
    Tensor* output = nullptr;
    OP_REQUIRES_OK(context, context->allocate_output(0, shape, &output));
    Move(context, input, g, output);
  }

 private:
  void Move(OpKernelContext* context, const Tensor& input, const Geometry& g, Tensor* output) {
    const int64_t size = tensorflow::DataTypeSize(input.dtype());
    const Bands bands(g, size);
    const char* from = static_cast<const char*>(input.data());
    char* to = static_cast<char*>(output->data());
    InParallel(context, bands.count, bands.bytes, [=](int64_t begin, int64_t end) {
      if constexpr (kShuffle) {
        MoveBands<true>(from, to, size, g, bands, begin, end);
      } else {
        MoveBands<false>(to, from, size, g, bands, begin, end);
      }
    });
  }

  Geometry attributes_;
};

REGISTER_KERNEL_BUILDER(Name("SubpixelShuffle").Device(DEVICE_CPU), SubpixelOp<true>);
REGISTER_KERNEL_BUILDER(Name("SubpixelUnshuffle").Device(DEVICE_CPU), SubpixelOp<false>);

}  // namespace
}  // namespace tfae
