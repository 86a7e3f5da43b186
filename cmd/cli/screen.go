package cli

import (
	"bytes"
	"io"
	"strings"
	"sync"
)

// screen is standard error, shared by log records and the progress lines that
// redraw below them. It is safe for concurrent use.
type screen struct {
	mu    sync.Mutex
	w     io.Writer
	lines []string // drawn at the bottom, on a terminal only
}

// Write prints above the progress lines.
func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.lines) == 0 {
		return s.w.Write(b)
	}
	var out bytes.Buffer
	out.WriteString(erase(len(s.lines)))
	out.Write(b)
	out.WriteString(strings.Join(s.lines, "\n") + "\n")
	if _, err := s.w.Write(out.Bytes()); err != nil {
		return 0, err
	}
	return len(b), nil
}

// draw replaces the progress lines; none removes them.
func (s *screen) draw(lines ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := erase(len(s.lines))
	for i, l := range lines {
		lines[i] = cut(l, width-1)
		out += lines[i] + "\n"
	}
	s.lines = lines
	_, _ = io.WriteString(s.w, out) // progress is decoration
}

// erase moves the cursor up over n lines and clears from there.
func erase(n int) string { return strings.Repeat("\x1b[1A\x1b[2K", n) }

// cut shortens text to n runes.
func cut(text string, n int) string {
	if r := []rune(text); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return text
}
