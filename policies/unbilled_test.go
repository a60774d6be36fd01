package policies

import "testing"

func TestUnbilledWantsProofThatNobodyCharged(t *testing.T) {
	const answered = "the provider answered with an error"
	for _, tt := range []struct {
		status  int
		details string
		want    string
	}{
		{0, "", ""},
		{200, "via_upstream", ""},
		{399, "via_upstream", ""},
		{400, "via_upstream", answered},
		{429, "via_upstream", answered},
		{500, "via_upstream", answered},
		{529, "via_upstream", answered},
		{400, "", answered},
		{408, "", ""}, // the proxy's, or a provider's that worked until then
		{500, "", ""},
		{503, "", ""},
		{503, "no_healthy_upstream", "no upstream took the call: no_healthy_upstream"},
		{503, "cluster_not_found", "no upstream took the call: cluster_not_found"},
		{503, "upstream_reset_before_response_started{connection_failure}", "no upstream took the call: connection_failure"},
		{503, "upstream_reset_before_response_started{overflow}", "no upstream took the call: overflow"},
		{503, "upstream_reset_before_response_started{remote_reset}", ""},
		{503, "upstream_reset_before_response_started{connection_termination}", ""},
		{504, "upstream_response_timeout", ""},
		{504, "stream_idle_timeout", ""},
		{200, "no_healthy_upstream", ""},
	} {
		if got := Unbilled(tt.status, tt.details); got != tt.want {
			t.Errorf("Unbilled(%d, %q) = %q, want %q", tt.status, tt.details, got, tt.want)
		}
	}
}
