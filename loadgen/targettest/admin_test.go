package targettest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"github.com/turnomatico/tmctl/server/api"
)

func TestAdminPlaneDeclares(t *testing.T) {
	for name, want := range map[string]string{
		"jumps": "[{a 4 1000003}]", "jumps-in-silence": "[]", "jumps-further": "[{a 4 1000003}]", "declares-everything": "[{a 1 9007199254740991}]",
	} {
		b := Named(name)
		b.After = 3
		s := Start(t, b)
		c := dial(t, s)
		if got := c.nexts(3); name == "jumps" && fmt.Sprint(look(t, s).Declared) != "[]" {
			t.Errorf("%s: something is declared after %s", name, got)
		}
		c.next()
		if got := look(t, s); fmt.Sprint(got.Declared) != want || got.Ledger.Issued != 4 || got.Ledger.Delivered != 4 {
			t.Errorf("%s: declared %v, ledger %+v; want %s, 4 issued and delivered", name, got.Declared, got.Ledger, want)
		}
	}
}

func look(t *testing.T, s *Server) (snap api.Snapshot) {
	t.Helper()
	resp, err := http.Get(s.Admin() + api.SnapshotPath)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&snap); err != nil {
		t.Fatal(err)
	}
	return snap
}
