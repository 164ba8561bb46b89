// Bits, ranges and concatenations of ap_int, ap_uint and fixed-point numbers: what `x[i]`, `x(hi, lo)` and `(x, y)` give, to be read
// or assigned. Part of ap_int.h, which includes it; a part that is kept does not follow later changes of its number.
#ifndef SIGMAFLOW_SIMULATION_AP_PARTS_H
#define SIGMAFLOW_SIMULATION_AP_PARTS_H

#include "ap_int.h"

namespace ap_simulation {

template <class Owner> class bitReference {
public:
  enum { width = 1 };
  bitReference(Owner &owner, int i) : owner(&owner), i(i) {}
  bitReference(const bitReference &x) : owner(x.owner), i(x.i) {}
  operator bool() const { return owner->readBits(i, i) != 0; }
  bool operator~() const { return !static_cast<bool>(*this); }
  bool to_bool() const { return *this; }
  int length() const { return 1; }
  bitReference &operator=(bool x) {
    owner->writeBits(i, i, x);
    return *this;
  }
  bitReference &operator=(const bitReference &x) { return *this = static_cast<bool>(x); }

private:
  Owner *owner;
  int i;
};

/// Reads as an unsigned number of the owner's width.
template <class Owner> class rangeReference : public ap_uint<Owner::width> {
public:
  typedef ap_uint<Owner::width> value;
  rangeReference(Owner &owner, int hi, int lo) : value(owner.readBits(hi, lo)), owner(&owner), hi(hi), lo(lo) {}
  rangeReference(const rangeReference &x) : value(x), owner(x.owner), hi(x.hi), lo(x.lo) {}
  int length() const { return hi - lo + 1; }
  template <class X> rangeReference &operator=(const X &x) {
    owner->writeBits(hi, lo, value(x).v);
    this->v = owner->readBits(hi, lo);
    return *this;
  }
  rangeReference &operator=(const rangeReference &x) { return *this = value(x); }
  // They would change the number that was read, not its owner.
#define AP_SIMULATION_NONE(op) \
  template <class X> void operator op(const X &) = delete;
  AP_SIMULATION_NONE(+=) AP_SIMULATION_NONE(-=) AP_SIMULATION_NONE(*=) AP_SIMULATION_NONE(/=) AP_SIMULATION_NONE(%=)
  AP_SIMULATION_NONE(&=) AP_SIMULATION_NONE(|=) AP_SIMULATION_NONE(^=) AP_SIMULATION_NONE(<<=) AP_SIMULATION_NONE(>>=)
#undef AP_SIMULATION_NONE
  void operator++() = delete;
  void operator++(int) = delete;
  void operator--() = delete;
  void operator--(int) = delete;

private:
  Owner *owner;
  int hi, lo;
};

/// What `(x, y)` needs of an operand: its greatest width, its width, its bits, and a place to assign to.
template <class X> struct part : native<X> {
  typedef typename native<X>::type kept;
  static int length(const X &) { return native<X>::width; }
};
template <int N, bool S> struct part<base<N, S> > {
  enum { width = N };
  typedef base<N, S> &kept;
  static int length(const base<N, S> &) { return N; }
};
template <int N> struct part<ap_int<N> > : part<base<N, true> > {};
template <int N> struct part<ap_uint<N> > : part<base<N, false> > {};
template <class Owner> struct part<bitReference<Owner> > {
  enum { width = 1 };
  typedef bitReference<Owner> kept;
  static int length(const bitReference<Owner> &) { return 1; }
};
template <class Owner> struct part<rangeReference<Owner> > {
  enum { width = Owner::width };
  typedef rangeReference<Owner> kept;
  static int length(const rangeReference<Owner> &x) { return x.length(); }
};

template <class A, class B> ap_uint<part<A>::width + part<B>::width> joined(const A &a, const B &b) {
  typedef ap_uint<part<A>::width + part<B>::width> to;
  return to((to(ap_uint<part<A>::width>(a)) << part<B>::length(b)) | ap_uint<part<B>::width>(b));
}

/// Two parts that can be assigned together, the second the low one.
template <class A, class B> class concatenation : public ap_uint<part<A>::width + part<B>::width> {
public:
  typedef ap_uint<part<A>::width + part<B>::width> value;
  typedef typename part<A>::kept first;
  typedef typename part<B>::kept second;
  concatenation(first a, second b) : value(joined<A, B>(a, b)), a(a), b(b), low(part<B>::length(b)), all(low + part<A>::length(a)) {}
  concatenation(const concatenation &x) : value(x), a(x.a), b(x.b), low(x.low), all(x.all) {}
  int length() const { return all; }
  template <class X> concatenation &operator=(const X &x) {
    const value wide(x);
    a = wide >> low;
    b = wide.range(low - 1, 0);
    this->v = joined<A, B>(a, b).v;
    return *this;
  }
  concatenation &operator=(const concatenation &x) { return *this = value(x); }

private:
  first a;
  second b;
  int low, all;
};
template <class A, class B> struct part<concatenation<A, B> > {
  enum { width = part<A>::width + part<B>::width };
  typedef concatenation<A, B> kept;
  static int length(const concatenation<A, B> &x) { return x.length(); }
};

/// Of an operand's type as it is deduced: an integer of these headers or a part of one, and whether it can be assigned.
template <class X> struct operand {
  typedef X type;
  enum { isOurs = false, isPlace = false };
};
template <int N, bool S> struct operand<base<N, S> > {
  typedef base<N, S> type;
  enum { isOurs = true, isPlace = false };
};
template <int N> struct operand<ap_int<N> > : operand<base<N, true> > {};
template <int N> struct operand<ap_uint<N> > : operand<base<N, false> > {};
template <class X> struct reference {
  typedef X type;
  enum { isOurs = true, isPlace = true };
};
template <class Owner> struct operand<bitReference<Owner> > : reference<bitReference<Owner> > {};
template <class Owner> struct operand<rangeReference<Owner> > : reference<rangeReference<Owner> > {};
template <class A, class B> struct operand<concatenation<A, B> > : reference<concatenation<A, B> > {};
template <class X> struct operand<const X> {
  typedef typename operand<X>::type type;
  enum { isOurs = operand<X>::isOurs, isPlace = false };
};
template <class X> struct operand<const X &> : operand<const X> {};
template <class X> struct operand<X &> {
  typedef typename operand<X>::type type;
  enum { isOurs = operand<X>::isOurs, isPlace = isOurs };
};

template <class A, class B, bool isOurs, bool isPlace> struct joint {};
template <class A, class B> struct joint<A, B, true, false> {
  typedef const ap_uint<part<A>::width + part<B>::width> type;
  static type of(const A &a, const B &b) { return joined<A, B>(a, b); }
};
template <class A, class B> struct joint<A, B, true, true> {
  typedef concatenation<A, B> type;
  template <class X, class Y> static type of(X &a, Y &b) { return type(a, b); }
};
template <class A, class B>
struct jointOf : joint<typename operand<A>::type, typename operand<B>::type, operand<A>::isOurs || operand<B>::isOurs, operand<A>::isPlace && operand<B>::isPlace> {};

template <class A, class B> typename jointOf<A, B>::type operator,(A &&a, B &&b) { return jointOf<A, B>::of(a, b); }

} // namespace ap_simulation

#endif
