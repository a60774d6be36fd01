package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/farebox-mesh/farebox/extproc/internal/admin"
)

// leastToken is the shortest token that opens anything, in bytes: 16 random ones are more than anybody guesses.
const leastToken = 16

// readToken reads the first line of a file.
func readToken(path string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("read token: %w", err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	if line = strings.TrimSpace(line); len(line) < leastToken {
		return "", fmt.Errorf("token in %q: shorter than %d bytes", path, leastToken)
	}
	return line, nil
}

// adminToken reads the token that --admin-token names, the zero token for "".
func adminToken(source string) (admin.Token, error) {
	if source == "" {
		return admin.Token{}, nil
	}
	path, ok := strings.CutPrefix(source, "file:")
	if !ok {
		return admin.Token{}, errors.New("admin-token: want file:PATH")
	}
	text, err := readToken(path)
	if err != nil {
		return admin.Token{}, err
	}
	return admin.NewToken(text), nil
}
