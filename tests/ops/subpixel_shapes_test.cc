// The shape functions of the sub-pixel ops, asked as TensorFlow asks them.

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "tensorflow/core/framework/node_def_builder.h"
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/shape_inference.h"
#include "tensorflow/core/public/version.h"

namespace {

using tensorflow::DataType;
using tensorflow::NodeDefBuilder;
using tensorflow::PartialTensorShape;
using tensorflow::shape_inference::InferenceContext;

constexpr int64_t kUnknown = -1;
int failures = 0;

struct Attributes {
  std::vector<int> block = {2, 3};
  std::string data_format = "NHWC";
};

// The shapes of all outputs in one text, or what the shape function refuses.
std::string Infer(const std::string& op, const std::vector<PartialTensorShape>& inputs,
                  const Attributes& attributes) {
  const tensorflow::OpRegistrationData* registration = nullptr;
  absl::Status status = tensorflow::OpRegistry::Global()->LookUp(op, &registration);
  if (!status.ok()) return std::string(status.message());
  NodeDefBuilder builder("node", op);
  for (size_t i = 0; i < inputs.size(); ++i) builder.Input("x", i, tensorflow::DT_FLOAT);
  tensorflow::NodeDef node;
  status = builder.Attr("block_size", attributes.block)
               .Attr("data_format", attributes.data_format)
               .Finalize(&node);
  if (!status.ok()) return std::string(status.message());
  InferenceContext context(TF_GRAPH_DEF_VERSION, tensorflow::AttrSlice(node), registration->op_def,
                           inputs, {}, {}, {});
  status = context.Run(registration->shape_inference_fn);
  if (!status.ok()) return std::string(status.message());
  std::string text;
  for (int i = 0; i < context.num_outputs(); ++i) text += context.DebugString(context.output(i));
  return text;
}

void Expect(const std::string& op, const std::vector<PartialTensorShape>& inputs,
            const std::string& wanted, const Attributes& attributes = {}) {
  const std::string came = Infer(op, inputs, attributes);
  if (came.rfind(wanted, 0) == 0) return;
  std::printf("%s: came %s, wanted %s\n", op.c_str(), came.c_str(), wanted.c_str());
  ++failures;
}

PartialTensorShape Shape(std::vector<int64_t> sizes) { return PartialTensorShape(sizes); }

}  // namespace

int main() {
  const Attributes nchw{{2, 3}, "NCHW"};
  const PartialTensorShape unknown;

  Expect("SubpixelShuffle", {Shape({5, 4, 7, 12})}, "[5,8,21,2]");
  Expect("SubpixelShuffle", {Shape({5, 12, 4, 7})}, "[5,2,8,21]", nchw);
  Expect("SubpixelUnshuffle", {Shape({5, 8, 21, 2})}, "[5,4,7,12]");
  Expect("SubpixelUnshuffle", {Shape({5, 2, 8, 21})}, "[5,12,4,7]", nchw);

  // What is known stays known, and an unknown rank becomes 4.
  Expect("SubpixelShuffle", {Shape({kUnknown, 4, kUnknown, 12})}, "[?,8,?,2]");
  Expect("SubpixelShuffle", {Shape({5, 4, 7, kUnknown})}, "[5,8,21,?]");
  Expect("SubpixelShuffle", {unknown}, "[?,?,?,?]");
  Expect("SubpixelShuffle", {Shape({0, 4, 7, 12})}, "[0,8,21,2]");

  Expect("SubpixelShuffleBiasActivation", {Shape({5, 4, 7, 12}), Shape({12})}, "[5,8,21,2]");
  Expect("SubpixelShuffleBiasActivation", {Shape({5, 4, 7, 12}), Shape({kUnknown})}, "[5,8,21,2]");
  Expect("SubpixelShuffleBiasActivationGrad", {Shape({5, 8, 21, 2}), unknown}, "[5,4,7,12][12]");
  Expect("SubpixelShuffleBiasActivationGrad", {Shape({5, kUnknown, 21, 2}), Shape({5, 8, 21, 2})},
         "[5,4,7,12][12]");

  Expect("SubpixelShuffle", {Shape({4, 7, 12})}, "Shape must be rank 4 but is rank 3");
  Expect("SubpixelShuffle", {Shape({5, 4, 7, 13})},
         "the number of channels is 13; it must be a multiple of 6.");
  Expect("SubpixelUnshuffle", {Shape({5, 9, 21, 2})},
         "the height is 9; it must be a multiple of 2.");
  Expect("SubpixelUnshuffle", {Shape({5, 8, 20, 2})},
         "the width is 20; it must be a multiple of 3.");
  Expect("SubpixelShuffle", {Shape({5, 4, 7, 12})}, "block_size must be two integers of at least 1",
         {{0, 3}, "NHWC"});
  Expect("SubpixelShuffle", {Shape({5, 4, 7, 12})}, "block_size must be two integers of at least 1",
         {{2, 3, 1}, "NHWC"});
  Expect("SubpixelShuffle", {Shape({0, int64_t{1} << 62, 1, 12})},
         "a size of 4611686018427387904 times 2 does not fit 64 bits.");
  Expect("SubpixelShuffleBiasActivation", {Shape({5, 4, 7, 12}), Shape({11})},
         "the bias has length 11; it must be 12, one for each input channel.");
  Expect("SubpixelShuffleBiasActivationGrad", {Shape({5, 8, 21, 2}), Shape({5, 8, 21, 3})},
         "Dimension 3 in both shapes must be equal");

  std::printf(failures ? "%d failures\n" : "shapes: ok\n", failures);
  return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
