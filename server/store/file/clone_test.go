package file

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/turnomatico/tmctl/server"
)

var cloneBounds = server.Bounds{IDs: 1000, Sessions: 1000, SessionTTL: time.Hour}

// sector is what a disk writes whole.
const sector = 512

// powered is a store under which the power fails at any moment: at each one a disk as it may be left is made, and opened.
type powered struct {
	t     *testing.T
	rng   *rand.Rand
	s     *Store
	depth int // of crashes within crashes

	under   device
	disk    []byte  // of the log: what is on disk
	pending []write // and what was written since, in whatever order it gets there

	answered map[string]uint64
	asked    map[string]uint64 // of the call under way: how many more
	keys     map[string]keyed  // that were answered, by name
	key      string            // of the call under way, and
	of       keyed             // what it is given
	crashes  *int
}

// keyed is the number that a key has.
type keyed struct {
	id    string
	turno uint64
}

type write struct {
	at int64
	b  []byte
}

// power opens a store in dir. onDisk is what its log is without what is in memory only; nil: what is in the file.
func (p *powered) power(dir string, onDisk []byte) error {
	p.s = newStore(dir, cloneBounds)
	p.s.device = func(f *os.File) device {
		p.under, p.disk, p.pending = logFile{f}, onDisk, nil
		if onDisk == nil {
			p.disk = p.read(logName)
		}
		return p
	}
	p.s.update = p.update
	_, err := p.s.start()
	return err
}

// inMemoryDir is one where fsync costs nothing, if there is one: what is on disk is what the test says.
func inMemoryDir(t testing.TB) string {
	dir, err := os.MkdirTemp("/dev/shm", "tmctl-file-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func (p *powered) read(name string) []byte {
	b, err := os.ReadFile(filepath.Join(p.s.dir, name))
	if err != nil {
		p.t.Error(err)
	}
	return b
}

func (p *powered) ReadAt(b []byte, at int64) (int, error) { return p.under.ReadAt(b, at) }

func (p *powered) WriteAt(b []byte, at int64) (int, error) {
	p.fail(nil)
	p.pending = append(p.pending, write{at, bytes.Clone(b)})
	n, err := p.under.WriteAt(b, at)
	p.fail(nil)
	return n, err
}

func (p *powered) Sync() error {
	p.fail(nil)
	for _, w := range p.pending {
		copy(p.disk[w.at:], w.b)
	}
	p.pending = nil
	err := p.under.Sync()
	p.fail(nil)
	return err
}

// update is a transaction: the pages come to the disk in any order, then the header of it, whole.
func (p *powered) update(db *bbolt.DB, fn func(*bbolt.Tx) error) error {
	before := p.read(dataName)
	err := db.Update(fn)
	after := p.read(dataName)
	if len(before) != len(after) {
		return err
	}
	pages := append(bytes.Clone(before[:2*pageSize]), after[2*pageSize:]...)
	p.fail(before)
	p.fail(p.mixed(before, pages))
	p.fail(pages)
	p.fail(after)
	return err
}

// mixed is some of the sectors of after, and the others of before.
func (p *powered) mixed(before, after []byte) []byte {
	b := bytes.Clone(before)
	for at := 0; at < len(b); at += sector {
		if p.rng.IntN(2) == 0 {
			copy(b[at:at+sector], after[at:])
		}
	}
	return b
}

// torn is what may be on the disk of the log: of what was not synced nothing, all, or any sectors; one was perhaps being
// written, and is noise.
func (p *powered) torn() []byte {
	b := bytes.Clone(p.disk)
	lost := p.rng.IntN(4)
	for _, w := range p.pending {
		for i := 0; i < len(w.b); i += sector {
			if lost == 0 || lost > 1 && p.rng.IntN(lost) == 0 {
				continue
			}
			copy(b[w.at+int64(i):], w.b[i:i+sector])
		}
		if w.at > 0 && p.rng.IntN(4) == 0 { // block 0 has no room beside it: a disk must write a sector whole
			i := p.rng.IntN(len(w.b)/sector) * sector
			for k := range b[w.at+int64(i):][:sector] {
				b[w.at+int64(i+k)] = byte(p.rng.Uint32())
			}
		}
	}
	return b
}

// fail takes the power away and starts the machine again, on a copy.
func (p *powered) fail(counters []byte) {
	if p.t.Failed() || p.rng.IntN(1+p.depth*10) > 0 {
		return
	}
	if counters == nil {
		counters = p.read(dataName)
	}
	*p.crashes++
	done := make(chan struct{})
	go func() { // a test that ends its goroutine shall not end the writer
		defer close(done)
		p.startAgain(counters)
	}()
	<-done
}

func (p *powered) startAgain(counters []byte) {
	dir := inMemoryDir(p.t)
	defer os.RemoveAll(dir)
	for name, b := range map[string][]byte{dataName: counters, logName: p.torn()} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			p.t.Fatal(err)
		}
	}
	var err error
	after := &powered{t: p.t, rng: p.rng, depth: p.depth + 1, crashes: p.crashes,
		answered: p.answered, asked: p.asked, keys: p.keys, key: p.key, of: p.of}
	if p.depth < 2 {
		err = after.power(dir, nil)
	} else {
		after.s, err = Open(dir, cloneBounds)
	}
	if err != nil {
		p.t.Errorf("after the power failed, at depth %d: %v", p.depth, err)
		return
	}
	after.look()
	if err := after.s.Close(); err != nil {
		p.t.Error(err)
	}
}

