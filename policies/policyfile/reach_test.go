package policyfile

import (
	"strings"
	"testing"
)

func TestUnreachableRules(t *testing.T) {
	for _, tt := range []struct {
		name, first, later string
		unreachable        bool
	}{
		{"everything first", "{}", "{model: a}", true},
		{"equal", "{model: [a, b]}", "{model: [b, a]}", true},
		{"narrower", "{model: [a, b]}", "{model: a, tools: true}", true},
		{"wider", "{model: a, tools: true}", "{model: a}", false},
		{"another value", "{model: a}", "{model: b}", false},
		{"within a glob", "{model: gpt-*}", "{model: [gpt-5, gpt-4*]}", true},
		{"partly within a glob", "{model: gpt-*}", "{model: [gpt-5, claude]}", false},
		{"a glob within a name", "{model: gpt-5}", "{model: gpt-*}", false},
		{"a star in the middle", "{path: /a*b}", "{path: /axb}", false},
		{"a missing header is no value", `{header.x: "*"}`, `{header.x: ""}`, false},
		{"any value", `{header.x: "*"}`, `{header.X: [a, b*]}`, true},
		{"another header", "{header.x: a}", "{header.y: a}", false},
		{"one header of two", "{header.x: a}", "{header.x: a, header.y: a}", true},
		{"a dimension", "{team: [a, b]}", "{team: a}", true},
		{"providers", "{provider: [openai, groq]}", "{provider: groq}", true},
		{"fewer providers", "{provider: groq}", "{provider: [openai, groq]}", false},
		{"APIs", "{api: openai_chat}", "{model: a}", false},
		{"a flag", "{stream: true}", "{stream: true, images: false}", true},
		{"the other flag", "{stream: true}", "{stream: false}", false},
		{"a range within", "{input: below 8k tokens}", "{input: 1k to 2k tokens}", true},
		{"a range that reaches out", "{input: below 8k tokens}", "{input: 7k to 8k tokens}", false},
		{"an open range", "{output: above 8k tokens}", "{output: above 9k tokens}", true},
		{"an open range in a closed one", "{output: 1k to 8k tokens}", "{output: above 2k tokens}", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			data := "version: 1\ndimensions: {team: jwt:team}\nrules:\n- when: " + tt.first + "\n- when: " + tt.later + "\n"
			_, problems := Parse("p.yaml", []byte(data))
			if got := strings.Contains(problems.Error(), string(UnreachableRule)); got != tt.unreachable || len(problems) > 1 {
				t.Errorf("%s then %s: problems:\n%v", tt.first, tt.later, problems)
			}
		})
	}
}
