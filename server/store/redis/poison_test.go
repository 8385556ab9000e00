package redis

import (
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/turnomatico/tmctl/server"
	"github.com/turnomatico/tmctl/server/api"
	"github.com/turnomatico/tmctl/server/store/redistest"
)

// What is no counter is named, and left as it is; the other claims of the call are served.
func TestPoison(t *testing.T) {
	r := redistest.Start(t, redistest.Options{})
	n := open(t, r.URL())
	n.want("good", 1, 1)
	good := uint64(1)
	tests := []struct {
		name string
		make []string
		says string
	}{
		{"text", []string{"SET", "K", "abc"}, `holds "abc", which is no number`},
		{"a float", []string{"SET", "K", "4.2"}, `holds "4.2", which is no number`},
		{"an integral float", []string{"SET", "K", "4.0"}, `holds "4.0"`},
		{"an exponent", []string{"SET", "K", "1e3"}, `holds "1e3"`},
		{"hexadecimal", []string{"SET", "K", "0x10"}, `holds "0x10"`},
		{"negative", []string{"SET", "K", "-1"}, `holds "-1"`},
		{"negative zero", []string{"SET", "K", "-0"}, `holds "-0"`},
		{"a sign", []string{"SET", "K", "+1"}, `holds "+1"`},
		{"leading zeros", []string{"SET", "K", "007"}, `holds "007"`},
		{"a space before", []string{"SET", "K", " 7"}, `holds " 7"`},
		{"a space after", []string{"SET", "K", "7 "}, `holds "7 "`},
		{"a line end", []string{"SET", "K", "7\n"}, `holds "7?"`},
		{"nothing", []string{"SET", "K", ""}, `holds ""`},
		{"one beyond the last", []string{"SET", "K", "9007199254740992"}, `holds "9007199254740992"`},
		{"sixteen digits", []string{"SET", "K", "9999999999999999"}, `holds "9999999999999999"`},
		{"the largest of Redis", []string{"SET", "K", "9223372036854775807"}, `holds "9223372036854775807"`},
		{"a long text", []string{"SET", "K", strings.Repeat("x", 1<<20)}, `holds "` + strings.Repeat("x", 40) + `", which`},
		{"bytes", []string{"SET", "K", "\x00\xff\"\\"}, `holds "?\xff\"\\"`},
		{"a list", []string{"RPUSH", "K", "1", "2"}, "is a list, not a counter"},
		{"a hash", []string{"HSET", "K", "1", "2"}, "is a hash, not a counter"},
		{"a set", []string{"SADD", "K", "1", "2"}, "is a set, not a counter"},
		{"a sorted set", []string{"ZADD", "K", "1", "2"}, "is a zset, not a counter"},
		{"a stream", []string{"XADD", "K", "1-1", "a", "b"}, "is a stream, not a counter"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n.t = t
			r.Run("DEL turno:bad")
			make := strings.Fields(strings.Join(tt.make[:2], " "))
			make[1] = "turno:bad"
			r.Do(append(make, tt.make[2:]...)...)
			before := r.Do("DUMP", "turno:bad")
			for range 2 {
				call := n.call(server.Claim{ID: "bad", N: 2}, server.Claim{ID: "good", N: 3})
				if err := n.Reserve(t.Context(), call); err != nil {
					t.Fatal(err)
				}
				broken := &server.BrokenError{}
				if err := call.Claims[0].Err; !errors.As(err, &broken) || broken.Key != "turno:bad" || !strings.HasPrefix(broken.Says, tt.says) || len(err.Error()) > 200 {
					t.Errorf("Reserve(bad) = %v; want a BrokenError that %s", err, tt.says)
				}
				if c := call.Claims[1]; c.First != good+1 || c.Granted != 3 || c.Err != nil {
					t.Errorf("Reserve(good) = %+v beside it; want 3 from %d", c, good+1)
				}
				good += 3
			}
			if last, err := n.Peek(t.Context(), "bad"); !errors.As(err, new(*server.BrokenError)) {
				t.Errorf("Peek(bad) = %d, %v; want a BrokenError", last, err)
			}
			for _, jump := range []uint64{0, 10} {
				if back, err := n.fence(t.Context(), nil, []server.Mark{{ID: "bad", Last: 1 << 40}}, jump); len(back) != 0 || err != nil {
					t.Errorf("Fence(bad, jump %d) = %v, %v; want it left alone", jump, back, err)
				}
			}
			n.rejoin(0)
			if r.Do("DUMP", "turno:bad") != before {
				t.Errorf("the key is now %q", r.Do("GET", "turno:bad"))
			}
		})
	}
}

