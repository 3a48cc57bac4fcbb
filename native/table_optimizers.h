// How a segment of a row learns. Each optimizer is a pure function of the gradient, the values and its own state, in
// float32 and in the order that is written here, so that every machine gives the same bits.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <stdexcept>

namespace feedmill::table {

enum class Optimizer : std::uint32_t { sgd, adagrad, rowwise_adagrad, adam, ftrl };

// A run of columns that start and learn alike.
struct Segment {
  std::uint32_t width;
  Optimizer optimizer;
  // sgd: learning rate. adagrad, rowwise_adagrad: learning rate, initial accumulator. adam: learning rate, beta1, beta2,
  // epsilon. ftrl: alpha, beta, l1.
  std::array<float, 4> parameters;
  float initial_scale;
  float l2;
  float clip;  // the norm that a gradient is cut to; 0: none

  // Floats of state.
  std::uint32_t state() const noexcept {
    switch (optimizer) {
      case Optimizer::sgd: return 0;
      case Optimizer::adagrad: return width;
      case Optimizer::rowwise_adagrad: return 1;
      case Optimizer::adam: return 2 * width + 2;
      case Optimizer::ftrl: return 2 * width;
    }
    return 0;
  }

  void start(float* state) const noexcept {
    switch (optimizer) {
      case Optimizer::sgd: return;
      case Optimizer::adagrad:
      case Optimizer::rowwise_adagrad: std::fill_n(state, this->state(), parameters[1]); return;
      case Optimizer::adam:
        std::fill_n(state, 2 * width, 0.0f);
        std::fill_n(state + 2 * width, 2, 1.0f);
        return;
      case Optimizer::ftrl: std::fill_n(state, 2 * width, 0.0f); return;
    }
  }
};

// Duchi, Hazan and Singer (2011), the diagonal case.
[[gnu::always_inline]] inline void adagrad(const Segment& s, const float* __restrict gradient, float* __restrict values,
                    float* __restrict accumulators) noexcept {
  const float rate = s.parameters[0], l2 = s.l2;
  for (std::uint32_t c = 0; c < s.width; ++c) {
    const float g = gradient[c] + l2 * values[c];
    const float accumulator = accumulators[c] + g * g;
    accumulators[c] = accumulator;
    values[c] -= rate * g / std::sqrt(accumulator);
  }
}

// One accumulator for the row, which grows by the mean of the squares (Gupta et al., 2014; as in torchrec and FBGEMM).
[[gnu::always_inline]] inline void rowwise_adagrad(const Segment& s, const float* __restrict gradient, float* __restrict values,
                            float* __restrict accumulator) noexcept {
  float squares = 0.0f;
  for (std::uint32_t c = 0; c < s.width; ++c) {
    const float g = gradient[c] + s.l2 * values[c];
    squares += g * g;
  }
  *accumulator += squares / static_cast<float>(s.width);
  const float root = std::sqrt(*accumulator);
  for (std::uint32_t c = 0; c < s.width; ++c)
    values[c] -= s.parameters[0] * (gradient[c] + s.l2 * values[c]) / root;
}

// Kingma and Ba (2015), lazily: a row that is not updated does not move, and its bias is corrected by its own updates, of
// which the state keeps the powers of both betas.
[[gnu::always_inline]] inline void adam(const Segment& s, const float* __restrict gradient, float* __restrict values,
                 float* __restrict state) noexcept {
  const auto [rate, beta1, beta2, epsilon] = s.parameters;
  float* __restrict first = state;
  float* __restrict second = state + s.width;
  float* __restrict powers = state + 2 * s.width;
  powers[0] *= beta1;
  powers[1] *= beta2;
  const float correction1 = 1.0f - powers[0], correction2 = 1.0f - powers[1];
  const float rest1 = 1.0f - beta1, rest2 = 1.0f - beta2;
  for (std::uint32_t c = 0; c < s.width; ++c) {
    const float g = gradient[c] + s.l2 * values[c];
    first[c] = beta1 * first[c] + rest1 * g;
    second[c] = beta2 * second[c] + rest2 * (g * g);
    values[c] -= rate * (first[c] / correction1) / (std::sqrt(second[c] / correction2) + epsilon);
  }
}

// Per coordinate (McMahan et al., 2013, algorithm 1).
[[gnu::always_inline]] inline void ftrl(const Segment& s, const float* __restrict gradient, float* __restrict values,
                 float* __restrict state) noexcept {
  const float alpha = s.parameters[0], beta = s.parameters[1], l1 = s.parameters[2];
  float* __restrict z = state;
  float* __restrict n = state + s.width;
  for (std::uint32_t c = 0; c < s.width; ++c) {
    const float g = gradient[c];
    const float squares = n[c] + g * g;
    const float root = std::sqrt(squares);
    z[c] += g - (root - std::sqrt(n[c])) / alpha * values[c];
    n[c] = squares;
    const float beyond = std::fabs(z[c]) - l1;
    const float value = std::copysign(beyond, -z[c]) / ((beta + root) / alpha + s.l2);
    values[c] = beyond > 0.0f ? value : 0.0f;
  }
}

// One update of a segment. May cut the gradient to the segment's norm, in place.
[[gnu::always_inline]] inline void apply(const Segment& s, float* gradient, float* values, float* state) noexcept {
  if (s.clip > 0.0f) {
    float squares = 0.0f;
    for (std::uint32_t c = 0; c < s.width; ++c) squares += gradient[c] * gradient[c];
    const float norm = std::sqrt(squares);
    if (norm > s.clip) {
      const float scale = s.clip / norm;
      for (std::uint32_t c = 0; c < s.width; ++c) gradient[c] *= scale;
    }
  }
  switch (s.optimizer) {
    case Optimizer::sgd:
      for (std::uint32_t c = 0; c < s.width; ++c) values[c] -= s.parameters[0] * (gradient[c] + s.l2 * values[c]);
      return;
    case Optimizer::adagrad: return adagrad(s, gradient, values, state);
    case Optimizer::rowwise_adagrad: return rowwise_adagrad(s, gradient, values, state);
    case Optimizer::adam: return adam(s, gradient, values, state);
    case Optimizer::ftrl: return ftrl(s, gradient, values, state);
  }
}

}  // namespace feedmill::table
