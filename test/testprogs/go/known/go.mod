module hearthscope.test/known

go 1.21
