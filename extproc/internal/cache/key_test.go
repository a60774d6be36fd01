package cache

import (
	"reflect"
	"testing"

	"github.com/farebox-mesh/farebox/pricing/provider"
)

func parts() KeyParts {
	return KeyParts{
		Dimension: "team", Partition: "search", Route: "openai", API: provider.OpenAIChat,
		Path: "/v1/chat/completions", Query: "a=b", AnthropicBeta: "x", Version: "2023-06-01", Model: "gpt-6-luna",
	}
}

// Reflection makes the test cover fields that are added later.
func TestEveryPartChangesTheKey(t *testing.T) {
	base := NewKey(parts())
	if again := NewKey(parts()); again != base {
		t.Fatal("the same parts gave two keys")
	}
	for i := range reflect.TypeFor[KeyParts]().NumField() {
		p := parts()
		field := reflect.ValueOf(&p).Elem().Field(i)
		switch field.Kind() {
		case reflect.String:
			field.SetString(field.String() + "!")
		case reflect.Bool:
			field.SetBool(!field.Bool())
		case reflect.Int64:
			field.SetInt(field.Int() + 1)
		case reflect.Array:
			field.Index(31).SetUint(1)
		default:
			t.Fatalf("field of kind %s: teach this test", field.Kind())
		}
		if NewKey(p) == base {
			t.Errorf("%s does not change the key", reflect.TypeFor[KeyParts]().Field(i).Name)
		}
	}
}

func TestPartsDoNotRunTogether(t *testing.T) {
	for _, tt := range []struct {
		name string
		a, b KeyParts
	}{
		{"value moves to the next part", KeyParts{Path: "/a", Query: "b"}, KeyParts{Path: "/", Query: "ab"}},
		{"part moves", KeyParts{AnthropicBeta: "x"}, KeyParts{Version: "x"}},
		{"another vendor's beta", KeyParts{AnthropicBeta: "x"}, KeyParts{OpenAIBeta: "x"}},
		{"betas move", KeyParts{AnthropicBeta: "xy"}, KeyParts{AnthropicBeta: "x", OpenAIBeta: "y"}},
		{"length byte inside a value", KeyParts{Dimension: "a\x01b"}, KeyParts{Dimension: "a", Partition: "b"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if NewKey(tt.a) == NewKey(tt.b) {
				t.Errorf("%+v and %+v have one key", tt.a, tt.b)
			}
		})
	}
}
