package feeds

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/catalog/pricefile"
)

// Format names the syntax of a list.
type Format string

// The formats.
const (
	FormatLiteLLM Format = "litellm" // LiteLLM's JSON
	FormatGenAI   Format = "genai"   // JSON of genai-prices
	FormatCSV     Format = "csv"     // a table with the columns of CSV
	FormatOverlay Format = "overlay" // the catalogue's own JSON
)

// Formats are all formats.
var Formats = []Format{FormatLiteLLM, FormatGenAI, FormatCSV, FormatOverlay}

// Read reads a list of a format, or of the one that it looks like where format is "". Listings of the catalogue's own
// JSON keep the sources that they name.
func Read(r io.Reader, format Format, source Source) (List, error) {
	text, err := readAll(r)
	if err != nil {
		return List{}, err
	}
	if format == "" {
		format = detect(text)
	}
	var l List
	list := bytes.NewReader(text)
	switch format {
	case FormatLiteLLM:
		l.Listings, err = LiteLLM(list, source)
	case FormatGenAI:
		l.Listings, err = GenAI(list, source)
	case FormatCSV:
		l, err = CSV(list, source)
	case FormatOverlay:
		l.Listings, err = readOverlay(list)
	default:
		err = fmt.Errorf("unknown format %q: want one of %v", format, Formats)
	}
	return l, err
}

func readOverlay(list io.Reader) ([]pricing.Listing, error) {
	f, err := pricefile.Parse(list)
	return f.Listings, err
}

// detect guesses a format by how the list begins.
func detect(text []byte) Format {
	head := strings.TrimLeft(string(text[:min(len(text), 4096)]), " \t\r\n")
	switch {
	case strings.HasPrefix(head, "["):
		return FormatGenAI
	case strings.HasPrefix(head, "{"):
		_, after, _ := strings.Cut(head, `"`)
		key, _, _ := strings.Cut(after, `"`)
		if slices.Contains([]string{"provider", "hosts", "calendars", "listings"}, key) {
			return FormatOverlay
		}
		return FormatLiteLLM
	}
	return FormatCSV
}
