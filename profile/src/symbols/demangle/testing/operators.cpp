// SPDX-License-Identifier: Apache-2.0
//
// A member function for each operator, and conversions to types that wrap around a name.

#include <cstddef>
#include <vector>

struct Operand {
  int value;
  Operand operator+(Operand) const;
  Operand operator-(Operand) const;
  Operand operator*(Operand) const;
  Operand operator/(Operand) const;
  Operand operator%(Operand) const;
  Operand operator^(Operand) const;
  Operand operator&(Operand) const;
  Operand operator|(Operand) const;
  Operand operator~() const;
  Operand operator!() const;
  Operand operator+() const;
  Operand operator-() const;
  Operand &operator*() const;
  Operand *operator&();
  Operand &operator=(int);
  bool operator<(Operand) const;
  bool operator>(Operand) const;
  bool operator<=(Operand) const;
  bool operator>=(Operand) const;
  bool operator==(Operand) const;
  bool operator!=(Operand) const;
  int operator<=>(int) const;
  Operand &operator+=(Operand);
  Operand &operator-=(Operand);
  Operand &operator*=(Operand);
  Operand &operator/=(Operand);
  Operand &operator%=(Operand);
  Operand &operator^=(Operand);
  Operand &operator&=(Operand);
  Operand &operator|=(Operand);
  Operand &operator<<=(Operand);
  Operand &operator>>=(Operand);
  Operand operator<<(int) const;
  Operand operator>>(int) const;
  bool operator&&(Operand) const;
  bool operator||(Operand) const;
  Operand &operator++();
  Operand operator++(int);
  Operand &operator--();
  Operand operator--(int);
  Operand operator,(Operand) const;
  Operand *operator->() const;
  int operator()(int, char) const;
  int operator[](int) const;
  void *operator new(size_t);
  void *operator new[](size_t);
  void operator delete(void *);
  void operator delete[](void *);
  int operator co_await();
  operator int() const;
  operator const char *();
  explicit operator bool() const volatile;
  operator Operand **() &&;
  typedef void (*Function)(int);
  operator Function();
  typedef int (&Array)[3];
  operator Array() &;
  template <class T> operator T *() const;
  template <class T> operator std::vector<T>();
};

Operand Operand::operator+(Operand) const { return *this; }
Operand Operand::operator-(Operand) const { return *this; }
Operand Operand::operator*(Operand) const { return *this; }
Operand Operand::operator/(Operand) const { return *this; }
Operand Operand::operator%(Operand) const { return *this; }
Operand Operand::operator^(Operand) const { return *this; }
Operand Operand::operator&(Operand) const { return *this; }
Operand Operand::operator|(Operand) const { return *this; }
Operand Operand::operator~() const { return *this; }
Operand Operand::operator!() const { return *this; }
Operand Operand::operator+() const { return *this; }
Operand Operand::operator-() const { return *this; }
Operand &Operand::operator*() const { return const_cast<Operand &>(*this); }
Operand *Operand::operator&() { return this; }
Operand &Operand::operator=(int) { return *this; }
bool Operand::operator<(Operand) const { return false; }
bool Operand::operator>(Operand) const { return false; }
bool Operand::operator<=(Operand) const { return false; }
bool Operand::operator>=(Operand) const { return false; }
bool Operand::operator==(Operand) const { return false; }
bool Operand::operator!=(Operand) const { return false; }
int Operand::operator<=>(int) const { return 0; }
Operand &Operand::operator+=(Operand) { return *this; }
Operand &Operand::operator-=(Operand) { return *this; }
Operand &Operand::operator*=(Operand) { return *this; }
Operand &Operand::operator/=(Operand) { return *this; }
Operand &Operand::operator%=(Operand) { return *this; }
Operand &Operand::operator^=(Operand) { return *this; }
Operand &Operand::operator&=(Operand) { return *this; }
Operand &Operand::operator|=(Operand) { return *this; }
Operand &Operand::operator<<=(Operand) { return *this; }
Operand &Operand::operator>>=(Operand) { return *this; }
Operand Operand::operator<<(int) const { return *this; }
Operand Operand::operator>>(int) const { return *this; }
bool Operand::operator&&(Operand) const { return false; }
bool Operand::operator||(Operand) const { return false; }
Operand &Operand::operator++() { return *this; }
Operand Operand::operator++(int) { return *this; }
Operand &Operand::operator--() { return *this; }
Operand Operand::operator--(int) { return *this; }
Operand Operand::operator,(Operand) const { return *this; }
Operand *Operand::operator->() const { return nullptr; }
int Operand::operator()(int, char) const { return 0; }
int Operand::operator[](int) const { return 0; }
void *Operand::operator new(size_t size) { return ::operator new(size); }
void *Operand::operator new[](size_t size) { return ::operator new(size); }
void Operand::operator delete(void *) {}
void Operand::operator delete[](void *) {}
int Operand::operator co_await() { return 0; }
Operand::operator int() const { return 0; }
Operand::operator const char *() { return nullptr; }
Operand::operator bool() const volatile { return false; }
Operand::operator Operand **() && { return nullptr; }
Operand::operator Operand::Function() { return nullptr; }
Operand::operator Operand::Array() & { static int numbers[3]; return numbers; }
template <class T> Operand::operator T *() const { return nullptr; }
template <class T> Operand::operator std::vector<T>() { return {}; }
template Operand::operator double *() const;
template Operand::operator std::vector<int> *() const;
template Operand::operator std::vector<char>();

template <class T> bool operator<(std::vector<T> &, T) { return false; }
template <class T> bool operator<<(std::vector<T> &, T) { return false; }
template bool operator< <int>(std::vector<int> &, int);
template bool operator<< <int>(std::vector<int> &, int);

int operator""_kilo(unsigned long long) { return 1; }
int operator""_text(const char *, size_t) { return 1; }
template <char... C> int operator""_digits() { return sizeof...(C); }
int literals() { return 12.5_digits + 0x1F_digits; }