func TestEdge(t *testing.T) {
	r := redistest.Start(t, redistest.Options{})
	n := open(t, r.URL())
	tests := []struct {
		held           string
		n              uint64
		first, granted uint64
		err            error
		then           string
	}{
		{"0", 5, 1, 5, nil, "5"},
		{"9007199254740985", 3, 9007199254740986, 3, nil, "9007199254740988"},
		{"9007199254740985", 6, 9007199254740986, 6, nil, "9007199254740991"},
		{"9007199254740985", 7, 9007199254740986, 6, nil, "9007199254740991"},
		{"9007199254740990", api.MaxTurno, 9007199254740991, 1, nil, "9007199254740991"},
		{"9007199254740990", 1 << 63, 9007199254740991, 1, nil, "9007199254740991"},
		{"9007199254740991", 1, 0, 0, server.ErrExhausted, "9007199254740991"},
		{"9007199254740991", 1 << 63, 0, 0, server.ErrExhausted, "9007199254740991"},
		{"1", 1<<64 - 1, 2, 9007199254740990, nil, "9007199254740991"},
	}
	for _, tt := range tests {
		r.Run("SET turno:a " + tt.held)
		first, granted, err := n.take("a", tt.n)
		if first != tt.first || granted != tt.granted || !errors.Is(err, tt.err) {
			t.Errorf("at %s, Reserve(a, %d) = %d, %d, %v; want %d, %d, %v", tt.held, tt.n, first, granted, err, tt.first, tt.granted, tt.err)
		}
		if got := r.Do("GET", "turno:a"); got != tt.then {
			t.Errorf("at %s, Reserve(a, %d) leaves %s; want %s", tt.held, tt.n, got, tt.then)
		}
	}
}

// A call as large as one may be.
func TestLargestCall(t *testing.T) {
	r := redistest.Start(t, redistest.Options{})
	s := open(t, r.URL()).Store
	s.bounds = server.Bounds{IDs: 2 * server.MaxClaims, Sessions: 10 * server.MaxKeys, SessionTTL: time.Hour}
	if err := s.join(t.Context()); err != nil {
		t.Fatal(err)
	}
	call := &server.Call{}
	for i := range server.MaxClaims {
		call.Claims = append(call.Claims, server.Claim{ID: "id" + strings.Repeat("x", i%60) + strconv.Itoa(i), N: uint64(1 + i%5)})
	}
	for next := range uint64(3) {
		call.Seq++
		for i := range server.MaxKeys {
			c := &call.Claims[i]
			c.Keys = []server.Key{{Name: strings.Repeat("k", 200) + strconv.FormatUint(next, 10)}}
		}
		if err := s.Reserve(t.Context(), call); err != nil {
			t.Fatal(err)
		}
		for i := range call.Claims {
			c := &call.Claims[i]
			if first := next*(c.N+1) + 1; c.First != first || c.Granted != c.N+1 || c.Err != nil || c.Keys[0].Turno != first+c.N {
				t.Fatalf("claim %d is %+v in call %d", i, *c, next)
			}
			c.Mark = c.First + c.Granted - 1
		}
	}
	one := &server.Call{Seq: call.Seq + 1, Claims: []server.Claim{{ID: "one", N: 1}}}
	for i := range server.MaxKeys {
		one.Claims[0].Keys = append(one.Claims[0].Keys, server.Key{Name: strconv.Itoa(i)})
	}
	if err := s.Reserve(t.Context(), one); err != nil || one.Claims[0].Granted != 1+server.MaxKeys {
		t.Errorf("Reserve(%d keys of one id) = %v, %d granted", server.MaxKeys, err, one.Claims[0].Granted)
	}
	if i := s.Info(); i.IDs != server.MaxClaims+1 || i.Sessions != 4*server.MaxKeys {
		t.Errorf("Info() has %d ids and %d sessions; want %d and %d", i.IDs, i.Sessions, server.MaxClaims+1, 4*server.MaxKeys)
	}
}
