package file

import (
	"errors"
	"maps"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/turnomatico/tmctl/server"
	"github.com/turnomatico/tmctl/server/store/sessions"
)

// change notes that a counter is not in the file as it is here.
func (s *Store) change(c *counter) {
	if !c.changed {
		c.changed = true
		s.changed = append(s.changed, c)
	}
}

// save writes into the file what changed since the last time, and d, if it is not nil: the file includes the log up to m then.
// Its errors are those of commit.
func (s *Store) save(d *draft, m mark) error {
	p := page{sheets: s.redraw(s.changed), keys: slices.Concat(s.newKeys, d.newKeys()), now: s.now(), mark: m}
	if d != nil {
		p.fresh = d.fresh
		for _, c := range d.moved {
			s.draw(p.sheets, c, c.next)
		}
	}
	if err := s.transact(p.put); err != nil {
		return err
	}
	s.keep(p.sheets)
	for _, c := range s.changed {
		c.changed = false
	}
	s.changed, s.newKeys = s.changed[:0], nil
	return nil
}

// page is what a transaction writes.
type page struct {
	sheets map[int][]byte
	fresh  map[string]*counter
	keys   []sessions.Entry
	now    int64 // keys whose time is over then may go
	mark   mark
}

func (p *page) put(tx *bbolt.Tx) error {
	if err := putSheets(tx, p.sheets); err != nil {
		return err
	}
	if err := putIDs(tx, p.fresh); err != nil {
		return err
	}
	if err := putKeys(tx, p.keys); err != nil {
		return err
	}
	if err := forgetKeys(tx, p.now, forget+len(p.keys)); err != nil {
		return err
	}
	return tx.Bucket(infoBucket).Put(logKey, markEntry(p.mark))
}

// renew has the file include the whole log, and d, and the log begin anew. A transaction needs room for the pages that it
// changes before it gives back those that they were; with too little for all at once, the counters of one page after the other
// may do. Its errors are those of commit.
func (s *Store) renew(d *draft) error {
	if err := s.log.announce(); err != nil {
		return s.judge(err)
	}
	err := s.save(d, s.log.first())
	if errors.Is(err, server.ErrUnavailable) && s.stopped.Load() == nil && len(s.changed) > 0 {
		if err = s.savePieces(); err == nil {
			err = s.save(d, s.log.first())
		}
	}
	if err == nil {
		s.log.begin()
	}
	return err
}

// savePieces writes the counters that changed into the file, the mark stays: what the log says of them is what the file says
// then.
func (s *Store) savePieces() error {
	bySheet := map[int][]*counter{}
	for _, c := range s.changed {
		bySheet[c.place/perSheet] = append(bySheet[c.place/perSheet], c)
	}
	for _, counters := range bySheet {
		sheets := s.redraw(counters)
		if err := s.transact(func(tx *bbolt.Tx) error { return putSheets(tx, sheets) }); err != nil {
			return err
		}
		s.keep(sheets)
		for _, c := range counters {
			c.changed = false
		}
		s.changed = slices.DeleteFunc(s.changed, func(c *counter) bool { return !c.changed })
	}
	return nil
}

// redraw returns the sheets of counters with the numbers that they have now.
func (s *Store) redraw(counters []*counter) map[int][]byte {
	sheets := map[int][]byte{}
	for _, c := range counters {
		s.draw(sheets, c, c.last.Load())
	}
	return sheets
}

// draw sets a counter's cell in a copy of its sheet.
func (s *Store) draw(sheets map[int][]byte, c *counter, last uint64) {
	i := c.place / perSheet
	sheet := sheets[i]
	if sheet == nil {
		sheet = make([]byte, sheetSize)
		if i < len(s.sheets) {
			copy(sheet, s.sheets[i])
		}
		sheets[i] = sheet
	}
	writeCell(cell(sheet, c.place), c.id, last)
}

// keep takes over sheets that are in the file now.
func (s *Store) keep(sheets map[int][]byte) {
	for _, i := range slices.Sorted(maps.Keys(sheets)) {
		if i == len(s.sheets) {
			s.sheets = append(s.sheets, nil)
		}
		s.sheets[i] = sheets[i]
	}
}

func putSheets(tx *bbolt.Tx, sheets map[int][]byte) error {
	numbers := tx.Bucket(numbersBucket)
	if numbers == nil {
		return errNoBuckets
	}
	numbers.FillPercent = 1 // sheets are added at the end
	for _, i := range slices.Sorted(maps.Keys(sheets)) {
		if err := numbers.Put(sheetKey(i), sheets[i]); err != nil {
			return err
		}
	}
	return nil
}

func putIDs(tx *bbolt.Tx, fresh map[string]*counter) error {
	ids := tx.Bucket(idsBucket)
	if ids == nil {
		return errNoBuckets
	}
	for id, c := range fresh {
		if err := ids.Put([]byte(id), placeEntry(id, c.place)); err != nil {
			return err
		}
	}
	return nil
}

var errNoBuckets = errors.New("the buckets are gone")
