package file

import "slices"

// disk is what a directory is on.
type disk struct {
	name string // "ext4"; "unknown"
	free uint64 // bytes that this user may write; meaningless if the name is unknown
}

const unknownDisk = "unknown"

// File systems that don't keep the promise, or leave it to somebody else.
var (
	inMemory = []string{"tmpfs", "ramfs"}
	layered  = []string{"overlay"}
	remote   = []string{"nfs", "cifs", "smb2", "9p", "ceph", "fuse", "vboxsf"}
)

func (d disk) promise() string {
	if slices.Contains(inMemory, d.name) {
		return "lost when the machine restarts, and then numbers are given again: the directory is in memory (" + d.name + ")"
	}
	return "nothing lost, no duplicates: every number is on disk before it is answered"
}

func (d disk) warnings(dir string) []string {
	switch {
	case slices.Contains(inMemory, d.name):
		return []string{dir + " is in memory (" + d.name + "): when the machine restarts its counters are lost, and numbers are given again"}
	case slices.Contains(layered, d.name):
		return []string{dir + " is in a container's own layer (" + d.name + "): its counters go when the container does; mount a volume there"}
	case slices.Contains(remote, d.name):
		return []string{dir + " is on " + d.name + ": whether its locks and fsyncs can be relied on is up to whoever serves it; a local disk is better"}
	}
	return nil
}
