package redis

import "strconv"

// slotCount is how many slots a Redis Cluster has; the nodes share them out.
const slotCount = 1 << 14

// crcTable is of CRC-16/XMODEM, which Redis Cluster takes slots from (its specification, appendix A).
var crcTable = func() (table [256]uint16) {
	for i := range table {
		crc := uint16(i) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
		table[i] = crc
	}
	return table
}()

// slotOf is the slot of a key without a hash tag, as CLUSTER KEYSLOT tells it.
func slotOf[T string | []byte](key T) int {
	crc := uint16(0)
	for i := range len(key) {
		crc = crc<<8 ^ crcTable[byte(crc>>8)^key[i]]
	}
	return int(crc % slotCount)
}

// partitionOf is which of n partitions has an id: the slots are cut into n ranges of one size, and the id's own slot lies in
// one of them. Who has redis-cli can tell, too: CLUSTER KEYSLOT grupo1, times n, by 16384.
func partitionOf[T string | []byte](id T, n int) int { return slotOf(id) * n / slotCount }

// tagsOf are the hash tags of n partitions: each is the smallest number whose slot lies in the partition's range. So the
// partitions' slots are spread as evenly as the nodes' ranges are, and since n is a power of two, every tag of fewer
// partitions is one of more: a node with another n meets the record of the first one (cluster_agree.go).
func tagsOf(n int) []string {
	tags := make([]string, n)
	for number, missing := 0, n; missing > 0; number++ {
		text := strconv.Itoa(number)
		if at := partitionOf(text, n); tags[at] == "" {
			tags[at] = text
			missing--
		}
	}
	return tags
}
