package history

import (
	"cmp"
	"strings"
)

// Target is what the admin plane of one of the target's nodes says of itself.
type Target struct {
	Admin    string            `json:"admin,omitempty"` // the URL that was asked
	Name     string            `json:"name"`
	Version  string            `json:"version"`
	Go       string            `json:"go"`
	Store    string            `json:"store"`
	Promise  string            `json:"promise"`
	Details  map[string]string `json:"details,omitempty"`  // what the promise rests on, as the store says it
	Warnings []string          `json:"warnings,omitempty"` // what is dangerous about the store
	Ledger   *Ledger           `json:"ledger,omitempty"`   // what its books gained; absent where they can't be compared
}

// Label names the node for people.
func (t *Target) Label() string { return cmp.Or(t.Name, t.Admin) }

// Ledger is what a node's books gained while a run lasted. If they are right, each number that it was issued is in exactly
// one of the others.
type Ledger struct {
	Issued    uint64 `json:"issued"`
	Delivered uint64 `json:"delivered"`
	Burned    uint64 `json:"burned"`
	Unknown   uint64 `json:"unknown"`
	InFlight  uint64 `json:"in_flight"` // at the end
}

// Promises says what the targets' stores promise, once where they agree; "" when none was asked.
func Promises(targets []Target) string {
	var said []string
	for _, p := range distinct(targets, func(t *Target) []string { return []string{t.Promise} }) {
		said = append(said, p.of(targets))
	}
	return strings.Join(said, "; ")
}

// Warnings lists what is dangerous about the targets' stores, each thing once.
func Warnings(targets []Target) (said []string) {
	for _, w := range distinct(targets, func(t *Target) []string { return t.Warnings }) {
		said = append(said, w.of(targets))
	}
	return said
}

// statement is a text and the names of the targets that it is true of.
type statement struct {
	text  string
	nodes []string
}

// of names the targets where the statement is not true of all.
func (s statement) of(targets []Target) string {
	if len(s.nodes) == len(targets) {
		return s.text
	}
	return strings.Join(s.nodes, ", ") + ": " + s.text
}

func distinct(targets []Target, texts func(*Target) []string) (all []statement) {
	at := map[string]int{}
	for i := range targets {
		for _, text := range texts(&targets[i]) {
			n, known := at[text]
			if !known {
				n, at[text] = len(all), len(all)
				all = append(all, statement{text: text})
			}
			all[n].nodes = append(all[n].nodes, targets[i].Label())
		}
	}
	return all
}
