package policyfile

import (
	"go/ast"
	goparser "go/parser"
	"go/token"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/farebox-mesh/farebox/pricing/catalog"
)

// declared returns the codes of the const block in codes.go.
func declared(t *testing.T) []string {
	t.Helper()
	f, err := goparser.ParseFile(token.NewFileSet(), "codes.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var codes []string
	ast.Inspect(f, func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok && len(v.Values) == 1 {
			if lit, ok := v.Values[0].(*ast.BasicLit); ok {
				code, err := strconv.Unquote(lit.Value)
				if err != nil {
					t.Fatal(err)
				}
				codes = append(codes, code)
			}
		}
		return true
	})
	slices.Sort(codes)
	return codes
}

func TestTheReferenceHasEveryCodeAndNoOther(t *testing.T) {
	var headings []string
	for _, m := range regexp.MustCompile(`(?m)^### (\S+)\n\n\S`).FindAllStringSubmatch(Reference(), -1) {
		headings = append(headings, m[1])
	}
	slices.Sort(headings)
	if diff := cmp.Diff(declared(t), headings); diff != "" {
		t.Errorf("codes in codes.go and headings of CODES.md (-codes +headings):\n%s", diff)
	}
}

func TestTheReferenceSaysWhatIsAWarning(t *testing.T) {
	for _, code := range declared(t) {
		says := strings.Contains(Reference(), "### "+code+"\n\nWarning. ")
		if says != Code(code).warning() {
			t.Errorf("%s: CODES.md says warning: %v, the code says %v", code, says, !says)
		}
	}
}

func TestEveryCodeHasAFileThatShowsIt(t *testing.T) {
	shown := make(map[string]bool)
	for _, data := range files(t, "*.want") {
		for _, m := range regexp.MustCompile(`(?m)^\S+: .* \((\S+)\)$`).FindAllStringSubmatch(string(data), -1) {
			shown[m[1]] = true
		}
	}
	for _, code := range declared(t) {
		if !shown[code] {
			t.Errorf("no file in testdata shows %s", code)
		}
	}
}

func TestTheHostsAreTheCatalogues(t *testing.T) {
	for _, vendor := range vendors() {
		for _, host := range defaultHosts(vendor) {
			if got, ok := catalog.ProviderOf(host); !ok || got != vendor {
				t.Errorf("host %q: of %q in this package, of %q in the catalogue", host, vendor, got)
			}
		}
	}
}
