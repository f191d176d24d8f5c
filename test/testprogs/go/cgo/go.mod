module hearthscope.test/cgo

go 1.21
