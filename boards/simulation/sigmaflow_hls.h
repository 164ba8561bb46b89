// What the expression language of sigmaflow has and C++ lacks, for synthesis and for simulation: WebAssembly's minimum, maximum
// and conversions, rounding to even, words of streams and of memory. Needs ap_int.h and hls_stream.h, the tool's own or those beside this file.
// C simulation needs -ffp-contract=off: every operation of float rounds once.
#ifndef SIGMAFLOW_HLS_H
#define SIGMAFLOW_HLS_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include <ap_int.h>
#include <hls_stream.h>

/// The whole product, a circuit of its own that those who call it share.
inline ap_uint<64> wholeProduct(ap_uint<32> a, ap_uint<32> b) {
#pragma HLS INLINE off
#pragma HLS PIPELINE II=1
  return a * b;
}

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
inline ap_uint<32> sharedLow(ap_uint<32> a, ap_uint<32> b) {
#pragma HLS INLINE
  return ap_uint<32>(wholeProduct(a, b));
}
inline ap_uint<32> sharedHigh(ap_uint<32> a, ap_uint<32> b) {
#pragma HLS INLINE
  return ap_uint<32>(wholeProduct(a, b) >> 32);
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
inline float magnitude(float a) {
#pragma HLS INLINE
  return floatOf(int32_t(bitsOf(a).to_int() & 0x7fffffff));
}
/// By its bits, so that a - b as a + opposite(b) stays a sum, which shares its core with other sums.
inline float opposite(float a) {
#pragma HLS INLINE
  return floatOf(uint32_t(bitsOf(a).to_int()) ^ 0x80000000u);
}
inline bool isNegative(float a) {
#pragma HLS INLINE
  return bitsOf(a) < 0;
}
// Order and rounding work on the bits: integers of the fabric, which take neither a float core nor its time, and flush nothing.

inline bool isNaN(float a) {
#pragma HLS INLINE
  return (bitsOf(a).to_int() & 0x7fffffff) > 0x7f800000;
}
/// Integers in the order of the floats, -0 below +0.
inline int32_t rank(float a) {
#pragma HLS INLINE
  const int32_t i = bitsOf(a).to_int();
  return i < 0 ? i ^ 0x7fffffff : i;
}
inline bool areZero(float a, float b) {
#pragma HLS INLINE
  return ((bitsOf(a).to_int() | bitsOf(b).to_int()) & 0x7fffffff) == 0;
}
inline bool isLess(float a, float b) {
#pragma HLS INLINE
  return !isNaN(a) && !isNaN(b) && rank(a) < rank(b) && !areZero(a, b);
}
inline bool isEqual(float a, float b) {
#pragma HLS INLINE
  return !isNaN(a) && !isNaN(b) && (rank(a) == rank(b) || areZero(a, b));
}
inline bool isAtMost(float a, float b) {
#pragma HLS INLINE
  return !isNaN(a) && !isNaN(b) && (rank(a) <= rank(b) || areZero(a, b));
}
/// WebAssembly's: NaN where one is, and -0 below +0.
inline float minimum(float a, float b) {
#pragma HLS INLINE
  return isNaN(a) ? a : isNaN(b) || rank(b) < rank(a) ? b : a;
}
inline float maximum(float a, float b) {
#pragma HLS INLINE
  return isNaN(a) ? a : isNaN(b) || rank(a) < rank(b) ? b : a;
}
/// Towards zero; out of range the nearest integer of the type, of NaN 0.
template <int bits, bool isSigned> typename integer<bits, isSigned>::type truncated(float a) {
#pragma HLS INLINE
  typedef integer<bits, isSigned> to;
  const float end = floatOf(int32_t((127 + (isSigned ? bits - 1 : bits)) << 23)); // 2 to that power
  if (isNaN(a)) return typename to::type(0);
  if (isAtMost(end, a)) return to::most();
  if (isAtMost(a, isSigned ? -end : 0.0f)) return to::least();
  return isSigned ? typename to::type(int64_t(a)) : typename to::type(uint64_t(a));
}
/// To the nearest integer, half to even; the sign of zero stays.
inline float nearest(float a) {
#pragma HLS INLINE
  const uint32_t bits = uint32_t(bitsOf(a).to_int());
  const uint32_t sign = bits & 0x80000000u;
  const int exponent = int(bits >> 23 & 255);
  if (exponent >= 150) return a; // all beyond 2 to the 23rd are integers
  if (exponent < 126) return floatOf(sign);
  if (exponent == 126) return floatOf((bits & 0x7fffffu) == 0 ? sign : sign | 0x3f800000u); // below one: a half goes to zero
  const int places = 150 - exponent;
  const uint32_t unit = uint32_t(1) << places;
  return floatOf((bits + (unit >> 1) - 1 + (bits >> places & 1)) & ~(unit - 1));
}
inline float roundDown(float a) {
#pragma HLS INLINE
  const uint32_t bits = uint32_t(bitsOf(a).to_int());
  const int exponent = int(bits >> 23 & 255);
  if (exponent >= 150) return a;
  if (exponent < 127) return isNegative(a) && bits << 1 != 0 ? -1.0f : floatOf(bits & 0x80000000u);
  const uint32_t below = (uint32_t(1) << (150 - exponent)) - 1;
  return floatOf((isNegative(a) ? bits + below : bits) & ~below);
}
inline float squareRoot(float a) {
#pragma HLS INLINE
  return sqrtf(a);
}
// ---- Memory outside of the circuit

/// An element as its bits lie in memory, in `width` of them, and back.
template <int width> ap_uint<width> bitsInMemory(float a) {
#pragma HLS INLINE
  return ap_uint<width>(bitsOf(a));
}
template <int width, int N> ap_uint<width> bitsInMemory(ap_int<N> a) {
#pragma HLS INLINE
  return ap_uint<width>(ap_int<width>(a));
}
template <int width, int N> ap_uint<width> bitsInMemory(ap_uint<N> a) {
#pragma HLS INLINE
  return ap_uint<width>(a);
}
template <class T> struct element {
  template <int width> static T of(ap_uint<width> a) {
#pragma HLS INLINE
    return T(a);
  }
};
template <> struct element<float> {
  template <int width> static float of(ap_uint<width> a) {
#pragma HLS INLINE
    return floatOf(ap_int<32>(a));
  }
};

/// Words of a bus of `bits` taken apart: N elements at once, of `width` bits in memory each, the lowest first.
template <class T, int N, int bits, int width> struct unpacker {
  ap_uint<bits + N * width> held;
  ap_uint<8> count;
  unpacker() : held(0), count(0) {}
  /// True where the next elements need one word more.
  bool isShort() const {
#pragma HLS INLINE
    return N * width == bits || count < ap_uint<8>(N);
  }
  void take(ap_uint<bits> next) {
#pragma HLS INLINE
    if (N * width == bits) held = next;
    else held |= ap_uint<bits + N * width>(next) << (count.to_int() * width);
    count += ap_uint<8>(bits / width);
  }
  word<T, N> next() {
#pragma HLS INLINE
    word<T, N> out;
    for (int i = 0; i < N; ++i) {
#pragma HLS UNROLL
      out.data[i] = element<T>::of(ap_uint<width>(held >> (i * width)));
    }
    held >>= N * width;
    count -= ap_uint<8>(N);
    return out;
  }
};

/// The other way: N elements at once put together to words of a bus.
template <class T, int N, int bits, int width> struct packer {
  ap_uint<2 * bits> held;
  ap_uint<8> count;
  packer() : held(0), count(0) {}
  bool isFull() const {
#pragma HLS INLINE
    return N * width == bits || count >= ap_uint<8>(bits / width);
  }
  void put(const word<T, N> &in) {
#pragma HLS INLINE
    ap_uint<2 * bits> all = 0;
    for (int i = 0; i < N; ++i) {
#pragma HLS UNROLL
      all |= ap_uint<2 * bits>(bitsInMemory<width>(in.data[i])) << (i * width);
    }
    if (N * width == bits) held = all;
    else held |= all << (count.to_int() * width);
    count += ap_uint<8>(N);
  }
  /// A whole word, or the elements that are left and zeros.
  ap_uint<bits> next() {
#pragma HLS INLINE
    const ap_uint<bits> out = ap_uint<bits>(held);
    held >>= bits;
    count -= ap_uint<8>(bits / width);
    return out;
  }
};

#ifndef __SYNTHESIS__
/// Bytes of a tensor as words of memory and back, for test benches on machines whose lowest byte is the first, as on the board. What
/// the last word has more is zero.
template <int bits> void wordsOf(const void *bytes, size_t count, ap_uint<bits> *words) {
  for (size_t at = 0; at < count; at += bits / 8) {
    uint64_t w = 0;
    memcpy(&w, static_cast<const char *>(bytes) + at, count - at < bits / 8 ? count - at : bits / 8);
    words[at / (bits / 8)] = ap_uint<bits>(w);
  }
}
template <int bits> void bytesOf(const ap_uint<bits> *words, size_t count, void *bytes) {
  for (size_t at = 0; at < count; at += bits / 8) {
    const uint64_t w = words[at / (bits / 8)].to_uint64();
    memcpy(static_cast<char *>(bytes) + at, &w, count - at < bits / 8 ? count - at : bits / 8);
  }
}
#endif

} // namespace sigmaflow

#endif
