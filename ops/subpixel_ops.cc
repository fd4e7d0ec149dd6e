// Registration of the sub-pixel ops: attributes, shapes, documentation.

#include <string>
#include <vector>

#include "subpixel.h"
#include "tensorflow/core/framework/common_shape_fns.h"
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/shape_inference.h"

namespace tfae {
namespace {

using tensorflow::errors::InvalidArgument;
using tensorflow::shape_inference::DimensionHandle;
using tensorflow::shape_inference::InferenceContext;
using tensorflow::shape_inference::ShapeHandle;

// `dim` * `factor`, unknown where `dim` is.
absl::Status Times(InferenceContext* c, DimensionHandle dim, int64_t factor, DimensionHandle* out) {
  if (!c->ValueKnown(dim)) {
    *out = c->UnknownDim();
    return absl::OkStatus();
  }
  const int64_t product = SafeProduct(c->Value(dim), factor);
  if (product < 0) {
    return InvalidArgument("a size of ", c->Value(dim), " times ", factor,
                           " does not fit 64 bits.");
  }
  *out = c->MakeDim(product);
  return absl::OkStatus();
}

// `dim` / `factor`, which must leave no remainder.
absl::Status Over(InferenceContext* c, const char* what, DimensionHandle dim, int64_t factor,
                  DimensionHandle* out) {
  if (!c->ValueKnown(dim)) {
    *out = c->UnknownDim();
    return absl::OkStatus();
  }
  if (c->Value(dim) % factor != 0) {
    return InvalidArgument(what, " is ", c->Value(dim), "; it must be a multiple of ", factor, ".");
  }
  *out = c->MakeDim(c->Value(dim) / factor);
  return absl::OkStatus();
}

absl::Status ReadBlock(InferenceContext* c, int64_t* rh, int64_t* rw) {
  std::vector<int64_t> block;
  TF_RETURN_IF_ERROR(c->GetAttr("block_size", &block));
  if (block.size() != 2 || block[0] < 1 || block[1] < 1 || SafeProduct(block[0], block[1]) < 0) {
    return InvalidArgument("block_size must be two integers of at least 1.");
  }
  *rh = block[0];
  *rw = block[1];
  return absl::OkStatus();
}

// The shape of the other side of `from`, and in `depth` the number of small channels.
template <bool kShuffle>
absl::Status OtherSide(InferenceContext* c, ShapeHandle from, ShapeHandle* out,
                       DimensionHandle* depth) {
  ShapeHandle in;
  TF_RETURN_IF_ERROR(c->WithRank(from, 4, &in));
  int64_t rh, rw;
  TF_RETURN_IF_ERROR(ReadBlock(c, &rh, &rw));
  std::string format;
  TF_RETURN_IF_ERROR(c->GetAttr("data_format", &format));
  const bool nchw = format == "NCHW";
  const int channel_axis = nchw ? 1 : 3;
  const int height_axis = nchw ? 2 : 1;
  DimensionHandle height = c->Dim(in, height_axis);
  DimensionHandle width = c->Dim(in, height_axis + 1);
  DimensionHandle channels = c->Dim(in, channel_axis);
  if (kShuffle) {
    *depth = channels;
    TF_RETURN_IF_ERROR(Times(c, height, rh, &height));
    TF_RETURN_IF_ERROR(Times(c, width, rw, &width));
    TF_RETURN_IF_ERROR(Over(c, "the number of channels", channels, rh * rw, &channels));
  } else {
    TF_RETURN_IF_ERROR(Over(c, "the height", height, rh, &height));
    TF_RETURN_IF_ERROR(Over(c, "the width", width, rw, &width));
    TF_RETURN_IF_ERROR(Times(c, channels, rh * rw, &channels));
    *depth = channels;
  }
  const DimensionHandle batch = c->Dim(in, 0);
  *out = nchw ? c->MakeShape({batch, channels, height, width})
              : c->MakeShape({batch, height, width, channels});
  return absl::OkStatus();
}

template <bool kShuffle>
absl::Status InferShape(InferenceContext* c) {
  ShapeHandle out;
  DimensionHandle depth;
  TF_RETURN_IF_ERROR(OtherSide<kShuffle>(c, c->input(0), &out, &depth));
  c->set_output(0, out);
  return absl::OkStatus();
}

absl::Status InferFusedShape(InferenceContext* c) {
  ShapeHandle out, bias;
  DimensionHandle depth;
  TF_RETURN_IF_ERROR(OtherSide<true>(c, c->input(0), &out, &depth));
  TF_RETURN_IF_ERROR(c->WithRank(c->input(1), 1, &bias));
  DimensionHandle length = c->Dim(bias, 0);
  if (c->ValueKnown(depth) && c->ValueKnown(length) && c->Value(depth) != c->Value(length)) {
    return InvalidArgument("the bias has length ", c->Value(length), "; it must be ",
                           c->Value(depth), ", one for each input channel.");
  }
  c->set_output(0, out);
  return absl::OkStatus();
}

absl::Status InferFusedGradientShapes(InferenceContext* c) {
  ShapeHandle both, out;
  DimensionHandle depth;
  TF_RETURN_IF_ERROR(c->Merge(c->input(0), c->input(1), &both));
  TF_RETURN_IF_ERROR(OtherSide<false>(c, both, &out, &depth));
  c->set_output(0, out);
  c->set_output(1, c->Vector(depth));
  return absl::OkStatus();
}

REGISTER_OP("SubpixelShuffle")
    .Input("input: T")
    .Output("output: T")
    .Attr("T: {half, bfloat16, float, double, uint8, int8, int32, int64}")
    .Attr("block_size: list(int) >= 2")
    .Attr("mode: {'DCR', 'CRD'} = 'DCR'")
    .Attr("data_format: {'NHWC', 'NCHW'} = 'NHWC'")
    .SetShapeFn(InferShape<true>)
    .Doc(R"doc(
Moves channels into space: `[N, H, W, C*rh*rw]` becomes `[N, H*rh, W*rw, C]`.

block_size: `[rh, rw]`, rows and columns of the block that a small pixel becomes.
mode: The order of the input's channels. 'DCR': channel `(i*rw + j)*C + c` becomes the pixel (i, j)
  of the block in channel c, as in tf.nn.depth_to_space. 'CRD': channel `(c*rh + i)*rw + j` does,
  as in PyTorch's PixelShuffle.
data_format: 'NHWC', or 'NCHW' with the channels in front.
)doc");

REGISTER_OP("SubpixelUnshuffle")
    .Input("input: T")
    .Output("output: T")
    .Attr("T: {half, bfloat16, float, double, uint8, int8, int32, int64}")
    .Attr("block_size: list(int) >= 2")
    .Attr("mode: {'DCR', 'CRD'} = 'DCR'")
    .Attr("data_format: {'NHWC', 'NCHW'} = 'NHWC'")
    .SetShapeFn(InferShape<false>)
    .Doc(R"doc(
Moves space into channels: `[N, H*rh, W*rw, C]` becomes `[N, H, W, C*rh*rw]`.

The inverse of SubpixelShuffle with the same attributes.
)doc");

REGISTER_OP("SubpixelShuffleBiasActivation")
    .Input("input: T")
    .Input("bias: T")
    .Output("output: T")
    .Attr("T: {half, bfloat16, float, double}")
    .Attr("block_size: list(int) >= 2")
    .Attr(
        "activation: {'identity', 'relu', 'leaky_relu', 'elu', 'selu', 'sigmoid', 'tanh'} = "
        "'identity'")
    .Attr("mode: {'DCR', 'CRD'} = 'DCR'")
    .Attr("data_format: {'NHWC', 'NCHW'} = 'NHWC'")
    .SetShapeFn(InferFusedShape)
    .Doc(R"doc(
Computes `SubpixelShuffle(activation(input + bias))` in one pass.

bias: `[C*rh*rw]`, one value for each channel of `input`.
activation: leaky_relu has the default slope of tf.nn.leaky_relu, 0.2.
)doc");

REGISTER_OP("SubpixelShuffleBiasActivationGrad")
    .Input("output: T")
    .Input("gradient: T")
    .Output("input_gradient: T")
    .Output("bias_gradient: T")
    .Attr("T: {half, bfloat16, float, double}")
    .Attr("block_size: list(int) >= 2")
    .Attr(
        "activation: {'identity', 'relu', 'leaky_relu', 'elu', 'selu', 'sigmoid', 'tanh'} = "
        "'identity'")
    .Attr("mode: {'DCR', 'CRD'} = 'DCR'")
    .Attr("data_format: {'NHWC', 'NCHW'} = 'NHWC'")
    .SetShapeFn(InferFusedGradientShapes)
    .Doc(R"doc(
The gradients of SubpixelShuffleBiasActivation with the same attributes, from its output.
)doc");

}  // namespace
}  // namespace tfae
