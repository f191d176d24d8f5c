// SPDX-License-Identifier: Apache-2.0
//
// The standard library calls back: std::sort with a comparison, std::map with one of its own, std::function, virtual
// functions, a template, regular expressions, streams.
//
//   standard_library SECONDS

#include "../c/work.h"
#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

namespace known {

struct Order {
	KNOWN bool operator()(int left, int right) const;
};

bool Order::operator()(int left, int right) const
{
	burn();
	STAYS_A_CALL();
	return left < right;
}

KNOWN void sort_vector()
{
	std::vector<int> numbers(100);
	for (int i = 0; i < 100; i++)
		numbers[static_cast<size_t>(i)] = (i * 37) % 100;
	std::sort(numbers.begin(), numbers.end(), Order());
	work_sink += static_cast<uint64_t>(numbers[3]);
}

KNOWN void fill_map()
{
	std::map<int, std::string, Order> map;
	for (int i = 0; i < 50; i++)
		map[(i * 17) % 50] = std::string(20, 'x');
	work_sink += map.size();
}

KNOWN void called(int value)
{
	work_sink += static_cast<uint64_t>(value);
	burn();
	STAYS_A_CALL();
}

KNOWN void through_function(const std::function<void(int)> &function)
{
	for (int i = 0; i < 100; i++)
		function(i);
	STAYS_A_CALL();
}

struct Shape {
	virtual ~Shape() = default;
	virtual void draw() const = 0;
};

struct Circle final : Shape {
	KNOWN void draw() const override;
};

void Circle::draw() const
{
	called(1);
	STAYS_A_CALL();
}

KNOWN void draw_all(const std::vector<std::unique_ptr<Shape>> &shapes)
{
	for (const auto &shape : shapes)
		shape->draw();
	STAYS_A_CALL();
}

template <typename T> KNOWN T repeated(T value, int times)
{
	for (int i = 0; i < times; i++) {
		called(i);
		value += value;
	}
	return value;
}

KNOWN void match_text()
{
	static const std::regex pattern("(a+|b+)*c[0-9]{2,4}");
	work_sink += std::regex_search(std::string("xxaabbbaaaabbbbaac1234"), pattern);
}

KNOWN void write_stream()
{
	std::ostringstream stream;
	for (int i = 0; i < 100; i++)
		stream << i << ' ' << i / 3.0 << ' ' << "text" << '\n';
	work_sink += stream.str().size();
}

} // namespace known

int main(int argc, char **argv)
{
	say(argc, argv, "the C++ standard library calls back");
	std::vector<std::unique_ptr<known::Shape>> shapes;
	for (int i = 0; i < 50; i++)
		shapes.push_back(std::make_unique<known::Circle>());
	while (!out_of_time()) {
		known::sort_vector();
		known::fill_map();
		known::through_function(known::called);
		known::draw_all(shapes);
		work_sink += static_cast<uint64_t>(known::repeated<double>(1, 50) + known::repeated<long>(1, 50));
		for (int i = 0; i < 50; i++)
			known::match_text();
		for (int i = 0; i < 10; i++)
			known::write_stream();
	}
	return 0;
}
