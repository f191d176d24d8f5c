// SPDX-License-Identifier: Apache-2.0
//
// Entities within functions and variables: lambdas, local classes, unnamed types, default arguments.

#include <memory>
#include <utility>

template <int N> struct Number {};
template <class T> struct Holder {};
template <class T> void keep(T) {}

inline int lambdas(int n) {
  auto plain = [](int x) {
    struct Local {
      int get() { return 1; }
    };
    return Local().get() + x;
  };
  auto generic = [n](auto x, auto &&y) { return n + x + y; };
  auto templated = []<class T, int N>(T t, Number<N>) { return t; };
  auto variadic = []<class... T>(Holder<T>...) { return 1; };
  static int once = plain(n);
  return plain(1) + generic(1, 2) + templated(1, Number<3>()) + variadic(Holder<int>(), Holder<char>()) + once;
}

auto global_lambda = [](int a = [] { return 3; }()) { return a; };
struct Members {
  int initialized = [] { return 4; }();
  int defaults(int x = [] { return 5; }(), int y = [](int) { return 6; }(1));
  static inline int shared = [] { return 7; }();
  template <class T> static inline auto variable = [](T x) { return x; };
};
int Members::defaults(int x, int y) { return x + y; }
template <class T> auto returned(T t) {
  return [t](auto u) { return t + u; };
}

inline auto unnamed() {
  struct {
    int x;
    void set() { x = 1; }
  } value;
  value.set();
  enum { enumerator };
  keep(enumerator);
  return value;
}
struct {
  int x;
} unnamed_variable;
enum { unnamed_enumerator };
namespace {
struct Hidden {
  void show() {}
};
template <class T> void hidden(T) {}
} // namespace

inline namespace __attribute__((abi_tag("space"))) tagged_space {
struct Type {};
Type tagged_by_type() { return {}; }
} // namespace tagged_space
struct __attribute__((abi_tag("one", "two"))) Tagged {
  void method();
};
void Tagged::method() {}
__attribute__((abi_tag("three"))) int tagged(Tagged) { return 1; }

auto [bound_first, bound_second] = std::pair<int, int>(1, 2);
namespace bindings {
auto [bound_third, bound_fourth] = std::pair<int, double>(1, 2.0);
int use() { return bound_third; }
} // namespace bindings

void scopes() {
  lambdas(3);
  global_lambda();
  Members members;
  members.defaults();
  Members::variable<int>(1);
  returned(1)(2.0);
  unnamed();
  keep(unnamed_variable);
  keep(unnamed_enumerator);
  Hidden().show();
  hidden(Hidden());
  keep([] {});
  keep([](int) {});
  auto nested = [&] { keep([](auto...) {}); };
  nested();
  keep([p = bound_first]() mutable { return p; });
}
