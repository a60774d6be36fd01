package pricing

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNeeded(t *testing.T) {
	table := NewTable([]Listing{
		{Provider: "openai", Model: "gpt-4o", Aliases: []ModelName{"gpt-4o-latest"}, Note: "family"},
		{Provider: "openai", Model: "gpt-4o", Until: date(2025, 1, 1), Note: "family, before"},
		{Provider: "openai", Model: "gpt-4o-2024-05-13", Note: "snapshot"},
		{Provider: "openai", Model: "gpt-4o-mini", Note: "mini"},
		{Provider: "azure_openai", Model: "gpt-4", Note: "azure"},
		{Provider: "groq", Model: "gpt-4o", Note: "groq"},
	})
	for _, tt := range []struct {
		name   string
		models []Model
		want   []string
	}{
		{"nothing", nil, nil},
		{"a family with its history and snapshots", []Model{{"openai", "gpt-4o"}}, []string{"family", "family, before", "snapshot"}},
		{"an alias", []Model{{"openai", "gpt-4o-latest"}}, []string{"family"}},
		{"a snapshot without a price of its own", []Model{{"openai", "gpt-4o-mini-2024-07-18"}}, []string{"mini"}},
		{"a reseller", []Model{{"azure_openai", "gpt-4o-mini"}, {"azure_openai", "gpt-4"}}, []string{"mini", "azure"}},
		{"unknown", []Model{{"openai", "gpt-4"}}, nil},
	} {
		var got []string
		for _, l := range table.Needed(tt.models) {
			got = append(got, l.Note)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}
