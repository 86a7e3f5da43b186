package cli

import (
	"os"
	"strings"
	"testing"

	"github.com/rowferry/rowferry/sink/jsonl"
)

// TestHeldFile: two pipelines do not write to one file.
func TestHeldFile(t *testing.T) {
	files := inDir(t)
	s, err := jsonl.Open("out.jsonl", jsonl.Options{})
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"replay", "--files", files, "--target", "jsonl:out.jsonl"}
	if got := run(t, args); got.code != 7 || !strings.Contains(got.err, "RF-3013") {
		t.Errorf("%+v", got)
	}
	if info, err := os.Stat("out.jsonl"); err != nil || info.Size() != 0 {
		t.Errorf("the held file was written to: %v, %v", info, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	ok(t, args...)
}
