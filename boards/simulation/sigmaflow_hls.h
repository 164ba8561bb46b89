// What the expression language of sigmaflow has and C++ lacks, for synthesis and for simulation: WebAssembly's minimum, maximum
// and conversions, rounding to even, words of streams. Needs ap_int.h and hls_stream.h, the tool's own or those beside this file.
// C simulation needs -ffp-contract=off: every operation of float rounds once.
#ifndef SIGMAFLOW_HLS_H
#define SIGMAFLOW_HLS_H

#include <math.h>
#include <stdint.h>

#include <ap_int.h>
#include <hls_stream.h>

namespace sigmaflow {

template <bool b, class T, class F> struct either {
  typedef T type;
};
template <class T, class F> struct either<false, T, F> {
  typedef F type;
};

/// The elements of constant arrays: of their own width in a circuit. For g++ they are native, as it takes minutes to make a
/// hundred thousand of the others; what is read is converted, so no value differs.
template <int bits, bool isSigned> struct rom {
#ifdef __SYNTHESIS__
  typedef typename either<isSigned, ap_int<bits>, ap_uint<bits> >::type type;
#else
  typedef typename either<isSigned, typename either<(bits <= 8), int8_t, typename either<(bits <= 16), int16_t, int32_t>::type>::type,
                             typename either<(bits <= 8), uint8_t, typename either<(bits <= 16), uint16_t, uint32_t>::type>::type>::type type;
#endif
};

/// Elements that go through a stream together.
template <class T, int N> struct word {
  T data[N];
};

// ---- Indices

inline int floorDivide(int a, int by) {
#pragma HLS INLINE
  return a >= 0 ? a / by : -((-a + by - 1) / by);
}
inline int floorRemainder(int a, int by) {
#pragma HLS INLINE
  return a - floorDivide(a, by) * by;
}
template <int N> int clampIndex(ap_int<N> a, int lo, int hi) {
#pragma HLS INLINE
  return a < ap_int<32>(lo) ? lo : a > ap_int<32>(hi) ? hi : a.to_int();
}
template <int N> int clampIndex(ap_uint<N> a, int lo, int hi) {
#pragma HLS INLINE
  return clampIndex(ap_int<N + 1>(a), lo, hi);
}

// ---- Integers

template <class T> T least(T a, T b) {
#pragma HLS INLINE
  return a < b ? a : b;
}
template <class T> T greatest(T a, T b) {
#pragma HLS INLINE
  return a > b ? a : b;
}
template <int N> ap_int<N + 1> magnitude(ap_int<N> a) {
#pragma HLS INLINE
  const ap_int<N + 1> wide = a;
  return a < 0 ? ap_int<N + 1>(-wide) : wide;
}
template <int N> ap_uint<N> magnitude(ap_uint<N> a) {
#pragma HLS INLINE
  return a;
}
template <int N> int countOnes(ap_uint<N> a) {
#pragma HLS INLINE
  int count = 0;
  for (int i = 0; i < N; ++i) {
#pragma HLS UNROLL
    count += (a >> i).to_int() & 1;
  }
  return count;
}
template <int N> int countOnes(ap_int<N> a) {
#pragma HLS INLINE
  return countOnes(ap_uint<N>(a));
}
inline ap_uint<32> productLow(ap_uint<32> a, ap_uint<32> b) {
#pragma HLS INLINE
  return ap_uint<32>(a * b);
}
inline ap_uint<32> productHigh(ap_uint<32> a, ap_uint<32> b) {
#pragma HLS INLINE
  return ap_uint<32>((a * b) >> 32);
}

/// The integers of `bits`.
template <int bits, bool isSigned> struct integer {
  typedef ap_uint<bits> type;
  static type most() { return ~type(0); }
  static type least() { return type(0); }
};
template <int bits> struct integer<bits, true> {
  typedef ap_int<bits> type;
  static type least() { return type(1) << (bits - 1); }
  static type most() { return ~least(); }
};

/// An integer as one of another width, clamped to it. Compared in a signed type of both: the tool's headers compare 32 and 64 bits
/// of unlike signs as C++ does.
template <int bits, bool isSigned, int N> typename integer<bits, isSigned>::type clamped(ap_int<N> a) {
#pragma HLS INLINE
  typedef integer<bits, isSigned> to;
  typedef ap_int<(N > bits ? N : bits) + 1> both;
  return both(a) < both(to::least()) ? to::least() : both(a) > both(to::most()) ? to::most() : typename to::type(a);
}
template <int bits, bool isSigned, int N> typename integer<bits, isSigned>::type clamped(ap_uint<N> a) {
#pragma HLS INLINE
  return clamped<bits, isSigned>(ap_int<N + 1>(a));
}

// ---- Floats

inline ap_int<32> bitsOf(float a) {
#pragma HLS INLINE
  union {
    float f;
    int32_t i;
  } u;
  u.f = a;
  return ap_int<32>(u.i);
}
inline float floatOf(int32_t a) {
#pragma HLS INLINE
  union {
    float f;
    int32_t i;
  } u;
  u.i = a;
  return u.f;
}
inline float floatOf(uint32_t a) {
#pragma HLS INLINE
  return floatOf(int32_t(a));
}
inline float floatOf(ap_int<32> a) {
#pragma HLS INLINE
  return floatOf(int32_t(a.to_int()));
}
template <int N> float toFloat(ap_int<N> a) {
#pragma HLS INLINE
  return float(a.to_int64());
}
template <int N> float toFloat(ap_uint<N> a) {
#pragma HLS INLINE
  return float(a.to_uint64());
}
/// Towards zero; out of range the nearest integer of the type, of NaN 0.
template <int bits, bool isSigned> typename integer<bits, isSigned>::type truncated(float a) {
#pragma HLS INLINE
  typedef integer<bits, isSigned> to;
  const float end = floatOf(int32_t((127 + (isSigned ? bits - 1 : bits)) << 23)); // 2 to that power
  if (a != a) return typename to::type(0);
  if (a >= end) return to::most();
  if (isSigned ? a <= -end : a <= 0.0f) return to::least();
  return isSigned ? typename to::type(int64_t(a)) : typename to::type(uint64_t(a));
}
inline float magnitude(float a) {
#pragma HLS INLINE
  return floatOf(int32_t(bitsOf(a).to_int() & 0x7fffffff));
}
inline bool isNegative(float a) {
#pragma HLS INLINE
  return bitsOf(a) < 0;
}
/// To the nearest integer, half to even; the sign of zero stays.
inline float nearest(float a) {
#pragma HLS INLINE
  const float whole = 8388608.0f; // all beyond are integers
  if (!(magnitude(a) < whole)) return a;
  const float rounded = (magnitude(a) + whole) - whole;
  return isNegative(a) ? -rounded : rounded;
}
inline float roundDown(float a) {
#pragma HLS INLINE
  const float n = nearest(a);
  const float down = n > a ? n - 1.0f : n;
  return down == 0.0f && isNegative(a) ? -0.0f : down;
}
inline float squareRoot(float a) {
#pragma HLS INLINE
  return sqrtf(a);
}
/// WebAssembly's: NaN where one is, and -0 below +0.
inline float minimum(float a, float b) {
#pragma HLS INLINE
  if (a != a) return a;
  if (b != b) return b;
  if (a == b) return isNegative(a) ? a : b;
  return a < b ? a : b;
}
inline float maximum(float a, float b) {
#pragma HLS INLINE
  if (a != a) return a;
  if (b != b) return b;
  if (a == b) return isNegative(a) ? b : a;
  return a > b ? a : b;
}

} // namespace sigmaflow

#endif
