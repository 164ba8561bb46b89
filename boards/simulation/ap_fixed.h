// Fixed-point numbers for C simulation with g++ alone: ap_fixed<W, I, Q, O> and ap_ufixed as Vitis HLS has them, to 128 bits: W bits,
// I of them before the point, a multiple of 2^(I-W). Operators are exact (a result that needs more than 128 bits does not
// compile); only assignment loses bits, first by the quantization mode, then by the overflow mode. Comparisons are exact for unlike
// signs too. Not here: saturation bits and sign-magnitude wrapping. Synthesis uses the tool's own header of this name.
#ifndef SIGMAFLOW_SIMULATION_AP_FIXED_H
#define SIGMAFLOW_SIMULATION_AP_FIXED_H

#include <cmath>

#include "ap_int.h"

enum ap_q_mode {
  AP_RND,         // nearest, ties up
  AP_RND_ZERO,    // nearest, ties to zero
  AP_RND_MIN_INF, // nearest, ties down
  AP_RND_INF,     // nearest, ties away from zero
  AP_RND_CONV,    // nearest, ties to even
  AP_TRN,         // down
  AP_TRN_ZERO     // towards zero
};
enum ap_o_mode {
  AP_SAT,      // to the nearest of the range
  AP_SAT_ZERO, // to zero
  AP_SAT_SYM,  // to the nearest of the range without its least number
  AP_WRAP      // the low bits
};

template <int W, int I, ap_q_mode Q = AP_TRN, ap_o_mode O = AP_WRAP, int = 0> struct ap_fixed;
template <int W, int I, ap_q_mode Q = AP_TRN, ap_o_mode O = AP_WRAP, int = 0> struct ap_ufixed;

