module hearthscope.test/addresses

go 1.18
