package provider

import (
	"cmp"
	"slices"
	"strings"

	"github.com/farebox-mesh/farebox/pricing"
)

// keyPlaces are where a call carries keys. Names are in lower case, those of parameters without the $ that Google's may
// begin with.
type keyPlaces struct {
	headers []string
	params  []string // of the query
	opaque  []string // parameters of the query that hold more than a key
}

// placesOf holds vendors that take keys only here and there. OpenAI's are also those of servers that speak its format
// under its name.
// Sources: "Authentication" of OpenAI's, Anthropic's and Azure's API references, "System parameters" of Google Cloud's,
// "Subscriptions" of Azure API Management's manual, "API keys" of Amazon Bedrock's and "Signature Version 4" of AWS's.
var placesOf = map[pricing.ProviderName]keyPlaces{
	OpenAI:    {headers: []string{"authorization", "x-api-key", "api-key"}},
	Anthropic: {headers: []string{"authorization", "x-api-key"}},
	Google: {
		headers: []string{"authorization", "x-goog-api-key"},
		params:  []string{"key", "access_token", "oauth_token", "bearer_token"},
		opaque:  []string{"httpheaders"}, // browsers' way to send headers without asking first
	},
	azureOpenAI: {
		headers: []string{"authorization", "api-key", "x-api-key", "ocp-apim-subscription-key"},
		params:  []string{"api-key", "subscription-key"},
	},
	Bedrock: {
		headers: []string{"authorization", "x-api-key"},
		opaque:  []string{"x-amz-credential"},
	},
}

// everyPlace is where any of them takes keys.
var everyPlace = func() (all keyPlaces) {
	for _, p := range placesOf {
		all.headers = append(all.headers, p.headers...)
		all.params = append(all.params, p.params...)
		all.opaque = append(all.opaque, p.opaque...)
	}
	for _, names := range [...]*[]string{&all.headers, &all.params, &all.opaque} {
		slices.Sort(*names)
		*names = slices.Compact(*names)
	}
	return all
}()

// CallerKey returns the bare key that a request carries for a vendor: the same one wherever that vendor takes it from,
// and nothing of what stands elsewhere. It is "" where there is none, and where there are several, as only the provider
// knows which of them it looks at, and whoever may choose the other could be somebody else on every call. For a vendor
// that is "" or takes keys in ways unknown, all places count. header returns all values of a header, joined with commas,
// as proxies join them: a comma makes several keys, except in a signature of AWS, whose key is its signer.
func CallerKey(vendor pricing.ProviderName, header func(name string) string, path string) string {
	places, known := placesOf[vendor]
	if !known {
		places = everyPlace
	}
	var k keyFinder
	for _, name := range places.headers {
		k.add(bareKey(header(name)))
	}
	if _, query, ok := strings.Cut(path, "?"); ok {
		k.query(query, &places)
	}
	if k.several {
		return ""
	}
	return k.found
}

// keyFinder collects the keys of a request.
type keyFinder struct {
	found   string
	several bool
}

// add notes a key, "" for none; one says that it is no more than that.
func (k *keyFinder) add(key string, one bool) {
	k.several = k.several || !one || key != "" && k.found != "" && key != k.found
	k.found = cmp.Or(k.found, key)
}

func (k *keyFinder) query(query string, places *keyPlaces) {
	if len(places.params)+len(places.opaque) == 0 {
		return
	}
	if strings.Contains(query, ";") || !wellEscaped(query) {
		k.several = true // servers differ in what they make of it
	}
	for p := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(p, "=")
		name = paramName(name)
		switch {
		case slices.Contains(places.opaque, name):
			k.several = true
		case slices.Contains(places.params, name):
			k.add(bareKey(unescape(strings.ReplaceAll(value, "+", " "))))
		}
	}
}

// paramName is the name of a query's parameter as keyPlaces has it.
func paramName(name string) string {
	return strings.TrimPrefix(strings.ToLower(unescape(name)), "$")
}

// wellEscaped reports whether every % is followed by two hexadecimal digits.
func wellEscaped(s string) bool {
	for i := range len(s) {
		if s[i] == '%' && (i+2 >= len(s) || hexDigit(s[i+1]) < 0 || hexDigit(s[i+2]) < 0) {
			return false
		}
	}
	return true
}

// keySchemes are what may stand before a key, in lower case.
var keySchemes = []string{"bearer", "token", "key", "api-key", "apikey"}

// shortTermKey begins keys of Bedrock that whoever has one key of AWS may make as many of as they like.
const shortTermKey = "bedrock-api-key-"

// bareKey returns the key of a header's value without its scheme, "" for none. It returns false where the value may be
// several keys, or the key another one on every call. A scheme that servers take no notice of must not tell keys apart.
func bareKey(value string) (key string, one bool) {
	if key, ok := signer(value); ok {
		return key, true
	}
	words := strings.Fields(value)
	if len(words) > 0 && slices.Contains(keySchemes, strings.ToLower(words[0])) {
		words = words[1:]
	}
	switch {
	case len(words) == 0:
		return "", true
	case len(words) > 1, strings.Contains(words[0], ","), strings.HasPrefix(words[0], shortTermKey):
		return "", false
	}
	return words[0], true
}

// signer returns the access key of a signature of AWS, which is another on every call. Keys of sessions, whose names
// begin otherwise, are none: whoever has one may have as many as they like.
// Source: "Signature Version 4", "Authorization header", and "IAM identifiers", "Unique ID prefixes", of AWS's manuals.
func signer(authorization string) (string, bool) {
	rest, ok := strings.CutPrefix(authorization, "AWS4-HMAC-SHA256 ")
	parts := strings.Split(rest, ",")
	if !ok || len(parts) != 3 {
		return "", false
	}
	for i, name := range [...]string{"Credential=AKIA", "SignedHeaders=", "Signature="} {
		value, ok := strings.CutPrefix(strings.TrimLeft(parts[i], " "), name)
		if !ok || strings.ContainsAny(value, " \t") {
			return "", false
		}
		parts[i] = value
	}
	key, _, ok := strings.Cut(parts[0], "/")
	return "aws4 AKIA" + key, ok
}
