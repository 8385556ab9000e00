package server_test

import (
	"bufio"
	"net"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"

	"github.com/turnomatico/tmctl/server"
	"github.com/turnomatico/tmctl/server/store/memory"
)

// handler returns the handler and a parsed request, with no connection beneath.
func handler(t testing.TB) (func(*fasthttp.RequestCtx), *fasthttp.RequestCtx) {
	config := server.DefaultConfig()
	config.Addr, config.Admin = "127.0.0.1:0", ""
	s, err := server.Listen(t.Context(), config, memory.New(server.Bounds{IDs: 10}))
	if err != nil {
		t.Fatal(err)
	}
	ctx := new(fasthttp.RequestCtx)
	ctx.Init(new(fasthttp.Request), &net.TCPAddr{}, nil)
	if err := ctx.Request.Read(bufio.NewReader(strings.NewReader(getA))); err != nil {
		t.Fatal(err)
	}
	return s.Handle, ctx
}

func TestHandleAllocatesNothing(t *testing.T) {
	handle, ctx := handler(t)
	if n := testing.AllocsPerRun(1000, func() {
		ctx.Response.Reset()
		handle(ctx)
	}); n >= 1 {
		t.Errorf("handing out a number allocates %v times; want 0", n)
	}
	if status := ctx.Response.StatusCode(); status != 200 {
		t.Errorf("status = %d; want 200", status)
	}
}

func BenchmarkHandle(b *testing.B) {
	handle, ctx := handler(b)
	b.ReportAllocs()
	for b.Loop() {
		ctx.Response.Reset()
		handle(ctx)
	}
}
