// Integers of any width for C simulation with g++ alone: ap_int<N> and ap_uint<N> as Vitis HLS has them, to 128 bits. Operators
// give results that hold every value (one that needs more than 128 bits does not compile); assignment keeps the low bits.
// Comparisons are exact for unlike signs too, where the tool's own header compares as C++ does. Synthesis uses that header.
#ifndef SIGMAFLOW_SIMULATION_AP_INT_H
#define SIGMAFLOW_SIMULATION_AP_INT_H

#include <cstdio>
#include <cstdlib>
#include <iosfwd>
#include <stdint.h>

template <int N> struct ap_int;
template <int N> struct ap_uint;

namespace ap_simulation {

typedef __int128 widest;
typedef unsigned __int128 widestBits;

template <bool B, class T, class F> struct conditional {
  typedef T type;
};
template <class T, class F> struct conditional<false, T, F> {
  typedef F type;
};

/// What holds the value of N bits; the sign of the storage is that of the type.
template <int N, bool S> struct storage {
  typedef typename conditional<(N <= 32), typename conditional<S, int32_t, uint32_t>::type,
                               typename conditional<(N <= 64), typename conditional<S, int64_t, uint64_t>::type,
                                                    typename conditional<S, widest, widestBits>::type>::type>::type type;
};
template <int N, bool S> struct integer {
  typedef ap_uint<N> type;
};
template <int N> struct integer<N, true> {
  typedef ap_int<N> type;
};

/// Native integers count as integers of their own width; other types have none of these.
template <class X> struct native {};
template <class X, int N, bool S> struct nativeOf {
  enum { width = N, isSigned = S };
  typedef typename integer<N, S>::type type;
  typedef bool truth;
  typedef int amount;
};
#define AP_SIMULATION_EACH_NATIVE(each) \
  each(bool) each(char) each(signed char) each(unsigned char) each(short) each(unsigned short) each(int) each(unsigned) each(long) \
  each(unsigned long) each(long long) each(unsigned long long) each(widest) each(widestBits)
#define AP_SIMULATION_NATIVE(X) \
  template <> struct native<X> : nativeOf<X, (static_cast<X>(2) == static_cast<X>(1)) ? 1 : int(sizeof(X)) * 8, (static_cast<X>(-1) < static_cast<X>(0))> {};
AP_SIMULATION_EACH_NATIVE(AP_SIMULATION_NATIVE)
#undef AP_SIMULATION_NATIVE

constexpr int most(int a, int b) { return a > b ? a : b; }
constexpr int least(int a, int b) { return a < b ? a : b; }
/// Bits that hold the values of both.
constexpr int both(int a, bool s, int b, bool t) { return s == t ? most(a, b) : s ? most(a, b + 1) : most(a + 1, b); }

inline void stop(const char *why) {
  std::fprintf(stderr, "%s\n", why);
  std::exit(1);
}

/// The low N bits, extended by the sign of the type.
template <int N, bool S, class X> typename storage<N, S>::type lowBits(X x) {
  typedef typename storage<N, S>::type store;
  const int rest = static_cast<int>(sizeof(store)) * 8 - N;
  return static_cast<store>(static_cast<store>(static_cast<typename storage<N, false>::type>(x) << rest) >> rest);
}

/// Digits with a sign and a prefix (0x, 0b, 0o) or none.
inline widest parsed(const char *text, int radix) {
  const bool isNegative = *text == '-';
  if (*text == '-' || *text == '+') ++text;
  if (*text == '0' && (text[1] == 'x' || text[1] == 'b' || text[1] == 'o')) {
    radix = text[1] == 'x' ? 16 : text[1] == 'b' ? 2 : 8;
    text += 2;
  }
  widestBits value = 0;
  for (; *text; ++text) {
    const int lower = *text | 32;
    const int digit = *text <= '9' ? *text - '0' : lower - 'a' + 10;
    if (digit < 0 || digit >= radix) stop("an integer is made of a text that is not one");
    value = value * static_cast<unsigned>(radix) + static_cast<unsigned>(digit);
  }
  return static_cast<widest>(isNegative ? -value : value);
}

template <class Owner> class bitReference;
template <class Owner> class rangeReference;

template <int N, bool S> class base {
public:
  static_assert(N >= 1 && N <= 128, "C simulation has 1 to 128 bits");
  typedef typename storage<N, S>::type store;
  typedef typename storage<N, false>::type bits;
  typedef typename integer<N, S>::type self;
  enum { width = N };

  base() : v(0) {}
  template <int M, bool T> base(const base<M, T> &x) : v(lowBits<N, S>(x.v)) {}
#define AP_SIMULATION_FROM(X) \
  base(X x) : v(lowBits<N, S>(x)) {}
  AP_SIMULATION_EACH_NATIVE(AP_SIMULATION_FROM)
#undef AP_SIMULATION_FROM
  /// Towards zero.
  base(float x) : v(lowBits<N, S>(static_cast<widest>(x))) {}
  base(double x) : v(lowBits<N, S>(static_cast<widest>(x))) {}
  template <class Fixed> base(const Fixed &x, typename Fixed::fixedPointTag * = 0) : v(lowBits<N, S>(x.wholePart())) {}
  explicit base(const char *text, int radix = 10) : v(lowBits<N, S>(parsed(text, radix))) {}

  operator store() const { return v; }
  int to_int() const { return static_cast<int>(v); }
  unsigned to_uint() const { return static_cast<unsigned>(v); }
  long to_long() const { return static_cast<long>(v); }
  unsigned long to_ulong() const { return static_cast<unsigned long>(v); }
  long long to_int64() const { return static_cast<long long>(v); }
  unsigned long long to_uint64() const { return static_cast<unsigned long long>(v); }
  bool to_bool() const { return v != 0; }
  double to_double() const { return static_cast<double>(v); }
  float to_float() const { return static_cast<float>(v); }
  int length() const { return N; }
  bool sign() const { return S && ((v >> (N - 1)) & 1); }
  bool iszero() const { return v == 0; }
  bool is_zero() const { return v == 0; }

  bool operator!() const { return v == 0; }
  self operator+() const { return self(v); }
  self operator~() const { return self(~v); }
  ap_int<N + 1> operator-() const { return ap_int<N + 1>(-static_cast<typename storage<N + 1, false>::type>(v)); }
  self &operator++() { return *this += 1; }
  self &operator--() { return *this -= 1; }
  self operator++(int) {
    const self before(v);
    ++*this;
    return before;
  }
  self operator--(int) {
    const self before(v);
    --*this;
    return before;
  }
#define AP_SIMULATION_ASSIGN(op) \
  template <int M, bool T> self &operator op##=(const base<M, T> &x) { \
    v = lowBits<N, S>(static_cast<bits>(v) op static_cast<bits>(x.v)); \
    return static_cast<self &>(*this); \
  } \
  template <class X> typename conditional<native<X>::width != 0, self &, void>::type operator op##=(X x) { return *this op##= typename native<X>::type(x); }
#define AP_SIMULATION_ASSIGN_RESULT(op) \
  template <class X> self &operator op##=(const X &x) { \
    v = self(static_cast<const self &>(*this) op x).v; \
    return static_cast<self &>(*this); \
  }
  AP_SIMULATION_ASSIGN(+)
  AP_SIMULATION_ASSIGN(-)
  AP_SIMULATION_ASSIGN(*)
  AP_SIMULATION_ASSIGN(&)
  AP_SIMULATION_ASSIGN(|)
  AP_SIMULATION_ASSIGN(^)
  AP_SIMULATION_ASSIGN_RESULT(/)
  AP_SIMULATION_ASSIGN_RESULT(%)
  AP_SIMULATION_ASSIGN_RESULT(<<)
  AP_SIMULATION_ASSIGN_RESULT(>>)
