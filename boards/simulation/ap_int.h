// Integers of any width for C simulation with g++ alone: ap_int<N> and ap_uint<N> as Vitis HLS has them, to 128 bits. Operators
// give results that hold every value; assignment keeps the low bits. Synthesis uses the tool's own header of this name.
#ifndef SIGMAFLOW_SIMULATION_AP_INT_H
#define SIGMAFLOW_SIMULATION_AP_INT_H

#include <stdint.h>

template <int N> struct ap_int;
template <int N> struct ap_uint;

namespace ap_simulation {

template <bool B, class T, class F> struct conditional {
  typedef T type;
};
template <class T, class F> struct conditional<false, T, F> {
  typedef F type;
};

/// What holds the value of N bits. 128 bits of the greatest widths; the sign of the storage is that of the type.
template <int N, bool S> struct storage {
  typedef typename conditional<(N <= 32), typename conditional<S, int32_t, uint32_t>::type,
                               typename conditional<(N <= 64), typename conditional<S, int64_t, uint64_t>::type,
                                                    typename conditional<S, __int128, unsigned __int128>::type>::type>::type type;
};
template <int N, bool S> struct integer {
  typedef ap_uint<N> type;
};
template <int N> struct integer<N, true> {
  typedef ap_int<N> type;
};

/// Width and sign of what the native types hold.
template <class T> struct native {
  enum { width = sizeof(T) * 8, isSigned = T(-1) < T(0) };
};
template <> struct native<bool> {
  enum { width = 1, isSigned = 0 };
};

constexpr int most(int a, int b) { return a > b ? a : b; }
/// Bits that hold the values of both.
constexpr int both(int a, bool s, int b, bool t) { return s == t ? most(a, b) : s ? most(a, b + 1) : most(a + 1, b); }

template <int N, bool S> class base {
public:
  static_assert(N >= 1 && N <= 128, "C simulation has 1 to 128 bits");
  typedef typename storage<N, S>::type store;
  enum { width = N };

  base() : v(0) {}
  template <int M, bool T> base(const base<M, T> &x) : v(cut(x.v)) {}
  base(bool x) : v(cut(x)) {}
  base(char x) : v(cut(x)) {}
  base(signed char x) : v(cut(x)) {}
  base(unsigned char x) : v(cut(x)) {}
  base(short x) : v(cut(x)) {}
  base(unsigned short x) : v(cut(x)) {}
  base(int x) : v(cut(x)) {}
  base(unsigned x) : v(cut(x)) {}
  base(long x) : v(cut(x)) {}
  base(unsigned long x) : v(cut(x)) {}
  base(long long x) : v(cut(x)) {}
  base(unsigned long long x) : v(cut(x)) {}
  base(__int128 x) : v(cut(x)) {}
  base(unsigned __int128 x) : v(cut(x)) {}
  explicit base(float x) : v(cut(static_cast<__int128>(x))) {}
  explicit base(double x) : v(cut(static_cast<__int128>(x))) {}

  int to_int() const { return static_cast<int>(v); }
  unsigned to_uint() const { return static_cast<unsigned>(v); }
  long long to_int64() const { return static_cast<long long>(v); }
  unsigned long long to_uint64() const { return static_cast<unsigned long long>(v); }
  bool to_bool() const { return v != 0; }
  double to_double() const { return static_cast<double>(v); }
  float to_float() const { return static_cast<float>(v); }
  int length() const { return N; }
  explicit operator bool() const { return v != 0; }
  explicit operator float() const { return to_float(); }
  explicit operator double() const { return to_double(); }

  bool operator[](int i) const { return (v >> i) & 1; }
  typename integer<N, S>::type operator~() const { return typename integer<N, S>::type(~v); }
  ap_int<(N < 128 ? N + 1 : N)> operator-() const;
  bool operator!() const { return v == 0; }

  store v;

private:
  /// The low N bits, extended by the sign of the type.
  template <class X> static store cut(X x) {
    typedef typename storage<N, false>::type bits;
    const int rest = static_cast<int>(sizeof(store)) * 8 - N;
    return static_cast<store>(static_cast<store>(static_cast<bits>(x) << rest) >> rest);
  }
};

} // namespace ap_simulation

template <int N> struct ap_int : ap_simulation::base<N, true> {
  typedef ap_simulation::base<N, true> base;
  ap_int() {}
  template <class X> ap_int(const X &x) : base(x) {}
};
template <int N> struct ap_uint : ap_simulation::base<N, false> {
  typedef ap_simulation::base<N, false> base;
  ap_uint() {}
  template <class X> ap_uint(const X &x) : base(x) {}
};

