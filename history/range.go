package history

// Range is the numbers First … Last of an id.
type Range struct {
	ID    string `json:"id"`
	First uint64 `json:"first"`
	Last  uint64 `json:"last"`
}

// Size is how many numbers there are in r.
func (r Range) Size() uint64 { return r.Last - r.First + 1 }