#undef AP_SIMULATION_ASSIGN
#undef AP_SIMULATION_ASSIGN_RESULT

  // Parts; ap_parts.h has what they give.
  bool operator[](int i) const { return readBits(i, i) != 0; }
  bool get_bit(int i) const { return readBits(i, i) != 0; }
  bool test(int i) const { return readBits(i, i) != 0; }
  bitReference<base> operator[](int i) { return bitReference<base>(*this, i); }
  bitReference<base> bit(int i) { return bitReference<base>(*this, i); }
  ap_uint<N> range(int hi, int lo) const { return ap_uint<N>(readBits(hi, lo)); }
  ap_uint<N> operator()(int hi, int lo) const { return ap_uint<N>(readBits(hi, lo)); }
  rangeReference<base> range(int hi, int lo) { return rangeReference<base>(*this, hi, lo); }
  rangeReference<base> range() { return rangeReference<base>(*this, N - 1, 0); }
  rangeReference<base> operator()(int hi, int lo) { return rangeReference<base>(*this, hi, lo); }
  void set(int i, bool x = true) { writeBits(i, i, x); }
  void set_bit(int i, bool x) { writeBits(i, i, x); }
  void clear(int i) { writeBits(i, i, 0); }
  void invert(int i) { writeBits(i, i, !test(i)); }
  bool and_reduce() const { return static_cast<bits>(~v) << (sizeof(bits) * 8 - N) == 0; }
  bool or_reduce() const { return v != 0; }
  bool xor_reduce() const {
    bool odd = false;
    for (int i = 0; i < N; ++i) odd ^= test(i);
    return odd;
  }
  bool nand_reduce() const { return !and_reduce(); }
  bool nor_reduce() const { return !or_reduce(); }
  bool xnor_reduce() const { return !xor_reduce(); }
  self reverse() const {
    self r;
    for (int i = 0; i < N; ++i) r.set(N - 1 - i, test(i));
    return r;
  }
  int countLeadingZeros() const {
    int n = 0;
    while (n < N && !test(N - 1 - n)) ++n;
    return n;
  }

  /// Bits hi to lo as an unsigned number.
  bits readBits(int hi, int lo) const {
    within(hi, lo);
    return static_cast<bits>(static_cast<bits>(static_cast<bits>(v) >> lo) & mask(hi - lo + 1));
  }
  void writeBits(int hi, int lo, bits x) {
    within(hi, lo);
    const bits part = static_cast<bits>(mask(hi - lo + 1) << lo);
    v = lowBits<N, S>(static_cast<bits>((static_cast<bits>(v) & ~part) | (static_cast<bits>(x << lo) & part)));
  }

  store v;

