module hearthscope.test/busy

go 1.18
