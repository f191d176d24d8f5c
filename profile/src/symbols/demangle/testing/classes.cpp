// SPDX-License-Identifier: Apache-2.0
//
// What classes and variables bring with them: virtual tables, thunks, inherited constructors, guards, thread-local
// storage, coroutines.

#include <coroutine>
#include <string>

struct Right {
  virtual Right *clone();
  int number;
  virtual ~Right();
};
struct Left {
  virtual void act();
  int number;
};
struct Both : Left, virtual Right {
  Both();
  Both *clone() override;
  ~Both();
};
struct Diamond : Both, virtual Left {
  Diamond();
  void act() override;
  ~Diamond();
};
struct Plain : Left, Right {
  void act() override;
  Plain *clone() override;
  ~Plain() override;
};
Right *Right::clone() { return this; }
Right::~Right() {}
void Left::act() {}
Both::Both() {}
Both *Both::clone() { return this; }
Both::~Both() {}
Diamond::Diamond() {}
void Diamond::act() {}
Diamond::~Diamond() {}
void Plain::act() {}
Plain *Plain::clone() { return this; }
Plain::~Plain() {}

struct Base {
  Base(int);
  template <class T> Base(T, T);
};
struct Inheriting : Base, virtual Left {
  using Base::Base;
};
Base::Base(int) {}
template <class T> Base::Base(T, T) {}
void inherits() {
  Inheriting one(1);
  Inheriting two('c', 'd');
}

struct Text : std::string {
  using std::string::string;
};
Text *texts() { return new Text[2]{Text("a"), Text(3, 'b')}; }

int start();
inline int &guarded() {
  static int once = start();
  static thread_local int each = start();
  return once += each;
}
thread_local int counter = start();
extern thread_local std::string elsewhere;
inline thread_local std::string here = "a";
const int &reference = start();
struct References {
  static const std::string &text;
};
const std::string &References::text = "x";
int storage() { return counter + guarded() + elsewhere.size() + here.size(); }

struct Coroutine {
  struct promise_type {
    Coroutine get_return_object() { return {}; }
    std::suspend_never initial_suspend() { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() {}
  };
};
Coroutine coroutine(int) { co_return; }

#if defined(__cpp_explicit_this_parameter) || __clang_major__ >= 19
struct Explicit {
  template <class Self> int deduced(this Self &&) { return 1; }
  int by_value(this Explicit, int) { return 2; }
};
int explicit_objects() {
  Explicit object;
  return object.deduced() + object.by_value(1);
}
#endif
