package provider_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"mime/multipart"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/provider"
)

const (
	scriptPath = "/v1/audio/transcriptions"
	editPath   = "/v1/images/edits"
	formKind   = "multipart/form-data; boundary=frontier"
)

// field is a part of a form that is no file.
func field(name, value string) string {
	return "--frontier\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value + "\r\n"
}

// uploaded is a part that is a file.
func uploaded(name, content string) string {
	return "--frontier\r\nContent-Disposition: form-data; name=\"" + name + "\"; filename=\"a.bin\"\r\nContent-Type: application/octet-stream\r\n\r\n" + content + "\r\n"
}

const formEnd = "--frontier--\r\n"

// wav is a recording of plain samples at 16 kHz in 16 bits, of n bytes without its header.
func wav(n int) string {
	head := []byte("RIFF\x00\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00")
	head = binary.LittleEndian.AppendUint32(head, 16000)
	head = binary.LittleEndian.AppendUint32(head, 32000)
	head = append(head, 2, 0, 16, 0)
	head = append(head, "data"...)
	head = binary.LittleEndian.AppendUint32(head, uint32(n))
	return string(head) + strings.Repeat("\x00", n)
}

// asked is what tests compare of a form.
type asked struct {
	Model          pricing.ModelName
	Stream         bool
	Choices        int64
	Seconds        int64
	Images         int64
	OpenSeconds    bool
	OpenPieces     bool
	Size, Quality  string
	PredictedBytes int64
	InputBound     int64 // beyond a token a byte of the body and a message's; -1 for none
	Expected       int64 // seconds
}

func parseForm(path, kind, body string) (provider.Request, error) {
	return provider.ParseForm(provider.ParsePath(path), path, kind, []byte(body))
}

func TestAFormSaysWhatItAsksFor(t *testing.T) {
	const picture = 48_200 // most tokens of one
	edit := field("model", "gpt-image-1") + field("prompt", "a hat") + uploaded("image[]", "PNG") + uploaded("image[]", strings.Repeat("x", 60_000)) + uploaded("mask", "PNG")
	for _, tt := range []struct {
		name, path, body string
		want             asked
	}{
		{"a compressed recording", scriptPath, uploaded("file", "ID3"+strings.Repeat("x", 15_997)) + field("model", "gpt-4o-transcribe") + field("stream", "true"),
			asked{Model: "gpt-4o-transcribe", Stream: true, Choices: 1, OpenSeconds: true, InputBound: -1, Expected: 2}},
		{"a recording of plain samples", scriptPath, field("model", "whisper-1") + uploaded("file", wav(32_000*20)),
			asked{Model: "whisper-1", Choices: 1, Seconds: 21, InputBound: -1, Expected: 21}},
		{"two recordings, one of which says nothing", scriptPath, field("model", "whisper-1") + uploaded("file", "OggS") + uploaded("file", wav(32)),
			asked{Model: "whisper-1", Choices: 1, Seconds: 10, OpenSeconds: true, InputBound: -1, Expected: 1}},
		{"two recordings", scriptPath, field("model", "whisper-1") + uploaded("file", wav(32)) + uploaded("file", wav(32)),
			asked{Model: "whisper-1", Choices: 1, Seconds: 20, InputBound: -1, Expected: 20}},
		{"a recording to be fetched", scriptPath, field("model", "whisper-large-v3") + field("url", "https://x.example/a.wav") + uploaded("file", wav(32)),
			asked{Model: "whisper-large-v3", Choices: 1, Seconds: 10, OpenSeconds: true, InputBound: -1, Expected: 1}},
		{"no recording", scriptPath, field("model", "whisper-1"), asked{Model: "whisper-1", Choices: 1, OpenSeconds: true}},
		{"chunks", scriptPath, field("model", "gpt-4o-transcribe-diarize") + field("chunking_strategy", "auto") + uploaded("file", "x"),
			asked{Model: "gpt-4o-transcribe-diarize", Choices: 1, OpenSeconds: true, OpenPieces: true, InputBound: -1, Expected: 1}},
		{"a deployment's model", "/openai/deployments/mine/audio/transcriptions?api-version=2024-06-01", field("model", "ignored") + uploaded("file", wav(32)),
			asked{Model: "mine", Choices: 1, Seconds: 10, InputBound: -1, Expected: 10}},
		{"a translation", "/openai/v1/audio/translations", field("model", "whisper-large-v3") + uploaded("file", wav(32)),
			asked{Model: "whisper-large-v3", Choices: 1, Seconds: 10, InputBound: -1, Expected: 10}},
		{"pictures", editPath, edit + field("n", "3") + field("size", "1024x1536") + field("quality", "high") + field("partial_images", "2"),
			asked{Model: "gpt-image-1", Choices: 3, Images: 3, Size: "1024x1536", Quality: "high", PredictedBytes: 600,
				InputBound: 3*picture - 60_006}},
		{"a picture to be fetched", editPath, field("model", "gpt-image-1") + field("prompt", "a hat") + field("image_url", "https://x.example/a.png"),
			asked{Model: "gpt-image-1", Choices: 1, Images: 1, InputBound: -1}},
		{"an animation", editPath, field("model", "gpt-image-2") + field("output_format", "gif") + uploaded("image", ""),
			asked{Model: "gpt-image-2", Choices: 1, Images: 1, OpenPieces: true, InputBound: picture}},
		{"variations", "/v1/images/variations", field("model", "dall-e-2") + field("n", "2") + uploaded("image", "PNG"),
			asked{Model: "dall-e-2", Choices: 2, Images: 2, InputBound: picture - 3}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := parseForm(tt.path, formKind, tt.body+formEnd)
			if err != nil {
				t.Fatal(err)
			}
			got := asked{r.Model, r.Stream, r.Choices, r.Pieces.Seconds, r.Pieces.Images, r.OpenSeconds, r.OpenPieces,
				r.Size, r.Quality, r.PredictedBytes, r.InputBound(), r.Sound().Seconds}
			if got.InputBound > 0 {
				got.InputBound -= int64(len(tt.body+formEnd)) + 64 + 16
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			edits, err := r.Rewrite(nil, provider.Target{Vendor: provider.OpenAI, Model: r.Model, SameHost: true, MaxOutput: 1, CacheKey: true, AddUsage: true})
			if len(edits) > 0 || err != nil {
				t.Errorf("a form was edited: %v, %v", edits, err)
			}
		})
	}
}

