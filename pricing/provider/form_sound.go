package provider

import "encoding/binary"

// leastSeconds is what a recording is billed for at least: Groq bills ten seconds, more than any other vendor.
const leastSeconds = 10

// secondsOf returns for how many seconds a recording is billed at most. It does so for WAV files of plain samples only,
// by the rate in the header, and returns false for all others: their bytes bound nothing. Opus packs 120 ms of silence
// into two bytes (RFC 6716, section 3.2), FLAC 65,535 equal samples into a dozen (RFC 9639, section 9.2), and MP4 and
// WebM say how long a sample lasts. Nor does an average bit rate hold for who means to pass a limit.
//
// The header is taken at its word. A decoder that finds compressed frames among the samples, as FFmpeg looks for, may
// take longer: such a call is settled as it is billed, and counted as an overrun.
//
// Source: Microsoft, "Multimedia Programming Interface and Data Specifications 1.0", "Waveform Audio File Format".
func secondsOf(file []byte) (int64, bool) {
	const head = 12 // RIFF, length, WAVE
	if len(file) < head || string(file[:4]) != "RIFF" || string(file[8:head]) != "WAVE" {
		return 0, false
	}
	var rate int64 // bytes a second
	for at := head; len(file)-at >= 8; {
		chunk, size := string(file[at:at+4]), int64(binary.LittleEndian.Uint32(file[at+4:]))
		at += 8
		switch chunk {
		case "data":
			if rate <= 0 {
				return 0, false
			}
			return max((int64(len(file))+rate-1)/rate, leastSeconds), true
		case "fmt ":
			if rate > 0 || size < 16 || size > int64(len(file)-at) {
				return 0, false // parsers differ in which of two they take
			}
			if rate = sampleRate(file[at : at+int(size)]); rate == 0 {
				return 0, false
			}
		}
		if size += size & 1; size > int64(len(file)-at) { // chunks begin at even offsets
			return 0, false
		}
		at += int(size)
	}
	return 0, false
}

// sampleRate returns the bytes a second of the format in a chunk "fmt ", 0 unless they are plain samples and the header
// agrees with itself.
func sampleRate(format []byte) int64 {
	const integer, float = 1, 3 // WAVE_FORMAT_PCM and WAVE_FORMAT_IEEE_FLOAT
	tag, channels := binary.LittleEndian.Uint16(format), int64(binary.LittleEndian.Uint16(format[2:]))
	samples, bytes := int64(binary.LittleEndian.Uint32(format[4:])), int64(binary.LittleEndian.Uint32(format[8:]))
	block, bits := int64(binary.LittleEndian.Uint16(format[12:])), int64(binary.LittleEndian.Uint16(format[14:]))
	plain := false
	switch bits {
	case 8, 16, 24:
		plain = tag == integer
	case 32, 64: // IEEE 754 has no shorter format that WAV files take
		plain = tag == integer || tag == float
	}
	if !plain || channels == 0 || block != channels*bits/8 || bytes != samples*block {
		return 0
	}
	return bytes
}