namespace ap_simulation {

template <int N, bool S> ap_int<(N < 128 ? N + 1 : N)> base<N, S>::operator-() const {
  return ap_int<(N < 128 ? N + 1 : N)>(-ap_int<(N < 128 ? N + 1 : N)>(*this).v);
}

template <int N, bool S, int M, bool T> struct result {
  enum {
    sumBits = both(N, S, M, T) + 1 > 128 ? 128 : both(N, S, M, T) + 1,
    productBits = N + M > 128 ? 128 : N + M,
    logicBits = both(N, S, M, T) > 128 ? 128 : both(N, S, M, T)
  };
  typedef typename integer<sumBits, (S || T)>::type sum;
  typedef ap_int<sumBits> difference;
  typedef typename integer<productBits, (S || T)>::type product;
  typedef typename integer<logicBits, (S || T)>::type logic;
};

template <int N, bool S, int M, bool T> typename result<N, S, M, T>::sum operator+(const base<N, S> &a, const base<M, T> &b) {
  typedef typename result<N, S, M, T>::sum to;
  return to(static_cast<typename to::store>(a.v) + static_cast<typename to::store>(b.v));
}
template <int N, bool S, int M, bool T> typename result<N, S, M, T>::difference operator-(const base<N, S> &a, const base<M, T> &b) {
  typedef typename result<N, S, M, T>::difference to;
  return to(static_cast<typename to::store>(a.v) - static_cast<typename to::store>(b.v));
}
template <int N, bool S, int M, bool T> typename result<N, S, M, T>::product operator*(const base<N, S> &a, const base<M, T> &b) {
  typedef typename result<N, S, M, T>::product to;
  return to(static_cast<typename to::store>(a.v) * static_cast<typename to::store>(b.v));
}
template <int N, bool S, int M, bool T> typename result<N, S, M, T>::logic operator&(const base<N, S> &a, const base<M, T> &b) {
  typedef typename result<N, S, M, T>::logic to;
  return to(to(a).v & to(b).v);
}
template <int N, bool S, int M, bool T> typename result<N, S, M, T>::logic operator|(const base<N, S> &a, const base<M, T> &b) {
  typedef typename result<N, S, M, T>::logic to;
  return to(to(a).v | to(b).v);
}
template <int N, bool S, int M, bool T> typename result<N, S, M, T>::logic operator^(const base<N, S> &a, const base<M, T> &b) {
  typedef typename result<N, S, M, T>::logic to;
  return to(to(a).v ^ to(b).v);
}
/// Towards zero, as of native integers.
template <int N, bool S, int M, bool T> typename integer<(S || T ? N + 1 : N), (S || T)>::type operator/(const base<N, S> &a, const base<M, T> &b) {
  typedef __int128 wide;
  return typename integer<(S || T ? N + 1 : N), (S || T)>::type(static_cast<wide>(a.v) / static_cast<wide>(b.v));
}
template <int N, bool S, int M, bool T> typename integer<N, S>::type operator%(const base<N, S> &a, const base<M, T> &b) {
  typedef __int128 wide;
  return typename integer<N, S>::type(static_cast<wide>(a.v) % static_cast<wide>(b.v));
}
/// Shifts keep the width; right of a signed value brings its sign in.
template <int N, bool S> typename integer<N, S>::type operator<<(const base<N, S> &a, int by) {
  return by >= N ? typename integer<N, S>::type(0) : typename integer<N, S>::type(static_cast<typename storage<N, false>::type>(a.v) << by);
}
template <int N, bool S> typename integer<N, S>::type operator>>(const base<N, S> &a, int by) {
  return typename integer<N, S>::type(by >= N ? (a.v < 0 ? -1 : 0) : a.v >> by);
}

#define AP_SIMULATION_COMPARE(op) \
  template <int N, bool S, int M, bool T> bool operator op(const base<N, S> &a, const base<M, T> &b) { \
    typedef typename result<N, S, M, T>::logic to; \
    return static_cast<typename to::store>(a.v) op static_cast<typename to::store>(b.v); \
  }
AP_SIMULATION_COMPARE(<)
AP_SIMULATION_COMPARE(<=)
AP_SIMULATION_COMPARE(>)
AP_SIMULATION_COMPARE(>=)
AP_SIMULATION_COMPARE(==)
AP_SIMULATION_COMPARE(!=)
#undef AP_SIMULATION_COMPARE

/// A native operand counts as an integer of its own width.
#define AP_SIMULATION_NATIVE(op, X) \
  template <int N, bool S> auto operator op(const base<N, S> &a, X b) -> decltype(a op typename integer<native<X>::width, native<X>::isSigned>::type(b)) { \
    return a op typename integer<native<X>::width, native<X>::isSigned>::type(b); \
  } \
  template <int N, bool S> auto operator op(X a, const base<N, S> &b) -> decltype(typename integer<native<X>::width, native<X>::isSigned>::type(a) op b) { \
    return typename integer<native<X>::width, native<X>::isSigned>::type(a) op b; \
  }
#define AP_SIMULATION_TYPES(op) \
  AP_SIMULATION_NATIVE(op, bool) AP_SIMULATION_NATIVE(op, int) AP_SIMULATION_NATIVE(op, unsigned) \
  AP_SIMULATION_NATIVE(op, long) AP_SIMULATION_NATIVE(op, unsigned long) AP_SIMULATION_NATIVE(op, long long) AP_SIMULATION_NATIVE(op, unsigned long long)
AP_SIMULATION_TYPES(+)
AP_SIMULATION_TYPES(-)
AP_SIMULATION_TYPES(*)
AP_SIMULATION_TYPES(&)
AP_SIMULATION_TYPES(|)
AP_SIMULATION_TYPES(^)
AP_SIMULATION_TYPES(<)
AP_SIMULATION_TYPES(<=)
AP_SIMULATION_TYPES(>)
AP_SIMULATION_TYPES(>=)
AP_SIMULATION_TYPES(==)
AP_SIMULATION_TYPES(!=)
#undef AP_SIMULATION_TYPES
#undef AP_SIMULATION_NATIVE

} // namespace ap_simulation

#endif
