// What the emitted C++ of all Programs shares: the parts of the closed language (codegen/ir/program.ts) for which C++ has no
// operator, each by its meaning. Not here: anything of one Program (cplusplus.ts).
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

using wide = __int128;

// Indices: quotients round down, remainders are never negative.
constexpr int64_t floorDiv(int64_t i, int64_t by) { return i >= 0 ? i / by : -((by - 1 - i) / by); }
constexpr int64_t floorRem(int64_t i, int64_t by) { return i - floorDiv(i, by) * by; }
constexpr bool within(int64_t i, int64_t lo, int64_t hi) { return lo <= i && i < hi; }

template <class T> inline T read(const uint8_t* at) { T value; std::memcpy(&value, at, sizeof value); return value; }
template <class T> inline void write(uint8_t* at, T value) { std::memcpy(at, &value, sizeof value); }
template <class T, class F> inline T bitcast(F from) { static_assert(sizeof(T) == sizeof(F)); T to; std::memcpy(&to, &from, sizeof to); return to; }

/** The low bits, sign- or zero-extended. */
template <class T, int bits, bool isSigned> constexpr T wrap(uint64_t value) {
  const uint64_t high = value << (64 - bits);
  return isSigned ? T(int64_t(high) >> (64 - bits)) : T(high >> (64 - bits));
}
/** A field of a container; `bit` counts from the base. */
template <class Container, int bits, bool isSigned> inline int32_t readField(const uint8_t* base, int64_t bit) {
  constexpr int width = 8 * sizeof(Container);
  return wrap<int32_t, bits, isSigned>(read<Container>(base + bit / width * sizeof(Container)) >> bit % width);
}
template <class Container, int bits> inline void writeField(uint8_t* base, int64_t bit, uint64_t code) {
  constexpr int width = 8 * sizeof(Container);
  uint8_t* at = base + bit / width * sizeof(Container);
  const uint64_t mask = ((uint64_t(1) << bits) - 1) << bit % width;
  write<Container>(at, Container((read<Container>(at) & ~mask) | (code << bit % width & mask)));
}

// As WebAssembly has them: NaN propagates, -0 < +0.
inline float minimum(float a, float b) { return a != a ? a : b != b ? b : a == b ? (std::signbit(a) ? a : b) : a < b ? a : b; }
inline float maximum(float a, float b) { return a != a ? a : b != b ? b : a == b ? (std::signbit(a) ? b : a) : a > b ? a : b; }
/** Truncates and clamps; NaN gives 0. */
template <class T> inline T saturate(float x, T lo, T hi) {
  if (x != x) return 0;
  const double whole = std::trunc(double(x));
  return whole <= double(lo) ? lo : whole >= double(hi) ? hi : T(whole);
}
template <class T> constexpr T magnitude(T x) { return x < 0 ? -x : x; }