namespace ap_simulation {

template <int W, int I, bool S, ap_q_mode Q = AP_TRN, ap_o_mode O = AP_WRAP> struct fixedPoint {
  typedef ap_ufixed<W, I, Q, O> type;
};
template <int W, int I, ap_q_mode Q, ap_o_mode O> struct fixedPoint<W, I, true, Q, O> {
  typedef ap_fixed<W, I, Q, O> type;
};

/// An integer of 129 bits in two's complement, the sign apart.
struct wideInteger {
  bool isNegative;
  widestBits bits;
};
inline widestBits shiftedRight(const wideInteger &x, int by) {
  if (by >= 128) return x.isNegative ? ~widestBits(0) : 0;
  return x.isNegative ? ~(~x.bits >> by) : x.bits >> by;
}

/// Divides by 2^drop and rounds by the mode.
inline wideInteger quantized(wideInteger x, int drop, ap_q_mode mode) {
  const wideInteger down = {x.isNegative, shiftedRight(x, drop)};
  const bool half = shiftedRight(x, drop - 1) & 1; // the highest bit that is dropped
  const bool rest = drop > 128 ? x.bits != 0 : drop > 1 && (x.bits & ((widestBits(1) << (drop - 1)) - 1)) != 0;
  const bool up = mode == AP_TRN          ? false
                  : mode == AP_TRN_ZERO   ? x.isNegative && (half || rest)
                  : mode == AP_RND        ? half
                  : mode == AP_RND_ZERO   ? half && (rest || x.isNegative)
                  : mode == AP_RND_MIN_INF ? half && rest
                  : mode == AP_RND_INF    ? half && (rest || !x.isNegative)
                                          : half && (rest || (down.bits & 1));
  const wideInteger next = {x.isNegative && down.bits != ~widestBits(0), down.bits + 1};
  return up ? next : down;
}

/// The bits of x / 2^drop as a number of W bits.
template <int W, bool S> widestBits fitted(wideInteger x, int drop, ap_q_mode quantization, ap_o_mode overflow) {
  const widestBits one = 1;
  const widestBits most = S ? (one << (W - 1)) - 1 : ~widestBits(0) >> (128 - W);
  const widestBits least = S ? ~most : 0;
  bool isBeyond = false;
  if (drop > 0) x = quantized(x, drop, quantization);
  if (drop < 0 && x.bits != 0) {
    const wideInteger left = {x.isNegative, drop <= -128 ? 0 : x.bits << -drop};
    isBeyond = shiftedRight(left, -drop) != x.bits;
    x = left;
  }
  if (overflow == AP_WRAP) return x.bits;
  const bool isOver = !x.isNegative && (isBeyond || x.bits > most);
  const bool isUnder = x.isNegative && (isBeyond || !S || x.bits < least);
  if (overflow == AP_SAT_ZERO) return isOver || isUnder ? 0 : x.bits;
  if (isOver) return most;
  if (overflow == AP_SAT_SYM && S && x.isNegative && (isUnder || x.bits == least)) return -most;
  return isUnder ? least : x.bits;
}

template <int W, int I, bool S, ap_q_mode Q, ap_o_mode O> class fixed {
public:
  static_assert(W >= 1 && W <= 128, "C simulation has 1 to 128 bits");
  typedef base<W, S> raw;
  typedef typename raw::store store;
  typedef typename raw::bits bits;
  typedef typename fixedPoint<W, I, S, Q, O>::type self;
  typedef void fixedPointTag;
  enum { width = W, iwidth = I, fraction = W - I };
  static const ap_q_mode qmode = Q;
  static const ap_o_mode omode = O;

  fixed() : v(0) {}
  template <int W2, int I2, bool S2, ap_q_mode Q2, ap_o_mode O2> fixed(const fixed<W2, I2, S2, Q2, O2> &x) : v(fit(base<W2, S2>(x.v), W2 - I2)) {}
  template <int N, bool T> fixed(const base<N, T> &x) : v(fit(x, 0)) {}
  template <class Owner> fixed(const bitReference<Owner> &x) : v(fit(ap_uint<1>(x), 0)) {}
#define AP_SIMULATION_FROM(X) \
  fixed(X x) : v(fit(typename native<X>::type(x), 0)) {}
  AP_SIMULATION_EACH_NATIVE(AP_SIMULATION_FROM)
#undef AP_SIMULATION_FROM
  fixed(double x) {
    if (x - x != 0) stop("a fixed-point number is made of a float that is not finite");
    int exponent;
    const widest whole = static_cast<widest>(std::ldexp(std::frexp(x, &exponent), 53));
    const wideInteger exact = {whole < 0, static_cast<widestBits>(whole)};
    v = lowBits<W, S>(fitted<W, S>(exact, 53 - exponent - fraction, Q, O));
  }
  fixed(float x) : v(fixed(static_cast<double>(x)).v) {}

  /// Towards zero.
  widest wholePart() const {
    const base<W, S> own(v);
    const wideInteger exact = {isNegative(own), static_cast<widestBits>(v)};
    return static_cast<widest>(fitted<128, true>(exact, fraction, AP_TRN_ZERO, AP_WRAP));
  }
  double to_double() const { return std::ldexp(static_cast<double>(v), -fraction); }
  float to_float() const { return std::ldexp(static_cast<float>(v), -fraction); }
  int to_int() const { return static_cast<int>(wholePart()); }
  unsigned to_uint() const { return static_cast<unsigned>(wholePart()); }
  long long to_int64() const { return static_cast<long long>(wholePart()); }
  unsigned long long to_uint64() const { return static_cast<unsigned long long>(wholePart()); }
  explicit operator bool() const { return v != 0; }
  explicit operator float() const { return to_float(); }
  explicit operator double() const { return to_double(); }
  template <class X, class = typename native<X>::truth> explicit operator X() const { return static_cast<X>(wholePart()); }
  int length() const { return W; }
  bool is_neg() const { return isNegative(raw(v)); }
  bool is_zero() const { return v == 0; }

  bool operator!() const { return v == 0; }
  self operator+() const { return self(*this); }
  self operator~() const { return of<self>(~v); }
  ap_fixed<W + 1, I + 1> operator-() const { return of<ap_fixed<W + 1, I + 1> >((-raw(v)).v); }
  self operator<<(int by) const { return of<self>(shifted(raw(v), by).v); }
  self operator>>(int by) const { return of<self>(shifted(raw(v), -static_cast<long long>(by)).v); }
  self &operator++() { return *this += 1; }
  self &operator--() { return *this -= 1; }
  self operator++(int) {
    const self before(*this);
    ++*this;
    return before;
  }
  self operator--(int) {
    const self before(*this);
    --*this;
    return before;
  }
#define AP_SIMULATION_ASSIGN(op) \
  template <class X> self &operator op##=(const X &x) { \
    v = self(static_cast<const self &>(*this) op x).v; \
    return static_cast<self &>(*this); \
  }
  AP_SIMULATION_ASSIGN(+)
  AP_SIMULATION_ASSIGN(-)
  AP_SIMULATION_ASSIGN(*)
  AP_SIMULATION_ASSIGN(/)
  AP_SIMULATION_ASSIGN(&)
  AP_SIMULATION_ASSIGN(|)
  AP_SIMULATION_ASSIGN(^)
  AP_SIMULATION_ASSIGN(<<)
  AP_SIMULATION_ASSIGN(>>)
#undef AP_SIMULATION_ASSIGN

