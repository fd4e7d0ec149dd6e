// The OpKernels of shuffle and unshuffle.

#include "subpixel_kernels.h"

#include "subpixel.h"
#include "subpixel_cpu.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/tensor_shape.h"

#if GOOGLE_CUDA
#include "subpixel_gpu.h"
#include "tensorflow/core/platform/stream_executor.h"
#endif

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

// Moves `input` into `output` on the device of `context`.
template <bool kShuffle>
void MoveOnCpu(OpKernelContext* context, const Tensor& input, const Geometry& g, Tensor* output) {
  const int64_t size = tensorflow::DataTypeSize(input.dtype());
  const Bands bands(g, size, g.height);
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

#if GOOGLE_CUDA
template <bool kShuffle>
void MoveOnGpu(OpKernelContext* context, const Tensor& input, const Geometry& g, Tensor* output) {
  void* stream = context->op_device_context()->stream()->platform_specific_handle().stream;
  const char* error = LaunchSubpixel(stream, input.data(), output->data(),
                                     tensorflow::DataTypeSize(input.dtype()), g, kShuffle);
  OP_REQUIRES(context, error == nullptr,
              tensorflow::errors::Internal(context->op_kernel().type_string(), ": ", error));
}
#endif

template <bool kShuffle, bool kGpu>
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
#if GOOGLE_CUDA
    if constexpr (kGpu) return MoveOnGpu<kShuffle>(context, input, g, output);
#endif
    MoveOnCpu<kShuffle>(context, input, g, output);
  }

 private:
  Geometry attributes_;
};

using CpuShuffle = SubpixelOp<true, false>;
using CpuUnshuffle = SubpixelOp<false, false>;
REGISTER_KERNEL_BUILDER(Name("SubpixelShuffle").Device(DEVICE_CPU), CpuShuffle);
REGISTER_KERNEL_BUILDER(Name("SubpixelUnshuffle").Device(DEVICE_CPU), CpuUnshuffle);
#if GOOGLE_CUDA
using GpuShuffle = SubpixelOp<true, true>;
using GpuUnshuffle = SubpixelOp<false, true>;
REGISTER_KERNEL_BUILDER(Name("SubpixelShuffle").Device(tensorflow::DEVICE_GPU), GpuShuffle);
REGISTER_KERNEL_BUILDER(Name("SubpixelUnshuffle").Device(tensorflow::DEVICE_GPU), GpuUnshuffle);
#endif

}  // namespace
}  // namespace tfae
