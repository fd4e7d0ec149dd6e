// Shuffle and unshuffle on the CPU.

#include "subpixel_kernels.h"

#include "subpixel.h"
#include "subpixel_cpu.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/tensor_shape.h"

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

  Geometry attributes_;
};

REGISTER_KERNEL_BUILDER(Name("SubpixelShuffle").Device(DEVICE_CPU), SubpixelOp<true>);
REGISTER_KERNEL_BUILDER(Name("SubpixelUnshuffle").Device(DEVICE_CPU), SubpixelOp<false>);

}  // namespace
}  // namespace tfae
