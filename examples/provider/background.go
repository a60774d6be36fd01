package main

import (
	"net/http"
	"strings"
	"sync"
)

// progressCalls is how often an answer in the background is asked for before it is complete.
const progressCalls = 1

// A job is a stored response or interaction, which may be made in the background.
type job struct {
	call       *call
	reply      *responsesReply // nil for an interaction
	background bool
	asked      int // how often
	cancelled  bool
}

// status is the job's word for how far it is, and counts the question.
func (j *job) status() string {
	j.asked++
	switch {
	case j.cancelled:
		return "cancelled"
	case j.background && j.asked <= progressCalls:
		return "in_progress"
	}
	return itemStatus(j.call.answers[0])
}

// A jobStore keeps responses that can be fetched. The zero value is empty; it is safe for concurrent use. The oldest
// go first.
type jobStore struct {
	mu    sync.Mutex
	jobs  map[string]*job
	order []string
}

func (s *jobStore) put(j *job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.jobs == nil {
		s.jobs = map[string]*job{}
	}
	s.jobs[j.call.id] = j
	if s.order = append(s.order, j.call.id); len(s.order) > storedMost {
		delete(s.jobs, s.order[0])
		s.order = s.order[1:]
	}
}

// with runs f on a job, and says whether there is one.
func (s *jobStore) with(id string, f func(*job)) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	j, ok := s.jobs[id]
	if ok {
		f(j)
	}
	return ok
}

func (s *jobStore) remove(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.jobs, id)
}

func (s *jobStore) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.jobs, s.order = nil, nil
}

// checkBackground rejects what cannot be fetched later.
func checkBackground(f fields) *apiError {
	if f.flag("background") && f.has("store") && !f.flag("store") {
		return invalid(openai, "Background mode requires `store` to be set to true.").about("invalid_parameter_combination", "background")
	}
	return nil
}

// queue answers at once that the answer is being made. It is billed whether somebody fetches it or not.
func (s *server) queue(in *inbound, c *call, reply *responsesReply) *apiError {
	c.publish()
	s.bill(c, c.usage(), false)
	writeJSON(in, pretty(reply.body(c, "queued")))
	return nil
}

// storedResponse answers GET and DELETE of /v1/responses/ID, and POST of /v1/responses/ID/cancel, which comes too late
// to save anything.
func (s *server) storedResponse(in *inbound) *apiError {
	_, id, _ := strings.Cut(in.r.URL.Path, "/responses/")
	id, verb, _ := strings.Cut(id, "/")
	var body any
	found := s.jobs.with(id, func(j *job) {
		j.cancelled = j.cancelled || verb == "cancel" && j.background && j.asked <= progressCalls
		if status := j.status(); status == itemStatus(j.call.answers[0]) {
			body = j.reply.final(j.call)
		} else {
			body = j.reply.body(j.call, status)
		}
	})
	switch key := in.r.Method + " " + verb; {
	case !found:
		e := invalid(openai, "Response with id '%s' not found.", id)
		e.status = http.StatusNotFound
		return e
	case key == "GET ", key == "POST cancel":
		writeJSON(in, pretty(body))
	case key == "DELETE ":
		s.jobs.remove(id)
		writeJSON(in, pretty(map[string]any{"id": id, "object": "response", "deleted": true}))
	default:
		return unknownURL(in)
	}
	return nil
}
