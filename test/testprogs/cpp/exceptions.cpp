// SPDX-License-Identifier: Apache-2.0
//
// C++ exceptions: the search for a handler, destructors that work while the stack is unwound, handlers that work, an
// exception that is thrown again.
//
//   exceptions SECONDS

#include "../c/work.h"
#include <stdexcept>
#include <string>

namespace known {

struct Guard {
	KNOWN ~Guard();
};

KNOWN void destructor_work()
{
	for (int i = 0; i < 5; i++)
		burn();
	STAYS_A_CALL();
}

Guard::~Guard()
{
	destructor_work();
	STAYS_A_CALL();
}

KNOWN void thrower(int value)
{
	if (value >= 0)
		throw std::runtime_error(std::to_string(value));
	STAYS_A_CALL();
}

KNOWN void descend(int depth)
{
	if (depth == 0)
		thrower(1);
	else
		descend(depth - 1);
	STAYS_A_CALL();
}

KNOWN void guarded(int depth)
{
	Guard guard;
	descend(depth);
	STAYS_A_CALL();
}

KNOWN void handler_work(const char *what)
{
	work_sink += static_cast<uint64_t>(what[0]);
	for (int i = 0; i < 5; i++)
		burn();
	STAYS_A_CALL();
}

KNOWN void rethrower()
{
	try {
		guarded(8);
	} catch (const std::runtime_error &error) {
		handler_work(error.what());
		throw;
	}
	STAYS_A_CALL();
}

KNOWN void catcher()
{
	try {
		rethrower();
	} catch (const std::exception &error) {
		handler_work(error.what());
	}
	STAYS_A_CALL();
}

} // namespace known

int main(int argc, char **argv)
{
	say(argc, argv, "C++ exceptions");
	while (!out_of_time()) {
		for (int i = 0; i < 20; i++)
			known::catcher();
	}
	return 0;
}
