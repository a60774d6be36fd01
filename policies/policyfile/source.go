package policyfile

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	yaml "go.yaml.in/yaml/v4"
	"go.yaml.in/yaml/v4/plugin/loaderlimits"
)

// Limits of a file. The entries bound the comparison of every rule with every other.
const (
	maxBytes   = 1 << 20
	maxEntries = 1000
	maxDepth   = 32
)

// lineBreaks turns what YAML counts as the end of a line into line feeds.
var lineBreaks = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u0085", "\n", "\u2028", "\n", "\u2029", "\n")

// source is the text of a file with the problems found in it.
type source struct {
	file     string
	lines    []string
	problems Problems
}

// load returns the top mapping of the file, or nil with a problem reported.
func (s *source) load(data []byte) *yaml.Node {
	if len(data) > maxBytes {
		s.report(nil, FileTooLarge, "file has %d bytes", "the limit is 1 MiB", len(data))
		return nil
	}
	text := strings.TrimPrefix(string(data), "\ufeff")
	s.lines = strings.Split(lineBreaks.Replace(text), "\n")
	if !utf8.ValidString(text) {
		s.report(nil, YAMLSyntax, "file is not valid UTF-8", "")
		return nil
	}
	var doc yaml.Node
	limits := loaderlimits.New(loaderlimits.DepthValue(maxDepth))
	if err := yaml.Load([]byte(text), &doc, yaml.WithPlugin(limits)); err != nil {
		s.reportSyntax(err, text)
		return nil
	}
	before := len(s.problems)
	s.checkFeatures(&doc)
	if len(s.problems) > before || len(doc.Content) != 1 {
		return nil
	}
	if top := doc.Content[0]; top.Kind == yaml.MappingNode {
		return top
	}
	s.report(doc.Content[0], WrongType, "a policy is a mapping", `begin with "version: 1"`)
	return nil
}

// reportSyntax reports what the YAML parser said, in words for the mistakes that people make most.
func (s *source) reportSyntax(err error, text string) {
	at := &yaml.Node{Kind: yaml.ScalarNode, Value: " "}
	message, hint := err.Error(), ""
	if le, ok := errors.AsType[*yaml.LoadError](err); ok {
		message = le.Message
		at.Line, at.Column = le.Mark.Line, le.Mark.Column
	}
	message = strings.TrimPrefix(message, "yaml: ")
	switch {
	case strings.Contains(message, "no documents in stream"):
		message, hint = "file is empty", `begin with "version: 1"`
	case strings.Contains(message, "found multiple"):
		s.report(nil, YAMLFeature, "file has several documents", "one policy, one file")
		return
	case strings.Contains(message, "max depth"):
		message = fmt.Sprintf("nested deeper than %d levels", maxDepth)
	case strings.Contains(message, "mapping values are not allowed"):
		hint = `quote a value that contains ": "`
	case strings.Contains(message, "did not find expected ','"):
		hint = "a [ or { is still open"
	case s.runeAt(at.Line, at.Column) == '\t':
		message, hint = "tab in the indentation", "indent with spaces"
	}
	if at.Line == 0 {
		at = nil
	}
	s.report(at, YAMLSyntax, "%s", hint, message)
}

func (s *source) runeAt(line, column int) rune {
	runes := []rune(s.line(line))
	if column < 1 || column > len(runes) {
		return 0
	}
	return runes[column-1]
}

// checkFeatures refuses the parts of YAML that a reader of a policy would have to resolve in the head.
func (s *source) checkFeatures(n *yaml.Node) {
	switch {
	case n.Kind == yaml.AliasNode:
		s.report(n, YAMLFeature, "aliases are not accepted", "write the value out")
		return
	case n.Anchor != "":
		s.report(n, YAMLFeature, "anchors are not accepted", "write the value out where it is used")
	case n.Style&yaml.TaggedStyle != 0:
		s.report(n, YAMLFeature, "tags are not accepted", "leave the tag out")
	case n.Tag == "!!merge":
		s.report(n, YAMLFeature, "merge keys are not accepted", "write the keys out")
	case (n.Kind == yaml.MappingNode && len(n.Content) > 2*maxEntries) || (n.Kind == yaml.SequenceNode && len(n.Content) > maxEntries):
		s.report(n, FileTooLarge, "more than %d entries", "", maxEntries)
		return
	}
	for _, c := range n.Content {
		s.checkFeatures(c)
	}
}

// report adds a problem at a node, or for the whole file if n is nil. The arguments are for the message.
func (s *source) report(n *yaml.Node, code Code, message, hint string, args ...any) {
	p := Problem{File: s.file, Code: code, Message: fmt.Sprintf(message, args...), Hint: hint}
	if n != nil {
		p.Line, p.Column, p.Width = n.Line, n.Column, s.width(n)
	}
	s.problems = append(s.problems, p)
}

func (s *source) line(number int) string {
	if number < 1 || number > len(s.lines) {
		return ""
	}
	return s.lines[number-1]
}

// width returns how many characters of its line a scalar takes; other nodes are marked at their first one.
func (s *source) width(n *yaml.Node) int {
	if n.Kind == yaml.MappingNode && n.Style&yaml.FlowStyle == 0 && len(n.Content) > 0 {
		return s.width(n.Content[0])
	}
	if n.Kind != yaml.ScalarNode || n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		return 1
	}
	first, _, _ := strings.Cut(n.Value, "\n")
	width := utf8.RuneCountInString(first)
	if n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0 {
		width += 2
	}
	return max(1, width)
}

// mask hides a scalar where its line is printed: it may be a key pasted by mistake.
func (s *source) mask(n *yaml.Node) {
	s.hide(n.Line, n.Column, len(s.line(n.Line)))
}

// hide replaces at most width characters of a line, from a column on.
func (s *source) hide(line, column, width int) {
	runes := []rune(s.line(line))
	for i := column - 1; i < min(len(runes), column-1+width); i++ {
		runes[i] = '*'
	}
	if line <= len(s.lines) {
		s.lines[line-1] = string(runes)
	}
}

// maskAll hides the scalars under a key that is not known: a misspelled credential may stand there. Quantities are none.
func (s *source) maskAll(n *yaml.Node) {
	if n.Kind == yaml.ScalarNode && n.Value != "" && !isQuantity(n.Value) {
		s.hide(n.Line, n.Column, s.width(n))
	}
	for _, inner := range n.Content {
		s.maskAll(inner)
	}
}

// finish puts the problems in file order and quotes their lines, masked where need be.
func (s *source) finish() Problems {
	for i := range s.problems {
		s.problems[i].Source = s.line(s.problems[i].Line)
	}
	s.problems.sort()
	return s.problems
}