func TestTextsThatMayNameAFileLeaveTheLengthOpen(t *testing.T) {
	for name, open := range map[string]bool{
		"url": true, "file_url": true, "FILE_ID": true, "file": true, "audio_url": true, "input_audio": true, "media[0]": true,
		"known_speaker_references[]": true, "vllm_xargs": true, "a_new_field": true,
		"language": false, "Language": false, "response_format": false, "temperature": false, "prompt": false, "stream": false,
		"timestamp_granularities[]": false, "timestamp_granularities": false, "include[]": false, "known_speaker_names[]": false,
		"user": false,
	} {
		for value, bounded := range map[string]bool{"x": !open, "": true} {
			r, err := parseForm(scriptPath, formKind, field("model", "whisper-1")+field(name, value)+uploaded("file", wav(32))+formEnd)
			if err != nil || r.OpenSeconds == bounded || r.Facts.Has(provider.RemoteContent) == bounded {
				t.Errorf("%s of %q: open %t, facts %b, %v; want open %t", name, value, r.OpenSeconds, r.Facts, err, !bounded)
			}
		}
	}
}

func TestRecordingsWhoseBytesBoundNoLength(t *testing.T) {
	good := wav(32_000)
	put := func(at int, bytes string) string { return good[:at] + bytes + good[at+len(bytes):] }
	const format = 12 // where the chunk "fmt " begins
	for name, file := range map[string]string{
		"nothing":                        "",
		"half a header":                  good[:20],
		"no samples":                     good[:36],
		"FLAC":                           "fLaC" + good,
		"another kind of RIFF":           put(8, "AVI "),
		"compressed samples":             put(format+8, "\x11\x00"),
		"a rate of zero":                 put(format+12, "\x00\x00\x00\x00\x00\x00\x00\x00"),
		"no channels":                    put(format+10, "\x00\x00"),
		"bytes a second that do not fit": put(format+16, "\x01\x00\x00\x00"),
		"blocks that do not fit":         put(format+20, "\x04\x00"),
		"odd bits":                       put(format+22, "\x0c\x00"),
		"floats of 8 bits":               put(format+8, "\x03\x00\x01\x00\x80>\x00\x00\x80>\x00\x00\x01\x00\x08\x00"),
		"floats of 16 bits":              put(format+8, "\x03\x00"),
		"floats of 24 bits":              put(format+8, "\x03\x00\x01\x00\x80>\x00\x00\x80\xbb\x00\x00\x03\x00\x18\x00"),
		"two formats":                    good[:36] + good[format:36] + good[36:],
		"samples before the format":      good[:format] + "data\x02\x00\x00\x00xx" + good[format:],
		"a short format":                 put(format+4, "\x0e"),
		"a chunk beyond the end":         good[:format] + "LIST\xff\xff\xff\x7f" + good[format:],
	} {
		t.Run(name, func(t *testing.T) {
			r, err := parseForm(scriptPath, formKind, field("model", "whisper-1")+uploaded("file", file)+formEnd)
			if err != nil || !r.OpenSeconds {
				t.Errorf("%d seconds, %v; want no bound", r.Pieces.Seconds, err)
			}
		})
	}
	for name, file := range map[string]string{
		"as it is":               good,
		"a chunk of odd length":  good[:format] + "LIST\x01\x00\x00\x00x\x00" + good[format:],
		"a longer format":        good[:format+4] + "\x12" + good[format+5:36] + "\x00\x00" + good[36:],
		"floats of 32 bits":      put(format+8, "\x03\x00\x01\x00\x80>\x00\x00\x00\xfa\x00\x00\x04\x00\x20\x00"),
		"floats of 64 bits":      put(format+8, "\x03\x00\x01\x00\x80>\x00\x00\x00\xf4\x01\x00\x08\x00\x40\x00"),
		"a length that is a lie": put(40, "\x00\x00\x00\x00"),
	} {
		r, err := parseForm(scriptPath, formKind, field("model", "whisper-1")+uploaded("file", file)+formEnd)
		if err != nil || r.OpenSeconds || r.Pieces.Seconds != 10 {
			t.Errorf("%s: %d seconds, open %t, %v; want the minimum of 10", name, r.Pieces.Seconds, r.OpenSeconds, err)
		}
	}
}