  // Bits of the number, the lowest that of 2^(I-W).
  bool operator[](int i) const { return readBits(i, i) != 0; }
  bitReference<fixed> operator[](int i) { return bitReference<fixed>(*this, i); }
  ap_uint<W> range(int hi, int lo) const { return ap_uint<W>(readBits(hi, lo)); }
  ap_uint<W> range() const { return ap_uint<W>(readBits(W - 1, 0)); }
  ap_uint<W> operator()(int hi, int lo) const { return ap_uint<W>(readBits(hi, lo)); }
  rangeReference<fixed> range(int hi, int lo) { return rangeReference<fixed>(*this, hi, lo); }
  rangeReference<fixed> range() { return rangeReference<fixed>(*this, W - 1, 0); }
  rangeReference<fixed> operator()(int hi, int lo) { return rangeReference<fixed>(*this, hi, lo); }
  bits readBits(int hi, int lo) const { return raw(v).readBits(hi, lo); }
  void writeBits(int hi, int lo, bits x) {
    raw own(v);
    own.writeBits(hi, lo, x);
    v = own.v;
  }

  /// The number as an integer, in units of 2^(I-W).
  store v;

private:
  template <int N, bool T> static store fit(const base<N, T> &x, int fractionOf) {
    const wideInteger exact = {isNegative(x), static_cast<widestBits>(x.v)};
    return lowBits<W, S>(fitted<W, S>(exact, fractionOf - fraction, Q, O));
  }
  template <class To> static To of(store raw) {
    To to;
    to.v = raw;
    return to;
  }
};

} // namespace ap_simulation

#define AP_SIMULATION_TYPE(name, S) \
  template <int W, int I, ap_q_mode Q, ap_o_mode O, int B> struct name : ap_simulation::fixed<W, I, S, Q, O> { \
    static_assert(B == 0, "C simulation has no saturation bits"); \
    typedef ap_simulation::fixed<W, I, S, Q, O> base; \
    name() {} \
    template <class X> name(const X &x) : base(x) {} \
  };
AP_SIMULATION_TYPE(ap_fixed, true)
AP_SIMULATION_TYPE(ap_ufixed, false)
#undef AP_SIMULATION_TYPE

