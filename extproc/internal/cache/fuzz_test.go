package cache

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"testing"
)

// Whatever decodes encodes to the same bytes. The checksum is put right, so that the fuzzer gets past it.
func FuzzDecode(f *testing.F) {
	f.Add(encodeOf(f, answer("data: {}\n\n")))
	f.Add(encodeOf(f, Entry{}))
	f.Add([]byte{version})
	f.Fuzz(func(t *testing.T, block []byte) {
		if len(block) >= prologue {
			binary.LittleEndian.PutUint32(block[1:], crc32.Checksum(block[prologue:], castagnoli))
		}
		e, err := decode(block)
		if err != nil {
			return
		}
		if again := encodeOf(t, e); !bytes.Equal(block, again) {
			t.Errorf("decoded and encoded again:\n %x\nwant:\n %x", again, block)
		}
	})
}
