// SPDX-License-Identifier: Apache-2.0
//
// Expressions that depend on template parameters, in return types, array bounds, noexcept and template arguments.

#include <initializer_list>
#include <new>
#include <typeinfo>
#include <utility>

template <int N> struct Number {};
struct Class {
  int method();
  int numbers[3];
  static int shared;
  template <class T> static int generic();
  using type = int;
};
struct Pointers {
  int method();
  int *numbers;
};
struct Everything {
  operator int();
  int operator->*(Everything);
  Everything operator()(int);
  int operator[](int);
  int operator[](Everything);
};
struct Polymorphic {
  virtual ~Polymorphic();
};
struct Data {
  int number;
};
void free_function(int);
int variadic(...);
namespace names {
struct Argument {};
int found(Argument, int);
} // namespace names

template <class T> auto sum(T t) -> decltype(t + t) { return t + t; }
template <class T> auto member(T t) -> decltype(t.method()) { return t.method(); }
template <class T> auto arrow(T *t) -> decltype(t->method(), (*t).numbers[1], int()) { return 0; }
template <class T>
auto casts(T t) -> decltype(static_cast<long>(t), reinterpret_cast<char *>(&t), const_cast<const T &>(t), (double)t, T(t),
                            T{t}, int()) {
  return 0;
}
template <class T> auto dynamic(T t) -> decltype(dynamic_cast<T *>(&t), int()) { return 0; }
template <class T, int N> Number<sizeof(T) + N * 2 - (N > 3 ? 1 : 2)> sizes(T) { return {}; }
template <class T, int N>
Number<(N >> 1) + (N > 0) + (N << 2) + (N & 1) + (N | 1) + (N ^ 1) + !N + ~N + -N + +N + (N && 1) + (N || 0) + (N == 1) +
       (N != 2) + (N <= 3) + (N >= 4) + (N % 3) + (N / 1)>
operators(T) {
  return {};
}
template <class... T> auto folds(T... t) -> decltype((t + ...), (... + t), (t + ... + 1), (1 + ... + t), int()) {
  return 0;
}
template <class... T> Number<sizeof...(T)> counts(T...) { return {}; }
template <class T>
auto allocations(T t) -> decltype(new T(t), new T[3], ::new (&t) T{t}, delete &t, delete[] &t, ::delete &t, int()) {
  return 0;
}
template <class T> auto qualified(T t) -> decltype(T::shared, T::template generic<int>(), typename T::type(), int()) {
  return 0;
}
template <class T> auto destroys(T t) -> decltype(t.~T(), t.T::method(), int()) { return 0; }
template <class T>
auto assigns(T t) -> decltype(t++, ++t, t--, --t, t += t, t = t, t << t, t ? t : t, (t, t), int()) {
  return 0;
}
template <class T> auto members(T t, int T::*p) -> decltype(t.*p, (&t)->*p, int()) { return 0; }
template <class T> auto throws(T t) -> decltype(throw t, int()) { return 0; }
template <class T> auto outer_parameter(T t, void (*)(decltype(t))) -> decltype(t) { return t; }
template <class T> auto global(T t) -> decltype(::free_function(t), int()) { return 0; }
template <class T> auto standard(T t) -> decltype(std::move(t), std::declval<T>(), int()) { return 0; }
template <class T> void specified(T, void (*)() noexcept(sizeof(T) > 2)) {}
template <class T, class = decltype(T() < T())> void defaulted(T) {}
template <class T> void bounds(T (&)[sizeof(T)], int (*)[sizeof(T) * 2]) {}
template <class T> auto lists(T t) -> decltype(std::initializer_list<T>{t, t}, int()) { return 0; }
template <class T> auto subscripts(T t) -> decltype(t[0], t[t], int()) { return 0; }
template <class T> auto pointed(T t) -> decltype(t->*t, (t)(1), int()) { return 0; }
template <class T> auto lookup(T t) -> decltype(found(t, 1), int()) { return 0; }
template <class... T> auto expansions(T... t) -> decltype(variadic(t...), variadic((t + 1)...), int()) { return 0; }
#ifdef __clang__
template <class T> auto queries(T t) -> decltype(typeid(T), typeid(t), sizeof t, alignof(T), noexcept(t + t), int()) {
  return 0;
}
#else
int queries(int) { return 0; }
#endif
template <class T> decltype(auto) deduced(T &&t) { return t; }
auto abbreviated(auto x, auto...) { return x; }

void expressions() {
  int four[4];
  sum(1);
  member(Class());
  arrow(static_cast<Pointers *>(nullptr));
  casts(1L);
  dynamic(Polymorphic());
  sizes<int, 3>(1);
  operators<int, 4>(1);
  folds(1, 2, 3);
  counts(1, 'c');
  allocations(1);
  qualified(Class());
  destroys(Class());
  assigns(1);
  members(Data(), static_cast<int Data::*>(nullptr));
  throws(1);
  outer_parameter(1, nullptr);
  global(1);
  standard(1);
  specified(1, nullptr);
  defaulted(1);
  bounds(four, nullptr);
  lists(1);
  subscripts(Everything());
  pointed(Everything());
  lookup(names::Argument());
  expansions(1, 2);
  queries(1);
  deduced(four);
  abbreviated(1, 2, 3);
}