namespace ap_simulation {

template <int W, int I, bool S, int W2, int I2, bool S2> struct fixedResult {
  enum {
    whole = both(I, S, I2, S2), places = most(W - I, W2 - I2), isSigned = S || S2,
    bitsA = W + places - (W - I), bitsB = W2 + places - (W2 - I2) // of the operands with these places
  };
  typedef typename fixedPoint<whole + 1 + places, whole + 1, isSigned>::type sum;
  typedef ap_fixed<whole + 1 + places, whole + 1> difference;
  typedef typename fixedPoint<W + W2, I + I2, isSigned>::type product;
  typedef typename fixedPoint<whole + places, whole, isSigned>::type logic;
  typedef typename fixedPoint<W + S2 + most(W2 - I2, 0), I + S2 + W2 - I2, isSigned>::type quotient;
  typedef base<bitsA, S> a;
  typedef base<bitsB, S2> b;
};
/// A number's integer with more places.
template <class To, int N, bool S> To widened(const base<N, S> &x) {
  return To(static_cast<typename To::bits>(x.v) << (To::width - N));
}

#define AP_SIMULATION_TWO template <int W, int I, bool S, ap_q_mode Q, ap_o_mode O, int W2, int I2, bool S2, ap_q_mode Q2, ap_o_mode O2>
#define AP_SIMULATION_OPERATOR(op, kind) \
  AP_SIMULATION_TWO typename fixedResult<W, I, S, W2, I2, S2>::kind operator op(const fixed<W, I, S, Q, O> &a, const fixed<W2, I2, S2, Q2, O2> &b) { \
    typedef fixedResult<W, I, S, W2, I2, S2> result; \
    typename result::kind to; \
    to.v = (widened<typename result::a>(base<W, S>(a.v)) op widened<typename result::b>(base<W2, S2>(b.v))).v; \
    return to; \
  }
AP_SIMULATION_OPERATOR(+, sum)
AP_SIMULATION_OPERATOR(-, difference)
AP_SIMULATION_OPERATOR(&, logic)
AP_SIMULATION_OPERATOR(|, logic)
AP_SIMULATION_OPERATOR(^, logic)
#undef AP_SIMULATION_OPERATOR
AP_SIMULATION_TWO typename fixedResult<W, I, S, W2, I2, S2>::product operator*(const fixed<W, I, S, Q, O> &a, const fixed<W2, I2, S2, Q2, O2> &b) {
  typename fixedResult<W, I, S, W2, I2, S2>::product to;
  to.v = (base<W, S>(a.v) * base<W2, S2>(b.v)).v;
  return to;
}
/// Towards zero.
AP_SIMULATION_TWO typename fixedResult<W, I, S, W2, I2, S2>::quotient operator/(const fixed<W, I, S, Q, O> &a, const fixed<W2, I2, S2, Q2, O2> &b) {
  typename fixedResult<W, I, S, W2, I2, S2>::quotient to;
  to.v = (widened<base<W + most(W2 - I2, 0), S> >(base<W, S>(a.v)) / base<W2, S2>(b.v)).v;
  return to;
}
#define AP_SIMULATION_COMPARE(op) \
  AP_SIMULATION_TWO bool operator op(const fixed<W, I, S, Q, O> &a, const fixed<W2, I2, S2, Q2, O2> &b) { \
    typedef fixedResult<W, I, S, W2, I2, S2> result; \
    return widened<typename result::a>(base<W, S>(a.v)) op widened<typename result::b>(base<W2, S2>(b.v)); \
  } \
  template <int W, int I, bool S, ap_q_mode Q, ap_o_mode O> bool operator op(const fixed<W, I, S, Q, O> &a, double b) { return a.to_double() op b; } \
  template <int W, int I, bool S, ap_q_mode Q, ap_o_mode O> bool operator op(double a, const fixed<W, I, S, Q, O> &b) { return a op b.to_double(); }
AP_SIMULATION_COMPARE(<)
AP_SIMULATION_COMPARE(<=)
AP_SIMULATION_COMPARE(>)
AP_SIMULATION_COMPARE(>=)
AP_SIMULATION_COMPARE(==)
AP_SIMULATION_COMPARE(!=)
#undef AP_SIMULATION_COMPARE
#undef AP_SIMULATION_TWO

/// An integer operand as the fixed-point number of all its values; other types have none of these.
template <int N, bool S> struct wholeFixed {
  enum { width = N, isSigned = S };
  typedef typename fixedPoint<N, N, S>::type type;
  typedef bool truth;
};
template <class X, class = void> struct exactFixed {};
template <class X> struct exactFixed<X, typename conditional<native<X>::width != 0, void, X>::type> : wholeFixed<native<X>::width, native<X>::isSigned> {};
template <int N> struct exactFixed<ap_int<N>, void> : wholeFixed<N, true> {};
template <int N> struct exactFixed<ap_uint<N>, void> : wholeFixed<N, false> {};
template <class Owner> struct exactFixed<bitReference<Owner>, void> : wholeFixed<1, false> {};
template <class Owner> struct exactFixed<rangeReference<Owner>, void> : wholeFixed<Owner::width, false> {};

#define AP_SIMULATION_MIXED template <int W, int I, bool S, ap_q_mode Q, ap_o_mode O, class X>
#define AP_SIMULATION_INTEGER(op, kind) \
  AP_SIMULATION_MIXED typename fixedResult<W, I, S, exactFixed<X>::width, exactFixed<X>::width, exactFixed<X>::isSigned>::kind operator op(const fixed<W, I, S, Q, O> &a, const X &b) { \
    return a op typename exactFixed<X>::type(b); \
  } \
  AP_SIMULATION_MIXED typename fixedResult<exactFixed<X>::width, exactFixed<X>::width, exactFixed<X>::isSigned, W, I, S>::kind operator op(const X &a, const fixed<W, I, S, Q, O> &b) { \
    return typename exactFixed<X>::type(a) op b; \
  }
AP_SIMULATION_INTEGER(+, sum)
AP_SIMULATION_INTEGER(-, difference)
AP_SIMULATION_INTEGER(*, product)
AP_SIMULATION_INTEGER(/, quotient)
AP_SIMULATION_INTEGER(&, logic)
AP_SIMULATION_INTEGER(|, logic)
AP_SIMULATION_INTEGER(^, logic)
#undef AP_SIMULATION_INTEGER
#define AP_SIMULATION_INTEGER(op) \
  AP_SIMULATION_MIXED typename exactFixed<X>::truth operator op(const fixed<W, I, S, Q, O> &a, const X &b) { return a op typename exactFixed<X>::type(b); } \
  AP_SIMULATION_MIXED typename exactFixed<X>::truth operator op(const X &a, const fixed<W, I, S, Q, O> &b) { return typename exactFixed<X>::type(a) op b; }
AP_SIMULATION_INTEGER(<)
AP_SIMULATION_INTEGER(<=)
AP_SIMULATION_INTEGER(>)
AP_SIMULATION_INTEGER(>=)
AP_SIMULATION_INTEGER(==)
AP_SIMULATION_INTEGER(!=)
#undef AP_SIMULATION_MIXED
#undef AP_SIMULATION_INTEGER

template <class Traits, int W, int I, bool S, ap_q_mode Q, ap_o_mode O> std::basic_ostream<char, Traits> &operator<<(std::basic_ostream<char, Traits> &to, const fixed<W, I, S, Q, O> &a) {
  return to << a.to_double();
}

} // namespace ap_simulation

#endif