// sound is a good form but for what a test does to it.
var sound = field("model", "whisper-1") + uploaded("file", wav(32)) + formEnd

func TestFormsThatProvidersMayReadDifferently(t *testing.T) {
	named := func(disposition string) string {
		return "--frontier\r\nContent-Disposition: " + disposition + "\r\n\r\nwhisper-1\r\n" + sound
	}
	typed := func(header string) string {
		return "--frontier\r\nContent-Disposition: form-data; name=\"language\"\r\n" + header + "\r\n\r\nen\r\n" + sound
	}
	for _, tt := range []struct{ name, kind, body, param, code string }{
		{"no boundary", "multipart/form-data", sound, "", provider.CodeInvalidForm},
		{"two boundaries", "multipart/form-data; boundary=other; boundary=frontier", sound, "", provider.CodeInvalidForm},
		{"a boundary within a quoted value", `multipart/form-data; x="; boundary=frontier"; boundary=other`, sound, "", provider.CodeInvalidForm},
		{"a boundary in pieces", "multipart/form-data; boundary*0=fron; boundary*1=tier", sound, "", provider.CodeInvalidForm},
		{"a boundary with a comma", "multipart/form-data; boundary=frontier,x", sound, "", provider.CodeInvalidForm},
		{"a boundary with a space", `multipart/form-data; boundary="front ier"`, sound, "", provider.CodeInvalidForm},
		{"a charset that some decode names by", "multipart/form-data; boundary=frontier; charset=punycode", sound, "", provider.CodeInvalidForm},
		{"two charsets", "multipart/form-data; charset=utf-8; boundary=frontier; charset=utf-8", sound, "", provider.CodeInvalidForm},
		{"an encoded charset", "multipart/form-data; boundary=frontier; charset*=utf-8''utf-16", sound, "", provider.CodeInvalidForm},
		{"an encoded charset of a part", formKind, typed("Content-Type: text/plain; charset*=utf-8''utf-16"), "", provider.CodeInvalidForm},
		{"an empty boundary", `multipart/form-data; boundary=""`, sound, "", provider.CodeInvalidForm},
		{"a long boundary", "multipart/form-data; boundary=" + strings.Repeat("x", 71), sound, "", provider.CodeInvalidForm},
		{"another kind of parts", "multipart/mixed; boundary=frontier", sound, "", provider.CodeInvalidForm},
		{"an empty body", formKind, "", "", provider.CodeInvalidForm},
		{"a preamble", formKind, "x\r\n" + sound, "", provider.CodeInvalidForm},
		{"an epilogue", formKind, sound + "x", "", provider.CodeInvalidForm},
		{"a second form behind the end", formKind, sound + sound, "", provider.CodeInvalidForm},
		{"no end", formKind, strings.TrimSuffix(sound, formEnd), "", provider.CodeInvalidForm},
		{"half an end", formKind, strings.TrimSuffix(sound, "--\r\n"), "", provider.CodeInvalidForm},
		{"lines that end in LF", formKind, strings.ReplaceAll(sound, "\r\n", "\n"), "", provider.CodeInvalidForm},
		{"spaces behind a boundary", formKind, strings.Replace(sound, "frontier\r\n", "frontier \r\n", 1), "", provider.CodeInvalidForm},
		{"a boundary in a file", formKind, strings.Replace(sound, "WAVE", "\n--frontier\r\n", 1), "", provider.CodeInvalidForm},
		{"a boundary behind LF alone", formKind, field("language", "en\n--frontier\r\nContent-Disposition: form-data; name=\"y\"\r\n\r\nz") + sound, "", provider.CodeInvalidForm},
		{"a longer boundary in a file", formKind, strings.Replace(sound, "WAVE", "\r\n--frontiers\r\n", 1), "", provider.CodeInvalidForm},
		{"too many parts", formKind, strings.Repeat(field("x", ""), 128) + sound, "", provider.CodeInvalidForm},
		{"too long a header", formKind, typed("X-Long: " + strings.Repeat("x", 9000)), "", provider.CodeInvalidForm},
		{"no headers", formKind, "--frontier\r\n\r\nx\r\n" + sound, "", provider.CodeInvalidForm},
		{"no disposition", formKind, "--frontier\r\nContent-Type: text/plain\r\n\r\nx\r\n" + sound, "", provider.CodeInvalidForm},
		{"two dispositions", formKind, typed(`content-disposition: form-data; name="model"`), "", provider.CodeInvalidForm},
		{"a folded header", formKind, typed("X-A: b\r\n c"), "", provider.CodeInvalidForm},
		{"a bare CR in a header", formKind, typed("X-A: b\rContent-Disposition: form-data; name=\"model\""), "", provider.CodeInvalidForm},
		{"a space before the colon", formKind, typed("X-A : b"), "", provider.CodeInvalidForm},
		{"Base64", formKind, typed("Content-Transfer-Encoding: base64"), "", provider.CodeInvalidForm},
		{"quoted-printable", formKind, typed("Content-Transfer-Encoding: Quoted-Printable"), "", provider.CodeInvalidForm},
		{"parts within a part", formKind, typed("Content-Type: Multipart/Mixed; boundary=b"), "", provider.CodeInvalidForm},
		{"an attachment", formKind, named(`attachment; name="x"`), "", provider.CodeInvalidForm},
		{"no name", formKind, named(`form-data; filename="model"`), "", provider.CodeInvalidForm},
		{"two names", formKind, named(`form-data; name="x"; name="model"`), "", provider.CodeInvalidForm},
		{"an encoded name", formKind, named(`form-data; name="x"; name*=utf-8''model`), "", provider.CodeInvalidForm},
		{"the name behind the file's", formKind, named(`form-data; filename="model"; name="x"`), "", provider.CodeInvalidForm},
		{"a name in a file's name", formKind, named(`form-data; name="x"; filename="a; Name=model"`), "", provider.CodeInvalidForm},
		{"an escaped name", formKind, named(`form-data; name="mod\el"`), "", provider.CodeInvalidForm},
		{"an escaped quote", formKind, named(`form-data; name="x"; filename="a\"; name=\"model"`), "", provider.CodeInvalidForm},
		{"a backslash before a quote", formKind, named(`form-data; name="x"; filename="a\"`), "", provider.CodeInvalidForm},
		{"a percent-encoded name", formKind, named(`form-data; name="%6dodel"`), "", provider.CodeInvalidForm},
		{"no form's parameter", formKind, named(`form-data; name="x"; size=3`), "", provider.CodeInvalidForm},
		{"a charset for all", formKind, field("_charset_", "utf-16") + sound, "_charset_", provider.CodeInvalidForm},
		{"the model twice", formKind, field("model", "whisper-1") + sound, "model", provider.CodeDuplicateKey},
		{"the model in another case", formKind, field("Model", "gpt-4o-transcribe") + sound, "model", provider.CodeAmbiguousKey},
		{"a list of models", formKind, field("model[]", "gpt-4o-transcribe") + sound, "model", provider.CodeAmbiguousKey},
		{"the model in a file", formKind, uploaded("model", "whisper-1") + formEnd, "model", provider.CodeInvalidType},
		{"the model in another charset", formKind, "--frontier\r\nContent-Disposition: form-data; name=model\r\nContent-Type: text/plain; charset=utf-16\r\n\r\nwhisper-1\r\n" + formEnd, "model", provider.CodeInvalidType},
		{"a model with a space", formKind, field("model", "whisper-1 ") + formEnd, "model", provider.CodeInvalidType},
		{"a model that is no ASCII", formKind, field("model", "whispér-1") + formEnd, "model", provider.CodeInvalidType},
		{"no model", formKind, uploaded("file", "x") + formEnd, "model", provider.CodeMissing},
		{"an empty model", formKind, field("model", "") + formEnd, "model", provider.CodeMissing},
		{"the prompt in a file", formKind, uploaded("prompt", "x") + sound, "prompt", provider.CodeInvalidType},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := parseForm(scriptPath, tt.kind, tt.body)
			var bad *provider.RequestError
			if !errors.As(err, &bad) || bad.Code != tt.code || bad.Param != tt.param || bad.Kind() != provider.BadRequest {
				t.Errorf("got %#v, want code %s of %q", err, tt.code, tt.param)
			}
		})
	}
	if _, err := parseForm(scriptPath, formKind, sound); err != nil {
		t.Errorf("the form that all these spoil: %v", err)
	}
}

