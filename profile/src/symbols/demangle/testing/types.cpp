// SPDX-License-Identifier: Apache-2.0
//
// Types of every kind as template arguments and parameters.

#include <cstddef>
#include <iosfwd>
#include <memory>
#include <vector>

template <class T> void by_value(T) {}
template <class T> void by_reference(T &&) {}

typedef int Vector __attribute__((vector_size(16)));
struct Record {
  int method(int) const volatile;
  int member;
};
enum Plain { plain };
enum class Scoped : unsigned char { first = 3 };
union Either {
  int number;
};

void types() {
  by_value<bool>(false);
  by_value<signed char>(0);
  by_value<unsigned char>(0);
  by_value<short>(0);
  by_value<unsigned short>(0);
  by_value<unsigned>(0);
  by_value<long>(0);
  by_value<unsigned long>(0);
  by_value<long long>(0);
  by_value<unsigned long long>(0);
  by_value<__int128>(0);
  by_value<unsigned __int128>(0);
  by_value<float>(0);
  by_value<double>(0);
  by_value<long double>(0);
  by_value<__float128>(0);
  by_value<_Complex float>(0);
  by_value<wchar_t>(0);
  by_value<char8_t>(0);
  by_value<char16_t>(0);
  by_value<char32_t>(0);
  by_value<std::nullptr_t>(nullptr);
  by_value<Vector>(Vector{});
  by_value<Plain>(plain);
  by_value<Scoped>(Scoped::first);
  by_value<Either>(Either{});
  by_value<void (*)(int)>(nullptr);
  by_value<void (*)(int, ...)>(nullptr);
  by_value<void (*)() noexcept>(nullptr);
  by_value<int (*(*)(char))[3]>(nullptr);
  by_value<void (*(*)(int (*)(int)))(char)>(nullptr);
  by_value<int (*const *)(...)>(nullptr);
  by_value<const int (*)[2][3]>(nullptr);
  by_value<int Record::*>(nullptr);
  by_value<int (Record::*)(int) const volatile>(nullptr);
  by_value<int (Record::*)() &>(nullptr);
  by_value<int (Record::*)() && noexcept>(nullptr);
  by_value<int Record::*Record::*>(nullptr);
  by_value<int (*Record::*)(int)>(nullptr);
  by_value<const volatile int *>(nullptr);
  by_value<int *const volatile *>(nullptr);
  by_value<int *__restrict *>(nullptr);
  by_value<std::unique_ptr<int(const std::vector<bool> &, ...)> *>(nullptr);
  by_reference<const Record &>(Record());
  by_reference<const Record>(Record());
  by_reference<int (&)[5]>(*static_cast<int (*)[5]>(nullptr));
  by_reference<int (&)()>(*static_cast<int (*)()>(nullptr));
#ifdef __clang__
  by_value<_Float16>(0);
  by_value<int __attribute__((address_space(3))) *>(nullptr);
  typedef int Extended __attribute__((ext_vector_type(3)));
  by_value<Extended>(Extended{});
#endif
}

void standard_types(std::istream &, std::ostream &, std::iostream &, std::allocator<char>, std::string *,
                    std::basic_string<wchar_t> *, std::vector<std::vector<int>> &) {}
int parameters(const Record *, const Record *, Record &, Record &, const Record &, Record ***, int (*)(Record *)) {
  return 1;
}
#ifdef __clang__
int bits(_BitInt(17), unsigned _BitInt(5)) { return 1; }
void conditional(int number) __attribute__((enable_if(number > 0, ""))) {}
void sized(void *const memory __attribute__((pass_object_size(0)))) {}
template <class T> auto underlying(T) -> __underlying_type(T) { return {}; }
template <class T, int N> using Lanes = T __attribute__((ext_vector_type(N)));
template <class T, int N> void lanes(Lanes<T, N>) {}
template <int N> void bit_counts(_BitInt(N)) {}
void vendor_types() {
  underlying(Scoped::first);
  lanes<int, 4>({});
  bit_counts<5>(1);
}
#endif
