package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

const (
	progressWidth = 24
	redrawTime    = 100 * time.Millisecond
)

// progress shows how far the calls have come: a bar that is redrawn on a terminal, else a line every tenth of the way.
type progress struct {
	w     io.Writer
	live  bool // w is a terminal
	total int
	began time.Time
	drawn time.Time
	tenth int // of the way, as of the last line
}

func newProgress(w io.Writer, total int) *progress {
	return &progress{w: w, live: isTerminal(w), total: total, began: time.Now()}
}

// show says that done calls are answered, refused ones among them.
func (p *progress) show(done, refused int) {
	now := time.Now()
	rate := float64(done) / max(now.Sub(p.began).Seconds(), 0.001)
	text := fmt.Sprintf("%s of %s calls, %d refused, %.0f a second", thousands(done), thousands(p.total), refused, rate)
	switch tenth := done * 10 / p.total; {
	case p.live && (done == p.total || now.Sub(p.drawn) >= redrawTime):
		full := done * progressWidth / p.total
		fmt.Fprintf(p.w, "\r%s%s %s\x1b[K", strings.Repeat("█", full), strings.Repeat("░", progressWidth-full), text)
		p.drawn = now
	case !p.live && tenth > p.tenth:
		fmt.Fprintf(p.w, "%3d%%  %s\n", tenth*10, text)
		p.tenth = tenth
	}
}

// end leaves the bar's line.
func (p *progress) end() {
	if p.live {
		fmt.Fprintln(p.w)
	}
}

// isTerminal reports whether somebody is likely to look at w. The null device is a character device as well.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err != nil || !os.SameFile(info, null)
}
