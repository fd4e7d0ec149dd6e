// The OpKernels of the fused op and of its gradient.

#include <string>
#include <vector>

#include "subpixel_fused.h"
#include "subpixel_kernels.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/register_types.h"
#include "tensorflow/core/framework/types.h"

#if GOOGLE_CUDA
#include "subpixel_gpu.h"
#include "tensorflow/core/platform/stream_executor.h"
#endif

namespace tfae {
namespace {

using tensorflow::DEVICE_CPU;
#if GOOGLE_CUDA
using tensorflow::DEVICE_GPU;
#endif
using tensorflow::OpKernel;
using tensorflow::OpKernelConstruction;
using tensorflow::OpKernelContext;
using tensorflow::Tensor;
using tensorflow::TensorShape;
using tensorflow::errors::InvalidArgument;

// Calls `work` with the activation as a constant.
template <typename Work>
void WithActivation(Activation activation, const Work& work) {
  using A = Activation;
  switch (activation) {
    case A::kIdentity:
      return work(std::integral_constant<A, A::kIdentity>());
    case A::kRelu:
      return work(std::integral_constant<A, A::kRelu>());
    case A::kLeakyRelu:
      return work(std::integral_constant<A, A::kLeakyRelu>());
    case A::kElu:
      return work(std::integral_constant<A, A::kElu>());
    case A::kSelu:
      return work(std::integral_constant<A, A::kSelu>());
    case A::kSigmoid:
      return work(std::integral_constant<A, A::kSigmoid>());
    case A::kTanh:
      return work(std::integral_constant<A, A::kTanh>());
  }
}

absl::Status ReadActivation(OpKernelConstruction* context, Activation* activation) {
  static const char* const kNames[] = {"identity", "relu",    "leaky_relu", "elu",
                                       "selu",     "sigmoid", "tanh"};
  std::string name;
  TF_RETURN_IF_ERROR(context->GetAttr("activation", &name));
  for (int k = 0; k < 7; ++k) {
    if (name != kNames[k]) continue;
    *activation = static_cast<Activation>(k);
    return absl::OkStatus();
  }
  return InvalidArgument(context->def().op(), ": activation is ", name, ".");
}

#if GOOGLE_CUDA
template <typename T>
constexpr FloatType kFloatType = std::is_same_v<T, Eigen::half>       ? FloatType::kHalf
                                 : std::is_same_v<T, Eigen::bfloat16> ? FloatType::kBfloat16
                                 : std::is_same_v<T, float>           ? FloatType::kFloat
                                                                      : FloatType::kDouble;

void* StreamOf(OpKernelContext* context) {
  return context->op_device_context()->stream()->platform_specific_handle().stream;
}

void CheckLaunch(OpKernelContext* context, const char* error) {
  OP_REQUIRES(context, error == nullptr,
              tensorflow::errors::Internal(context->op_kernel().type_string(), ": ", error));
}
#endif

template <typename T, bool kGpu>
class FusedOp : public OpKernel {
 public:
  explicit FusedOp(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, ReadAttributes(context, &attributes_));
    OP_REQUIRES_OK(context, ReadActivation(context, &activation_));
  }

  void Compute(OpKernelContext* context) override {
    const Tensor& input = context->input(0);
    const Tensor& bias = context->input(1);
    Geometry g = attributes_;
    TensorShape shape;
    OP_REQUIRES_OK(context, Measure(type_string(), input.shape(), true, &g, &shape));
    const int64_t depth = g.channels * g.block();
    OP_REQUIRES(context, bias.dims() == 1 && bias.dim_size(0) == depth,
                InvalidArgument(type_string(), ": bias has shape ", bias.shape().DebugString(),
                                "; it must be [", depth, "], one for each input channel."));
    Tensor* output = nullptr;
    OP_REQUIRES_OK(context, context->allocate_output(0, shape, &output));
    if (output->NumElements() == 0) return;
#if GOOGLE_CUDA
    if constexpr (kGpu) {
      return CheckLaunch(context, LaunchFused(StreamOf(context), kFloatType<T>, activation_,
                                              input.data(), bias.data(), output->data(), g));
    }
#endif
    const Bands bands = FusedBandsOf(g, sizeof(T));
    const T* x = input.flat<T>().data();
    const T* b = bias.flat<T>().data();
    T* y = output->flat<T>().data();
    InParallel(context, bands.count, 3 * bands.bytes, [&](int64_t begin, int64_t end) {
      WithActivation(activation_, [&](auto activation) {
        FusedBands<activation()>(x, b, y, g, bands, begin, end);
      });
    });
  }

