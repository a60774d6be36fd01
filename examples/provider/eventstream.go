package main

import (
	"encoding/binary"
	"hash/crc32"
)

// eventFrame frames a payload as one message of an AWS event stream: lengths, a checksum of them, headers, the payload
// and a checksum of all.
func eventFrame(kind string, payload []byte) []byte {
	var headers []byte
	for _, h := range [][2]string{{":event-type", kind}, {":content-type", "application/json"}, {":message-type", "event"}} {
		const text = 7 // the type of a header whose value is a string
		headers = append(append(headers, byte(len(h[0]))), h[0]...)
		headers = append(headers, text)
		headers = append(binary.BigEndian.AppendUint16(headers, uint16(len(h[1]))), h[1]...)
	}
	const fixed = 4 + 4 + 4 + 4 // two lengths and two checksums
	b := binary.BigEndian.AppendUint32(nil, uint32(fixed+len(headers)+len(payload)))
	b = binary.BigEndian.AppendUint32(b, uint32(len(headers)))
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	b = append(append(b, headers...), payload...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
}
