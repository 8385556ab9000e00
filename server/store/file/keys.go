package file

import (
	"bytes"
	"encoding/binary"
	"time"

	"go.etcd.io/bbolt"

	"github.com/turnomatico/tmctl/server/api"
	"github.com/turnomatico/tmctl/server/store/sessions"
)

// The numbers that keys have are in memory, as the counters are, and on disk in the record of the call that took them, and then
// in the file. Until when they have them is a time of the wall's clock, which a restart does not set back.
func wallClock() int64 { return time.Now().UnixMilli() }

// keyEntry is an entry of the bucket of keys. Those whose time is over first are the first there.
func keyEntry(e sessions.Entry) (key, value []byte) {
	key = binary.BigEndian.AppendUint64(make([]byte, 0, 8+len(e.ID)+1+len(e.Key)), uint64(e.Expires))
	key = append(append(append(key, e.ID...), 0), e.Key...)
	value = binary.BigEndian.AppendUint64(make([]byte, 0, 12), e.Turno)
	return key, binary.BigEndian.AppendUint32(value, checksum(string(key), value))
}

// readKeyEntry is keyEntry's reverse.
func readKeyEntry(key, value []byte) (e sessions.Entry, ok bool) {
	if len(key) < 8 || len(value) != 12 || binary.BigEndian.Uint32(value[8:]) != checksum(string(key), value[:8]) {
		return e, false
	}
	id, name, ok := bytes.Cut(key[8:], []byte{0})
	return sessions.Entry{
		ID: string(id), Key: string(name), Expires: int64(binary.BigEndian.Uint64(key)), Turno: binary.BigEndian.Uint64(value),
	}, ok
}

// loadKeys reads all keys that have a number at a time.
func (s *Store) loadKeys(tx *bbolt.Tx, now int64) error {
	keys := tx.Bucket(keysBucket)
	if keys == nil {
		return s.damaged("it has no keys")
	}
	return keys.ForEach(func(key, value []byte) error {
		e, ok := readKeyEntry(key, value)
		switch {
		case !ok || !plausible(e):
			return s.damaged("the entry of key %q is not as it was written", key)
		case e.Expires > now:
			s.keys.Put(e)
		}
		return nil
	})
}

func plausible(e sessions.Entry) bool {
	return api.ValidID(e.ID) && e.Key != "" && 0 < e.Turno && e.Turno <= api.MaxTurno
}

// putKeys writes the numbers that keys were given.
func putKeys(tx *bbolt.Tx, entries []sessions.Entry) error {
	keys := tx.Bucket(keysBucket)
	if keys == nil {
		return errNoBuckets
	}
	keys.FillPercent = 0.9 // most are added at the end
	for _, e := range entries {
		if err := keys.Put(keyEntry(e)); err != nil {
			return err
		}
	}
	return nil
}

// someKeys is how many new ones are written into the file at once, while nobody's answer waits for it: 10 ms of bbolt. A log
// holds so many that the call which finds it full would wait for ten times that.
const someKeys = 4000

// saveKeys writes new keys into the file when there are some. If it can't, they stay in the log.
func (s *Store) saveKeys() {
	if len(s.newKeys) < s.saveAt {
		return
	}
	_ = s.save(nil, s.log.mark) // what must be known of its error, stop has noted
	s.saveAt = len(s.newKeys) + someKeys
}

// forget bounds how many keys whose time is over a transaction removes, beside as many as it adds: it shall take no longer
// when many are over at once.
const forget = 2000

// forgetKeys removes keys whose time is over at now.
func forgetKeys(tx *bbolt.Tx, now int64, most int) error {
	keys := tx.Bucket(keysBucket)
	if keys == nil {
		return errNoBuckets
	}
	var over [][]byte // a cursor does not bear it when the entry under it goes
	c := keys.Cursor()
	for key, _ := c.First(); key != nil && len(over) < most && expires(key) <= now; key, _ = c.Next() {
		over = append(over, bytes.Clone(key))
	}
	for _, key := range over {
		if err := keys.Delete(key); err != nil {
			return err
		}
	}
	return nil
}

// expires is until when the key of an entry has its number.
func expires(key []byte) int64 { return int64(binary.BigEndian.Uint64(key)) }
