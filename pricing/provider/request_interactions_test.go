package provider_test

import (
	"strings"
	"testing"

	"github.com/farebox-mesh/farebox/pricing/provider"
)

func TestToolsOfAnInteractionWithoutATypeAreTheProviders(t *testing.T) {
	for tools, want := range map[string]bool{
		`[{"google_search":{}}]`:                      true,
		`[{"type":null,"name":"f"}]`:                  true,
		`[{"type":{"function":{}},"name":"f"}]`:       true,
		`[{"type":7}]`:                                true,
		`["google_search"]`:                           true,
		`{"google_search":{}}`:                        true,
		`[{"type":"function","name":"f"},{"name":1}]`: true,
		`[{"type":"function","name":"f"}]`:            false,
		`[]`:                                          false,
		`null`:                                        false,
	} {
		r := parse(t, interactionsPath, `{"model":"m","store":false,"input":"q","tools":`+tools+`}`)
		if got := r.Facts.Has(provider.ServerTools); got != want || r.OpenPieces != want || r.InputBound() < 0 != want {
			t.Errorf("tools %s: the provider's %t, open %t, bound %d; want %t", tools, got, r.OpenPieces, r.InputBound(), want)
		}
	}
}

func TestMediaOfAnInteractionOutOfPlaceHaveNoBound(t *testing.T) {
	for input, bounded := range map[string]bool{
		`[{"type":"video","video":{"uri":"https://a/b"}}]`:                                               false,
		`[{"type":"video","uri":null,"video":{"uri":"https://a/b"}}]`:                                    false,
		`[{"type":"audio","data":{"inline":"AA"}}]`:                                                      false,
		`[{"type":"video","mime_type":"text/plain","data":"AA"}]`:                                        false,
		`{"type":"image","data":null,"image":{}}`:                                                        false,
		`[{"type":"user_input","content":[{"type":"document","file":{"id":"f"}}]}]`:                      false,
		`[{"type":"thought","summary":[{"type":"image","image":{}}]}]`:                                   false,
		`[{"role":"user","content":{"type":"image","file_data":"AA"}}]`:                                  false,
		`[{"type":"function_result","result":[{"type":"video","video":{}}]}]`:                            false,
		`[{"video":{"uri":"https://a/b"}}]`:                                                              false,
		`[{"type":7,"uri":null}]`:                                                                        false,
		`[[{"type":"image","uri":"https://a/b"}]]`:                                                       false,
		`[{"type":"hologram"}]`:                                                                          false,
		`"q"`:                                                                                            true,
		`["q",{"type":"text","text":"q"}]`:                                                               true,
		`[{"type":"image","data":"AA"}]`:                                                                 true,
		`[{"type":"document","mime_type":"text/plain","data":"AA"}]`:                                     true,
		`[{"role":"user","content":"q"},{"role":"model","content":[{"type":"text","text":"a"}]}]`:        true,
		`[{"type":"function_call","arguments":{"video":1}},{"type":"function_result","result":{"a":1}}]`: true,
		`[{"type":"function_result","result":[1,{"a":1},"x"]}]`:                                          true,
		`[{"type":"thought","signature":"AA","summary":[{"type":"text","text":"t"}]}]`:                   true,
	} {
		r := parse(t, interactionsPath, `{"model":"m","store":false,"input":`+input+`}`)
		if got := r.InputBound() >= 0; got != bounded {
			t.Errorf("input %s: bound of %d, want one: %t", input, r.InputBound(), bounded)
		}
	}
}

func TestStateIsReadAlikeInBothAPIsThatKeepIt(t *testing.T) {
	const facts = provider.Stored | provider.Background | provider.HeldState
	for fields, want := range map[string]provider.Facts{
		``:                                     provider.Stored,
		`,"store":false`:                       0,
		`,"store":null,"background":null`:      provider.Stored,
		`,"store":false,"background":true`:     provider.Background,
		`,"background":"x","PRIOR":"a"`:        facts,
		`,"store":false,"PRIOR":null`:          0,
		`,"store":false,"PRIOR":{"id":"v1_a"}`: provider.HeldState,
	} {
		for path, prior := range map[string]string{responsesPath: "previous_response_id", interactionsPath: "previous_interaction_id"} {
			body := `{"model":"m","input":"q"` + strings.ReplaceAll(fields, "PRIOR", prior) + `}`
			if r := parse(t, path, body); r.Facts != want {
				t.Errorf("%s of %s: facts %b, want %b", body, path, r.Facts, want)
			}
		}
	}
}
