package loadgen

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/turnomatico/tmctl/history"
)

// answerReader reads the body of a 200. One serves all connections: it holds no state of a request.
type answerReader struct {
	field   []string // path of the turno, e.g. ["data", "turno"]
	idField []string // path of the id; nil = not checked
	usual   bool     // both have their usual names, so the usual shape can be read fast
}

func newAnswerReader(field, idField string) *answerReader {
	r := &answerReader{field: strings.Split(field, "."), usual: field == DefaultField && idField == DefaultIDField}
	if idField != "" {
		r.idField = strings.Split(idField, ".")
	}
	return r
}

// read takes the turno out of body, which must name id. A reason other than NoReason and Remarked means that the answer
// breaks the contract.
func (r *answerReader) read(body []byte, id string) (uint64, history.Reason) {
	if r.usual {
		if v, ok := readUsual(body, id); ok {
			return v, history.NoReason
		}
	}
	return r.readAny(body, id)
}

// readUsual reads exactly {"id":"<id>","turno":<digits>}: what most servers send, at a tenth of the cost of readAny. It
// decides nothing else: whatever looks different is readAny's.
func readUsual(body []byte, id string) (uint64, bool) {
	const before, between = `{"id":"`, `","turno":`
	n := len(before) + len(id) + len(between)
	if len(body) < n+2 || len(body) > n+17 || body[len(body)-1] != '}' {
		return 0, false
	}
	if string(body[:len(before)]) != before || string(body[len(before):len(before)+len(id)]) != id ||
		string(body[len(before)+len(id):n]) != between {
		return 0, false
	}
	var v uint64
	for _, c := range body[n : len(body)-1] {
		if c < '0' || c > '9' {
			return 0, false
		}
		v = v*10 + uint64(c-'0')
	}
	return v, body[n] != '0' && v <= history.MaxTurno
}

func (r *answerReader) readAny(body []byte, id string) (uint64, history.Reason) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(body, &fields); err != nil || fields == nil {
		return 0, history.NotJSON
	}
	if r.idField != nil {
		var got string
		raw, ok := lookup(fields, r.idField)
		if !ok || json.Unmarshal(raw, &got) != nil || got != id {
			return 0, history.WrongID
		}
	}
	raw, ok := lookup(fields, r.field)
	if !ok {
		return 0, history.NoTurno
	}
	raw = bytes.TrimSpace(raw)
	if c := raw[0]; c != '-' && (c < '0' || c > '9') {
		return 0, history.NotNumber
	}
	return parseTurno(string(raw))
}

// lookup follows path through nested objects.
func lookup(fields map[string]json.RawMessage, path []string) (json.RawMessage, bool) {
	raw, ok := fields[path[0]]
	if !ok || len(path) == 1 {
		return raw, ok
	}
	var inner map[string]json.RawMessage
	if json.Unmarshal(raw, &inner) != nil || inner == nil {
		return nil, false
	}
	return lookup(inner, path[1:])
}
