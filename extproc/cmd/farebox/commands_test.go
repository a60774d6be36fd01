package main

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const commandsHead = `# farebox: command reference

What ` + "`farebox help` and `farebox COMMAND -h`" + ` print. Results go to standard output, everything else to standard error; the exit
status is 0 when done, 1 when something failed and 2 for wrong use.

`

// TestTheReferenceEqualsTheFlags keeps COMMANDS.md what the commands themselves say.
func TestTheReferenceEqualsTheFlags(t *testing.T) {
	const file = "COMMANDS.md"
	got := commandsHead + fenced(printed(t, "help"))
	for _, name := range commandNames(t) {
		got += "\n## " + name + "\n\n" + fenced(printed(t, name, "-h"))
	}
	for _, c := range pricesCommands() {
		got += "\n### prices " + c.name + "\n\n" + fenced(printed(t, "prices", c.name, "-h"))
	}
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s is not what the flags say; go test ./extproc/cmd/farebox -update writes it (-want +got):\n%s", file, diff)
	}
}

// commandNames reads the commands with flags or arguments from the usage text.
func commandNames(t *testing.T) []string {
	t.Helper()
	var names []string
	for line := range strings.Lines(usage) {
		if rest, ok := strings.CutPrefix(line, "  "); ok && !strings.HasPrefix(rest, "version") {
			names = append(names, strings.Fields(rest)[0])
		}
	}
	if len(names) == 0 {
		t.Fatalf("no commands in %q", usage)
	}
	return names
}

// printed runs a command that explains itself.
func printed(t *testing.T, args ...string) string {
	t.Helper()
	var out strings.Builder
	if status := run(t.Context(), args, env{strings.NewReader(""), &out, &out, time.Now}); status != statusOK {
		t.Fatalf("farebox %s: exit status %d\n%s", strings.Join(args, " "), status, &out)
	}
	return out.String()
}

// fenced is a block of text as it is, with spaces for tabs.
func fenced(text string) string {
	return "```text\n" + strings.ReplaceAll(text, "\t", "    ") + "```\n"
}