private:
  static bits mask(int n) { return static_cast<bits>(~static_cast<bits>(0)) >> (static_cast<int>(sizeof(bits)) * 8 - n); }
  static void within(int hi, int lo) {
    if (lo < 0 || hi < lo || hi >= N) {
      std::fprintf(stderr, "bits %d to %d of an integer of %d bits\n", hi, lo, N);
      std::exit(1);
    }
  }
};

} // namespace ap_simulation

#define AP_SIMULATION_TYPE(name, S) \
  template <int N> struct name : ap_simulation::base<N, S> { \
    typedef ap_simulation::base<N, S> base; \
    name() {} \
    template <class X> name(const X &x) : base(x) {} \
    explicit name(const char *text, int radix = 10) : base(text, radix) {} \
  };
AP_SIMULATION_TYPE(ap_int, true)
AP_SIMULATION_TYPE(ap_uint, false)
#undef AP_SIMULATION_TYPE

namespace ap_simulation {

template <int N, bool S, int M, bool T> struct result {
  enum { isSigned = S || T, of = both(N, S, M, T) };
  typedef typename integer<of + 1, isSigned>::type sum;
  typedef ap_int<of + 1> difference;
  typedef typename integer<N + M, isSigned>::type product;
  typedef typename integer<of, isSigned>::type logic;
  typedef typename integer<N + (T ? 1 : 0), isSigned>::type quotient;
  typedef typename integer<least(N, M + (S && !T ? 1 : 0)), S>::type remainder;
};

#define AP_SIMULATION_OPERATOR(op, kind) \
  template <int N, bool S, int M, bool T> typename result<N, S, M, T>::kind operator op(const base<N, S> &a, const base<M, T> &b) { \
    typedef typename result<N, S, M, T>::kind to; \
    return to(static_cast<typename to::bits>(a.v) op static_cast<typename to::bits>(b.v)); \
  }
AP_SIMULATION_OPERATOR(+, sum)
AP_SIMULATION_OPERATOR(-, difference)
AP_SIMULATION_OPERATOR(*, product)
AP_SIMULATION_OPERATOR(&, logic)
AP_SIMULATION_OPERATOR(|, logic)
AP_SIMULATION_OPERATOR(^, logic)
#undef AP_SIMULATION_OPERATOR

template <int N, bool S> bool isNegative(const base<N, S> &a) { return S && static_cast<typename storage<N, true>::type>(a.v) < 0; }
template <int N, bool S> widestBits magnitude(const base<N, S> &a) {
  return isNegative(a) ? -static_cast<widestBits>(a.v) : static_cast<widestBits>(a.v);
}

/// Towards zero, as of native integers.
template <int N, bool S, int M, bool T> typename result<N, S, M, T>::quotient operator/(const base<N, S> &a, const base<M, T> &b) {
  if (b.v == 0) stop("an integer is divided by zero");
  const widestBits q = magnitude(a) / magnitude(b);
  return typename result<N, S, M, T>::quotient(isNegative(a) != isNegative(b) ? -q : q);
}
/// Of the sign of the dividend.
template <int N, bool S, int M, bool T> typename result<N, S, M, T>::remainder operator%(const base<N, S> &a, const base<M, T> &b) {
  if (b.v == 0) stop("an integer is divided by zero");
  const widestBits r = magnitude(a) % magnitude(b);
  return typename result<N, S, M, T>::remainder(isNegative(a) ? -r : r);
}

/// Shifts keep the width; right of a signed value brings its sign in; by a negative number they go the other way.
template <int N, bool S> typename integer<N, S>::type shifted(const base<N, S> &a, long long left) {
  typedef typename integer<N, S>::type to;
  if (left >= 0) return left >= N ? to(0) : to(static_cast<typename to::bits>(a.v) << left);
  return -left >= N ? to(isNegative(a) ? -1 : 0) : to(a.v >> -left);
}
template <int N, bool S, class X> typename conditional<native<X>::width != 0, typename integer<N, S>::type, void>::type operator<<(const base<N, S> &a, X by) {
  return shifted(a, static_cast<long long>(by));
}
template <int N, bool S, class X> typename conditional<native<X>::width != 0, typename integer<N, S>::type, void>::type operator>>(const base<N, S> &a, X by) {
  return shifted(a, -static_cast<long long>(by));
}
template <int N, bool S, int M, bool T> typename integer<N, S>::type operator<<(const base<N, S> &a, const base<M, T> &by) { return shifted(a, by.to_int64()); }
template <int N, bool S, int M, bool T> typename integer<N, S>::type operator>>(const base<N, S> &a, const base<M, T> &by) { return shifted(a, -by.to_int64()); }

/// Exact whatever the signs.
template <int N, bool S, int M, bool T> bool isLess(const base<N, S> &a, const base<M, T> &b) {
  typedef typename storage<most(N, M), S && T>::type same;
  if (S != T && (isNegative(a) || isNegative(b))) return isNegative(a);
  return static_cast<same>(a.v) < static_cast<same>(b.v);
}
template <int N, bool S, int M, bool T> bool isEqual(const base<N, S> &a, const base<M, T> &b) {
  typedef typename storage<most(N, M), false>::type same;
  return isNegative(a) == isNegative(b) && static_cast<same>(a.v) == static_cast<same>(b.v);
}
#define AP_SIMULATION_COMPARE(op, value) \
  template <int N, bool S, int M, bool T> bool operator op(const base<N, S> &a, const base<M, T> &b) { return value; }
AP_SIMULATION_COMPARE(<, isLess(a, b))
AP_SIMULATION_COMPARE(<=, !isLess(b, a))
AP_SIMULATION_COMPARE(>, isLess(b, a))
AP_SIMULATION_COMPARE(>=, !isLess(a, b))
AP_SIMULATION_COMPARE(==, isEqual(a, b))
AP_SIMULATION_COMPARE(!=, !isEqual(a, b))
#undef AP_SIMULATION_COMPARE

#define AP_SIMULATION_NATIVE(op, kind) \
  template <int N, bool S, class X> typename result<N, S, native<X>::width, native<X>::isSigned>::kind operator op(const base<N, S> &a, X b) { return a op typename native<X>::type(b); } \
  template <int N, bool S, class X> typename result<native<X>::width, native<X>::isSigned, N, S>::kind operator op(X a, const base<N, S> &b) { return typename native<X>::type(a) op b; }
AP_SIMULATION_NATIVE(+, sum)
AP_SIMULATION_NATIVE(-, difference)
AP_SIMULATION_NATIVE(*, product)
AP_SIMULATION_NATIVE(/, quotient)
AP_SIMULATION_NATIVE(%, remainder)
AP_SIMULATION_NATIVE(&, logic)
AP_SIMULATION_NATIVE(|, logic)
AP_SIMULATION_NATIVE(^, logic)
#undef AP_SIMULATION_NATIVE
#define AP_SIMULATION_NATIVE(op) \
  template <int N, bool S, class X> typename native<X>::truth operator op(const base<N, S> &a, X b) { return a op typename native<X>::type(b); } \
  template <int N, bool S, class X> typename native<X>::truth operator op(X a, const base<N, S> &b) { return typename native<X>::type(a) op b; }
AP_SIMULATION_NATIVE(<)
AP_SIMULATION_NATIVE(<=)
AP_SIMULATION_NATIVE(>)
AP_SIMULATION_NATIVE(>=)
AP_SIMULATION_NATIVE(==)
AP_SIMULATION_NATIVE(!=)
#undef AP_SIMULATION_NATIVE

/// Decimal digits of 128 bits, hexadecimal where the stream says so of less.
template <class Traits, int N, bool S> std::basic_ostream<char, Traits> &operator<<(std::basic_ostream<char, Traits> &to, const base<N, S> &a) {
  typedef typename conditional<S, long long, unsigned long long>::type print;
  if (N <= 64) return to << static_cast<print>(a.v);
  char digits[41];
  int at = 40;
  digits[at] = 0;
  widestBits rest = magnitude(a);
  do digits[--at] = static_cast<char>('0' + static_cast<int>(rest % 10));
  while ((rest /= 10) != 0);
  if (isNegative(a)) digits[--at] = '-';
  return to << static_cast<const char *>(digits + at);
}

} // namespace ap_simulation

#include "ap_parts.h"

#endif
