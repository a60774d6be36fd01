// Package e2e tests farebox from the outside: a real Envoy, the built binaries and the provider of
// examples/provider, all on loopback. It imports nothing of this repository.
//
//	go test ./e2e
//
// builds the binaries itself, unless FAREBOX_BIN names a folder that holds farebox and provider. The Envoys come
// from envoy/install. The tests with the official SDKs need FAREBOX_PYTHON, a Python with requirements.txt
// installed; without it they are skipped, and where CI=true they fail.
package e2e
