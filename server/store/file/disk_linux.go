package file

import "syscall"

// From linux/magic.h and statfs(2).
var disks = map[uint32]string{
	0xEF53: "ext4", 0x58465342: "xfs", 0x9123683E: "btrfs", 0xCA451A4E: "bcachefs", 0x2FC12FC1: "zfs", 0xF2F52010: "f2fs",
	0x4D44: "vfat", 0x2011BAB0: "exfat", 0x01021994: "tmpfs", 0x858458F6: "ramfs", 0x794C7630: "overlay",
	0x6969: "nfs", 0xFF534D42: "cifs", 0xFE534D42: "smb2", 0x01021997: "9p", 0x00C36400: "ceph", 0x65735546: "fuse", 0x786F4256: "vboxsf",
}

func diskOf(dir string) disk {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return disk{name: unknownDisk}
	}
	name, ok := disks[uint32(st.Type)]
	if !ok {
		return disk{name: unknownDisk}
	}
	return disk{name: name, free: st.Bavail * uint64(st.Bsize)}
}
