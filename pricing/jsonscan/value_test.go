package jsonscan_test

import (
	"encoding/json"
	"testing"

	"github.com/farebox-mesh/farebox/pricing/jsonscan"
)

func TestStringsMeanWhatEncodingJSONSays(t *testing.T) {
	for _, text := range []string{
		`""`, `"plain"`, `"a\"b\\c\/d\b\f\n\r\t"`, `"mod\u0065l"`, `"\u00e9\u20AC"`, `"\ud83d\ude00!"`,
		`"\ud83d"`, `"\ud83dx"`, `"\ude00\ud83d"`, `"\ud83d\u0041"`, `"\u0000"`, `"é\u0301"`,
	} {
		var want string
		if err := json.Unmarshal([]byte(text), &want); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		s := jsonscan.New([]byte(text))
		tok := s.Next()
		if got := s.String(tok); got != want {
			t.Errorf("String(%s) = %q, want %q", text, got, want)
		}
		if !s.Equal(tok, want) || s.Equal(tok, want+"x") || (want != "" && s.Equal(tok, want[1:])) {
			t.Errorf("Equal(%s) holds for other than %q", text, want)
		}
	}
}

func TestIntReadsWholeNumbersHoweverSpelled(t *testing.T) {
	for _, tt := range []struct {
		text string
		want int64
		ok   bool
	}{
		{"0", 0, true}, {"-0", 0, true}, {"0.000e9", 0, true}, {"0e99999999999999999999", 0, true},
		{"17", 17, true}, {"-17", -17, true}, {"1e3", 1000, true}, {"1E+3", 1000, true}, {"10.0", 10, true},
		{"10.50e1", 105, true}, {"1000e-3", 1, true}, {"0.001e3", 1, true}, {"120.00e-1", 12, true},
		{"9223372036854775807", 1<<63 - 1, true}, {"9223372036854775808", 0, false},
		{"1.5", 0, false}, {"1e-1", 0, false}, {"1e19", 0, false}, {"1e99999999999999999999", 0, false},
		{"92233720368547758079", 0, false}, {`"1"`, 0, false}, {"null", 0, false},
	} {
		s := jsonscan.New([]byte(tt.text))
		if got, ok := s.Int(s.Next()); got != tt.want || ok != tt.ok {
			t.Errorf("Int(%s) = %d, %v, want %d, %v", tt.text, got, ok, tt.want, tt.ok)
		}
	}
}

func TestFloatRefusesWhatIsOutOfRange(t *testing.T) {
	for _, tt := range []struct {
		text string
		want float64
		ok   bool
	}{{"0.7", 0.7, true}, {"-1e2", -100, true}, {"1", 1, true}, {"true", 0, false}} {
		s := jsonscan.New([]byte(tt.text))
		if got, ok := s.Float(s.Next()); got != tt.want || ok != tt.ok {
			t.Errorf("Float(%s) = %v, %v, want %v, %v", tt.text, got, ok, tt.want, tt.ok)
		}
	}
	s := jsonscan.New([]byte("1e999"))
	if _, ok := s.Float(s.Next()); ok {
		t.Error("Float(1e999) is ok, want out of range")
	}
}
