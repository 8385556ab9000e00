//go:build linux

package faults

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/turnomatico/tmctl/server/api"
)

// diskSize is the room that a store has in a row about full disks.
const diskSize = "16m"

// manyIDs has the store's files grow: a counter that is there needs no more room, and is served on a full disk, too.
var manyIDs = plan{ids: 30_000, rate: 2000}

// smallDisk puts the row's files on a disk of their own.
func smallDisk(s *scene) {
	s.dir = s.TempDir()
	err := syscall.Mount("tmpfs", s.dir, "tmpfs", 0, "size="+diskSize)
	if errors.Is(err, syscall.EPERM) {
		s.Skip("mounting a small disk takes root, and CAP_SYS_ADMIN in a container")
	}
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() {
		if err := syscall.Unmount(s.dir, syscall.MNT_DETACH); err != nil {
			s.Error(err)
		}
	})
}

// ballast fills what is left of the row's disk.
func (s *scene) ballast() (free func()) {
	s.Helper()
	path := filepath.Join(s.dir, "ballast")
	f, err := os.Create(path)
	if err != nil {
		s.Fatal(err)
	}
	for size := 1 << 20; size > 0; {
		if _, err := f.Write(make([]byte, size)); err != nil {
			size /= 2 // down to the last byte
		}
	}
	if err := f.Close(); err != nil && !errors.Is(err, syscall.ENOSPC) {
		s.Fatal(err)
	}
	return func() {
		if err := os.Remove(path); err != nil {
			s.Fatal(err)
		}
	}
}

func fillDisk(s *scene) {
	for range 2 {
		free := s.ballast()
		s.refuses(string(api.StoreUnavailable))
		free()
		s.goesOn()
	}
}

// fillDiskRestart is for a Redis that does not outlive a full disk.
func fillDiskRestart(s *scene) {
	noticed := s.everyoneFails()
	free := s.ballast()
	s.until("every node has noticed", noticed)
	free()
	s.redis.Restart()
	s.goesOn()
}

// crowd takes all files that the node may open.
func crowd(s *scene) {
	const saysFull = "cannot accept connections for now"
	for _, n := range s.nodes {
		var conns []net.Conn
		for range 2 * fewFiles {
			c, err := net.Dial("tcp", n.addr)
			if err != nil {
				s.Fatal(err)
			}
			conns = append(conns, c)
		}
		s.until(n.name+" is out of files", func() bool { return n.says(saysFull) })
		if s.redis != nil {
			s.redis.Run("CLIENT KILL TYPE normal") // and no file for another connection
		}
		time.Sleep(time.Second) // the fault lasts so long
		for _, c := range conns {
			c.Close()
		}
		s.goesOn()
	}
}

// fewFiles is how many a node may open in the row about that; the load alone needs 24.
const fewFiles = 64
