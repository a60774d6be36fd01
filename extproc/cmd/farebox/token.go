package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/farebox-mesh/farebox/extproc/internal/admin"
)

// leastToken is the shortest token that opens anything, in bytes: 16 random ones are more than anybody guesses.
const leastToken = 16

// readToken reads the first line of a file, which is named as PATH or file:PATH.
func readToken(source string) (string, error) {
	path := strings.TrimPrefix(source, "file:")
	text, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("read token: %w; it is a file with a line of at least %d random bytes", err, leastToken)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	if line = strings.TrimSpace(line); len(line) < leastToken {
		return "", fmt.Errorf("token in %q: shorter than %d bytes; put a line of at least as many random ones there", path, leastToken)
	}
	return line, nil
}

// adminToken reads the token that --admin-token names, the zero token for "".
func adminToken(source string) (admin.Token, error) {
	if source == "" {
		return admin.Token{}, nil
	}
	text, err := readToken(source)
	if err != nil {
		return admin.Token{}, err
	}
	return admin.NewToken(text), nil
}
