// Command gen packs the catalogue: the curated files of the folder that it runs in, over the lists of LiteLLM and
// genai-prices.
//
//	go run ./gen -litellm model_prices_and_context_window.json -litellm-day 2026-08-01 -genai data.json -genai-day 2026-08-21
//
// Without the lists it keeps what the packed catalogue has from them: enough after a change to a curated file, unless
// that file now leaves a model out. Results go to -o, everything else to standard error; the exit status is 0 when
// done, 1 when something failed and 2 for wrong use.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/catalog/feeds"
	"github.com/farebox-mesh/farebox/pricing/catalog/internal/packed"
	"github.com/farebox-mesh/farebox/pricing/catalog/pricefile"
)

func main() { os.Exit(run(os.Args[1:], os.Stderr)) }

// options are the flags.
type options struct {
	folder, out                          string
	litellm, litellmDay, genai, genaiDay string
}

func run(args []string, stderr io.Writer) int {
	var o options
	f := flag.NewFlagSet("gen", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&o.folder, "curated", ".", "`DIR` of the curated files")
	f.StringVar(&o.out, "o", "catalog.bin", "`FILE` to write")
	f.StringVar(&o.litellm, "litellm", "", "`FILE` of LiteLLM's prices")
	f.StringVar(&o.litellmDay, "litellm-day", "", "`DAY` of that file, YYYY-MM-DD")
	f.StringVar(&o.genai, "genai", "", "`FILE` of the prices of genai-prices")
	f.StringVar(&o.genaiDay, "genai-day", "", "`DAY` of that file, YYYY-MM-DD")
	if err := f.Parse(args); errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		return 2
	}
	if both := o.litellm != "" && o.genai != "" && o.litellmDay != "" && o.genaiDay != ""; !both && o.litellm+o.genai+o.litellmDay+o.genaiDay != "" {
		fmt.Fprintln(stderr, "gen: want both lists with their days, or neither")
		return 2
	}
	if err := o.generate(stderr); err != nil {
		fmt.Fprintf(stderr, "gen: %v\n", err)
		return 1
	}
	return 0
}

func (o *options) generate(stderr io.Writer) error {
	files, err := pricefile.ReadDir(os.DirFS(o.folder))
	if err != nil {
		return err
	}
	var hosts []packed.Host
	var curated []pricing.Listing
	for _, file := range files {
		for _, host := range file.Hosts {
			hosts = append(hosts, packed.Host{Name: host, Provider: file.Provider})
		}
		curated = append(curated, file.Listings...)
	}
	community, err := o.community(curated)
	if err != nil {
		return err
	}
	out := packed.Encode(hosts, curated, community)
	fmt.Fprintf(stderr, "%d curated listings, %d of the community, %d bytes\n", len(curated), len(community), len(out))
	return os.WriteFile(o.out, out, 0o644)
}

// community reads the lists, or what the packed catalogue has from them.
func (o *options) community(curated []pricing.Listing) ([]pricing.Listing, error) {
	if o.litellm == "" {
		return o.kept(curated)
	}
	litellm, err := os.ReadFile(o.litellm)
	if err != nil {
		return nil, err
	}
	genai, err := os.ReadFile(o.genai)
	if err != nil {
		return nil, err
	}
	return feeds.Merge(feeds.Lists{
		LiteLLM: bytes.NewReader(litellm), LiteLLMSource: feeds.Source{Name: "litellm", AsOf: o.litellmDay},
		GenAI: bytes.NewReader(genai), GenAISource: feeds.Source{Name: "genai-prices", AsOf: o.genaiDay},
	}, curated)
}

// kept reads the lower layer of the packed catalogue.
func (o *options) kept(curated []pricing.Listing) ([]pricing.Listing, error) {
	old, err := os.ReadFile(o.out)
	if err != nil {
		return nil, err
	}
	c, err := packed.Open(string(old))
	if err != nil {
		return nil, err
	}
	return feeds.Rebase(c.Layer(1), curated), nil
}