func TestNumbersOfAFormMustBeNumbers(t *testing.T) {
	for _, value := range []string{"0", "-1", "+2", " 2", "2.0", "1_0", "two", "9999999999"} {
		_, err := parseForm(editPath, formKind, field("model", "gpt-image-1")+field("n", value)+formEnd)
		var bad *provider.RequestError
		if !errors.As(err, &bad) || bad.Param != "n" {
			t.Errorf("n of %q: got %v, want a *RequestError", value, err)
		}
	}
}

// What clients send, as their sources have it: .NET quotes nothing, aiohttp puts the type first, others add a length.
func TestFormsOfClients(t *testing.T) {
	for _, tt := range []struct{ name, kind, model, sound string }{
		{"httpx", formKind, `Content-Disposition: form-data; name="model"`, `Content-Disposition: form-data; name="file"; filename="a.wav"` + "\r\nContent-Type: audio/wav"},
		{".NET", `multipart/form-data; boundary="frontier"`, "Content-Type: text/plain; charset=utf-8\r\nContent-Disposition: form-data; name=model", `Content-Disposition: form-data; name=file; filename=a.wav; filename*=utf-8''a.wav`},
		{"OkHttp", formKind, "Content-Disposition: form-data; name=\"model\"\r\nContent-Length: 9", `Content-Disposition: form-data; name="file"; filename="Aufnahme für C:\a.wav"` + "\r\nContent-Type: audio/wav\r\nContent-Length: 76"},
		{"Ruby", "Multipart/Form-Data; charset=utf-8; Boundary=frontier", `content-disposition: form-data; name="model"`, "Content-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\nContent-Length: 76\r\nContent-Type: audio/wav\r\nContent-Transfer-Encoding: binary"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			body := "--frontier\r\n" + tt.model + "\r\n\r\nwhisper-1\r\n--frontier\r\n" + tt.sound + "\r\n\r\n" + wav(32) + "\r\n--frontier--"
			if !provider.ParsePath(scriptPath).TakesForm(tt.kind) {
				t.Fatal("no form")
			}
			r, err := parseForm(scriptPath, tt.kind, body)
			if err != nil {
				t.Fatal(err)
			}
			if r.Model != "whisper-1" || r.OpenSeconds || r.Pieces.Seconds != 10 {
				t.Errorf("model %q, %d seconds, open %t; want whisper-1, 10 seconds", r.Model, r.Pieces.Seconds, r.OpenSeconds)
			}
		})
	}
}

