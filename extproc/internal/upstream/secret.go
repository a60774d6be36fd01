package upstream

import (
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[redacted]"

// Secret is a credential. However it is printed, logged or marshalled, it shows as "[redacted]"; Reveal is the
// only way to its text. The zero Secret is empty. The text hangs on a pointer, so that not even printing a
// structure around an unexported Secret shows it.
type Secret struct{ text *string }

func newSecret(text string) Secret { return Secret{&text} }

// Reveal returns the text, to be put into a request and nowhere else.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// String implements fmt.Stringer.
func (s Secret) String() string { return redacted }

// Format implements fmt.Formatter for all verbs.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue implements slog.LogValuer.
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText implements encoding.TextMarshaler, which JSON and YAML use.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
