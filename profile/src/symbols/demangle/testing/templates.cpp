// SPDX-License-Identifier: Apache-2.0
//
// Template arguments: values of all kinds, packs, templates.

#include <initializer_list>
#include <utility>
#include <vector>

template <auto V> struct Value {
  static void show() {}
};
template <class... T> struct Pack {
  static void show(T...) {}
  template <class... U> static void zip(Pack<T, U>...) {}
};
template <template <class...> class C, class T> struct Apply {
  static void show(C<T>) {}
};
template <int N> struct Number {};

struct Record {
  int first;
  double second;
  int third[2];
  int method() &;
};
struct Base {
  int number;
};
struct Derived : Base {
  int numbers[3];
  Base base;
};
struct Floats {
  float narrow;
  double wide;
};
struct Text {
  char letters[6];
  constexpr Text(const char (&source)[6]) {
    for (int i = 0; i < 6; i++) letters[i] = source[i];
  }
};
enum Plain { plain };
enum class Scoped { first = 3 };

int variable;
Derived object;
void function(int);

void values() {
  Value<1>::show();
  Value<-1>::show();
  Value<true>::show();
  Value<'a'>::show();
  Value<L'x'>::show();
  Value<1u>::show();
  Value<1ul>::show();
  Value<-5ll>::show();
  Value<static_cast<short>(3)>::show();
  Value<static_cast<unsigned char>(7)>::show();
  Value<static_cast<__int128>(5)>::show();
  Value<&variable>::show();
  Value<&function>::show();
  Value<nullptr>::show();
  Value<static_cast<int *>(nullptr)>::show();
  Value<&Record::first>::show();
  Value<&Record::method>::show();
  Value<plain>::show();
  Value<Scoped::first>::show();
  Value<Record{1, 2.5, {3, 4}}>::show();
  Value<Record{}>::show();
  Value<&object.numbers[1]>::show();
  Value<&object.numbers[3]>::show();
  Value<&object.base>::show();
  Value<1.5>::show();
  Value<-0.25f>::show();
  Value<2.5L>::show();
  Value<Floats{1.f, -2.}>::show();
  Value<Text("hello")>::show();
  Value<[](int x) { return x; }>::show();
}

void packs() {
  Pack<>::show();
  Pack<int>::show(1);
  Pack<int, char, Pack<>>::show(1, 'c', {});
  Pack<int, char>::zip<long, short>({}, {});
  Apply<std::vector, int>::show({});
}

template <class... A> void pointers(void (*)(A..., A *...), Pack<A, A *> *..., Pack<A..., int> *) {}
template <class... A> void functions(void (*...pointers)(A)) {}
template <class... A> int references(A &&...arguments) { return sizeof...(arguments); }
auto *instance = static_cast<void (*)(void (*)(int, int *), Pack<int, int *> *, Pack<int, int> *)>(&pointers<int>);
void functions_of_packs() {
  functions<int, char &>(nullptr, nullptr);
  references(variable, 1, std::move(object));
}

template <class T> typename T::type dependent(typename T::type::inner *, T) { return 1; }
template <class T> void elaborated(struct T::Struct *, enum T::Enum) {}
struct Dependent {
  struct type {
    struct inner {};
    type(int);
  };
  struct Struct {};
  enum Enum { value };
};
void dependent_names() {
  dependent(nullptr, Dependent());
  elaborated<Dependent>(nullptr, Dependent::value);
}

template <class T> struct Friend {
  template <class U> friend void with(Friend, U) {}
  friend bool operator==(Friend, Friend) { return true; }
};
bool friends() {
  with(Friend<int>(), 1);
  return Friend<int>() == Friend<int>();
}
