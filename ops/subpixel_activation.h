// The activations of the fused op and their derivatives as functions of the output, so that the
// backward pass needs one stored tensor and not two.
//
// Written without branches and, for float, without calls into the math library, so that a loop
// over them becomes vector code.

#ifndef TFAE_OPS_SUBPIXEL_ACTIVATION_H_
#define TFAE_OPS_SUBPIXEL_ACTIVATION_H_

#include <cmath>
#include <cstdint>
#include <cstring>

#include "subpixel.h"

namespace tfae {

enum class Activation { kIdentity, kRelu, kLeakyRelu, kElu, kSelu, kSigmoid, kTanh };

constexpr double kLeakySlope = 0.2f;  // what the float attribute of tf.nn.leaky_relu holds
// Klambauer et al. 2017, https://arxiv.org/abs/1706.02515, equation 14.
constexpr double kSeluScale = 1.0507009873554804934193349852946;
constexpr double kSeluScaleAlpha = 1.7580993408473768599402175208123;

// exp(x) = scale * (1 + rest), with x cut to what a float can hold. After Cephes' expf.
TFAE_HOST_DEVICE inline void SplitExp(float x, float* scale, float* rest) {
  x = x < -87.3f ? -87.3f : x;
  x = x > 88.3f ? 88.3f : x;
  constexpr float kRound = 12582912.f;  // 1.5 * 2^23: adding it rounds to an integer
  const float shifted = x * 1.44269504088896341f + kRound;
  const float n = shifted - kRound;
  const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  *rest = p * r * r + r;
  int32_t bits;
  std::memcpy(&bits, &shifted, sizeof(bits));
  // The integer is in the low bits of the shifted number; it becomes the exponent.
  bits = static_cast<int32_t>((static_cast<uint32_t>(bits) + 127u) << 23);
  std::memcpy(scale, &bits, sizeof(bits));
}

TFAE_HOST_DEVICE inline float Exp(float x) {
  float scale, rest;
  SplitExp(x, &scale, &rest);
  return scale * rest + scale;
}

// exp(x) - 1, exact to the last bits near 0 too.
TFAE_HOST_DEVICE inline float Expm1(float x) {
  float scale, rest;
  SplitExp(x, &scale, &rest);
  return scale * rest + (scale - 1.f);
}

TFAE_HOST_DEVICE inline double Exp(double x) { return std::exp(x); }
TFAE_HOST_DEVICE inline double Expm1(double x) { return std::expm1(x); }

// F is the type of the computation: double for double, float for all narrower types.
template <Activation kActivation, typename F>
TFAE_HOST_DEVICE inline F Activate(F x) {
  if constexpr (kActivation == Activation::kRelu) {
    return x > F(0) ? x : (x < F(0) ? F(0) : x);  // NaN stays NaN
  } else if constexpr (kActivation == Activation::kLeakyRelu) {
    return x > F(0) ? x : F(kLeakySlope) * x;
  } else if constexpr (kActivation == Activation::kElu) {
    const F e = Expm1(x > F(0) ? F(0) : x);
    return x > F(0) ? x : e;
  } else if constexpr (kActivation == Activation::kSelu) {
    const F e = F(kSeluScaleAlpha) * Expm1(x > F(0) ? F(0) : x);
    return x > F(0) ? F(kSeluScale) * x : e;
  } else if constexpr (kActivation == Activation::kSigmoid) {
    return F(1) / (F(1) + Exp(-x));
  } else if constexpr (kActivation == Activation::kTanh) {
    const F e = Expm1(F(-2) * (x < F(0) ? -x : x));
    const F t = -e / (e + F(2));
    return x < F(0) ? -t : t;
  } else {
    return x;
  }
}

// d activation / d x, at the x whose activation is y.
template <Activation kActivation, typename F>
TFAE_HOST_DEVICE inline F Derivative(F y) {
  if constexpr (kActivation == Activation::kRelu) {
    return y > F(0) ? F(1) : F(0);
  } else if constexpr (kActivation == Activation::kLeakyRelu) {
    return y > F(0) ? F(1) : F(kLeakySlope);
  } else if constexpr (kActivation == Activation::kElu) {
    return y < F(0) ? y + F(1) : F(1);
  } else if constexpr (kActivation == Activation::kSelu) {
    return y < F(0) ? y + F(kSeluScaleAlpha) : F(kSeluScale);
  } else if constexpr (kActivation == Activation::kSigmoid) {
    return y * (F(1) - y);
  } else if constexpr (kActivation == Activation::kTanh) {
    return F(1) - y * y;
  } else {
    return F(1);
  }
}

}  // namespace tfae

#endif  // TFAE_OPS_SUBPIXEL_ACTIVATION_H_
