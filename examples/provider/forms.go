package main

import (
	"encoding/binary"
	"io"
	"math"
	"mime/multipart"
	"strings"
)

const (
	soundBytesPerToken  = 100
	soundBytesPerSecond = 1000 // of what is no WAV file
	readPictureTokens   = 323  // of one that is edited: 65 and 129 for each of two tiles, as in OpenAI's guide to vision
)

// form reads a body of fields and files.
func (in *inbound) form() *apiError {
	in.r.Body = io.NopCloser(newReader(in.body))
	if err := in.r.ParseMultipartForm(maxBody); err != nil {
		return invalid(openai, "Could not parse multipart form: %v", err)
	}
	return nil
}

// transcriptions answers POST /v1/audio/transcriptions and /v1/audio/translations, whose form has the model and a file
// of any bytes.
func (s *server) transcriptions(in *inbound) *apiError {
	if problem := in.form(); problem != nil {
		return problem
	}
	m, problem := s.openaiNamed(in, in.r.FormValue("model"), makesScripts)
	if problem != nil {
		return problem
	}
	file, head, err := in.r.FormFile("file")
	if err != nil {
		return missingParameter("file")
	}
	said := ask{limit: m.MaxOutput}.generate(s.cfg.seed, m, digest{}, int(head.Size))
	reply := &scriptReply{format: in.r.FormValue("response_format"), said: said}
	var u usage
	if m.Price.Hour != "" {
		if u.Seconds, err = secondsOf(file, head); err != nil {
			return invalid(openai, "could not read the file: %v", err)
		}
	} else if u.Audio = int(head.Size) / soundBytesPerToken; u.Audio+len(said.pieces) > m.Window {
		return invalid(openai, "audio is longer than what is the maximum for this model")
	}
	c := s.mediaCall(in, "openai.transcriptions", m, u)
	if m.Price.Hour == "" {
		c.answers = []answer{said}
		c.stream = in.r.FormValue("stream") == "true"
	}
	return s.answer(in, c, reply)
}

// secondsOf is how long a recording is: a WAV file by its header of 44 bytes.
func secondsOf(file io.ReaderAt, head *multipart.FileHeader) (int, error) {
	const header = 44
	var b [header]byte
	if n, err := file.ReadAt(b[:], 0); n < header && err != io.EOF {
		return 0, err
	}
	size, rate := head.Size, int64(soundBytesPerSecond)
	if string(b[:4]) == "RIFF" {
		size, rate = size-header, max(1, int64(binary.LittleEndian.Uint32(b[28:])))
	}
	return int(math.Ceil(float64(size) / float64(rate))), nil
}

// A scriptReply renders a transcript.
type scriptReply struct {
	format string
	said   answer
}

func (r *scriptReply) contentType(stream bool) string {
	switch {
	case stream:
		return "text/event-stream; charset=utf-8"
	case r.format == "text":
		return "text/plain; charset=utf-8"
	}
	return "application/json"
}

func (r *scriptReply) usage(c *call) map[string]any {
	u := c.usage()
	if c.model.Price.Hour != "" {
		return map[string]any{"type": "duration", "seconds": u.Seconds}
	}
	return map[string]any{"type": "tokens", "input_tokens": u.Audio, "output_tokens": u.Output, "total_tokens": u.Audio + u.Output,
		"input_token_details": map[string]int{"text_tokens": 0, "audio_tokens": u.Audio}}
}

func (r *scriptReply) whole(c *call) []byte {
	if r.format == "text" {
		return []byte(r.said.text() + "\n")
	}
	body := map[string]any{"text": r.said.text()}
	if r.format == "verbose_json" {
		body["task"], body["language"], body["duration"] = "transcribe", "english", float64(c.usage().Seconds)
	}
	if !c.noUsage {
		body["usage"] = r.usage(c)
	}
	return pretty(body)
}

func (r *scriptReply) stream(_ *call, out *sink) error {
	for _, piece := range r.said.pieces {
		if err := out.event(sse("", mustJSON(map[string]any{"type": "transcript.text.delta", "delta": piece})), 1); err != nil {
			return err
		}
	}
	return nil
}

func (r *scriptReply) last(c *call) []byte {
	done := map[string]any{"type": "transcript.text.done", "text": r.said.text()}
	if !c.noUsage {
		done["usage"] = r.usage(c)
	}
	return sse("", mustJSON(done))
}

// edits answers POST /v1/images/edits, whose form has the model, a prompt, and pictures of any bytes.
func (s *server) edits(in *inbound) *apiError {
	if problem := in.form(); problem != nil {
		return problem
	}
	m, problem := s.openaiNamed(in, in.r.FormValue("model"), makesImages)
	if problem != nil {
		return problem
	}
	o := pictureOrder{count: formNumber(in, "n", 1), quality: in.r.FormValue("quality"), stream: in.r.FormValue("stream") == "true",
		partial: formNumber(in, "partial_images", 0), prompt: in.r.FormValue("prompt"), event: "image_edit"}
	for name, files := range in.r.MultipartForm.File {
		if base, _, _ := strings.Cut(name, "["); base == "image" || base == "mask" {
			o.read += len(files)
		}
	}
	if o.read == 0 {
		return missingParameter("image")
	}
	return s.paint(in, m, o)
}

// formNumber reads a whole number, -1 for what is none.
func formNumber(in *inbound, name string, usual int) int {
	text := in.r.FormValue(name)
	if text == "" {
		return usual
	}
	n := 0
	for _, c := range text {
		if c < '0' || c > '9' || n > 1000 {
			return -1
		}
		n = n*10 + int(c-'0')
	}
	return n
}