func TestWhoTakesForms(t *testing.T) {
	for path, want := range map[string]bool{
		scriptPath: true, editPath: true, "/v1/images/variations": true, "/v1/audio/translations": true,
		"/v1/chat/completions": false, "/v1/audio/speech": false, "/v1/files": false,
	} {
		if got := provider.ParsePath(path).TakesForm(formKind); got != want {
			t.Errorf("%s takes a form: got %t, want %t", path, got, want)
		}
	}
	for _, kind := range []string{"", "application/json", "multipart/mixed; boundary=b", "multipart/form-data, text/plain"} {
		if provider.ParsePath(scriptPath).TakesForm(kind) {
			t.Errorf("%q is taken for a form", kind)
		}
	}
}

// FuzzParseForm holds the reader to the standard library's: of a form that it takes, that one finds the same model, once,
// and the same files.
func FuzzParseForm(f *testing.F) {
	f.Add(formKind, sound)
	f.Add(formKind, field("model", "gpt-image-1")+field("n", "2")+uploaded("image[]", "PNG")+uploaded("mask", "")+formEnd)
	f.Add(`multipart/form-data; boundary="fron=tier"`, strings.ReplaceAll(sound, "frontier", "fron=tier"))
	f.Add("multipart/form-data; boundary=--", "----\r\nContent-Disposition: form-data; name=model\r\n\r\n-\r\n------")
	f.Fuzz(func(t *testing.T, kind, body string) {
		for _, path := range []string{scriptPath, editPath} {
			r, err := parseForm(path, kind, body)
			if bad := new(provider.RequestError); err != nil {
				if !errors.As(err, &bad) {
					t.Fatalf("%v, want a *RequestError", err)
				}
				continue
			}
			if r.Choices < 1 || r.Pieces.Seconds < 0 || r.InputBound() < -1 || r.Sound().Seconds < 0 {
				t.Fatalf("a form asks for less than nothing: %+v", r)
			}
			models, parts := readStandard(t, kind, body)
			if diff := cmp.Diff([]string{string(r.Model)}, models); diff != "" {
				t.Fatalf("models, as the standard library reads them (-want +got):\n%s\n%d parts of %q", diff, parts, body)
			}
		}
	})
}

