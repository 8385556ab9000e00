package report

import (
	"os/exec"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestNumbersForPeople(t *testing.T) {
	tests := []struct{ call, got, want string }{
		{"Rate(41237)", Rate(41237), "41,200/s"},
		{"Rate(500)", Rate(500), "500/s"},
		{"Rate(0)", Rate(0), "0/s"},
		{"Rate(0.25)", Rate(.25), "0.25/s"},
		{"Rate(99.96)", Rate(99.96), "100/s"},
		{"Rate(1234567)", Rate(1_234_567), "1,230,000/s"},
		{"Count(2104332)", Count(2_104_332), "2,104,332"},
		{"Count(-1000)", Count(-1000), "-1,000"},
		{"Count(999)", Count(uint64(999)), "999"},
		{"Duration(0)", Duration(0), "0 µs"},
		{"Duration(400ns)", Duration(400), "0.4 µs"},
		{"Duration(3.14ms)", Duration(3140 * time.Microsecond), "3.1 ms"},
		{"Duration(50ms)", Duration(50 * time.Millisecond), "50 ms"},
		{"Duration(126.4ms)", Duration(126400 * time.Microsecond), "126 ms"},
		{"Duration(999.97µs)", Duration(999970 * time.Nanosecond), "1 ms"},
		{"Duration(99.97ms)", Duration(99970 * time.Microsecond), "100 ms"},
		{"Duration(90s)", Duration(90 * time.Second), "90 s"},
		{"Duration(2m)", Duration(2 * time.Minute), "2 min"},
		{"Duration(118s)", Duration(118 * time.Second), "118 s"},
		{"Duration(-3ms)", Duration(-3 * time.Millisecond), "-3 ms"},
		{"Percent(28.3)", Percent(28.3), "28 %"},
		{"Percent(0.042)", Percent(.042), "0.042 %"},
		{"Percent(100)", Percent(100), "100 %"},
		{"milliseconds(42µs)", milliseconds(42 * time.Microsecond), "0.042"},
		{"milliseconds(1.24s)", milliseconds(1240 * time.Millisecond), "1,240"},
		{"perSecond(44802.4)", perSecond(44802.4), "44,802"},
	}
	for _, tt := range tests {
		if tt.got != tt.want {
			t.Errorf("%s = %q; want %q", tt.call, tt.got, tt.want)
		}
	}
}

func TestLatencyBounds(t *testing.T) {
	tests := []struct {
		slo  string
		want []bound
	}{
		{"p99<50ms,errors<0.1%", []bound{{"p99", "<", 50 * time.Millisecond}}},
		{" P99.9 <= 1s , max<2s", []bound{{"p99.9", "≤", time.Second}, {"max", "<", 2 * time.Second}}},
		{"", nil},
		{"p99<,pigs<3ms,p<1s,p99<-1s,p99", nil},
	}
	for _, tt := range tests {
		if got := latencyBounds(tt.slo); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("latencyBounds(%q) = %v; want %v", tt.slo, got, tt.want)
		}
	}
}

func TestTextIsNoMarkup(t *testing.T) {
	tests := []struct{ call, got, want string }{
		{"prose", prose("slo_missed _x_ <b>*a*</b>\n\u202e#&lt;"), `slo_missed \_x\_ \<b>\*a\*\</b> #\&lt;`},
		{"prose of a heading", prose("# big"), `\# big`},
		{"code", code("a`b"), "`` a`b ``"},
		{"code of nothing", code(""), missing},
		{"code of a line feed", code("a\n\"b\""), "`a\\n\"b\"`"},
		{"Link", Link("my (first) run.svg"), "my%20%28first%29%20run.svg"},
		{"Link of a name with a colon", Link("a:b.svg"), "./a:b.svg"},
		{"cell", cell(code("a|b")), "`a\\|b`"},
	}
	for _, tt := range tests {
		if tt.got != tt.want {
			t.Errorf("%s = %q; want %q", tt.call, tt.got, tt.want)
		}
	}
}

// What shell writes must come back from a real shell as the same words.
func TestShellWordsSurviveAShell(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("no bash here")
	}
	argv := []string{"tmctl", "load", "--target", "http://h/turno/{id}?a=1&b=$HOME", "", "it's", "a\nb", "x\ty'z\\n\"q\"", "ñ", "*", "`id`", "!"}
	out, err := exec.Command(bash, "-c", "printf '%s\\0' "+shell(argv)).Output()
	if err != nil {
		t.Fatalf("bash can't read %s: %v", shell(argv), err)
	}
	if got := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00"); !slices.Equal(got, argv) {
		t.Errorf("bash reads %s as %q; want %q", shell(argv), got, argv)
	}
	if got, want := shell(argv[:4]), `tmctl load --target 'http://h/turno/{id}?a=1&b=$HOME'`; got != want {
		t.Errorf("shell(%q) = %s; want %s", argv[:4], got, want)
	}
}