 private:
  Geometry attributes_;
  Activation activation_;
};

template <typename T, bool kGpu>
class FusedGradientOp : public OpKernel {
 public:
  explicit FusedGradientOp(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, ReadAttributes(context, &attributes_));
    OP_REQUIRES_OK(context, ReadActivation(context, &activation_));
  }

  void Compute(OpKernelContext* context) override {
    const Tensor& output = context->input(0);
    const Tensor& gradient = context->input(1);
    Geometry g = attributes_;
    TensorShape shape;
    OP_REQUIRES_OK(context, Measure(type_string(), output.shape(), false, &g, &shape));
    OP_REQUIRES(
        context, gradient.shape() == output.shape(),
        InvalidArgument(type_string(), ": output has shape ", output.shape().DebugString(),
                        ", its gradient ", gradient.shape().DebugString(), "; they must agree."));
    Tensor* dx = nullptr;
    Tensor* dbias = nullptr;
    const int64_t depth = g.channels * g.block();
    OP_REQUIRES_OK(context, context->allocate_output(0, shape, &dx));
    OP_REQUIRES_OK(context, context->allocate_output(1, TensorShape({depth}), &dbias));
#if GOOGLE_CUDA
    if constexpr (kGpu) return OnGpu(context, g, dx, dbias);
#endif
    const Bands bands = FusedBandsOf(g, sizeof(T));
    const int64_t parts = output.NumElements() == 0 ? 0 : GradientParts(bands);
    std::vector<double> sums(parts * depth);
    InParallel(context, parts, 6 * bands.bytes * (bands.count / std::max<int64_t>(1, parts)),
               [&](int64_t begin, int64_t end) {
                 for (int64_t part = begin; part < end; ++part) {
                   WithActivation(activation_, [&](auto activation) {
                     FusedGradientBands<activation()>(
                         output.flat<T>().data(), gradient.flat<T>().data(), dx->flat<T>().data(),
                         sums.data() + part * depth, g, bands, bands.count * part / parts,
                         bands.count * (part + 1) / parts);
                   });
                 }
               });
    for (int64_t k = 0; k < depth; ++k) {
      double sum = 0;
      for (int64_t part = 0; part < parts; ++part) sum += sums[part * depth + k];
      dbias->flat<T>()(k) = static_cast<T>(static_cast<Wide<T>>(sum));
    }
  }

 private:
#if GOOGLE_CUDA
  void OnGpu(OpKernelContext* context, const Geometry& g, Tensor* dx, Tensor* dbias) {
    Tensor sums;
    const TensorShape parts({FusedGradientSums(kFloatType<T>, g)});
    OP_REQUIRES_OK(context, context->allocate_temp(tensorflow::DT_DOUBLE, parts, &sums));
    CheckLaunch(context,
                LaunchFusedGradient(StreamOf(context), kFloatType<T>, activation_,
                                    context->input(0).data(), context->input(1).data(), dx->data(),
                                    dbias->data(), static_cast<double*>(sums.data()), g));
  }
#endif

  Geometry attributes_;
  Activation activation_;
};

#define TFAE_REGISTER_ON(T, device, gpu)                                               \
  REGISTER_KERNEL_BUILDER(                                                             \
      Name("SubpixelShuffleBiasActivation").Device(device).TypeConstraint<T>("T"),     \
      FusedOp<T, gpu>);                                                                \
  REGISTER_KERNEL_BUILDER(                                                             \
      Name("SubpixelShuffleBiasActivationGrad").Device(device).TypeConstraint<T>("T"), \
      FusedGradientOp<T, gpu>);
#if GOOGLE_CUDA
#define TFAE_REGISTER(T)                 \
  TFAE_REGISTER_ON(T, DEVICE_CPU, false) \
  TFAE_REGISTER_ON(T, DEVICE_GPU, true)
#else
#define TFAE_REGISTER(T) TFAE_REGISTER_ON(T, DEVICE_CPU, false)
#endif
TFAE_REGISTER(Eigen::half);
TFAE_REGISTER(Eigen::bfloat16);
TFAE_REGISTER(float);
TFAE_REGISTER(double);
#undef TFAE_REGISTER
#undef TFAE_REGISTER_ON

}  // namespace
}  // namespace tfae
