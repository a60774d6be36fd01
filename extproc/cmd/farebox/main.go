// Command farebox makes the LLM traffic of an Envoy mesh cheaper, holds its budgets and records what it cost.
//
// Results go to standard output, everything else to standard error. The exit status is 0 when done, 1 when
// something failed and 2 for wrong use.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/farebox-mesh/farebox/policies/policyfile"
)

const (
	statusOK     = 0
	statusFailed = 1
	statusUsage  = 2
)

const usage = `farebox makes the LLM traffic of an Envoy mesh cheaper.

usage: farebox COMMAND [flags]

  serve      serve Envoy's external processing protocol
  check      check a policy file
  explain    say what a policy would do with a request on standard input
  policy     policy compile FILE: print a policy for the proxy-wasm filter
  budgets    show what budgets have spent and left, or top one up
  meter      say what recorded calls cost
  envoy      print an Envoy configuration for a policy
  ledger     ledger compact: give the space of forgotten entries back
  prices     list prices, the catalogue's or as a policy charges them; import, compare, re-rate
  version    print the version

farebox COMMAND -h describes a command's flags.
`

// env is the world of a command.
type env struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	now            func() time.Time
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status := run(ctx, os.Args[1:], env{os.Stdin, os.Stdout, os.Stderr, time.Now})
	stop()
	os.Exit(status)
}

func run(ctx context.Context, args []string, e env) int {
	if len(args) == 0 {
		fmt.Fprint(e.stderr, usage)
		return statusUsage
	}
	commands := map[string]func(context.Context, []string, env) int{
		"serve": runServe, "check": runCheck, "explain": runExplain, "policy": runPolicy, "envoy": runEnvoy,
		"prices": runPrices, "version": runVersion, "budgets": runBudgets, "meter": runMeter, "ledger": runLedger,
	}
	switch name := args[0]; name {
	case "help", "-h", "--help":
		if len(args) > 1 && commands[args[1]] != nil {
			return commands[args[1]](ctx, append(args[2:], "-h"), e)
		}
		if len(args) > 1 {
			fmt.Fprintf(e.stderr, "farebox help: unknown command %q; farebox help lists them\n", args[1])
			return statusUsage
		}
		fmt.Fprint(e.stdout, usage)
		return statusOK
	case "-v", "-version", "--version":
		return runVersion(ctx, args[1:], e)
	default:
		command, ok := commands[name]
		if !ok {
			fmt.Fprintf(e.stderr, "farebox: unknown command %q; farebox help lists them\n", name)
			return statusUsage
		}
		return command(ctx, args[1:], e)
	}
}

// flags returns a flag set that reports wrong use on stderr.
func flags(name, synopsis string, e env) *flag.FlagSet {
	f := flag.NewFlagSet("farebox "+name, flag.ContinueOnError)
	f.SetOutput(e.stderr)
	f.Usage = func() {
		fmt.Fprintf(e.stderr, "usage: farebox %s\n", synopsis)
		f.PrintDefaults()
	}
	return f
}

// parse reports the exit status of a command whose flags cannot be used, and whether they can.
func parse(f *flag.FlagSet, args []string) (status int, ok bool) {
	out, usage := f.Output(), f.Usage
	f.SetOutput(io.Discard) // what it says lacks the command's name
	f.Usage = func() {}
	err := f.Parse(args)
	f.SetOutput(out)
	f.Usage = usage
	switch {
	case errors.Is(err, flag.ErrHelp):
		f.Usage()
		return statusOK, false
	case err != nil:
		return misused(f, err.Error()), false
	}
	return statusOK, true
}

// misused says in a line what is wrong with the use of a command, then what its use is.
func misused(f *flag.FlagSet, wrong string) int {
	fmt.Fprintf(f.Output(), "%s: %s\n", f.Name(), wrong)
	f.Usage()
	return statusUsage
}

// surplus is what misused says of an argument that a command has no use for.
func surplus(arg string) string { return fmt.Sprintf("no use for %q", arg) }

// onlyFlags says what is wrong with the arguments of a command that takes none and needs some flags, "" if nothing is.
func onlyFlags(f *flag.FlagSet, needed ...string) string {
	for _, name := range needed {
		if wanted := f.Lookup(name); wanted.Value.String() == "" {
			kind, _ := flag.UnquoteUsage(wanted)
			return fmt.Sprintf("--%s %s is missing", name, kind)
		}
	}
	if f.NArg() > 0 {
		return surplus(f.Arg(0))
	}
	return ""
}

// unknownCommand says what is wrong with a command of a command, got, "" if there is none.
func unknownCommand(got string, known ...string) string {
	commands := strings.Join(known, ", ")
	if got == "" {
		return "a command is missing: " + commands
	}
	return fmt.Sprintf("unknown command %q; there is: %s", got, commands)
}

// oneArg says what is wrong with the arguments of a command that takes one, "" if nothing is.
func oneArg(f *flag.FlagSet, what string) string {
	switch {
	case f.NArg() == 0:
		return what + " is missing"
	case f.NArg() > 1 && strings.HasPrefix(f.Arg(1), "-"):
		return fmt.Sprintf("%s stands after %s: flags come first", f.Arg(1), what)
	case f.NArg() > 1:
		return surplus(f.Arg(1))
	}
	return ""
}

// fail says what went wrong and returns the exit status. The problems of a policy stand as they are, so that editors
// find the places.
func (e env) fail(err error) int {
	var problems policyfile.Problems
	if errors.As(err, &problems) {
		fmt.Fprintln(e.stderr, problems)
		return statusFailed
	}
	fmt.Fprintf(e.stderr, "farebox: %v\n", err)
	return statusFailed
}

// list is a flag that may be given several times.
type list []string

func (l *list) String() string     { return fmt.Sprint([]string(*l)) }
func (l *list) Set(s string) error { *l = append(*l, s); return nil }