// look wants all that was answered to be there, and of the call under way all or nothing; and what is taken now to follow.
func (p *powered) look() {
	p.t.Helper()
	now, moved := map[string]uint64{}, 0
	if err := p.s.List(p.t.Context(), func(id string, last uint64) error { now[id] = last; return nil }); err != nil {
		p.t.Error(err)
	}
	for id, n := range p.asked {
		if now[id] == p.answered[id]+n {
			moved++
		}
	}
	if moved != 0 && moved != len(p.asked) {
		p.t.Errorf("%d of the %d claims of a call are there", moved, len(p.asked))
	}
	for id := range now {
		want := p.answered[id]
		if moved > 0 {
			want += p.asked[id]
		}
		if now[id] != want {
			p.t.Errorf("%s is at %d; %d were answered, and %d more asked for", id, now[id], p.answered[id], p.asked[id])
		}
	}
	if len(now) < len(p.answered) {
		p.t.Errorf("there are %d ids of %d", len(now), len(p.answered))
	}
	if p.answered, p.asked = now, nil; p.t.Failed() {
		return
	}
	if p.keys = maps.Clone(p.keys); moved > 0 && p.of.id != "" {
		p.keys[p.key] = p.of
	}
	for name, k := range p.keys {
		if got := p.ask(name, k.id); !got.Replayed || got.Turno != k.turno {
			p.t.Errorf("key %s of %s has %d, %t; want %d again", name, k.id, got.Turno, got.Replayed, k.turno)
		}
	}
	if last := slices.Sorted(maps.Keys(now)); len(last) > 0 {
		p.take(1, last[0])
	}
}

// ask asks for the number of a key.
func (p *powered) ask(name, id string) server.Key {
	p.t.Helper()
	call := &server.Call{Seq: p.s.slot.seq + 1, Claims: []server.Claim{{ID: id, Keys: []server.Key{{Name: name}}}}}
	if err := p.s.Reserve(p.t.Context(), call); err != nil {
		p.t.Fatal(err)
	}
	return call.Claims[0].Keys[0]
}