// readStandard returns the values of the parts named model, and how many parts there are.
func readStandard(t *testing.T, kind, body string) (models []string, parts int) {
	t.Helper()
	_, rest, _ := strings.Cut(strings.ToLower(kind), "boundary=")
	at := len(kind) - len(rest)
	boundary, _, _ := strings.Cut(kind[at:], ";")
	r := multipart.NewReader(strings.NewReader(body), strings.Trim(boundary, "\" \t"))
	for {
		p, err := r.NextRawPart()
		if err != nil {
			return models, parts
		}
		parts++
		var value bytes.Buffer
		if _, err := value.ReadFrom(p); err != nil {
			t.Fatalf("a form that ends early for others: %v", err)
		}
		if p.FormName() == "model" {
			models = append(models, value.String())
		}
	}
}

// A form can be read as often as one likes, and is not changed.
func TestReadingAFormChangesNothing(t *testing.T) {
	body := []byte(sound)
	first, err := provider.ParseForm(provider.ParsePath(scriptPath), scriptPath, formKind, body)
	if err != nil {
		t.Fatal(err)
	}
	second, err := provider.ParseForm(provider.ParsePath(scriptPath), scriptPath, formKind, body)
	if diff := cmp.Diff(first, second, cmpopts.IgnoreUnexported(provider.Request{})); diff != "" || err != nil || string(body) != sound {
		t.Errorf("(-first +second), %v:\n%s", err, diff)
	}
}
