// SPDX-License-Identifier: Apache-2.0
//
// Constraints, which are part of the name since version 18 of Clang.

#include <concepts>
#include <vector>

template <class T> concept Small = sizeof(T) < 8;
template <class T, class U> concept Same = std::same_as<T, U>;

template <Small T> void constrained(T) {}
template <class T> requires Small<T> void leading(T) {}
template <class T> void trailing(T) requires Small<T> && (sizeof(T) > 1) {}
void abbreviated(Small auto) {}
template <class T>
void required(T t) requires requires(T x) {
  x + 1;
  typename std::vector<T>::iterator;
  { x + x } noexcept -> Same<T>;
  requires Small<T>;
} {}
template <class T> struct Class {
  void member() requires Small<T> {}
  friend void befriended(Class) requires Small<T> {}
};
template <Small T> struct Template {};
template <template <Small> class C> void of_template() {}
template <Small auto V> void of_value() {}
template <Small... T> void of_pack(T...) {}
Small auto returned(Same<int> auto x) { return x; }

auto lambda = []<class T>(T t) requires Small<T> { return t; };
auto leading_lambda = []<class T> requires Small<T> (T t) { return t; };
auto abbreviated_lambda = [](Small auto t, Same<int> auto) { return t; };

void concepts() {
  constrained(1);
  leading('c');
  trailing(1);
  abbreviated(1);
  required(1);
  Class<int>().member();
  befriended(Class<int>());
  of_template<Template>();
  of_value<3>();
  of_pack(1, 2);
  returned(1);
  lambda(1);
  leading_lambda(1);
  abbreviated_lambda(1, 1);
}