// take makes a call. The first of the ids is also asked for the number of a key that is new.
func (p *powered) take(n uint64, ids ...string) {
	p.t.Helper()
	p.asked = map[string]uint64{}
	for _, id := range ids {
		p.asked[id] = n
	}
	p.asked[ids[0]]++
	p.key, p.of = fmt.Sprintf("key-%d-%d", p.depth, len(p.keys)), keyed{ids[0], p.answered[ids[0]] + p.asked[ids[0]]}
	last, keys := maps.Clone(p.answered), maps.Clone(p.keys)
	call := &server.Call{Seq: p.s.slot.seq + 1}
	for _, id := range ids {
		call.Claims = append(call.Claims, server.Claim{ID: id, N: n})
	}
	call.Claims[0].Keys = []server.Key{{Name: p.key}}
	if err := p.s.Reserve(p.t.Context(), call); err != nil {
		p.t.Fatal(err)
	}
	for _, c := range call.Claims {
		if c.Err != nil || c.First != last[c.ID]+1 || c.Granted != p.asked[c.ID] {
			p.t.Fatalf("the claim of %d of %s = %d, %d, %v; want them from %d", c.N, c.ID, c.First, c.Granted, c.Err, last[c.ID]+1)
		}
		last[c.ID] += c.Granted
	}
	p.await() // the seal, too
	keys[p.key] = p.of
	p.answered, p.asked, p.keys = last, nil, keys
}

func (p *powered) await() {
	if err := p.s.wait(p.t.Context(), func() error { return nil }); err != nil {
		p.t.Error(err)
	}
}

// The power fails at each moment of many calls: before and after each write and each fsync of the log, and within each
// transaction; and again while the store is opened after it, and again. No number that was answered is given twice, no call is
// half there, and no store is refused for damage.
func TestPowerFailsAnywhere(t *testing.T) {
	seeds := 2
	if testing.Short() {
		seeds = 1
	}
	crashes := 0
	for seed := range seeds {
		rng := rand.New(rand.NewPCG(uint64(seed), 3))
		dir := inMemoryDir(t)
		makeSmall(t, dir, 6)
		p := &powered{t: t, rng: rng, answered: map[string]uint64{}, keys: map[string]keyed{}, crashes: &crashes}
		if err := p.power(dir, nil); err != nil {
			t.Fatal(err)
		}
		all := manyIDs("id", 200) // a record of them all is three blocks
		known := 3
		for range 25 {
			switch rng.IntN(6) {
			case 0:
				known = min(known+rng.IntN(40), len(all))
				p.take(1, all[:known]...)
			default:
				ids := slices.Clone(all[:known])
				rng.Shuffle(known, func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
				p.take(1+rng.Uint64N(9), ids[:1+rng.IntN(known)]...)
			}
		}
		if err := p.s.Close(); err != nil {
			t.Fatal(err)
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	t.Logf("the power failed %d times", crashes)
}

// After an fsync that failed, what a restart reads may be in memory only. What is given then is on disk all the same: the power
// fails after it.
func TestPowerFailsAfterFsyncFailed(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { powerFailsAfterFsyncFailed(t, rand.New(rand.NewPCG(seed, 5))) })
	}
}

func powerFailsAfterFsyncFailed(t *testing.T, rng *rand.Rand) {
	dir := inMemoryDir(t)
	crashes := 0
	p := &powered{t: t, rng: rng, depth: 1, answered: map[string]uint64{}, keys: map[string]keyed{}, crashes: &crashes}
	makeSmall(t, dir, 20)
	if err := p.power(dir, nil); err != nil {
		t.Fatal(err)
	}
	for range 1 + rng.IntN(5) {
		p.take(1, "a", "b")
	}
	n := &node{s: p.s, seq: p.s.slot.seq}
	n.onSync(t, func() error { return os.ErrDeadlineExceeded })
	p.asked, p.key, p.of = map[string]uint64{"a": 5}, "none", keyed{}
	wantUnknown(t, n, "a")
	if err := p.s.Close(); err != nil {
		t.Fatal(err)
	}
	disk := p.disk // without the record, which the kernel calls clean
	if err := p.power(dir, disk); err != nil {
		t.Fatal(err)
	}
	p.look()
	for range 3 {
		p.take(2, "a", "b")
		p.startAgain(p.read(dataName))
	}
	if err := p.s.Close(); err != nil {
		t.Fatal(err)
	}
}
